"""A process that answers the switch, one of several."""

import asyncio
import gc
import logging
import math
import os
import signal
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from proxy import logs, tracing
from proxy.app import Server, Start, new_loop, serve
from proxy.config.load import Configuration, load
from proxy.detached import detach
from proxy.errors import ProxyError
from proxy.figures import Repetitions
from proxy.journal import Answered, Given, time_of
from proxy.keeping import Keeper
from proxy.model import Asked
from proxy.observing import Watch
from proxy.snapshot import Snapshot
from proxy.upstream import Guarded
from proxy.web.sockets import shared_site
from proxy.workers.link import Link

EVERY = 0.2
"""Seconds after which events are told."""

GAUGED = 5
"""Times that events are told, for each time that the gauges are."""

LAST_WORDS = 0.2
"""Seconds in which the last events are told."""

MOST_TOLD = 20
"""Answers that were given again, of those between two times; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Again:
    """Answers that were given again."""

    counted: Repetitions
    last: Sequence[Answered]
    """The last of them, without their routing"""


Event = Answered | Again | Asked | Guarded | str
"""What is counted: calls without their routing, what sources have said, and other things by name."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker needs to begin."""

    file: Path
    content: bytes | None
    """What is in the file, as the supervisor has read it"""
    listen: tuple[str, int]
    descriptor: int | None = None
    """Of a socket that listens already, for all workers"""
    keeps_snapshot: bool = True


@dataclass(frozen=True, slots=True)
class Ready:
    """Calls are answered."""


class Forwarding(Watch):
    """Writes lines of calls and sources, and keeps what is to be counted until it is told."""

    def __init__(self) -> None:
        super().__init__(lambda: math.inf)
        self.events: list[Event] = []
        self._repetitions = Repetitions()
        self._last = deque[tuple[Given, datetime]](maxlen=MOST_TOLD)
        self.refused: Sequence[str] = ()

    def calls_answered(self, given: Sequence[Answered]) -> Sequence[str]:
        self.events += [replace(answered, routing=None) for answered in given]
        return logs.calls_answered(given)

    def calls_repeated(self, given: Sequence[Given], since: float) -> None:
        logs.calls_repeated(given)
        self._repetitions.add(given)
        at = time_of(since)
        self._last += ((one, at) for one in given[-MOST_TOLD:])

    def taken(self) -> list[Event]:
        """Return what is to be told, and have nothing left."""
        events, self.events = self.events, []
        if self._last:
            last = [
                replace(repeated.answered(seconds, at, call_id), routing=None)
                for (repeated, seconds, call_id), at in self._last
            ]
            events.append(Again(self._repetitions, last))
            self._repetitions = Repetitions()
            self._last.clear()
        return events

    def source_asked(self, asked: Asked) -> None:
        logs.source_asked(asked)
        self.events.append(asked)

    def source_guarded(self, guarded: Guarded) -> None:
        logs.source_guarded(guarded)
        self.events.append(guarded)

    def snapshot_failed(self, exc: ProxyError) -> None:
        logs.snapshot_failed(exc)
        self.events.append("snapshot_failed")

    def bug(self, where: str, exc: BaseException) -> None:
        logs.bug(where, exc)
        self.events.append("bug")

    def reloaded(self, sources: int, rules: int) -> None:
        """Leave that to the supervisor, as what follows."""

    def reload_refused(self, problems: Sequence[str]) -> None:
        self.refused = problems

    def erased(self, *, was_known: bool) -> None:
        pass

    def invalidated(self, count: int, *, everything: bool) -> None:
        pass


class Reading(Keeper):
    """Takes up a snapshot that another worker writes. It holds it: whoever erases must know that it is in use."""

    async def change(self, snapshot: Snapshot | None) -> None:
        await super().change(snapshot)
        self._left.clear()  # it is the other one's to remove

    async def write(self, *, anyway: bool = False) -> bool:  # noqa: ARG002 - the signature is the keeper's
        return False


class Worker(Server):
    """A server that does what the supervisor says, and leaves the operator to him."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self.watch = Forwarding()
        super().__init__(self._read(), self._read, self.watch, Keeper if orders.keeps_snapshot else Reading)
        self._is_started = asyncio.Event()
        self._lost = 0

    async def start(self, listen: tuple[str, int]) -> int:
        try:
            return await super().start(listen)
        except OSError as exc:
            raise ProxyError(f"cannot listen at {listen[0]}:{listen[1]} ({exc.strerror or exc})") from exc
        finally:
            self._is_started.set()

    async def answer(self, what: str, *arguments: Any) -> Any:  # noqa: ANN401 - whatever is asked
        """Do what the operator wants, or go on with another TOML. Raises ProxyError."""
        await self._is_started.wait()  # what is taken up at the start must not come back after an erase
        if what != "reload":
            return await getattr(self.operation, what)(*arguments)
        self._orders = replace(self._orders, content=arguments[0])
        await self.reload()
        if self.operation.is_refused:
            raise ProxyError("; ".join(self.watch.refused))
        return None

    async def report(self, link: Link) -> None:
        """Tell events and gauges, again and again."""
        while True:
            for _ in range(GAUGED):
                await asyncio.sleep(EVERY)
                self.tell_events(link)
            link.tell(self.operation.gauges(with_rules=False))  # which the supervisor knows, and calls would wait for

    def tell_events(self, link: Link) -> None:
        """Tell what has happened since the last time; what cannot be told is missing in the figures."""
        events = self.watch.taken()
        if not events:
            return
        if not link.tell(events):
            self._lost += sum(each.counted.kinds.total() if isinstance(each, Again) else 1 for each in events)
        elif self._lost:
            logs.events_lost(self._lost)
            self._lost = 0

    def _read(self) -> Configuration:
        orders = self._orders
        return replace(load(orders.file, orders.content), warnings=())  # the supervisor has told of them

    def _site(self, runner: web.BaseRunner, listen: tuple[str, int]) -> web.BaseSite:
        return shared_site(runner, listen, self._orders.descriptor)

    async def _listen_to_the_operator(self, at: tuple[str, int]) -> None:
        pass


async def work(end: socket.socket) -> None:
    """Answer the switch until SIGTERM, or until the supervisor is gone. Raises ProxyError when it cannot begin."""
    asyncio.get_running_loop().set_exception_handler(logs.loop_error)
    link = await Link.over(end)
    try:
        await _obey(await link.first(), link)
    finally:
        await link.close(LAST_WORDS)


async def _obey(orders: Orders, link: Link) -> None:
    worker = Worker(orders)
    gc.enable()  # all is loaded

    def ready(_: int) -> None:
        link.tell(Ready())
        link.tell(worker.operation.gauges(with_rules=False))
        detach(worker.report(link))

    async def answer(what: str, *arguments: Any) -> Any:  # noqa: ANN401 - whatever is asked
        done = await worker.answer(what, *arguments)
        worker.tell_events(link)  # calls before an erase are known before it is known to be done
        return done

    async def do_as_told() -> None:
        await link.run(lambda _: None, answer)
        signal.raise_signal(signal.SIGTERM)

    detach(do_as_told())
    try:
        await serve(Start(worker.deployment.configuration, orders.listen, ready), worker)
    finally:
        worker.tell_events(link)


def main(arguments: Sequence[str]) -> None:
    """Work, and leave, also when a driver's thread still hangs."""
    logs.set_up()
    tracing.set_up()
    code = 0
    try:
        new_loop().run_until_complete(work(socket.socket(fileno=int(arguments[0]))))
    except EOFError:  # the supervisor is gone
        code = 1
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - the supervisor starts another one
        logs.bug("worker", exc)
        code = 1
    for handler in logging.getLogger().handlers:
        handler.flush()
    os._exit(code)
