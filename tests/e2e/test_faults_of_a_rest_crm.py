"""A CRM over HTTP that fails in every way costs nobody a call, and is found again when it is back."""

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count

import pytest

from proxy.testing import HttpCrm
from proxy.testing.behaviours import answers, failures
from proxy.testing.http_crm import Behaviour
from tests.e2e.conftest import Serve
from tests.e2e.people import FAULTS_RULE, TOKEN, body_of_the_crm, head, rest_options, source
from tests.e2e.running import SLACK, Serving, answered_for, call
from tests.servers import free_port

DEADLINE, TIMEOUT = 0.6, 0.4
"""Seconds"""
BOUND = DEADLINE + SLACK

BODY = body_of_the_crm("05325550001")
BEHAVIOURS: dict[str, Behaviour] = {
    **failures(BODY),
    "answers records of another shape": answers(200, b'{"items": ["x", 5]}'),
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
        "rest", rest_options(f"http://127.0.0.1:{port}"), f"timeout = {TIMEOUT}"
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
    expected = {"name": "Örnek Şahıs Bir", "target": "queue/201"}
    heard = await answered_for(lambda: call(serving, number_of_its_own()), expected, TIMEOUT)
    assert heard.said == expected


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
