-- A table of customers to try it with, and a user who only reads it. It is run once, when the database is made.

CREATE TABLE customers (
    id INTEGER PRIMARY KEY, name VARCHAR(100), phone VARCHAR(60), mobile VARCHAR(60),
    segment VARCHAR(20), owner VARCHAR(20), status VARCHAR(20)
);
INSERT INTO customers (id, name, phone, mobile, segment, owner, status) VALUES
    (1, 'Ahmet Yılmaz', '0212 000 00 01', '0530 123 45 67', 'A', '1001', 'active'),
    (2, 'Numune Müşteri 2', NULL, '+90 (532) 111-22-33', 'C', NULL, 'active'),
    (3, 'Misal Müşteri 3', '0212 000 00 03 dahili 12', NULL, 'C', NULL, 'closed');

-- The password is that of secrets/crm.password. The administrator has none then: nobody is him over the network.
\getenv password POSTGRES_PASSWORD
CREATE ROLE tanima LOGIN PASSWORD :'password';
GRANT SELECT ON customers TO tanima;
ALTER ROLE postgres PASSWORD NULL;
