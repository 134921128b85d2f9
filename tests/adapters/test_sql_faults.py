import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.sql import SqlAdapter
from proxy.adapter import AdapterError, PhoneNumber, Unavailable
from proxy.detached import detach
from proxy.testing import phone
from tests.adapters.sql_crm import opened
from tests.e2e.people import PASSWORD, PEOPLE
from tests.troubled import FAULTS, KINDS, SERVERS, SLOW, Database, ServersDatabase, SqliteFile, filled

KNOWN = phone(PEOPLE[0].number)
SLOW_ONES = [phone(SLOW % n) for n in range(2)]
SIZE = len(SLOW_ONES)
"""Connections"""

PATIENCE = 1
"""Seconds; MariaDB takes no fractions of them"""

BOUND = PATIENCE + 1 + 1.5
"""Seconds in which anything must have ended. The last ones are for a machine with other work"""

TOLD = {
    "down": (Unavailable, "the database cannot be reached"),
    "frozen": (Unavailable, "the database took too long"),
    "refused": (AdapterError, "the database refuses our user or password"),
    "dropped": (AdapterError, "names a table (or column )?that does not exist"),
    "locked": (Unavailable, "the database (is locked|took too long)"),
}


@pytest.fixture(autouse=True)
def _less_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.sql.databases.PATIENCE", PATIENCE)
    monkeypatch.setattr("adapters.sql.connections.PATIENCE", PATIENCE)


@pytest.fixture
def database(kind: type[Database], request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    return filled(kind, request, tmp_path)


@asynccontextmanager
async def asking(database: Database) -> AsyncIterator[SqlAdapter]:
    """Give an adapter, which must work at the end, with all its connections free and no task left."""
    before = asyncio.all_tasks()
    password = None if isinstance(database, SqliteFile) else PASSWORD
    async with opened(database.url, database.statement, pool_size=SIZE, password=password) as adapter:
        yield adapter
        await asyncio.gather(*(is_found(adapter) for _ in range(SIZE)))
        assert adapter._connections is not None
        assert adapter._connections._free._value == SIZE
        assert asyncio.all_tasks() == before


async def is_found(adapter: SqlAdapter) -> None:
    assert [contact.name for contact in await adapter.lookup(KNOWN)] == [PEOPLE[0].name]


async def fails(adapter: SqlAdapter, number: PhoneNumber = KNOWN, within: float = BOUND) -> tuple[AdapterError, float]:
    """See that a lookup ends in an error, and return it and how many seconds that took."""
    started = time.monotonic()
    with pytest.raises(AdapterError) as caught:
        await asyncio.wait_for(adapter.lookup(number), within)
    return caught.value, time.monotonic() - started


@pytest.mark.parametrize(("kind", "fault"), FAULTS)
@pytest.mark.parametrize("connected", [SIZE, 0])
async def test_a_fault_is_told_as_what_it_is_and_is_soon_forgotten(
    database: Database, fault: str, connected: int
) -> None:
    error, message = TOLD[fault]
    async with asking(database) as adapter:
        await asyncio.gather(*(is_found(adapter) for _ in range(connected)))
        async with database.fault(fault):
            failures = await asyncio.gather(*(fails(adapter) for _ in range(SIZE)))
        for failure, seconds in failures:
            assert type(failure) is error
            assert re.search(message, str(failure))
            assert seconds < BOUND


@pytest.mark.parametrize("kind", KINDS)
async def test_whoever_finds_all_connections_busy_is_told_so(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.sql.connections.PATIENCE", PATIENCE / 2)
    async with asking(database) as adapter:
        await is_found(adapter)
        busy = [detach(fails(adapter, number)) for number in SLOW_ONES]
        await asyncio.sleep(0.1)
        failure, seconds = await fails(adapter)
        assert type(failure) is Unavailable
        assert str(failure) == "all connections to the database are busy"
        assert PATIENCE / 2 <= seconds < BOUND
        for other, took in await asyncio.gather(*busy):
            assert type(other) is Unavailable
            assert str(other) == "the database took too long"
            assert PATIENCE <= took < BOUND


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("connected", [SIZE, 0])
async def test_what_hangs_is_broken_off_and_its_place_is_given_back(database: Database, connected: int) -> None:
    async with asking(database) as adapter:
        await asyncio.gather(*(is_found(adapter) for _ in range(connected)))
        async with database.fault("frozen"):
            for _ in range(2):
                failures = await asyncio.gather(*(fails(adapter) for _ in range(SIZE + 3)))
                told = sorted(str(failure) for failure, _ in failures)
                assert told == ["all connections to the database are busy"] * 3 + ["the database took too long"] * SIZE
                assert max(seconds for _, seconds in failures) < BOUND


@pytest.mark.parametrize("kind", SERVERS)
async def test_a_connection_that_is_ended_while_it_is_waited_for_may_be_asked_for_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(database, ServersDatabase)
    for module in ("databases", "connections"):  # MariaDB takes seconds to end a connection at times
        monkeypatch.setattr(f"adapters.sql.{module}.PATIENCE", 20)
    async with asking(database) as adapter, database.fault("locked"):
        waiting = [detach(fails(adapter, within=25)) for _ in range(SIZE)]
        await asyncio.wait_for(database.wait(SIZE), 15)
        database.kill()
        for failure, seconds in await asyncio.gather(*waiting):
            assert type(failure) is Unavailable
            assert str(failure) == "the connection to the database was lost"
            assert seconds < 20


@pytest.mark.parametrize("kind", SERVERS)
async def test_connections_that_were_ended_while_nobody_asked_cost_nothing(database: Database) -> None:
    assert isinstance(database, ServersDatabase)
    async with asking(database) as adapter:
        await asyncio.gather(*(is_found(adapter) for _ in range(SIZE)))
        database.kill()
        await asyncio.gather(*(is_found(adapter) for _ in range(SIZE)))


async def test_sqlite_ends_a_slow_statement_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.sql.databases.PATIENCE", 0.3)
    database = SqliteFile(tmp_path / "crm.sqlite")
    database.fill()
    async with opened(database.url, database.statement, pool_size=1) as adapter:
        failure, seconds = await fails(adapter, SLOW_ONES[0])
        started = time.monotonic()
        await is_found(adapter)
        assert time.monotonic() - started < 0.3
    assert type(failure) is Unavailable
    assert str(failure) == "the database took too long"
    assert 0.3 <= seconds < 1
