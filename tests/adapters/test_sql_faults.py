import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

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
"""Seconds, where a test waits until they are over; MariaDB takes no fractions of them"""

LONG = 20
"""Seconds, where nothing is to take as long"""

BUSY = 10
"""Further seconds, for a machine with other work"""

BOUND = PATIENCE + 1 + BUSY
"""Seconds in which anything must have ended"""

TOLD = {
    "down": (Unavailable, "the database cannot be reached"),
    "frozen": (Unavailable, "the database took too long"),
    "refused": (AdapterError, "the database refuses our user or password"),
    "dropped": (AdapterError, "names a table (or column )?that does not exist"),
    "locked": (Unavailable, "the database (is locked|took too long)"),
}


@pytest.fixture
def database(kind: type[Database], request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    return filled(kind, request, tmp_path)


@asynccontextmanager
async def asking(database: Database, patience: float) -> AsyncIterator[SqlAdapter]:
    """Give an adapter, which must work at the end, with all its connections free and no task left."""
    before = asyncio.all_tasks()
    password = None if isinstance(database, SqliteFile) else PASSWORD
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr("adapters.sql.databases.PATIENCE", patience)
        patching.setattr("adapters.sql.connections.PATIENCE", patience)
        patching.setattr("adapters.sql.connections.AT_ONCE", patience / 2)
        async with opened(database.url, database.statement, pool_size=SIZE, password=password) as adapter:
            yield adapter
            await are_found(adapter, SIZE)
            assert adapter._connections is not None
            assert adapter._connections._free._value == SIZE
            assert asyncio.all_tasks() == before


async def are_found(adapter: SqlAdapter, number: int) -> None:
    """See that so many lookups at once find somebody, however long it takes this machine to log in."""
    with log_ins_may_take_long(adapter):
        await asyncio.gather(*(is_found(adapter) for _ in range(number)))


@contextmanager
def log_ins_may_take_long(adapter: SqlAdapter) -> Iterator[None]:
    assert adapter._connections is not None
    engine = adapter._connections._engine

    def connects(*arguments: Any) -> None:
        named: dict[str, Any] = arguments[-1]
        named.update(dict.fromkeys(named.keys() & {"timeout", "connect_timeout"}, LONG))

    event.listen(engine, "do_connect", connects)
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr("adapters.sql.connections.PATIENCE", LONG)
        yield
    event.remove(engine, "do_connect", connects)


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
    patience = PATIENCE if fault in {"frozen", "locked"} else LONG
    async with asking(database, patience) as adapter:
        await are_found(adapter, connected)
        async with database.fault(fault):
            failures = await asyncio.gather(*(fails(adapter, within=patience + 1 + BUSY) for _ in range(SIZE)))
        for failure, seconds in failures:
            assert type(failure) is error
            assert re.search(message, str(failure))
            assert seconds < BOUND


@pytest.mark.parametrize("kind", KINDS)
async def test_whoever_finds_all_connections_busy_is_told_so(database: Database) -> None:
    async with asking(database, PATIENCE) as adapter:
        await are_found(adapter, 1)
        assert adapter._connections is not None
        busy = [detach(fails(adapter, number)) for number in SLOW_ONES]
        while not adapter._connections._free.locked():  # noqa: ASYNC110 - a semaphore tells nobody when it is
            await asyncio.sleep(0)
        with pytest.MonkeyPatch.context() as patching:
            patching.setattr("adapters.sql.connections.PATIENCE", PATIENCE / 2)
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
    async with asking(database, PATIENCE) as adapter:
        await are_found(adapter, connected)
        async with database.fault("frozen"):
            for _ in range(2):
                failures = await asyncio.gather(*(fails(adapter) for _ in range(SIZE + 3)))
                told = sorted(str(failure) for failure, _ in failures)
                assert told == ["all connections to the database are busy"] * 3 + ["the database took too long"] * SIZE
                assert max(seconds for _, seconds in failures) < BOUND


@pytest.mark.parametrize("kind", SERVERS)
async def test_a_connection_that_is_ended_while_it_is_waited_for_may_be_asked_for_again(database: Database) -> None:
    assert isinstance(database, ServersDatabase)
    async with asking(database, LONG) as adapter, database.fault("locked"):  # MariaDB takes seconds to end it at times
        waiting = [detach(fails(adapter, within=LONG + 5)) for _ in range(SIZE)]
        await asyncio.wait_for(database.wait(SIZE), 15)
        database.kill()
        for failure, seconds in await asyncio.gather(*waiting):
            assert type(failure) is Unavailable
            assert str(failure) == "the connection to the database was lost"
            assert seconds < LONG


@pytest.mark.parametrize("kind", SERVERS)
async def test_connections_that_were_ended_while_nobody_asked_cost_nothing(database: Database) -> None:
    assert isinstance(database, ServersDatabase)
    async with asking(database, LONG) as adapter:
        await are_found(adapter, SIZE)
        database.kill()
        await are_found(adapter, SIZE)


async def test_sqlite_ends_a_slow_statement_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.sql.databases.PATIENCE", 0.3)
    database = SqliteFile(tmp_path / "crm.sqlite")
    database.fill()
    async with opened(database.url, database.statement.replace("30000000", "3000000000"), pool_size=1) as adapter:
        failure, seconds = await fails(adapter, SLOW_ONES[0])
        started = time.monotonic()
        await is_found(adapter)
        assert time.monotonic() - started < BUSY, "the statement would take minutes"
    assert type(failure) is Unavailable
    assert str(failure) == "the database took too long"
    assert 0.3 <= seconds < BUSY
