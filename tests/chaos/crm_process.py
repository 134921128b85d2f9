"""A CRM over HTTP in a process of its own, which can be stopped by signals: `python -m tests.chaos.crm_process`."""
# ruff: noqa: T201

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxy.testing import HttpCrm
from tests.chaos.world import knows_everybody

ROOT = Path(__file__).parents[2]


@contextmanager
def crm_in_a_process() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start it, and return its process and port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.crm_process"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield process, int(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


async def _serve() -> None:
    async with HttpCrm(knows_everybody) as crm:
        print(crm.port, flush=True)
        while True:
            await asyncio.sleep(1)
            crm.requests.clear()


if __name__ == "__main__":
    asyncio.run(_serve())
