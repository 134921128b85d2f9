"""P1, P2: whatever the CRMs do, and however they are reached, each call is answered well and in time."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from proxy.detached import detach
from proxy.testing import HttpCrm, Request, TcpLink, faults
from proxy.testing.behaviours import HOSTILE_VALUES, alternating, failures
from proxy.testing.http_crm import Behaviour
from proxy.testing.tcp_link import Fault
from tests.chaos.caller import called_from_afar
from tests.chaos.load import Heard, Switch, bad_ones, best_of_three, in_ms, number, p99
from tests.chaos.world import KNOWN, NAME, Process, Seen, World, crm, over_http, reasons, toml
from tests.e2e.people import PASSWORD, body_of_the_crm
from tests.e2e.running import Serving
from tests.servers import DatabaseServer, Mariadb, Postgres
from tests.troubled import MariadbDatabase, PostgresDatabase, ServersDatabase

DEADLINE = 1.5
BEYOND = 0.2
"""Seconds beyond the deadline that are promised"""

MOST_MEMORY = 400
"""MB; a leak of 26 MB bodies would be more"""

RATE, HITS_RATE = 300, 500
HITS_P99 = 0.05

HTTP = "HTTP"
DATABASES: dict[str, tuple[type[DatabaseServer], type[ServersDatabase]]] = {
    "PostgreSQL": (Postgres, PostgresDatabase),
    "MariaDB": (Mariadb, MariadbDatabase),
}
KINDS = (HTTP, *DATABASES)

LINK_FAULTS: tuple[Fault, ...] = (
    faults.refuses,
    faults.hangs,
    faults.resets,
    faults.resets_after(40),
    faults.cuts_after(15),
    faults.drips(0.02),
    faults.garbles(),
    faults.delays(0.2),
)

LIMITS = """timeout = 0.4
attempts = 2
wait_initial = 0.02
breaker_failures = 1000
retry_budget = 0.2
concurrency = 200"""
"""A breaker that stays closed, so that the faults are met by as many calls as can be"""


def knows_or_misleads(chance: random.Random) -> Callable[[Request], object]:
    """Return an answer: somebody, nobody, or a record with hostile values."""

    def answer(request: Request) -> object:
        phone = request.query.get("phone", "")
        kind = chance.random()
        if kind < 0.5:
            return {"items": [{"title": NAME, "tier": "gold", "phones": [phone]}]}
        if kind < 0.7:
            return {"items": []}
        hostile = chance.choice(HOSTILE_VALUES)
        return {"items": [{"title": chance.choice((NAME, hostile)), "extension": hostile, "phones": [phone]}]}

    return answer


class MixedCrm(HttpCrm):
    """Behaves well now and then, and else fails in any way that there is."""

    def __init__(self, chance: random.Random, good: float = 0.3) -> None:
        super().__init__(knows_or_misleads(chance))
        self.met: Counter[str] = Counter()
        """How often each behaviour was met"""
        bad = failures(body_of_the_crm("05325550001"))

        def choose() -> Behaviour:
            name = "is well" if chance.random() < good else chance.choice([*bad])
            self.met[name] += 1
            return bad.get(name, self._behave)

        self.behaviour = alternating(choose)


@dataclass
class Troubled:
    """A server whose three sources all have trouble."""

    serving: Serving
    mixed: MixedCrm
    links: dict[str, TcpLink]
    """By the kind of source"""

    async def change_faults(self, chance: random.Random, pause: float = 0.4) -> None:
        """Give each link another fault, or none, all the time."""
        while True:
            for kind, link in self.links.items():
                passes = 0.7 if kind == HTTP else 0.2  # the CRM over HTTP fails by itself
                link.fault = None if chance.random() < passes else chance.choice(LINK_FAULTS)
            await asyncio.sleep(pause)


def of_a_database(database: ServersDatabase, port: int, limits: str) -> str:
    """Return the TOML of a source that reaches a database at another port."""
    url = database.url.replace(f":{database.server.port}/", f":{port}/")
    options = f'url = "{url}"\npassword = "{PASSWORD}"\npool_size = 20\nstatement = """{database.statement}"""'
    return f'\n[[sources]]\nname = "{database.name}"\nadapter = "sql"\n{limits}\n[sources.options]\n{options}\n'


@asynccontextmanager
async def troubled(
    world: World, kinds: Sequence[str] = KINDS, limits: str = LIMITS, cache: str = "size = 1000"
) -> AsyncIterator[Troubled]:
    """Serve with sources of some kinds, each behind a link."""
    async with AsyncExitStack() as stack:
        mixed = await stack.enter_async_context(MixedCrm(world.chance))
        links, sources = dict[str, TcpLink](), ""
        for kind in kinds:
            if kind == HTTP:
                link = await stack.enter_async_context(TcpLink("127.0.0.1", mixed.port))
                sources += over_http(link.port, limits, kind)
            else:
                server_kind, database_kind = DATABASES[kind]
                database = database_kind(await asyncio.to_thread(world.database, server_kind))
                await asyncio.to_thread(database.fill)
                link = await stack.enter_async_context(TcpLink("127.0.0.1", database.server.port))
                sources += of_a_database(database, link.port, limits)
            links[kind] = link
        serving = await stack.enter_async_context(world.serve(toml(sources, deadline=DEADLINE, cache=cache)))
        yield Troubled(serving, mixed, links)


async def mixed_calls(world: World, calls: int, rate: float) -> tuple[list[Heard], Seen]:
    """Make calls while everything fails in every way, and return what was heard.

    Each kind of source is met by itself with a breaker that never opens, and then all of them with the limits that a
    source has by default.
    """
    heard, seen, met, counted, lag = list[Heard](), Seen(), Counter[str](), Counter[str](), 0.0
    rounds = [((kind,), LIMITS) for kind in KINDS] + [(KINDS, "")]
    for kinds, limits in rounds:
        world.tell(f"{calls // len(rounds)} calls under faults of {', '.join(kinds)}")
        async with troubled(world, kinds, limits) as there:
            changing = detach(there.change_faults(world.chance))
            more, late = await called_from_afar(there.serving.port, rate, len(heard), calls // len(rounds))
            heard += more
            changing.cancel()
            memory = Process(there.serving.process.pid).memory
            met += there.mixed.met
            counted += reasons(there.serving)
            lag = max(lag, late)
            seen.must(not there.serving.lines("bug"), f"{', '.join(kinds)}: there is a bug in the log")
            seen.must(memory < MOST_MEMORY, f"{', '.join(kinds)}: it takes {memory:.0f} MB")
    seen.figure(f"{len(met)} ways of the CRM met {met.total()} times")
    seen.figure(", ".join(f"{reason} {count}" for reason, count in counted.most_common()))
    seen.figure(f"sent up to {lag * 1000:.0f} ms late")
    seen.must({"rule", "unknown_caller", "crm_failed"} <= {*counted}, "the faults were not mixed with answers")
    return heard, seen


async def every_call_is_answered(world: World) -> Seen:
    """P1."""
    calls = world.scale.count(10_000, 400)
    heard, seen = await mixed_calls(world, calls, _rate(world, RATE))
    world.heard["mixed"] = heard
    bad = bad_ones(heard)
    seen.figures.insert(0, f"{len(heard) - bad} of {len(heard)} with 200 and a valid target")
    seen.must(bad == 0 and len(heard) == calls, f"{bad} calls without a good answer")
    return seen


async def every_call_is_answered_in_time(world: World) -> Seen:
    """P2."""
    rate = _rate(world, RATE)
    heard = world.heard.get("mixed", [])
    if not heard:
        heard, _ = await mixed_calls(world, world.scale.count(3000, 400), rate)
    seen = Seen([f"under faults at {rate}/s: {in_ms(heard)}"])
    late = sum(one.seconds > DEADLINE + BEYOND + world.scale.slack for one in heard)
    seen.must(bad_ones(heard) == 0, "calls without a good answer")
    seen.must(late == 0, f"{late} calls later than {DEADLINE + BEYOND + world.scale.slack:.1f} s")
    await _hits(world, seen)
    return seen


async def _hits(world: World, seen: Seen) -> None:
    known = [number(place) for place in range(world.scale.count(1000, 50))]
    rate = _rate(world, HITS_RATE)
    async with (
        crm() as asked,
        world.serve(toml(over_http(asked.port), cache="ttl = 3600")) as serving,
        Switch(serving.port) as switch,
    ):
        await switch.flat_out(known)
        before = len(asked.requests)
        calls = [known[place % len(known)] for place in range(round(rate * world.scale.seconds(10, 2)))]
        heard = await best_of_three(switch, rate, calls, HITS_P99)
        seen.figure(f"hits at {rate}/s: {in_ms(heard)}, sent up to {switch.lag * 1000:.0f} ms late")
        seen.must(all(one.said == KNOWN for one in heard), "a hit without the contact")
        seen.must(len(asked.requests) == before, "the CRM was asked for hits")
        seen.must(p99(heard) <= HITS_P99 + world.scale.slack, f"hits: p99 is {p99(heard) * 1000:.0f} ms")


def _rate(world: World, promised: int) -> int:
    """Return the calls a second; fewer where others have the machine too."""
    return promised if world.scale.slack == 0 else 100
