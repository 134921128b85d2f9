"""Whoever reads what the server writes may hang or leave: that costs no call, and he is told what he has missed."""

import asyncio
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.conftest import Serve
from tests.e2e.people import EXPECTED, PEOPLE, head, source, static_options
from tests.e2e.running import PATIENCE, TANIMA, call, clean_environment, lines_in

ENOUGH = 600
"""Calls whose lines are more than a pipe takes"""

AT_ONCE = 10.0
"""Seconds; wide, as the machine has other work too: whoever waited for the reader would wait for ever"""

KNOWN = PEOPLE[0].number

Start = Callable[[str], "Unread"]


class Unread:
    """A server that writes into a pipe, which nobody reads but when a test says so."""

    def __init__(self, config: Path) -> None:
        self.process = subprocess.Popen(
            [*TANIMA, "serve", "--config", str(config), "--listen", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=clean_environment({"PYTHONUNBUFFERED": ""}),
        )
        assert self.process.stderr is not None
        self.pipe = self.process.stderr
        self.text = ""
        while not (listening := lines_in(self.text, "listening")):
            assert self.read(PATIENCE), f"it does not listen: {self.text}"
        self.port = listening[0]["port"]

    def read(self, patience: float = 0.0) -> list[dict[str, Any]]:
        """Read what is there, or comes, and return all lines so far. Each is a JSON object."""
        poll = select.poll()
        poll.register(self.pipe, select.POLLIN)
        read = b""
        while poll.poll(patience * 1000) and (piece := os.read(self.pipe.fileno(), 65536)):
            read, patience = read + piece, 0.0
        self.text += read.decode()
        return [json.loads(line) for line in self.text.splitlines()]

    async def ask(self, count: int) -> float:
        """Ask about somebody, one time after the other, and return the seconds of the slowest answer."""
        slowest = 0.0
        timeout = aiohttp.ClientTimeout(PATIENCE)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{self.port}", timeout=timeout) as session:
            for _ in range(count):
                started = time.perf_counter()
                async with session.get("/musteri.json", params={"telefon": KNOWN}) as answer:
                    assert await answer.json(content_type=None) == EXPECTED[KNOWN]
                slowest = max(slowest, time.perf_counter() - started)
        return slowest

    async def stop(self) -> float:
        """Stop it as a service manager does, and return how many seconds that took."""
        started = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(self.process.wait, PATIENCE) == 0
        return time.perf_counter() - started


@pytest.fixture
def start_unread(tmp_path: Path, logs: Path) -> Iterator[Start]:
    """Start servers; what was read of them is looked through at the end."""
    started: list[Unread] = []

    def starting(toml: str) -> Unread:
        file = tmp_path / "config.toml"
        file.write_text(toml, encoding="utf-8")
        started.append(Unread(file))
        return started[-1]

    yield starting
    for server in started:
        server.process.kill()
        server.process.wait()
        server.pipe.close()
        (logs / f"{len([*logs.iterdir()]):03}.log").write_text(server.text, encoding="utf-8")


@pytest.fixture
def server(start_unread: Start) -> Unread:
    return start_unread(head(deadline=1.5) + source("static", static_options()))


def told_and_missed(lines: list[dict[str, Any]]) -> tuple[int, int]:
    """Return how many calls have a line, and how many lines are told to be lost, at once."""
    (missed,) = [line["count"] for line in lines if line["event"] == "log_lines_lost"]
    return len([line for line in lines if line["event"] == "call"]), missed


async def test_a_reader_that_hangs_costs_no_call_and_is_told_what_he_has_missed(
    server: Unread, figure: Callable[[str], None]
) -> None:
    slowest = await server.ask(2000)
    assert slowest < AT_ONCE
    server.read()
    await server.ask(1)
    await server.stop()
    told, missed = told_and_missed(lines := server.read())
    assert told > 100
    assert told + missed == 2001
    assert lines[-1]["event"] == "call", "who reads again is told at once, and gets the rest"
    figure(f"nobody reads the log: 2000 calls answered, the slowest in {slowest * 1000:.0f} ms; {missed} lines lost")


async def test_a_reader_that_hangs_does_not_hold_up_the_end(server: Unread) -> None:
    await server.ask(ENOUGH)
    assert await server.stop() < AT_ONCE
    assert {line["event"] for line in server.read()} == {"listening", "call"}


async def test_what_was_missed_is_told_at_the_end_when_no_call_comes_before(server: Unread) -> None:
    await server.ask(ENOUGH)
    server.read()
    await server.stop()
    assert sum(told_and_missed(server.read())) == ENOUGH


async def test_a_reader_who_leaves_harms_nobody(server: Unread) -> None:
    server.pipe.close()
    assert await server.ask(100) < AT_ONCE
    assert await server.stop() < AT_ONCE


HALF = """
import sys
from adapters.static import StaticAdapter

class Half(StaticAdapter):
    async def lookup(self, key):
        sys.stderr.write("half a line " * 600)
        return await super().lookup(key)
"""


async def test_what_an_adapter_has_left_on_stderr_does_not_hold_up_the_end(start_unread: Start, tmp_path: Path) -> None:
    (tmp_path / "half.py").write_text(HALF, encoding="utf-8")
    server = start_unread(head(deadline=1.5) + source("half:Half", static_options()))
    await server.ask(ENOUGH)
    assert await server.stop() < AT_ONCE
    assert {line["event"] for line in server.read()} == {"listening", "call"}


LOUD = """
import threading, warnings
from adapters.static import StaticAdapter

TEXT = 'Örnek Şahıs Bir 05325550001\\n{"event": "call", "caller": "s3cr3t-token-of-the-crm"}'

class Loud(StaticAdapter):
    async def lookup(self, key):
        thread = threading.Thread(target=self.fail, name=TEXT)
        thread.start()
        thread.join()
        warnings.warn(TEXT, RuntimeWarning)
        Unclean()
        return await super().lookup(key)

    def fail(self):
        raise KeyError(TEXT)

class Unclean:
    def __del__(self):
        raise ValueError(TEXT)

warnings.warn(TEXT, UserWarning)
"""


async def test_what_python_says_of_an_adapter_is_a_line_without_what_the_adapter_says(
    serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "loud.py").write_text(LOUD, encoding="utf-8")
    toml = head() + source("loud:Loud", static_options())
    with serve(toml, folder=tmp_path, environment={"PYTHONWARNINGS": "always::UserWarning,always::RuntimeWarning"}) as (
        serving
    ):
        assert (await call(serving, KNOWN)).said == EXPECTED[KNOWN]
        await serving.line("call")
    lines = [json.loads(line) for line in serving.text().splitlines()]
    assert [(line["event"], line.get("exception", line.get("error"))) for line in lines] == [
        ("trouble", "UserWarning"),
        ("listening", None),
        ("bug", "KeyError"),
        ("trouble", "RuntimeWarning"),
        ("bug", "ValueError"),
        ("call", None),
    ]
    for told_by_the_adapter in ("Örnek", "5550001", "s3cr3t"):
        assert told_by_the_adapter not in serving.text()
