"""P7 to P10, P13: a CRM is asked once for a number, seldom again, hardly while it fails, and never while it rests."""

import asyncio
import json
import time
from collections import Counter

from proxy.detached import detach
from proxy.testing import HttpCrm, Request
from proxy.testing.behaviours import answers, hangs
from proxy.testing.http_crm import Behaviour
from tests.chaos.load import Heard, Switch, bad_ones, best_of_three, in_ms, number, p99, slowest
from tests.chaos.world import DEFAULT, KNOWN, Seen, World, crm, knows_everybody, over_http, toml, until
from tests.e2e.running import all_is_read

AT_ONCE = 0.3
OPEN_P99 = 0.02
"""Seconds in which 99 of 100 callers are answered while the breaker is open"""


class Gate:
    """Has a CRM wait with its answers until it is opened."""

    def __init__(self, then: Behaviour) -> None:
        self.open = asyncio.Event()
        self._then = then

    async def behave(self, request: Request, writer: asyncio.StreamWriter) -> None:
        await self.open.wait()
        await self._then(request, writer)


async def is_well(request: Request, writer: asyncio.StreamWriter) -> None:
    """Answer that it knows the caller."""
    await answers(200, json.dumps(knows_everybody(request)).encode())(request, writer)


async def one_lookup_for_all_who_ask_the_same(world: World) -> Seen:
    """P7."""
    seen, many = Seen(), world.scale.count(1000, 300)
    limits = "timeout = 25\nattempts = 1\nconcurrency = 500"
    ways = (("it is well", is_well, KNOWN), ("it fails", answers(500), DEFAULT), ("the first hangs up", is_well, KNOWN))
    async with crm() as asked:
        text = toml(over_http(asked.port, limits), deadline=30, cache="negative_ttl = 60")
        async with world.serve(text) as serving, Switch(serving.port) as switch:
            for place, (name, then, expected) in enumerate(ways):
                gate = Gate(then)
                asked.behaviour = gate.behave
                asked.requests.clear()
                if name == "the first hangs up":
                    async with Switch(serving.port) as impatient:
                        first = detach(impatient.call(number(place)))
                        await until(lambda: len(asked.requests) == 1)
                    await first
                calls = detach(switch.at_once([number(place)] * many))
                await until(lambda: switch.under_way == many)
                await all_is_read(serving.port, many)
                gate.open.set()
                heard = await calls
                count = len(asked.requests)
                seen.figure(f"{many} calls, {name}: {count} lookup")
                seen.must(count == 1, f"{name}: {count} lookups")
                seen.must(all(one.said == expected for one in heard), f"{name}: not all got the answer that they must")
    return seen


async def few_second_attempts(world: World) -> Seen:
    """P8."""
    seen, calls = Seen(), world.scale.count(900, 150)
    limits = (
        "timeout = 1\nattempts = 2\nwait_initial = 0.02\nwait_jitter = 0.02\nbreaker_failures = 1000\nconcurrency = 500"
    )
    async with crm() as asked:
        asked.behaviour = answers(500)
        text = toml(over_http(asked.port, limits), deadline=5)
        async with world.serve(text) as serving, Switch(serving.port) as switch:
            await switch.call(number(8_000_000))  # what is loaded at the first lookup is loaded
            asked.requests.clear()
            heard = await switch.at_rate(100, map(number, range(calls)))
            by_number = Counter(request.query["phone"] for request in asked.requests)
            extra = len(asked.requests) - len(by_number)
            asked.requests.clear()
            asked.behaviour = hangs
            began = time.monotonic()
            hung = await switch.call(number(9_000_000))
            await asyncio.sleep(1.5)
            late = len(asked.requests)
            seen.must(late <= 2, f"a CRM that hangs is asked {late} times")
            seen.must(hung.is_good and time.monotonic() - began < 9, "a call to a CRM that hangs is not answered")
    allowed = calls * 0.2 + 10 + (calls / 100 + 2) * 0.2 + 1
    most = max(by_number.values(), default=0)
    seen.figure(
        f"{calls} lookups in an outage: {extra} second attempts ({extra / calls:.0%}; 10 of them at its beginning), "
        f"at most {most} for a number"
    )
    seen.must(bad_ones(heard) == 0, "calls without a good answer")
    seen.must(len(by_number) > calls // 2, f"only {len(by_number)} numbers were asked for")
    seen.must(most <= 2, f"a number was asked for {most} times")
    seen.must(extra <= allowed, f"{extra} second attempts, of {allowed:.0f} that are allowed")
    seen.must(extra > 0, "there were no second attempts")
    return seen


async def a_crm_that_fails_is_left_alone(world: World) -> Seen:
    """P9."""
    seen, rate = Seen(), 300 if world.scale.slack == 0 else 100
    async with crm() as asked:
        asked.behaviour = answers(500)
        text = toml(over_http(asked.port, "timeout = 0.5\nattempts = 2\nbreaker_pause = 60"))
        async with world.serve(text) as serving, Switch(serving.port) as switch:
            await switch.flat_out(map(number, range(40)), lines=1)  # one after another, so that none is in flight
            failing = len(asked.requests)
            calls = [number(10_000 + place) for place in range(round(rate * world.scale.seconds(5, 1)))]
            heard = await best_of_three(switch, rate, calls, OPEN_P99)
            seen.figure(f"{failing} failing attempts, then none; open at {rate}/s: {in_ms(heard)}")
            seen.must(10 <= failing <= 20, f"it was asked {failing} times")
            seen.must(len(asked.requests) == failing, "it was asked while the breaker was open")
            seen.must(all(one.said == DEFAULT for one in heard), "calls without the default")
            bound = OPEN_P99 + world.scale.slack
            seen.must(p99(heard) <= bound, f"open: p99 is {p99(heard) * 1000:.0f} ms")
            seen.must(len(serving.lines("source_open")) == 1, "the log does not say once that it is left alone")
    return seen


async def one_probe_when_half_open(world: World) -> Seen:
    """P10."""
    seen, many = Seen(), world.scale.count(1000, 300)
    limits = "timeout = 6\nattempts = 1\nbreaker_failures = 3\nbreaker_pause = 0.5\nconcurrency = 2000"
    async with (
        crm() as asked,
        world.serve(toml(over_http(asked.port, limits), deadline=7)) as serving,
    ):
        async with Switch(serving.port) as switch:
            await _fails(asked, switch)
            gate = Gate(answers(500))
            asked.behaviour = gate.behave
            await asyncio.sleep(0.6)
            calls = detach(switch.at_once(number(100 + place) for place in range(many)))
            await asyncio.sleep(0.5 + many / 500)
            count = len(asked.requests)
            gate.open.set()
            heard = await calls
            seen.figure(f"{many} callers when half open: {count} lookup")
            seen.must(count == 1, f"{count} lookups when half open")
            seen.must(all(one.said == DEFAULT for one in heard), "calls without the default")
        await asyncio.sleep(0.6)
        asked.requests.clear()
        gate = Gate(is_well)
        asked.behaviour = gate.behave
        async with Switch(serving.port) as impatient:
            probe = detach(impatient.call(number(8000)))
            await until(lambda: len(asked.requests) == 1)
        await probe  # it has hung up
        gate.open.set()
        async with Switch(serving.port) as switch:
            took = await _until_known(switch, 8001)
        seen.figure(f"its caller hangs up: the next is known after {took:.1f} s")
        seen.must(took < 2 + world.scale.slack, f"after a probe whose caller hung up nobody is known for {took:.1f} s")
    return seen


async def _fails(asked: HttpCrm, switch: Switch) -> None:
    asked.behaviour = answers(500)
    for place in range(5):
        await switch.call(number(place))
    asked.requests.clear()


async def _until_known(switch: Switch, place: int) -> float:
    began = time.monotonic()
    while (await switch.call(number(place))).said != KNOWN:
        if time.monotonic() - began > 20:
            break
        await asyncio.sleep(0.05)
    return time.monotonic() - began


async def a_crm_that_asks_for_rest_gets_it(world: World) -> Seen:
    """P13."""
    seen, rest = Seen(), 5
    known = [number(place) for place in range(20)]
    throttled, asked_at = list[float](), list[float]()

    async def throttles(request: Request, writer: asyncio.StreamWriter) -> None:
        throttled.append(time.monotonic())
        await answers(429, b"", {"Retry-After": str(rest)})(request, writer)

    def is_asked(request: Request) -> object:
        asked_at.append(time.monotonic())
        return knows_everybody(request)

    async with crm(is_asked) as asked:
        text = toml(over_http(asked.port, "timeout = 10\nattempts = 2"), deadline=15, cache="ttl = 0.2\nstale = 3600")
        async with world.serve(text) as serving, Switch(serving.port) as switch:
            await switch.flat_out(known, lines=4)
            await asyncio.sleep(0.3)  # until they are stale
            asked.behaviour = throttles
            stale, strangers = list[Heard](), [await switch.call(number(1000))]
            asked.behaviour = None
            rests_until = throttled[0] + rest  # or a moment longer: until then it has to learn of it
            while time.monotonic() < rests_until - 0.7:
                known_ones = await switch.at_rate(50, known)
                others = await switch.at_rate(50, [number(2000 + len(strangers) + place) for place in range(10)])
                if time.monotonic() < rests_until:  # whoever calls later may be looked up again
                    stale += known_ones
                    strangers += others
            seen.must(len(throttled) == 1, "what was throttled is tried again")
            seen.must(bool(stale), "there was no time to see it")
            await until(lambda: time.monotonic() > rests_until)
            await _until_known(switch, 1001)
            took = time.monotonic() - throttled[0]
            seen.must(asked_at[len(known)] >= rests_until, "it was asked while it rested")
    calls = [*stale, *strangers]
    seen.figure(f"{len(calls)} calls in {rest} s of rest: no lookup, {in_ms(calls)}; known again after {took:.1f} s")
    seen.must(all(one.said == KNOWN for one in stale), "not all known ones got their contact")
    seen.must(all(one.said == DEFAULT for one in strangers), "not all others got the default")
    seen.must(slowest(calls) < AT_ONCE + world.scale.slack, f"a call waited {slowest(calls):.2f} s")
    seen.must(took < rest + 3 + world.scale.slack, f"it was asked again only after {took:.1f} s")
    return seen
