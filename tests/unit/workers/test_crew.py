"""Workers are there at all times."""

import asyncio
import faulthandler
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy import logs
from proxy.errors import ProxyError
from proxy.workers import crew as module
from proxy.workers.crew import Crew, start_worker
from proxy.workers.worker import Orders
from tests.unit.workers.crews import FakeProcess, FakeWorkers, until

ORDERS = Orders(Path("config.toml"), b"", ("127.0.0.1", 1))


@pytest.fixture(autouse=True)
def lines(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.01)
    lines: list[tuple[Any, ...]] = []
    for name in ("bug", "worker_ready"):
        monkeypatch.setattr(logs, name, lambda *told, name=name: lines.append((name, *told)))
    return lines


class Run:
    def __init__(self, count: int) -> None:
        self.workers = FakeWorkers()
        self.events: list[tuple[int, Any]] = []
        self.ended: list[tuple[int, int, float]] = []
        self.crew = Crew(
            count,
            lambda _: ORDERS,
            lambda number, events: self.events.append((number, events)),
            lambda *told: self.ended.append(told),
            self.workers.start,
        )

    @property
    def started(self) -> list[FakeProcess]:
        return self.workers.started

    async def until_started(self, count: int) -> None:
        await until(lambda: len(self.started) == count and self.started[-1].orders)

    async def settle(self) -> None:
        await self.crew.end(0.1)
        await asyncio.gather(*(process.running for process in self.started), *self.workers.closing)


@asynccontextmanager
async def running(count: int = 2) -> AsyncIterator[Run]:
    run = Run(count)
    await asyncio.wait_for(run.crew.begin(), 5)
    await until(lambda: len(run.crew.gauges()) == count)
    yield run
    await run.settle()


async def test_all_are_started_get_their_orders_and_end(lines: list[tuple[Any, ...]]) -> None:
    async with running(3) as run:
        assert [process.orders for process in run.started] == [ORDERS] * 3
        assert [*run.crew.gauges()] == [0, 1, 2]
    assert [process.signals for process in run.started] == [[signal.SIGTERM]] * 3
    assert sorted(lines) == [("worker_ready", 1, 1000), ("worker_ready", 2, 1001), ("worker_ready", 3, 1002)]
    assert run.ended == []


async def test_those_that_do_not_end_are_killed() -> None:
    async with running() as run:
        run.workers.is_deaf = True
    assert [process.signals for process in run.started] == [[signal.SIGTERM, signal.SIGKILL]] * 2


async def test_one_that_dies_even_then_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LAST_EVENTS", 0.05)
    async with running(1) as run:
        process = run.started[0]
        monkeypatch.setattr(process, "send_signal", process.signals.append)
        await run.crew.end(0.01)
        assert process.signals == [signal.SIGTERM, signal.SIGKILL]
        process.exit(-9)


async def test_none_is_started_when_it_ends_before_it_has_begun() -> None:
    run = Run(1)
    await run.settle()
    assert run.started == []


async def test_one_that_is_just_being_started_ends_too() -> None:
    run = Run(1)
    beginning = asyncio.ensure_future(run.crew.begin())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await run.settle()
    beginning.cancel()
    assert all(process.signals == [signal.SIGTERM] for process in run.started)


async def test_one_that_dies_is_started_again_with_longer_and_longer_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.03)
    async with running() as run:
        for count in range(3, 7):
            run.started[-1].exit(-9)
            await run.until_started(count)
        assert [(code, again_in) for _, code, again_in in run.ended] == [(-9, 0.01), (-9, 0.02), (-9, 0.03), (-9, 0.03)]
        monkeypatch.setattr(module, "STEADY", 0.0)
        run.started[-1].exit(1)
        await until(lambda: len(run.started) == 7)
        assert run.ended[-1][1:] == (1, 0.01), "it had been there for long"
        run.started[-1].exit(1)
        await until(lambda: len(run.ended) == 6)


async def test_one_that_cannot_be_started_is_tried_again(lines: list[tuple[Any, ...]]) -> None:
    run = Run(1)
    failure = OSError("no more processes")
    run.workers.failures.append(failure)
    await asyncio.wait_for(run.crew.begin(), 5)
    assert run.ended == [(0, 1, 0.01)]
    assert ("bug", "worker", failure) in lines
    await run.settle()


async def test_what_they_tell_counts_also_when_it_is_their_last_word() -> None:
    async with running() as run:
        run.started[0].link.tell(["one"])
        run.started[1].link.tell(["two"])
        run.started[1].exit(-9)
        await until(lambda: len(run.events) == 2)
    assert sorted(run.events) == [(0, ["one"]), (1, ["two"])]


# ---------------------------------------------------------------------------------------- asking them


async def test_all_are_asked_also_one_that_is_being_started() -> None:
    async with running() as run:
        run.workers.answers["pid"] = lambda process: process.pid
        assert await run.crew.ask_all("pid") == [1000, 1001]
        run.started[0].exit(-9)
        await until(lambda: run.ended)
        assert await run.crew.ask_all("pid") == [1002, 1001]
        assert len(await run.crew.ask_any("pid")) >= 1


async def test_where_one_is_missing_for_long_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as run:
        monkeypatch.setattr(module, "PATIENCE", 0.05)
        monkeypatch.setattr(module, "FIRST_PAUSE", 0.2)
        run.workers.failures = [OSError() for _ in range(20)]
        run.started[0].exit(-9)
        await until(lambda: run.ended)
        with pytest.raises(ProxyError, match=r"^not all workers run"):
            await run.crew.ask_all("pid")


async def test_who_answers_is_enough_for_some_questions() -> None:
    async with running() as run:

        def answer(process: FakeProcess) -> int:
            if process is run.started[0]:
                raise ProxyError("no")
            return process.pid

        run.workers.answers["pid"] = answer
        assert await run.crew.ask_any("pid") == [1001]
        with pytest.raises(ProxyError, match=r"^no$"):
            await run.crew.ask_one("pid")
        for member in run.crew._members.values():
            member.ready.clear()
        assert await run.crew.ask_any("pid") == []
        with pytest.raises(ProxyError, match=r"^no worker runs"):
            await run.crew.ask_one("pid")


async def test_one_that_does_not_go_along_is_exchanged(lines: list[tuple[Any, ...]]) -> None:
    async with running() as run:

        def answer(process: FakeProcess, _: bytes) -> None:
            if process is run.started[0]:
                raise ProxyError("switch.default: is missing")

        run.workers.answers["reload"] = answer
        await run.crew.exchange("reload", b"")
        await until(lambda: len(run.started) == 3)
        assert [process.signals for process in run.started] == [[signal.SIGTERM], [], []]
        assert [str(line[2]) for line in lines if line[0] == "bug"] == ["switch.default: is missing"]


# ---------------------------------------------------------------------------------------- looking after them


@pytest.mark.parametrize(("is_enabled", "ended_by"), [(True, signal.SIGABRT), (False, signal.SIGKILL)])
async def test_one_that_gives_no_sign_of_life_is_ended(
    monkeypatch: pytest.MonkeyPatch, *, is_enabled: bool, ended_by: int
) -> None:
    monkeypatch.setattr(faulthandler, "is_enabled", lambda: is_enabled)
    async with running() as run:
        silent, living = (run.crew._members[number] for number in range(2))
        silent.heard = living.heard = almost = time.monotonic() - module.SILENCE + 3
        run.started[1].link.tell([])
        await until(lambda: living.heard > almost)
        silent.heard = time.monotonic() - module.SILENCE - 0.1
        await until(lambda: run.ended)
        assert run.started[0].signals == [ended_by]
        assert run.started[1].signals == []


async def test_a_process_gets_its_end_of_the_link_and_the_socket(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    command = tmp_path / "python"
    command.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/said; ls /proc/self/fd >> {tmp_path}/said\n', encoding="utf-8"
    )
    command.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(command))
    one, other = socket.socketpair()
    with one, other:
        for descriptor in (None, other.fileno()):
            process = await start_worker(one.fileno(), descriptor)
            assert await process.wait() == 0
            said, *descriptors = (tmp_path / "said").read_text(encoding="utf-8").splitlines()
            assert said == f"-P -m proxy.workers {one.fileno()}"
            assert (str(other.fileno()) in descriptors) is (descriptor is not None)
            assert str(one.fileno()) in descriptors
