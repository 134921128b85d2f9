"""Who asks: wrk where it is installed, or else a loop of ours; and one that asks at a rate, whatever is answered."""

import os
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count, islice
from pathlib import Path
from statistics import quantiles

from tests.bench.machine import DEBIAN, environment

CONNECTIONS = 32
MOST = 900
"""Connections at a rate: a server that is too slow for it is asked late, which counts as its time"""
PATIENCE = 30.0
"""Seconds until an answer counts as lost"""

TOKEN = "made-up-made-up-made-up"
PATH = f"/{TOKEN}/musteri.json"
CALLERS = 10_000

_runs = count(int(time.time()) % 10_000)


def number(place: int) -> str:
    """Return the so-manieth of ten million made-up callers."""
    return f"0530{place:07}"


def name(place: int) -> str:
    """Return what he is called; all names are of one length."""
    return f"Müşteri {place:07}"


@dataclass(frozen=True)
class Questions:
    """What is asked: callers in turn, or each of them once."""

    first: int = 0
    turn: int = CALLERS
    """So many callers from `first` on, and then again; 0: nobody calls twice"""
    fresh: int = 0
    """Every so-manieth is somebody who has not called before"""
    fresh_from: int = 0
    is_dialogue: bool = False
    """In the form of Santral Programlama, with another uuid each time"""
    closes: bool = False
    """A connection for each call"""
    run: int = field(default_factory=lambda: next(_runs))

    @property
    def packet(self) -> str:
        """What is sent, as a format of the question's place and its caller's, in Python's words and in Lua's."""
        uuid = f"uuid=%08x-{self.run % 65536:04x}-4000-8000-000000000000&cli=0530%07d&cld=08505321234&step=1"
        query = uuid if self.is_dialogue else "telefon=0530%07d"
        ending = "Connection: close\r\n\r\n" if self.closes else "\r\n"
        return f"GET {PATH}?{query} HTTP/1.1\r\nHost: x\r\n{ending}"

    def place(self, n: int) -> int:
        """Return who calls as the so-manieth."""
        if self.fresh and n % self.fresh == 0:
            return self.fresh_from + n // self.fresh
        return self.first + (n % self.turn if self.turn else n)

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        packet = self.packet
        for n in count():
            place = self.place(n)
            yield place, (packet % ((n, place) if self.is_dialogue else place)).encode()

    def lua(self) -> str:
        """Return the same for wrk."""
        packet = self.packet.replace("\r\n", "\\r\\n")
        turn = f"n % {self.turn}" if self.turn else "n"
        fresh = f"if n % {self.fresh} == 0 then place = {self.fresh_from} + math.floor(n / {self.fresh}) end"
        return f"""
local n = -1
request = function()
  n = n + 1
  local place = {self.first} + {turn}
  {fresh if self.fresh else ""}
  return string.format("{packet}", {"n, " if self.is_dialogue else ""}place)
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("SAW %d %d %d %d %d %d\\n", summary.requests, summary.duration, summary.bytes,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Heard:
    """What came of asking for some seconds. Times in seconds."""

    calls: int
    seconds: float
    wrong: int
    p50: float = 0.0
    p99: float = 0.0
    longest: float = 0.0
    size: float = 0.0
    """Bytes of an answer with its headers, on average"""
    lag: float = 0.0
    """By how much later than it should have been a question was sent, p99: who asks was busy"""


def wrk() -> str | None:
    """Return the path of wrk, if there is one."""
    return shutil.which("wrk", path=f"{DEBIAN}/usr/bin:{os.environ['PATH']}")


def flat_out(port: int, questions: Questions, seconds: float, folder: Path) -> Heard:
    """Ask on some connections at once, on each again as soon as it is answered."""
    program = wrk()
    if program is None:
        return ask(port, questions, seconds=seconds)
    script = folder / "questions.lua"
    script.write_text(questions.lua(), encoding="utf-8")
    told = subprocess.run(
        [program, "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", script, f"http://127.0.0.1:{port}"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    ).stdout
    line = next(line for line in told.splitlines() if line.startswith("SAW "))
    calls, took, size, wrong, p50, p99 = map(int, line.split()[1:])
    return Heard(calls, took / 1e6, wrong, p50 / 1e6, p99 / 1e6, 0.0, size / max(1, calls))


def ask(port: int, questions: Questions, *, calls: int | None = None, seconds: float = 1e9) -> Heard:
    """Do the same without wrk, and look at every answer: it must be of who has called."""
    poll, lines = select.epoll(), dict[int, _Line]()
    packets = iter(questions) if calls is None else islice(questions, calls)
    began = time.perf_counter()
    times, wrong, size = list[float](), 0, 0

    def go_on(line: _Line) -> None:
        question = next(packets, None)
        if question is None:
            line.close()
            return
        lines[line.descriptor] = line
        poll.register(line.descriptor, select.EPOLLIN)
        line.ask(*question)

    for _ in range(CONNECTIONS):
        go_on(_Line(port))
    while lines and time.perf_counter() < began + seconds:
        for descriptor, _ in poll.poll(PATIENCE):
            line = lines[descriptor]
            if line.has_answer():
                times.append(time.perf_counter() - line.since)
                wrong += not line.is_right()
                size += len(line.received)
                poll.unregister(descriptor)
                del lines[descriptor]
                if questions.closes or line.is_lost:
                    line.close()
                    line = _Line(port)
                go_on(line)
    for line in lines.values():
        line.close()
    poll.close()
    parts = quantiles(times, n=100, method="inclusive")
    took = time.perf_counter() - began
    return Heard(len(times), took, wrong, parts[49], parts[98], max(times), size / len(times))


def at_rate(port: int, questions: Questions, rate: float, seconds: float) -> Heard:
    """Ask so often a second, whatever becomes of it. Times count from when a question should have been sent."""
    idle, busy = [_Line(port) for _ in range(CONNECTIONS)], set[_Line]()
    total = int(rate * seconds)
    packets, sent = islice(questions, total), 0
    times, lags, wrong = list[float](), list[float](), 0
    began = time.perf_counter() + 0.05
    while (sent < total or busy) and time.perf_counter() < began + seconds + PATIENCE:
        may_ask = sent < total and (idle or len(busy) < MOST)
        while may_ask and (planned := began + sent / rate) <= (now := time.perf_counter()):
            line = idle.pop() if idle else _Line(port)
            line.ask(*next(packets))
            line.since = planned
            lags.append(now - planned)
            busy.add(line)
            sent += 1
            may_ask = sent < total and (idle or len(busy) < MOST)
        pause = max(0.0, began + sent / rate - time.perf_counter()) if may_ask else 1.0
        for line in select.select(busy, [], [], pause)[0]:
            if line.has_answer():
                times.append(time.perf_counter() - line.since)
                wrong += not line.is_right()
                busy.remove(line)
                idle.append(_Line(port) if line.is_lost else line)
    for line in (*idle, *busy):
        line.close()
    parts = quantiles(times, n=1000, method="inclusive")
    took = time.perf_counter() - began
    late = quantiles(lags, n=100, method="inclusive")[98]
    return Heard(len(times), took, wrong + total - len(times), parts[499], parts[989], max(times), 0.0, late)


def at_once(port: int, questions: Iterable[tuple[int, bytes]]) -> Heard:
    """Ask all at the same time, each on a connection of its own."""
    lines = []
    for place, packet in questions:
        lines.append(_Line(port))
        lines[-1].question = place, packet
    began = time.perf_counter()
    for line in lines:
        line.ask(*line.question)
    poll, left = select.epoll(), {line.descriptor: line for line in lines}
    for descriptor in left:
        poll.register(descriptor, select.EPOLLIN)
    wrong, longest = 0, 0.0
    while left and time.perf_counter() < began + PATIENCE:
        for descriptor, _ in poll.poll(1):
            if left[descriptor].has_answer():
                wrong += not left[descriptor].is_right()
                longest = time.perf_counter() - began
                poll.unregister(descriptor)
                left.pop(descriptor).close()
    for line in left.values():
        line.close()
    return Heard(len(lines) - len(left), longest, wrong + len(left), longest=longest)


class _Line:
    """One connection, for one call after another."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.descriptor = self._socket.fileno()
        self.question = 0, b""
        self.received = b""
        self.since = 0.0
        self.is_lost = False

    def fileno(self) -> int:
        return self.descriptor

    def ask(self, place: int, packet: bytes) -> None:
        self.question, self.received = (place, packet), b""
        self.since = time.perf_counter()
        self._socket.send(packet)

    def has_answer(self) -> bool:
        """Take what is there, and tell whether it is all, or all that will ever come."""
        try:
            piece = self._socket.recv(65536)
        except OSError:
            piece = b""
        self.is_lost = not piece
        self.received += piece
        head, blank, body = self.received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        return not piece or bool(blank and length and len(body) >= int(length))

    def is_right(self) -> bool:
        """Tell whether the answer is the one for who has called."""
        names = name(self.question[0]), ANYBODY
        return b" 200 " in self.received[:15] and any(one.encode() in self.received for one in names)

    def close(self) -> None:
        self._socket.close()


ANYBODY = "Müşteri Herkes!"
"""Who a server knows that has one answer for all; as long as the others' names"""


def again(questions: Questions) -> Questions:
    """Return the same questions, as other calls."""
    return replace(questions, run=next(_runs))
