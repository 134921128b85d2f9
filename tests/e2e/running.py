"""The real command in a process of its own, and how to talk to it."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp

TANIMA = (str(Path(sys.executable).parent / "tanima"),)
"""The command of the environment in which the tests run"""

PATIENCE = 60.0
"""Seconds until a test gives up on a process, of which each needs one or two by itself, and many may run at once"""

SLACK = 5.0
"""Seconds beyond the deadline that an answer may take here, on a machine that has other work too. Whoever waited for
what hangs would wait for longer. The promise is 0.2, which `make chaos` holds servers to.
"""

ESTABLISHED = "01"
"""As the kernel calls the state of a connection"""

NOT_THERE = Path(__file__).parents[1] / "fixtures" / "not_there"
QUICK_START = {
    "PYTHONDONTWRITEBYTECODE": "",
    "SSL_CERT_FILE": os.devnull,
    "SSL_CERT_DIR": os.devnull,
    "PYTHONPATH": os.pathsep.join(filter(None, [str(NOT_THERE), os.environ.get("PYTHONPATH")])),
}
"""In the environment: a start costs a third less when it compiles none of our modules, reads none of this machine's
certificate authorities, and loads nothing that only developers have
"""


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment without settings of ours, and with warnings as errors."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("TANIMA_")}
    return {**kept, **QUICK_START, "PYTHONWARNINGS": "error", "PYTHONDEVMODE": "", "COLUMNS": "200", **(more or {})}


class Serving:
    """A running `tanima serve` or `tanima demo`. As a context it is stopped by SIGTERM, and must end well.

    `log` is a file that gets what it writes on stderr.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        log: Path,
        *,
        command: Sequence[str] = TANIMA,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._log = log
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env=clean_environment(environment),
            )
        try:
            self.port = self._wait_until_it_listens()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        code = self.stop()
        if error[0] is None:
            assert code == 0, self.text()

    def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def text(self) -> str:
        """Return all that it has written so far."""
        return self._log.read_text(encoding="utf-8")

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """Return its log lines so far, those of one event if one is named."""
        return lines_in(self.text(), event)

    async def line(self, event: str, count: int = 1) -> dict[str, Any]:
        """Wait for the so-manieth line of an event, and return it."""
        for _ in range(int(PATIENCE * 100)):
            if len(found := self.lines(event)) >= count:
                return found[count - 1]
            await asyncio.sleep(0.01)
        raise AssertionError(f"there are not {count} lines of {event!r}: {self.text()}")

    def _wait_until_it_listens(self) -> int:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            for line in self.lines("listening"):
                port: int = line["port"]
                return port
            if self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode}: {self.text()}")
            time.sleep(0.01)
        raise AssertionError(f"it does not listen: {self.text()}")


def lines_in(log: str, event: str = "") -> list[dict[str, Any]]:
    """Return the lines of a log, those of one event if one is named."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{") and line.endswith("}")]
    return [line for line in lines if event in ("", line["event"])]


@dataclass(frozen=True)
class Answer:
    """What came back for one call."""

    status: int
    content_type: str
    body: bytes
    seconds: float

    @property
    def said(self) -> Any:
        return json.loads(self.body)

    @property
    def target(self) -> str:
        return str(self.said["target"])


async def call(
    serving: Serving, number: str | None, *, parameter: str = "telefon", path: str = "/musteri.json"
) -> Answer:
    """Ask as the switch does, and return the answer. `number` is encoded; None leaves the parameter out."""
    query = {parameter: number} if number is not None else {}
    started = time.perf_counter()
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.get(f"{serving.url}{path}", params=query) as response,
    ):
        body = await response.read()
        return Answer(response.status, response.headers["Content-Type"], body, time.perf_counter() - started)


async def answered_for(ask: Callable[[], Awaitable[Answer]], expected: object, attempt: float) -> Answer:
    """Call until what is said is as expected, or comes before an attempt has to be over; return that answer.

    An attempt that was late, as everything here has other work too, tells nothing of the server; but it may not be so
    again and again.
    """
    for _ in range(10):
        answer = await ask()
        if answer.said == expected or answer.seconds < attempt:
            break
    return answer


def send(port: int, *packets: bytes, pause: float = 0.0, answers: int = 1) -> bytes:
    """Send bytes as they are; return what comes until the server closes, or is silent for a while after the answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        for packet in packets:
            try:
                connection.sendall(packet)
            except (BrokenPipeError, ConnectionResetError):
                break
            time.sleep(pause)
        received = b""
        try:
            while piece := connection.recv(65536):
                received += piece
                if received.count(b"HTTP/") >= answers:
                    connection.settimeout(0.2)
        except (TimeoutError, ConnectionResetError):
            pass
        return received


async def all_is_read(port: int, connections: int) -> None:
    """Wait until a server has so many connections, or more, and has read all that was sent on them.

    The kernel tells: asking the server would be one connection more.
    """
    until = time.monotonic() + PATIENCE
    while True:
        told = Path("/proc/net/tcp").read_text(encoding="ascii")  # noqa: ASYNC240 - out of the kernel's memory
        lines = [line.split() for line in told.splitlines()[1:]]
        unread = [
            int(queues.partition(":")[2], 16)
            for _, local, _, state, queues, *_ in lines
            if (local, state) == (f"0100007F:{port:04X}", ESTABLISHED)
        ]
        if len(unread) >= connections and not any(unread):
            return
        assert time.monotonic() < until, f"{len(unread)} connections, {sum(map(bool, unread))} of them not read"
        await asyncio.sleep(0.01)  # the kernel wakes nobody for that


def answers_in(received: bytes) -> Iterator[tuple[int, dict[str, str], bytes]]:
    """Yield status, headers (names in small letters) and body of each answer in a stream."""
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        yield int(first.split(" ")[1]), headers, received[:length]
        received = received[length:]


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


async def run(*arguments: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None) -> Ran:
    """Run a command of tanima to its end, while the test's own servers go on answering."""
    process = await asyncio.create_subprocess_exec(
        *TANIMA,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=clean_environment(environment),
        cwd=cwd,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())
