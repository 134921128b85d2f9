"""Log-ins of a CRM's own: requests before the first lookup, and again when the session has ended."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapters.rest import RestAdapter
from proxy.adapter import AdapterError, Unavailable
from proxy.testing import FakeClock, HttpCrm, Request, phone
from proxy.testing.behaviours import answers, hangs, resets
from proxy.testing.http_crm import Behaviour
from tests.adapters.oauth_crm import anybody, name_of, says, set_clock
from tests.adapters.rest_crm import AYSE, OPTIONS, opened

KEY = "s3cr3t-key"
CROWD = [phone(f"0532 556 00 {n:02}") for n in range(50)]

LOGIN: Mapping[str, Any] = {
    "headers": {"X-Session": "{session}", "Authorization": "Session {user + ':' + session | base64}"},
    "secrets": {"user": "tanima", "key": KEY},
    "logged_out": "error.code == 'expired'",
    "login": {
        "requests": [
            {
                "url": "/login/challenge",
                "query": {"user": "{user}"},
                "values": {"challenge": "result.token"},
            },
            {
                "method": "POST",
                "url": "/login",
                "form": {"user": "{user}", "hash": "{challenge + key | md5}"},
                "values": {"session": "result.session", "uid": "result.uid"},
                "error": "error",
            },
        ],
    },
}


class SessionCrm:
    """A CRM that wants a challenge to be answered with a hash, and then its session in a header."""

    def __init__(self) -> None:
        self.http = HttpCrm(lambda _: None)
        self.http.behaviour = self._behave
        self.challenges: list[Request] = []
        self.logins: list[Request] = []
        self.searches: list[Request] = []
        self.login_behaviour: Behaviour | None = None
        self.logged_out: Behaviour = answers(401)
        self.delay = 0.0
        self.session = ""

    async def _behave(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if request.path == "/login/challenge":
            self.challenges.append(request)
            behave = says(200, {"result": {"token": f"challenge-{len(self.challenges)}"}})
        elif request.path == "/login":
            self.logins.append(request)
            await asyncio.sleep(self.delay)
            behave = self.login_behaviour or self._logs_in(request)
        else:
            self.searches.append(request)
            is_good = self.session != "" and request.headers.get("x-session") == self.session
            behave = says(200, anybody(request)) if is_good else self.logged_out
        await behave(request, writer)

    def _logs_in(self, request: Request) -> Behaviour:
        digest = hashlib.md5(f"challenge-{len(self.challenges)}{KEY}".encode(), usedforsecurity=False).hexdigest()
        if request.body != f"user=tanima&hash={digest}".encode():
            return says(200, {"error": {"code": "WRONG_HASH"}})
        self.session = f"session-{len(self.logins)}"
        return says(200, {"result": {"session": self.session, "uid": 0}})


@pytest.fixture
async def crm() -> AsyncIterator[SessionCrm]:
    crm = SessionCrm()
    async with crm.http:
        yield crm


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@asynccontextmanager
async def logging_in(crm: SessionCrm, clock: FakeClock, **options: Any) -> AsyncIterator[RestAdapter]:
    async with opened(f"{crm.http.url}/contacts", **{**OPTIONS, **LOGIN, **options}) as adapter:
        set_clock(adapter, clock)
        yield adapter


@pytest.fixture
async def adapter(crm: SessionCrm, clock: FakeClock) -> AsyncIterator[RestAdapter]:
    async with logging_in(crm, clock) as adapter:
        yield adapter


async def all_found(adapter: RestAdapter) -> None:
    contacts = await asyncio.gather(*map(adapter.lookup, CROWD))
    assert [found[0].name for found in contacts] == [name_of(number.e164) for number in CROWD]


async def test_the_requests_of_a_log_in_have_what_the_ones_before_gave(crm: SessionCrm, adapter: RestAdapter) -> None:
    await adapter.lookup(AYSE)
    assert [request.target for request in crm.challenges] == ["/login/challenge?user=tanima"]
    assert [request.method for request in crm.logins] == ["POST"]
    headers = crm.searches[0].headers
    assert headers["x-session"] == "session-1"
    assert headers["authorization"] == "Session " + base64.b64encode(b"tanima:session-1").decode()
    await all_found(adapter)
    assert len(crm.logins) == 1


async def test_a_log_in_is_made_before_the_first_call(crm: SessionCrm, clock: FakeClock) -> None:
    async with logging_in(crm, clock) as adapter:
        assert adapter._session is not None
        granted = await adapter._session.current()
        logged_in = len(crm.http.requests)
        assert logged_in > 0
        assert await adapter._session.current() is granted
        assert len(crm.http.requests) == logged_in


async def test_a_thousand_first_lookups_make_one_log_in(crm: SessionCrm, adapter: RestAdapter) -> None:
    crm.delay = 0.1
    numbers = [phone(f"0532 556 {n // 100:02} {n % 100:02}") for n in range(1000)]
    contacts = await asyncio.gather(*map(adapter.lookup, numbers))
    assert [found[0].name for found in contacts] == [name_of(number.e164) for number in numbers]
    assert (len(crm.challenges), len(crm.logins), len(crm.searches)) == (1, 1, 1000)


LOGGED_OUT = {
    "401": answers(401),
    "a word in a 200": says(200, {"error": {"code": "expired"}}),
    "a word in a 400": says(400, {"error": {"code": "expired"}}),
}


@pytest.mark.parametrize("how", LOGGED_OUT)
async def test_a_session_that_has_ended_is_made_anew_once_for_all_callers(
    how: str, crm: SessionCrm, adapter: RestAdapter
) -> None:
    crm.logged_out = LOGGED_OUT[how]
    await adapter.lookup(AYSE)
    crm.delay = 0.05
    for round_ in range(2, 5):
        crm.session = ""
        await all_found(adapter)
        assert len(crm.logins) == round_


async def test_a_session_that_works_after_all_is_no_longer_doubted(
    crm: SessionCrm, adapter: RestAdapter, clock: FakeClock
) -> None:
    works = crm.login_behaviour
    for _ in range(6):
        crm.session = ""
        crm.login_behaviour = says(200, {"result": {"session": "of no use", "uid": 1}})
        with pytest.raises(AdapterError, match="refuses a log-in that it has accepted"):
            await adapter.lookup(AYSE)
        asked = len(crm.http.requests)
        with pytest.raises(AdapterError, match="refuses a log-in that it has accepted"):
            await adapter.lookup(AYSE)
        assert len(crm.http.requests) == asked, "what is known to be refused is not sent"
        crm.login_behaviour = works
        clock.advance(1.1)
        await all_found(adapter)


async def test_a_session_that_never_works_makes_no_storm(
    crm: SessionCrm, adapter: RestAdapter, clock: FakeClock
) -> None:
    crm.logged_out = LOGGED_OUT["a word in a 200"]
    crm.login_behaviour = says(200, {"result": {"session": "of no use", "uid": 1}})
    for minute in range(1, 4):
        for _ in range(5):
            failures = await asyncio.gather(*map(adapter.lookup, CROWD), return_exceptions=True)
            assert {str(failure) for failure in failures} == {"the CRM refuses a log-in that it has accepted"}
        assert len(crm.logins) <= 1 + minute
        clock.advance(60.1)


REFUSED: dict[str, tuple[Behaviour, str]] = {
    "an error": (says(200, {"error": {"code": "WRONG"}}), "the CRM answers that it failed"),
    "an error with a code": (says(200, {"error": "WRONG_HASH"}), "the CRM answers that it failed (WRONG_HASH)"),
    "401": (answers(401), "the CRM refuses our credentials (401)"),
    "403 with a code": (says(403, {"error": "LOCKED"}), "the CRM refuses our credentials (403, LOCKED)"),
    "404": (answers(404), "the CRM does not accept the request (404)"),
    "no value": (says(200, {"result": {"uid": 1}}), "the log-in is refused: its answer has no session"),
    "an empty value": (
        says(200, {"result": {"session": "", "uid": 1}}),
        "the log-in is refused: its answer has no session",
    ),
    "false": (says(200, {"result": False}), "the log-in is refused: its answer has no session"),
    "a table for a value": (
        says(200, {"result": {"session": {"id": 1}}}),
        "the log-in is refused: its answer has no session",
    ),
    "nothing": (answers(200), "the log-in is refused: its answer has no session"),
    "HTML": (answers(200, b"<html>"), "what the CRM answers is not JSON"),
}


@pytest.mark.parametrize("how", REFUSED)
async def test_a_log_in_that_is_refused_is_told_and_not_tried_again_for_a_minute(
    how: str, crm: SessionCrm, adapter: RestAdapter, clock: FakeClock
) -> None:
    crm.login_behaviour, message = REFUSED[how]
    for _ in range(5):
        failures = await asyncio.gather(*map(adapter.lookup, CROWD), return_exceptions=True)
        assert {(type(failure), str(failure)) for failure in failures} == {(AdapterError, message)}
        clock.advance(11)
    assert len(crm.logins) == 1
    assert crm.searches == []
    crm.login_behaviour = None
    clock.advance(6)
    await all_found(adapter)
    assert len(crm.logins) == 2


TROUBLE: dict[str, tuple[Behaviour, float]] = {
    "500": (answers(500), 1),
    "a reset": (resets, 1),
    "429 with a time": (answers(429, b"", {"Retry-After": "30"}), 30),
    "503 with a time": (answers(503, b"", {"Retry-After": "30"}), 30),
}


@pytest.mark.parametrize("how", TROUBLE)
async def test_a_log_in_in_trouble_is_tried_again_after_a_while(
    how: str, crm: SessionCrm, adapter: RestAdapter, clock: FakeClock
) -> None:
    crm.login_behaviour, seconds = TROUBLE[how]
    for _ in range(3):
        failures = await asyncio.gather(*map(adapter.lookup, CROWD), return_exceptions=True)
        assert {type(failure) for failure in failures} == {Unavailable}
        clock.advance(seconds * 0.3)
    assert len(crm.logins) == 1
    crm.login_behaviour = None
    clock.advance(seconds * 0.11)
    await all_found(adapter)
    assert len(crm.logins) == 2


async def test_a_log_in_that_is_never_answered_is_given_up(
    crm: SessionCrm, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.rest.session.LONGEST_LOGIN", 0.1)
    crm.login_behaviour = hangs
    async with logging_in(crm, clock) as adapter:  # it logs in at once
        with pytest.raises(Unavailable, match="the log-in took too long"):
            await adapter.lookup(AYSE)
        monkeypatch.setattr("adapters.rest.session.LONGEST_LOGIN", 10.0)
        crm.login_behaviour = None
        clock.advance(1.1)
        await all_found(adapter)


async def test_a_session_with_a_lifetime_is_renewed_before_its_end(crm: SessionCrm, clock: FakeClock) -> None:
    login = {**LOGIN["login"], "lifetime": 100}
    async with logging_in(crm, clock, login=login) as adapter:
        await adapter.lookup(AYSE)
        clock.advance(79)
        await all_found(adapter)
        await asyncio.sleep(0.05)
        assert len(crm.logins) == 1
        clock.advance(2)
        await all_found(adapter)
        for _ in range(1000):
            if len(crm.logins) == 2:
                break
            await asyncio.sleep(0.01)
        clock.advance(79)
        await all_found(adapter)
        assert len(crm.logins) == 2
        clock.advance(1000)
        await all_found(adapter)
        assert len(crm.logins) == 3


async def test_a_session_without_a_lifetime_lasts_until_it_is_refused(
    crm: SessionCrm, adapter: RestAdapter, clock: FakeClock
) -> None:
    await adapter.lookup(AYSE)
    clock.advance(1e7)
    await all_found(adapter)
    assert len(crm.logins) == 1
