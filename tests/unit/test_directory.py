import asyncio

import pytest

from proxy.adapter import Adapter, Contact, CustomerNumber, PhoneNumber
from proxy.cache import ContactCache
from proxy.detached import detach
from proxy.directory import Directory, Lifetimes
from proxy.errors import AdapterError, DeadlineExceeded, Unavailable
from proxy.keys import By, Key
from proxy.matching import Several
from proxy.model import Finding, Via
from proxy.sources import Source, Sources
from proxy.upstream import Limits
from tests.unit.fakes import (
    AHMET,
    CUSTOMER,
    NUMBER,
    OTHER_NUMBER,
    After,
    FakeAdapter,
    FakeClock,
    FakeEnricher,
    Stubborn,
    in_virtual_time,
    now,
    upstream,
)

LIVES = Lifetimes(ttl=300, negative_ttl=60, stale=86400)
DOWN = Unavailable("down")
PATIENT = Limits(timeout=30, attempts=1)


def directory(
    *adapters: Adapter, enriching: tuple[Adapter, ...] = (), lives: Lifetimes = LIVES
) -> tuple[Directory, FakeClock]:
    clock = FakeClock()
    finding = [Source(upstream(adapter, PATIENT)) for adapter in adapters]
    sources = Sources(finding, [upstream(adapter, PATIENT) for adapter in enriching])
    return Directory(sources, ContactCache(100), lives, clock), clock


@in_virtual_time
async def test_a_contact_is_asked_for_once_and_then_known() -> None:
    adapter = FakeAdapter(AHMET)
    contacts, clock = directory(adapter)
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CRM)
    clock.now += 299.9
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CACHE)
    clock.now += 0.2
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CRM)
    assert len(adapter.asked) == 2


@in_virtual_time
async def test_each_number_is_asked_for_by_itself() -> None:
    adapter = FakeAdapter(AHMET)
    contacts, _ = directory(adapter)
    await contacts.find(NUMBER, 1)
    await contacts.find(OTHER_NUMBER, 1)
    assert adapter.asked == [NUMBER, OTHER_NUMBER]


@in_virtual_time
async def test_that_the_crm_does_not_know_a_number_is_kept_for_a_shorter_time() -> None:
    adapter = FakeAdapter(None)
    contacts, clock = directory(adapter)
    assert await contacts.find(NUMBER, 1) == Finding(None, Via.CRM)
    clock.now += 59.9
    assert await contacts.find(NUMBER, 1) == Finding(None, Via.CACHE)
    clock.now += 0.2
    assert await contacts.find(NUMBER, 1) == Finding(None, Via.CRM)


@in_virtual_time
async def test_that_the_crm_did_not_know_a_number_is_no_answer_once_it_is_old() -> None:
    contacts, clock = directory(FakeAdapter(None, DOWN))
    await contacts.find(NUMBER, 1)
    clock.now += 60
    with pytest.raises(Unavailable, match="down"):
        await contacts.find(NUMBER, 1)


@in_virtual_time
async def test_a_failure_is_not_kept() -> None:
    contacts, _ = directory(FakeAdapter(DOWN, AHMET))
    with pytest.raises(Unavailable, match="down"):
        await contacts.find(NUMBER, 1)
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CRM)


@in_virtual_time
async def test_after_a_failure_a_stale_contact_answers_until_it_is_gone() -> None:
    contacts, clock = directory(FakeAdapter(AHMET, DOWN))
    await contacts.find(NUMBER, 1)
    clock.now += 300
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.STALE)
    clock.now += 86399.9
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.STALE)
    clock.now += 0.2
    with pytest.raises(Unavailable, match="down"):
        await contacts.find(NUMBER, 1)


@in_virtual_time
async def test_a_stale_contact_also_answers_when_the_crm_is_too_slow() -> None:
    contacts, clock = directory(FakeAdapter(AHMET, After(5, AHMET)))
    await contacts.find(NUMBER, 1)
    clock.now += 300
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.STALE)
    assert now() == 1001


@in_virtual_time
async def test_without_stale_time_a_contact_is_gone_when_it_is_no_longer_fresh() -> None:
    contacts, clock = directory(FakeAdapter(AHMET, DOWN), lives=Lifetimes(ttl=300, negative_ttl=60, stale=0))
    await contacts.find(NUMBER, 1)
    clock.now += 300
    with pytest.raises(Unavailable):
        await contacts.find(NUMBER, 1)


@in_virtual_time
async def test_a_crm_that_no_longer_knows_somebody_is_believed() -> None:
    contacts, clock = directory(FakeAdapter(AHMET, None))
    await contacts.find(NUMBER, 1)
    clock.now += 300
    assert await contacts.find(NUMBER, 1) == Finding(None, Via.CRM)
    assert await contacts.find(NUMBER, 1) == Finding(None, Via.CACHE)


@in_virtual_time
async def test_a_contact_that_could_not_be_completed_is_fresh_for_a_shorter_time() -> None:
    contacts, clock = directory(
        FakeAdapter(AHMET), enriching=(FakeEnricher(DOWN, AHMET.with_fields({"extension": 1003})),)
    )
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CRM)
    clock.now += 59.9
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CACHE)
    clock.now += 0.2
    assert await contacts.find(NUMBER, 1) == Finding(AHMET.with_fields({"extension": 1003}), Via.CRM)
    clock.now += 299
    assert await contacts.find(NUMBER, 1) == Finding(AHMET.with_fields({"extension": 1003}), Via.CACHE)


@in_virtual_time
async def test_a_contact_found_after_a_failure_is_fresh_for_a_shorter_time() -> None:
    contacts, clock = directory(FakeAdapter(DOWN), FakeAdapter(AHMET))
    await contacts.find(NUMBER, 1)
    clock.now += 60
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CRM)


@in_virtual_time
async def test_a_caller_without_patience_leaves_and_the_answer_warms_the_cache() -> None:
    adapter = FakeAdapter(After(5, AHMET))
    contacts, _ = directory(adapter)
    with pytest.raises(DeadlineExceeded, match=r"^no answer within 1\.5 s$"):
        await contacts.find(NUMBER, 1.5)
    assert now() == 1001.5
    await asyncio.sleep(4)
    assert await contacts.find(NUMBER, 1.5) == Finding(AHMET, Via.CACHE)
    assert len(adapter.asked) == 1


@in_virtual_time
async def test_a_caller_who_hangs_up_leaves_at_once_and_the_answer_warms_the_cache() -> None:
    adapter = FakeAdapter(After(5, AHMET))
    contacts, _ = directory(adapter)
    caller = detach(contacts.find(NUMBER, 10))
    await asyncio.sleep(1)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert now() == 1001
    await asyncio.sleep(5)
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CACHE)


@in_virtual_time
async def test_a_thousand_callers_share_one_flight() -> None:
    adapter = FakeAdapter(After(0.5, AHMET))
    contacts, _ = directory(adapter)
    findings = await asyncio.gather(*(contacts.find(NUMBER, 1) for _ in range(1000)))
    assert findings == [Finding(AHMET, Via.CRM)] * 1000
    assert len(adapter.asked) == 1


@in_virtual_time
async def test_a_thousand_callers_share_its_failure_and_none_asks_again() -> None:
    adapter = FakeAdapter(After(0.5, AdapterError("refused")))
    contacts, _ = directory(adapter)
    findings = await asyncio.gather(*(contacts.find(NUMBER, 1) for _ in range(1000)), return_exceptions=True)
    assert {str(finding) for finding in findings} == {"refused"}
    assert len(adapter.asked) == 1


@in_virtual_time
async def test_a_caller_who_comes_later_joins_the_flight() -> None:
    adapter = FakeAdapter(After(5, AHMET))
    contacts, _ = directory(adapter)
    with pytest.raises(DeadlineExceeded):
        await contacts.find(NUMBER, 3)
    assert await contacts.find(NUMBER, 3) == Finding(AHMET, Via.CRM)
    assert len(adapter.asked) == 1


@in_virtual_time
async def test_what_is_forgotten_is_asked_for_again() -> None:
    adapter = FakeAdapter(AHMET, DOWN)
    contacts, _ = directory(adapter)
    await contacts.find(NUMBER, 1)
    contacts.forget(NUMBER)
    with pytest.raises(Unavailable, match="down"):
        await contacts.find(NUMBER, 1)


@in_virtual_time
async def test_a_number_that_is_not_known_can_be_forgotten() -> None:
    contacts, _ = directory(FakeAdapter(AHMET))
    contacts.forget(NUMBER)
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CRM)


@in_virtual_time
async def test_a_flight_that_lands_after_its_number_was_forgotten_brings_nothing_back() -> None:
    adapter = FakeAdapter(After(5, AHMET), None)
    contacts, _ = directory(adapter)
    with pytest.raises(DeadlineExceeded):
        await contacts.find(NUMBER, 1)
    contacts.forget(NUMBER)
    await asyncio.sleep(10)
    assert await contacts.find(NUMBER, 1) == Finding(None, Via.CRM)


@in_virtual_time
async def test_a_new_flight_after_forgetting_is_kept_and_the_old_one_does_not_disturb_it() -> None:
    adapter = FakeAdapter(After(5, AHMET), After(10, None), DOWN)
    contacts, _ = directory(adapter)
    with pytest.raises(DeadlineExceeded):
        await contacts.find(NUMBER, 1)
    contacts.forget(NUMBER)
    assert await contacts.find(NUMBER, 20) == Finding(None, Via.CRM)
    assert await contacts.find(NUMBER, 20) == Finding(None, Via.CACHE)
    assert len(adapter.asked) == 2


@pytest.mark.parametrize("seconds", [0, 1])  # at 0 the flight has not begun yet
@in_virtual_time
async def test_a_flight_that_is_cut_short_is_a_failure_for_those_who_wait_and_in_nobodys_way(seconds: float) -> None:
    contacts, _ = directory(FakeAdapter(After(5, AHMET)))
    waiting = detach(contacts.find(NUMBER, 10))
    await asyncio.sleep(seconds)
    contacts._flights[NUMBER].task.cancel()
    with pytest.raises(Unavailable, match=r"^the lookup was cut short$"):
        await waiting
    assert await contacts.find(NUMBER, 10) == Finding(AHMET, Via.CRM)


@in_virtual_time
async def test_a_driver_that_ignores_cancellation_holds_no_caller_up() -> None:
    contacts, _ = directory(FakeAdapter(Stubborn(50, AHMET)))
    with pytest.raises(DeadlineExceeded):
        await contacts.find(NUMBER, 1.5)
    assert now() == 1001.5


def test_the_lifetimes_are_those_of_the_example() -> None:
    assert Lifetimes() == LIVES


# ---------------------------------------------------------------------------------------- several contacts


@pytest.mark.parametrize("key", [NUMBER, CUSTOMER])
@in_virtual_time
async def test_that_there_are_several_is_kept_like_that_there_is_nobody(key: Key) -> None:
    twins = FakeAdapter([AHMET, Contact("Ayşe")], None)
    contacts, clock = asked_by_both(twins, several=Several.UNKNOWN)
    assert await contacts.find(key, 1) == Finding(None, Via.CRM, ambiguous=True)
    clock.now += 59.9
    assert await contacts.find(key, 1) == Finding(None, Via.CACHE, ambiguous=True)
    clock.now += 0.2
    assert await contacts.find(key, 1) == Finding(None, Via.CRM)
    assert await contacts.find(key, 1) == Finding(None, Via.CACHE)
    assert len(twins.asked) == 2


@in_virtual_time
async def test_all_who_share_a_flight_hear_that_there_are_several() -> None:
    contacts, _ = asked_by_both(FakeAdapter(After(0.5, [AHMET, Contact("Ayşe")])), several=Several.UNKNOWN)
    findings = await asyncio.gather(*(contacts.find(NUMBER, 1) for _ in range(3)))
    assert findings == [Finding(None, Via.CRM, ambiguous=True)] * 3


# ---------------------------------------------------------------------------------------- customer numbers


def asked_by_both(
    adapter: Adapter, *, several: Several = Several.FIRST, size: int = 100, lives: Lifetimes = LIVES
) -> tuple[Directory, FakeClock]:
    clock = FakeClock()
    sources = Sources([Source(upstream(adapter, PATIENT), several, by=frozenset(By))])
    return Directory(sources, ContactCache(size), lives, clock), clock


@in_virtual_time
async def test_who_is_found_by_a_customer_number_is_known_by_it_and_in_no_snapshot() -> None:
    adapter = FakeAdapter(AHMET, DOWN)
    contacts, clock = asked_by_both(adapter)
    assert await contacts.find(CUSTOMER, 1) == Finding(AHMET, Via.CRM)
    assert await contacts.find(CUSTOMER, 1) == Finding(AHMET, Via.CACHE)
    assert len(contacts.cache) == 0, "which is what a snapshot is made of"
    assert contacts.cache.changes == 0
    clock.now += 300
    assert await contacts.find(CUSTOMER, 1) == Finding(AHMET, Via.STALE)
    clock.now += 86400
    with pytest.raises(Unavailable, match="down"):
        await contacts.find(CUSTOMER, 1)


@in_virtual_time
async def test_a_customer_number_and_a_phone_number_with_the_same_digits_are_two_keys() -> None:
    same = CustomerNumber(NUMBER.digits)
    adapter = FakeAdapter(AHMET, None)
    contacts, _ = asked_by_both(adapter)
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CRM)
    assert await contacts.find(same, 1) == Finding(None, Via.CRM)
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CACHE)
    assert await contacts.find(same, 1) == Finding(None, Via.CACHE)
    assert adapter.asked == [NUMBER, same]


@in_virtual_time
async def test_customer_numbers_share_flights_too() -> None:
    adapter = FakeAdapter(After(0.5, AHMET))
    contacts, _ = asked_by_both(adapter)
    findings = await asyncio.gather(*(contacts.find(CUSTOMER, 1) for _ in range(100)))
    assert findings == [Finding(AHMET, Via.CRM)] * 100
    assert adapter.asked == [CUSTOMER]


@in_virtual_time
async def test_a_failure_by_customer_number_is_waited_with_and_answered_from_before() -> None:
    adapter = FakeAdapter(AHMET, DOWN, None)
    contacts, clock = asked_by_both(adapter)
    await contacts.find(CUSTOMER, 1)
    clock.now += 300
    for _ in range(3):
        assert await contacts.find(CUSTOMER, 1) == Finding(AHMET, Via.STALE)
    assert len(adapter.asked) == 2
    clock.now += 5
    assert await contacts.find(CUSTOMER, 1) == Finding(None, Via.CRM)


@pytest.mark.parametrize("forgotten", [NUMBER, OTHER_NUMBER])
@in_virtual_time
async def test_forgetting_any_number_drops_all_that_was_found_by_customer_numbers(forgotten: PhoneNumber) -> None:
    adapter = FakeAdapter(AHMET, AHMET, None)
    contacts, _ = asked_by_both(adapter)
    await contacts.find(NUMBER, 1)
    await contacts.find(CUSTOMER, 1)
    assert contacts.forget(forgotten) is (forgotten == NUMBER), "of others nobody can tell"
    assert await contacts.find(CUSTOMER, 1) == Finding(None, Via.CRM)
    assert (await contacts.find(NUMBER, 1)).via is (Via.CRM if forgotten == NUMBER else Via.CACHE)


@in_virtual_time
async def test_a_flight_by_customer_number_brings_nothing_back_that_was_forgotten_meanwhile() -> None:
    adapter = FakeAdapter(After(5, AHMET), After(5, AHMET), None)
    contacts, _ = asked_by_both(adapter)
    waiting = [detach(contacts.find(key, 10)) for key in (CUSTOMER, CustomerNumber("777"))]
    await asyncio.sleep(1)
    assert not contacts.forget(OTHER_NUMBER), "as nothing is known of it, and no lookup of it is under way"
    assert [await each for each in waiting] == [Finding(AHMET, Via.CRM)] * 2, "who waits is answered all the same"
    assert await contacts.find(CUSTOMER, 1) == Finding(None, Via.CRM)
    assert await contacts.find(CustomerNumber("777"), 1) == Finding(None, Via.CRM)


@in_virtual_time
async def test_what_is_found_by_customer_numbers_is_bounded_as_the_cache_is_also_after_it_changed() -> None:
    adapter = FakeAdapter(AHMET)
    contacts, _ = asked_by_both(adapter, size=2)
    keys = [CustomerNumber(str(n)) for n in range(4)]

    async def asked_again() -> int:
        before = len(adapter.asked)
        for key in reversed(keys):
            await contacts.find(key, 1)
        return len(adapter.asked) - before

    for key in keys:
        await contacts.find(key, 1)
    assert await asked_again() == 2
    sources = Sources([Source(upstream(adapter, PATIENT), by=frozenset(By))])
    contacts.adopt(sources, LIVES, 4)
    await asked_again()
    assert await asked_again() == 0
    contacts.forget(OTHER_NUMBER)
    assert await asked_again() == 4
    assert await asked_again() == 0
    contacts.adopt(sources, LIVES, 1)
    assert await asked_again() == 4
