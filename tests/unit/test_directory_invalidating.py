"""What a CRM tells has changed: it is asked before the next answer, and what was known is there if it fails."""

import asyncio

import pytest

from proxy.adapter import Contact
from proxy.cache import Entry
from proxy.detached import detach
from proxy.errors import Unavailable
from proxy.model import Asked, Finding, Via
from tests.unit.fakes import AHMET, CUSTOMER, NUMBER, OTHER_NUMBER, After, FakeAdapter, Stubborn, in_virtual_time
from tests.unit.test_directory import asked_by_both, directory

AYSE = Contact("Ayşe Demir", id="8")
DOWN = Unavailable("down")


@in_virtual_time
async def test_the_next_call_has_the_crm_asked() -> None:
    adapter = FakeAdapter(AHMET, AYSE)
    contacts, clock = directory(adapter)
    await contacts.find(NUMBER, 1)
    assert contacts.invalidate(NUMBER)
    clock.now += 1
    assert await contacts.find(NUMBER, 1) == Finding(AYSE, Via.CRM)
    assert not contacts.invalidate(OTHER_NUMBER)
    assert len(adapter.asked) == 2


@in_virtual_time
async def test_when_the_crm_fails_what_was_known_answers() -> None:
    contacts, _ = directory(FakeAdapter(AHMET, DOWN))
    await contacts.find(NUMBER, 1)
    contacts.invalidate(NUMBER)
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.STALE)


@in_virtual_time
async def test_that_nobody_is_known_is_forgotten() -> None:
    contacts, _ = directory(FakeAdapter(None, AHMET))
    assert await contacts.find(NUMBER, 1) == Finding(None, Via.CRM)
    assert contacts.invalidate(NUMBER)
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CRM)


@in_virtual_time
async def test_a_lookup_that_is_under_way_answers_who_waits_and_is_not_kept() -> None:
    adapter = FakeAdapter(Stubborn(5, AHMET), AYSE)
    contacts, _ = directory(adapter)
    waiting = detach(contacts.find(NUMBER, 10))
    await asyncio.sleep(1)
    assert contacts.invalidate(NUMBER), "it may have been answered before the change"
    assert await waiting == Finding(AHMET, Via.CRM)
    assert await contacts.find(NUMBER, 10) == Finding(AYSE, Via.CRM)


@in_virtual_time
async def test_what_was_found_by_customer_numbers_is_dropped_as_nobody_can_tell_whose_it_is() -> None:
    adapter = FakeAdapter(AHMET, AYSE)
    contacts, _ = asked_by_both(adapter)
    await contacts.find(CUSTOMER, 1)
    contacts.invalidate(OTHER_NUMBER)
    assert await contacts.find(CUSTOMER, 1) == Finding(AYSE, Via.CRM)


@in_virtual_time
async def test_one_that_is_let_go_knows_nobody_any_more() -> None:
    contacts, clock = asked_by_both(FakeAdapter(AHMET, AYSE, DOWN))
    for key in (NUMBER, CUSTOMER):
        await contacts.find(key, 1)
    clock.now += 301
    assert [(await contacts.find(key, 1)).via for key in (NUMBER, CUSTOMER)] == [Via.STALE] * 2
    await contacts.let_go()
    for key in (NUMBER, CUSTOMER):
        with pytest.raises(Unavailable):
            await contacts.find(key, 1)


@in_virtual_time
async def test_all_can_be_invalidated_and_calls_need_not_wait_for_that() -> None:
    contacts, clock = directory(FakeAdapter(DOWN))
    size = 300
    contacts.cache.resized(size)
    for number in range(size):
        contacts.cache.put(f"+90{number}", Entry(AHMET, clock.now + 100, clock.now + 1000))
    also: list[str] = []
    invalidating = detach(contacts.invalidate_all(also.append))
    turns = 0
    while not invalidating.done():
        turns += 1
        await asyncio.sleep(0)
    assert await invalidating == size
    assert turns > 2, "others had their turns between"
    assert len(also) == size
    assert not any(entry.is_fresh(clock.now) for part in contacts.cache.parts() for _, entry in part)
    assert contacts.flights == 0


@in_virtual_time
async def test_a_lookup_that_is_under_way_is_not_kept_then_either() -> None:
    contacts, _ = directory(FakeAdapter(Stubborn(5, AHMET), AYSE))
    waiting = detach(contacts.find(NUMBER, 10))
    await asyncio.sleep(1)
    assert contacts.flights == 1
    assert await contacts.invalidate_all() == 0
    assert (await waiting).contact is AHMET
    assert await contacts.find(NUMBER, 10) == Finding(AYSE, Via.CRM)


@in_virtual_time
async def test_looking_at_what_is_known_is_no_lookup_and_no_use() -> None:
    adapter = FakeAdapter(AHMET)
    contacts, clock = directory(adapter)
    assert contacts.peek(NUMBER) is None
    await contacts.find(NUMBER, 1)
    entry = contacts.peek(NUMBER)
    assert entry is not None
    assert entry.contact == AHMET
    clock.now += 1_000_000
    assert contacts.peek(NUMBER) is None
    assert len(contacts.cache) == 1
    assert len(adapter.asked) == 1


# ---------------------------------------------------------------------------------------- what the sources said


def outcomes(told: list[Asked]) -> list[tuple[str, str]]:
    return [(each.source, each.outcome) for each in told]


@in_virtual_time
async def test_what_the_sources_said_is_told_to_all_who_waited_for_it() -> None:
    contacts, _ = directory(FakeAdapter(After(1, DOWN), AHMET))
    told: list[list[Asked]] = [[], [], []]
    for each in await asyncio.gather(*(contacts.find(NUMBER, 10, each) for each in told[:2]), return_exceptions=True):
        assert isinstance(each, Unavailable)
    assert outcomes(told[0]) == outcomes(told[1]) == [("crm", "failed")]
    await contacts.find(NUMBER, 10, told[2])
    assert outcomes(told[2]) == [("crm", "found")]
    await contacts.find(NUMBER, 10, told[2])
    assert len(told[2]) == 1, "out of the cache nobody was asked"


@in_virtual_time
async def test_who_leaves_early_is_told_what_was_said_until_then() -> None:
    contacts, _ = directory(FakeAdapter(None), FakeAdapter(After(5, AHMET)))
    told: list[Asked] = []
    with_answer = detach(contacts.find(NUMBER, 1, told))
    await asyncio.wait({with_answer})
    assert with_answer.exception() is not None
    assert outcomes(told) == [("crm", "unknown")]


@in_virtual_time
async def test_an_erased_number_is_gone_by_others_of_the_same_contact_too() -> None:
    contact = Contact("Ahmet Yılmaz", numbers=("0530 123 45 67", "0532 111 22 33", "none at all"))
    contacts, _ = directory(FakeAdapter(contact))
    for number in (NUMBER, OTHER_NUMBER):
        await contacts.find(number, 1)
    assert contacts.forget(NUMBER)
    assert contacts.peek(OTHER_NUMBER) is None
    assert len(contacts.cache) == 0
