"""What is measured: calls that are answered out of the cache, and calls that need the CRM."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench.load import CALLERS, Questions, ask, at_once, name, number
from tests.bench.machine import Server
from tests.bench.measure import Bench, interleaved, nobody_yet, rated
from tests.bench.start import (
    CRM,
    SQL,
    Tanima,
    all_of,
    bare,
    crm,
    nginx,
    seen_by,
    through,
    varnish,
    with_fastapi,
)
from tests.servers import Postgres

FROM_CACHE = "rule/cache"
FROM_CRM = "rule/crm"
SLOW = 0.02
"""Seconds that the CRM takes"""
ROWS = 400_000
CUSTOMERS = (
    "CREATE TABLE customers (id INTEGER PRIMARY KEY, name VARCHAR(50), phone VARCHAR(20), tier VARCHAR(9), "
    "owner VARCHAR(9), balance REAL)"
)
INDEX = "CREATE INDEX customers_phone ON customers (phone)"


def url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


def both(folder: Path, source: str, known: int = 0) -> tuple[Server, Server]:
    """Return tanima on the default loop, and on uvloop."""
    return Tanima(folder, source, known=known), Tanima(folder, source, uvloop=True, known=known)


def known_to(*servers: Server, callers: int = CALLERS, is_dialogue: bool = False, closes: bool = False) -> None:
    """Have all callers in the caches, and look at each answer."""
    for server in servers:
        heard = ask(server.port, Questions(turn=callers, is_dialogue=is_dialogue, closes=closes), calls=callers)
        if heard.wrong or heard.calls < callers:
            raise SystemExit(f"{server.name}: {heard}")


def hits(bench: Bench) -> dict[str, Any]:
    """Ask for callers who are known, over kept connections, each over its own, and in the form of dialogues."""
    with bench.folder() as folder, crm() as slow:
        tanimas = both(folder, CRM.format(url=url(slow)), CALLERS)
        peers = [
            with_fastapi(url(slow), uvloop=False, warm=CALLERS),
            with_fastapi(url(slow), uvloop=True, warm=CALLERS),
        ]
        caches = [nginx(folder, slow.port, caches=True), varnish(folder, slow.port)]
        limit = nginx(folder, slow.port, caches=False)
        with all_of(bare(), *tanimas, *peers, *caches, limit) as servers:
            known_to(*servers)
            known_to(*tanimas, closes=True)  # to the others it is the same question
            before = seen_by(slow)["asked"]
            ours = [server for server in servers if server.name.startswith(("aiohttp", "tanima"))]
            found: dict[str, Any] = {
                "kept": interleaved(bench, servers, Questions, told=FROM_CACHE),
                "closed": interleaved(bench, servers, partial(Questions, closes=True), told=FROM_CACHE),
            }
            known_to(*tanimas, is_dialogue=True)
            found["dialogue"] = interleaved(bench, ours, partial(Questions, is_dialogue=True), told=FROM_CACHE)
            if asked := seen_by(slow)["asked"] - before:
                raise SystemExit(f"these were no hits: the CRM was asked {asked} times")
            return found


def latency(bench: Bench) -> dict[str, Any]:
    """Ask for callers who are known, 1000 a second."""
    with bench.folder() as folder, crm() as slow:
        tanimas = both(folder, CRM.format(url=url(slow)), CALLERS)
        with all_of(bare(), *tanimas) as servers:
            known_to(*servers)
            return {"hits": interleaved(bench, servers, Questions, told=FROM_CACHE, asking=rated(1000, bench.seconds))}


def misses(bench: Bench) -> dict[str, Any]:
    """Ask for callers of whom nobody has heard, of a CRM that takes 20 ms."""

    def strangers() -> Questions:
        return Questions(first=nobody_yet(), turn=0)

    with bench.folder() as folder, crm(SLOW) as slow:
        tanimas = both(folder, CRM.format(url=url(slow)))
        peers = with_fastapi(url(slow), uvloop=False), with_fastapi(url(slow), uvloop=True)
        with all_of(through("crm", url(slow), "aiohttp, passing on"), *tanimas, *peers) as servers:
            fast = interleaved(bench, servers, strangers, told=FROM_CRM)
            ours = [slow, *(server for server in servers if not server.name.startswith("FastAPI"))]
            return {
                "rest": fast,
                "at_500": interleaved(bench, ours, strangers, told=FROM_CRM, asking=rated(500, bench.seconds)),
            }


def sql(bench: Bench) -> dict[str, Any]:
    """Ask for callers of whom nobody has heard, of a PostgreSQL and of a SQLite file."""
    found = {}
    for kind, database in (("postgresql", postgresql), ("sqlite", sqlite)):
        with bench.folder() as folder, database(folder) as places:
            if places is None:
                continue
            ours, theirs = places
            base = through(kind, theirs, "asyncpg" if kind == "postgresql" else "aiosqlite")
            asked = (Questions(first=first, turn=0) for first in range(0, ROWS, ROWS // (bench.rounds + 4)))
            with all_of(base, *both(folder, SQL.format(url=ours))) as servers:
                found[kind] = interleaved(bench, servers, partial(next, asked), told=FROM_CRM)
    return found


@contextmanager
def postgresql(_folder: Path) -> Iterator[tuple[str, str] | None]:
    programs = Postgres.installed()
    if programs is None:
        yield None
        return
    with Postgres(programs) as server:
        server.sql(
            f"{CUSTOMERS}; INSERT INTO customers SELECT n, 'Müşteri ' || lpad(n::text, 7, '0'), "
            f"'0530' || lpad(n::text, 7, '0'), 'gold', 'nobody', 12.5 FROM generate_series(0, {ROWS - 1}) n; {INDEX}"
        )
        server.sql("VACUUM ANALYZE customers")
        yield server.url(), server.url().replace("+asyncpg", "").replace("?ssl=", "?sslmode=")


@contextmanager
def sqlite(folder: Path) -> Iterator[tuple[str, str] | None]:
    file = folder / "crm.sqlite"
    with closing(sqlite3.connect(file)) as database:
        database.execute(CUSTOMERS)
        rows = ((n, name(n), number(n), "gold", "nobody", 12.5) for n in range(ROWS))
        database.executemany("INSERT INTO customers VALUES (?, ?, ?, ?, ?, ?)", rows)
        database.execute(INDEX)
        database.commit()
    yield f"sqlite+aiosqlite:///{file}", str(file)


def herd(bench: Bench) -> dict[str, Any]:
    """Have one caller, of whom nobody has heard, call a thousand times at once; each server alone."""
    found: dict[str, Any] = {}
    with bench.folder() as folder, crm(SLOW) as slow:
        tanima, fastapi = Tanima(folder, CRM.format(url=url(slow))), with_fastapi(url(slow), uvloop=True)
        for server, times in ((tanima, bench.rounds), (fastapi, 1)):
            row: dict[str, list[float]] = {"crm_calls": [], "wrong": [], "seconds": []}
            with server:
                for _ in range(times):
                    before = seen_by(slow)["asked"]
                    heard = at_once(server.port, [next(iter(Questions(first=nobody_yet())))] * 1000)
                    row["crm_calls"].append(seen_by(slow)["asked"] - before)
                    row["wrong"].append(heard.wrong)
                    row["seconds"].append(heard.longest)
            found[server.name] = row
    return {"thousand": found}


def mixed(bench: Bench) -> dict[str, Any]:
    """Have one in twenty be somebody of whom nobody has heard."""

    def questions() -> Questions:
        return Questions(fresh=20, fresh_from=nobody_yet())

    with bench.folder() as folder, crm(SLOW) as slow:
        known = with_fastapi(url(slow), uvloop=True, warm=CALLERS)
        with all_of(known, *both(folder, CRM.format(url=url(slow)), CALLERS)) as servers:
            known_to(*servers)
            return {"mixed": interleaved(bench, servers, questions, told=f"{FROM_CRM} {FROM_CACHE}")}


def rules(bench: Bench) -> dict[str, Any]:
    """Have the last of 10 rules match, and the last of 1000."""
    with bench.folder() as folder, crm() as slow:
        source = CRM.format(url=url(slow))
        start = partial(Tanima, folder, source, known=1000)
        few, many = start(name="10 rules"), start(name="1000 rules", rules=1000)
        with all_of(few, many) as servers:
            known_to(*servers, callers=1000)
            return {
                name: interleaved(bench, servers, partial(Questions, turn=1000, is_dialogue=asks), told=FROM_CACHE)
                for name, asks in (("hits", False), ("dialogue", True))
            }


def features(bench: Bench) -> dict[str, Any]:
    """Leave out what can be left out, one at a time, and all of it."""
    with bench.folder() as folder, crm() as slow:
        start = partial(Tanima, folder, CRM.format(url=url(slow)), known=1000)
        servers = (
            start(name="everything on"),
            start(name="no access check", access=""),
            start(name="no admin listener", has_admin=False),
            start(name="log to nowhere", logs=False),
            start(name="one rule", rules=1),
            start(name="all of these off", access="", has_admin=False, logs=False, rules=1),
        )
        with all_of(*servers) as running:
            known_to(*running, callers=1000)
            asked = partial(Questions, turn=1000)
            return {"hits": interleaved(bench, running, asked, told=FROM_CACHE)}
