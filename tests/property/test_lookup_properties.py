"""The meanings 1 to 6 that design/architecture.md numbers, on a loop whose time costs nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.adapter import Adapter, Contact, PhoneNumber
from proxy.cache import ContactCache
from proxy.detached import detach
from proxy.directory import Directory, Lifetimes
from proxy.errors import AdapterError, DeadlineExceeded, Unavailable
from proxy.model import Finding, Via
from proxy.sources import Sighting, Source, Sources
from proxy.upstream import Limits
from tests.unit.fakes import (
    AHMET,
    NUMBER,
    OTHER_NUMBER,
    After,
    FakeAdapter,
    FakeEnricher,
    Stubborn,
    in_virtual_time,
    now,
    upstream,
)

TTL, NEGATIVE_TTL, STALE = 300, 60, 5000
LIVES = Lifetimes(TTL, NEGATIVE_TTL, STALE)
PATIENT = Limits(timeout=1000, attempts=1)
QUICK = Limits(timeout=1, attempts=2, wait_initial=0.25, wait_max=0.25, wait_jitter=0)

FOUND, UNKNOWN, FAILED = "found", "unknown", "failed"


def directory(*adapters: Adapter, enriching: Sequence[Adapter] = (), limits: Limits = PATIENT) -> Directory:
    sources = Sources(
        [Source(upstream(adapter, limits)) for adapter in adapters],
        [upstream(adapter, limits) for adapter in enriching],
    )
    return Directory(sources, ContactCache(100), LIVES, asyncio.get_running_loop().time)


@dataclass
class Behaviour:
    """What one source does, and how that counts."""

    answers: tuple[object, ...]
    outcome: str


def contact_of(index: int) -> Contact:
    return Contact(f"from {index}", {"source": index})


def behaviours(index: int) -> st.SearchStrategy[Behaviour]:
    contact = contact_of(index)
    return st.sampled_from(
        [
            Behaviour((contact,), FOUND),
            Behaviour(([contact, Contact("second best")],), FOUND),
            Behaviour((After(0.5, contact),), FOUND),
            Behaviour((Unavailable("down"), contact), FOUND),
            Behaviour((asyncio.CancelledError(), contact), FOUND),
            Behaviour((After(60), contact), FOUND),
            Behaviour((None,), UNKNOWN),
            Behaviour(([],), UNKNOWN),
            Behaviour((After(0.5),), UNKNOWN),
            Behaviour((Contact("other", numbers=("0532 111 22 33",)),), UNKNOWN),
            Behaviour((Unavailable("down"), None), UNKNOWN),
            Behaviour((Unavailable("down"),), FAILED),
            Behaviour((Unavailable("throttled", retry_after=5), contact), FAILED),
            Behaviour((AdapterError("refused"), contact), FAILED),
            Behaviour((KeyError("phone"), contact), FAILED),
            Behaviour((asyncio.CancelledError(),), FAILED),
            Behaviour((After(60, contact),), FAILED),
            Behaviour((Stubborn(60, contact),), FAILED),
            Behaviour((42,), FAILED),
        ]
    )


FINDING = st.integers(0, 4).flatmap(lambda count: st.tuples(*map(behaviours, range(count))))
ENRICHING = st.lists(st.sampled_from([FOUND, FAILED]), max_size=3)


def enricher(index: int, outcome: str) -> FakeEnricher:
    return FakeEnricher(Contact(fields={f"extra {index}": index}) if outcome == FOUND else AdapterError("down"))


def expected_sighting(finding: Sequence[Behaviour], enriching: Sequence[str]) -> Sighting | None:
    """Return what the sources must come to; None for a failure. Written from the meanings, not from the code."""
    outcomes = [behaviour.outcome for behaviour in finding]
    if FOUND in outcomes:
        winner = outcomes.index(FOUND)
        extra = {f"extra {i}": i for i, outcome in enumerate(enriching) if outcome == FOUND}
        certain = FAILED not in outcomes[:winner]
        return Sighting(contact_of(winner).with_fields(extra), certain and FAILED not in enriching, certain)
    return None if FAILED in outcomes else Sighting(None, complete=True)


@given(finding=FINDING, enriching=ENRICHING, parallel=st.booleans())
@in_virtual_time
async def test_a_lookup_finds_or_learns_that_nobody_is_known_or_fails_and_the_first_in_order_wins(
    *, finding: tuple[Behaviour, ...], enriching: list[str], parallel: bool
) -> None:
    sources = Sources(
        [Source(upstream(FakeAdapter(*behaviour.answers), QUICK)) for behaviour in finding],
        [upstream(enricher(i, outcome), QUICK) for i, outcome in enumerate(enriching)],
        parallel=parallel,
    )
    expected = expected_sighting(finding, enriching)
    if expected is None:
        with pytest.raises(AdapterError):
            await sources.lookup(NUMBER)
    else:
        assert await sources.lookup(NUMBER) == expected
    longest = 2.25 * (1 if parallel else len(finding))
    assert now() - 1000 <= longest


@given(finding=FINDING, enriching=ENRICHING, parallel=st.booleans())
@in_virtual_time
async def test_a_whole_contact_is_kept_for_ttl_anything_less_for_negative_ttl_and_a_failure_not_at_all(
    *, finding: tuple[Behaviour, ...], enriching: list[str], parallel: bool
) -> None:
    adapters = [FakeAdapter(*behaviour.answers) for behaviour in finding]
    sources = Sources(
        [Source(upstream(adapter, QUICK)) for adapter in adapters],
        [upstream(enricher(i, outcome), QUICK) for i, outcome in enumerate(enriching)],
        parallel=parallel,
    )
    contacts = Directory(sources, ContactCache(100), LIVES, asyncio.get_running_loop().time)
    expected = expected_sighting(finding, enriching)
    if expected is None:
        with pytest.raises(AdapterError):
            await contacts.find(NUMBER, 100)
        kept_for = 0.0
    else:
        assert await contacts.find(NUMBER, 100) == Finding(expected.contact, Via.CRM)
        kept_for = TTL if expected.contact is not None and expected.complete else NEGATIVE_TTL
    for adapter in adapters:
        adapter.asked.clear()
    if kept_for:
        await asyncio.sleep(kept_for - 1)
        assert await contacts.find(NUMBER, 100) == Finding(expected.contact if expected else None, Via.CACHE)
        assert not any(adapter.asked for adapter in adapters)
    await asyncio.sleep(6)  # also those that asked to be left alone may be asked again
    again = await asyncio.gather(contacts.find(NUMBER, 100), return_exceptions=True)
    assert not (isinstance(again[0], Finding) and again[0].via is Via.CACHE)
    assert not adapters or adapters[0].asked


TAKES = st.integers(1, 40).map(lambda n: n * 1.0)
PATIENCE = st.integers(0, 40).map(lambda n: n + 0.5)
"""Never the same as what a lookup takes"""


@given(takes=TAKES, patience=PATIENCE, contact=st.sampled_from([AHMET, None]), stubborn=st.booleans())
@in_virtual_time
async def test_a_caller_leaves_in_time_and_the_flight_lands_later_and_warms_the_cache(
    *, takes: float, patience: float, contact: Contact | None, stubborn: bool
) -> None:
    adapter = FakeAdapter((Stubborn if stubborn else After)(takes, contact))
    contacts = directory(adapter)
    if patience < takes:
        with pytest.raises(DeadlineExceeded):
            await contacts.find(NUMBER, patience)
        assert now() == 1000 + patience
    else:
        assert await contacts.find(NUMBER, patience) == Finding(contact, Via.CRM)
        assert now() == 1000 + takes
    await asyncio.sleep(1000 + takes + 0.25 - now())
    assert await contacts.find(NUMBER, 0.1) == Finding(contact, Via.CACHE)
    assert len(adapter.asked) == 1


@given(
    takes=TAKES,
    callers=st.lists(st.tuples(st.integers(0, 39), PATIENCE, st.none() | st.integers(0, 39)), min_size=1, max_size=8),
    stubborn=st.booleans(),
)
@in_virtual_time
async def test_whoever_hangs_up_leaves_at_once_and_takes_nobody_along(
    *, takes: float, callers: list[tuple[int, float, int | None]], stubborn: bool
) -> None:
    adapter = FakeAdapter((Stubborn if stubborn else After)(takes, AHMET))
    contacts = directory(adapter)
    left_at: dict[int, float] = {}
    answers: dict[int, object] = {}

    async def ring(index: int, arrives: int, patience: float, hangs_up: int | None) -> None:
        await asyncio.sleep(arrives)
        finding = detach(contacts.find(NUMBER, patience))
        if hangs_up is not None:
            asyncio.get_running_loop().call_later(hangs_up + 0.25, finding.cancel)
        try:
            answers[index] = await finding
        except (asyncio.CancelledError, AdapterError) as exc:
            answers[index] = type(exc)
        left_at[index] = now()

    started = now()
    await asyncio.gather(*(ring(i, *caller) for i, caller in enumerate(callers)))
    lands = started + min(arrives for arrives, _, _ in callers) + takes
    for i, (arrives, patience, hangs_up) in enumerate(callers):
        arrived = started + arrives
        stays = {"land": max(lands, arrived), "patience": arrived + patience}
        if hangs_up is not None:
            stays["hang up"] = arrived + hangs_up + 0.25
        first = min(stays, key=lambda why: stays[why])
        assert left_at[i] == stays[first]
        via = Via.CACHE if arrived > lands else Via.CRM
        expected: dict[str, object] = {"patience": DeadlineExceeded, "hang up": asyncio.CancelledError}
        if first != "land":
            assert answers[i] == expected[first]
        elif arrived != lands:
            assert answers[i] == Finding(AHMET, via)
    await asyncio.sleep(100)
    assert await contacts.find(NUMBER, 0.1) == Finding(AHMET, Via.CACHE)
    assert len(adapter.asked) == 1


FAILURES = st.sampled_from(
    [Unavailable("down"), AdapterError("refused"), KeyError("bug"), asyncio.CancelledError(), After(2000, AHMET), 42]
)


@given(failure=FAILURES, age=st.integers(0, 2 * (TTL + STALE)), knew=st.booleans())
@in_virtual_time
async def test_a_failed_lookup_answers_the_stale_contact_and_without_one_fails(
    *, failure: object, age: int, knew: bool
) -> None:
    adapter = FakeAdapter(AHMET if knew else None, failure)
    contacts = directory(adapter)
    await contacts.find(NUMBER, 1)
    await asyncio.sleep(age + 0.5)
    fresh_for = TTL if knew else NEGATIVE_TTL
    if age < fresh_for:
        assert await contacts.find(NUMBER, 1500) == Finding(AHMET if knew else None, Via.CACHE)
    elif knew and age + (PATIENT.timeout if isinstance(failure, After) else 0) < TTL + STALE:
        assert await contacts.find(NUMBER, 1500) == Finding(AHMET, Via.STALE)
    else:
        with pytest.raises(AdapterError):
            await contacts.find(NUMBER, 1500)


@given(
    failure=st.sampled_from(
        [Unavailable("down"), AdapterError("refused"), KeyError("bug"), asyncio.CancelledError(), 42]
    ),
    takes=TAKES,
    arrivals=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=30),
)
@in_virtual_time
async def test_those_who_wait_for_a_flight_that_fails_get_the_failure_and_start_no_flights(
    *, failure: object, takes: float, arrivals: list[float]
) -> None:
    adapter = FakeAdapter(After(takes, failure))
    contacts = directory(adapter)
    failures: list[tuple[float, str]] = []

    async def ring(arrives: float) -> None:
        await asyncio.sleep(arrives * takes)
        with pytest.raises(AdapterError) as caught:
            await contacts.find(NUMBER, 1000)
        failures.append((now(), str(caught.value)))

    await asyncio.gather(*map(ring, arrivals))
    assert len(failures) == len(arrivals)
    assert len(set(failures)) == 1
    assert len(adapter.asked) == 1
    await asyncio.sleep(1000)
    assert len(adapter.asked) == 1


@dataclass
class TellingCrm(FakeAdapter):
    """Takes its time, and tells in its contacts when it was asked; now and then it knows nobody, or fails."""

    mood: str = FOUND
    takes: float = 1.0
    asked: list[PhoneNumber] = field(default_factory=list)
    in_flight: int = 0

    async def lookup(self, key: PhoneNumber) -> Any:
        self.asked.append(key)
        asked_at, mood = now(), self.mood
        await asyncio.sleep(self.takes)
        if mood == FAILED:
            raise Unavailable("down")
        return Contact("Ahmet", {"asked_at": asked_at}) if mood == FOUND else None


STEPS = st.one_of(
    st.tuples(st.just("find"), st.sampled_from([0.3, 1.3, 5.3, 50.3])),
    st.tuples(st.just("forget"), st.just(0.0)),
    st.tuples(st.just("pass"), st.sampled_from([0.2, 1.1, 10.0, 70.0, 310.0, 6000.0])),
    st.tuples(st.sampled_from([FOUND, UNKNOWN, FAILED]), st.sampled_from([0.0, 0.7, 4.7, 40.7])),
)


@given(st.lists(STEPS, max_size=25))
@in_virtual_time
async def test_what_is_forgotten_stays_forgotten_and_nothing_is_older_than_it_may_be(
    steps: list[tuple[str, float]],
) -> None:
    crm = TellingCrm()
    contacts = directory(crm)
    forgotten_at = 0.0
    for step, value in steps:
        if step == "find":
            began = now()
            try:
                finding = await contacts.find(NUMBER, value)
            except AdapterError:
                assert now() <= began + value
                continue
            assert now() <= began + value
            if finding.contact is not None:
                asked_at = finding.contact.value("asked_at")
                assert isinstance(asked_at, float)
                assert asked_at >= forgotten_at
                oldest = {Via.CACHE: TTL, Via.STALE: TTL + STALE, Via.CRM: 0}[finding.via]
                assert asked_at >= began - oldest - 50.7
            else:
                assert finding.via is not Via.STALE
        elif step == "forget":
            contacts.forget(NUMBER)
            forgotten_at = now()
        elif step == "pass":
            await asyncio.sleep(value)
        else:
            crm.mood, crm.takes = step, value


@given(
    takes=TAKES,
    forgotten=st.integers(0, 39),
    knew=st.booleans(),
    landing=st.sampled_from([AHMET, None]),
)
@in_virtual_time
async def test_a_flight_that_lands_after_forgetting_brings_nothing_back(
    *, takes: float, forgotten: int, knew: bool, landing: Contact | None
) -> None:
    adapter = FakeAdapter(*([AHMET] if knew else []), After(takes, landing), Unavailable("down"))
    contacts = directory(adapter)
    if knew:
        await contacts.find(NUMBER, 1)
        await asyncio.sleep(TTL)
    refresh = detach(contacts.find(NUMBER, 100))
    await asyncio.sleep(min(forgotten + 0.5, takes - 0.5))
    contacts.forget(NUMBER)
    await asyncio.sleep(100)
    assert await refresh == Finding(landing, Via.CRM)
    with pytest.raises(Unavailable, match="down"):
        await contacts.find(NUMBER, 1)


@given(st.lists(st.sampled_from([NUMBER, OTHER_NUMBER]), min_size=1, max_size=20), TAKES)
@in_virtual_time
async def test_calls_at_the_same_time_make_one_lookup_a_number(numbers: list[PhoneNumber], takes: float) -> None:
    adapter = FakeAdapter(After(takes, AHMET))
    contacts = directory(adapter)
    await asyncio.gather(*(contacts.find(number, 100) for number in numbers))
    assert sorted(number.e164 for number in adapter.asked) == sorted({number.e164 for number in numbers})
