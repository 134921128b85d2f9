"""Log lines are written whole and at once, or else counted: nobody waits for whoever reads them."""

import fcntl
import io
import json
import logging
import os
import pty
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from proxy import logs
from proxy.logs import lines
from proxy.logs.lines import Lines

pytestmark = pytest.mark.usefixtures("logging_as_before")


class Reader:
    """The other end of a descriptor to which lines are written."""

    def __init__(self, end: int) -> None:
        self.end = end
        os.set_blocking(end, False)

    def read(self) -> str:
        """Return all that is there."""
        read = b""
        with suppress(BlockingIOError):
            while piece := os.read(self.end, 65536):
                read += piece
        return read.decode()

    def events(self) -> list[tuple[str, int | None]]:
        """Return the events of all whole lines that are there, with their count."""
        return [(line["event"], line.get("count")) for line in map(json.loads, self.read().splitlines())]


def pipe() -> tuple[int, int]:
    """Return the ends of a pipe into which four pages go."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4 * 4096)
    return reading, writing


def two_sockets() -> tuple[int, int]:
    reading, writing = socket.socketpair()
    return reading.detach(), writing.detach()


def set_up_at(ends: tuple[int, int]) -> Iterator[Reader]:
    reader = Reader(ends[0])
    with os.fdopen(ends[1], "w", encoding="utf-8") as stream:
        logs.set_up(stream)
        yield reader
    with suppress(OSError):
        os.close(reader.end)


@pytest.fixture
def reader() -> Iterator[Reader]:
    """Have lines written to a pipe."""
    yield from set_up_at(pipe())


@pytest.fixture(params=[pipe, two_sockets, pty.openpty], ids=["pipe", "sockets", "terminal"])
def any_reader(request: pytest.FixtureRequest) -> Iterator[Reader]:
    """Have lines written to whatever may be at their other end."""
    yield from set_up_at(request.param())


def in_time(work: Callable[[], object]) -> None:
    """Do it in a thread, so that the test fails and does not hang where it is waited for a reader."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive(), "it waits for the reader"


def fill() -> None:
    for number in range(3000):
        logs.listening("127.0.0.1", number)


def test_a_reader_that_hangs_is_not_waited_for(any_reader: Reader) -> None:
    in_time(fill)
    read = any_reader.read()
    assert 0 < read.count("listening") < 3000
    logs.listening("127.0.0.1", 8080)
    assert "log_lines_lost" in any_reader.read()


def test_how_many_lines_were_lost_is_told_before_the_next_one(reader: Reader) -> None:
    in_time(fill)
    kept = reader.events()
    logs.listening("127.0.0.1", 8080)
    assert kept == [("listening", None)] * len(kept)
    assert reader.events() == [("log_lines_lost", 3000 - len(kept)), ("listening", None)]
    logs.listening("127.0.0.1", 8080)
    assert reader.events() == [("listening", None)], "it is told once"


def test_lines_that_were_lost_at_last_are_told_at_the_end(reader: Reader) -> None:
    in_time(fill)
    lost = 3000 - len(reader.events())
    for handler in logging.getLogger().handlers:
        handler.flush()
    assert reader.events() == [("log_lines_lost", lost)]


def test_a_long_line_is_written_whole_while_it_is_read(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "PATIENCE", 10)
    text = "müşteri " * 5000
    read: list[str] = []

    def read_on() -> None:
        poll = select.poll()
        poll.register(reader.end, select.POLLIN)
        while not "".join(read).endswith("\n") and poll.poll(10_000):
            read.append(reader.read())

    reading = threading.Thread(target=read_on)
    reading.start()
    logs.configuration_warning(text)
    reading.join()
    assert json.loads("".join(read))["problem"] == text


@pytest.mark.parametrize("text", ["queue/201", "görüşme"])
def test_lines_that_are_written_at_once_are_not_cut_where_another_process_may_write(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    written: list[bytes] = []
    write = os.write

    def noted(descriptor: int, piece: bytes) -> int:
        written.append(piece)
        return write(descriptor, piece)

    monkeypatch.setattr(os, "write", noted)
    (lines,) = (each for each in logging.getLogger().handlers if isinstance(each, Lines))
    lines.write([f'"{text * 20}"'] * 50)
    assert reader.read().splitlines() == [f'"{text * 20}"'] * 50
    assert 1 < len(written) < 10
    assert all(piece.endswith(b'"\n') for piece in written)


def test_a_line_that_is_read_in_a_part_only_does_not_run_into_the_next(reader: Reader) -> None:
    in_time(lambda: logs.configuration_warning("x" * 100_000))
    in_time(lambda: logs.listening("127.0.0.1", 8080))
    torn = reader.read()
    assert torn.endswith("xxx")
    logs.listening("127.0.0.1", 8081)
    line_break, *whole = reader.read().splitlines()
    assert line_break == ""
    assert [json.loads(line)["event"] for line in whole] == ["log_lines_lost", "listening"]
    assert json.loads(whole[0])["count"] == 2


def test_a_reader_who_has_left_harms_nobody(any_reader: Reader, capfd: pytest.CaptureFixture[str]) -> None:
    os.close(any_reader.end)
    in_time(fill)
    assert capfd.readouterr() == ("", "")


def test_lines_go_on_when_a_reader_comes_back(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    first = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    for reader in set_up_at((first, os.open(tmp_path / "log", os.O_WRONLY))):
        os.close(first)
        logs.listening("127.0.0.1", 8080)
        reader.end = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
        logs.listening("127.0.0.1", 8081)
        assert reader.events() == [("log_lines_lost", 1), ("listening", None)]


def test_lines_for_which_the_disk_has_no_room_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(_descriptor: int, _line: bytes) -> int:
        raise OSError(28, "No space left on device")

    file = tmp_path / "log"
    with file.open("w", encoding="utf-8") as stream:
        logs.set_up(stream)
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", no_room)
            logs.listening("127.0.0.1", 8080)
            logs.listening("127.0.0.1", 8081)
        logs.listening("127.0.0.1", 8082)
        told = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [(line["event"], line.get("count")) for line in told] == [("log_lines_lost", 2), ("listening", None)]


def test_a_line_stands_in_the_file_as_soon_as_it_is_logged(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as stream:
        logs.set_up(stream)
        logs.configuration_warning("half of a letter: \udc80")
        told = json.loads((tmp_path / "log").read_text(encoding="utf-8"))
    assert told["problem"] == "half of a letter: \udc80"


class Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("05301234567")


def test_what_cannot_be_written_is_counted_and_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    logs.set_up(stream := io.StringIO())
    logs.log.info("strange", of=Unspeakable())
    logs.listening("127.0.0.1", 8080)
    told = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line.get("count")) for line in told] == [("log_lines_lost", 1), ("listening", None)]
    assert capfd.readouterr() == ("", "")


def test_without_any_stderr_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    logs.set_up()
    logs.listening("127.0.0.1", 8080)
    assert capfd.readouterr() == ("", "")
