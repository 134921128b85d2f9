"""Calls of all kinds, for an hour, while faults come and go: does anything grow, is anybody let down?

    python -m tests.chaos.soak [--seconds 3600] [--rate 60] [--seed 1]

Prints a line a minute, and at the end memory, descriptors and answers by reason. Exit code 1 when anything falls short.
"""
# ruff: noqa: T201

import argparse
import asyncio
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count, islice
from pathlib import Path

from proxy.detached import detach
from proxy.testing import faults
from tests.chaos.__main__ import a_world, leaks_in
from tests.chaos.faults_mixed import DATABASES, KINDS, Troubled, troubled
from tests.chaos.load import Heard, Switch, garbage, number
from tests.chaos.restart import FILE
from tests.chaos.world import Process, Scale, Seen, World, enough_descriptors, reasons
from tests.e2e.people import TOKEN

DEADLINE, BEYOND, LAG = 1.5, 0.2, 0.3
"""Seconds: the deadline, what is promised beyond it, and what this process may itself be late"""

PHASE = 30.0
"""Seconds for which a kind of trouble lasts"""

TROUBLES = ("mixed faults", "all CRMs are down", "databases are frozen", "connections hang")

CACHE = f"""ttl = 20
negative_ttl = 5
stale = 600
size = 2000
refresh_ahead = 3
snapshot = "{FILE}"
snapshot_key = "{TOKEN}"
snapshot_every = 20"""


class Tally:
    """What became of all calls, without keeping them."""

    def __init__(self) -> None:
        self.calls = self.bad = self.late = 0
        self.slowest = 0.0
        self.measured: list[tuple[float, int]] = []
        """Memory in MB, and descriptors, now and then"""

    def add(self, heard: list[Heard]) -> None:
        self.calls += len(heard)
        self.bad += sum(not one.is_good for one in heard)
        self.late += sum(one.seconds > DEADLINE + BEYOND + LAG for one in heard)
        self.slowest = max(self.slowest, *(one.seconds for one in heard))


def callers(chance: random.Random) -> Iterator[str]:
    """Yield callers for ever: mostly the same ones, and new ones, nonsense, extensions, withheld numbers."""
    nonsense, new = garbage(chance.randrange(10**6)), count(1_000_000)
    while True:
        kind = chance.random()
        if kind < 0.6:
            yield number(int(chance.paretovariate(0.6)) % 3000)
        elif kind < 0.8:
            yield number(next(new))
        elif kind < 0.9:
            yield next(nonsense)
        else:
            yield chance.choice(["", "1003", "anonymous", "112", "+4930123456", "02121234567"])


@asynccontextmanager
async def trouble(name: str, there: Troubled, world: World) -> AsyncIterator[None]:
    """Have one kind of trouble, or none."""
    databases = [world.database(kind) for kind, _ in DATABASES.values()]
    changing = detach(there.change_faults(world.chance)) if name == "mixed faults" else None
    for link in there.links.values():
        link.fault = {"all CRMs are down": faults.refuses, "connections hang": faults.hangs}.get(name)
    if name == "databases are frozen":
        for database in databases:
            await asyncio.to_thread(database.freeze)
    try:
        yield
    finally:
        if changing is not None:
            changing.cancel()
        for database in databases:
            await asyncio.to_thread(database.thaw)
        for link in there.links.values():
            link.fault = None


async def soak(world: World, seconds: float, rate: float) -> Seen:
    """Call for so long, and see whether anything grows or anybody is let down."""
    seen, tally, said = Seen(), Tally(), callers(world.chance)
    async with troubled(world, KINDS, "timeout = 0.4", CACHE) as there:
        process = Process(there.serving.process.pid)
        began, phase = time.monotonic(), 0
        while time.monotonic() < began + seconds or phase % 2 == 0:
            name = world.chance.choice(TROUBLES) if phase % 2 else "none"
            async with trouble(name, there, world), Switch(there.serving.port) as switch:
                until = time.monotonic() + PHASE
                while time.monotonic() < until:
                    tally.add(await switch.at_rate(rate, islice(said, round(rate * 5))))
            there.mixed.requests.clear()
            if phase % 8 == 3:
                there.serving.process.send_signal(signal.SIGHUP)
            if name == "none":
                await asyncio.sleep(1)
                tally.measured.append((process.memory, process.descriptors))
                world.tell(
                    f"{time.monotonic() - began:5.0f} s: {tally.calls} calls, {tally.bad} bad, {tally.late} late, "
                    f"slowest {tally.slowest:.2f} s; {process.memory:.0f} MB, {process.descriptors} descriptors"
                )
            phase += 1
        counted, bugs = reasons(there.serving), there.serving.lines("bug")
        guarded = Counter(str(line["event"]) for line in there.serving.lines() if "source_" in str(line["event"]))
    tell(seen, tally, counted, guarded)
    seen.must(not bugs, f"{len(bugs)} bugs in the log")
    return seen


def tell(seen: Seen, tally: Tally, counted: Counter[str], guarded: Counter[str]) -> None:
    """Note what was seen, and what falls short."""
    quarter = max(1, len(tally.measured) // 4)  # by then, trouble of each kind has been met, and pools are full
    (memory, descriptors), (memory_then, descriptors_then) = tally.measured[quarter], tally.measured[-1]
    seen.figure(
        f"{tally.calls} calls: {tally.bad} without a good answer, {tally.late} late, slowest {tally.slowest:.2f} s"
    )
    seen.figure(", ".join(f"{reason} {times}" for reason, times in counted.most_common()))
    seen.figure(", ".join(f"{event} {times}" for event, times in sorted(guarded.items())))
    seen.figure(f"memory {memory:.0f} MB after a quarter of the time, {memory_then:.0f} MB at the end")
    seen.figure(f"descriptors {descriptors}, then {descriptors_then}")
    seen.must(tally.bad == 0, f"{tally.bad} calls without a good answer")
    seen.must(tally.late == 0, f"{tally.late} calls later than {DEADLINE + BEYOND:.1f} s")
    seen.must(memory_then < memory + 30, f"memory grew by {memory_then - memory:.0f} MB")
    seen.must(descriptors_then < descriptors + 30, f"{descriptors_then - descriptors} more descriptors")


def main() -> int:
    """Run it, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description="An hour of mixed load.")
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--rate", type=float, default=60, help="calls a second")
    parser.add_argument("--seed", type=int, default=1, help="of what happens by chance")
    options = parser.parse_args()
    enough_descriptors()
    with a_world(Scale(), options.seed) as world:
        seen = asyncio.run(soak(world, options.seconds, options.rate))
        leaks, told = leaks_in(Path(world.logs))
    print("\n".join([*seen.figures, *(f"FALLS SHORT: {sentence}" for sentence in seen.short), told]))
    return 1 if leaks or seen.short else 0


if __name__ == "__main__":
    sys.exit(main())
