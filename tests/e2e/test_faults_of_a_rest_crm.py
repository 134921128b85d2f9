"""A CRM over HTTP that fails in every way costs nobody a call, and is found again when it is back."""

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count

import pytest

from proxy.testing import HttpCrm
from proxy.testing.behaviours import answers, breaks_off, drips, hangs, resets, sends
from proxy.testing.http_crm import Behaviour
from tests.e2e.conftest import Serve
from tests.e2e.people import FAULTS_RULE, TOKEN, body_of_the_crm, head, rest_options, source
from tests.e2e.running import Serving, call
from tests.servers import free_port

DEADLINE = 0.6
BOUND = DEADLINE + 1.0
"""Seconds. The promise is deadline + 0.2; the machine that runs this has other work too."""

BODY = body_of_the_crm("05325550001")
BROKEN = b'{"items": [{"title": "\xc3\xd6rnek'
BEHAVIOURS: dict[str, Behaviour] = {
    "hangs": hangs,
    "breaks the connection": resets,
    "hangs up without a word": sends(b"", then_closes=True),
    "answers 500": answers(500, b'{"error": "boom"}'),
    "answers 502 with HTML": answers(502, b"<html>Bad Gateway</html>", content_type="text/html"),
    "answers 503": answers(503, b"{}"),
    "answers 401": answers(401, b"{}"),
    "answers 404": answers(404, b"<html>Not Found</html>", content_type="text/html"),
    "answers HTML": answers(200, b"<!doctype html><title>Login</title>", content_type="text/html"),
    "answers half of a JSON": answers(200, BODY[:30]),
    "answers bad UTF-8": answers(200, BROKEN),
    "answers a number": answers(200, b"42"),
    "answers a deep JSON": answers(200, b"[" * 60_000),
    "answers records of another shape": answers(200, b'{"items": ["x", 5]}'),
    "answers 26 MB": answers(200, b'{"items": "' + b"x" * 26_000_000 + b'"}'),
    "answers half": breaks_off(BODY, after=20),
    "answers a byte at a time": drips(BODY, pause=0.05),
    "answers a gzip that is none": answers(200, b"\x1f\x8b" + BODY, {"Content-Encoding": "gzip"}),
    "redirects to itself": answers(302, b"", {"Location": "/contacts"}),
    "redirects to a metadata address": answers(302, b"", {"Location": "http://169.254.169.254/latest/"}),
    "answers no HTTP": sends(b"SSH-2.0-OpenSSH_9.6\r\n", then_closes=True),
    "answers an endless header": sends(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", then_closes=True),
    "answers two lengths": sends(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", then_closes=True
    ),
}

NUMBERS = count(1000)
"""The last digits of numbers that have not been asked about yet"""

slowest: dict[str, float] = {}


def number_of_its_own() -> str:
    return f"0532555{next(NUMBERS)}"


def person_of_any_number(request: object) -> object:
    return {"items": [{"title": "Örnek Şahıs Bir", "tier": "gold", "phones": [getattr(request, "query")["phone"]]}]}  # noqa: B009 - the type does not tell of it


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(serve: Serve, port: int, figure: Callable[[str], None]) -> Iterator[Serving]:
    toml = head(deadline=DEADLINE, more=FAULTS_RULE) + source(
        "rest", rest_options(f"http://127.0.0.1:{port}"), "timeout = 0.4"
    )
    with serve(toml) as serving:
        yield serving
    if slowest:
        worst = max(slowest, key=slowest.__getitem__)
        figure(
            f"REST CRM, {len(slowest)} faults: all answered; slowest {slowest[worst] * 1000:.0f} ms "
            f"({worst}; deadline {DEADLINE * 1000:.0f} ms)"
        )


@pytest.fixture
async def crm(port: int) -> AsyncIterator[HttpCrm]:
    crm = HttpCrm(person_of_any_number)
    crm.port = port
    await crm.start()
    yield crm
    await crm.stop()


async def is_answered_without_the_crm(serving: Serving, fault: str) -> None:
    heard = await call(serving, number_of_its_own())
    assert (heard.status, heard.said) == (200, {"target": "queue/200"}), fault
    from_germany = await call(serving, f"004930555{next(NUMBERS)}")
    assert (from_germany.status, from_germany.said) == (200, {"target": "queue/203"}), "a rule for anyone counts"
    slowest[fault] = max(heard.seconds, from_germany.seconds)
    assert slowest[fault] < BOUND


async def is_answered_with_the_contact(serving: Serving) -> None:
    heard = await call(serving, number_of_its_own())
    assert heard.said == {"name": "Örnek Şahıs Bir", "target": "queue/201"}


@pytest.mark.parametrize("fault", BEHAVIOURS)
async def test_whatever_the_crm_does_the_call_is_answered_in_time(server: Serving, crm: HttpCrm, fault: str) -> None:
    crm.behaviour = BEHAVIOURS[fault]
    await is_answered_without_the_crm(server, fault)
    crm.behaviour = None
    await is_answered_with_the_contact(server)


async def test_a_crm_that_is_down_is_found_again(server: Serving, crm: HttpCrm) -> None:
    await is_answered_with_the_contact(server)
    await crm.stop()
    await is_answered_without_the_crm(server, "is down")
    await crm.start()
    await is_answered_with_the_contact(server)


async def test_the_log_says_what_is_wrong_and_neither_number_nor_token(server: Serving, crm: HttpCrm) -> None:
    crm.behaviour = answers(500)
    before = len(server.lines("source_failed"))
    await call(server, number_of_its_own())
    line = await server.line("source_failed", before + 1)
    assert (line["source"], line["error"]) == ("crm", "the CRM has trouble of its own (500)")
    assert TOKEN not in server.text()
    assert server.lines("bug") == []
