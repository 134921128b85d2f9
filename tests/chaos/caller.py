"""Calls from a process of its own, which the faults do not slow down: `python -m tests.chaos.caller`."""
# ruff: noqa: T201

import asyncio
import json
import sys
from pathlib import Path

from tests.chaos.load import Heard, Switch, number

ROOT = Path(__file__).parents[2]


async def called_from_afar(port: int, rate: float, first: int, count: int) -> tuple[list[Heard], float]:
    """Have so many callers call at a rate; return what they heard, and how many seconds too late a call was sent."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.chaos.caller", *map(str, (port, rate, first, count))),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the caller ended with {process.returncode}")
    heard, lag = json.loads(told)
    return [Heard(status, body.encode(), seconds) for status, body, seconds in heard], lag


async def _call(port: int, rate: float, first: int, count: int) -> None:
    async with Switch(port) as switch:
        heard = await switch.at_rate(rate, map(number, range(first, first + count)))
    print(json.dumps([[(one.status, one.body.decode(), one.seconds) for one in heard], switch.lag]))


if __name__ == "__main__":
    asyncio.run(_call(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
