"""Prints how long a snapshot takes to write and to read, and for how long calls have to wait meanwhile at the most.

    python tests/bench/snapshot.py [--entries 100000 1000000]

The contacts have a name and five fields; every tenth number is unknown to the CRM. Each figure is of one run, in a
process of its own; the pause is measured by a task that wants to run every millisecond.
"""
# ruff: noqa: T201

import argparse
import asyncio
import gc
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parents[2]))

from proxy.cache import ContactCache, Entry
from proxy.model import Contact, Scalar
from proxy.snapshot import Caps, Snapshot

T = TypeVar("T")

CAPS = Caps(300, 60, 86400)


def filled(count: int) -> ContactCache:
    cache, now = ContactCache(count), time.monotonic()
    for n in range(count):
        fields: dict[str, Scalar] = {
            "tier": "gold",
            "owner": f"agent{n % 50}",
            "balance": n / 7,
            "vip": n % 3 == 0,
            "city": "İzmir",
        }
        contact = Contact(f"Örnek Şahıs {n}", fields, id=str(n)) if n % 10 else None
        fresh_until = now + (300 if contact else 60)
        cache.put(f"+90530{n:07}", Entry(contact, fresh_until, fresh_until + (86400 if contact else 0)))
    return cache


async def paused(work: Awaitable[T]) -> tuple[T, float, float]:
    """Return the result, the seconds that it took, and the longest time for which the loop did nothing else."""
    longest, last = 0.0, time.perf_counter()

    async def tick() -> None:
        nonlocal longest, last
        while True:
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last - 0.001), now

    ticking = asyncio.ensure_future(tick())
    await asyncio.sleep(0.01)
    started = time.perf_counter()
    longest = 0.0
    result = await work
    took = time.perf_counter() - started
    await asyncio.sleep(0.002)
    ticking.cancel()
    return result, took, longest


async def measure(count: int, folder: Path) -> str:
    cache = filled(count)
    gc.collect()
    file = folder / "cache.json"

    def snapshot() -> Snapshot:
        return Snapshot(file, "made-up-made-up-made-up", "bench", time.monotonic, time.time)

    written, to_write, write_pause = await paused(snapshot().write(cache))
    again = ContactCache(count)
    read, to_read, read_pause = await paused(snapshot().read_into(again, CAPS))
    _, to_resize, _ = await paused(asyncio.sleep(0, again.resized(count // 2)))
    size = file.stat().st_size / 2**20
    return (
        f"{written:9} {read:9} {to_write:8.2f} {to_read:8.2f} {size:8.1f} "
        f"{write_pause * 1000:8.0f} {read_pause * 1000:8.0f} {to_resize * 1000:8.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, nargs="+", default=[100_000])
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        with tempfile.TemporaryDirectory() as folder:
            print(asyncio.run(measure(options.entries[0], Path(folder))), flush=True)
        return
    print(f"{'':36} {'file':>8} {'longest pause, ms':>17} {'halving':>8}")
    print(f"{'entries':>9} {'back':>9} {'write s':>8} {'read s':>8} {'MiB':>8} {'write':>8} {'read':>8} {'it, ms':>8}")
    for count in options.entries:
        subprocess.run([sys.executable, __file__, "--one", "--entries", str(count)], check=True)


if __name__ == "__main__":
    main()
