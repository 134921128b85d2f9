"""Workers that are no processes: tasks of the test, that answer as they are told."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from typing import Any

from proxy.breaker import State
from proxy.gauges import Gauges, OneSource
from proxy.workers.link import Link
from proxy.workers.worker import Orders, Ready


def gauges(**changed: Any) -> Gauges:
    known: dict[str, Any] = {
        "version": "1", "deadline": 1.5, "rules": [], "flights": 1, "cached": 2, "cache_size": 10, "dialogues": 3,
        "sources": {"crm": OneSource(State.CLOSED, State.CLOSED, 1, 100)}, "connections": {"switch": 4},
        "connections_most": 5, "journal": 0, "configured_at": 1.0, "snapshot_at": None, "is_refused": False,
    }  # fmt: skip
    return Gauges(**{**known, **changed})


class FakeProcess:
    """A worker: it begins with its orders, and ends by a signal, unless it is deaf to that."""

    def __init__(self, crew: "FakeWorkers", descriptor: int) -> None:
        self._crew = crew
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._end = socket.socket(fileno=os.dup(descriptor))
        self.pid = 1000 + len(crew.started)
        self.signals: list[int] = []
        self.orders: Orders | None = None
        self.asked: list[Any] = []
        self._is_linked = asyncio.Event()
        self.running = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        self.link = await Link.over(self._end)
        self._is_linked.set()
        try:
            self.orders = await self.link.first()
        except EOFError:
            return
        if self._crew.is_ready:
            self.be_ready()
        await self.link.run(lambda _: None, self._answer)

    def be_ready(self) -> None:
        self.link.tell(Ready())
        self.link.tell(self._crew.gauges)

    async def _answer(self, what: str, *arguments: Any) -> Any:
        self.asked.append((what, *arguments))
        return await self._crew.answer(self, what, *arguments)

    async def wait(self) -> int:
        return await asyncio.shield(self._code)

    def send_signal(self, signal_number: int) -> None:
        if self._code.done():
            raise ProcessLookupError
        self.signals.append(signal_number)
        if signal_number == signal.SIGKILL or not self._crew.is_deaf:
            self.exit(-signal_number)

    def exit(self, code: int) -> None:
        if not self._code.done():
            self._code.set_result(code)
            self._crew.closing.append(asyncio.ensure_future(self._leave()))

    async def _leave(self) -> None:
        await self._is_linked.wait()
        await self.link.close(1)


class FakeWorkers:
    """Starts them, and has all that were started."""

    def __init__(self) -> None:
        self.started: list[FakeProcess] = []
        self.closing: list[asyncio.Future[None]] = []
        self.is_ready = True
        self.is_deaf = False
        self.gauges = gauges()
        self.failures: list[OSError] = []
        self.answers: dict[str, Callable[..., Any]] = {}

    async def start(self, descriptor: int, _: int | None) -> Any:
        if self.failures:
            raise self.failures.pop()
        self.started.append(FakeProcess(self, descriptor))
        await asyncio.sleep(0)
        return self.started[-1]

    async def answer(self, process: FakeProcess, what: str, *arguments: Any) -> Any:
        return self.answers[what](process, *arguments)


async def until(condition: Callable[[], object]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not come about")
