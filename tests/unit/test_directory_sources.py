"""What the directory keeps of a contact when some of several sources fail."""

import asyncio
from dataclasses import replace

import pytest

from proxy.adapter import Adapter, Contact
from proxy.cache import ContactCache
from proxy.directory import Directory, Lifetimes
from proxy.errors import Unavailable
from proxy.model import Finding, Via
from proxy.sources import Source, Sources
from proxy.upstream import Limits
from tests.unit.fakes import AHMET, NUMBER, FakeAdapter, FakeCompleter, FakeEnricher, in_virtual_time, now, upstream

LIVES = Lifetimes(ttl=300, negative_ttl=60, stale=3600, recheck=5)
DOWN = Unavailable("down")
AYSE = Contact("Ayşe", {"tier": "gold"})
LEAD = Contact("Lead 17")
LIMITS = Limits(timeout=30, attempts=1, breaker_failures=10_000)


def directory(*finding: Adapter, enriching: tuple[Adapter, ...] = (), lives: Lifetimes = LIVES) -> Directory:
    sources = Sources(
        [Source(upstream(adapter, LIMITS)) for adapter in finding],
        [upstream(adapter, LIMITS) for adapter in enriching],
    )
    return Directory(sources, ContactCache(100), lives, now)


@in_virtual_time
async def test_another_person_of_a_later_source_does_not_take_the_place_of_whom_a_source_that_fails_has_found() -> None:
    first, second = FakeAdapter(AYSE, DOWN), FakeAdapter(LEAD)
    contacts = directory(first, second)
    await contacts.find(NUMBER, 1)
    await asyncio.sleep(301)
    for _ in range(10):
        assert await contacts.find(NUMBER, 1) == Finding(AYSE, Via.STALE)
    assert (len(first.asked), len(second.asked)) == (2, 1), "it is waited with, as after any failure"
    second.answers = [DOWN]
    await asyncio.sleep(5.1)
    assert await contacts.find(NUMBER, 1) == Finding(AYSE, Via.STALE)
    first.answers, second.answers = [DOWN], [LEAD]
    await asyncio.sleep(3600)
    assert await contacts.find(NUMBER, 1) == Finding(LEAD, Via.CRM), "she is gone"


@in_virtual_time
async def test_nor_does_he_while_she_is_fresh_and_asked_for_ahead() -> None:
    contacts = directory(FakeAdapter(AYSE, DOWN), FakeAdapter(LEAD), lives=replace(LIVES, refresh_ahead=30))
    await contacts.find(NUMBER, 1)
    await asyncio.sleep(290)
    for _ in range(2):
        assert await contacts.find(NUMBER, 1) == Finding(AYSE, Via.CACHE)
        await asyncio.sleep(1)


@pytest.mark.parametrize("known", [None, ()])
@in_virtual_time
async def test_where_nobody_is_known_the_contact_of_a_later_source_answers_for_a_short_time(known: object) -> None:
    adapter = FakeAdapter(known, DOWN)
    contacts = directory(adapter, FakeAdapter(None, LEAD))
    assert await contacts.find(NUMBER, 1) == Finding(None, Via.CRM)
    await asyncio.sleep(60)
    assert await contacts.find(NUMBER, 1) == Finding(LEAD, Via.CRM)
    await asyncio.sleep(59)
    assert await contacts.find(NUMBER, 1) == Finding(LEAD, Via.CACHE)
    adapter.answers = [AYSE]
    await asyncio.sleep(1.1)
    assert await contacts.find(NUMBER, 1) == Finding(AYSE, Via.CRM)


@pytest.mark.parametrize(
    ("first", "second"), [(AYSE, Contact("Ayşe", {"city": "İzmir"})), (AHMET, Contact("A", id="7"))]
)
@in_virtual_time
async def test_the_same_person_of_a_later_source_is_put_together_with_what_is_known(
    first: Contact, second: Contact
) -> None:
    contacts = directory(FakeAdapter(first, DOWN), FakeAdapter(second))
    await contacts.find(NUMBER, 1)
    await asyncio.sleep(301)
    assert await contacts.find(NUMBER, 1) == Finding(second.with_fields({"tier": "gold"}), Via.CRM)


@in_virtual_time
async def test_a_source_that_knows_of_another_person_now_is_believed_though_nothing_could_be_added() -> None:
    for first, enriching in (
        (FakeAdapter(AYSE, LEAD), (FakeEnricher(AYSE, DOWN),)),
        (FakeCompleter(AYSE), ()),
    ):
        contacts = directory(first, enriching=enriching)
        await contacts.find(NUMBER, 1)
        if isinstance(first, FakeCompleter):
            first.answers = [LEAD, LEAD, DOWN]
        await asyncio.sleep(301)
        assert await contacts.find(NUMBER, 1) == Finding(LEAD, Via.CRM)
        assert await contacts.find(NUMBER, 1) == Finding(LEAD, Via.CACHE)


SAME = [
    (AHMET, AHMET),
    (AYSE, AYSE),
    (AHMET, replace(AHMET, name="Ahmet Y.")),
]
OTHERS = [
    (AHMET, replace(AHMET, id="8")),
    (AHMET, replace(AHMET, id="")),
    (replace(AHMET, id=""), AHMET),
    (AYSE, replace(AYSE, name="Fatma")),
    (Contact(fields={"tier": "gold"}), Contact(fields={"tier": "gold"})),
]


@pytest.mark.parametrize(
    ("before", "after", "extension"), [(*pair, "1003") for pair in SAME] + [(*pair, None) for pair in OTHERS]
)
@in_virtual_time
async def test_what_a_source_cannot_add_now_is_taken_from_what_was_known_of_the_same_contact(
    before: Contact, after: Contact, extension: str | None
) -> None:
    enricher = FakeEnricher(Contact(fields={"extension": "1003"}), DOWN)
    contacts = directory(FakeAdapter(before, after), enriching=(enricher,))
    await contacts.find(NUMBER, 1)
    await asyncio.sleep(301)
    contact = (await contacts.find(NUMBER, 1)).contact
    assert contact is not None
    assert contact.name == after.name
    assert contact.value("extension") == extension
    assert contact.value("tier") == "gold"
    await asyncio.sleep(61)
    assert (await contacts.find(NUMBER, 1)).via is Via.CRM


@in_virtual_time
async def test_what_was_taken_from_before_is_kept_no_longer_than_it_would_have_been() -> None:
    finding = FakeAdapter(AHMET)
    contacts = directory(finding, enriching=(FakeEnricher(AHMET.with_fields({"extension": "1003"}), DOWN),))
    began, had_it_at = now(), now()
    for _ in range(100):
        contact = (await contacts.find(NUMBER, 1)).contact
        assert contact is not None
        if contact.value("extension") is not None:
            had_it_at = now()
        await asyncio.sleep(45)
    assert LIVES.ttl + LIVES.stale - 45 <= had_it_at - began < LIVES.ttl + LIVES.stale
    await asyncio.sleep(LIVES.negative_ttl)
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.CRM)
    finding.answers = [DOWN]
    await asyncio.sleep(LIVES.negative_ttl + LIVES.stale - 1)
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.STALE), "what it says itself is kept for its time"


@in_virtual_time
async def test_nor_is_it_fresh_for_longer_than_that() -> None:
    contacts = directory(FakeAdapter(AHMET), enriching=(FakeEnricher(AHMET.with_fields({"extension": "1003"}), DOWN),))
    await contacts.find(NUMBER, 1)
    ends_at = now() + LIVES.ttl + LIVES.stale
    await asyncio.sleep(LIVES.ttl + LIVES.stale - 10)
    await contacts.find(NUMBER, 1)
    entry = contacts.cache.get(NUMBER.e164, now())
    assert entry is not None
    assert (entry.fresh_until, entry.stale_until) == (ends_at, ends_at)


@in_virtual_time
async def test_a_contact_that_needed_nothing_from_before_is_kept_for_its_own_time() -> None:
    finding = FakeAdapter(AHMET)
    contacts = directory(finding, enriching=(FakeEnricher(DOWN),))
    for _ in range(2):
        await contacts.find(NUMBER, 1)
        await asyncio.sleep(LIVES.stale - 100)
    finding.answers = [DOWN]
    assert await contacts.find(NUMBER, 1) == Finding(AHMET, Via.STALE)
