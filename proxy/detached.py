"""Work that goes on by itself, and waiting for it for so long and no longer.

`asyncio.timeout` is not a limit: a database driver may hold on for seconds after it was cancelled. So work
runs as a task of its own, the one who waits leaves in time, and the task ends when it ends.
"""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

from proxy.errors import DeadlineExceeded, Unavailable

T = TypeVar("T")

_Waiting = set["asyncio.Future[None]"]
"""Those who wait for a task, each by a future of his own."""

_running: dict["asyncio.Task[Any]", _Waiting] = {}
"""asyncio itself holds its tasks only weakly."""


def detach(work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
    """Start `work` as a task that lives on when everybody who waited has left.

    A SystemExit in it becomes a RuntimeError: out of a task it would end the event loop, and with it the server.
    """
    if not asyncio.iscoroutine(work):
        raise TypeError(f"a coroutine was expected, not a {type(work).__name__}")
    waiting: _Waiting = set()
    task = asyncio.create_task(_carried_out(work, waiting))  # noqa: TID251 - the one place where tasks are made
    _running[task] = waiting
    task.add_done_callback(partial(_ended, work))
    return task


async def wait_at_most(seconds: float, task: "asyncio.Task[T]") -> T:
    """Return the result of a detached task, or raise its error.

    Raises DeadlineExceeded when it is not done in time; it is left running then, and also when the one who
    waits is cancelled. Raises Unavailable when the task was cancelled, from wherever: only cancelling the
    one who waits may end in a CancelledError here, or a driver that cancels itself would leave a call
    without an answer.
    """
    if not task.done():
        loop, waiting = asyncio.get_running_loop(), _running[task]
        waiter: asyncio.Future[None] = loop.create_future()
        late = loop.call_later(seconds, _wake, waiter)
        waiting.add(waiter)
        try:
            await waiter
        finally:
            late.cancel()
            waiting.discard(waiter)
        if not task.done():
            raise DeadlineExceeded(f"no answer within {seconds:g} s")
    if task.cancelled():
        raise Unavailable("the lookup was cut short")
    return task.result()


async def finish(seconds: float) -> None:
    """Cancel all that still runs on this event loop, and wait for it, but no longer than `seconds`."""
    loop = asyncio.get_running_loop()
    tasks = {task for task in _running if task.get_loop() is loop}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


async def _carried_out(work: Coroutine[Any, Any, T], waiting: _Waiting) -> T:
    try:
        return await work
    except SystemExit as exc:
        raise RuntimeError("it tried to end the whole process (SystemExit)") from exc
    finally:
        for waiter in waiting:  # who go on when this has ended; its callbacks come a round of the loop later
            _wake(waiter)


def _ended(work: Coroutine[Any, Any, Any], task: "asyncio.Task[Any]") -> None:
    for waiter in _running.pop(task):
        _wake(waiter)
    work.close()  # of a task that is cancelled before it begins, nobody awaits it
    if not task.cancelled():
        task.exception()  # marks it as retrieved: those who waited have seen it
