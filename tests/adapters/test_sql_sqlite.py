from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from adapters.sql import SqlAdapter
from adapters.sql.connections import Answer
from adapters.sql.databases import MOST_ROWS
from proxy.adapter import AdapterError, Contact, Unavailable
from tests.adapters.sql_crm import AYSE, config, fill, opened


@pytest.fixture
def crm(tmp_path: Path) -> str:
    fill(
        tmp_path / "crm.db",
        "CREATE TABLE people (digits TEXT, name TEXT, owner TEXT, level INTEGER, mobile TEXT)",
        "INSERT INTO people VALUES ('905301234567', 'Ayşe Yılmaz', 'ali', 3, NULL)",
        "CREATE TABLE agents (login TEXT, extension INTEGER, name TEXT)",
        "INSERT INTO agents VALUES ('ali', 1003, 'Ali'), ('7', 1004, 'Veli')",
        "CREATE TABLE many (n INTEGER)",
        "INSERT INTO many WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 100) SELECT n FROM r",
    )
    return f"sqlite+aiosqlite:///{tmp_path / 'crm.db'}"


class TestSqlite:
    async def test_a_path_is_relative_to_the_folder_of_the_toml(self, crm: str, tmp_path: Path) -> None:
        statement = "SELECT name FROM people WHERE digits = :digits"
        async with opened("sqlite+aiosqlite:///crm.db", statement, folder=tmp_path) as adapter:
            assert await adapter.lookup(AYSE) == [Contact("Ayşe Yılmaz")]

    async def test_odd_characters_in_a_path_are_only_characters(self, tmp_path: Path) -> None:
        folder = tmp_path / "müşteri 100% #1"
        folder.mkdir()
        fill(folder / "crm.db", "CREATE TABLE t (name TEXT)", "INSERT INTO t VALUES ('Ayşe')")
        statement = "SELECT name FROM t WHERE :digits <> ''"
        async with opened("sqlite+aiosqlite:///crm.db", statement, folder=folder) as adapter:
            assert await adapter.lookup(AYSE) == [Contact("Ayşe")]

    async def test_a_missing_file_is_a_failure_and_is_not_made(self, tmp_path: Path) -> None:
        async with opened("sqlite+aiosqlite:///none.db", "SELECT :digits AS name", folder=tmp_path) as adapter:
            with pytest.raises(Unavailable, match="the database file is missing or cannot be opened"):
                await adapter.lookup(AYSE)
            fill(tmp_path / "none.db", "CREATE TABLE t (a)")
            assert [contact.name for contact in await adapter.lookup(AYSE)] == ["905301234567"]

    async def test_a_file_that_is_replaced_is_read_anew(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("adapters.sql.databases.OLDEST_FILE", 0)
        statement = "SELECT name FROM t WHERE :digits <> ''"
        fill(tmp_path / "crm.db", "CREATE TABLE t (name TEXT)", "INSERT INTO t VALUES ('old')")
        async with opened("sqlite+aiosqlite:///crm.db", statement, folder=tmp_path) as adapter:
            assert await adapter.lookup(AYSE) == [Contact("old")]
            fill(tmp_path / "new.db", "CREATE TABLE t (name TEXT)", "INSERT INTO t VALUES ('new')")
            (tmp_path / "new.db").replace(tmp_path / "crm.db")
            assert await adapter.lookup(AYSE) == [Contact("new")]

    async def test_nothing_can_be_written(self, crm: str) -> None:
        # SQLite itself allows no writing CTE, so this asks for the connection's own word.
        async with opened(crm, "SELECT 1 WHERE :digits <> ''") as adapter:
            assert adapter._connections is not None
            with pytest.raises(Exception, match="attempt to write a readonly database"):
                await adapter._connections._done(_deletes_everybody)

    async def test_a_missing_table_is_the_operators_to_mend(self, crm: str) -> None:
        async with opened(crm, "SELECT 1 FROM nobody WHERE a = :digits") as adapter:
            with pytest.raises(AdapterError, match="names a table or column that does not exist") as caught:
                await adapter.lookup(AYSE)
            assert not isinstance(caught.value, Unavailable)

    async def test_no_more_rows_are_read_than_a_caller_can_have(self, crm: str) -> None:
        async with opened(crm, "SELECT n FROM many WHERE :digits <> ''") as adapter:
            assert len(await adapter.lookup(AYSE)) == MOST_ROWS
        everything = "SELECT n FROM many WHERE :digits <> '' UNION ALL SELECT 0"
        async with opened(crm, everything) as adapter:
            with pytest.raises(AdapterError, match="more than 100 rows for one caller"):
                await adapter.lookup(AYSE)

    async def test_of_very_many_with_the_callers_number_the_first_are_enough(self, crm: str) -> None:
        colleagues = "SELECT '0530 123 45 67' AS number FROM many, (SELECT 1 UNION SELECT 2) WHERE :digits <> ''"
        async with opened(crm, colleagues) as adapter:
            assert len(await adapter.lookup(AYSE)) == MOST_ROWS
        strangers = colleagues.replace("0530", "0531")
        async with opened(crm, strangers) as adapter:
            with pytest.raises(AdapterError, match="more than 100 rows for one caller"):
                await adapter.lookup(AYSE)

    async def test_it_can_be_pinged(self, crm: str, tmp_path: Path) -> None:
        async with opened(crm, "SELECT :digits") as adapter:
            await adapter.ping()
        async with opened("sqlite+aiosqlite:///none.db", "SELECT :digits", folder=tmp_path) as adapter:
            with pytest.raises(Unavailable):
                await adapter.ping()

    async def test_asking_before_opening_is_a_bug(self, crm: str) -> None:
        with pytest.raises(RuntimeError):
            await SqlAdapter(config(crm, "SELECT :digits")).lookup(AYSE)


class TestEnriching:
    STATEMENT = "SELECT extension, name FROM agents WHERE login = :owner"

    async def test_columns_become_fields(self, crm: str) -> None:
        contact = Contact("Ayşe", {"owner": "ali", "tier": "gold"})
        async with opened(crm, self.STATEMENT, "enrich") as adapter:
            enriched = await adapter.enrich(contact)
        assert enriched == Contact("Ayşe", {"owner": "ali", "tier": "gold", "extension": 1003})

    async def test_a_number_is_compared_like_a_text(self, crm: str) -> None:
        async with opened(crm, self.STATEMENT, "enrich") as adapter:
            assert (await adapter.enrich(Contact(fields={"owner": 7}))).value("extension") == 1004

    @pytest.mark.parametrize("owner", ["nobody", "' OR '1'='1", "7' OR '1'='1", "ali'; DROP TABLE agents; --", "%"])
    async def test_a_hostile_field_finds_nothing(self, crm: str, owner: str) -> None:
        contact = Contact("Ayşe", {"owner": owner})
        async with opened(crm, self.STATEMENT, "enrich") as adapter:
            assert await adapter.enrich(contact) is contact
            assert (await adapter.enrich(Contact(fields={"owner": "ali"}))).value("extension") == 1003

    @pytest.mark.parametrize("fields", [{}, {"owner": None}, {"owner": ""}, {"owner": False}])
    async def test_a_contact_without_the_field_is_left_as_it_is_without_asking(self, fields: dict[str, Any]) -> None:
        contact = Contact("Ayşe", fields)
        async with opened("sqlite+aiosqlite:///nowhere/none.db", self.STATEMENT, "enrich") as adapter:
            assert await adapter.enrich(contact) is contact


def _deletes_everybody(connection: Connection) -> Answer:
    connection.exec_driver_sql("DELETE FROM people")
    return Answer((), ())
