"""The real `tanima probe`, asked over real sockets by switches that wait, hang up, and ask again."""

import asyncio
import json
import re
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.people import head, source, static_options
from tests.e2e.running import PATIENCE, TANIMA, answers_in, clean_environment, send

OLD = "telefon=05301234567"
NEW = "uuid=651f8a68&cli=05301234567&cld=08505321234&step=1"


class Probing:
    """A running `tanima probe`, and what it has printed."""

    def __init__(self, process: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.process = process
        self._out, self._err = out, err
        self.port = int(self.line(r"Listening at http://127\.0\.0\.1:(\d+)/musteri\.json")[1])

    def text(self) -> str:
        return self._out.read_text(encoding="utf-8")

    def line(self, pattern: str) -> re.Match[str]:
        """Wait for something to be printed."""
        until = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self.text())) is None:
            assert self.process.poll() is None, self.errors()
            assert time.monotonic() < until, self.text()
            time.sleep(0.01)
        return found

    def errors(self) -> str:
        return self._err.read_text(encoding="utf-8")

    def ask(self, query: str) -> tuple[int, bytes]:
        """Ask as a patient switch does."""
        ((status, _, body),) = answers_in(send(self.port, request(query)))
        return status, body

    def stop(self, signal_number: int = signal.SIGINT) -> list[str]:
        """Stop it, and return its summary."""
        self.process.send_signal(signal_number)
        assert self.process.wait(PATIENCE) == 0, self.errors()
        assert self.errors() == ""
        return self.text().partition("trial      the switch\n")[2].splitlines()


def request(query: str) -> bytes:
    return f"GET /musteri.json?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


@contextmanager
def probing(folder: Path, *options: str) -> Iterator[Probing]:
    config, out, err = folder / "config.toml", folder / "out", folder / "err"
    config.write_text(head() + source("static", static_options()), encoding="utf-8")
    arguments = ["probe", "--config", str(config), "--listen", "127.0.0.1:0", *options]
    with out.open("wb") as stdout, err.open("wb") as stderr:
        process = subprocess.Popen([*TANIMA, *arguments], stdout=stdout, stderr=stderr, env=clean_environment())
    try:
        yield Probing(process, out, err)
    finally:
        process.kill()
        process.wait()


def hang_up(port: int, query: str, seconds: float) -> bool:
    """Ask as a switch does that waits no longer; tell whether there was no answer until then."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request(query))
        time.sleep(seconds)
        there, _, _ = select.select([connection], [], [], 0)
        return not there


def without_number(lines: Sequence[str]) -> bool:
    return not any("5301234" in line for line in lines)


@pytest.mark.parametrize("query", [OLD, NEW])
def test_a_switch_that_waits_is_told_of_and_the_caller_hears_which_trial_it_was(query: str, tmp_path: Path) -> None:
    with probing(tmp_path, "--only", "1", "--target", "queue/299") as it:
        started = time.monotonic()
        status, body = it.ask(query)
        assert time.monotonic() - started >= 1
        said = json.loads(body).get("transfer", json.loads(body))
        assert (status, said["target"], said.get("name") or said["greet_name"]) == (200, "queue/299", "Deneme 1")
        it.line(r"trial 1 \(1 of 1\): the switch waited; answered after [1-9]\.\d s, connection still open")
        summary = it.stop()
    assert summary[0] == "1          waited 1 s"
    assert summary[-1].startswith(
        "It waited 1 s, if Deneme 1 was heard. A switch.deadline of at most 0.6 s leaves room;"
    )
    assert without_number([it.text()])


@pytest.mark.parametrize("query", [OLD, NEW])
def test_a_switch_that_hangs_up_and_asks_again_is_told_of_and_is_in_the_same_trial(query: str, tmp_path: Path) -> None:
    for _ in range(5):
        with probing(tmp_path) as it:
            assert it.ask("telefon=05301234599")[0] == 200
            if not hang_up(it.port, query, 0.5):
                continue  # this machine was busy for so long that the switch has waited
            it.line(r"trial 1 \(2 of 15\): the switch hung up after 0\.[5-9] s")
            assert b"Deneme 1 tekrar" in it.ask(query)[1]
            it.line(r"trial 1 \(2 of 15\): the switch asked again after \d\.\d s; answered at once")
            assert b"Deneme 2" in it.ask("telefon=05301234598")[1], "a new call has the next trial"
            summary = it.stop(signal.SIGTERM)
            break
    assert summary[0] == "0          waited 0 s"
    assert re.fullmatch(r"1          hung up after 0\.[5-9] s; asked again after \d\.\d s", summary[1])
    assert summary[2] == "2          waited 2 s"
    assert summary[3] == "Not tried: 3, 5, 8, 13, 20, 30, 500, 404, json, empty, no-target, closed."
    assert without_number([it.text()])


@pytest.mark.parametrize(
    ("trial", "answer"),
    [("500", (500, b"Internal Server Error")), ("404", (404, b"Not Found")), ("empty", (200, b"")), ("closed", None)],
)
def test_a_wrong_answer_comes_over_the_wire_as_it_is_meant(
    trial: str, answer: tuple[int, bytes] | None, tmp_path: Path
) -> None:
    with probing(tmp_path, "--only", trial) as it:
        received = [(status, body) for status, _, body in answers_in(send(it.port, request(OLD)))]
        assert received == ([answer] if answer else [])
        assert it.stop()[0] == f"{trial:<10} got it at once"


async def test_many_calls_wait_at_once_and_are_answered_when_it_is_stopped(tmp_path: Path) -> None:
    with probing(tmp_path, "--only", "30") as it:
        url = f"http://127.0.0.1:{it.port}/musteri.json?cli=05301234567&cld=08505321234&step=1&uuid="
        async with aiohttp.ClientSession() as session:
            asking = asyncio.gather(*(session.get(f"{url}{place}") for place in range(20)))
            while it.text().count("answering after 30 s") < 20:
                assert it.process.poll() is None
                await asyncio.sleep(0.01)
            started = time.monotonic()
            summary = await asyncio.to_thread(it.stop)
            assert {response.status for response in await asking} == {200}
        assert time.monotonic() - started < 15
    assert summary[:20] == ["30         was answered as the probe was stopped"] * 20
