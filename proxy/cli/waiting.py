"""Runs a command to its end, and tells a person at a terminal that it is still at work."""

import asyncio
import gc
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TextIO, TypeVar

from proxy.detached import detach

AFTER = 1.0
"""Seconds of silence."""

LAST_TASKS = 0.1
"""Seconds for which tasks may go on after they were cancelled."""

T = TypeVar("T")


def run_to_the_end(
    main: Coroutine[Any, Any, T], new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
) -> T:
    """Run a coroutine as `asyncio.run` does, but do not wait for tasks and threads that never end.

    From here on garbage is collected, if it was not, but for what is there already.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    loop = new_loop()
    try:
        return loop.run_until_complete(main)
    finally:
        if left := asyncio.all_tasks(loop):
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.wait(left, timeout=LAST_TASKS))
        if not asyncio.all_tasks(loop):
            loop.run_until_complete(loop.shutdown_asyncgens())
            if isinstance(loop, asyncio.BaseEventLoop):  # uvloop's would wait for whatever is still open
                loop.close()


@asynccontextmanager
async def still_at_work(on_what: str, stream: TextIO | None = None) -> AsyncIterator[None]:
    """Show `on_what` and the seconds, in one line of a terminal, when the body takes longer than a second."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield
        return
    showing = detach(_show(on_what, stream))
    try:
        yield
    finally:
        showing.cancel()


async def _show(on_what: str, stream: TextIO) -> None:
    started = time.monotonic()
    await asyncio.sleep(AFTER)
    try:
        while True:
            stream.write(f"\r{on_what} ... {time.monotonic() - started:.0f} s")
            stream.flush()
            await asyncio.sleep(AFTER)
    finally:
        stream.write("\n")
        stream.flush()
