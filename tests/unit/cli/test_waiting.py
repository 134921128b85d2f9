"""Who waits longer than a second sees that something is going on."""

import asyncio
import gc
import io
import re
from contextlib import suppress

import pytest

from proxy.cli import waiting
from proxy.cli.waiting import run_to_the_end, still_at_work
from proxy.detached import detach


class Terminal(io.StringIO):
    """What somebody looks at."""

    def isatty(self) -> bool:
        return True


async def test_where_nobody_looks_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "AFTER", 0.01)
    stream = io.StringIO()
    async with still_at_work("asking the sources", stream):
        await asyncio.sleep(0.03)
    assert stream.getvalue() == ""


async def test_what_is_done_at_once_shows_nothing() -> None:
    stream = Terminal()
    async with still_at_work("asking the sources", stream):
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert stream.getvalue() == ""


async def test_what_takes_longer_shows_itself_and_the_seconds_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "AFTER", 0.02)
    stream = Terminal()
    async with still_at_work("asking the sources", stream):
        for _ in range(100):
            await asyncio.sleep(0.01)
            if stream.getvalue().count("\r") == 2:
                break
    await asyncio.sleep(0)
    assert re.fullmatch(r"(\rasking the sources \.\.\. \d s){2}\n", stream.getvalue())


async def test_an_error_in_the_body_ends_the_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "AFTER", 0.01)
    stream = Terminal()

    async def fail() -> None:
        async with still_at_work("asking the sources", stream):
            await asyncio.sleep(0.03)
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    await asyncio.sleep(0)
    assert stream.getvalue().endswith(" s\n")


def test_what_is_run_to_the_end_gives_its_result_and_leaves_nothing_open() -> None:
    async def left_behind() -> None:
        await asyncio.sleep(60)

    async def main() -> asyncio.Task[None]:
        task = detach(left_behind())
        await asyncio.sleep(0)
        return task

    task = run_to_the_end(main())
    assert task.cancelled()
    assert task.get_loop().is_closed()


def test_an_error_comes_through() -> None:
    async def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        run_to_the_end(fail())


def test_a_task_that_ignores_cancellation_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LAST_TASKS", 0.01)
    free = asyncio.Event()

    async def stubborn() -> None:
        while not free.is_set():
            with suppress(asyncio.CancelledError):
                await free.wait()

    async def main() -> asyncio.Task[None]:
        task = detach(stubborn())
        await asyncio.sleep(0)
        return task

    task = run_to_the_end(main())
    assert not task.done()
    loop = task.get_loop()
    loop.call_soon(free.set)
    loop.run_until_complete(task)
    loop.close()


def test_garbage_that_was_not_collected_is_from_then_on() -> None:
    async def is_collected() -> bool:
        return gc.isenabled()

    gc.disable()
    try:
        assert run_to_the_end(is_collected())
    finally:
        gc.enable()
        gc.unfreeze()
