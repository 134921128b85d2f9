"""Answers the switch by several workers, and the operator by itself."""

import asyncio
import socket
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from proxy import detached, tracing
from proxy.app import LAST_MOMENTS, Server
from proxy.config.load import Configuration, load
from proxy.deployment import Deployment
from proxy.detached import detach
from proxy.journal import Answered
from proxy.model import Asked
from proxy.upstream import Guarded
from proxy.web.sockets import hold, inherited_socket
from proxy.web.switch import SLACK
from proxy.workers.crew import Crew
from proxy.workers.together import Together
from proxy.workers.worker import EVERY, Again, Event, Orders


class Supervisor(Server):
    """A server whose calls are answered by others. It reads the TOML, which they get from it, and asks no source.

    `content` is what was in the file when the configuration was read.
    """

    def __init__(self, configuration: Configuration, file: Path, content: bytes, workers: int) -> None:
        super().__init__(configuration, lambda: load(file, self._content))
        self._file, self._content = file, content
        self._taken: bytes | None = content
        """Of which file the configuration is that counts"""
        self._crew = Crew(workers, self._orders, self._count, self._worker_ended)
        self.operation = Together(self.deployment, self._watch, self._keeper, self._crew)
        self._listen_at = ("", 0)
        self._inherited: socket.socket | None = None
        self._held: asyncio.Server | None = None
        self._left_alone: defaultdict[str, dict[int, str]] = defaultdict(dict)
        """Why which workers leave a source alone"""

    async def start(self, listen: tuple[str, int]) -> int:
        """Start the workers, and wait until all answer calls. Returns the port; raises OSError."""
        self._inherited = inherited_socket()
        if self._inherited is None:
            self._held = await hold(listen)
            port: int = self._held.sockets[0].getsockname()[1]
        else:
            port = self._inherited.getsockname()[1]
        self._listen_at = listen[0], port
        await self._crew.begin()
        if (at := self.deployment.settings.admin.listen) is not None:
            detach(self._listen_to_the_operator(at))
        return port

    async def stop(self) -> None:
        """Have the workers answer the calls that are waiting, and end when they have."""
        self._stopping.set()
        await self._crew.end(self.deployment.settings.switch.deadline + LAST_MOMENTS)
        if self._runners:
            cleaning = {detach(runner.cleanup()) for runner in self._runners}
            await asyncio.wait(cleaning, timeout=0.05)
        if self._inherited is not None:
            self._inherited.close()
        if self._held is not None:
            self._held.close()
        await detached.finish(0.05)
        await tracing.finish(0.05)
        self._reading.shutdown(wait=False)

    async def _change(self, configuration: Configuration) -> None:
        self._taken = self._content
        self.deployment = Deployment(configuration)
        self.operation.change(self.deployment)
        await self._crew.exchange("reload", self._taken)

    def _orders(self, worker: int) -> Orders:
        assert self._file is not None  # noqa: S101 - for the type checker: it is given
        descriptor = self._inherited.fileno() if self._inherited else None
        return Orders(self._file, self._taken, self._listen_at, descriptor, keeps_snapshot=worker == 0)

    def _count(self, worker: int, events: Sequence[Event]) -> None:
        """Count what has happened in a worker, and keep its calls."""
        now, figures = time.monotonic(), self.operation.figures
        for event in events:
            match event:
                case Answered():
                    figures.count_call(event, self.deployment.settings.switch.deadline + SLACK, now)
                    self._keep(event)
                case Again():
                    figures.count_repetitions(event.counted, now)
                    for answered in event.last:
                        self._keep(answered)
                case Asked():
                    figures.count_source(event, now)
                case Guarded():
                    self._note(worker, event.source, event.reason)
                case _:
                    figures.events[event] += 1

    def _keep(self, answered: Answered) -> None:
        answered = replace(answered, routing=self.deployment.router.routing_of(answered.call))
        ago = (datetime.now(UTC) - answered.at).total_seconds()
        self.operation.journal.add(answered, max(EVERY, ago))  # as a clock may be put back

    def _note(self, worker: int, source: str, reason: str) -> None:
        """Take note of why a worker leaves a source alone, or that it asks it again: then another's reason counts."""
        reasons = self._left_alone[source]
        reasons[worker] = reason
        reason = next(filter(None, reasons.values()), "")
        self.operation.figures.note_guarded(source, reason, time.monotonic())

    def _worker_ended(self, worker: int, code: int, again_in: float) -> None:
        for source in self._left_alone:
            self._note(worker, source, "")
        self._watch.worker_ended(worker + 1, code, again_in)
