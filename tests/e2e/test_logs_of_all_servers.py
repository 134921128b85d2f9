"""Nothing that any server of this run has written tells who called, or a secret. This file runs last."""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote

import pytest

from proxy.phone import PhoneNumber
from proxy.testing import phone
from tests.e2e.conftest import Serve
from tests.e2e.people import PEOPLE, SECRETS, STRANGER, head, source, static_options
from tests.e2e.running import send

NAMES = (*(person.name for person in PEOPLE), "Ahmet", "Yılmaz", "Müşteri", "Örnek", "Beispiel")
RAW_REQUESTS = ("GET /", "POST /", "HTTP/1.", "musteri.json?", "telefon=", "kim.json?", "Sec-WebSocket", "BREW")


@pytest.fixture(scope="module", autouse=True)
def _one_server_at_least(serve: Serve) -> None:
    """Have something to look through when this file is run by itself."""
    with serve(head() + source("static", static_options())) as serving:
        for number in (PEOPLE[0].number, STRANGER, "1003", ""):
            send(serving.port, f"GET /musteri.json?telefon={quote(number)} HTTP/1.0\r\n\r\n".encode())


def log_lines(logs: Path) -> list[str]:
    """Return the log lines of all servers; what the demo prints for a person is none."""
    texts = [file.read_text(encoding="utf-8") for file in sorted(logs.iterdir())]
    return [line for text in texts for line in text.splitlines() if line.startswith("{") and '"event"' in line]


def spellings(number: PhoneNumber) -> set[str]:
    forms = {number.e164, number.digits, number.national, number.subscriber, number.international}
    blank = {" ".join((form[:-7], form[-7:-4], form[-4:-2], form[-2:])) for form in forms}
    return forms | blank | {form.replace(" ", "-") for form in blank} | {number.digits[-7:]}


def without_times_and_places(line: str) -> str:
    """Return a line without what may hold digits of its own: the time of day, and files with line numbers."""
    told = json.loads(line)
    told.pop("timestamp")
    told.pop("traceback", None)
    return json.dumps(told, ensure_ascii=False)


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


def numbers_in_logs() -> set[PhoneNumber]:
    return {*(phone(person.number) for person in PEOPLE), phone(STRANGER), phone("05301234567"), phone("05321112233")}


def telling(lines: Iterable[str]) -> list[str]:
    """Return the lines with a caller's number in any spelling, or with so many digits that it could be one."""
    forms = {form for number in numbers_in_logs() for form in spellings(number)}
    forms |= {person.number for person in PEOPLE}
    return [line for line in lines if any(form in line for form in forms) or re.search(r"[0-9]{7}", line)]


def test_no_line_tells_who_called(logs: Path, figure: Callable[[str], None]) -> None:
    lines = [*map(without_times_and_places, log_lines(logs))]
    assert telling(lines) == []
    figure(f"{len(lines)} log lines of {len([*logs.iterdir()])} servers: no number, no name, no secret, no raw request")


@pytest.mark.parametrize("spelling", ["+905325550001", "0532 555 00 01", "0532-555-00-01", "5325550001", "444 0 555"])
def test_a_line_that_told_it_would_be_found(spelling: str) -> None:
    assert telling([f'{{"event": "asked for {spelling}"}}'])


def test_no_line_tells_a_name(logs: Path) -> None:
    assert [line for line in log_lines(logs) for name in NAMES if name.casefold() in line.casefold()] == []


def test_no_line_tells_a_secret(logs: Path) -> None:
    assert [line for line in log_lines(logs) for secret in SECRETS if secret in line] == []


def test_no_line_has_a_request_in_it(logs: Path) -> None:
    assert [line for line in log_lines(logs) for piece in RAW_REQUESTS if piece in line] == []
