"""Calls: so many a second whatever becomes of them, all at once, or as fast as they go; over kept connections."""

import asyncio
import json
import math
import random
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Self
from urllib.parse import quote

from proxy.detached import detach
from proxy.target import Target
from tests.e2e.running import answers_in

PATIENCE = 30.0
"""Seconds until a call counts as lost"""


def number(place: int) -> str:
    """Return the so-manieth of ten million made-up callers."""
    return f"0532{place:07}"


def question(caller: str) -> bytes:
    """Return what the switch sends for a caller."""
    return f"GET /musteri.json?telefon={quote(caller)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of a call. The status is 0 when there was no answer."""

    status: int
    body: bytes
    seconds: float
    """From when it was sent, or its connection was begun"""

    @property
    def said(self) -> dict[str, Any]:
        return _said(self.body)

    @property
    def target(self) -> str:
        return str(self.said.get("target", ""))

    @property
    def is_good(self) -> bool:
        """Whether it is 200 with a valid target."""
        return self.status == 200 and _is_target(self.target)


def bad_ones(heard: Iterable[Heard]) -> int:
    """Return how many calls have no good answer."""
    return sum(not one.is_good for one in heard)


def slowest(heard: Iterable[Heard]) -> float:
    return max((one.seconds for one in heard), default=0.0)


def p99(heard: Iterable[Heard]) -> float:
    return _percentiles([one.seconds for one in heard])[98]


def in_ms(heard: Sequence[Heard]) -> str:
    """Return the times of calls for a person to read."""
    parts = _percentiles([one.seconds for one in heard])
    return f"p50 {parts[49] * 1000:.0f}, p99 {parts[98] * 1000:.0f}, max {slowest(heard) * 1000:.0f} ms"


async def best_of_three(switch: "Switch", rate: float, callers: Sequence[str], enough: float) -> list[Heard]:
    """Call at a rate, and again where p99 is not below `enough` seconds; return the round with the best p99.

    What disturbs for a moment is no slowness of the server; what is slow is so each time.
    """
    rounds = []
    for _ in range(3):
        rounds.append(await switch.at_rate(rate, callers))
        if p99(rounds[-1]) <= enough:
            break
    return min(rounds, key=p99)


class Switch:
    """Calls a server at a port. As a context it hangs up at the end."""

    def __init__(self, port: int) -> None:
        self.lag = 0.0
        """Seconds by which the latest call was sent later than it should have been: this process was busy"""
        self._port = port
        self._idle: list[_Line] = []
        self._lines: set[_Line] = set()

    @property
    def open(self) -> int:
        """How many connections it has."""
        return len(self._lines)

    @property
    def under_way(self) -> int:
        """How many calls are sent, and not answered yet."""
        return sum(line.is_asked for line in self._lines)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for line in [*self._lines]:
            line.hang_up()
        await asyncio.sleep(0)

    async def call(self, caller: str) -> Heard:
        return await self.ask(question(caller))

    async def ask(self, packet: bytes) -> Heard:
        """Send a request, and wait for the answer."""
        started = time.perf_counter()
        try:
            line = self._idle.pop() if self._idle else await self._connected()
            answer = await asyncio.wait_for(line.ask(packet), PATIENCE)
            if line.is_open:
                self._idle.append(line)
            status, _, body = next(answers_in(answer))
        except (OSError, EOFError, TimeoutError, ValueError, StopIteration):
            status, body = 0, b""
        return Heard(status, body, time.perf_counter() - started)

    async def at_rate(self, rate: float, callers: Iterable[str]) -> list[Heard]:
        """Call so often a second, whether there are answers or not, and return what is heard in the same order."""
        began, calls = time.perf_counter(), []
        for place, caller in enumerate(callers):
            early = began + place / rate - time.perf_counter()
            if early > 0:
                await asyncio.sleep(early)
            self.lag = max(self.lag, time.perf_counter() - began - place / rate)
            calls.append(detach(self.call(caller)))
        return list(await asyncio.gather(*calls))

    async def at_once(self, callers: Iterable[str]) -> list[Heard]:
        """Call all at the same time, each on a connection of its own."""
        return list(await asyncio.gather(*(detach(self.call(caller)) for caller in callers)))

    async def flat_out(self, callers: Iterable[str], lines: int = 16) -> list[Heard]:
        """Call as fast as answers come, on so many connections."""
        left, heard = iter(callers), list[Heard]()

        async def go_on() -> None:
            for caller in left:
                heard.append(await self.call(caller))

        await asyncio.gather(*(detach(go_on()) for _ in range(lines)))
        return heard

    async def _connected(self) -> "_Line":
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(lambda: _Line(self._lost), "127.0.0.1", self._port)
        self._lines.add(line)
        return line

    def _lost(self, line: "_Line") -> None:
        self._lines.discard(line)
        if line in self._idle:
            self._idle.remove(line)


class _Line(asyncio.Protocol):
    """One connection, for one call after another."""

    def __init__(self, on_lost: Any) -> None:
        self.is_open = True
        self._on_lost = on_lost
        self._received = b""
        self._answer: asyncio.Future[bytes] | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    @property
    def is_asked(self) -> bool:
        """Whether an answer is waited for."""
        return self._answer is not None and not self._answer.done()

    def ask(self, packet: bytes) -> "asyncio.Future[bytes]":
        self._answer = asyncio.get_running_loop().create_future()
        if self.is_open:
            self._transport.write(packet)
        else:
            self._answer.set_exception(ConnectionResetError())
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        if not blank:
            return
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        if len(body) < length:
            return
        answer, self._received = self._received, b""
        if b"connection: close" in head.lower():
            self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._on_lost(self)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())

    def hang_up(self) -> None:
        self._transport.abort()


class Pipeline(asyncio.Protocol):
    """A connection on which many calls are sent before their answers are waited for; it only counts these."""

    MARKS = (b"HTTP/1.1 200 OK", b'"target":')

    def __init__(self) -> None:
        self.answers = 0
        """Those with status 200 and a target"""
        self._counts = dict.fromkeys(self.MARKS, 0)
        self._tail = b""
        self._wanted = 0
        self._enough: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    async def ask(self, packets: Sequence[bytes]) -> None:
        """Send requests, and wait until all are answered. Raises OSError."""
        self._wanted += len(packets)
        self._enough = asyncio.get_running_loop().create_future()
        self._transport.write(b"".join(packets))
        await asyncio.wait_for(self._enough, PATIENCE)

    def data_received(self, data: bytes) -> None:
        seen = self._tail + data
        for mark in self.MARKS:
            self._counts[mark] += seen.count(mark) - self._tail.count(mark)
        self._tail = seen[-max(map(len, self.MARKS)) + 1 :]
        self.answers = min(self._counts.values())
        if self._enough is not None and not self._enough.done() and self.answers >= self._wanted:
            self._enough.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._enough is not None and not self._enough.done():
            self._enough.set_exception(ConnectionResetError())

    def hang_up(self) -> None:
        self._transport.abort()


async def pour(
    port: int, packets: Iterable[bytes], seconds: float = math.inf, lines: int = 2, at_once: int = 100
) -> tuple[int, int]:
    """Send requests as fast as they are answered, but not for longer, and return how many were, and got 200.

    Each connection has so many of them under way.
    """
    loop, left, sent = asyncio.get_running_loop(), iter(packets), 0
    until = time.monotonic() + seconds
    pipelines = [(await loop.create_connection(Pipeline, "127.0.0.1", port))[1] for _ in range(lines)]

    async def go_on(pipeline: Pipeline) -> None:
        nonlocal sent
        while time.monotonic() < until and (part := list(islice(left, at_once))):
            sent += len(part)
            await pipeline.ask(part)

    try:
        await asyncio.gather(*(detach(go_on(pipeline)) for pipeline in pipelines))
    finally:
        for pipeline in pipelines:
            pipeline.hang_up()
        await asyncio.sleep(0)
    return sent, sum(pipeline.answers for pipeline in pipelines)


def garbage(seed: int) -> Iterator[str]:
    """Yield texts in the place of a caller's number, none of which is one, for ever."""
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    letters = "abcdefghijklmnopqrstuvwxyzçğıöşüéٱ"
    while True:
        digits = str(chance.randrange(10**9, 10**10))
        yield chance.choice((
            f"0532{chance.choice(letters)}{digits[:7]}",
            digits * chance.randrange(2, 8),
            f"' OR {digits}=1 --",
            f"{chance.choice(letters)}{digits}\r\nX-Evil: {digits}",
            "".join(chr(0x660 + int(digit)) for digit in digits),
            f"../{digits}/{chance.choice(letters)}",
            f"\x00{digits}\uffff",
            f"{digits}<b>{chance.choice(letters)}",
            "".join(chance.choices(letters, k=chance.randrange(1, 40))),
        ))  # fmt: skip


def _percentiles(seconds: Sequence[float]) -> list[float]:
    if len(seconds) < 2:
        return [*seconds, 0.0][:1] * 99
    return statistics.quantiles(seconds, n=100, method="inclusive")


@lru_cache(maxsize=100_000)
def _is_target(text: str) -> bool:
    try:
        return str(Target.parse(text)) == text
    except ValueError:
        return False


def _said(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
