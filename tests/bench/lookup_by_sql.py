"""Prints how long a lookup takes in a large table, on PostgreSQL and MariaDB of its own.

    python tests/bench/lookup_by_sql.py [--rows 300000]

A lookup is one `SqlAdapter.lookup` on an open connection. The base line compares the column as it is, by a plain index,
and so finds one spelling only.
"""
# ruff: noqa: T201

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from adapters.sql import SqlAdapter
from proxy.adapter import AdapterError, PhoneNumber
from proxy.testing import phone
from tests.adapters.customers import BY_CALLER_IN, Customers, documented, statement_for
from tests.adapters.spelled import ONE, fields, numbers
from tests.adapters.sql_crm import opened
from tests.servers import DatabaseServer, Mariadb, Postgres

BASE_LINE = "SELECT id, phone AS number FROM customers WHERE phone = :national"
MOST_LOOKUPS = 1000
"""Of each sort"""
MOST_SECONDS = 12
"""For all sorts that are measured side by side"""

Times = dict[tuple[str, str], list[float]]


async def measured(url: str, statements: Mapping[str, str], callers: Mapping[str, Sequence[PhoneNumber]]) -> Times:
    """Return seconds of lookups by statement and caller, taken in turn."""
    times: Times = {(name, who): [] for name in statements for who in callers}
    async with AsyncExitStack() as stack:
        adapters = {
            name: await stack.enter_async_context(opened(url, statement, "find"))
            for name, statement in statements.items()
        }
        for name, who in times:  # the first ones connect, and fill the caches
            await asked(adapters[name], callers[who][-1])
        until = time.perf_counter() + MOST_SECONDS
        for n in range(MOST_LOOKUPS):
            for (name, who), seconds in times.items():
                seconds.append(await asked(adapters[name], callers[who][n % len(callers[who])]))
            if time.perf_counter() > until:
                break
    return times


async def asked(adapter: SqlAdapter, number: PhoneNumber) -> float:
    started = time.perf_counter()
    try:
        await adapter.lookup(number)
    except AdapterError as exc:
        print(f"  failed after {time.perf_counter() - started:.1f} s: {exc}")
    return time.perf_counter() - started


def show(kind: str, times: Times) -> None:
    for (name, who), seconds in times.items():
        p50 = statistics.median(seconds)
        p99 = statistics.quantiles(seconds, n=100, method="inclusive")[98]
        ratio = p50 / statistics.median(times["base line", who])
        figures = f"{p50 * 1000:9.2f} {p99 * 1000:9.2f} {ratio:8.1f} {len(seconds):6}"
        print(f"{kind:12} {name:18} {who:10} {figures}", flush=True)


def bench(kind: str, server: DatabaseServer, rows: int, folder: Path) -> None:
    customers = Customers(kind, folder, server)
    tens = numbers(2 * rows, seed=7)
    known = set(tens)
    held = list(fields(tens))[:rows]
    customers.fill((n, field.text) for n, field in enumerate(held))
    customers.run("CREATE INDEX customers_phone ON customers (phone);")
    callers = {
        "found": [phone(field.numbers[0]) for field in held if field.spelling == ONE[0]][:MOST_LOOKUPS],
        "not found": [phone(f"+90{ten}") for ten in numbers(MOST_LOOKUPS, seed=8) if ten not in known],
    }
    without = {"base line": BASE_LINE, "without index": BY_CALLER_IN}
    show(kind, asyncio.run(measured(server.url(), without, callers)))
    started = time.perf_counter()
    customers.run(documented(kind))
    took = time.perf_counter() - started
    customers.run("ANALYZE TABLE customers;" if kind == "mariadb" else "VACUUM ANALYZE customers;")
    with_index = {"base line": BASE_LINE, "documented index": statement_for(kind)}
    show(kind, asyncio.run(measured(server.url(), with_index, callers)))
    print(f"{kind:12} making the documented index took {took:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    rows = parser.parse_args().rows
    print(f"{rows} rows; ratio: p50 to that of the base line, found and not found each")
    print(f"{'':42} {'p50 ms':>9} {'p99 ms':>9} {'ratio':>8} {'n':>6}")
    kinds: dict[str, type[DatabaseServer]] = {"postgresql": Postgres, "mariadb": Mariadb}
    for kind, server in kinds.items():
        programs = server.installed()
        if programs is None:
            print(f"{kind}: not installed")
            continue
        with tempfile.TemporaryDirectory() as folder, server(programs) as running:
            bench(kind, running, rows, Path(folder))


if __name__ == "__main__":
    main()
