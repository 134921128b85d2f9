"""The contract's tests of abilities that an adapter need not have: each is left out, passes and fails as it should."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from proxy.adapter import (
    Adapter,
    AdapterConfig,
    AdapterError,
    By,
    Contact,
    CustomerNumber,
    Key,
    PhoneNumber,
    Rehearsed,
    Unavailable,
)
from proxy.detached import detach
from proxy.testing import AdapterContract, CrmUnderTest, phone
from proxy.testing.parts import assert_is_discreet

NAMES = {"0530 123 45 67": "Ayşe", "0531 123 45 67": "Ali"}
SECRET = "ge/heim"

COMPLETES = "test_completes_contacts_and_leaves_them_who_they_are"
IS_INTERRUPTED = "test_completes_after_it_was_cancelled_or_closed_early"
FORGETS = "test_forgets_at_any_time_and_asks_again"
REHEARSES = "test_rehearses_a_lookup_sends_nothing_and_shows_no_secret"
REPLAYS = "test_replays_without_asking_anybody"
FINDS_CUSTOMERS = "test_finds_a_known_customer_number"
CONCURRENT = "test_gives_each_of_many_concurrent_lookups_its_own_contact"
FINDS_NO_OTHERS = "test_does_not_find_an_unknown_customer_number"
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


CUSTOMERS = {"12345": "Ayşe", "00678": "Ali"}


class Keyed(Able):
    """Is asked by customer numbers too."""

    asked_by = frozenset(By)

    async def lookup(self, key: Key) -> Contact | None:
        if isinstance(key, PhoneNumber):
            return self.contacts.get(key)
        names = [name for number, name in CUSTOMERS.items() if key.is_in(number)]
        return Contact(names[0], customer_number=key.digits) if names else None


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


class KeyedCrm(PlainCrm):
    made = Keyed
    known_customers = CUSTOMERS
    unknown_customers: Sequence[str] = ("9",)

    def adapter(self) -> Keyed:
        return self.made(AdapterConfig())


class TestPlain(AdapterContract):
    crm_class = PlainCrm


class TestAble(AdapterContract):
    crm_class = AbleCrm


class TestKeyed(AdapterContract):
    crm_class = KeyedCrm


async def outcome(test: str, *contracts: AdapterContract, **methods: object) -> None:
    """Run one test of the contract against an able adapter that has some methods in the place of its own."""
    contract = contracts[0] if contracts else TestAble()
    crm: Any = contract.crm_class()
    contract.patience = 0.3  # type: ignore[misc]
    crm.made = type("Wrong", (crm.made,), methods)
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


# ---------------------------------------------------------------------------------------- customer numbers


def test_customer_numbers_are_left_out_where_the_crm_knows_none() -> None:
    assert names_of_tests(TestKeyed) - names_of_tests(TestAble) == {FINDS_CUSTOMERS, FINDS_NO_OTHERS}


def test_both_kinds_are_tried_in_turn() -> None:
    crm = KeyedCrm()
    kinds = [type(key) for key in crm.known_keys()]
    assert kinds == [PhoneNumber, CustomerNumber] * 2
    assert crm.one_of_each_kind() == list(crm.known_keys())[1::-1]
    assert crm.unknown_keys() == [phone("0532 123 45 67"), CustomerNumber("9")]
    assert list(PlainCrm().known_keys().values()) == list(NAMES.values())


class OnlyPhoneNumbers(KeyedCrm):
    by = frozenset({By.PHONE_NUMBER})


class NobodyKnown(CrmUnderTest):
    """Whoever wrote it has not come to the numbers yet."""

    unknown_customers = ("9",)

    def adapter(self) -> Keyed:
        return Keyed(AdapterConfig())


class NoCustomers(NobodyKnown):
    known = NAMES


class OnlyCustomers(NobodyKnown):
    known_customers = CUSTOMERS
    by = frozenset({By.CUSTOMER_NUMBER})


def contract_of(crm: type[CrmUnderTest]) -> Any:
    contract: Any = type("Contract", (AdapterContract,), {"crm_class": crm})
    return contract()


@pytest.mark.parametrize(
    ("crm", "told"),
    [
        (NoCustomers, "nothing tests lookups by customer_number: give known_customers in NoCustomers"),
        (
            NobodyKnown,
            "nothing tests lookups by (phone_number: give known|customer_number: give known_customers) in No",
        ),
    ],
)
async def test_an_adapter_is_tested_with_all_that_it_is_asked_by(crm: type[CrmUnderTest], told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        await getattr(contract_of(crm), IS_BUILT)(crm())


@pytest.mark.parametrize("crm", [OnlyPhoneNumbers, OnlyCustomers])
async def test_where_options_leave_an_adapter_only_one_kind_the_other_needs_no_test(crm: type[CrmUnderTest]) -> None:
    contract = contract_of(crm)
    for test in (IS_BUILT, FINDS_CUSTOMERS, REHEARSES, IS_INTERRUPTED, CONCURRENT):
        if (run := getattr(contract, test)) is not None:
            await run(crm())


async def test_an_unknown_customer_number_is_needed_too() -> None:
    class Complete(KeyedCrm):
        unknown_customers = ()

    with pytest.raises(AssertionError, match="unknown_customers of Complete needs one at least"):
        await getattr(contract_of(Complete), FINDS_NO_OTHERS)(Complete())


@pytest.mark.parametrize(
    ("test", "found", "message"),
    [
        (FINDS_CUSTOMERS, None, r"assert \[\] == \['Ayşe'\]"),
        (FINDS_CUSTOMERS, Contact("Ali"), r"assert \['Ali'\] == \['Ayşe'\]"),
        (FINDS_NO_OTHERS, Contact("Ayşe"), r"== \(\)"),
        (CONCURRENT, Contact("Ayşe"), "== "),
    ],
)
async def test_whoever_finds_the_wrong_customer_fails(test: str, found: object, message: str) -> None:
    async def lookup(adapter: Keyed, key: Key) -> object:
        return adapter.contacts.get(key) if isinstance(key, PhoneNumber) else found

    with pytest.raises(AssertionError, match=message):
        await outcome(test, TestKeyed(), lookup=lookup)


@pytest.mark.parametrize(("message", "is_discreet"), [("lost 12345 on the way", False), ("status 412345", True)])
async def test_a_message_must_not_hold_a_customer_number(message: str, *, is_discreet: bool) -> None:
    error = Unavailable(message)
    if is_discreet:
        assert_is_discreet(error, CustomerNumber("12345"))
        return
    with pytest.raises(AssertionError, match="must not hold the number"):
        assert_is_discreet(error, CustomerNumber("12345"))


async def test_what_completes_must_leave_the_customer_number() -> None:
    with pytest.raises(AssertionError, match="keeps a contact's id, name and numbers"):
        await outcome(COMPLETES, TestKeyed(), complete=changing(customer_number="1"))
