"""A database that is down, frozen or changed costs nobody a call, and is found again when it is back."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from proxy.detached import detach
from tests.e2e.conftest import Serve
from tests.e2e.people import EXPECTED, FAULTS_RULE, PEOPLE, head, source
from tests.e2e.running import PATIENCE, SLACK, Answer, Serving, all_is_read, answered_for, answers_in, call
from tests.troubled import FAULTS, KINDS, SERVERS, SLOW, Database, ServersDatabase, SqliteFile, filled

DEADLINE, TIMEOUT = 0.6, 0.4
"""Seconds"""
BOUND = DEADLINE + SLACK

TTL = 0.01
TOML = head(deadline=DEADLINE, more=FAULTS_RULE) + f"[cache]\nttl = {TTL}\nnegative_ttl = {TTL}\nstale = 0\n"
KNOWN, GERMAN = PEOPLE[0].number, PEOPLE[3].number
RECOVERY = 30.0
"""Seconds until the contact must be found again; 10 are promised, which `make chaos` holds servers to"""

Troubled = tuple[Database, Serving]


async def is_answered_without_it(serving: Serving) -> float:
    """See that calls are answered, and return the seconds of the slowest."""
    return slowest_of(
        [await call(serving, number) for number in (KNOWN, GERMAN, KNOWN)], ["queue/200", "queue/203", "queue/200"]
    )


def slowest_of(heard: list[Answer], targets: list[str]) -> float:
    """See that calls went where they must in time, and return the seconds of the slowest."""
    assert [one.said for one in heard] == [{"target": target} for target in targets]
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


def toml(database: Database) -> str:
    return TOML + source("sql", database.options(), f"timeout = {TIMEOUT}")


@pytest.fixture(scope="module")
def serving_on(
    serve: Serve, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[type[Database]], Troubled]]:
    """Start a server for each kind of database, when it is first asked for."""
    with ExitStack() as servers:

        @cache
        def started(kind: type[Database]) -> Troubled:
            database = filled(kind, request, tmp_path_factory.mktemp("database"))
            return database, servers.enter_context(serve(toml(database)))

        yield started


@pytest.fixture
def troubled(kind: type[Database], serving_on: Callable[[type[Database]], Troubled]) -> Troubled:
    return serving_on(kind)


@pytest.mark.parametrize(("kind", "fault"), FAULTS)
async def test_calls_are_answered_in_time_and_the_contact_is_soon_found_again(
    troubled: Troubled, fault: str, figure: Callable[[str], None]
) -> None:
    database, serving = troubled
    await is_found_again(serving)
    async with database.fault(fault):
        slowest = await is_answered_without_it(serving)
        await serving.line("source_failed")
        error = serving.lines("source_failed")[-1]["error"]
    back = await is_found_again(serving)
    figure(
        f"{database.name} {fault}: slowest {slowest * 1000:.0f} ms (deadline 600 ms), {error!r};"
        f" contact again after {back:.2f} s"
    )


@pytest.mark.parametrize("kind", KINDS)
async def test_other_callers_keep_all_connections_busy(troubled: Troubled, figure: Callable[[str], None]) -> None:
    database, serving = troubled
    await is_found_again(serving)
    heard, are_over = list[Answer](), False

    async def keep_calling(number: str) -> None:
        while not are_over:
            heard.append(await call(serving, number))

    others = [detach(keep_calling(SLOW % n)) for n in range(20)]
    began = time.monotonic()
    while (await call(serving, KNOWN)).target != "queue/200":
        assert time.monotonic() - began < RECOVERY
    slowest = await is_answered_without_it(serving)
    are_over = True
    await asyncio.gather(*others)
    slowest = max(slowest, slowest_of(heard, ["queue/200"] * len(heard)))
    back = await is_found_again(serving)
    figure(
        f"{database.name} busy with 20 other callers: slowest {slowest * 1000:.0f} ms (deadline 600 ms);"
        f" contact again after {back:.2f} s"
    )


@pytest.mark.parametrize("kind", SERVERS)
async def test_connections_are_ended(troubled: Troubled, figure: Callable[[str], None]) -> None:
    database, serving = troubled
    assert isinstance(database, ServersDatabase)

    async def asked_on_a_dead_connection() -> Answer:
        await is_found_again(serving)
        await asyncio.to_thread(database.kill)  # MariaDB takes seconds for it at times
        return await call(serving, KNOWN)

    idle = await answered_for(asked_on_a_dead_connection, EXPECTED[KNOWN], TIMEOUT)
    assert idle.said == EXPECTED[KNOWN]
    others = [detach(call(serving, SLOW % n)) for n in range(3)]
    await asyncio.sleep(0.2)
    await asyncio.to_thread(database.kill)
    slowest = slowest_of(await asyncio.gather(*others), ["queue/200"] * 3)
    back = await is_found_again(serving)
    figure(
        f"{database.name} ends connections: idle ones {idle.seconds * 1000:.0f} ms, and found; busy ones"
        f" {slowest * 1000:.0f} ms (deadline 600 ms); contact again after {back:.2f} s"
    )


@pytest.mark.parametrize("kind", SERVERS)
async def test_the_database_was_down_when_the_server_was_started(
    serve: Serve, kind: type[Database], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    database = filled(kind, request, tmp_path)
    async with database.fault("down"):
        serving = serve(toml(database))
        try:
            await is_answered_without_it(serving)
        except BaseException:
            serving.stop()
            raise
    with serving:
        await is_found_again(serving)


@pytest.mark.parametrize("kind", KINDS)
async def test_stopping_waits_for_no_statement(
    serve: Serve, kind: type[Database], request: pytest.FixtureRequest, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    database = filled(kind, request, tmp_path)
    serving = serve(toml(database))
    try:
        others = [await asyncio.open_connection("127.0.0.1", serving.port) for _ in range(10)]
        for n, (_, writer) in enumerate(others):
            writer.write(f"GET /musteri.json?telefon={SLOW % n} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await all_is_read(serving.port, 0)
    finally:
        started = time.monotonic()
        code = await asyncio.to_thread(serving.stop)
    took = time.monotonic() - started
    for reader, writer in others:
        ((status, _, body),) = answers_in(await asyncio.wait_for(reader.read(), PATIENCE))
        writer.close()
        assert (status, json.loads(body)) == (200, {"target": "queue/200"})
    assert code == 0
    assert took < 4.5, "the deadline and a second are promised; the statements take five seconds or more"
    figure(f"{database.name} busy, and SIGTERM: all answered, exit code 0 after {took:.2f} s (deadline 600 ms)")


@pytest.fixture
def file(tmp_path: Path) -> SqliteFile:
    file = SqliteFile(tmp_path / "crm.sqlite")
    file.fill()
    return file


async def test_the_sqlite_file_is_emptied(serve: Serve, file: SqliteFile, figure: Callable[[str], None]) -> None:
    good = file.path.read_bytes()
    with serve(toml(file)) as serving:
        await is_found_again(serving)
        file.path.write_bytes(b"")
        slowest = await is_answered_without_it(serving)
        file.path.write_bytes(good)
        back = await is_found_again(serving)
    figure(f"SQLite file emptied: slowest {slowest * 1000:.0f} ms; contact again after {back:.2f} s")


async def test_the_sqlite_file_is_missing_when_the_server_is_started(
    serve: Serve, file: SqliteFile, figure: Callable[[str], None]
) -> None:
    file.path.unlink()
    with serve(toml(file)) as serving:
        slowest = await is_answered_without_it(serving)
        assert not file.path.exists(), "asking must not make an empty database"
        file.fill()
        back = await is_found_again(serving)
    figure(f"SQLite file missing: slowest {slowest * 1000:.0f} ms; contact again after {back:.2f} s")


async def test_the_sqlite_file_is_no_database(serve: Serve, file: SqliteFile) -> None:
    file.path.write_bytes(b"this is no database, whatever its name says" * 100)
    with serve(toml(file)) as serving:
        await is_answered_without_it(serving)
        file.path.unlink()
        file.fill()
        await is_found_again(serving)
