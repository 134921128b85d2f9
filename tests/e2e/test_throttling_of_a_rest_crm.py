"""A CRM that asks for fewer requests gets none until its time is over, and calls are answered at once meanwhile."""

import asyncio
import statistics
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count

import pytest

from proxy.testing import HttpCrm, Request
from proxy.testing.behaviours import answers
from proxy.testing.http_crm import Behaviour
from tests.adapters.oauth_crm import anybody, name_of
from tests.e2e.conftest import Serve
from tests.e2e.people import head, source
from tests.e2e.running import Answer, Serving, call

AT_ONCE = 1.0
"""Seconds, for half of the calls; whoever waited for the CRM would wait for the rest of its time."""

REST = 4.0
"""Seconds for which the CRM asks"""

OPTIONS = """url = "{url}/contacts"
query = {{ phone = "{{e164}}" }}
record = "items"
name = "name"
numbers = "phones[].number"
fields = {{ tier = "account.tier" }}
throttle = {{ when = "error == 'LIMIT'", rest = 4 }}
"""

STYLES: dict[str, Behaviour] = {
    "429": answers(429, b"", {"Retry-After": "4"}),
    "503": answers(503, b"<html>Busy</html>", {"Retry-After": "4"}, content_type="text/html"),
    "403 with a word": answers(403, b'{"error": "LIMIT"}'),
}

NUMBERS = count(1000)
"""The last digits of numbers that have not been asked about yet"""


def number_of_its_own() -> str:
    return f"0532557{next(NUMBERS)}"


@pytest.fixture
async def crm() -> AsyncIterator[HttpCrm]:
    async with HttpCrm(anybody) as crm:
        yield crm


@pytest.fixture
def server(serve: Serve, crm: HttpCrm) -> Iterator[Serving]:
    cache = "\n[cache]\nttl = 0.2\nstale = 3600\n"
    toml = head(more=cache) + source("rest", OPTIONS.format(url=crm.url), "timeout = 10\nattempts = 2")
    with serve(toml) as serving:
        yield serving


def found(number: str) -> object:
    return {"name": name_of(f"+9{number}"), "target": "queue/201"}


async def crowd(serving: Serving, numbers: list[str]) -> list[Answer]:
    return [await call(serving, number) for number in numbers]


@pytest.mark.parametrize("style", STYLES)
async def test_calls_are_answered_at_once_and_the_crm_is_left_alone_for_as_long_as_it_asks(
    style: str, server: Serving, crm: HttpCrm, figure: Callable[[str], None]
) -> None:
    clock = asyncio.get_running_loop().time
    throttled, asked = list[float](), list[float]()

    async def throttles(request: Request, writer: asyncio.StreamWriter) -> None:
        throttled.append(clock())
        await STYLES[style](request, writer)

    def is_asked(request: Request) -> object:
        asked.append(clock())
        return anybody(request)

    crm.answer = is_asked
    known = [number_of_its_own() for _ in range(5)]
    assert [answer.said for answer in await crowd(server, known)] == [found(number) for number in known]
    await asyncio.sleep(0.3)  # until they are stale

    crm.behaviour = throttles
    assert (await call(server, number_of_its_own())).said == {"target": "queue/200"}
    crm.behaviour = None

    heard, rests_until = list[Answer](), throttled[0] + REST
    while clock() < rests_until - 0.5:
        stale = await crowd(server, known)
        assert [answer.said for answer in stale] == [found(number) for number in known]
        strangers = await crowd(server, [number_of_its_own() for _ in range(5)])
        if clock() < rests_until:  # whoever calls later may be looked up again
            assert {answer.target for answer in strangers} == {"queue/200"}
            heard += [*stale, *strangers]
        await asyncio.sleep(0.1)
    slowest = max(answer.seconds for answer in heard)
    assert statistics.median(answer.seconds for answer in heard) < AT_ONCE

    while len(asked) == len(known):
        await call(server, number_of_its_own())
        await asyncio.sleep(0.02)
    assert len(throttled) == 1, "what was throttled is not tried again"
    rested = asked[len(known)] - throttled[0]
    assert REST <= rested < 2 * REST
    number = number_of_its_own()
    assert (await call(server, number)).said == found(number)
    assert (await call(server, known[0])).said == found(known[0])
    figure(
        f"CRM that throttles by {style}: {len(heard)} calls answered from stale or default, slowest "
        f"{slowest * 1000:.0f} ms; the CRM asked again after {rested:.1f} s of {REST:.0f} s"
    )


async def test_a_crowd_at_the_time_of_the_throttling_is_answered_at_once_and_kept_away(
    server: Serving, crm: HttpCrm, figure: Callable[[str], None]
) -> None:
    crm.behaviour = answers(429, b"", {"Retry-After": "600"})  # longer than all the calls take
    numbers = [number_of_its_own() for _ in range(300)]
    heard = await asyncio.gather(*(call(server, number) for number in numbers))
    assert {answer.target for answer in heard} == {"queue/200"}
    assert len(crm.requests) <= 20, "as many as there are connections"
    figure(f"{len(numbers)} simultaneous calls at a CRM that throttles: it was asked {len(crm.requests)} times")
