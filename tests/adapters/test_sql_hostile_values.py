from pathlib import Path

import pytest

from proxy.adapter import AdapterError, Contact, Unavailable
from tests.adapters.sql_crm import opened
from tests.e2e.people import PASSWORD
from tests.servers import Mariadb
from tests.troubled import KINDS, Database, MariadbDatabase, PostgresDatabase, SqliteFile, filled

AGENT = "SELECT extension AS found FROM people WHERE tier = :tier"
VALUES = [
    "7' OR '1'='1",
    "platinum' OR '1'='1",
    "platinum'; DROP TABLE people; --",
    "\\' OR 1=1 -- ",
    "platinum\\",
    '" OR ""="',
    "%",
    "platinum\x00",
    "\x00",
    "7" * 10_000,
    "platinum" + "r" * 10_000,
    "%s %(tier)s :tier {tier} $1 ?",
    "\ud800",
    "\x1a\b\r\n\t",
]


@pytest.fixture
def database(kind: type[Database], request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    return filled(kind, request, tmp_path)


async def found_by(database: Database, *tiers: str | int, statement: str = AGENT) -> list[object]:
    """Return what is found for each value, all of them bound on one connection."""
    password = None if isinstance(database, SqliteFile) else PASSWORD
    async with opened(database.url, statement, "enrich", pool_size=1, password=password) as adapter:
        contacts = [Contact("Örnek", {"tier": tier}) for tier in tiers]
        return [(await adapter.enrich(contact)).value("found") for contact in contacts]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value[:20]))
async def test_a_hostile_value_finds_nobody(database: Database, value: str) -> None:
    if isinstance(database, PostgresDatabase) and "\x00" in value:
        with pytest.raises(AdapterError, match="a value has a character that the database cannot have") as caught:
            await found_by(database, value)
        assert not isinstance(caught.value, Unavailable)
    else:
        assert await found_by(database, value) == [None]
    assert await found_by(database, "platinum") == ["1005"]


@pytest.mark.parametrize("kind", [SqliteFile, MariadbDatabase])
async def test_a_hostile_value_leaves_the_connection_as_it_was(database: Database) -> None:
    assert await found_by(database, *VALUES, "platinum") == [None] * len(VALUES) + ["1005"]


@pytest.mark.parametrize("kind", [MariadbDatabase])
async def test_mariadb_may_take_a_backslash_for_what_it_is(database: Database, mariadb: Mariadb) -> None:
    before = mariadb.sql("SELECT @@GLOBAL.sql_mode")
    mariadb.sql("SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'")
    try:
        assert await found_by(database, *VALUES, "platinum") == [None] * len(VALUES) + ["1005"]
    finally:
        mariadb.sql(f"SET GLOBAL sql_mode = '{before}'")
