"""A search that is several requests: for each spelling, for each module and field, some of them at once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from proxy.adapter import AdapterError, Contact, PhoneNumber, Unavailable
from proxy.detached import detach
from proxy.testing import HttpCrm, Request, phone
from tests.adapters.rest_crm import opened

CALLER = phone("0530 123 45 67")
ABROAD = phone("+49 30 89680211")
MASKED = "{subscriber | mask('(###) ### ## ##')}"
RECORD = {"name": "Ayşe", "phone": "0530 123 45 67"}
NEIGHBOUR = {"name": "Komşu", "phone": "0530 123 45 68"}


class Crm:
    """Answers what it is told for each parameter `q`; a fault is an exception, and what waits an event."""

    def __init__(self, http: HttpCrm) -> None:
        self.http = http
        self.records: dict[str, object] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.arrived: list[str] = []
        self.left: list[str] = []
        http.behaviour = self.behave

    async def behave(self, request: Request, writer: asyncio.StreamWriter) -> None:
        asked = request.query["q"]
        self.arrived.append(asked)
        if asked in self.gates:
            await self.gates[asked].wait()
        said = self.records.get(asked, [])
        if said == 500:
            writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n")
            return
        self.http.answer = lambda _: said
        await self.http._behave(request, writer)

    async def until(self, has_come: Callable[[], bool]) -> None:
        for _ in range(1000):
            if has_come():
                return
            await asyncio.sleep(0.005)
        raise AssertionError(self.arrived)


@pytest.fixture
async def crm() -> AsyncIterator[Crm]:
    async with HttpCrm(lambda _: []) as http:
        yield Crm(http)


async def found(crm: Crm, number: PhoneNumber = CALLER, **options: Any) -> list[str]:
    """Look a number up, and return the names that were found."""
    given = {"query": {"q": "{number}"}, "name": "name", "numbers": "phone", **options}
    async with opened(f"{crm.http.url}/c", "find", **given) as adapter:
        return [contact.name for contact in await adapter.lookup(number)]


# ---------------------------------------------------------------------------------------- which requests


async def test_without_spellings_all_forms_without_blanks_are_asked_for(crm: Crm) -> None:
    assert await found(crm) == []
    assert crm.arrived == ["+905301234567", "905301234567", "05301234567", "5301234567", "00905301234567"]


async def test_a_spelling_that_is_the_same_as_another_is_asked_for_once(crm: Crm) -> None:
    assert await found(crm, ABROAD) == []
    assert crm.arrived == ["+493089680211", "493089680211", "00493089680211"]


async def test_spellings_are_asked_for_in_their_order_until_one_finds_the_caller(crm: Crm) -> None:
    spellings = ["{spaced}", MASKED, "{spaced_international}", "{digits | last(7)}", "tel:{e164}", "{national}"]
    assert await found(crm, spellings=spellings) == []
    assert crm.arrived == [
        "0530 123 45 67",
        "(530) 123 45 67",
        "+90 530 123 45 67",
        "1234567",
        "tel:+905301234567",
        "05301234567",
    ]
    crm.arrived.clear()
    crm.records["+90 530 123 45 67"] = [RECORD]
    assert await found(crm, spellings=spellings) == ["Ayşe"]
    assert crm.arrived[-1] == "+90 530 123 45 67"


async def test_a_spelling_whose_mask_does_not_fit_is_left_out(crm: Crm) -> None:
    assert await found(crm, ABROAD, spellings=[MASKED, "{e164}", "{national | mask('#### #######')} (iş)"]) == []
    assert crm.arrived == ["+493089680211"]


async def test_a_caller_whom_no_spelling_fits_is_unknown_without_a_request(crm: Crm) -> None:
    assert await found(crm, ABROAD, spellings=[MASKED]) == []
    assert await found(crm, ABROAD, spellings=[MASKED], query={"q": "{numbers | join(',')}"}) == []
    assert await found(crm, ABROAD, query={"q": ["{numbers | mask('### #######')}"]}) == []
    assert crm.arrived == []


async def test_all_combinations_are_asked_for_the_last_of_each_changing_first(crm: Crm) -> None:
    query = {"q": "{module}.{field}={number}"}
    each = {"module": ["contacts", "leads"], "field": ["mobile", "phone"]}
    assert await found(crm, query=query, each=each, spellings=["{e164}", "{national}"]) == []
    assert crm.arrived == [
        f"{module}.{field}={number}"
        for module in ("contacts", "leads")
        for field in ("mobile", "phone")
        for number in ("+905301234567", "05301234567")
    ]


async def test_each_alone_makes_a_request_for_each_value(crm: Crm) -> None:
    assert await found(crm, query={"q": "{module}/{e164}"}, each={"module": ["a", 2]}) == []
    assert crm.arrived == ["a/+905301234567", "2/+905301234567"]


async def test_all_spellings_at_once_are_one_request(crm: Crm) -> None:
    assert await found(crm, query={"q": "{numbers | join(' ')}"}, spellings=["{e164}", MASKED]) == []
    assert await found(crm, query={"q": ["{numbers}"]}, spellings=["{e164}", "{e164}"]) == []
    assert crm.arrived == ["+905301234567 (530) 123 45 67", '[["+905301234567"]]']


# ---------------------------------------------------------------------------------------- neighbours, failures


async def test_neighbours_are_passed_over_and_the_next_request_is_sent(crm: Crm) -> None:
    crm.records = {"+905301234567": [NEIGHBOUR], "905301234567": [NEIGHBOUR, RECORD]}
    assert await found(crm) == ["Komşu", "Ayşe"], "whom the proxy then tells apart"
    assert crm.arrived == ["+905301234567", "905301234567"]


async def test_when_there_are_only_neighbours_all_of_them_are_told(crm: Crm) -> None:
    crm.records = {"+905301234567": [NEIGHBOUR], "5301234567": NEIGHBOUR}
    assert await found(crm) == ["Komşu", "Komşu"]
    assert len(crm.arrived) == 5


async def test_without_the_option_numbers_the_first_who_is_found_is_taken(crm: Crm) -> None:
    crm.records = {"905301234567": [NEIGHBOUR], "05301234567": [RECORD]}
    assert await found(crm, numbers=None) == ["Komşu"]
    assert len(crm.arrived) == 2


async def test_a_failure_in_the_middle_is_no_unknown(crm: Crm) -> None:
    crm.records["05301234567"] = 500
    with pytest.raises(Unavailable, match="trouble of its own"):
        await found(crm)
    assert len(crm.arrived) == 3
    crm.records["905301234567"] = [RECORD]
    assert await found(crm) == ["Ayşe"], "found before it came to that"


async def test_a_record_that_cannot_be_read_is_a_failure_too(crm: Crm) -> None:
    crm.records["05301234567"] = ["x"]
    with pytest.raises(AdapterError, match="no record where the option record says"):
        await found(crm)


# ---------------------------------------------------------------------------------------- at once


async def test_so_many_are_sent_at_once_and_no_more(crm: Crm) -> None:
    numbers = ["+905301234567", "905301234567", "05301234567", "5301234567", "00905301234567"]
    crm.gates = {number: asyncio.Event() for number in numbers}
    lookup = detach(found(crm, at_once=2))
    for place, number in enumerate(numbers):
        await crm.until(lambda place=place: len(crm.arrived) == min(place + 2, 5))  # type: ignore[misc]
        assert sorted(crm.arrived) == sorted(numbers[: place + 2])
        crm.gates[number].set()
    assert await lookup == []


async def test_the_first_in_order_wins_over_the_first_to_answer_and_the_others_are_cancelled(crm: Crm) -> None:
    crm.gates = {"+905301234567": asyncio.Event(), "5301234567": asyncio.Event()}
    crm.records = {"+905301234567": [RECORD], "905301234567": [{**RECORD, "name": "Zweite"}], "5301234567": 500}
    given = {"query": {"q": "{number}"}, "name": "name", "numbers": "phone", "at_once": 4}
    async with opened(f"{crm.http.url}/c", "find", **given) as adapter:
        lookup = detach(adapter.lookup(CALLER))
        await crm.until(lambda: len(crm.arrived) == 4)
        assert not lookup.done()
        requests = [task for task in asyncio.all_tasks() if "_found" in repr(task)]
        crm.gates["+905301234567"].set()
        (contact,) = await asyncio.wait_for(lookup, 5)
        assert contact.name == "Ayşe", "though one that hangs is still under way"
        assert all(task.done() for task in requests)
        assert any(task.cancelled() for task in requests)
    assert "00905301234567" not in crm.arrived


async def test_a_failure_behind_the_first_who_is_found_does_not_count(crm: Crm) -> None:
    crm.gates = {"905301234567": asyncio.Event()}
    crm.records = {"05301234567": 500, "905301234567": [RECORD]}
    lookup = detach(found(crm, at_once=3))
    await crm.until(lambda: len(crm.arrived) >= 3)
    crm.gates["905301234567"].set()
    assert await lookup == ["Ayşe"]


async def test_a_lookup_that_is_given_up_leaves_nothing_under_way(crm: Crm) -> None:
    crm.gates = {"+905301234567": asyncio.Event()}
    given = {"query": {"q": "{number}"}, "name": "name", "at_once": 3}
    async with opened(f"{crm.http.url}/c", "find", **given) as adapter:
        before = asyncio.all_tasks()
        lookup = detach(adapter.lookup(CALLER))
        await crm.until(lambda: len(crm.arrived) == 3)
        lookup.cancel()
        with pytest.raises(asyncio.CancelledError):
            await lookup
        mine = {task for task in asyncio.all_tasks() - before if "_found" in repr(task)}
        assert mine == set()
        crm.gates.clear()
        crm.records["+905301234567"] = [RECORD]
        assert await adapter.lookup(CALLER) == [Contact("Ayşe")]
