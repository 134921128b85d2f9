"""Prints what a million cached contacts cost: memory, the longest pauses, a restart, and what a hit takes among them.

    python tests/bench/memory.py [--entries 1000000] [--json FILE]

A contact has a name, six fields, an id, and one number; the server that is measured last has nothing else to do. Times
and pauses are of the processor, as others may use it too: a pause is what the process computes between two turns of a
task that wants one each millisecond. What needs a thread is done several times, and the shortest of its pauses counts.
"""
# ruff: noqa: T201

import argparse
import asyncio
import gc
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

sys.path.insert(0, str(Path(__file__).parents[2]))

from proxy.cache import ContactCache, Entry
from proxy.config import load
from proxy.deployment import snapshot_of
from proxy.directory import Directory, Lifetimes
from proxy.model import Contact, Scalar
from proxy.phone import PhoneNumber
from proxy.snapshot import Caps, Snapshot
from proxy.sources import Sources

T = TypeVar("T")

CAPS = Caps(300, 60, 86400)
FEW = 1000
ASKED = 20_000
RESTARTS = 3
TOML = """
[switch]
default = "queue/200"
[cache]
size         = {entries}
snapshot     = "cache.json"
snapshot_key = "made-up-made-up-made-up"
snapshot_every = 86400
[[sources]]
name    = "list"
adapter = "static"
[sources.options]
contacts = [{{ numbers = ["0530 123 45 67"], name = "Ahmet Yılmaz", fields = {{ tier = "gold" }} }}]
"""


class Pauses:
    """The longest time, in ms of the processor, that the loop was kept from a task, by what it was doing."""

    def __init__(self) -> None:
        self.longest: dict[str, float] = {}

    async def during(self, name: str, work: Awaitable[T]) -> T:
        longest = 0.0

        async def tick() -> None:
            nonlocal longest
            computed, last = time.process_time(), time.perf_counter()
            while True:
                await asyncio.sleep(0.001)
                before, earlier, computed, last = computed, last, time.process_time(), time.perf_counter()
                longest = max(longest, min(computed - before, last - earlier))

        ticking = asyncio.ensure_future(tick())
        await asyncio.sleep(0)
        result = await work
        await asyncio.sleep(0.002)
        ticking.cancel()
        self.longest[name] = round(longest * 1000, 1)
        return result


class Clock:
    """Monotonic seconds, some of which may be skipped."""

    skipped = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.skipped


def number(n: int) -> str:
    return f"+9053{n:08}"


def entry(n: int, now: float) -> Entry:
    fields: dict[str, Scalar] = {
        "tier": "gold",
        "owner": f"agent{n % 50}",
        "balance": n % 100_000 / 100,
        "vip": n % 3 == 0,
        "city": "İzmir",
        "language": "tr",
    }
    contact = Contact(f"Örnek Şahıs {n}", fields, (f"053{n:08}",), str(n))
    return Entry(contact, now + 300, now + 86700)


async def each(numbers: range, act: Callable[[int], object]) -> None:
    """Do something with each number, and let others have their turns between."""
    for n in numbers:
        act(n)
        if n % 20 == 0:
            await asyncio.sleep(0)


def resident(process: object = "self", what: str = "VmRSS") -> float:
    """Return the memory of a process, in MB."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith(what))


async def hit(entries: int, size: int, directory: Directory) -> dict[str, float]:
    """Return the microseconds that a number takes that is cached, and those that it takes to see that it still is."""
    numbers = map(number, random.choices(range(entries), k=size))  # noqa: S311 - which ones does not matter
    keys = [PhoneNumber(e164, e164, e164, "TR", "mobile", "TR") for e164 in numbers]
    began = time.process_time()
    for key in keys:
        await directory.find(key, 1)
    found = time.process_time()
    for key in keys:
        directory.cache.kept(key.e164)
    kept = time.process_time()
    return {"find": (found - began) / size * 1e6, "kept": (kept - found) / size * 1e6}


async def hits(many: Directory, entries: int, clock: Clock) -> dict[str, dict[str, float]]:
    few = Directory(Sources(()), ContactCache(FEW), Lifetimes(), clock)
    for n in range(FEW):
        few.cache.put(number(n), entry(n, clock()))
    measured: dict[str, list[dict[str, float]]] = {"few": [], "many": []}
    for _ in range(5):
        measured["few"].append(await hit(FEW, ASKED, few))
        measured["many"].append(await hit(entries, ASKED, many))
    return {
        name: {what: round(median(each[what] for each in found), 2) for what in found[0]}
        for name, found in measured.items()
    }


async def use(entries: int, folder: Path) -> dict[str, Any]:
    """Fill a cache, use it in all ways, and leave a snapshot."""
    pauses, clock, figures = Pauses(), Clock(), dict[str, Any]()
    cache = ContactCache(entries)
    directory = Directory(Sources(()), cache, Lifetimes(), clock)
    gc.collect()
    gc.freeze()  # as a server does
    gc.set_threshold(10_000)
    before, began = resident(), time.process_time()
    await pauses.during("filling", each(range(entries), lambda n: cache.put(number(n), entry(n, clock()))))
    figures["fill_seconds"] = time.process_time() - began
    figures["bytes_per_entry"] = (resident() - before) * 1e6 / entries
    began = time.perf_counter()
    gc.collect()
    pauses.longest["a full garbage collection"] = round((time.perf_counter() - began) * 1000, 1)
    figures["hits"] = await hits(directory, entries, clock)
    more = range(entries, entries + entries // 10)
    await pauses.during("evicting", each(more, lambda n: cache.put(number(n), entry(n, clock()))))
    figures["bytes_per_entry_after_eviction"] = (resident() - before) * 1e6 / entries
    snapshot = snapshot_in(folder)
    began = time.process_time()
    await pauses.during("writing the snapshot", snapshot.write(cache))
    figures["write_seconds"] = time.process_time() - began
    first = pauses.longest["writing the snapshot"]
    await pauses.during("writing the snapshot", snapshot.write(cache))
    pauses.longest["writing the snapshot"] = min(first, pauses.longest["writing the snapshot"])
    figures["file_megabytes"] = (folder / "cache.json").stat().st_size / 1e6
    began = time.process_time()
    await pauses.during("invalidating all", directory.invalidate_all())
    figures["invalidate_seconds"] = time.process_time() - began
    one = PhoneNumber(number(entries), "", "", "TR", "mobile", "TR")
    await pauses.during("erasing one", asyncio.sleep(0, directory.forget(one)))
    clock.skipped = 100_000
    some = range(entries // 10, entries // 5)
    await pauses.during("when all have expired", each(some, lambda n: cache.get(number(n), clock())))
    await pauses.during("putting when all have expired", each(some, lambda n: cache.put(number(n), entry(n, clock()))))
    await pauses.during("halving the size", asyncio.sleep(0, cache.resized(entries // 2)))
    return {**figures, "pauses_ms": pauses.longest}


async def restore(entries: int, folder: Path) -> dict[str, Any]:
    began = time.process_time()
    count = await snapshot_in(folder).read_into(ContactCache(entries), CAPS)
    took = time.process_time() - began
    pauses = Pauses()
    await pauses.during("restoring", snapshot_in(folder).read_into(ContactCache(entries), CAPS))
    return {"seconds": took, "count": count, "pause_ms": pauses.longest["restoring"]}


def snapshot_in(folder: Path) -> Snapshot:
    snapshot = snapshot_of(load(folder / "config.toml"))
    assert snapshot is not None
    return snapshot


def served(folder: Path) -> dict[str, float]:
    """Start the server in a folder, and return its memory, and the processor's time until it listens."""
    command = [str(Path(sys.executable).parent / "tanima"), "serve"]
    log = folder / "log"
    with log.open("wb") as stderr:
        arguments = ["--config", str(folder / "config.toml"), "--listen", "127.0.0.1:0"]
        process = subprocess.Popen([*command, *arguments], stderr=stderr)
    try:
        while '"listening"' not in log.read_text(encoding="utf-8"):
            if process.poll() is not None:
                raise SystemExit(log.read_text(encoding="utf-8"))
            time.sleep(0.05)
        times = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        time.sleep(1)
        return {
            "megabytes": resident(process.pid),
            "peak_megabytes": resident(process.pid, "VmHWM"),
            "start_seconds": (int(times[11]) + int(times[12])) / 100,
        }
    finally:
        process.send_signal(signal.SIGKILL)  # it would write the snapshot
        process.wait()


def one(part: str, entries: int, folder: Path) -> Any:
    command = [sys.executable, __file__, "--part", part, "--entries", str(entries), "--folder", str(folder)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=600).stdout)


def measured(entries: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.toml").write_text(TOML.format(entries=entries), encoding="utf-8")
        empty = served(folder)
        figures = one("use", entries, folder)
        restarts = [one("restore", entries, folder) for _ in range(RESTARTS)]
        full = served(folder)
    seconds = [each["seconds"] for each in restarts]
    figures["pauses_ms"]["restoring"] = min(each["pause_ms"] for each in restarts)
    return {
        "entries": entries,
        **figures,
        "restored": restarts[0]["count"],
        "restore_seconds": {"best": min(seconds), "median": median(seconds)},
        "server": {"empty": empty, "restored": full},
    }


def rows(figures: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is measured, and how much it is."""
    entries, server, hits = figures["entries"], figures["server"], figures["hits"]
    yield "cached contacts", f"{entries}"
    yield "memory of an entry", f"{figures['bytes_per_entry']:.0f} bytes"
    yield "  after a tenth was evicted", f"{figures['bytes_per_entry_after_eviction']:.0f} bytes"
    full = server["empty"]["megabytes"] + figures["bytes_per_entry_after_eviction"] * entries / 1e6
    yield "the server, empty", f"{server['empty']['megabytes']:.0f} MB"
    yield "  filled by calls (entries added)", f"{full:.0f} MB"
    yield "  restored", f"{server['restored']['megabytes']:.0f} MB (peak {server['restored']['peak_megabytes']:.0f})"
    yield "filling", f"{figures['fill_seconds']:.1f} s"
    yield "writing the snapshot", f"{figures['write_seconds']:.1f} s ({figures['file_megabytes']:.0f} MB)"
    best, middle = figures["restore_seconds"]["best"], figures["restore_seconds"]["median"]
    yield "restoring it", f"{best:.1f} s (median {middle:.1f} s), {figures['restored']} back"
    yield "invalidating all", f"{figures['invalidate_seconds']:.1f} s"
    for what, told in (("find", "a hit"), ("kept", "whether it is the same")):
        yield f"{told}, of {FEW} / of all", f"{hits['few'][what]:.2f} / {hits['many'][what]:.2f} us"
    for name, milliseconds in figures["pauses_ms"].items():
        yield f"longest pause: {name}", f"{milliseconds:.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--part", choices=("use", "restore"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        work = {"use": use, "restore": restore}[options.part]
        print(json.dumps(asyncio.run(work(options.entries, options.folder))), flush=True)
        return
    figures = measured(options.entries)
    for what, how_much in rows(figures):
        print(f"{what:45} {how_much}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
