"""What is asked about a contact that was found: its owner, and the owner's extension."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.rest import RestAdapter, RestConfig
from adapters.rest.steps import FurtherStep
from proxy.adapter import AdapterError, Contact
from proxy.cache import ContactCache
from proxy.directory import Directory, Lifetimes
from proxy.model import Asked, Via
from proxy.sources import Sighting, Source, Sources
from proxy.testing import FakeClock
from proxy.testing.behaviours import answers, hangs
from proxy.upstream import Limits, Upstream
from tests.adapters.rest_crm import AYSE, opened
from tests.adapters.stepping_crm import CONTACT, EXTENSION, MAP, OWNER, SEARCH, SteppingCrm

LIMITS = Limits(timeout=10, attempts=1)
IMPATIENT = Limits(timeout=0.5, attempts=1)
"""Where something hangs"""

FOUND: dict[str, Any] = {"owner_id": 3}
OWNED = {**FOUND, "login": "veli"}
WHOLE = {**OWNED, "extension": 1003}


@pytest.fixture
async def crm() -> AsyncIterator[SteppingCrm]:
    crm = SteppingCrm()
    async with crm.http:
        yield crm


def sources_of(adapter: RestAdapter, told: list[Asked], limits: Limits = LIMITS) -> Sources:
    upstream = Upstream("crm", adapter, limits, lambda _, exc: pytest.fail(repr(exc)))
    return Sources([Source(upstream)], observe=told.append)


async def seen(
    crm: SteppingCrm, *steps: Any, told: list[Asked] | None = None, limits: Limits = LIMITS, **options: Any
) -> Sighting:
    """Return what the proxy learns about the caller."""
    async with opened(f"{crm.http.url}/search", "find", **{**SEARCH, "steps": steps, **options}) as adapter:
        return await sources_of(adapter, told if told is not None else [], limits).lookup(AYSE)


def contact(fields: dict[str, Any], name: str = "Ayşe") -> Contact:
    return Contact(name, fields, ("0530 123 45 67",), "7")


# ---------------------------------------------------------------------------------------- one after another


async def test_a_contact_leads_to_its_owner_and_the_owner_to_an_extension(crm: SteppingCrm) -> None:
    told: list[Asked] = []
    assert await seen(crm, OWNER, EXTENSION, told=told) == Sighting(contact(WHOLE))
    assert crm.asked == ["/search", "/owners/3", "/extensions/veli"]
    assert [(asked.outcome, asked.note) for asked in told] == [("found", ""), ("completed", "")]


async def test_a_step_may_be_sent_in_any_way_and_name_the_caller_and_secrets(crm: SteppingCrm) -> None:
    step = {**OWNER, "method": "POST", "url": "/owners/3", "form": {"id": "{id}", "who": "{name}", "k": "{key}"}}
    step |= {"headers": {"X-Phone": "{e164}"}}
    await seen(crm, step, secrets={"key": "geheim"}, bearer="token")
    request = crm.http.requests[-1]
    assert (request.method, request.body) == ("POST", b"id=7&who=Ay%C5%9Fe&k=geheim")
    assert (request.headers["x-phone"], request.headers["authorization"]) == ("+905301234567", "Bearer token")


async def test_headers_of_the_source_go_with_steps_where_they_are_the_same_for_all_callers(crm: SteppingCrm) -> None:
    headers = {"X-Key": "{key}!", "X-Version": 2, "X-Caller": "{e164}"}
    step = {**OWNER, "headers": {"x-version": "3"}}
    await seen(crm, step, headers=headers, secrets={"key": "geheim"})
    search, owner = (request.headers for request in crm.http.requests)
    assert [search.get(name) for name in ("x-key", "x-version", "x-caller")] == ["geheim!", "2", "+905301234567"]
    assert [owner.get(name) for name in ("x-key", "x-version", "x-caller")] == ["geheim!", "3", None]


async def test_the_first_record_of_a_step_counts_and_known_fields_keep_their_values(crm: SteppingCrm) -> None:
    crm.said["/owners/3"] = {"users": [{"login": "veli", "owner_id": 99}, {"login": "ali"}]}
    step = {**OWNER, "record": "users", "fields": {"login": "login", "owner_id": "owner_id", "none": "none"}}
    sighting = await seen(crm, step)
    assert sighting.contact is not None
    assert sighting.contact.fields == {**OWNED, "none": None}


@pytest.mark.parametrize("owner", [None, "", False])
async def test_a_step_without_one_of_its_fields_is_left_out(crm: SteppingCrm, owner: object) -> None:
    crm.said["/search"] = [{**CONTACT, "owner_id": owner}]
    told: list[Asked] = []
    sighting = await seen(crm, OWNER, EXTENSION, told=told)
    assert (sighting.complete, crm.asked) == (True, ["/search"])
    assert [asked.outcome for asked in told] == ["found"], "nothing was added, and nothing failed"
    assert (await seen(crm, {**OWNER, "required": True})).complete, "there was nothing to ask"


@pytest.mark.parametrize(
    ("when", "is_asked"),
    [
        ("owner_id", True),
        ("owner_id == `3`", True),
        ("name == 'Ayşe' && id == '7'", True),
        ("owner_id > `3`", False),
        ("missing", False),
        ("length(owner_id)", False),
    ],
)
async def test_a_step_is_asked_only_when_its_condition_holds(crm: SteppingCrm, when: str, *, is_asked: bool) -> None:
    await seen(crm, {**OWNER, "when": when})
    assert ("/owners/3" in crm.asked) is is_asked


async def test_a_name_may_come_from_a_step_where_the_search_has_none(crm: SteppingCrm) -> None:
    step = {**OWNER, "name": "title"}
    assert (await seen(crm, step)).contact == contact(OWNED)
    crm.said["/search"] = [{**CONTACT, "name": None}]
    assert (await seen(crm, step)).contact == contact(OWNED, "Satış")
    again = {**EXTENSION, "url": "/owners/{owner_id}", "name": "name"}
    assert (await seen(crm, step, again)).contact == contact({**OWNED, "extension": None}, "Satış"), "the first counts"


async def test_of_several_contacts_only_the_chosen_one_is_asked_about(crm: SteppingCrm) -> None:
    other = {**CONTACT, "id": 8, "owner_id": 4}
    crm.said["/search"] = [{**other, "phone": "0530 123 45 68"}, CONTACT, other]
    assert (await seen(crm, OWNER)).contact == contact(OWNED)
    assert crm.asked == ["/search", "/owners/3"]


async def test_a_source_that_enriches_may_have_steps_and_maps_too(crm: SteppingCrm) -> None:
    options = {"fields": {"login": "login"}, "steps": [EXTENSION], "maps": {"phone": MAP}}
    async with opened(f"{crm.http.url}/owners/{{owner_id}}", "enrich", **options) as adapter:
        told: list[Asked] = []
        upstream = Upstream("crm", adapter, LIMITS, lambda _, exc: pytest.fail(repr(exc)))
        listed = Upstream("list", Listed(), LIMITS, upstream._on_bug)
        sources = Sources([Source(listed)], [upstream], observe=told.append)
        assert await sources.lookup(AYSE) == Sighting(Contact("Ayşe", {**WHOLE, "phone": "1003"}))
    assert [asked.outcome for asked in told] == ["found", "enriched", "completed"]


class Listed(RestAdapter):
    def __init__(self) -> None:
        super().__init__(RestConfig.model_validate({"url": "http://127.0.0.1:1/{e164}", "name": "name"}))

    async def lookup(self, key: object) -> list[Contact]:
        return [Contact("Ayşe", FOUND)]


# ---------------------------------------------------------------------------------------- failures


FAULTS = {
    "fails": (answers(500), "the CRM has trouble of its own (500)"),
    "is refused": (answers(403), "the CRM refuses our credentials (403)"),
    "answers no JSON": (answers(200, b"<html>"), "what the CRM answers is not JSON"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_step_that_fails_costs_only_what_it_would_have_added(crm: SteppingCrm, fault: str) -> None:
    crm.faults["/extensions/veli"], message = FAULTS[fault]
    told: list[Asked] = []
    name = {**OWNER, "step": "title", "fields": {"title": "title"}}
    sighting = await seen(crm, OWNER, EXTENSION, name, told=told)
    assert sighting == Sighting(contact({**OWNED, "title": "Satış"}), complete=False)
    assert (told[-1].outcome, told[-1].note) == ("incomplete", f"extension: {message}")


async def test_a_step_that_hangs_costs_what_was_not_added_before(crm: SteppingCrm) -> None:
    crm.faults["/extensions/veli"] = hangs
    told: list[Asked] = []
    sighting = await seen(crm, OWNER, EXTENSION, told=told, limits=IMPATIENT)
    assert sighting == Sighting(contact(OWNED), complete=False)
    assert (told[-1].outcome, told[-1].note) == ("incomplete", "no answer within 0.5 s")


async def test_without_a_required_step_the_contact_is_of_no_use(crm: SteppingCrm) -> None:
    crm.faults["/owners/3"] = answers(500)
    told: list[Asked] = []
    with pytest.raises(AdapterError, match=r"^owner: the CRM has trouble of its own \(500\)$"):
        await seen(crm, {**OWNER, "required": True}, EXTENSION, told=told)
    assert (told[-1].outcome, told[-1].note) == ("failed", "owner: the CRM has trouble of its own (500)")
    crm.faults["/owners/3"] = hangs
    with pytest.raises(AdapterError, match=r"^no answer within 0\.5 s$"):
        await seen(crm, {**OWNER, "required": True}, limits=IMPATIENT)


async def test_behind_the_last_required_step_others_may_fail_and_before_it_too(crm: SteppingCrm) -> None:
    crm.faults = {"/extensions/veli": hangs, "/other": answers(500)}
    first = {"step": "first", "url": "/other", "fields": {"first": "first"}}
    sighting = await seen(crm, first, {**OWNER, "required": True}, EXTENSION, limits=IMPATIENT)
    assert sighting == Sighting(contact(OWNED), complete=False)
    hanging = {**first, "url": "/extensions/veli"}
    with pytest.raises(AdapterError, match="no answer within"):
        await seen(crm, hanging, {**OWNER, "required": True}, limits=IMPATIENT)


async def test_a_step_may_say_that_there_is_nothing_to_add(crm: SteppingCrm) -> None:
    del crm.said["/extensions/veli"]
    sighting = await seen(crm, OWNER, {**EXTENSION, "unknown_status": [404]})
    assert sighting == Sighting(contact(OWNED))
    crm.said["/extensions/veli"] = {"error": "gone"}
    assert (await seen(crm, OWNER, {**EXTENSION, "unknown": "error == 'gone'"})).complete
    assert not (await seen(crm, OWNER, {**EXTENSION, "error": "error"})).complete


async def test_a_contact_that_lacks_something_is_kept_for_the_short_time_only(crm: SteppingCrm) -> None:
    clock = FakeClock()
    async with opened(f"{crm.http.url}/search", "find", **{**SEARCH, "steps": [OWNER]}) as adapter:
        directory = Directory(sources_of(adapter, []), ContactCache(10), Lifetimes(300, 60, 0), clock)
        crm.faults["/owners/3"] = answers(500)
        finding = await directory.find(AYSE, 5)
        assert (finding.contact, finding.via) == (contact(FOUND), Via.CRM)
        clock.advance(59)
        assert (await directory.find(AYSE, 5)).via is Via.CACHE
        crm.faults.clear()
        clock.advance(2)
        finding = await directory.find(AYSE, 5)
        assert (finding.contact, finding.via) == (contact(OWNED), Via.CRM)
        clock.advance(299)
        assert (await directory.find(AYSE, 5)).via is Via.CACHE


# ---------------------------------------------------------------------------------------- kept answers


async def test_an_answer_is_kept_for_its_time_for_all_contacts_with_the_same_values(crm: SteppingCrm) -> None:
    clock = FakeClock()
    async with opened(f"{crm.http.url}/search", "find", **{**SEARCH, "steps": [OWNER]}) as adapter:
        step = FurtherStep(adapter._config.steps[0].model_copy(update={"ttl": 600.0}), adapter._asking, clock)
        values = adapter._values(AYSE)
        for other in (contact(FOUND), Contact("Fatma", FOUND, id="8"), contact({"owner_id": "3"})):
            assert (await step.taken(other, values)).value("login") == "veli"
            clock.advance(200)
        assert crm.counts["/owners/3"] == 1
        await step.taken(contact({"owner_id": 3}), values)
        assert crm.counts["/owners/3"] == 2
        crm.faults["/owners/4"] = answers(500)
        for _ in range(2):
            with pytest.raises(AdapterError):
                await step.taken(contact({"owner_id": 4}), values)
        assert crm.counts["/owners/4"] == 2, "a failure is not kept"
        crm.said["/owners/5"] = b""
        for _ in range(2):
            assert await step.taken(contact({"owner_id": 5}), values) == contact({"owner_id": 5})
        assert crm.counts["/owners/5"] == 1, "that there is nothing is"


async def test_what_is_forgotten_is_asked_for_again_and_not_brought_back_by_an_answer_under_way(
    crm: SteppingCrm,
) -> None:
    async with opened(f"{crm.http.url}/search", "find", **{**SEARCH, "steps": [{**OWNER, "ttl": 600}]}) as adapter:
        (step,), values = adapter._steps, adapter._values(AYSE)
        for count in (1, 2):
            for _ in range(3):
                await step.taken(contact(FOUND), values)
            assert crm.counts["/owners/3"] == count
            adapter.forget(AYSE)
        under_way = asyncio.ensure_future(step.taken(contact(FOUND), values))
        await crm.until("/owners/3", 3)
        adapter.forget(AYSE)
        await under_way
        await step.taken(contact(FOUND), values)
        assert crm.counts["/owners/3"] == 4


async def test_without_a_time_nothing_is_kept(crm: SteppingCrm) -> None:
    async with opened(f"{crm.http.url}/search", "find", **{**SEARCH, "steps": [OWNER]}) as adapter:
        for _ in range(3):
            await sources_of(adapter, []).lookup(AYSE)
    assert crm.counts == {"/search": 3, "/owners/3": 3}


async def test_a_step_that_names_the_caller_is_kept_for_this_caller_only(crm: SteppingCrm) -> None:
    step = {**OWNER, "url": "/owners/{owner_id}?by={e164}", "ttl": 600}
    async with opened(f"{crm.http.url}/search", "find", **{**SEARCH, "steps": [step]}) as adapter:
        for number in ("+905301234567", "+905301234568", "+905301234567"):
            await adapter._steps[0].taken(contact(FOUND), {**adapter._values(AYSE), "e164": number})
    assert crm.counts["/owners/3"] == 2
