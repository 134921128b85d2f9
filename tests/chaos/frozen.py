"""P3, P11: servers that are frozen or killed cost nobody a call, and are soon found again."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from proxy.testing import TcpLink, faults
from proxy.testing.tcp_link import Fault
from tests.chaos.crm_process import crm_in_a_process
from tests.chaos.faults_mixed import DATABASES
from tests.chaos.load import Heard, Switch, bad_ones, in_ms, slowest
from tests.chaos.world import Seen, World, crm, over_http, toml
from tests.e2e.people import PEOPLE, source
from tests.servers import DatabaseServer, Postgres

DEADLINE, BEYOND = 0.8, 0.2
RECOVERY = 10.0
"""Seconds that are promised until somebody is found again"""

CACHE = "ttl = 0.01\nnegative_ttl = 0.01\nstale = 0"
LIMITS = "timeout = 0.4"
SHORT_LIMITS = f"{LIMITS}\nbreaker_pause = 1"
"""Where there is little time: else all the limits are those that a source has by default"""
FOUND = "queue/201"
"""Where somebody who is known goes; nobody is ever sent there blindly"""


@dataclass(frozen=True)
class Breakable:
    """A server that can be made to fail."""

    name: str
    sources: str
    caller: str
    fail: Callable[[], Awaitable[None]]
    come_back: Callable[[], Awaitable[None]]


def limits_of(world: World) -> str:
    return LIMITS if world.scale.slack == 0 else SHORT_LIMITS


async def calls_in_an_outage(world: World, server: Breakable, outage: float, seen: Seen) -> None:
    """Call all the time while a server fails and comes back, and note how long answers took, and when it was found."""
    rate, calls = 50, list[Heard]()
    text = toml(server.sources, deadline=DEADLINE, cache=CACHE)
    async with world.serve(text) as serving, Switch(serving.port) as switch:

        async def call() -> Heard:
            calls.append(await switch.call(server.caller))
            return calls[-1]

        async def until_found(patience: float) -> float:
            began = time.monotonic()
            while (await call()).target != FOUND:
                if time.monotonic() - began > patience:
                    raise AssertionError(f"{server.name}: nobody is found within {patience:g} s")
                await asyncio.sleep(0.05)
            return time.monotonic() - began

        await until_found(20)
        await server.fail()
        try:
            begun = len(calls)
            calls += await switch.at_rate(rate, [server.caller] * round(outage * rate))
            outage_calls = calls[begun:]
            failed = [heard for heard in outage_calls if heard.target != FOUND]
        finally:
            await server.come_back()
        back = await until_found(RECOVERY + world.scale.slack + 10)
    bound = DEADLINE + BEYOND + world.scale.slack
    seen.figure(f"{server.name}: {in_ms(failed)}; found again after {back:.1f} s")
    seen.must(bad_ones(calls) == 0, f"{server.name}: {bad_ones(calls)} calls without a good answer")
    seen.must(len(failed) > len(outage_calls) // 2, f"{server.name}: it did not fail")
    seen.must(slowest(calls) <= bound, f"{server.name}: a call took {slowest(calls):.2f} s")
    seen.must(back <= RECOVERY + world.scale.slack, f"{server.name}: found again only after {back:.1f} s")


def _in_a_thread(act: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def awaited() -> None:
        await asyncio.to_thread(act)

    return awaited


async def frozen_servers_keep_nobody_waiting(world: World) -> Seen:
    """P3."""
    seen, outage = Seen(), world.scale.seconds(8, 1.5)
    for kind, (server_kind, database_kind) in DATABASES.items():
        world.tell(f"{kind} is frozen for {outage:g} s")
        server = await asyncio.to_thread(world.database, server_kind)
        database = database_kind(server)
        await asyncio.to_thread(database.fill)
        sources = source("sql", database.options(), limits_of(world))
        await calls_in_an_outage(
            world,
            Breakable(kind, sources, PEOPLE[0].number, _in_a_thread(server.freeze), _in_a_thread(server.thaw)),
            outage,
            seen,
        )
    world.tell(f"a CRM over HTTP is frozen for {outage:g} s")
    with crm_in_a_process() as (process, port):
        await calls_in_an_outage(
            world,
            Breakable(
                "HTTP",
                over_http(port, limits_of(world)),
                PEOPLE[0].number,
                _in_a_thread(lambda: process.send_signal(signal.SIGSTOP)),
                _in_a_thread(lambda: process.send_signal(signal.SIGCONT)),
            ),
            outage,
            seen,
        )
    return seen


async def a_server_that_is_back_is_soon_found(world: World) -> Seen:
    """P11."""
    seen, outage = Seen(), world.scale.seconds(8, 1.5)
    for kind, (server_kind, database_kind) in DATABASES.items():
        world.tell(f"{kind} is killed, and started after {outage:g} s")
        server = await asyncio.to_thread(world.database, server_kind)
        database = database_kind(server)
        await asyncio.to_thread(database.fill)
        sources = source("sql", database.options(), limits_of(world))

        def kill(server: DatabaseServer = server) -> None:
            kill_at_once(server)

        breakable = Breakable(kind, sources, PEOPLE[0].number, _in_a_thread(kill), _in_a_thread(server.start))
        await calls_in_an_outage(world, breakable, outage, seen)
    for name, fault in (("HTTP that refuses", faults.refuses), ("HTTP that hangs", faults.hangs)):
        world.tell(f"{name}, for {outage:g} s")
        async with crm() as http, TcpLink("127.0.0.1", http.port) as link:

            async def fail(link: TcpLink = link, fault: Fault = fault) -> None:
                link.fault = fault

            async def come_back(link: TcpLink = link) -> None:
                link.fault = None

            breakable = Breakable(name, over_http(link.port, limits_of(world)), PEOPLE[0].number, fail, come_back)
            await calls_in_an_outage(world, breakable, outage, seen)
    return seen


def kill_at_once(server: DatabaseServer) -> None:
    """Kill a server by SIGKILL, as when memory runs out, and return when it can be started again."""
    processes = server._processes()
    os.kill(processes[0], signal.SIGKILL)
    until_gone = time.monotonic() + 10
    while any(map(_runs, processes)) and time.monotonic() < until_gone:
        time.sleep(0.01)
    if isinstance(server, Postgres):
        (server._data / "postmaster.pid").unlink()
    else:
        server.stop()  # only waits


def _runs(process: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    return False
