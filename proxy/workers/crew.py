"""So many workers at all times: started, started again when they end, and ended in time."""

import asyncio
import faulthandler
import signal
import socket
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from proxy import logs
from proxy.detached import detach
from proxy.errors import ProxyError
from proxy.gauges import Gauges
from proxy.workers.link import PATIENCE, Link
from proxy.workers.worker import Event, Orders, Ready

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0
"""Seconds before a worker that has ended is started again: the first time, and doubled each time up to the most."""

STEADY = 10.0
"""Seconds after which a worker that ends counts as one that ends for the first time."""

SILENCE = 10.0
"""Seconds without a sign of life from a worker after which it is ended."""

LAST_EVENTS = 1.0
"""Seconds in which what a worker has told before its end is taken note of."""


@dataclass(slots=True)
class Member:
    """One worker that runs."""

    process: Process
    link: Link
    heard: float
    """When it has told something last, in seconds of `time.monotonic`"""
    gauges: Gauges | None = None
    """The last that it has told; None before it answers calls"""
    ready: asyncio.Event = field(default_factory=asyncio.Event)


class Crew:
    """Keeps workers running.

    `orders` returns those of a worker by its number, `events` is told of what has happened in it, and `ended` of its
    end, with its exit code and the seconds until it is started again.
    """

    def __init__(
        self,
        count: int,
        orders: Callable[[int], Orders],
        events: Callable[[int, Sequence[Event]], None],
        ended: Callable[[int, int, float], None],
        start: Callable[[int, int | None], Awaitable[Process]] | None = None,
    ) -> None:
        self._count = count
        self._orders = orders
        self._events = events
        self._ended = ended
        self._start = start or start_worker
        self._members: dict[int, Member] = {}
        self._hiring = asyncio.Lock()
        """Held while workers are started, and while all of them are asked something: nobody is left out"""
        self._were_ready: set[int] = set()
        self._all_ready = asyncio.Event()
        self._keeping: list[asyncio.Task[None]] = []
        self._is_ending = False

    async def begin(self) -> None:
        """Start all, and wait until each has answered calls."""
        self._keeping = [detach(self._keep(number)) for number in range(self._count)]
        detach(self._look_after())
        await self._all_ready.wait()

    def gauges(self) -> Mapping[int, Gauges]:
        """Return how everything is in each worker that answers calls, by its number."""
        return {number: member.gauges for number, member in sorted(self._members.items()) if member.gauges is not None}

    async def ask_all(self, what: str, *arguments: object) -> list[Any]:
        """Return the answers of all workers; one that is being started is waited for. Raises ProxyError."""
        until = time.monotonic() + PATIENCE
        while True:
            async with self._hiring:
                if len(self._members) == self._count:
                    members = [self._members[number] for number in range(self._count)]
                    return await asyncio.gather(*(member.link.ask(what, *arguments) for member in members))
            if self._is_ending or time.monotonic() > until:
                raise ProxyError("not all workers run - allowed: to ask again, when the log says worker_ready")
            await asyncio.sleep(FIRST_PAUSE)

    async def ask_any(self, what: str, *arguments: object) -> list[Any]:
        """Return the answers of those who answer calls now, and can tell."""
        answering = [member.link.ask(what, *arguments) for member in self._members.values() if member.ready.is_set()]
        answers = await asyncio.gather(*answering, return_exceptions=True)
        return [answer for answer in answers if not isinstance(answer, BaseException)]

    async def ask_one(self, what: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever was asked for
        """Return the answer of one that answers calls. Raises ProxyError."""
        for member in self._members.values():
            if member.ready.is_set():
                return await member.link.ask(what, *arguments)
        raise ProxyError("no worker runs - allowed: to ask again, when the log says worker_ready")

    async def exchange(self, what: str, *arguments: object) -> None:
        """Ask each worker something; one that does not do it is ended, and the next one begins with its new orders."""

        async def ask(member: Member) -> None:
            try:
                await member.link.ask(what, *arguments)
            except ProxyError as exc:
                logs.bug("worker", exc)
                _send(member, signal.SIGTERM)

        async with self._hiring:
            await asyncio.gather(*map(ask, self._members.values()))

    async def end(self, seconds: float) -> None:
        """Have all workers end, and kill those that have not after so many seconds."""
        self._is_ending = True
        for member in self._members.values():
            _send(member, signal.SIGTERM)
        if self._keeping:
            _, left = await asyncio.wait(self._keeping, timeout=seconds)
            for member in self._members.values():
                _send(member, signal.SIGKILL)
            if left:
                await asyncio.wait(left, timeout=LAST_EVENTS)

    async def _keep(self, number: int) -> None:
        pause = FIRST_PAUSE
        while not self._is_over():
            began = time.monotonic()
            try:
                async with self._hiring:
                    member = await self._hire(number)
                code = await self._ends(number, member)
            except OSError as exc:  # no more processes, or descriptors
                logs.bug("worker", exc)
                code = 1
            if self._is_over():
                return
            if time.monotonic() - began > STEADY:
                pause = FIRST_PAUSE
            self._ended(number, code, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _is_over(self) -> bool:
        return self._is_ending

    async def _ends(self, number: int, member: Member) -> int:
        """Take note of what a worker tells until it ends, and return its exit code."""
        listening = detach(member.link.run(lambda told: self._hear(number, member, told), _answer_nothing))
        code = await member.process.wait()
        await asyncio.wait({listening}, timeout=LAST_EVENTS)
        await member.link.close(0)
        del self._members[number]
        return code

    async def _hire(self, number: int) -> Member:
        orders = self._orders(number)
        mine, others = socket.socketpair()
        with others:
            link = await Link.over(mine)
            try:
                process = await self._start(others.fileno(), orders.descriptor)
            except OSError:
                await link.close(0)
                raise
        member = self._members[number] = Member(process, link, time.monotonic())
        member.link.tell(orders)
        if self._is_ending:
            _send(member, signal.SIGTERM)
        return member

    def _hear(self, number: int, member: Member, told: Any) -> None:  # noqa: ANN401 - whatever a worker tells
        member.heard = time.monotonic()
        match told:
            case Ready():
                logs.worker_ready(number + 1, member.process.pid)
                member.ready.set()
                self._were_ready.add(number)
                if len(self._were_ready) == self._count:
                    self._all_ready.set()
            case Gauges():
                member.gauges = told
            case _:
                self._events(number, told)

    async def _look_after(self) -> None:
        """End a worker that answers no calls any more, as code of an adapter holds everything up."""
        while True:
            await asyncio.sleep(SILENCE / 10)
            for member in self._members.values():
                silent = time.monotonic() - member.heard
                if member.ready.is_set() and silent > SILENCE:
                    is_told = faulthandler.is_enabled() and silent < SILENCE * 1.5
                    _send(member, signal.SIGABRT if is_told else signal.SIGKILL)  # the former writes where it is stuck


async def start_worker(link: int, descriptor: int | None) -> Process:
    """Start a process with its end of a link, and the socket at which all answer if there is one."""
    passed = [link] if descriptor is None else [link, descriptor]
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "proxy.workers", str(link), pass_fds=passed, start_new_session=True
    )


async def _answer_nothing(*_: object) -> None:
    """Workers ask nothing."""


def _send(member: Member, signal_number: int) -> None:
    with suppress(ProcessLookupError):
        member.process.send_signal(signal_number)
