"""The contract's tests of abilities that an adapter need not have: each is left out, passes and fails as it should."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from proxy.adapter import Adapter, AdapterConfig, AdapterError, Contact, PhoneNumber, Rehearsed
from proxy.detached import detach
from proxy.testing import AdapterContract, CrmUnderTest, phone

NAMES = {"0530 123 45 67": "Ayşe", "0531 123 45 67": "Ali"}
SECRET = "ge/heim"

COMPLETES = "test_completes_contacts_and_leaves_them_who_they_are"
IS_INTERRUPTED = "test_completes_after_it_was_cancelled_or_closed_early"
FORGETS = "test_forgets_at_any_time_and_asks_again"
REHEARSES = "test_rehearses_a_lookup_sends_nothing_and_shows_no_secret"
REPLAYS = "test_replays_without_asking_anybody"
IS_BUILT = "test_is_built_without_io_and_outside_of_a_running_loop"


class Plain(Adapter):
    """Has none of the abilities."""

    def __init__(self, config: AdapterConfig) -> None:
        self.config = config
        self.contacts = {phone(number): Contact(name, {}, (number,), name[:2]) for number, name in NAMES.items()}

    async def lookup(self, key: PhoneNumber) -> Contact | None:
        return self.contacts.get(key)


class Able(Plain):
    """Has all of them."""

    async def complete(self, contact: Contact, number: PhoneNumber) -> AsyncIterator[Contact]:
        for name in ("owner", "extension"):
            await asyncio.sleep(0.001)
            contact = contact.with_fields({name: number.digits})
            yield contact

    def forget(self, number: PhoneNumber) -> None:
        pass

    def rehearse(self, number: PhoneNumber) -> Sequence[Rehearsed]:
        return [Rehearsed("search", f"GET /people/{number.digits}\nX-Key: ***")]

    def replaying(self, recordings: Sequence[bytes]) -> Adapter:
        return Replay(self.config)


class Replay(Plain):
    async def lookup(self, key: PhoneNumber) -> Contact | None:
        raise AdapterError("nothing was recorded")


class PlainCrm(CrmUnderTest):
    known = NAMES
    unknown = ("0532 123 45 67",)
    secrets = (SECRET,)

    def adapter(self) -> Plain:
        return Plain(AdapterConfig())


class AbleCrm(PlainCrm):
    made = Able

    def adapter(self) -> Able:
        return self.made(AdapterConfig())


class TestPlain(AdapterContract):
    crm_class = PlainCrm


class TestAble(AdapterContract):
    crm_class = AbleCrm


async def outcome(test: str, **methods: object) -> None:
    """Run one test of the contract against an able adapter that has some methods in the place of its own."""
    contract, crm = TestAble(), AbleCrm()
    contract.patience = 0.3  # type: ignore[misc]
    wrong: Any = type("Wrong", (Able,), methods)
    crm.made = wrong
    await getattr(contract, test)(crm)


def names_of_tests(contract: type[AdapterContract]) -> set[str]:
    return {name for name in dir(contract) if name.startswith("test_") and getattr(contract, name) is not None}


def test_abilities_that_an_adapter_does_not_have_are_left_out_rather_than_skipped() -> None:
    assert names_of_tests(TestAble) - names_of_tests(TestPlain) == {
        COMPLETES,
        IS_INTERRUPTED,
        FORGETS,
        REHEARSES,
        REPLAYS,
    }


@pytest.mark.parametrize("returned", [{}, {"return": "Nowhere"}, {"return": Adapter}, {"return": Any}])
async def test_an_ability_that_nothing_would_test_is_told(returned: dict[str, object]) -> None:
    class SilentCrm(AbleCrm):
        def adapter(self) -> Able:
            return Able(AdapterConfig())

    SilentCrm.adapter.__annotations__ = returned
    silent: Any = type("Silent", (AdapterContract,), {"crm_class": SilentCrm})
    assert names_of_tests(silent) == names_of_tests(TestPlain)
    with pytest.raises(
        AssertionError, match=r"nothing tests .*complete.*forget.*rehearse.*replaying.*`def .* -> Able`"
    ):
        await getattr(silent(), IS_BUILT)(SilentCrm())


# ---------------------------------------------------------------------------------------- complete


class Wrong:
    """Ways to write `complete` that are mistakes."""

    seen = Contact()

    async def returns(self, contact: Contact, number: PhoneNumber) -> Contact:
        return contact

    def is_not_async(self, contact: Contact, number: PhoneNumber) -> Iterator[Contact]:
        yield contact

    async def yields_no_contact(self, contact: Contact, number: PhoneNumber) -> AsyncIterator[None]:
        yield None

    async def mixes_contacts(self, contact: Contact, number: PhoneNumber) -> AsyncIterator[Contact]:
        self.seen = contact
        await asyncio.sleep(0.001)
        yield self.seen.with_fields({"owner": 3})

    async def fails(self, contact: Contact, number: PhoneNumber) -> AsyncIterator[Contact]:
        yield contact
        raise AdapterError("no such owner")

    async def goes_on_when_cancelled(self, contact: Contact, number: PhoneNumber) -> AsyncIterator[Contact]:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        await asyncio.sleep(60)
        yield contact

    async def yields_when_closed(self, contact: Contact, number: PhoneNumber) -> AsyncIterator[Contact]:
        try:
            yield contact
        finally:
            yield contact.with_fields({"owner": 3})

    async def waits_when_closed(self, contact: Contact, number: PhoneNumber) -> AsyncIterator[Contact]:
        try:
            yield contact
        except GeneratorExit:
            await asyncio.sleep(60)


def changing(**what: Any) -> Callable[..., AsyncIterator[Contact]]:
    """Return a `complete` that changes the contact after a first, good version."""

    async def complete(_: Adapter, contact: Contact, __: PhoneNumber) -> AsyncIterator[Contact]:
        contact = contact.with_fields({"owner": 3})
        yield contact
        yield replace(contact, **what)

    return complete


def keeping_a_lock() -> Callable[..., AsyncIterator[Contact]]:
    """Return a `complete` that gives its lock back only when all goes well."""
    lock = asyncio.Lock()

    async def complete(_: Adapter, contact: Contact, __: PhoneNumber) -> AsyncIterator[Contact]:
        await lock.acquire()
        yield contact
        lock.release()

    return complete


@pytest.mark.parametrize("complete", [Wrong.returns, Wrong.is_not_async])
async def test_what_is_no_async_generator_is_told_how_to_write_one(complete: object) -> None:
    with pytest.raises(AssertionError, match=r"must be an async generator(.|\n)*yield contact"):
        await outcome(COMPLETES, complete=complete)


@pytest.mark.parametrize(
    ("complete", "message"),
    [
        (Wrong.yields_no_contact, "yields contacts"),
        (Wrong.mixes_contacts, "keeps a contact's id, name and numbers"),
        (changing(id="9"), "keeps a contact's id, name and numbers"),
        (changing(name="Veli"), "keeps a contact's id, name and numbers"),
        (changing(numbers=()), "keeps a contact's id, name and numbers"),
        (changing(fields={"extension": 1003}), "keeps a contact's fields"),
    ],
)
async def test_whoever_changes_the_contact_fails(complete: object, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        await outcome(COMPLETES, complete=complete)


async def test_whoever_cannot_complete_a_known_contact_fails() -> None:
    with pytest.raises(AdapterError, match="no such owner"):
        await outcome(COMPLETES, complete=Wrong.fails)


async def test_a_name_that_was_empty_may_be_added() -> None:
    async def lookup(_: Adapter, key: PhoneNumber) -> Contact:
        return Contact(numbers=(key.e164,))

    await outcome(COMPLETES, lookup=lookup, complete=changing(name="Veli"))


@pytest.mark.parametrize(
    ("complete", "error", "message"),
    [
        (Wrong.goes_on_when_cancelled, AssertionError, "what was cancelled must end"),
        (Wrong.yields_when_closed, RuntimeError, "ignored GeneratorExit"),
        (Wrong.waits_when_closed, AssertionError, "must end when it is closed"),
        (None, AssertionError, "must work after another one was cancelled or closed"),
    ],
)
async def test_whoever_does_not_survive_an_interruption_fails(
    complete: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        await outcome(IS_INTERRUPTED, complete=complete or keeping_a_lock())


# ---------------------------------------------------------------------------------------- forget


async def forgets_later(*_: object) -> None:
    """Be a coroutine, which nobody awaits."""


def forgets_the_contact_itself(adapter: Able, number: PhoneNumber) -> None:
    adapter.contacts.pop(number, None)


@pytest.mark.parametrize(
    ("forget", "message"), [(forgets_later, "is not async"), (forgets_the_contact_itself, r"assert \[\] == ")]
)
async def test_whoever_forgets_wrongly_fails(forget: object, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        await outcome(FORGETS, forget=forget)


# ---------------------------------------------------------------------------------------- rehearse, replaying


def connects(*_: object) -> list[Rehearsed]:
    """Connect, and catch whatever comes of it."""
    with suppress(BaseException):
        socket.create_connection(("127.0.0.1", 9)).close()
    return [Rehearsed("search", "GET /")]


async def is_async(adapter: Able, _: object) -> Adapter:
    return adapter


@pytest.mark.parametrize(
    ("rehearse", "message"),
    [
        (connects, "rehearse sends nothing"),
        (is_async, "is not async"),
        (lambda *_: [], "sends one request at least"),
        (lambda *_: ["GET /"], "is Rehearsed"),
        (lambda *_: [Rehearsed("search", "\n")], "a request has text"),
        (lambda *_: [Rehearsed("search", "GET /"), Rehearsed("step", f"GET /\nX-Key: {SECRET}")], "masks secrets"),
        (lambda *_: [Rehearsed("search", f"GET /?key={quote(SECRET, safe='')}")], "masks secrets"),
        (lambda *_: [Rehearsed(f"search with {SECRET}", "GET /")], "masks secrets"),
    ],
)
async def test_whoever_rehearses_wrongly_fails(rehearse: object, message: str) -> None:
    with pytest.raises(AssertionError, match=message) as caught:
        await outcome(REHEARSES, rehearse=rehearse)
    assert SECRET not in str(caught.value)


async def asks(*_: object) -> None:
    """Ask somebody, and catch whatever comes of it."""
    with suppress(Exception):
        await asyncio.open_connection("127.0.0.1", 9)


async def asks_in_the_background(*_: object) -> None:
    detach(asks())


async def tells_the_number(_: object, key: PhoneNumber) -> None:
    raise AdapterError(f"nothing was recorded for {key.digits}")


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"replaying": is_async}, "is not async"),
        ({"open": asks}, "asks nobody"),
        ({"open": asks_in_the_background}, "asks nobody"),
        ({"lookup": asks}, "asks nobody"),
        ({"lookup": lambda *_: asyncio.sleep(60)}, "must end"),
        ({"lookup": tells_the_number}, "must not hold the number"),
        ({}, "nobody can be found"),
    ],
)
async def test_whoever_replays_wrongly_fails(methods: dict[str, object], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        await outcome(REPLAYS, **{"replaying": lambda adapter, _: adapter, **methods})


async def test_a_replay_may_find_nobody() -> None:
    async def lookup(*_: object) -> None:
        return None

    await outcome(REPLAYS, lookup=lookup, replaying=lambda adapter, _: adapter)
