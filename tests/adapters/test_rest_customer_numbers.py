"""Requests for what a caller has keyed, and the customer number that a record holds."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapters.rest import RestAdapter, RestConfig
from proxy.adapter import AdapterError, By, Contact, CustomerNumber
from proxy.cli.live import CUSTOMER_NUMBER_THAT_NOBODY_HAS, number_that_nobody_has
from proxy.testing import HttpCrm, Request
from proxy.testing.behaviours import answers
from tests.adapters.rest_crm import AYSE

KEYED = CustomerNumber("00123")
RECORD: dict[str, Any] = {"id": 7, "name": "Ayşe", "code": "C-123", "phones": ["0530 123 45 67"]}
CHECKED = "customer_number - allowed: customer_number"
READ: dict[str, Any] = {"name": "name", "numbers": "phones", "customer_number": "code"}


def config(*, by: By = By.CUSTOMER_NUMBER, role: str = "find", **options: Any) -> RestConfig:
    return RestConfig.model_validate(options, context={"role": role, "by": frozenset({by})})


@asynccontextmanager
async def asking(crm: HttpCrm, path: str = "/c/{customer_number}", **options: Any) -> AsyncIterator[RestAdapter]:
    adapter = RestAdapter(config(url=f"{crm.url}{path}", **{**READ, **options}))
    await adapter.open()
    try:
        yield adapter
    finally:
        await adapter.close()


@pytest.fixture
async def crm() -> AsyncIterator[HttpCrm]:
    async with HttpCrm(lambda request: [RECORD] if request.path.startswith("/c/") else {"login": "veli"}) as server:
        yield server


# ---------------------------------------------------------------------------------------- what is sent


async def test_it_stands_wherever_a_placeholder_may_stand_with_its_zeros(crm: HttpCrm) -> None:
    body = {"code": "{customer_number}", "text": "C-{customer_number}", "quoted": "code = '{customer_number}'"}
    query = {"tail": "{customer_number | last(3)}", "mask": "{customer_number | mask('#-####')}"}
    async with asking(crm, method="POST", body=body, query=query, headers={"X-Code": "{customer_number}"}) as adapter:
        assert await adapter.lookup(KEYED) == [Contact("Ayşe", {}, ("0530 123 45 67",), "", "C-123")]
    (request,) = crm.requests
    assert request.target == "/c/00123?tail=123&mask=0-0123"
    assert request.headers["x-code"] == "00123"
    assert request.json() == {"code": "00123", "text": "C-00123", "quoted": "code = '00123'"}


async def test_a_crm_that_compares_whole_texts_is_asked_for_each_beginning() -> None:
    def answer(request: Request) -> list[object]:
        return [RECORD] if request.query["code"] == "C-123" else []

    async with HttpCrm(answer) as crm:
        options = {"each": {"before": ["", "0", "C-", "D-"]}}
        async with asking(crm, "/c?code={before}{customer_number}", **options) as adapter:
            assert [contact.name for contact in await adapter.lookup(CustomerNumber("123"))] == ["Ayşe"]
            assert [request.query["code"] for request in crm.requests] == ["123", "0123", "C-123"]
            shown = adapter.rehearse(CustomerNumber("123"))
    assert [each.what for each in shown] == [f"search {place} of at most 4" for place in range(1, 5)]
    assert shown[2].request == f"GET {crm.url}/c?code=C-123"


# ---------------------------------------------------------------------------------------- what is answered


async def found(crm: HttpCrm, *records: object, **options: Any) -> list[str]:
    crm.behaviour = answers(200, json.dumps(records).encode())
    async with asking(crm, **options) as adapter:
        return [contact.name for contact in await adapter.lookup(KEYED)]


async def test_records_without_a_customer_number_are_left_out(crm: HttpCrm) -> None:
    nothings: list[object] = [None, "", "  ", False, [], {}]
    for nothing in nothings:
        assert await found(crm, {"name": "Anybody", "code": nothing}, RECORD) == ["Ayşe"]
    assert await found(crm, {"name": "Ali", "code": 123}) == ["Ali"], "a number is as good as a text"
    with pytest.raises(AdapterError, match="has no record with what the option customer_number says"):
        await found(crm, {"name": "Anybody"}, {"name": "Somebody", "code": ""})


async def test_records_need_no_phone_number_where_nobody_is_asked_by_one(crm: HttpCrm) -> None:
    assert await found(crm, {"name": "Ali", "code": "123", "phones": []}) == ["Ali"]


async def test_without_the_option_whatever_the_crm_finds_is_taken_for_the_caller(crm: HttpCrm) -> None:
    assert await found(crm, {"name": "Anybody"}, customer_number=None) == ["Anybody"]


async def test_a_record_of_somebody_else_does_not_end_the_search(crm: HttpCrm) -> None:
    async with asking(crm, "/c/{kind}/{customer_number}", each={"kind": ["a", "b"]}) as adapter:
        await adapter.lookup(CustomerNumber("124"))
        assert [request.path for request in crm.requests] == ["/c/a/124", "/c/b/124"]


async def test_an_answer_can_be_replayed() -> None:
    adapter = RestAdapter(config(url="http://127.0.0.1:9/{customer_number}", **READ))
    replay = adapter.replaying([json.dumps(RECORD).encode()])
    await replay.open()
    assert [contact.customer_number for contact in await replay.lookup(KEYED)] == ["C-123"]
    await replay.close()
    await adapter.close()


# ---------------------------------------------------------------------------------------- steps


async def test_a_step_names_what_was_keyed_and_keeps_who_the_contact_is(crm: HttpCrm) -> None:
    step = {"step": "owner", "url": "/owner/{customer_number}", "name": "login", "fields": {"login": "login"}}
    async with asking(crm, name=None, id="id", steps=[step]) as adapter:
        (contact,) = await adapter.lookup(KEYED)
        *_, last = [version async for version in adapter.complete(contact, KEYED)]
    assert crm.requests[-1].path == "/owner/00123"
    assert last == Contact("veli", {"login": "veli"}, ("0530 123 45 67",), "7", "C-123")


async def test_in_a_source_by_phone_number_a_step_and_a_map_name_the_records_own(crm: HttpCrm) -> None:
    step = {"step": "owner", "url": "/owner/{customer_number}", "when": "customer_number", "fields": {"login": "login"}}
    book = {"of": "customer_number", "url": "/c/book", "key": "code", "value": "name"}
    options = {"by": By.PHONE_NUMBER, "steps": [step], "maps": {"known_as": book}}
    async with asking(crm, "/c/{e164}", **options) as adapter:
        (contact,) = await adapter.lookup(AYSE)
        assert contact.customer_number == "C-123"
        *_, last = [version async for version in adapter.complete(contact, AYSE)]
        assert dict(last.fields) == {"login": "veli", "known_as": "Ayşe"}
        asked = [request.path for request in crm.requests]
        assert asked.count("/owner/C-123") == 1
        nobody = [dict(version.fields) async for version in adapter.complete(Contact("Ali"), AYSE)]
        assert (nobody[-1], [r.path for r in crm.requests]) == ({}, asked), "who has none is not asked about"


@pytest.mark.parametrize("by", By)
def test_between_quotes_only_what_was_keyed_is_safe(by: By) -> None:
    step = {"step": "s", "url": "/s", "query": {"q": "code = '{customer_number}'"}, "fields": {"a": "a"}}
    form = "{customer_number}" if by is By.CUSTOMER_NUMBER else "{e164}"
    options: dict[str, Any] = {"url": f"http://crm/{form}", **READ, "steps": [step]}
    if by is By.CUSTOMER_NUMBER:
        config(by=by, **options)
        return
    with pytest.raises(ValueError, match=r"query has \{customer_number\} between quotes, and a quote in its"):
        config(by=by, **options)


async def test_in_an_enriching_source_it_is_the_contacts_own(crm: HttpCrm) -> None:
    options = {"role": "enrich", "fields": {"login": "login"}, **dict.fromkeys(READ)}
    async with asking(crm, "/owner/{customer_number}", **options) as adapter:
        assert dict((await adapter.enrich(Contact(customer_number="C-1"))).fields) == {"login": "veli"}
        assert dict((await adapter.enrich(Contact("Ali"))).fields) == {}
        seen = await adapter.inspect(number_that_nobody_has("TR"))
    assert seen.needs == {"customer_number"}
    assert [request.path for request in crm.requests] == ["/owner/C-1"]
    with pytest.raises(ValueError, match="allowed: fields, without name, id, numbers and customer_number"):
        config(role="enrich", url="http://crm/{owner}", fields={"a": "a"}, customer_number="code")


@pytest.mark.parametrize(
    "options",
    [{"each": {"customer_number": ["a"]}}, {"secrets": {"customer_number": "a"}}, {"fields": {"customer_number": "a"}}],
)
def test_its_name_is_taken(options: dict[str, Any]) -> None:
    for by, form in ((By.CUSTOMER_NUMBER, "{customer_number}"), (By.PHONE_NUMBER, "{e164}")):
        with pytest.raises(
            ValueError, match=re.escape("has 'customer_number', which is taken - allowed: any other name")
        ):
            config(by=by, url=f"http://crm/{form}", name="name", **options)


# ---------------------------------------------------------------------------------------- inspection


async def test_it_is_looked_at_with_a_number_that_nobody_has(crm: HttpCrm) -> None:
    crm.behaviour = answers(200, b"[]")
    async with asking(crm, fields={"tier": "tier"}) as adapter:
        seen = await adapter.inspect(CUSTOMER_NUMBER_THAT_NOBODY_HAS)
    assert (seen.fields, seen.needs, seen.problems, seen.notes) == (frozenset({"tier"}), frozenset(), [], [])
    assert [request.path for request in crm.requests] == ["/c/0000000000"]


async def test_a_record_for_nobodys_number_that_cannot_be_checked_is_a_problem(crm: HttpCrm) -> None:
    async with asking(crm, customer_number=None) as adapter:
        seen = await adapter.inspect(CUSTOMER_NUMBER_THAT_NOBODY_HAS)
    (problem,) = seen.problems
    assert problem == f"record: is there for a number that nobody has, and without {CHECKED}, to be checked"
    assert seen.notes == ["customer_number: is not given, so whatever the CRM finds is taken for the caller"]
    async with asking(crm) as adapter:
        assert (await adapter.inspect(CUSTOMER_NUMBER_THAT_NOBODY_HAS)).problems == []
