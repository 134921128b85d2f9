"""P18, P19: another configuration while it runs, and a number that must be forgotten."""

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxy.detached import detach
from proxy.phone import parse_number
from proxy.testing import HttpCrm
from proxy.testing.behaviours import answers_late
from tests.chaos.load import Heard, Switch, bad_ones, number
from tests.chaos.restart import FILE
from tests.chaos.sparing import Gate, is_well
from tests.chaos.world import DEFAULT, KNOWN, Seen, World, crm, over_http, toml, until
from tests.e2e.people import TOKEN
from tests.e2e.running import Serving, run
from tests.servers import free_port, until_open

LIVE_WITHIN = 1.0
"""Seconds in which a good configuration counts"""


async def a_change_costs_no_call(world: World) -> Seen:
    """P18."""
    seen, heard = Seen(), list[Heard]()
    rate = 200 if world.scale.slack == 0 else 50
    async with HttpCrm(lambda _: {"items": []}) as old, crm() as new:
        old.behaviour = answers_late(b'{"items": []}', seconds=0.2)
        folder = world.new_folder()
        file = folder / "config.toml"
        good = toml(over_http(old.port, "timeout = 10\nattempts = 1"), deadline=15, cache="negative_ttl = 0.01")
        async with world.serve(good, folder=folder) as serving, Switch(serving.port) as switch:
            is_over = False

            async def go_on() -> None:
                place = 1000
                while not is_over:
                    heard.extend(await switch.at_rate(rate, map(number, range(place, place + rate // 2))))
                    place += rate // 2

            calling = detach(go_on())
            try:
                at_once = 1 if world.scale.slack == 0 else 3
                await _broken_ones(serving, file, good, seen, at_once)
                changed = good.replace('"queue/202"', '"queue/203"')
                took = await _live(switch, file, changed, "queue/203")
                seen.figure(f"the file changed: live after {took:.2f} s")
                seen.must(took <= LIVE_WITHIN + world.scale.slack, f"a changed file is live only after {took:.2f} s")
                before = len(serving.lines("reloaded"))
                serving.process.send_signal(signal.SIGHUP)
                took = await until(lambda: len(serving.lines("reloaded")) > before)
                seen.figure(f"SIGHUP: after {took:.2f} s")
                seen.must(took <= LIVE_WITHIN + world.scale.slack, f"SIGHUP counts only after {took:.2f} s")
                took = await _live(switch, file, changed.replace(f":{old.port}/", f":{new.port}/"), "queue/201")
                seen.figure(f"another CRM: after {took:.2f} s")
                seen.must(took <= LIVE_WITHIN + world.scale.slack, f"another CRM is asked only after {took:.2f} s")
                await asyncio.sleep(1)
            finally:
                is_over = True
                await calling
            seen.must(not serving.lines("bug"), "there is a bug in the log")
    allowed = {"queue/201", "queue/202", "queue/203"}
    lost = sum(one.target not in allowed for one in heard)
    seen.figure(f"{len(heard) - lost} of {len(heard)} calls meanwhile answered by one of the CRMs")
    seen.must(bad_ones(heard) == 0, f"{bad_ones(heard)} calls without a good answer")
    seen.must(lost == 0, f"{lost} calls got only the default")
    seen.must({one.target for one in heard} == allowed, "not all of the configurations were met by calls")
    return seen


async def _broken_ones(serving: Serving, file: Path, good: str, seen: Seen, at_once: int) -> None:
    """Break the file twice, and ask for it to be read four times in all: two different reasons are told.

    Where it takes long until a signal is noticed, so many of these may be one.
    """
    write(file, good.replace("[switch]", "[swich]"))
    await until(lambda: len(serving.lines("reload_refused")) == 1)
    for _ in range(2):
        serving.process.send_signal(signal.SIGHUP)
        await asyncio.sleep(0.5)
    seen.must(len(serving.lines("reload_refused")) == 1, "the same reason is told more than once")
    write(file, "this is no TOML")
    await until(lambda: len(serving.lines("reload_refused")) == 2)
    count = serving.lines("reload_refused")[-1]["count"]
    seen.figure(f"{count} refusals, told for 2 reasons")
    seen.must(5 - at_once <= count <= 4, f"4 refusals are counted as {count}")
    seen.must(not serving.lines("reloaded"), "a broken configuration was taken")


async def _live(switch: Switch, file: Path, text: str, target: str) -> float:
    """Change the file, and return how many seconds it takes until a stranger is sent to `target`."""
    write(file, text)
    began, place = time.monotonic(), 5_000_000
    while time.monotonic() < began + 20:
        sent, place = time.monotonic(), place + 1
        if (await switch.call(number(place))).target == target:
            return sent - began  # a call that comes then is answered so
        await asyncio.sleep(0.02)
    return time.monotonic() - began


def write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


async def a_number_is_forgotten(world: World) -> Seen:
    """P19."""
    seen, port = Seen(), free_port()
    callers = [number(place) for place in range(20)]
    async with crm() as asked:
        cache = f'ttl = 3600\nsnapshot = "{FILE}"\nsnapshot_key = "{TOKEN}"\nsnapshot_every = 3600'
        admin = f'\n[admin]\nlisten = "127.0.0.1:{port}"\n'
        text = toml(over_http(asked.port, "timeout = 28\nattempts = 1"), deadline=30, cache=cache, more=admin)
        folder = world.new_folder()
        with _killed(world.start(text, folder=folder)) as serving:
            async with Switch(serving.port) as switch:
                await switch.flat_out(callers, lines=4)
                await asyncio.to_thread(until_open, port)
                await _of_a_running_server(asked, switch, folder, seen)
        asked.behaviour = None
        await asked.stop()
        async with world.serve(text, folder=folder) as serving, Switch(serving.port) as switch:
            heard = await switch.flat_out(callers, lines=1)
            seen.must([one.said for one in heard[:2]] == [DEFAULT] * 2, "the snapshot brings what was erased back")
            seen.must(all(one.said == KNOWN for one in heard[2:]), "others were erased too")
        told = await run("erase", callers[2], "--config", str(folder / "config.toml"))
        seen.must(told.code == 0, "erase fails while no server runs")
        async with world.serve(text, folder=folder) as serving, Switch(serving.port) as switch:
            heard = await switch.flat_out(callers, lines=1)
            seen.must(heard[2].said == DEFAULT, "what was erased from the file is in it")
            seen.must(all(one.said == KNOWN for one in heard[3:]), "others were erased too")
    seen.figure("erased from cache and journal, from the snapshot of a killed server, and from the file of none")
    return seen


def masked(text: str) -> str:
    """Return a number as the journal has it."""
    return str(parse_number(text, "TR"))


async def _of_a_running_server(asked: HttpCrm, switch: Switch, folder: Path, seen: Seen) -> None:
    """Erase a number that is known, and one that is being looked up, and see that they are asked for anew."""
    config = str(folder / "config.toml")
    told = await run("erase", number(0), "--config", config)
    seen.must(told.code == 0, "erase fails")
    journal = await run("journal", "--json", "--config", config)
    kept = {json.loads(line)["caller"] for line in journal.out.splitlines()}
    seen.must(masked(number(0)) not in kept, "the journal has calls of an erased number")
    seen.must(masked(number(2)) in kept, "the journal has lost others' calls")
    gate = Gate(is_well)
    asked.behaviour = gate.behave
    await run("erase", number(1), "--config", config)
    before = len(asked.requests)
    waiting = detach(switch.call(number(1)))
    await until(lambda: len(asked.requests) == before + 1)
    await run("erase", number(1), "--config", config)
    gate.open.set()
    seen.must((await waiting).said == KNOWN, "a caller who waits while he is erased gets no answer")
    await asyncio.sleep(0.3)
    await asked.stop()
    for place, how in ((0, "a known number"), (1, "a number that was being looked up")):
        seen.must((await switch.call(number(place))).said == DEFAULT, f"{how} is known after it was erased")
    seen.must((await switch.call(number(2))).said == KNOWN, "another number is not known any more")


@contextmanager
def _killed(serving: Serving) -> Iterator[Serving]:
    """Kill a server at the end, so that it writes nothing any more."""
    try:
        yield serving
    finally:
        serving.process.kill()
        serving.process.wait()
