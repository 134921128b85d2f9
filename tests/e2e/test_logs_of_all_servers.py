"""Nothing that any server of this run has written tells who called, or a secret. This file runs last."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.people import PEOPLE, STRANGER, head, source, static_options
from tests.e2e.running import send
from tests.log_scan import log_lines, telling, with_names, with_requests, with_secrets, without_times_and_places


@pytest.fixture(scope="module", autouse=True)
def _one_server_at_least(serve: Serve) -> None:
    """Have something to look through when this file is run by itself."""
    with serve(head() + source("static", static_options())) as serving:
        for number in (PEOPLE[0].number, STRANGER, "1003", ""):
            send(serving.port, f"GET /musteri.json?telefon={quote(number)} HTTP/1.0\r\n\r\n".encode())


def test_every_line_is_a_json_object_with_time_level_and_event(logs: Path) -> None:
    lines = log_lines(logs)
    assert lines
    for line in lines:
        told = json.loads(line)
        assert [*told][:3] == ["timestamp", "level", "event"]
        assert told["level"] in {"info", "warning", "error"}


def test_whatever_a_server_writes_is_a_log_line(logs: Path) -> None:
    for file in logs.iterdir():
        text = file.read_text(encoding="utf-8")
        if "tanima route" in text:
            continue  # the demo, which prints what to try
        assert [line for line in text.splitlines() if not line.startswith("{")] == []


def test_no_line_tells_who_called(logs: Path, figure: Callable[[str], None]) -> None:
    lines = [*map(without_times_and_places, log_lines(logs))]
    assert telling(lines) == []
    figure(f"{len(lines)} log lines of {len([*logs.iterdir()])} servers: no number, no name, no secret, no raw request")


@pytest.mark.parametrize("spelling", ["+905325550001", "0532 555 00 01", "0532-555-00-01", "5325550001", "444 0 555"])
def test_a_line_that_told_it_would_be_found(spelling: str) -> None:
    assert telling([f'{{"event": "asked for {spelling}"}}'])


def test_no_line_tells_a_name(logs: Path) -> None:
    assert with_names(log_lines(logs)) == []


def test_no_line_tells_a_secret(logs: Path) -> None:
    assert with_secrets(log_lines(logs)) == []


def test_no_line_has_a_request_in_it(logs: Path) -> None:
    assert with_requests(log_lines(logs)) == []
