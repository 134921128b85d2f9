import asyncio
from typing import Any

import pytest

from proxy.adapter import Adapter, Contact, PhoneNumber
from proxy.detached import detach
from proxy.errors import AdapterError, DeadlineExceeded, Unavailable
from proxy.upstream import Limits
from tests.unit.fakes import (
    AHMET,
    NUMBER,
    ONCE,
    After,
    Bugs,
    FakeAdapter,
    FakeCompleter,
    FakeEnricher,
    Stubborn,
    in_virtual_time,
    now,
    upstream,
)

TWICE = Limits(timeout=1, attempts=2, wait_initial=0.5, wait_max=0.5, wait_jitter=0)
FOUR_TIMES = Limits(timeout=1, attempts=4, wait_initial=1, wait_max=3, wait_jitter=0)


class Panic(BaseException):
    """What drivers written in Rust raise when they fail badly is no Exception."""


@in_virtual_time
async def test_the_adapter_is_asked_for_the_number() -> None:
    adapter = FakeAdapter(AHMET)
    assert await upstream(adapter).lookup(NUMBER) == (AHMET,)
    assert adapter.asked == [NUMBER]


@pytest.mark.parametrize(("answer", "contacts"), [(None, ()), ([], ()), ([AHMET, Contact("B")], (AHMET, Contact("B")))])
@in_virtual_time
async def test_an_adapter_may_have_none_or_several(answer: object, contacts: tuple[Contact, ...]) -> None:
    assert await upstream(FakeAdapter(answer)).lookup(NUMBER) == contacts


@in_virtual_time
async def test_trouble_that_may_pass_is_tried_again() -> None:
    adapter = FakeAdapter(Unavailable("down"), AHMET)
    assert await upstream(adapter, TWICE).lookup(NUMBER) == (AHMET,)
    assert len(adapter.asked) == 2
    assert now() == 1000.5


@pytest.mark.parametrize("attempts", [1, 2, 4])
@in_virtual_time
async def test_a_source_is_asked_so_often_and_no_more(attempts: int) -> None:
    adapter = FakeAdapter(Unavailable("down"))
    limits = Limits(timeout=1, attempts=attempts, wait_initial=0, wait_max=0, wait_jitter=0)
    with pytest.raises(Unavailable, match=r"^down$"):
        await upstream(adapter, limits).lookup(NUMBER)
    assert len(adapter.asked) == attempts


@in_virtual_time
async def test_waits_between_attempts_double_up_to_a_limit() -> None:
    with pytest.raises(Unavailable):
        await upstream(FakeAdapter(Unavailable("down")), FOUR_TIMES).lookup(NUMBER)
    assert now() == 1000 + 1 + 2 + 3


@in_virtual_time
async def test_each_wait_is_a_little_longer_by_chance() -> None:
    limits = Limits(timeout=1, attempts=2, wait_initial=1, wait_max=10, wait_jitter=0.5)
    waits: set[float] = set()
    for _ in range(20):
        began = now()
        with pytest.raises(Unavailable):
            await upstream(FakeAdapter(Unavailable("down")), limits).lookup(NUMBER)
        waits.add(now() - began)
    assert len(waits) > 1
    assert all(1 <= wait <= 1.5 for wait in waits)


@in_virtual_time
async def test_the_last_attempts_error_is_the_one_that_is_raised() -> None:
    adapter = FakeAdapter(Unavailable("down"), AdapterError("the password is wrong"))
    with pytest.raises(AdapterError, match=r"^the password is wrong$"):
        await upstream(adapter, TWICE).lookup(NUMBER)


@in_virtual_time
async def test_other_trouble_is_not_tried_again() -> None:
    adapter, bugs = FakeAdapter(AdapterError("the password is wrong")), Bugs()
    with pytest.raises(AdapterError, match=r"^the password is wrong$"):
        await upstream(adapter, TWICE, bugs).lookup(NUMBER)
    assert len(adapter.asked) == 1
    assert bugs.reported == []


@pytest.mark.parametrize("retry_after", [0, 0.1, 60])
@in_virtual_time
async def test_a_crm_that_asks_to_be_left_alone_is_left_alone(retry_after: float) -> None:
    adapter = FakeAdapter(Unavailable("throttled", retry_after), AHMET)
    with pytest.raises(Unavailable, match=r"^throttled$") as caught:
        await upstream(adapter, TWICE).lookup(NUMBER)
    assert caught.value.retry_after == retry_after
    assert len(adapter.asked) == 1


@in_virtual_time
async def test_an_attempt_that_hangs_is_left_in_time_and_cancelled() -> None:
    answer = After(60, AHMET)
    with pytest.raises(DeadlineExceeded, match=r"^no answer within 1 s$"):
        await upstream(FakeAdapter(answer)).lookup(NUMBER)
    assert now() == 1001
    await asyncio.sleep(0)
    assert answer.cancelled == 1


@in_virtual_time
async def test_an_attempt_that_took_too_long_is_tried_again() -> None:
    adapter = FakeAdapter(After(60), AHMET)
    assert await upstream(adapter, TWICE).lookup(NUMBER) == (AHMET,)
    assert now() == 1001.5


@in_virtual_time
async def test_a_driver_that_ignores_cancellation_holds_nobody_up() -> None:
    answer = Stubborn(60, AHMET)
    with pytest.raises(DeadlineExceeded):
        await upstream(FakeAdapter(answer), TWICE).lookup(NUMBER)
    assert now() == 1002.5
    await asyncio.sleep(0)
    assert answer.cancelled == 2


@in_virtual_time
async def test_an_attempt_is_cancelled_with_the_one_who_waits_for_it() -> None:
    answer = After(60)
    lookup = detach(upstream(FakeAdapter(answer), TWICE).lookup(NUMBER))
    await asyncio.sleep(0.25)
    lookup.cancel()
    with pytest.raises(asyncio.CancelledError):
        await lookup
    await asyncio.sleep(0)
    assert answer.cancelled == 1
    assert now() == 1000.25


@in_virtual_time
async def test_an_adapter_that_cancels_itself_is_tried_again_and_then_unavailable() -> None:
    adapter = FakeAdapter(asyncio.CancelledError())
    with pytest.raises(Unavailable, match=r"^the lookup was cut short$"):
        await upstream(adapter, TWICE).lookup(NUMBER)
    assert len(adapter.asked) == 2


@pytest.mark.parametrize(
    "bug",
    [KeyError("phone"), RecursionError(), TimeoutError(), OSError("+905301234567"), ExceptionGroup("x", [OSError()])],
)
@in_virtual_time
async def test_a_bug_in_an_adapter_is_reported_and_becomes_an_adapter_error(bug: Exception) -> None:
    adapter, bugs = FakeAdapter(bug), Bugs()
    with pytest.raises(AdapterError) as caught:
        await upstream(adapter, TWICE, bugs).lookup(NUMBER)
    assert type(caught.value) is AdapterError
    assert str(caught.value) == f"a bug in the adapter ({type(bug).__name__})"
    assert caught.value.__cause__ is bug
    assert bugs.reported == [("crm", bug)]
    assert len(adapter.asked) == 1


@in_virtual_time
async def test_a_driver_that_panics_is_a_bug_too() -> None:
    bugs = Bugs()
    with pytest.raises(AdapterError, match=r"^a bug in the adapter \(Panic\)$"):
        await upstream(FakeAdapter(Panic("unreachable code")), TWICE, bugs).lookup(NUMBER)
    assert [where for where, _ in bugs.reported] == ["crm"]


@in_virtual_time
async def test_an_adapter_that_tries_to_end_the_process_is_a_bug_too() -> None:
    bugs = Bugs()
    ended = r"^a bug in the adapter \(RuntimeError\)$"
    with pytest.raises(AdapterError, match=ended):
        await upstream(FakeAdapter(SystemExit(3)), TWICE, bugs).lookup(NUMBER)
    with pytest.raises(AdapterError, match=ended):
        await upstream(FakeEnricher(SystemExit(3)), TWICE, bugs).enrich(AHMET)
    with pytest.raises(AdapterError, match=ended):
        await upstream(FakeCompleter(AHMET, SystemExit(3)), TWICE, bugs).complete(AHMET, NUMBER)
    assert [type(bug.__cause__) for _, bug in bugs.reported] == [SystemExit] * 3


@pytest.mark.parametrize("answer", [42, "Ahmet", {"name": "Ahmet"}, [None], [AHMET, "Ahmet"], object()])
@in_virtual_time
async def test_an_answer_of_the_wrong_kind_is_a_bug(answer: object) -> None:
    bugs = Bugs()
    with pytest.raises(AdapterError, match=r"^a bug in the adapter \(TypeError\)$"):
        await upstream(FakeAdapter(answer), TWICE, bugs).lookup(NUMBER)
    assert [type(bug) for _, bug in bugs.reported] == [TypeError]


@in_virtual_time
async def test_a_lookup_that_is_no_coroutine_is_a_bug() -> None:
    class Synchronous(Adapter):
        def __init__(self) -> None: ...

        def lookup(self, key: PhoneNumber) -> Any:
            return AHMET

    bugs = Bugs()
    with pytest.raises(AdapterError, match=r"^a bug in the adapter \(TypeError\)$"):
        await upstream(Synchronous(), ONCE, bugs).lookup(NUMBER)
    assert len(bugs.reported) == 1


@in_virtual_time
async def test_an_enriching_adapter_adds_fields_and_changes_none() -> None:
    adapter = FakeEnricher(Contact("Somebody else", {"tier": "silver", "extension": 1003}, id="9"))
    richer = await upstream(adapter).enrich(AHMET)
    assert richer == Contact("Ahmet Yılmaz", {"tier": "gold", "extension": 1003}, id="7")


@in_virtual_time
async def test_enriching_is_tried_again_where_that_may_help() -> None:
    adapter = FakeEnricher(Unavailable("down"), AHMET.with_fields({"extension": 1003}))
    richer = await upstream(adapter, TWICE).enrich(AHMET)
    assert richer.value("extension") == 1003
    assert len(adapter.asked) == 2


@in_virtual_time
async def test_enriching_with_something_that_is_no_contact_is_a_bug() -> None:
    bugs = Bugs()
    with pytest.raises(AdapterError, match=r"^a bug in the adapter \(AttributeError\)$"):
        await upstream(FakeEnricher({"extension": 1003}), TWICE, bugs).enrich(AHMET)
    assert len(bugs.reported) == 1


@in_virtual_time
async def test_an_adapter_that_only_finds_cannot_enrich() -> None:
    with pytest.raises(AdapterError, match=r"^this adapter cannot add fields to a contact$"):
        await upstream(FakeAdapter(AHMET)).enrich(AHMET)


@in_virtual_time
async def test_a_second_attempt_that_must_not_be_made_does_not_hide_what_was_wrong_with_the_first() -> None:
    adapter = FakeAdapter(Unavailable("broken"), Unavailable("too many", retry_after=5))
    with pytest.raises(Unavailable, match=r"^broken$"):
        await upstream(adapter, TWICE).lookup(NUMBER)
    with pytest.raises(Unavailable, match=r"^too many$"):
        await upstream(FakeAdapter(Unavailable("too many", retry_after=5)), TWICE).lookup(NUMBER)


def test_an_upstream_is_known_by_its_sources_name() -> None:
    adapter = FakeAdapter()
    source = upstream(adapter, name="sugar")
    assert (source.name, source.adapter) == ("sugar", adapter)
