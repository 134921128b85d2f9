"""P5, P6: more calls than there is room for, and the end of the server."""

import asyncio
import time

from proxy.detached import detach
from proxy.testing.behaviours import hangs
from tests.chaos.load import Switch, bad_ones, in_ms, number, slowest
from tests.chaos.sparing import Gate, is_well
from tests.chaos.world import DEFAULT, KNOWN, Seen, World, crm, over_http, reasons, toml, until
from tests.e2e.people import source
from tests.e2e.running import all_is_read

AT_ONCE = 0.3
"""Seconds; the deadline is far behind"""

CALLER = "05325550001"

IN_A_THREAD = """
import asyncio, time
from proxy.adapter import Adapter

class Hung(Adapter):
    def __init__(self, config):
        pass

    async def lookup(self, key):
        await asyncio.to_thread(time.sleep, 60)
"""


def mixed(many: int, known: list[str]) -> list[str]:
    """Return callers, of whom every second one is known."""
    strangers = (number(2000 + place) for place in range(many))
    return [caller for place, stranger in enumerate(strangers) for caller in (stranger, known[place % len(known)])]


async def too_many_calls_do_not_queue(world: World) -> Seen:
    """P5."""
    seen, room = Seen(), 20
    many = world.scale.count(300, 50)
    known = [number(place) for place in range(50)]
    limits = f"timeout = 5\nattempts = 1\nconcurrency = {room}\nbreaker_failures = 1000"
    cache = "ttl = 0.2\nstale = 600"
    async with (
        crm() as asked,
        world.serve(toml(over_http(asked.port, limits), deadline=6, cache=cache)) as serving,
        Switch(serving.port) as switch,
    ):
        await switch.flat_out(known, lines=8)
        await asyncio.sleep(0.3)  # until they are stale
        asked.behaviour = hangs
        before = len(asked.requests)
        first = detach(switch.at_once(number(1000 + place) for place in range(room)))
        await until(lambda: len(asked.requests) == before + room)
        heard = await switch.at_rate(150, mixed(many, known))
        strangers, stale = heard[::2], heard[1::2]
        seen.must(not first.done(), "those who have a flight did not wait for it")
        waited = await first
        calls = [*strangers, *stale, *waited]
        seen.figure(f"{many} more than {room}: default, {in_ms(strangers)}; {len(stale)} known: stale, {in_ms(stale)}")
        seen.must(bad_ones(calls) == 0, "calls without a good answer")
        seen.must(all(one.said == DEFAULT for one in strangers), "not all of them got the default")
        seen.must(all(one.said == KNOWN for one in stale), "not all known ones got their contact")
        seen.must(len(asked.requests) == before + room, f"the CRM was asked {len(asked.requests) - before} times")
        seen.must(reasons(serving)["overload"] == many, "not each of them has the reason overload in the log")
        late = slowest([*strangers, *stale])
        seen.must(late <= AT_ONCE + world.scale.slack, f"one of them waited {late:.2f} s")
    return seen


async def the_end_costs_nobody_a_call(world: World) -> Seen:
    """P6."""
    seen, deadline, many = Seen(), 2.5, 50
    ways = (("threads that hang", None), ("a CRM that hangs", hangs), ("a CRM that takes its time", is_well))
    for name, way in ways:
        async with crm() as asked:
            gate = Gate(way or hangs)
            asked.behaviour = gate.behave
            with world.adapter_of_ones_own(IN_A_THREAD) as folder:
                sources = over_http(asked.port, "timeout = 5") if way else source("own:Hung", "", "timeout = 5")
                serving = world.start(toml(sources, deadline=deadline), folder=folder)
            async with Switch(serving.port) as switch:
                calls = detach(switch.at_once([CALLER] * many))
                await until(lambda: switch.under_way == many)
                await all_is_read(serving.port, many)
                began = time.monotonic()
                ending = detach(asyncio.to_thread(serving.stop))
                await asyncio.sleep(0.25)
                seen.must(not calls.done(), f"{name}: the calls are not under way")
                gate.open.set()
                code = await ending
                took = time.monotonic() - began
                heard = await calls
        bound = deadline + 1 + world.scale.slack
        seen.figure(f"{name}: {len(heard) - bad_ones(heard)} of {len(heard)} answered, ended after {took:.2f} s")
        seen.must(bad_ones(heard) == 0, f"{name}: {bad_ones(heard)} calls without an answer")
        expected = KNOWN if way is is_well else DEFAULT
        seen.must(all(one.said == expected for one in heard), f"{name}: not all got the answer that they must")
        seen.must(code == 0, f"{name}: exit code {code}")
        seen.must(took <= bound, f"{name}: it ended after {took:.2f} s")
    return seen
