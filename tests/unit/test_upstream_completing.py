"""What a source adds to a contact of its own, when it is not asked to, and what the contact is worth then."""

import asyncio
from dataclasses import replace

import pytest

from proxy.adapter import Contact
from proxy.breaker import State
from proxy.detached import detach
from proxy.errors import AdapterError, CircuitOpen, Unavailable
from proxy.upstream import Guarded, Limits, Upstream
from tests.unit.fakes import (
    AHMET,
    NUMBER,
    ONCE,
    After,
    Bugs,
    FakeAdapter,
    FakeCompleter,
    Stubborn,
    in_virtual_time,
    now,
    upstream,
)

TWICE = replace(ONCE, attempts=2)
THREE = replace(ONCE, breaker_failures=3, breaker_pause=5)
DOWN = Unavailable("down")
TOO_MANY = Unavailable("too many requests", retry_after=30)
OWNED = AHMET.with_fields({"owner": "veli"})
EXTENDED = OWNED.with_fields({"extension": 1003})


def guarded(adapter: FakeCompleter, limits: Limits = THREE) -> tuple[Upstream, list[Guarded]]:
    told: list[Guarded] = []
    return Upstream("crm", adapter, limits, Bugs(), told.append), told


async def cannot_complete(source: Upstream, kind: type[AdapterError] = AdapterError) -> None:
    with pytest.raises(kind):
        await source.complete(AHMET, NUMBER)


@in_virtual_time
async def test_an_adapter_that_adds_nothing_leaves_the_contact_as_it_is() -> None:
    for adapter in (FakeAdapter(AHMET), FakeCompleter(AHMET)):
        contact, failure = await upstream(adapter).complete(AHMET, NUMBER)
        assert contact is AHMET
        assert failure is None


@in_virtual_time
async def test_an_adapter_that_says_it_completes_nothing_is_not_asked_to() -> None:
    adapter = FakeCompleter(EXTENDED)
    adapter.completes = False
    assert await upstream(adapter).complete(AHMET, NUMBER) == (AHMET, None)


@in_virtual_time
async def test_the_last_version_of_a_contact_counts() -> None:
    adapter = FakeCompleter(AHMET, OWNED, After(0.9, EXTENDED))
    assert await upstream(adapter).complete(AHMET, NUMBER) == (EXTENDED, None)


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (After(60), "no answer within 1 s"),
        (Unavailable("down"), "down"),
        (AdapterError("refused"), "refused"),
        (KeyError("x"), "a bug in the adapter (KeyError)"),
        (42, "a bug in the adapter (TypeError)"),
    ],
)
@in_virtual_time
async def test_what_was_added_before_a_failure_is_kept_and_nothing_is_tried_again(
    trouble: object, message: str
) -> None:
    adapter = FakeCompleter(AHMET, OWNED, trouble, EXTENDED)
    contact, failure = await upstream(adapter, TWICE).complete(AHMET, NUMBER)
    assert (contact, str(failure)) == (OWNED, message)
    assert len(adapter.asked) == 1
    alone = FakeCompleter(AHMET, trouble, EXTENDED)
    with pytest.raises(AdapterError) as caught:
        await upstream(alone, TWICE).complete(AHMET, NUMBER)
    assert str(caught.value) == message


@in_virtual_time
async def test_completing_takes_no_longer_than_one_attempt_in_all() -> None:
    adapter = FakeCompleter(AHMET, After(0.5, OWNED), After(0.6, EXTENDED))
    contact, failure = await upstream(adapter, TWICE).complete(AHMET, NUMBER)
    assert (contact, str(failure)) == (OWNED, "no answer within 1 s")
    assert now() == 1001


@in_virtual_time
async def test_what_completes_a_contact_cannot_make_it_another_person() -> None:
    other = Contact("Mallory", {"tier": "platinum", "extension": "1003"}, ("0533 444 55 66",), "666")
    contact, failure = await upstream(FakeCompleter(AHMET, other)).complete(AHMET, NUMBER)
    assert failure is None
    assert contact == Contact(AHMET.name, {"tier": "gold", "extension": "1003"}, AHMET.numbers, AHMET.id)
    nameless = Contact(id="7")
    contact, _ = await upstream(FakeCompleter(nameless, Contact("Ahmet", id="7"))).complete(nameless, NUMBER)
    assert contact.name == "Ahmet"


@pytest.mark.parametrize("failure", [DOWN, AdapterError("refused"), KeyError("a bug"), After(60), 42])
@in_virtual_time
async def test_completing_that_always_fails_is_not_asked_for_though_lookups_are_answered(failure: object) -> None:
    adapter = FakeCompleter(AHMET, failure)
    source, told = guarded(adapter)
    for _ in range(3):
        assert await source.lookup(NUMBER) == (AHMET,)
        await cannot_complete(source)
    asked = len(adapter.asked)
    for _ in range(50):
        await cannot_complete(source, CircuitOpen)
    assert len(adapter.asked) == asked
    assert [one.state for one in told] == [State.OPEN]
    assert await source.lookup(NUMBER) == (AHMET,)
    assert [one.state for one in told] == [State.OPEN]


@in_virtual_time
async def test_after_the_pause_one_contact_is_completed_and_then_all_are() -> None:
    adapter = FakeCompleter(AHMET, DOWN)
    source, told = guarded(adapter)
    for _ in range(3):
        await cannot_complete(source)
    await asyncio.sleep(5)
    await source.lookup(NUMBER)
    assert [one.state for one in told] == [State.OPEN], "lookups do not tell whether it can complete again"
    adapter.answers = [AHMET, OWNED]
    for _ in range(5):
        assert await source.complete(AHMET, NUMBER) == (OWNED, None)
    assert told == [Guarded("crm", State.OPEN, "steps and maps: down"), Guarded("crm", State.CLOSED)]


@in_virtual_time
async def test_lookups_that_fail_do_not_keep_contacts_from_being_completed() -> None:
    adapter = FakeCompleter(DOWN, OWNED)
    source, _ = guarded(adapter)
    for _ in range(5):
        with pytest.raises(Unavailable):
            await source.lookup(NUMBER)
    assert await source.complete(AHMET, NUMBER) == (OWNED, None)


@in_virtual_time
async def test_a_contact_that_is_of_use_by_itself_is_answered_as_it_is_while_nothing_can_be_added() -> None:
    adapter = FakeCompleter(AHMET, AHMET, DOWN)
    source, told = guarded(adapter)
    for _ in range(30):
        contact, failure = await source.complete(AHMET, NUMBER)
        assert contact == AHMET
        assert failure is not None
    assert isinstance(failure, CircuitOpen)
    assert len(adapter.asked) == 3
    assert told == [Guarded("crm", State.OPEN, "steps and maps: down")]
    await asyncio.sleep(5)
    adapter.answers = [AHMET, AHMET, After(0.9, OWNED)]
    trying = detach(source.complete(AHMET, NUMBER))
    await asyncio.sleep(0.1)
    contact, failure = await source.complete(AHMET, NUMBER)
    assert (contact, type(failure)) == (AHMET, CircuitOpen), "one tries, and the others are answered meanwhile"
    assert await trying == (OWNED, None)


@in_virtual_time
async def test_a_source_that_adds_something_before_it_fails_is_asked_on() -> None:
    adapter = FakeCompleter(AHMET, OWNED, DOWN)
    source, told = guarded(adapter)
    for _ in range(30):
        assert await source.complete(AHMET, NUMBER) == (OWNED, DOWN)
    assert len(adapter.asked) == 30
    assert told == []


@in_virtual_time
async def test_while_it_is_not_asked_contacts_are_worth_what_the_one_was_that_failed_last() -> None:
    adapter = FakeCompleter(AHMET, DOWN)
    source, _ = guarded(adapter)
    for _ in range(2):
        await cannot_complete(source, Unavailable)
    adapter.answers = [AHMET, AHMET, DOWN]
    assert await source.complete(AHMET, NUMBER) == (AHMET, DOWN)
    contact, failure = await source.complete(AHMET, NUMBER)
    assert (contact, type(failure)) == (AHMET, CircuitOpen)
    await asyncio.sleep(5)
    adapter.answers = [AHMET, DOWN]
    await cannot_complete(source, Unavailable)
    await cannot_complete(source, CircuitOpen)


@pytest.mark.parametrize("nothing", [[], [AHMET], [AHMET, AHMET]])
@in_virtual_time
async def test_contacts_with_nothing_to_add_do_not_keep_a_dead_step_from_being_left_alone(
    nothing: list[object],
) -> None:
    adapter = FakeCompleter(AHMET)
    source, _ = guarded(adapter, replace(THREE, breaker_failures=10))
    failed = 0
    for call in range(1000):
        adapter.answers = [AHMET, *([DOWN] if call % 10 else nothing)]
        (answer,) = await asyncio.gather(source.complete(AHMET, NUMBER), return_exceptions=True)
        failed += answer is DOWN
        assert call % 10 or failed == 10 or answer == (AHMET, None)
    assert failed == 10


@in_virtual_time
async def test_a_contact_with_nothing_to_add_does_not_tell_that_it_can_complete_again() -> None:
    adapter = FakeCompleter(AHMET, DOWN)
    source, told = guarded(adapter)
    for _ in range(3):
        await cannot_complete(source)
    await asyncio.sleep(5)
    adapter.answers = [AHMET]
    assert await source.complete(AHMET, NUMBER) == (AHMET, None)
    assert len(told) == 1
    adapter.answers = [AHMET, DOWN]
    await cannot_complete(source, Unavailable)
    await cannot_complete(source, CircuitOpen)


@in_virtual_time
async def test_one_who_hangs_up_while_his_contact_is_tried_leaves_it_to_the_next() -> None:
    adapter = FakeCompleter(AHMET, DOWN)
    source, _ = guarded(adapter)
    for _ in range(3):
        await cannot_complete(source)
    await asyncio.sleep(5)
    adapter.answers = [AHMET, After(0.9, OWNED)]
    trying = detach(source.complete(AHMET, NUMBER))
    await asyncio.sleep(0.1)
    trying.cancel()
    await asyncio.wait({trying})
    assert await source.complete(AHMET, NUMBER) == (OWNED, None)


@pytest.mark.parametrize("versions", [[], [AHMET], [OWNED]])
@in_virtual_time
async def test_a_crm_that_asks_to_be_left_alone_while_it_completes_rests_as_a_whole(versions: list[object]) -> None:
    adapter = FakeCompleter(AHMET, *versions, TOO_MANY)
    source, told = guarded(adapter)
    await asyncio.wait({detach(source.complete(AHMET, NUMBER))})
    with pytest.raises(CircuitOpen, match="left alone"):
        await source.lookup(NUMBER)
    assert told == [Guarded("crm", State.THROTTLED, "too many requests")]
    await asyncio.sleep(30)
    assert await source.lookup(NUMBER) == (AHMET,)
    assert told[1:] == [Guarded("crm", State.CLOSED)]


@in_virtual_time
async def test_a_contact_that_was_found_is_completed_though_the_crm_asks_to_be_left_alone_meanwhile() -> None:
    adapter = FakeCompleter(AHMET, TOO_MANY)
    source, _ = guarded(adapter, replace(THREE, breaker_pause=60))
    for _ in range(3):
        await cannot_complete(source, Unavailable)
    for answers in ([TOO_MANY, OWNED], [TOO_MANY]):
        adapter.answers = answers
        contact, failure = await source.complete(AHMET, NUMBER)
        assert (contact, failure) == ((OWNED if len(answers) == 2 else AHMET), None)
    with pytest.raises(CircuitOpen):
        await source.lookup(NUMBER)


@in_virtual_time
async def test_a_contact_that_was_found_is_completed_though_all_places_are_taken_meanwhile() -> None:
    adapter = FakeCompleter(After(0.9, AHMET), OWNED)
    source, told = guarded(adapter, replace(THREE, concurrency=2))
    busy = [detach(source.lookup(NUMBER)) for _ in range(2)]
    await asyncio.sleep(0.1)
    assert await source.complete(AHMET, NUMBER) == (OWNED, None)
    adapter.answers = [Stubborn(60), OWNED]
    await asyncio.gather(*busy)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await source.lookup(NUMBER)
    assert await source.complete(AHMET, NUMBER) == (OWNED, None)
    assert told == []


@in_virtual_time
async def test_completing_that_has_not_ended_is_waited_for_at_the_end_and_takes_nobodys_place() -> None:
    adapter = FakeCompleter(AHMET, OWNED, Stubborn(60))
    source, _ = guarded(adapter, replace(THREE, concurrency=2))
    await asyncio.gather(*(source.complete(AHMET, NUMBER) for _ in range(2)))
    assert source.under_way == 2
    assert await source.lookup(NUMBER) == (AHMET,)
    await source.settle(100)
    assert (source.under_way, now()) == (0, 1060)


@in_virtual_time
async def test_lookups_that_fail_are_told_of_also_while_nothing_can_be_completed() -> None:
    adapter = FakeCompleter(AHMET, DOWN)
    source, told = guarded(adapter)
    for _ in range(3):
        await cannot_complete(source)
    adapter.answers = [AdapterError("refused")]
    for _ in range(3):
        with pytest.raises(AdapterError):
            await source.lookup(NUMBER)
    opened = [Guarded("crm", State.OPEN, "steps and maps: down"), Guarded("crm", State.OPEN, "refused")]
    assert told == opened
    await asyncio.sleep(5)
    adapter.answers = [AHMET, OWNED]
    await source.lookup(NUMBER)
    assert told == [*opened, Guarded("crm", State.CLOSED)]
    await source.complete(AHMET, NUMBER)
    assert told == [*opened, Guarded("crm", State.CLOSED), Guarded("crm", State.CLOSED)]


@in_virtual_time
async def test_a_rest_that_is_over_is_told_also_while_nothing_can_be_completed() -> None:
    adapter = FakeCompleter(AHMET, DOWN)
    source, told = guarded(adapter, replace(THREE, breaker_pause=60))
    for _ in range(3):
        await cannot_complete(source)
    adapter.answers = [TOO_MANY]
    with pytest.raises(Unavailable):
        await source.lookup(NUMBER)
    await asyncio.sleep(30)
    adapter.answers = [AHMET, OWNED]
    await source.lookup(NUMBER)
    assert [one.state for one in told] == [State.OPEN, State.THROTTLED, State.CLOSED]
    await asyncio.sleep(30)
    await source.complete(AHMET, NUMBER)
    assert told[3:] == [Guarded("crm", State.CLOSED)]
