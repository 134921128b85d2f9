"""Access tokens that end, are revoked, or cannot be had: one request for a token each time, and never a storm."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.rest import RestAdapter
from proxy.adapter import AdapterError, Unavailable
from proxy.detached import detach
from proxy.testing import FakeClock, phone
from proxy.testing.behaviours import answers, breaks_off, hangs, resets, sends
from proxy.testing.http_crm import Behaviour
from tests.adapters.oauth_crm import OAuthCrm, name_of, says
from tests.adapters.rest_crm import AYSE

CROWD = [phone(f"0532 556 00 {n:02}") for n in range(50)]


@pytest.fixture
async def crm() -> AsyncIterator[OAuthCrm]:
    crm = OAuthCrm()
    async with crm.http:
        yield crm


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def adapter(crm: OAuthCrm, clock: FakeClock) -> AsyncIterator[RestAdapter]:
    async with crm.opened(crm.options(), clock) as adapter:
        yield adapter


async def all_found(adapter: RestAdapter) -> None:
    contacts = await asyncio.gather(*map(adapter.lookup, CROWD))
    assert [found[0].name for found in contacts] == [name_of(number.e164) for number in CROWD]


async def fails(adapter: RestAdapter) -> AdapterError:
    with pytest.raises(AdapterError) as caught:
        await adapter.lookup(AYSE)
    return caught.value


async def until_renewed(adapter: RestAdapter) -> None:
    """Wait until a renewal that is under way, if there is one, has ended."""
    assert adapter._session is not None
    if (flight := adapter._session._flight) is not None:
        await asyncio.wait({flight}, timeout=10)


async def test_a_token_is_renewed_before_its_end_while_nobody_waits(
    crm: OAuthCrm, adapter: RestAdapter, clock: FakeClock
) -> None:
    await adapter.lookup(AYSE)
    clock.advance(3600 - 300 + 1)
    reached = asyncio.Event()
    let_go = asyncio.Event()

    async def waits(*of: object) -> None:
        reached.set()
        await let_go.wait()
        crm.token_behaviour = None
        await says(*crm.token_answer(crm.token_requests[-1]))(*of)  # type: ignore[arg-type]

    crm.token_behaviour = waits
    await all_found(adapter)
    await asyncio.wait_for(reached.wait(), 10)
    await all_found(adapter)
    assert {request.headers["authorization"] for request in crm.searches} == {"Bearer access-1"}
    let_go.set()
    await until_renewed(adapter)
    assert crm.given == 2
    crm.searches.clear()
    await all_found(adapter)
    assert {request.headers["authorization"] for request in crm.searches} == {"Bearer access-2"}
    assert len(crm.token_requests) == 2


async def test_nobody_renews_a_token_that_is_not_used(crm: OAuthCrm, adapter: RestAdapter, clock: FakeClock) -> None:
    await adapter.lookup(AYSE)
    clock.advance(100_000)
    await asyncio.sleep(0.05)
    assert crm.given == 1
    await all_found(adapter)
    assert (crm.given, crm.refused) == (2, 0)


async def test_a_renewal_that_fails_costs_nobody_a_token_that_is_still_good(
    crm: OAuthCrm, adapter: RestAdapter, clock: FakeClock
) -> None:
    await adapter.lookup(AYSE)
    clock.advance(3600 - 200)
    crm.token_behaviour = answers(500)
    for _ in range(5):
        await all_found(adapter)
        await until_renewed(adapter)
    assert len(crm.token_requests) == 2, "one for a second"
    clock.advance(1.01)
    await all_found(adapter)
    await until_renewed(adapter)
    assert len(crm.token_requests) == 3
    crm.token_behaviour = None
    clock.advance(200)
    await all_found(adapter)
    assert (crm.given, crm.refused) == (2, 0)


async def test_a_revoked_token_is_replaced_once_for_all_callers_and_no_call_fails(
    crm: OAuthCrm, adapter: RestAdapter
) -> None:
    await adapter.lookup(AYSE)
    crm.delay = 0.05
    for round_ in range(1, 4):
        crm.revoke()
        await all_found(adapter)
        assert len(crm.token_requests) == 1 + round_
    assert crm.refused <= 3 * len(CROWD)


async def test_a_crm_that_refuses_every_token_is_not_asked_for_one_again_and_again(
    crm: OAuthCrm, adapter: RestAdapter, clock: FakeClock
) -> None:
    crm.lives = -1
    for _ in range(5 * 60):
        failures = await asyncio.gather(*(adapter.lookup(AYSE) for _ in range(5)), return_exceptions=True)
        assert {str(failure) for failure in failures} == {"the CRM refuses a log-in that it has accepted"}
        clock.advance(1)
    assert len(crm.token_requests) <= 2 + 2 + 5, "after the first two, one a minute"
    crm.lives = 3600
    clock.advance(60)
    await all_found(adapter)


async def test_a_token_that_is_revoked_before_it_is_used_costs_a_second(
    crm: OAuthCrm, adapter: RestAdapter, clock: FakeClock
) -> None:
    crm.lives = -1
    await asyncio.gather(*map(adapter.lookup, CROWD), return_exceptions=True)
    crm.lives = 3600
    await fails(adapter)
    clock.advance(1.1)
    await all_found(adapter)
    assert len(crm.token_requests) == 3


async def test_a_request_that_is_always_refused_does_not_cost_the_others_their_token(
    crm: OAuthCrm, clock: FakeClock
) -> None:
    step = {"step": "owner", "url": "/forbidden?phone=%2B900", "fields": {"owner": "name"}, "record": "items"}
    behave = crm.http.behaviour
    assert behave is not None

    async def forbids(request: object, writer: object) -> None:
        forbidden = getattr(request, "path") == "/forbidden"  # noqa: B009 - the type does not tell of it
        await (says(401, {}) if forbidden else behave)(request, writer)  # type: ignore[arg-type]

    crm.http.behaviour = forbids
    async with crm.opened({**crm.options(), "steps": [step]}, clock) as adapter:
        for _ in range(20):
            (contact,) = await adapter.lookup(AYSE)
            with pytest.raises(AdapterError, match="has accepted"):
                [_ async for _ in adapter.complete(contact, AYSE)]
    assert len(crm.token_requests) == 2


REFUSED: dict[str, tuple[Behaviour, str]] = {
    "invalid_grant": (says(400, {"error": "invalid_grant"}), "the log-in for a token is refused (400, invalid_grant)"),
    "401": (says(401, {"error": "invalid_client"}), "the log-in for a token is refused (401, invalid_client)"),
    "an error in a 200": (says(200, {"error": "invalid_code"}), "the answer to the log-in has no access_token"),
    "a description that could be anything": (
        says(400, {"error": "0532 111 22 33 is wrong"}),
        "the log-in for a token is refused (400)",
    ),
    "HTML": (answers(200, b"<html>"), "the answer to the log-in has no access_token"),
    "nothing": (answers(200, b""), "the answer to the log-in has no access_token"),
    "a list": (says(200, ["access_token"]), "the answer to the log-in has no access_token"),
    "a number for a token": (says(200, {"access_token": 5}), "the answer to the log-in has no access_token"),
    "a token with a line break": (says(200, {"access_token": "a\r\nX: y"}), "the answer to the log-in has no access_"),
    "a redirect": (answers(302, b"", {"Location": "/elsewhere"}), "the CRM redirects, which is not followed (302)"),
    "404": (answers(404), "the CRM does not accept the request (404)"),
}


@pytest.mark.parametrize("how", REFUSED)
async def test_refused_credentials_are_told_and_not_tried_again_for_a_minute(
    how: str, crm: OAuthCrm, adapter: RestAdapter, clock: FakeClock
) -> None:
    crm.token_behaviour, message = REFUSED[how]
    failure = await fails(adapter)
    assert str(failure).startswith(message)
    assert not isinstance(failure, Unavailable)
    clock.advance(59)
    assert {type(await fails(adapter)) for _ in range(20)} == {AdapterError}
    assert len(crm.token_requests) == 1
    crm.token_behaviour = None
    clock.advance(1.1)
    await all_found(adapter)
    assert len(crm.token_requests) == 2
    assert len(crm.searches) == len(CROWD)


TROUBLE: dict[str, tuple[Behaviour, float]] = {
    "500": (answers(500), 1),
    "a reset": (resets, 1),
    "half an answer": (breaks_off(b'{"access_token": "x"}', after=5), 1),
    "half a refusal": (sends(b"HTTP/1.1 503 X\r\nContent-Length: 9\r\n\r\n{", then_closes=True), 1),
    "429": (answers(429), 1),
    "429 with a time": (answers(429, b"", {"Retry-After": "30"}), 30),
    "503 with a time": (answers(503, b"", {"Retry-After": "30"}), 30),
}


@pytest.mark.parametrize("how", TROUBLE)
async def test_a_token_endpoint_in_trouble_is_left_alone_for_a_while(
    how: str, crm: OAuthCrm, adapter: RestAdapter, clock: FakeClock
) -> None:
    crm.token_behaviour, seconds = TROUBLE[how]
    for _ in range(20):
        assert isinstance(await fails(adapter), Unavailable)
    clock.advance(seconds * 0.95)
    await fails(adapter)
    assert len(crm.token_requests) == 1
    crm.token_behaviour = None
    clock.advance(seconds * 0.06)
    await all_found(adapter)


async def test_a_token_endpoint_that_never_answers_is_given_up_and_asked_again(
    crm: OAuthCrm, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.rest.session.LONGEST_LOGIN", 0.5)
    crm.token_behaviour = hangs
    async with crm.opened(crm.options(), clock) as adapter:  # it logs in at once
        failures = await asyncio.gather(*map(adapter.lookup, CROWD), return_exceptions=True)
        assert {str(failure) for failure in failures} == {"the log-in took too long"}
        assert {type(failure) for failure in failures} == {Unavailable}
        assert len(crm.token_requests) == 1
        monkeypatch.setattr("adapters.rest.session.LONGEST_LOGIN", 10.0)
        crm.token_behaviour = None
        clock.advance(1.1)
        await all_found(adapter)


async def test_a_token_endpoint_that_is_down_is_found_again(
    crm: OAuthCrm, adapter: RestAdapter, clock: FakeClock
) -> None:
    await crm.http.stop()
    assert isinstance(await fails(adapter), Unavailable)
    await crm.http.start()
    clock.advance(1.1)
    await all_found(adapter)


async def test_a_caller_who_leaves_does_not_take_the_new_token_along(crm: OAuthCrm, adapter: RestAdapter) -> None:
    crm.delay = 0.2
    callers = [detach(adapter.lookup(number)) for number in CROWD]
    await asyncio.wait(callers, timeout=0.1)
    for caller in callers:
        caller.cancel()
    await asyncio.wait(callers, timeout=5)
    assert all(caller.cancelled() for caller in callers)
    await all_found(adapter)
    assert len(crm.token_requests) == 1
