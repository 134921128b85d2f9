"""Servers, each in a process of its own, all on one core of this machine; who asks them is on the others."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from tests.servers import free_port

ROOT = Path(__file__).parents[2]
PATIENCE = 180.0
"""Seconds until a server must listen"""

_CORES = sorted(os.sched_getaffinity(0))
SERVING = set(_CORES[:1])
ASKING = set(_CORES[1:]) or SERVING
DEBIAN = Path(sys.executable).parents[1] / "debian"
"""Where `make` unpacks Debian's packages that it does not install"""


@contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """Have this process, and what it starts, run on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of servers: ours, in which unpacked packages find their libraries."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("TANIMA_")}
    paths = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}
    for libraries in (DEBIAN / "usr/lib").glob("*-linux-gnu"):
        paths["LD_LIBRARY_PATH"] = f"{libraries}:{libraries / 'varnish'}"
    return {**kept, **paths, **(more or {})}


class NotListeningError(Exception):
    """A server has not come up."""


class Server:
    """A server's process. As a context it listens at `port`, and is stopped at the end.

    `command` may have `{port}` in it. What it writes to stderr goes to `log`.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path | None = None,
        *,
        cores: set[int] | None = None,
        more: Mapping[str, str] | None = None,
        port: int = 0,
    ) -> None:
        self.name = name
        self.port = port or free_port()
        self.log = log
        self.process: subprocess.Popen[bytes]
        self._command = [str(part).replace("{port}", str(self.port)) for part in command]
        self._cores = cores or SERVING
        self._more = more

    def __enter__(self) -> Self:
        with on_cores(self._cores), (self.log or Path(os.devnull)).open("wb") as log:
            self.process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, env=environment(self._more)
            )
        until = time.monotonic() + PATIENCE
        while not _is_open(self.port):
            if self.process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise NotListeningError(f"{self.name} does not listen: {self.written()[-3000:]}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def written(self) -> str:
        """Return what it has written so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log else ""

    def seconds(self) -> float:
        """Return the processor's time that it and all that it has started have had so far."""
        return sum(map(seconds_of, family(self.process.pid)))

    def memory(self) -> float:
        """Return the MB that it has in memory, and the most that it had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:"))

    def has_loaded(self, library: str) -> bool:
        """Tell whether a shared library is in its memory."""
        return f"{library}/" in Path(f"/proc/{self.process.pid}/maps").read_text(encoding="utf-8")


def family(process: int) -> list[int]:
    """Return a process and all that it has started, and these in turn."""
    file = Path(f"/proc/{process}/task/{process}/children")
    found = [process]
    with suppress(OSError):
        for child in file.read_text(encoding="ascii").split():
            found += family(int(child))
    return found


def seconds_of(process: int) -> float:
    """Return the processor's time of one process; of its threads, each to the nanosecond."""
    total = 0
    for thread in Path(f"/proc/{process}/task").glob("*/schedstat"):
        with suppress(OSError):
            total += int(thread.read_text(encoding="ascii").split()[0])
    return total / 1e9


def _is_open(port: int) -> bool:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    return False
