"""When a source is not asked: breaker, throttling, bulkhead, retry budget."""

import asyncio
from dataclasses import replace

import pytest

from proxy.breaker import RESERVE, State
from proxy.detached import detach
from proxy.errors import AdapterError, CircuitOpen, DeadlineExceeded, Overloaded, Unavailable
from proxy.upstream import Guarded, Limits, Upstream
from tests.unit.fakes import (
    AHMET,
    NUMBER,
    ONCE,
    After,
    Bugs,
    FakeAdapter,
    FakeEnricher,
    Stubborn,
    in_virtual_time,
    now,
)

THREE = replace(ONCE, breaker_failures=3, breaker_pause=5)
DOWN = Unavailable("down")


def guarded(adapter: FakeAdapter, limits: Limits = THREE) -> tuple[Upstream, list[Guarded]]:
    told: list[Guarded] = []
    return Upstream("crm", adapter, limits, Bugs(), told.append), told


async def fails(source: Upstream, times: int, kind: type[AdapterError] = AdapterError) -> None:
    for _ in range(times):
        with pytest.raises(kind):
            await source.lookup(NUMBER)


@pytest.mark.parametrize("failure", [DOWN, AdapterError("refused"), KeyError("a bug"), After(60), 42])
@in_virtual_time
async def test_after_failures_in_a_row_the_source_is_not_asked(failure: object) -> None:
    adapter = FakeAdapter(failure)
    source, told = guarded(adapter)
    await fails(source, 3)
    before = now()
    await fails(source, 50, CircuitOpen)
    assert len(adapter.asked) == 3
    assert now() == before
    assert [(one.source, one.state) for one in told] == [("crm", State.OPEN)]
    assert told[0].reason


@in_virtual_time
async def test_it_is_asked_again_after_the_pause_and_told_of_once() -> None:
    adapter = FakeAdapter(DOWN, DOWN, DOWN, DOWN, AHMET)
    source, told = guarded(adapter)
    await fails(source, 3)
    await asyncio.sleep(5)
    await fails(source, 1, Unavailable)
    await fails(source, 10, CircuitOpen)
    await asyncio.sleep(5)
    assert await source.lookup(NUMBER) == (AHMET,)
    assert await source.lookup(NUMBER) == (AHMET,)
    assert [one.state for one in told] == [State.OPEN, State.CLOSED]


@in_virtual_time
async def test_of_a_thousand_who_wait_for_it_one_tries() -> None:
    adapter = FakeAdapter(DOWN, DOWN, DOWN, After(0.5, AHMET))
    source, _ = guarded(adapter, replace(THREE, concurrency=2000))
    await fails(source, 3)
    await asyncio.sleep(5)
    answers = await asyncio.gather(*(source.lookup(NUMBER) for _ in range(1000)), return_exceptions=True)
    assert len(adapter.asked) == 4
    assert answers.count((AHMET,)) == 1
    assert sum(isinstance(answer, CircuitOpen) for answer in answers) == 999


@in_virtual_time
async def test_one_who_tries_and_is_broken_off_leaves_it_to_the_next() -> None:
    adapter = FakeAdapter(DOWN, DOWN, DOWN, After(0.9, AHMET), AHMET)
    source, _ = guarded(adapter)
    await fails(source, 3)
    await asyncio.sleep(5)
    trying = detach(source.lookup(NUMBER))
    await asyncio.sleep(0.1)
    trying.cancel()
    await asyncio.wait({trying})
    assert await source.lookup(NUMBER) == (AHMET,)


@in_virtual_time
async def test_it_opens_in_the_middle_of_a_lookup_whose_own_failure_is_told() -> None:
    adapter = FakeAdapter(DOWN)
    source, _ = guarded(adapter, replace(THREE, attempts=5, breaker_failures=2))
    with pytest.raises(Unavailable, match=r"^down$"):
        await source.lookup(NUMBER)
    assert len(adapter.asked) == 2


@in_virtual_time
async def test_a_source_that_enriches_has_a_breaker_too() -> None:
    adapter = FakeEnricher(DOWN)
    source, _ = guarded(adapter)
    for _ in range(10):
        with pytest.raises(Unavailable):
            await source.enrich(AHMET)
    assert len(adapter.asked) == 3


@in_virtual_time
async def test_a_crm_that_asks_to_be_left_alone_is_not_asked_until_then() -> None:
    adapter = FakeAdapter(Unavailable("too many requests", retry_after=30), AHMET)
    source, told = guarded(adapter)
    await fails(source, 1, Unavailable)
    await fails(source, 20, CircuitOpen)
    await asyncio.sleep(29.9)
    await fails(source, 1, CircuitOpen)
    await asyncio.sleep(0.2)
    assert await source.lookup(NUMBER) == (AHMET,)
    assert len(adapter.asked) == 2
    assert told == [Guarded("crm", State.THROTTLED, "too many requests"), Guarded("crm", State.CLOSED)]


@in_virtual_time
async def test_a_rest_that_is_over_is_told_without_the_failure_that_follows_it() -> None:
    source, told = guarded(FakeAdapter(Unavailable("too many requests", retry_after=30), DOWN))
    await fails(source, 1, Unavailable)
    await asyncio.sleep(30)
    await fails(source, 1, Unavailable)
    assert told[1:] == [Guarded("crm", State.CLOSED)]


@in_virtual_time
async def test_more_lookups_than_it_may_have_are_refused_at_once() -> None:
    adapter = FakeAdapter(After(0.9, AHMET))
    source, told = guarded(adapter, replace(THREE, concurrency=10, attempts=2))
    busy = [detach(source.lookup(NUMBER)) for _ in range(10)]
    await asyncio.sleep(0.1)
    before = now()
    await fails(source, 100, Overloaded)
    assert now() == before
    assert len(adapter.asked) == 10
    assert await asyncio.gather(*busy) == [(AHMET,)] * 10
    assert await source.lookup(NUMBER) == (AHMET,)
    assert told == []


@in_virtual_time
async def test_a_lookup_that_ignores_its_end_takes_its_place() -> None:
    adapter = FakeAdapter(Stubborn(60, AHMET), Stubborn(60, AHMET), AHMET)
    source, _ = guarded(adapter, replace(THREE, concurrency=2))
    await fails(source, 2, DeadlineExceeded)
    assert source.under_way == 2
    await fails(source, 1, Overloaded)
    await asyncio.sleep(60)
    assert source.under_way == 0
    assert await source.lookup(NUMBER) == (AHMET,)


HANGING = replace(THREE, concurrency=5, breaker_failures=10)


def ends_never() -> Stubborn:
    return Stubborn(86400)


@in_virtual_time
async def test_lookups_that_nobody_waits_for_any_more_are_no_overload_but_a_source_that_hangs() -> None:
    adapter = FakeAdapter(ends_never())
    source, told = guarded(adapter, HANGING)
    await fails(source, 5, DeadlineExceeded)
    for _ in range(5):
        with pytest.raises(Overloaded, match=r"^not asked: 5 lookups have not ended$"):
            await source.lookup(NUMBER)
    assert told == [Guarded("crm", State.OPEN, "not asked: 5 lookups have not ended")]
    await fails(source, 10, CircuitOpen)
    assert len(adapter.asked) == 5


@in_virtual_time
async def test_while_one_of_them_is_waited_for_it_is_an_overload() -> None:
    adapter = FakeAdapter(*[ends_never()] * 4, After(0.9, AHMET))
    source, told = guarded(adapter, HANGING)
    await fails(source, 4, DeadlineExceeded)
    waiting = detach(source.lookup(NUMBER))
    await asyncio.sleep(0.5)
    for _ in range(20):
        with pytest.raises(Overloaded, match=r"^not asked: 5 lookups are under way$"):
            await source.lookup(NUMBER)
    assert await waiting == (AHMET,)
    assert told == []


@in_virtual_time
async def test_a_source_that_hangs_for_ever_gets_one_more_lookup_in_each_pause() -> None:
    source, _ = guarded(FakeAdapter(ends_never()), HANGING)
    for _ in range(600):
        await asyncio.wait({detach(source.lookup(NUMBER)), detach(source.lookup(NUMBER))})
        await asyncio.sleep(0.1)
    pauses = (now() - 1000) / HANGING.breaker_pause
    assert pauses > 10
    assert 5 < source.under_way <= 5 + pauses


@pytest.mark.parametrize("hung", [3, 5])
@in_virtual_time
async def test_when_it_is_back_those_that_still_hang_take_nobodys_place(hung: int) -> None:
    adapter = FakeAdapter(*[ends_never()] * hung, After(0.5, AHMET))
    source, told = guarded(adapter, replace(HANGING, breaker_failures=hung))
    await fails(source, hung, DeadlineExceeded)
    await asyncio.sleep(5)
    trying = detach(source.lookup(NUMBER))
    await asyncio.sleep(0.1)
    await fails(source, 3, CircuitOpen if hung < 5 else Overloaded)
    assert await trying == (AHMET,)
    assert [one.state for one in told] == [State.OPEN, State.CLOSED]
    answers = await asyncio.gather(*(source.lookup(NUMBER) for _ in range(7)), return_exceptions=True)
    assert answers[:5] == [(AHMET,)] * 5
    assert [type(answer) for answer in answers[5:]] == [Overloaded] * 2, "there is room for as many as ever"
    assert source.under_way == hung, "but it is still known that they hang"


@in_virtual_time
async def test_lookups_that_hang_now_and_then_do_not_take_all_places_in_the_end() -> None:
    adapter = FakeAdapter(*[ends_never(), AHMET, AHMET] * 24)
    source, told = guarded(adapter, HANGING)
    for _ in range(24):
        await fails(source, 1, DeadlineExceeded)
        assert await source.lookup(NUMBER) == (AHMET,)
        assert await source.lookup(NUMBER) == (AHMET,)
        await asyncio.sleep(3600)
    assert source.under_way == 23, "each for a day"
    assert told == []


@in_virtual_time
async def test_each_that_hangs_takes_its_place_for_ten_times_what_an_attempt_may_take() -> None:
    adapter = FakeAdapter(ends_never(), ends_never(), After(0.9, AHMET))
    source, _ = guarded(adapter, replace(HANGING, concurrency=2))
    await fails(source, 2, DeadlineExceeded)  # at 1001 and 1002
    await asyncio.sleep(8.9)
    await fails(source, 1, Overloaded)
    await asyncio.sleep(0.1)
    waiting = detach(source.lookup(NUMBER))
    await asyncio.sleep(0.5)
    await fails(source, 1, Overloaded)
    assert await waiting == (AHMET,)
    await asyncio.sleep(0.1)
    assert await asyncio.gather(*(source.lookup(NUMBER) for _ in range(2))) == [(AHMET,)] * 2


@in_virtual_time
async def test_a_source_is_not_asked_before_its_adapter_has_been_opened_and_that_is_no_failure() -> None:
    class Opening(FakeEnricher):
        async def open(self) -> None:
            await asyncio.sleep(3)
            raise RuntimeError("cannot open")

    adapter = Opening(AHMET)
    source, told = guarded(adapter)
    opening = detach(source.open())
    await asyncio.sleep(1)
    for _ in range(50):
        for asking in (source.lookup(NUMBER), source.enrich(AHMET)):
            with pytest.raises(CircuitOpen, match=r"^not asked: it is still being opened$"):
                await asking
    assert adapter.asked == []
    await asyncio.wait({opening})
    assert await source.lookup(NUMBER) == (AHMET,), "it has failed to open, and is asked all the same"
    assert await source.enrich(AHMET) == AHMET
    assert told == []


@in_virtual_time
async def test_settling_waits_for_what_is_under_way_and_no_longer_than_it_may() -> None:
    source, _ = guarded(FakeAdapter(Stubborn(60, AHMET)))
    began = now()
    await source.settle(30)
    assert now() == began
    await fails(source, 1, DeadlineExceeded)
    await source.settle(30)
    assert (now() - began, source.under_way) == (31, 1)
    await source.settle(30)
    assert (now() - began, source.under_way) == (60, 0)


@in_virtual_time
async def test_in_an_outage_second_attempts_are_a_fifth_of_all_lookups_and_the_reserve() -> None:
    adapter = FakeAdapter(DOWN)
    limits = replace(ONCE, attempts=2, breaker_failures=100_000)
    source, _ = guarded(adapter, limits)
    began = now()
    await fails(source, 1000, Unavailable)
    assert now() == began, "no time refills it here"
    assert 1200 <= len(adapter.asked) <= 1200 + RESERVE


@pytest.mark.parametrize("bug", [ValueError("a bug"), SystemExit(3)])
@in_virtual_time
async def test_a_bug_in_forgetting_is_told_and_harms_nobody(bug: BaseException) -> None:
    class Forgetful(FakeAdapter):
        def forget(self, number: object) -> None:
            self.asked.clear()
            raise bug

    bugs, adapter = Bugs(), Forgetful(AHMET)
    source = Upstream("crm", adapter, ONCE, bugs)
    await source.lookup(NUMBER)
    source.forget(NUMBER)
    assert adapter.asked == []
    assert [where for where, _ in bugs.reported] == ["crm"]
    Upstream("crm", FakeAdapter(AHMET), ONCE, bugs).forget(NUMBER)
