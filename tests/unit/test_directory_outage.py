"""What the directory answers while the CRM is late, fails or has just failed, and ahead of expiry."""

import asyncio

import pytest

from proxy.cache import ContactCache
from proxy.detached import detach
from proxy.directory import Directory, Lifetimes
from proxy.errors import AdapterError, CircuitOpen, DeadlineExceeded, Overloaded, Unavailable
from proxy.model import Finding, Via
from proxy.sources import Source, Sources
from proxy.upstream import Limits
from tests.unit.fakes import AHMET, NUMBER, OTHER_NUMBER, After, FakeAdapter, in_virtual_time, now, upstream

LIVES = Lifetimes(ttl=300, negative_ttl=60, stale=3600, recheck=5)
DOWN = Unavailable("down")
NEWER = AHMET.with_fields({"city": "İzmir"})
PATIENT = Limits(timeout=30, attempts=1, breaker_failures=1000)


def directory(adapter: FakeAdapter, lives: Lifetimes = LIVES) -> Directory:
    """Return a directory whose clock is the loop's."""
    return Directory(Sources([Source(upstream(adapter, PATIENT))]), ContactCache(100), lives, now)


@in_virtual_time
async def test_after_a_failure_a_stale_contact_answers_without_a_lookup_for_a_while() -> None:
    adapter = FakeAdapter(AHMET, DOWN, NEWER)
    contacts = directory(adapter)
    await contacts.find(NUMBER, 1)
    await asyncio.sleep(301)
    for _ in range(50):
        assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.STALE)
    assert len(adapter.asked) == 2
    await asyncio.sleep(5.1)
    assert await contacts.find(NUMBER, 1) == Finding(NEWER, Via.CRM)


@in_virtual_time
async def test_only_the_first_caller_waits_for_a_crm_that_hangs() -> None:
    adapter = FakeAdapter(AHMET, After(60, NEWER))
    contacts = directory(adapter)
    await contacts.find(NUMBER, 1)
    await asyncio.sleep(301)
    began = now()
    assert await contacts.find(NUMBER, 1.5) == Finding(AHMET, Via.STALE)
    assert now() == began + 1.5
    for _ in range(20):
        assert await contacts.find(NUMBER, 1.5) == Finding(AHMET, Via.STALE)
    assert now() == began + 1.5


@in_virtual_time
async def test_an_answer_that_comes_late_is_used_at_once_for_the_next_caller() -> None:
    adapter = FakeAdapter(AHMET, After(3, NEWER))
    contacts = directory(adapter)
    await contacts.find(NUMBER, 1)
    await asyncio.sleep(301)
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.STALE)
    await asyncio.sleep(2.1)
    assert await contacts.find(NUMBER, 1) == Finding(NEWER, Via.CACHE)


@pytest.mark.parametrize("failure", [CircuitOpen("not asked", 3), Overloaded("not asked")])
@in_virtual_time
async def test_a_failure_that_took_no_time_is_not_waited_with(failure: AdapterError) -> None:
    class Refusing(FakeAdapter):
        """Raises what only the proxy itself raises; the breaker does not see it."""

    adapter = Refusing(AHMET, failure, NEWER)
    contacts = directory(adapter)
    await contacts.find(NUMBER, 1)
    await asyncio.sleep(301)
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.STALE)
    await asyncio.sleep(3.1)
    assert await contacts.find(NUMBER, 1) == Finding(NEWER, Via.CRM)


@in_virtual_time
async def test_a_number_of_which_nothing_is_known_is_asked_for_again_at_once() -> None:
    adapter = FakeAdapter(DOWN, AHMET)
    contacts = directory(adapter)
    with pytest.raises(Unavailable):
        await contacts.find(NUMBER, 1)
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CRM)


@in_virtual_time
async def test_a_contact_that_is_gone_while_its_caller_waits_answers_no_more() -> None:
    adapter = FakeAdapter(AHMET, After(20, DOWN))
    contacts = directory(adapter, Lifetimes(ttl=300, stale=10))
    await contacts.find(NUMBER, 1)
    await asyncio.sleep(305)
    with pytest.raises(DeadlineExceeded):
        await contacts.find(NUMBER, 8)


@in_virtual_time
async def test_a_contact_that_is_erased_while_its_caller_waits_answers_no_more() -> None:
    adapter = FakeAdapter(AHMET, After(20, DOWN))
    contacts = directory(adapter)
    await contacts.find(NUMBER, 1)
    await asyncio.sleep(301)
    waiting = detach(contacts.find(NUMBER, 2))
    await asyncio.sleep(1)
    assert contacts.forget(NUMBER)
    with pytest.raises(DeadlineExceeded):
        await waiting


@in_virtual_time
async def test_forgetting_tells_whether_there_was_anything() -> None:
    contacts = directory(FakeAdapter(AHMET, After(1, AHMET)))
    assert not contacts.forget(NUMBER)
    await contacts.find(NUMBER, 1)
    assert contacts.forget(NUMBER)
    assert not contacts.forget(NUMBER)
    waiting = detach(contacts.find(NUMBER, 2))
    await asyncio.sleep(0.5)
    assert contacts.forget(NUMBER), "a lookup was under way"
    await waiting


@in_virtual_time
async def test_a_busy_caller_never_waits_when_the_crm_is_asked_ahead() -> None:
    adapter = FakeAdapter(AHMET, After(1, NEWER))
    contacts = directory(adapter, Lifetimes(ttl=300, refresh_ahead=30))
    await contacts.find(NUMBER, 1)
    await asyncio.sleep(269)
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CACHE)
    assert len(adapter.asked) == 1
    await asyncio.sleep(2)
    began = now()
    for _ in range(10):
        assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CACHE)
    assert now() == began
    await asyncio.sleep(1.1)
    assert len(adapter.asked) == 2
    assert await contacts.find(NUMBER, 1) == Finding(NEWER, Via.CACHE)
    await asyncio.sleep(250)
    assert await contacts.find(NUMBER, 1) == Finding(NEWER, Via.CACHE), "fresh for another ttl"
    assert len(adapter.asked) == 2


@in_virtual_time
async def test_asking_ahead_that_fails_is_not_repeated_with_each_call() -> None:
    adapter = FakeAdapter(AHMET, DOWN)
    contacts = directory(adapter, Lifetimes(ttl=300, refresh_ahead=30, recheck=5))
    await contacts.find(NUMBER, 1)
    await asyncio.sleep(275)
    for _ in range(40):
        assert (await contacts.find(NUMBER, 1)).via is Via.CACHE
        await asyncio.sleep(0.1)
    assert len(adapter.asked) == 2
    await asyncio.sleep(5)
    await contacts.find(NUMBER, 1)
    await asyncio.sleep(0.1)
    assert len(adapter.asked) == 3


@in_virtual_time
async def test_that_somebody_is_unknown_is_not_asked_ahead() -> None:
    adapter = FakeAdapter(None)
    contacts = directory(adapter, Lifetimes(ttl=300, negative_ttl=60, refresh_ahead=299))
    for _ in range(59):
        await contacts.find(NUMBER, 1)
        await asyncio.sleep(1)
    assert len(adapter.asked) == 1


@in_virtual_time
async def test_other_limits_hold_from_the_next_lookup_on_and_what_is_known_stays() -> None:
    contacts = directory(FakeAdapter(AHMET))
    await contacts.find(NUMBER, 1)
    second = FakeAdapter(NEWER)
    contacts.adopt(Sources([Source(upstream(second, PATIENT))]), Lifetimes(ttl=10), 50)
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CACHE)
    assert await contacts.find(OTHER_NUMBER, 1) == Finding(NEWER, Via.CRM)
    await asyncio.sleep(11)
    await contacts.find(OTHER_NUMBER, 1)
    assert len(second.asked) == 2


@in_virtual_time
async def test_a_lookup_under_way_lands_in_the_cache_of_another_size() -> None:
    contacts = directory(FakeAdapter(After(1, AHMET)))
    waiting = detach(contacts.find(NUMBER, 2))
    await asyncio.sleep(0.5)
    contacts.adopt(Sources([]), LIVES, 50)
    await waiting
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CACHE)
