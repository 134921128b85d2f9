"""Looks through the logs of servers for what must not be in them: who called, secrets, and requests as they came."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from proxy.phone import PhoneNumber
from proxy.testing import phone
from tests.e2e.people import PEOPLE, SECRETS, STRANGER

NAMES = (*(person.name for person in PEOPLE), "Ahmet", "Yılmaz", "Müşteri", "Örnek", "Beispiel")
RAW_REQUESTS = ("GET /", "POST /", "HTTP/1.", "musteri.json?", "telefon=", "kim.json?", "Sec-WebSocket", "BREW")


def log_lines(logs: Path) -> list[str]:
    """Return the log lines of all servers; what the demo prints for a person is none."""
    texts = [file.read_text(encoding="utf-8") for file in sorted(logs.iterdir())]
    return [line for text in texts for line in text.splitlines() if line.startswith("{") and '"event"' in line]


def spellings(number: PhoneNumber) -> set[str]:
    forms = {number.e164, number.digits, number.national, number.subscriber, number.international}
    blank = {" ".join((form[:-7], form[-7:-4], form[-4:-2], form[-2:])) for form in forms}
    return forms | blank | {form.replace(" ", "-") for form in blank} | {number.digits[-7:]}


def without_times_and_places(line: str) -> str:
    """Return a line without what may hold digits of its own: the time of day, a call's id, files with line numbers."""
    told = json.loads(line)
    told.pop("timestamp")
    if "call_id" in told:
        assert str(UUID(told["call_id"])) == told["call_id"].lower()
        del told["call_id"]
    told.pop("traceback", None)
    return json.dumps(told, ensure_ascii=False)


def numbers_in_logs() -> set[PhoneNumber]:
    return {*(phone(person.number) for person in PEOPLE), phone(STRANGER), phone("05301234567"), phone("05321112233")}


def telling(lines: Iterable[str]) -> list[str]:
    """Return the lines with a caller's number in any spelling, or with so many digits that it could be one."""
    forms = {form for number in numbers_in_logs() for form in spellings(number)}
    forms |= {person.number for person in PEOPLE}
    return [line for line in lines if any(form in line for form in forms) or re.search(r"[0-9]{7}", line)]


def with_names(lines: Iterable[str]) -> list[str]:
    """Return the lines with a caller's name."""
    return [line for line in lines for name in NAMES if name.casefold() in line.casefold()]


def with_secrets(lines: Iterable[str]) -> list[str]:
    """Return the lines with a secret."""
    return [line for line in lines for secret in SECRETS if secret in line]


def with_requests(lines: Iterable[str]) -> list[str]:
    """Return the lines with a piece of a request in them."""
    return [line for line in lines for piece in RAW_REQUESTS if piece in line]
