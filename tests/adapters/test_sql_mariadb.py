from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from adapters.sql.connections import Connections, _answer
from adapters.sql.databases import MOST_ROWS, make_engine, read_url
from proxy.adapter import AdapterError, Contact, Unavailable
from proxy.testing import phone
from tests.adapters.sql_crm import AYSE, opened
from tests.servers import Mariadb

BORA = phone("0532 111 22 33")

TABLES = """
DROP TABLE IF EXISTS people, calls;
CREATE TABLE people (
    digits VARCHAR(20), id BIGINT, name CHAR(30) CHARACTER SET latin5, padded BINARY(10), balance DECIMAL(10, 2),
    points DECIMAL(10, 0), since DATE, seen DATETIME, opens TIME, rests TIME, is_vip BIT(1), flags BIT(10),
    is_firm TINYINT(1), more JSON, note BLOB, photo LONGBLOB, owner INT, mood VARCHAR(20), level ENUM('altın', 'gümüş'),
    born YEAR, `key` UUID, largest BIGINT UNSIGNED
) CHARACTER SET utf8mb4;
INSERT INTO people VALUES (
    '905301234567', 7, 'ğüşıöçİ ĞÜŞIÖÇ', 'gold      ', 12.50, 12, '2020-01-31', '2020-01-31 09:05:00', '09:05:00',
    '-26:00:01', b'1', b'1000000001', 1, '{"il": "İzmir"}', 'Müşteri', REPEAT(x'ff', 1000), NULL, '😀 iyi', 'gümüş',
    1980, '00000000-0000-0000-0000-000000000001', 18446744073709551615
);
CREATE TABLE calls (n INT);
DELIMITER //
CREATE OR REPLACE FUNCTION count_call(x VARCHAR(20)) RETURNS INT BEGIN INSERT INTO calls VALUES (1); RETURN 1; END//
CREATE OR REPLACE FUNCTION forget(x VARCHAR(20)) RETURNS INT
    BEGIN DELETE FROM people WHERE digits = x; RETURN ROW_COUNT(); END//
DELIMITER ;
GRANT SELECT ON calls TO reader@'127.0.0.1';
ALTER USER locked_out@'127.0.0.1' IDENTIFIED BY 'right';
"""


class TestMariadb:
    @pytest.fixture
    def url(self, mariadb: Mariadb) -> Iterator[str]:
        mariadb.sql(TABLES)
        yield mariadb.url()
        mariadb.thaw()
        mariadb.start()

    async def test_types_of_its_own_become_plain(self, url: str) -> None:
        async with opened(url, "SELECT *, digits AS number FROM people WHERE digits = :digits", "find") as adapter:
            (contact,) = await adapter.lookup(AYSE)
        assert (contact.name, contact.id, contact.numbers) == ("ğüşıöçİ ĞÜŞIÖÇ", "7", ("905301234567",))
        assert dict(contact.fields) == {
            "digits": "905301234567",
            "padded": "gold",
            "balance": 12.5,
            "points": 12,
            "since": "2020-01-31",
            "seen": "2020-01-31T09:05:00",
            "opens": "09:05:00",
            "rests": "-26:00:01",
            "is_vip": 1,
            "flags": 513,
            "is_firm": 1,
            "more": '{"il": "İzmir"}',
            "note": "Müşteri",
            "photo": None,
            "owner": None,
            "mood": "😀 iyi",
            "level": "gümüş",
            "born": 1980,
            "key": "00000000-0000-0000-0000-000000000001",
            "largest": 18446744073709551615,
        }
        assert {type(value) for value in contact.fields.values()} == {str, int, float, type(None)}

    async def test_turkish_letters_and_emojis_are_found_as_they_are_bound(self, url: str) -> None:
        statement = "SELECT id AS extension FROM people WHERE name = :agent AND mood = :mood"
        async with opened(url, statement, "enrich") as adapter:
            found = await adapter.enrich(Contact(fields={"agent": "ğüşıöçİ ĞÜŞIÖÇ", "mood": "😀 iyi"}))
        assert found.value("extension") == 7

    async def test_columns_are_known_by_small_letters(self, url: str) -> None:
        statement = (
            "SELECT name AS NAME, 'gold' AS Tier, digits AS NUMBER, 'İzmir' AS `İL` FROM people WHERE digits = :digits"
        )
        async with opened(url, statement, "find") as adapter:
            (contact,) = await adapter.lookup(AYSE)
        assert contact == Contact("ğüşıöçİ ĞÜŞIÖÇ", {"tier": "gold", "il": "İzmir"}, ("905301234567",))

    async def test_no_more_rows_are_read_than_a_caller_can_have(self, url: str) -> None:
        async with opened(url, "SELECT seq FROM seq_1_to_100 WHERE :digits <> ''") as adapter:
            assert len(await adapter.lookup(AYSE)) == MOST_ROWS
        async with opened(url, "SELECT seq FROM seq_1_to_100000000 WHERE :digits <> ''") as adapter:
            with pytest.raises(AdapterError, match="more than 100 rows for one caller"):
                await adapter.lookup(AYSE)

    @pytest.mark.parametrize(
        ("statement", "message"),
        [
            ("SELECT name FROM nobody WHERE a = :digits", "the statement names a table that does not exist"),
            ("SELECT nothing FROM people WHERE digits = :digits", "the statement names a column that does not exist"),
            ("SELECT name people WHERE digits := :digits", "the database does not understand the statement"),
            ("SELECT no_function(:digits)", "the database does not understand the statement"),
            ("SELECT count_call(:digits)", "the statement would write, and this connection only reads"),
            ("SELECT forget(digits) FROM people WHERE digits = :digits", "the statement would write, and this"),
        ],
    )
    async def test_a_wrong_statement_is_the_operators_to_mend(
        self, url: str, mariadb: Mariadb, statement: str, message: str
    ) -> None:
        async with opened(url, statement, "find") as adapter:
            with pytest.raises(AdapterError, match=message) as caught:
                await adapter.lookup(AYSE)
        assert not isinstance(caught.value, Unavailable)
        assert mariadb.sql("SELECT (SELECT COUNT(*) FROM people), (SELECT COUNT(*) FROM calls)").split() == ["1", "0"]

    async def test_a_user_without_rights_is_the_operators_to_mend(self, url: str, mariadb: Mariadb) -> None:
        async with opened(mariadb.url("reader"), "SELECT name FROM people WHERE digits = :digits") as adapter:
            with pytest.raises(AdapterError, match="has no right to read") as caught:
                await adapter.lookup(AYSE)
        assert not isinstance(caught.value, Unavailable)

    @pytest.mark.parametrize(
        ("login", "message"),
        [
            (("locked_out", "crm"), "refuses our user or password"),
            (("nobody", "crm"), "refuses our user or password"),
            (("reader", "mysql"), "refuses our user or password"),
            (("root", "nowhere"), "has no database of this name"),
        ],
    )
    async def test_a_wrong_login_is_the_operators_to_mend(
        self, url: str, mariadb: Mariadb, login: tuple[str, str], message: str
    ) -> None:
        password = "wrong" if login[0] == "locked_out" else None
        async with opened(mariadb.url(*login), "SELECT :digits", password=password) as adapter:
            with pytest.raises(AdapterError, match=message) as caught:
                await adapter.lookup(AYSE)
        assert not isinstance(caught.value, Unavailable)

    async def test_the_right_password_logs_in(self, url: str, mariadb: Mariadb) -> None:
        mariadb.sql("GRANT SELECT ON calls TO locked_out@'127.0.0.1'")
        async with opened(mariadb.url("locked_out"), "SELECT :digits", password="right") as adapter:
            await adapter.ping()

    async def test_a_statement_that_takes_too_long_is_ended_by_the_server(
        self, url: str, mariadb: Mariadb, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("adapters.sql.databases.PATIENCE", 2)
        slept = "SELECT IF(:digits = '905301234567', SLEEP(30), 0) AS slept"
        async with opened(url, slept, pool_size=1) as adapter:
            with pytest.raises(Unavailable, match="the database took too long"):
                await adapter.lookup(AYSE)
            assert (
                mariadb.sql("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT IF%'") == "0"
            )
            (contact,) = await adapter.lookup(BORA)
        assert contact.value("slept") == 0

    async def test_a_connection_that_the_server_has_ended_is_replaced(
        self, url: str, mariadb: Mariadb, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("adapters.sql.connections.AT_ONCE", 10)
        async with opened(url, "SELECT CONNECTION_ID() AS id WHERE :digits <> ''") as adapter:
            (first,) = await adapter.lookup(AYSE)
            mariadb.sql(f"KILL {first.id}")
            (second,) = await adapter.lookup(AYSE)
        assert second.id != first.id

    async def test_a_changed_table_is_no_reason_to_give_up(self, url: str, mariadb: Mariadb) -> None:
        async with opened(url, "SELECT * FROM people WHERE digits = :digits") as adapter:
            await adapter.lookup(AYSE)
            mariadb.sql("ALTER TABLE people ADD COLUMN another TEXT DEFAULT 'x'")
            (contact,) = await adapter.lookup(AYSE)
        assert contact.value("another") == "x"


async def test_the_server_takes_one_statement_at_a_time_whatever_the_text_is(mariadb: Mariadb) -> None:
    mariadb.sql("CREATE OR REPLACE TABLE kept (a INT); INSERT INTO kept VALUES (1)")
    connections = Connections(make_engine(read_url(mariadb.url(), Path()), Path(), 1), 1)
    several = text("SELECT 1; SET SESSION TRANSACTION READ WRITE; DELETE FROM kept")
    with pytest.raises(ProgrammingError, match="1064"):
        await connections._done(partial(_answer, several, {}))
    await connections.close()
    assert mariadb.sql("SELECT COUNT(*) FROM kept") == "1"
    mariadb.sql("DROP TABLE kept")
