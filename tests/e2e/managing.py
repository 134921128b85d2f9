"""Servers that come one after another, as a service manager has them, and calls that go on meanwhile."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from proxy.detached import detach
from tests.e2e.running import PATIENCE, TANIMA, answers_in, clean_environment

HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


class Manager:
    """Starts one server after another, as a service manager does: with its own listening socket, or without."""

    def __init__(self, listening: socket.socket | None, port: int, config: Path, log: Path) -> None:
        self._listening = listening
        self._arguments = ["serve", "--config", str(config), "--listen", f"127.0.0.1:{port}"]
        self._log = log.open("wb")
        self._told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._told.bind(f"\0{config}")
        self._told.setblocking(False)
        self._environment = clean_environment({"NOTIFY_SOCKET": f"@{config}"})
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._log.close()
        self._told.close()

    async def start(self) -> None:
        """Start a server, and wait until it says that it is ready."""
        command, passed = [*TANIMA, *self._arguments], []
        if self._listening is not None:
            passed = [self._listening.fileno()]
            command = [sys.executable, "-c", HAND_OVER, str(passed[0]), *command]
        self.process = subprocess.Popen(  # noqa: ASYNC220 - it only starts
            command, stdin=subprocess.DEVNULL, stderr=self._log, pass_fds=passed, env=self._environment
        )
        while await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self._told, 100), PATIENCE) != b"READY=1":
            pass  # what the one before has told

    async def end(self, how: signal.Signals) -> int:
        """Have the server end, and return its exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        return await asyncio.to_thread(self.process.wait, PATIENCE)


MOST_AT_ONCE = 64
"""Calls that wait for an answer at the most: where all is slow, no more of them come."""


class Calls:
    """Calls of one number that come all the time, so many a second, each on a connection of its own."""

    def __init__(self, port: int, number: str, expected: dict[str, Any], rate: float = 100) -> None:
        self._port = port
        self._question = f"GET /musteri.json?telefon={number} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        self._expected = expected
        self._rate = rate
        self._calls: list[asyncio.Task[str]] = []
        self._is_over = False

    async def go_on(self) -> None:
        began, sent = time.monotonic(), 0
        while not self._is_over:
            if self.waiting < MOST_AT_ONCE:
                self._calls.append(detach(self._call()))
            sent += 1
            await asyncio.sleep(max(0.0, began + sent / self._rate - time.monotonic()))

    async def outcomes(self, since: int = 0) -> Counter[str]:
        """Return what became of the calls since one of them, when that is known of all so far."""
        return Counter(await asyncio.gather(*self._calls[since:]))

    async def stop(self) -> Counter[str]:
        self._is_over = True
        return await self.outcomes()

    @property
    def waiting(self) -> int:
        """How many wait for an answer."""
        return sum(not call.done() for call in self._calls[-2 * MOST_AT_ONCE :])

    def __len__(self) -> int:
        return len(self._calls)

    async def _call(self) -> str:
        try:
            status, said, _ = await ask(self._port, self._question)
        except ConnectionRefusedError:
            return "refused"
        except (ConnectionError, ValueError, asyncio.IncompleteReadError):
            return "cut off"
        return "answered" if (status, said) == (200, self._expected) else "answered otherwise"


async def ask(port: int, question: bytes) -> tuple[int, Any, float]:
    """Ask as the switch does, on a connection of its own; return status, answer and seconds."""
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(question)
        ((status, _, body),) = answers_in(await asyncio.wait_for(reader.read(), PATIENCE))
        return status, json.loads(body), time.perf_counter() - started
    finally:
        writer.close()
        with suppress(ConnectionError):  # it was reset before
            await writer.wait_closed()


def told(outcomes: Counter[str]) -> str:
    """Return what became of calls for a person to read."""
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
