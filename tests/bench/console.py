"""Prints what the open console costs calls: their times at 300 a second, with and without a browser that looks on.

    python tests/bench/console.py [--rate 300] [--seconds 10] [--rounds 3]

The rounds with and without take turns against one server, whose journal is full. The browser is a client that fetches
what the open page does: the moving part of Now every 2 s; and beside it all calls, one call, and /metrics, every 5 s.
"""
# ruff: noqa: T201

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import aiohttp

from proxy.detached import detach
from tests.chaos.load import Heard, Switch, bad_ones, number
from tests.e2e.running import Serving
from tests.servers import free_port, until_open

CALLERS = 2000

TOML = """
[switch]
default = "queue/200"
[admin]
listen = "127.0.0.1:{port}"
[[rules]]
name = "gold"
when = {{ tier = "gold" }}
target = "queue/201"
[[sources]]
name = "list"
adapter = "static"
[sources.options]
contacts = [{contacts}]
"""


async def look_on(url: str) -> None:
    """Do what a browser does that shows Now, and who looks at calls in another window."""
    async with aiohttp.ClientSession() as session:
        turn = 0
        while True:
            paths = ["/now"] + (["/calls", "/calls/1500", "/metrics"] if turn % 5 == 0 else []) if turn % 2 == 0 else []
            for path in paths:
                async with session.get(url + path) as response:
                    await response.read()
            turn += 1
            await asyncio.sleep(1)


def told(heard: Sequence[Heard]) -> tuple[float, float, float]:
    """Return p50, p99 and the longest of the times, in ms."""
    parts = statistics.quantiles([one.seconds * 1000 for one in heard], n=100)
    return parts[49], parts[98], max(one.seconds * 1000 for one in heard)


async def measured(rate: float, seconds: float, rounds: int) -> None:
    port = free_port()
    contacts = ", ".join(
        f'{{ numbers = ["{number(place)}"], name = "Deneme {place}", fields = {{ tier = "gold" }} }}'
        for place in range(CALLERS)
    )
    heard: dict[str, list[Heard]] = {"without": [], "with": []}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.toml"
        file.write_text(TOML.format(port=port, contacts=contacts), encoding="utf-8")
        arguments = ["serve", "--config", str(file), "--listen", "127.0.0.1:0"]
        with Serving(arguments, Path(folder) / "log") as serving:
            until_open(port)
            callers = [number(place % CALLERS) for place in range(int(rate * seconds))]
            async with Switch(serving.port) as switch:
                await switch.flat_out([number(place) for place in range(CALLERS)])
                for _ in range(rounds):
                    for name in heard:
                        looking = detach(look_on(f"http://127.0.0.1:{port}")) if name == "with" else None
                        heard[name] += await switch.at_rate(rate, callers)
                        if looking is not None:
                            looking.cancel()
                            with suppress(asyncio.CancelledError):
                                await looking
    figures = {name: told(calls) for name, calls in heard.items()}
    for name, (p50, p99, longest) in figures.items():
        count, bad = len(heard[name]), bad_ones(heard[name])
        print(f"{name:<8} the console: {count} calls, {bad} bad; p50 {p50:.2f}, p99 {p99:.2f}, max {longest:.1f} ms")
    ratios = [f"{with_it / without:.2f}" for without, with_it in zip(*figures.values(), strict=True)]
    print(f"ratio: p50 {ratios[0]}, p99 {ratios[1]}, max {ratios[2]}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=300)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    asyncio.run(measured(options.rate, options.seconds, options.rounds))
