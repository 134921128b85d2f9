"""A database that is down, frozen or changed costs nobody a call, and is found again when it is back."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.people import (
    EXPECTED,
    FAULTS_RULE,
    PEOPLE,
    head,
    make_sqlite,
    postgres_options,
    postgres_statements,
    source,
    sqlite_options,
)
from tests.e2e.running import Serving, call
from tests.servers import Postgres

DEADLINE = 0.6
BOUND = DEADLINE + 1.0
"""Seconds. The promise is deadline + 0.2; the machine that runs this has other work too."""

TTL = 0.01
TOML = head(deadline=DEADLINE, more=FAULTS_RULE) + f"[cache]\nttl = {TTL}\nnegative_ttl = {TTL}\nstale = 0\n"
KNOWN, GERMAN = PEOPLE[0].number, PEOPLE[3].number
RECOVERY = 10.0
"""Seconds until the contact must be found again"""


async def is_answered_without_it(serving: Serving) -> float:
    """See that calls are answered, and return the seconds of the slowest."""
    heard = [await call(serving, number) for number in (KNOWN, GERMAN, KNOWN)]
    assert [one.said["target"] for one in heard] == ["queue/200", "queue/203", "queue/200"]
    assert {one.status for one in heard} == {200}
    slowest = max(one.seconds for one in heard)
    assert slowest < BOUND
    return slowest


async def is_found_again(serving: Serving) -> float:
    """Call until the contact is found, and return how many seconds that took; then wait until the cache has lost it."""
    started = time.monotonic()
    while (await call(serving, KNOWN)).said != EXPECTED[KNOWN]:
        assert time.monotonic() - started < RECOVERY
        await asyncio.sleep(0.05)
    took = time.monotonic() - started
    await asyncio.sleep(2 * TTL)
    return took


@pytest.fixture(scope="module")
def on_postgres(serve: Serve, postgres: Postgres) -> Iterator[Serving]:
    postgres.sql(postgres_statements())
    with serve(TOML + source("sql", postgres_options(postgres.url()), "timeout = 0.4")) as serving:
        yield serving


async def test_postgresql_is_down(on_postgres: Serving, postgres: Postgres, figure: Callable[[str], None]) -> None:
    await is_found_again(on_postgres)
    postgres.stop()
    try:
        slowest = await is_answered_without_it(on_postgres)
    finally:
        postgres.start()
    back = await is_found_again(on_postgres)
    figure(
        f"PostgreSQL down: slowest {slowest * 1000:.0f} ms (deadline 600 ms); contact again {back:.2f} s after start"
    )


async def test_postgresql_is_frozen(on_postgres: Serving, postgres: Postgres, figure: Callable[[str], None]) -> None:
    await is_found_again(on_postgres)
    postgres.freeze()
    try:
        slowest = await is_answered_without_it(on_postgres)
    finally:
        postgres.thaw()
    back = await is_found_again(on_postgres)
    figure(f"PostgreSQL frozen: slowest {slowest * 1000:.0f} ms (deadline 600 ms); contact again {back:.2f} s after")


async def test_the_table_is_dropped(on_postgres: Serving, postgres: Postgres, figure: Callable[[str], None]) -> None:
    await is_found_again(on_postgres)
    postgres.sql("DROP TABLE people")
    slowest = await is_answered_without_it(on_postgres)
    assert on_postgres.lines("source_failed")[-1]["error"] == "the statement names a table that does not exist"
    postgres.sql(postgres_statements())
    back = await is_found_again(on_postgres)
    figure(f"PostgreSQL table dropped: slowest {slowest * 1000:.0f} ms; contact again after {back:.2f} s")


async def test_postgresql_was_down_when_the_server_was_started(serve: Serve, postgres: Postgres) -> None:
    postgres.sql(postgres_statements())
    postgres.stop()
    try:
        serving = serve(TOML + source("sql", postgres_options(postgres.url()), "timeout = 0.4"))
    except BaseException:
        postgres.start()
        raise
    with serving:
        try:
            await is_answered_without_it(serving)
        finally:
            postgres.start()
        await is_found_again(serving)


class CrmFile:
    """An SQLite file that things happen to."""

    def __init__(self, path: Path) -> None:
        make_sqlite(path)
        self.path = path
        self._good = path.read_bytes()

    def take_away(self) -> None:
        self.path.unlink()

    def overwrite(self, content: bytes) -> None:
        self.path.write_bytes(content)

    def restore(self) -> None:
        self.path.write_bytes(self._good)

    def is_there(self) -> bool:
        return self.path.exists()


@pytest.fixture
def file(tmp_path: Path) -> CrmFile:
    return CrmFile(tmp_path / "crm.sqlite")


@contextmanager
def locked(file: CrmFile) -> Iterator[None]:
    with closing(sqlite3.connect(file.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


async def test_the_sqlite_file_is_locked(serve: Serve, file: CrmFile, figure: Callable[[str], None]) -> None:
    with serve(TOML + source("sql", sqlite_options(file.path), "timeout = 0.4")) as serving:
        await is_found_again(serving)
        with locked(file):
            slowest = await is_answered_without_it(serving)
        back = await is_found_again(serving)
        figure(f"SQLite locked: slowest {slowest * 1000:.0f} ms (deadline 600 ms); contact again after {back:.2f} s")


async def test_the_sqlite_file_is_emptied(serve: Serve, file: CrmFile, figure: Callable[[str], None]) -> None:
    with serve(TOML + source("sql", sqlite_options(file.path), "timeout = 0.4")) as serving:
        await is_found_again(serving)
        file.overwrite(b"")
        slowest = await is_answered_without_it(serving)
        file.restore()
        back = await is_found_again(serving)
    figure(f"SQLite file emptied: slowest {slowest * 1000:.0f} ms; contact again after {back:.2f} s")


async def test_the_sqlite_file_is_missing_when_the_server_is_started(
    serve: Serve, file: CrmFile, figure: Callable[[str], None]
) -> None:
    file.take_away()
    with serve(TOML + source("sql", sqlite_options(file.path), "timeout = 0.4")) as serving:
        slowest = await is_answered_without_it(serving)
        assert not file.is_there(), "asking must not make an empty database"
        file.restore()
        back = await is_found_again(serving)
    figure(f"SQLite file missing: slowest {slowest * 1000:.0f} ms; contact again after {back:.2f} s")


async def test_the_sqlite_file_is_no_database(serve: Serve, file: CrmFile) -> None:
    file.overwrite(b"this is no database, whatever its name says" * 100)
    with serve(TOML + source("sql", sqlite_options(file.path), "timeout = 0.4")) as serving:
        await is_answered_without_it(serving)
        file.take_away()
        file.restore()
        await is_found_again(serving)
