"""A CRM that asks for fewer requests is left alone, and one with a limit is never asked more often."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.rest import RestAdapter
from adapters.rest.manners import LONGEST_WAIT, Manners
from adapters.rest.sections import Rate
from proxy.adapter import AdapterError, Unavailable
from proxy.testing import FakeClock, HttpCrm, Request, phone
from proxy.testing.behaviours import answers, breaks_off, sends
from proxy.testing.http_crm import Behaviour
from tests.adapters.oauth_crm import anybody, name_of, says
from tests.adapters.rest_crm import AYSE, OPTIONS, opened

CROWD = [phone(f"0532 556 {n // 100:02} {n % 100:02}") for n in range(200)]


@given(
    requests=st.integers(1, 8),
    seconds=st.floats(0.1, 60),
    pauses=st.lists(st.one_of(st.just(0.0), st.floats(0, 2), st.floats(0, 60)), max_size=60),
)
def test_never_more_requests_than_allowed_in_any_span_of_that_length(
    requests: int, seconds: float, pauses: list[float]
) -> None:
    manners, now, sent = Manners(Rate(requests=requests, seconds=seconds)), 5.0, []
    for pause in pauses:
        now += pause
        try:
            wait = manners.enter(now)
        except Unavailable:
            continue
        assert 0 <= wait <= LONGEST_WAIT
        sent.append(now + wait)
    assert sent == sorted(sent)
    assert all(later - earlier > seconds - 1e-6 for earlier, later in zip(sent, sent[requests:], strict=False))


@given(requests=st.integers(1, 8), seconds=st.floats(0.1, 60))
def test_as_many_as_allowed_go_at_once_and_again_when_their_time_is_over(requests: int, seconds: float) -> None:
    manners = Manners(Rate(requests=requests, seconds=seconds))
    for now in (0.0, seconds, 3 * seconds):
        assert [manners.enter(now) for _ in range(requests)] == [0.0] * requests


def test_a_request_waits_for_its_turn_but_not_for_long() -> None:
    manners = Manners(Rate(requests=2, seconds=1))
    assert [manners.enter(0), manners.enter(0.3)] == [0, 0]
    with pytest.raises(Unavailable, match="more requests than the option rate allows") as caught:
        manners.enter(0.4)
    assert caught.value.retry_after == pytest.approx(0.6)
    assert manners.enter(0.6) == pytest.approx(0.4)
    with pytest.raises(Unavailable):
        manners.enter(0.7)
    assert manners.enter(1.25) == pytest.approx(0.05)


def test_those_who_were_refused_do_not_count() -> None:
    manners = Manners(Rate(requests=1, seconds=10))
    manners.enter(0)
    for _ in range(100):
        with pytest.raises(Unavailable):
            manners.enter(5)
    assert manners.enter(10) == 0


def test_without_a_rate_nobody_waits() -> None:
    manners = Manners(None)
    assert {manners.enter(0) for _ in range(1000)} == {0}


def test_a_rest_is_kept_and_never_made_shorter() -> None:
    manners = Manners(None)
    manners.rest(30, 100)
    manners.rest(1, 101)
    for now, left in ((100.0, 30.0), (129.5, 0.5)):
        with pytest.raises(Unavailable, match="left alone") as caught:
            manners.enter(now)
        assert caught.value.retry_after == left
    assert manners.enter(130) == 0


@pytest.fixture
async def crm() -> AsyncIterator[HttpCrm]:
    async with HttpCrm(anybody) as server:
        yield server


async def found(adapter: RestAdapter) -> None:
    (contact,) = await adapter.lookup(AYSE)
    assert contact.name == name_of(AYSE.e164)


def by_its_clock(adapter: RestAdapter) -> FakeClock:
    """Give an adapter a clock of the test."""
    clock: Any = FakeClock()
    for part in (adapter._asking, adapter._transport):
        vars(part)["_clock"] = clock
    return clock  # type: ignore[no-any-return]


BUSY = says(200, {"error": "QUERY_LIMIT_EXCEEDED"})

THROTTLES: dict[str, tuple[dict[str, Any], Behaviour, float]] = {
    "429": ({}, answers(429), 1),
    "429 with seconds": ({}, answers(429, b"", {"Retry-After": "7"}), 7),
    "429 with parts of a second": ({}, answers(429, b"", {"retry-after": "7.5"}), 7.5),
    "429 with a long time": ({}, answers(429, b"", {"Retry-After": "86400"}), 3600),
    "429 with nonsense": ({"rest": 3}, answers(429, b"", {"Retry-After": "soon"}), 3),
    "429 with a body that breaks off": (
        {"when": "error == 'x'"},
        sends(b"HTTP/1.1 429 X\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\n{", then_closes=True),
        7,
    ),
    "503 with seconds": ({}, answers(503, b"", {"Retry-After": "7"}), 7),
    "429 with seconds in the body": ({"seconds": "retry_after"}, says(429, {"retry_after": 300}), 300),
    "429 with seconds in both": (
        {"seconds": "retry_after"},
        answers(429, b'{"retry_after": 300}', {"Retry-After": "7"}),
        7,
    ),
    "429 with nonsense in the body": ({"seconds": "retry_after", "rest": 3}, says(429, {"retry_after": []}), 3),
    "another status": ({"status": [429, 420], "rest": 5}, answers(420), 5),
    "a header of its own": (
        {"header": "X-Rate-Limit-Reset-After"},
        answers(429, b"", {"x-rate-limit-reset-after": "9", "Retry-After": "2"}),
        9,
    ),
    "a word in a 403": ({"when": "error == 'LIMIT'", "rest": 4}, says(403, {"error": "LIMIT"}), 4),
    "a word in a 200": ({"when": "error == 'QUERY_LIMIT_EXCEEDED'", "rest": 2}, BUSY, 2),
    "a word in a 200 and a header": (
        {"when": "error"},
        answers(200, b'{"error": "x"}', {"Retry-After": "6"}),
        6,
    ),
}


@pytest.mark.parametrize("how", THROTTLES)
async def test_nothing_is_sent_until_the_rest_is_over(how: str, crm: HttpCrm) -> None:
    throttle, crm.behaviour, seconds = THROTTLES[how]
    async with opened(f"{crm.url}/contacts", **OPTIONS, throttle=throttle) as adapter:
        clock = by_its_clock(adapter)
        with pytest.raises(Unavailable) as caught:
            await adapter.lookup(AYSE)
        assert caught.value.retry_after == seconds
        crm.behaviour = None
        for _ in range(4):
            with pytest.raises(Unavailable, match="left alone") as caught:
                await adapter.lookup(AYSE)
            assert caught.value.retry_after == pytest.approx(1000 + seconds - clock())
            clock.advance(seconds * 0.249)
        assert len(crm.requests) == 1
        clock.advance(seconds * 0.005)
        await found(adapter)
        assert len(crm.requests) == 2


async def test_a_rest_may_be_told_as_a_date(crm: HttpCrm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.rest.errors.time.time", lambda: 1_000_000_000.0)
    crm.behaviour = answers(429, b"", {"Retry-After": formatdate(1_000_000_030, usegmt=True)})
    async with opened(f"{crm.url}/contacts", **OPTIONS) as adapter:
        clock = by_its_clock(adapter)
        with pytest.raises(Unavailable):
            await adapter.lookup(AYSE)
        crm.behaviour = None
        clock.advance(29)
        with pytest.raises(Unavailable, match="left alone"):
            await adapter.lookup(AYSE)
        clock.advance(1)
        await found(adapter)


NO_THROTTLES: Mapping[str, Behaviour] = {
    "503": answers(503),
    "500 with a time": answers(500, b"", {"Retry-After": "7"}),
    "403 with another word": says(403, {"error": "FORBIDDEN"}),
    "half an answer": breaks_off(b"{}", after=1),
}


@pytest.mark.parametrize("how", NO_THROTTLES)
async def test_other_trouble_is_no_wish_to_be_left_alone(how: str, crm: HttpCrm) -> None:
    crm.behaviour = NO_THROTTLES[how]
    async with opened(f"{crm.url}/contacts", **OPTIONS, throttle={"when": "error == 'LIMIT'"}) as adapter:
        with pytest.raises(AdapterError):
            await adapter.lookup(AYSE)
        crm.behaviour = None
        await found(adapter)


async def test_those_who_wait_for_a_connection_see_that_the_crm_is_to_be_left_alone(crm: HttpCrm) -> None:
    let_go = asyncio.Event()

    async def throttles(request: Request, writer: asyncio.StreamWriter) -> None:
        await let_go.wait()
        await answers(429, b"", {"Retry-After": "60"})(request, writer)

    crm.behaviour = throttles
    async with opened(f"{crm.url}/contacts", **OPTIONS, connections=4) as adapter:
        crowd = asyncio.gather(*map(adapter.lookup, CROWD), return_exceptions=True)
        for _ in range(1000):
            if len(crm.requests) == 4:
                break
            await asyncio.sleep(0.01)  # they arrive over sockets
        await asyncio.sleep(0.05)  # a fifth, if there were one, would come by then
        let_go.set()
        assert {type(failure) for failure in await crowd} == {Unavailable}
    assert len(crm.requests) == 4, "those that were sent before the CRM said a word"


async def test_those_who_wait_for_their_turn_see_that_the_crm_is_to_be_left_alone(crm: HttpCrm) -> None:
    crm.behaviour = answers(429, b"", {"Retry-After": "60"})
    rate = {"requests": 1, "seconds": 0.4}
    async with opened(f"{crm.url}/contacts", **OPTIONS, rate=rate) as adapter:
        failures = await asyncio.gather(*map(adapter.lookup, CROWD[:2]), return_exceptions=True)
    assert [str(failure) for failure in failures] == [
        "the CRM asks for fewer requests (429)",
        "the CRM has asked to be left alone for a while",
    ]
    assert len(crm.requests) == 1


async def test_no_more_requests_are_sent_than_the_rate_allows(crm: HttpCrm) -> None:
    times: list[float] = []

    async with opened(f"{crm.url}/contacts", **OPTIONS, rate={"requests": 5, "seconds": 0.4}) as adapter:
        transport: Any = adapter._transport
        exchanged = transport._exchanged

        def noted(*of: object) -> object:
            times.append(asyncio.get_running_loop().time())  # the CRM sees the first five late: they have to connect
            return exchanged(*of)

        transport._exchanged = noted
        answered = await asyncio.gather(*map(adapter.lookup, CROWD), return_exceptions=True)
    assert len(crm.requests) == len(times)
    assert 10 <= len(times) < len(CROWD), "five at once, five after a wait; who had waited longer was refused at once"
    assert all(sixth - first > 0.3 for first, sixth in zip(times, times[5:], strict=False))
    refused = [each for each in answered if isinstance(each, BaseException)]
    assert {str(each) for each in refused} == {"more requests than the option rate allows"}
    assert len(refused) == len(CROWD) - len(times)


STEP = {"step": "owner", "url": "/owner?phone=%2B900", "record": "items", "fields": {"owner": "name"}}
MAP = {"of": "tier", "url": "/list", "record": "items", "key": "name", "value": "id"}


async def test_steps_are_told_to_leave_the_crm_alone_as_searches_are(crm: HttpCrm) -> None:
    async def throttles(request: Request, writer: asyncio.StreamWriter) -> None:
        is_step = request.path == "/owner"
        behave = answers(429, b"", {"Retry-After": "60"}) if is_step else says(200, anybody(request))
        await behave(request, writer)

    crm.behaviour = throttles
    async with opened(f"{crm.url}/contacts", **OPTIONS, steps=[STEP]) as adapter:
        (contact,) = await adapter.lookup(AYSE)
        with pytest.raises(Unavailable, match="owner: the CRM asks for fewer requests"):
            [_ async for _ in adapter.complete(contact, AYSE)]
        with pytest.raises(Unavailable, match="left alone"):
            await adapter.lookup(AYSE)
    assert len(crm.requests) == 2


async def test_maps_are_told_to_leave_the_crm_alone_as_searches_are(crm: HttpCrm) -> None:
    crm.behaviour = answers(429, b"", {"Retry-After": "60"})
    async with opened(f"{crm.url}/contacts", **OPTIONS, maps={"extension": MAP}) as adapter:
        reading: Any = adapter._maps[0]._read()
        with pytest.raises(Unavailable, match="extension: the CRM asks for fewer requests"):
            await reading
        with pytest.raises(Unavailable, match="left alone"):
            await adapter.lookup(AYSE)
    assert [request.path for request in crm.requests] == ["/list"]
