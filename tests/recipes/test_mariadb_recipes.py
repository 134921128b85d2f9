"""The recipes for WooCommerce and WHMCS, on tables of these shapes on a real MariaDB, as the user that they tell of."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.recipes.asked import (
    ABROAD,
    CALLER,
    CALLS,
    CLOSED,
    NOBODY,
    SPELLINGS,
    Asked,
    place_of,
    sql_of_the_user,
    written,
)
from tests.servers import Mariadb

UNKNOWN = (None, "queue/203")

Execute = Callable[[str], str]


def text(value: object) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int | float) else "'" + str(value).replace("'", "''") + "'"


def inserted(table: str, rows: Sequence[tuple[object, ...]]) -> str:
    return f"INSERT INTO {table} VALUES {', '.join('(' + ', '.join(map(text, row)) + ')' for row in rows)};"


class AnyRecipe:
    """What holds for each of them. The number of the customer `Müşteri 1` is 0532 111 00 01, he is a common one."""

    recipe: str
    tables: str
    spell: str
    """Adds the customer `Müşteri 2`, whose number is spelled as stands in the place of {}"""

    @classmethod
    def fill(cls, execute: Execute) -> None:
        raise NotImplementedError

    @pytest.fixture
    def execute(self, mariadb: Mariadb) -> Iterator[Execute]:
        """Make the tables and the user."""
        mariadb.sql("CREATE DATABASE of_the_recipe CHARACTER SET utf8mb4")

        def execute(sql: str) -> str:
            return mariadb.sql(f"USE of_the_recipe; {sql}")

        execute(self.tables)
        self.fill(execute)
        user = sql_of_the_user(self.recipe, **{"shop.": "of_the_recipe.", "whmcs.": "of_the_recipe."})
        execute(";".join(user))
        yield execute
        execute("DROP USER tanima@'127.0.0.1'; DROP DATABASE of_the_recipe")

    @pytest.fixture
    def asked(self, mariadb: Mariadb, execute: Execute, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Asked:
        return Asked(written(self.recipe, tmp_path, place_of(mariadb, "of_the_recipe")), capsys)

    def test_it_fits_its_tables(self, asked: Asked) -> None:
        assert asked.live()

    def test_a_customer_is_known_however_the_switch_spells_the_number(self, asked: Asked) -> None:
        for call in CALLS:
            assert asked.name_and_target(call) == ("Müşteri 1", "queue/202"), call

    @pytest.mark.parametrize("spelling", [*SPELLINGS, "+90.5321112233"])
    def test_a_customer_is_known_however_the_number_is_spelled(
        self, asked: Asked, execute: Execute, spelling: str
    ) -> None:
        assert asked.name_and_target(CALLER) == UNKNOWN
        execute(self.spell.format(spelling))
        assert asked.name_and_target(CALLER) == ("Müşteri 2", "queue/202")
        assert asked.name_and_target(ABROAD) == UNKNOWN

    def test_others_are_unknown(self, asked: Asked) -> None:
        assert asked.name_and_target(NOBODY) == UNKNOWN
        assert asked.name_and_target("+495321110001") == UNKNOWN

    def test_nobody_is_put_through_when_the_office_is_closed(self, asked: Asked) -> None:
        assert asked.name_and_target("05321110001", CLOSED) == ("Müşteri 1", "announcement/456")


class TestWordpress(AnyRecipe):
    recipe = "wordpress"
    tables = """
        CREATE TABLE wp_users (
            ID BIGINT UNSIGNED PRIMARY KEY, user_login VARCHAR(60), user_pass VARCHAR(255), display_name VARCHAR(250)
        );
        CREATE TABLE wp_usermeta (
            umeta_id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, user_id BIGINT UNSIGNED, meta_key VARCHAR(255),
            meta_value LONGTEXT, KEY (user_id), KEY (meta_key(191))
        );
        CREATE TABLE wp_wc_orders (
            id BIGINT UNSIGNED PRIMARY KEY, type VARCHAR(20), status VARCHAR(20), total_amount DECIMAL(26, 8),
            customer_id BIGINT UNSIGNED, billing_email VARCHAR(320), KEY (customer_id, billing_email(171))
        );
        CREATE TABLE wp_wc_order_addresses (
            order_id BIGINT UNSIGNED, address_type VARCHAR(20), first_name TEXT, last_name TEXT, company TEXT,
            country TEXT, phone VARCHAR(100), UNIQUE KEY (address_type, order_id), KEY (phone)
        );
    """
    spell = """
        INSERT INTO wp_users VALUES (2, 'u2', '', 'Müşteri 2');
        INSERT INTO wp_usermeta (user_id, meta_key, meta_value) VALUES (2, 'billing_phone', '{}')
    """

    @classmethod
    def fill(cls, execute: Execute) -> None:
        users = {
            1: {"billing_phone": "0532 111 00 01", "shipping_phone": "0212 5551001", "billing_country": "TR"},
            3: {"billing_phone": "5321110003", "wp_capabilities": 'a:1:{s:18:"wholesale_customer";b:1;}'},
            4: {"billing_phone": "0532 1110004", "billing_country": "DE"},
            5: {"billing_phone": "+49 532 1110005", "billing_country": "DE"},
            6: {"billing_phone": "05321110006"},
            7: {"billing_phone": "05321110007"},
        }
        meta = [
            (None, user, key, value)
            for user, metas in users.items()
            for key, value in {**metas, "billing_first_name": "Müşteri", "billing_last_name": user}.items()
            if not (user == 7 and "name" in key)
        ]
        orders = [
            (10, "shop_order", "wc-completed", 60000, 6, "c6@example.com"),
            (11, "shop_order_refund", "wc-completed", -10, 6, ""),
            (12, "shop_order", "wc-processing", 100.5, 7, "c7@example.com"),
            (13, "shop_order", "wc-completed", 50, 0, "guest@example.com"),
            (14, "shop_order", "wc-on-hold", 70, 0, "guest@example.com"),
            (15, "shop_order", "trash", 70, 0, "trash@example.com"),
            (16, "shop_order", "wc-completed", 70, 0, "abroad@example.com"),
        ]
        addresses = [
            (13, "billing", "Eski", "Misafir", "", "TR", "0 532 111 00 13"),
            (14, "billing", "Misafir", "14", "Firma 14", "TR", "(532) 111 00 13"),
            (14, "shipping", "Komşu", "14", "", "TR", "0532 111 00 99"),
            (15, "billing", "Misafir", "15", "", "TR", "0532 111 00 15"),
            (16, "billing", "Misafir", "16", "", "DE", "0532 111 00 16"),
        ]
        execute(
            inserted("wp_users", [(user, f"u{user}", "x", f"Müşteri {user}") for user in users])
            + inserted("wp_usermeta", meta)
            + inserted("wp_wc_orders", orders)
            + inserted("wp_wc_order_addresses", addresses)
        )

    def test_a_customer_is_known_by_either_telephone(self, asked: Asked) -> None:
        assert asked.name_and_target("02125551001") == ("Müşteri 1", "queue/202")

    def test_roles_sums_and_open_orders_have_targets_of_their_own(self, asked: Asked) -> None:
        assert asked.name_and_target("05321110003") == ("Müşteri 3", "queue/201")
        assert asked.name_and_target("05321110006") == ("Müşteri 6", "queue/201")
        assert asked.name_and_target("05321110007") == ("Müşteri 7", "queue/206")
        assert asked.field("05321110006", "spent") == 60000

    def test_a_guest_is_known_by_the_last_order(self, asked: Asked) -> None:
        assert asked.name_and_target("05321110013") == ("Misafir 14", "queue/206")
        assert asked.field("05321110013", "company") == "Firma 14"

    def test_a_number_that_was_written_abroad_is_not_one_at_home(self, asked: Asked) -> None:
        assert asked.name_and_target("05321110004") == UNKNOWN
        assert asked.name_and_target("05321110016") == UNKNOWN
        assert asked.name_and_target("+495321110005") == ("Müşteri 5", "queue/202")

    def test_an_order_in_the_trash_and_where_it_was_shipped_do_not_count(self, asked: Asked) -> None:
        assert asked.name_and_target("05321110015") == UNKNOWN
        assert asked.name_and_target("05321110099") == UNKNOWN

    def test_another_shop_has_another_prefix(self, asked: Asked, execute: Execute) -> None:
        for table in ("users", "usermeta", "wc_orders", "wc_order_addresses"):
            execute(f"RENAME TABLE wp_{table} TO shop7_{table}; GRANT SELECT ON shop7_{table} TO tanima@'127.0.0.1'")
        asked.file.write_text(asked.file.read_text(encoding="utf-8").replace('"wp_"', '"shop7_"'), encoding="utf-8")
        execute("UPDATE shop7_usermeta SET meta_key = 'shop7_capabilities' WHERE meta_key = 'wp_capabilities'")
        assert asked.name_and_target("05321110003") == ("Müşteri 3", "queue/201")


class TestWhmcs(AnyRecipe):
    recipe = "whmcs"
    tables = """
        CREATE TABLE tblclients (
            id INT PRIMARY KEY, firstname TEXT NOT NULL, lastname TEXT NOT NULL, companyname TEXT NOT NULL,
            phonenumber TEXT NOT NULL, password TEXT NOT NULL, groupid INT NOT NULL,
            status ENUM('Active', 'Inactive', 'Closed') NOT NULL DEFAULT 'Active'
        ) CHARACTER SET utf8 COLLATE utf8_unicode_ci;
        CREATE TABLE tblclientgroups (id INT UNSIGNED PRIMARY KEY, groupname VARCHAR(45) NOT NULL);
        CREATE TABLE tblcontacts (
            id INT PRIMARY KEY, userid INT NOT NULL, firstname TEXT NOT NULL, lastname TEXT NOT NULL,
            phonenumber TEXT NOT NULL, password TEXT NOT NULL
        ) CHARACTER SET utf8 COLLATE utf8_unicode_ci;
        CREATE TABLE tblinvoices (
            id INT PRIMARY KEY AUTO_INCREMENT, userid INT NOT NULL, duedate DATE, status TEXT NOT NULL, KEY (userid)
        );
        CREATE TABLE tbltickets (
            id INT PRIMARY KEY AUTO_INCREMENT, userid INT NOT NULL, status VARCHAR(64) NOT NULL, KEY (userid)
        );
        CREATE TABLE tblticketstatuses (title VARCHAR(64) NOT NULL, showactive INT NOT NULL);
    """
    spell = "INSERT INTO tblclients VALUES (2, 'Müşteri', '2', '', '{}', '', 0, 'Active')"

    @classmethod
    def fill(cls, execute: Execute) -> None:
        clients = [
            (1, "Müşteri", "1", "Firma 1", "+90.5321110001", "x", 0, "Active"),
            (3, "Müşteri", "3", "", "+90.5321110003", "x", 7, "Active"),
            (4, "Müşteri", "4", "", "+90.5321110004", "x", 0, "Closed"),
            (5, "Müşteri", "5", "", "+90.532 111 00 05", "x", 7, "Active"),
            (6, "Müşteri", "6", "Firma 6", "+90.2125551006", "x", 0, "Active"),
            (7, "Müşteri", "7", "", "+49.5321110007", "x", 0, "Active"),
            (8, "Müşteri", "8", "", "05321110008", "x", 0, "Inactive"),
        ]
        invoices = [
            (None, 5, "2020-01-31", "Unpaid"),
            (None, 3, "2020-01-31", "Paid"),
            (None, 3, "2999-12-31", "Unpaid"),
        ]
        contacts = [
            (1, 6, "Yetkili", "6", "+90.5331110006", "x"),
            (2, 4, "Yetkili", "4", "+90.5331110004", "x"),
        ]
        execute(
            inserted("tblclients", clients)
            + inserted("tblclientgroups", [(7, "VIP")])
            + inserted("tblcontacts", contacts)
            + inserted("tblinvoices", invoices)
            + inserted("tbltickets", [(None, 6, "Customer-Reply"), (None, 1, "Closed")])
            + inserted("tblticketstatuses", [("Open", 1), ("Customer-Reply", 1), ("Closed", 0)])
        )

    def test_groups_invoices_tickets_and_status_have_targets_of_their_own(self, asked: Asked) -> None:
        assert asked.name_and_target("05321110003") == ("Müşteri 3", "queue/201")
        assert asked.name_and_target("05321110005") == ("Müşteri 5", "queue/205")
        assert asked.name_and_target("02125551006") == ("Müşteri 6", "queue/206")
        assert asked.name_and_target("05321110008") == ("Müşteri 8", "queue/204")

    def test_a_contact_person_is_greeted_and_has_the_clients_tickets(self, asked: Asked) -> None:
        assert asked.name_and_target("05331110006") == ("Yetkili 6", "queue/206")
        assert asked.field("05331110006", "company") == "Firma 6"

    def test_closed_clients_and_their_contacts_are_not_found(self, asked: Asked) -> None:
        assert asked.name_and_target("05321110004") == UNKNOWN
        assert asked.name_and_target("05331110004") == UNKNOWN

    def test_a_number_from_abroad_is_not_one_at_home(self, asked: Asked) -> None:
        assert asked.name_and_target("+495321110007") == ("Müşteri 7", "queue/202")
        assert asked.name_and_target("05321110007") == UNKNOWN

    def test_the_faster_comparison_finds_the_spelling_of_whmcs(self, asked: Asked) -> None:
        recipe = asked.file.read_text(encoding="utf-8")
        faster = "c.phonenumber = CONCAT('+90.', :subscriber)"
        assert f"#     {faster}\n" in recipe
        asked.file.write_text(recipe.replace("{caller_in(c.phonenumber)}\n", f"{faster}\n"), encoding="utf-8")
        assert asked.name_and_target("05321110001") == ("Müşteri 1", "queue/202")
        assert asked.name_and_target("05321110005") == UNKNOWN
