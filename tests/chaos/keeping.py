"""P14 to P16: what is known is kept while the CRM fails, until it is too old; late answers are not wasted."""

import asyncio
import json
import random
import time

from proxy.detached import detach
from proxy.testing import HttpCrm, Request, TcpLink, faults
from proxy.testing.behaviours import alternating, answers_late, failures
from tests.chaos.load import Switch, bad_ones, in_ms, number
from tests.chaos.world import DEFAULT, KNOWN, UNKNOWN, Seen, World, crm, knows_everybody, over_http, toml, until
from tests.e2e.people import body_of_the_crm


async def known_callers_stay_known(world: World) -> Seen:
    """P14."""
    seen, ttl, stale = Seen(), 1.0, 5.0
    known = [number(place) for place in range(world.scale.count(500, 100))]
    cache = f"ttl = {ttl}\nnegative_ttl = {ttl}\nstale = {stale}\nrecheck = 0.5"
    async with crm() as asked, TcpLink("127.0.0.1", asked.port) as link:
        limits = "timeout = 10\nattempts = 1\nbreaker_pause = 1"
        text = toml(over_http(link.port, limits), deadline=15, cache=cache)
        async with world.serve(text) as serving, Switch(serving.port) as switch:
            learnt = time.monotonic()
            await switch.flat_out(known, lines=8)
            all_by = time.monotonic()
            link.fault = faults.refuses
            held, rounds = [], 0
            while time.monotonic() < learnt + ttl + stale - 1.2:
                held += await switch.flat_out(known, lines=8)
                rounds += 1
            is_in_time = time.monotonic() < learnt + ttl + stale
            lost = sum(one.said != KNOWN for one in held)
            seen.figure(f"{len(held) - lost} of {len(held)} calls ({rounds} rounds) with name and target")
            seen.must(lost == 0 or not is_in_time, f"{lost} known callers were not known")
            seen.must(rounds > 0 and len(held) >= len(known), "there was no time to see it")
            await until(lambda: time.monotonic() > all_by + ttl + stale + 0.1)
            gone = await switch.flat_out(known, lines=8)
            kept = sum(one.said != DEFAULT for one in gone)
            seen.figure(f"then {kept} of {len(gone)}")
            seen.must(kept == 0, f"{kept} are known for longer than they may be")
    return seen


async def an_error_overwrites_nobody(world: World) -> Seen:
    """P15."""
    seen, chance = Seen(), random.Random(world.seed)  # noqa: S311 - not for secrets
    known = [number(place) for place in range(world.scale.count(200, 40))]
    strangers = [number(5000 + place) for place in range(20)]
    bad = failures(body_of_the_crm("05325550001"))
    del bad["hangs"], bad["answers a byte at a time"]  # those are slow, and nothing else

    def answer(request: Request) -> object:
        return {"items": []} if f"0{request.query['phone'][3:]}" in strangers else knows_everybody(request)

    async with HttpCrm(answer) as asked:
        limits = "timeout = 10\nattempts = 1\nbreaker_failures = 1000\nconcurrency = 500"
        cache = "ttl = 0.2\nnegative_ttl = 0.2\nstale = 600\nrecheck = 0"
        text = toml(over_http(asked.port, limits), deadline=15, cache=cache)
        async with world.serve(text) as serving, Switch(serving.port) as switch:
            heard = await switch.flat_out([*known, *strangers], lines=8)
            was_unknown = sum(one.said == UNKNOWN for one in heard)
            asked.behaviour = alternating(lambda: bad[chance.choice([*bad])])
            calls = []
            before = len(asked.requests)
            for _ in range(3):
                await asyncio.sleep(0.25)
                calls += await switch.flat_out(known, lines=8)
            errors = len(asked.requests) - before
            lost = sum(one.said != KNOWN for one in calls)
            others = await switch.flat_out(strangers, lines=8)
    seen.figure(f"{len(calls) - lost} of {len(calls)} known after {errors} errors of {len(bad)} kinds")
    seen.must(errors > len(calls) // 2, "the CRM was not asked while it failed")
    seen.must(lost == 0, f"{lost} calls of known callers without their contact")
    seen.must(was_unknown == len(strangers), "those whom the CRM does not know are not unknown")
    seen.must(bad_ones(others) == 0, "calls without a good answer")
    return seen


async def a_late_answer_warms_the_cache(world: World) -> Seen:
    """P16."""
    seen, count = Seen(), world.scale.count(100, 20)
    callers = [number(place) for place in range(count)]
    async with crm() as asked:
        text = toml(over_http(asked.port, "timeout = 5\nattempts = 1\nconcurrency = 500"), deadline=0.3)
        async with world.serve(text) as serving, Switch(serving.port) as switch:

            async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
                await answers_late(json.dumps(knows_everybody(request)).encode(), seconds=1.0)(request, writer)

            asked.behaviour = behave
            first = await detach(switch.at_once(callers))
            await asyncio.sleep(2.5)
            asked.behaviour = None
            before = len(asked.requests)
            then = await switch.flat_out(callers, lines=8)
            hits = sum(one.said == KNOWN for one in then)
            seen.figure(f"{count} answers came too late ({in_ms(first)}); {hits} of the next {count} calls are hits")
            seen.must(all(one.said == DEFAULT for one in first), "not all who could not wait got the default")
            seen.must(hits == count, f"{count - hits} late answers were lost")
            seen.must(len(asked.requests) == before, "the CRM was asked again")
    return seen
