"""P17: a restart while the CRM is down costs hardly any contact, and none of them becomes any younger by it."""

import asyncio
import random
import time
from pathlib import Path

from tests.chaos.load import Switch, number, pour, question
from tests.chaos.world import DEFAULT, KNOWN, Seen, World, toml, until
from tests.e2e.people import TOKEN, source
from tests.e2e.running import Serving

FILE = "cache.snapshot"


def with_snapshot(ttl: float = 3600, stale: float = 86400, *, every: float = 3600, size: int = 120_000) -> str:
    """Return a TOML with a snapshot, and an adapter of our own."""
    cache = f'ttl = {ttl}\nstale = {stale}\nsize = {size}\nrecheck = 0.5\nsnapshot = "{FILE}"\nsnapshot_key = "{TOKEN}"'
    return toml(source("own:Everybody", "", "timeout = 1"), cache=f"{cache}\nsnapshot_every = {every}")


async def a_restart_keeps_contacts(world: World) -> Seen:
    """P17."""
    seen = Seen()
    with world.adapter_of_ones_own() as folder:
        entries = await _all_are_back(world, folder, world.scale.count(100_000, 1000), seen)
        world.known = folder, entries
        await _killed_while_it_writes(world, folder, entries, seen)
        await _corrupt(world, folder, seen)
    with world.adapter_of_ones_own() as folder:
        await _ages(world, folder, seen)
    return seen


async def _all_are_back(world: World, folder: Path, wanted: int, seen: Seen) -> int:
    world.tell(f"{wanted} callers become known")
    text = with_snapshot()
    async with world.serve(text, folder=folder) as serving:
        seconds = world.scale.seconds(150, 15)
        entries, good = await pour(serving.port, map(question, map(number, range(wanted))), seconds)
        seen.must(good == entries, f"{entries - good} calls without a good answer")
        if entries < wanted:
            seen.figure(f"not all {wanted} calls fitted into {seconds:.0f} s")
        began = time.monotonic()
    stopped = time.monotonic() - began
    file = folder / FILE
    mode = file.stat().st_mode & 0o777
    (folder / "down").touch()
    async with world.serve(text, folder=folder) as serving, Switch(serving.port) as switch:
        (line,) = serving.lines("snapshot_read")
        chance = random.Random(world.seed)  # noqa: S311 - not for secrets
        sample = [number(place) for place in chance.sample(range(entries), min(entries, 2000))]
        heard = await switch.flat_out(sample)
        known = sum(one.said == KNOWN for one in heard)
    (folder / "down").unlink()
    seen.figure(f"{line['entries']} of {entries} back in {line['ms']:.0f} ms, {known} of {len(sample)} tried are known")
    seen.figure(f"{file.stat().st_size / 1e6:.1f} MB, mode {mode:o}; written at the end in {stopped:.1f} s")
    seen.must(line["entries"] >= 0.99 * entries, f"only {line['entries']} are back")
    seen.must(known >= 0.99 * len(sample), f"only {known} of {len(sample)} are known")
    seen.must(mode == 0o600, f"the file's mode is {mode:o}")
    return entries


async def _killed_while_it_writes(world: World, folder: Path, entries: int, seen: Seen) -> None:
    """Kill the server at any moment while it writes a snapshot every second: there is always a whole one."""
    text, kills = with_snapshot(every=1), world.scale.count(5, 2)
    for place in range(kills):
        serving = world.start(text, folder=folder)
        try:
            _is_whole(serving, entries, seen)
            await pour(serving.port, (question(number(place)) for place in range(place * 100, place * 100 + 50)))
            new, before = 200_000 + place, (folder / FILE).stat().st_mtime_ns
            await pour(serving.port, [question(number(new))])  # something to write
            temporary = await _until_another_file(folder, before)
            seen.must(temporary is not None, "nothing is written")
        finally:
            serving.process.kill()
            serving.process.wait()
    async with world.serve(text, folder=folder) as serving:
        _is_whole(serving, entries, seen)
    left = _unfinished(folder)
    seen.figure(f"killed {kills} times while it writes: each time all are back")
    seen.must(not left, f"{len(left)} unfinished files are left")


async def _until_another_file(folder: Path, before: int) -> bool | None:
    """Wait until there is another snapshot than that of before, or a part of one; True when it is only a part."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if _unfinished(folder):
            return True
        if (folder / FILE).stat().st_mtime_ns != before:
            return False
        await asyncio.sleep(0.001)
    return None


def _unfinished(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir() if file.name.endswith(".new")]


def _is_whole(serving: Serving, entries: int, seen: Seen) -> None:
    lines = serving.lines("snapshot_read")
    seen.must(len(lines) == 1 and lines[0]["entries"] >= entries, "a snapshot is not whole after a kill")


async def _corrupt(world: World, folder: Path, seen: Seen) -> None:
    good = (folder / FILE).read_bytes()
    bad = bytearray(good)
    bad[len(bad) // 2] ^= 1
    (folder / FILE).write_bytes(bad)
    (folder / "down").touch()
    async with world.serve(with_snapshot(), folder=folder) as serving, Switch(serving.port) as switch:
        heard = await switch.call(number(1))
        failed, read = serving.lines("snapshot_failed"), serving.lines("snapshot_read")
    (folder / FILE).write_bytes(good)
    (folder / "down").unlink()
    seen.figure("one bit of it changed: a cold start with one line")
    seen.must(heard.said == DEFAULT, "a corrupt snapshot has told something")
    seen.must((len(failed), len(read)) == (1, 0), f"{len(failed)} lines about a corrupt snapshot")


async def _ages(world: World, folder: Path, seen: Seen) -> None:
    ttl, stale = 4.0, 4.0
    text = with_snapshot(ttl, stale)
    callers = [number(place) for place in range(50)]
    async with world.serve(text, folder=folder) as serving, Switch(serving.port) as switch:
        began = time.monotonic()
        await switch.flat_out(callers, lines=4)
        learnt = time.monotonic()
    (folder / "down").touch()
    async with world.serve(text, folder=folder) as serving, Switch(serving.port) as switch:
        started = time.monotonic()
        await until(lambda: time.monotonic() > learnt + ttl + 0.3)
        was_soon = time.monotonic() < min(began + ttl + stale - 1, started + ttl)
        heard = await switch.flat_out(callers, lines=4)
        via = {line["via"] for line in serving.lines("call")}
        await until(lambda: time.monotonic() > learnt + ttl + stale + 0.3)
        gone = await switch.flat_out(callers, lines=4)
    if was_soon:
        seen.must(all(one.said == KNOWN for one in heard), "contacts that are stale by now are not known")
        seen.must(via == {"stale"}, f"contacts of before the restart are {via} and not stale")
    seen.must(all(one.said == DEFAULT for one in gone), "contacts are known for longer than they may be")
    seen.figure("ages go on over it" if was_soon else "ages: it took too long to tell fresh from stale")
