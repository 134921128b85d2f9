"""P12, P20: what the server keeps in memory has bounds, whatever it is asked, and garbage reaches no CRM."""

import asyncio
import time
from collections import Counter
from itertools import islice

from proxy.testing.behaviours import hangs
from tests.chaos.load import Switch, bad_ones, garbage, number, pour, question
from tests.chaos.restart import a_restart_keeps_contacts, with_snapshot
from tests.chaos.world import Process, Seen, World, crm, over_http, reasons, toml, until
from tests.e2e.people import source

GROWTH = 10.0
"""MB that are promised for garbage"""

DEFAULT_SIZE = 50_000
"""Entries of the cache"""


async def garbage_reaches_no_crm(world: World) -> Seen:
    """P12."""
    seen, wanted = Seen(), world.scale.count(1_000_000, 4000)
    seconds = world.scale.seconds(120, 5)
    async with crm() as asked, world.serve(toml(over_http(asked.port))) as serving:
        texts = map(question, garbage(world.seed))
        process = Process(serving.process.pid)
        warm, _ = await pour(serving.port, islice(texts, wanted // 20))
        before, began = process.memory, time.monotonic()
        world.tell(f"{wanted} garbage numbers, for {seconds:g} s at the most")
        sent, good = await pour(serving.port, islice(texts, wanted - warm), seconds)
        took, growth = time.monotonic() - began, process.memory - before
        sent, good = sent + warm, good + warm
        await until(lambda: reasons(serving).total() >= sent)  # lines are written after the answers
        counted = reasons(serving)
        seen.figure(f"{good} answers to {sent} garbage numbers, {sent / took:.0f}/s; {len(asked.requests)} lookups")
        seen.figure(f"memory {before:.0f} MB, then {growth:+.1f} MB")
        if sent < wanted:
            seen.figure(f"not all {wanted} fitted into {seconds:.0f} s")
        seen.must(good == sent, f"{sent - good} without a good answer")
        seen.must(not asked.requests, f"the CRM was asked {len(asked.requests)} times")
        seen.must(growth < GROWTH, f"memory grew by {growth:.1f} MB")
        seen.must(counted["bad_number"] == counted.total() >= sent, f"not all were taken for garbage: {dict(counted)}")
    return seen


async def memory_is_bounded(world: World) -> Seen:
    """P20."""
    seen = Seen()
    await _of_the_cache(world, seen)
    await _of_flights(world, seen)
    await _of_the_limiter(world, seen)
    return seen


async def _of_the_cache(world: World, seen: Seen) -> None:
    """Take up more entries than there is room for, and call with further numbers; the next snapshot tells how many."""
    if world.known is None:
        await a_restart_keeps_contacts(world)
    assert world.known is not None
    folder, there = world.known
    size = min(DEFAULT_SIZE, there // 2)
    further = world.scale.count(6000, 500)
    world.tell(f"{there} and {further} callers for {size} places")
    text = with_snapshot(size=size)
    async with world.serve(text, folder=folder) as serving:
        process = Process(serving.process.pid)
        full = process.memory
        sent, good = await pour(serving.port, map(question, map(number, range(5_000_000, 5_000_000 + further))))
        growth = process.memory - full
    async with world.serve(text, folder=folder) as serving:
        entries = int(serving.lines("snapshot_read")[0]["entries"])
    seen.figure(f"{there} callers and {further} more: {entries} entries, {full:.0f} MB and {growth:+.1f} MB")
    seen.must(good == sent == further, "calls without a good answer")
    seen.must(entries == size, f"{entries} entries instead of {size}")
    seen.must(growth < 20, f"memory grew by {growth:.0f} MB beyond a full cache")


async def _of_flights(world: World, seen: Seen) -> None:
    many = world.scale.count(3000, 300)
    world.tell(f"{many} callers of a CRM that hangs")
    async with crm() as asked:
        asked.behaviour = hangs
        text = toml(over_http(asked.port, "timeout = 1\nattempts = 2"), deadline=1)
        async with world.serve(text) as serving, Switch(serving.port) as switch:
            process = Process(serving.process.pid)
            before = process.memory, process.descriptors
            heard = await switch.at_rate(300, map(number, range(many)))
            await asyncio.sleep(2)
            after = process.memory, process.descriptors
            open_lines = switch.open
    growth, descriptors = after[0] - before[0], after[1] - before[1] - open_lines
    seen.figure(f"{many} callers of a CRM that hangs: {growth:+.1f} MB, {descriptors:+} descriptors")
    seen.must(bad_ones(heard) == 0, "calls without a good answer")
    seen.must(growth < 40, f"memory grew by {growth:.0f} MB while the CRM hung")
    seen.must(descriptors < 150, f"{descriptors} more descriptors are open")


async def _of_the_limiter(world: World, seen: Seen) -> None:
    many = world.scale.count(20_000, 1000)
    world.tell(f"{many} addresses that ask")
    switch = '\n[switch.access]\nrate = 5\nburst = 5\ntrusted_proxies = ["127.0.0.1"]\n'
    with world.adapter_of_ones_own() as folder:
        text = toml(source("own:Everybody", "", "timeout = 1"), more=switch, cache="size = 100")
        async with world.serve(text, folder=folder) as serving:
            process = Process(serving.process.pid)
            first, good = await pour(serving.port, map(_from, range(many // 2)))
            before = process.memory
            second, better = await pour(serving.port, map(_from, range(many // 2, many)))
            growth = process.memory - before
            one = [question(number(1)).replace(b"Host: x", b"Host: x\r\nX-Forwarded-For: 10.255.0.1")] * 50
            await pour(serving.port, one, lines=1)
            await until(lambda: reasons(serving).total() >= first + second + len(one))
            counted: Counter[str] = reasons(serving)
    seen.figure(f"{many} addresses: {growth:+.1f} MB in their second half")
    seen.must(good + better == first + second, "calls without a good answer")
    seen.must(growth < 10, f"memory grew by {growth:.0f} MB for further addresses")
    seen.must(counted["refused"] > 20, "an address that asks too often is not refused")


def _from(place: int) -> bytes:
    address = f"10.{place >> 16 & 255}.{place >> 8 & 255}.{place & 255}"
    return question(number(place)).replace(b"Host: x", f"Host: x\r\nX-Forwarded-For: {address}".encode())
