"""Whatever the CRM does, and whatever is erased: what is known is kept, and goes when it must."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.adapter import Adapter, Contact, PhoneNumber
from proxy.cache import ContactCache
from proxy.directory import Directory, Lifetimes
from proxy.errors import AdapterError, Unavailable
from proxy.model import Finding, Via
from proxy.sources import Source, Sources
from proxy.upstream import Limits
from tests.lengths import at_length
from tests.unit.fakes import NUMBER, OTHER_NUMBER, Stubborn, in_virtual_time, now, upstream

LIVES = Lifetimes(ttl=20, negative_ttl=10, stale=60, refresh_ahead=5, recheck=4)
LIMITS = Limits(timeout=8, attempts=2, wait_initial=0.5, wait_jitter=0, breaker_failures=4, breaker_pause=5)
NUMBERS = (NUMBER, OTHER_NUMBER)

DOES = st.sampled_from(["knows", "does not know", "is down", "refuses", "has a bug", "throttles", "is slow", "hangs"])
STEP = st.one_of(
    st.tuples(st.just("crm"), DOES),
    st.tuples(st.just("call"), st.tuples(st.sampled_from(NUMBERS), st.sampled_from([0.5, 2.0, 30.0]))),
    st.tuples(st.just("time"), st.sampled_from([0.1, 1.0, 4.5, 11.0, 21.0, 45.0, 90.0])),
    st.tuples(st.just("erase"), st.sampled_from(NUMBERS)),
)


@dataclass
class Crm(Adapter):
    """Does what it is told; each contact says for whom it is, and how many lookups there had been."""

    does: str = "knows"
    began: int = 0
    landed: dict[PhoneNumber, tuple[float, Contact | None]] = field(default_factory=dict)
    """When the newest answer of each number came, and what it was; not of lookups that were erased"""
    erased: dict[PhoneNumber, int] = field(default_factory=lambda: dict.fromkeys(NUMBERS, 0))
    """The last lookup before each number was erased"""

    def erase(self, number: PhoneNumber) -> None:
        self.landed.pop(number, None)
        self.erased[number] = self.began

    async def lookup(self, key: PhoneNumber) -> Any:
        self.began += 1
        serial, does = self.began, self.does
        if does == "is slow":
            await asyncio.sleep(3)
        elif does == "hangs":
            await Stubborn(40).wait()
            raise Unavailable("nobody waits any more")
        elif does not in {"knows", "does not know"}:
            raise {
                "is down": Unavailable("down"),
                "refuses": AdapterError("refused"),
                "has a bug": KeyError("bug"),
                "throttles": Unavailable("too many", retry_after=3),
            }[does]
        answer = None if does == "does not know" else Contact("", {"serial": serial}, id=key.e164)
        if serial > self.erased[key]:
            self.landed[key] = (now(), answer)
        return answer


@settings(max_examples=at_length(500, otherwise=200))
@given(steps=st.lists(STEP, max_size=60))
@in_virtual_time
async def test_what_is_known_is_kept_while_it_may_be_and_no_longer(*, steps: list[tuple[str, Any]]) -> None:
    crm = Crm()
    contacts = Directory(Sources([Source(upstream(crm, LIMITS))]), ContactCache(100), LIVES, now)
    for what, detail in steps:
        if what == "crm":
            crm.does = detail
        elif what == "time":
            await asyncio.sleep(detail)
        elif what == "erase":
            contacts.forget(detail)
            crm.erase(detail)
        else:
            await call(contacts, crm, *detail)
    await asyncio.sleep(60)  # until all that hangs has ended


async def call(contacts: Directory, crm: Crm, number: PhoneNumber, patience: float) -> None:
    """Ask, and see that the answer is what the CRM's own account allows."""
    began, before = now(), crm.landed.get(number)
    try:
        found = await contacts.find(number, patience)
    except AdapterError:
        found = None
    assert now() - began <= patience, "nobody waits longer than he may"
    landed = crm.landed.get(number)
    if found is None:
        was_there = before is not None and before[1] is not None and before[0] + LIVES.ttl + LIVES.stale > now()
        assert not was_there, "what is known answers when the CRM does not"
        return
    if found.contact is not None:
        assert found.contact.id == number.e164
        serial = found.contact.value("serial")
        assert isinstance(serial, int)
        assert serial > crm.erased[number], "what was erased does not come back"
    assert landed is not None
    at, newest = landed
    check_age(found, at, newest)


def check_age(found: Finding, at: float, newest: Contact | None) -> None:
    """See that an answer is the newest that came, and not too old for what it says it is."""
    assert found.contact == newest
    age = now() - at
    if found.via is Via.CACHE:
        assert age <= (LIVES.ttl if newest else LIVES.negative_ttl)
    elif found.via is Via.STALE:
        assert newest is not None, "'unknown' is never stale"
        assert age <= LIVES.ttl + LIVES.stale


@given(steps=st.lists(st.sampled_from(["is down", "refuses", "has a bug", "throttles", "hangs"]), max_size=20))
@in_virtual_time
async def test_no_failure_takes_a_contact_away(*, steps: list[str]) -> None:
    crm = Crm()
    contacts = Directory(Sources([Source(upstream(crm, LIMITS))]), ContactCache(100), LIVES, now)
    known = await contacts.find(NUMBER, 1)
    for does in steps:
        crm.does = does
        await asyncio.sleep(79 / 20)
        assert (await contacts.find(NUMBER, 0.01)).contact == known.contact
    await asyncio.sleep(100)
    crm.does = "is down"
    with pytest.raises(AdapterError):
        await contacts.find(NUMBER, 1)


@dataclass
class Two:
    """Two CRMs that are asked in turn, what each says now, and what was said last with nobody before it failing."""

    says: dict[str, str | None] = field(default_factory=lambda: {"first": "Ayşe", "second": "Lead 17"})
    first_knows_nobody: bool = False
    landed: tuple[float, str | None] = (0.0, None)

    def directory(self) -> Directory:
        sources = Sources([Source(upstream(OneOfTwo(self, which), LIMITS)) for which in self.says])
        return Directory(sources, ContactCache(100), LIVES, now)


@dataclass
class OneOfTwo(Adapter):
    two: Two
    which: str

    async def lookup(self, key: PhoneNumber) -> Contact | None:
        two, name = self.two, self.two.says[self.which]
        if name == "is down":
            raise AdapterError("down")
        if self.which == "first":
            two.first_knows_nobody = name is None
        if name is not None if self.which == "first" else two.first_knows_nobody:
            two.landed = (now(), name)
        return None if name is None else Contact(name)


SAYS = st.sampled_from(["Ayşe", "Fatma", "Lead 17", "is down", None])


@given(steps=st.lists(st.tuples(SAYS, SAYS, st.sampled_from([0.1, 3.0, 11.0, 21.0, 50.0])), max_size=40))
@in_virtual_time
async def test_nobody_who_was_found_only_since_a_source_failed_takes_the_place_of_whom_it_had_found(
    *, steps: list[tuple[str | None, str | None, float]]
) -> None:
    two = Two()
    contacts = two.directory()
    await contacts.find(NUMBER, 1)
    for first, second, seconds in steps:
        await asyncio.sleep(seconds)
        two.says, two.first_knows_nobody = {"first": first, "second": second}, False
        at, name = two.landed
        try:
            found = (await contacts.find(NUMBER, 1)).contact
        except AdapterError:
            found = None
        if first == "is down" and name is not None and now() < at + LIVES.ttl + LIVES.stale:
            assert found is not None
            assert found.name == name
