"""Lists that are read ahead of all calls: from agents to their extensions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapters.rest import RestAdapter, steps
from proxy.adapter import AdapterError, Contact
from proxy.detached import detach
from proxy.testing.behaviours import answers, hangs
from proxy.upstream import Limits, Upstream
from tests.adapters.rest_crm import AYSE, opened
from tests.adapters.stepping_crm import CONTACT, MAP, OWNER, SEARCH, SteppingCrm

FOUND = Contact("Ayşe", {"owner_id": 3}, ("0530 123 45 67",), "7")
SOON = 0.01


@pytest.fixture
async def crm() -> AsyncIterator[SteppingCrm]:
    crm = SteppingCrm()
    async with crm.http:
        yield crm


@asynccontextmanager
async def with_map(crm: SteppingCrm, *, refresh: float | None = None, **options: Any) -> AsyncIterator[RestAdapter]:
    given = {**SEARCH, "steps": [OWNER], "maps": {"extension": MAP}, **options}
    async with opened(f"{crm.http.url}/search", "find", **given) as adapter:
        if refresh is not None:
            for kept in adapter._maps:
                kept._refresh = refresh
        yield adapter


async def completed(adapter: RestAdapter, contact: Contact = FOUND) -> Contact:
    """Return the contact with all that is added; raises the failure that ended it early."""
    upstream = Upstream("crm", adapter, Limits(timeout=10), lambda _, exc: pytest.fail(repr(exc)))
    contact, failure = await upstream.complete(contact, AYSE)
    if failure is not None:
        raise failure
    return contact


async def test_a_list_is_read_ahead_and_serves_all_calls(crm: SteppingCrm) -> None:
    async with with_map(crm) as adapter:
        await crm.until("/phones", 1)
        for _ in range(3):
            contact = await completed(adapter)
            assert dict(contact.fields) == {"owner_id": 3, "login": "veli", "extension": "1003"}
    assert crm.counts["/phones"] == 1


async def test_the_first_lookup_waits_for_the_list_and_all_wait_for_the_same(crm: SteppingCrm) -> None:
    gate = asyncio.Event()

    async def wait(request: Any, writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        await crm.http._behave(request, writer)

    crm.faults["/phones"] = wait
    async with with_map(crm) as adapter:
        lookups = [detach(completed(adapter)) for _ in range(5)]
        await crm.until("/owners/3", 5)
        await asyncio.sleep(0)
        assert not any(lookup.done() for lookup in lookups)
        gate.set()
        assert {contact.value("extension") for contact in await asyncio.gather(*lookups)} == {"1003"}
    assert crm.counts["/phones"] == 1


async def test_a_list_that_hangs_costs_only_its_field(crm: SteppingCrm) -> None:
    crm.faults["/phones"] = hangs
    async with with_map(crm) as adapter:
        upstream = Upstream("crm", adapter, Limits(timeout=0.3), lambda _, exc: pytest.fail(repr(exc)))
        contact, failure = await upstream.complete(FOUND, AYSE)
        assert dict(contact.fields) == {"owner_id": 3, "login": "veli"}
        assert str(failure) == "no answer within 0.3 s"


async def test_a_list_is_read_again_every_so_often(crm: SteppingCrm) -> None:
    async with with_map(crm, refresh=SOON) as adapter:
        await crm.until("/phones", 2)
        crm.said["/phones"] = {"list": [{"agent": "veli", "number": "1999"}]}
        await crm.until("/phones", crm.counts["/phones"] + 2)
        assert (await completed(adapter)).value("extension") == "1999"
    counted = crm.counts["/phones"]
    await asyncio.sleep(SOON * 5)
    assert crm.counts["/phones"] == counted, "and no more when it is closed"


@pytest.mark.parametrize("fault", [answers(500), answers(200, b"<html>"), answers(200, b'{"list": "x"}')])
async def test_a_list_that_fails_keeps_what_it_had(crm: SteppingCrm, fault: Any) -> None:
    async with with_map(crm, refresh=SOON) as adapter:
        await crm.until("/phones", 1)
        assert (await completed(adapter)).value("extension") == "1003"
        crm.faults["/phones"] = fault
        await crm.until("/phones", crm.counts["/phones"] + 2)
        assert (await completed(adapter)).value("extension") == "1003"


async def test_a_list_that_was_never_read_is_a_failure_and_is_tried_again(
    crm: SteppingCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "AFTER_FAILURE", SOON)
    crm.faults["/phones"] = answers(500)
    async with with_map(crm) as adapter:
        with pytest.raises(AdapterError, match=r"^extension: the CRM has trouble of its own \(500\)$"):
            await completed(adapter)
        await crm.until("/phones", 3)
        crm.faults.clear()
        await crm.until("/phones", crm.counts["/phones"] + 1)
        assert (await completed(adapter)).value("extension") == "1003"


async def test_what_is_not_in_the_list_adds_nothing(crm: SteppingCrm) -> None:
    async with with_map(crm) as adapter:
        crm.said["/owners/3"] = {"login": "nobody"}
        assert (await completed(adapter)).value("extension") is None
        crm.said["/owners/3"] = {"login": None}
        contact = await completed(adapter)
        assert "extension" not in contact.fields
        has_one = Contact("Ayşe", {"login": "veli", "extension": "1"})
        assert (await completed(adapter, has_one)).value("extension") == "1", "what is there keeps its value"


async def test_a_list_may_be_of_a_field_of_the_search_of_the_id_or_of_another_list(crm: SteppingCrm) -> None:
    crm.said["/phones"] = {"list": [{"agent": 3, "number": 7}, {"agent": "7", "number": True}, {"agent": None}, {}]}
    maps = {"first": {**MAP, "of": "owner_id"}, "second": {**MAP, "of": "first"}, "third": {**MAP, "of": "id"}}
    async with with_map(crm, steps=[], maps=maps) as adapter:
        contact = await completed(adapter)
    assert dict(contact.fields) == {"owner_id": 3, "first": 7, "second": True, "third": True}


async def test_a_long_list_is_read_where_an_answer_to_one_call_is_not(crm: SteppingCrm) -> None:
    many = [{"agent": f"agent{place}", "number": str(place), "x": "y" * 80} for place in range(20_000)]
    crm.said["/phones"] = {"list": [*many, {"agent": "veli", "number": "1003"}]}
    async with with_map(crm) as adapter:
        await asyncio.wait({adapter._maps[0]._read()})
        assert (await completed(adapter)).value("extension") == "1003"
        crm.said["/search"] = [{**CONTACT, "x": "y" * 70_000}]
        with pytest.raises(AdapterError, match="longer than 64 kB"):
            await adapter.lookup(AYSE)
        crm.faults["/phones"] = answers(200, b" " * 5_000_000)
        with pytest.raises(AdapterError, match=r"^extension: the CRM's answer is longer than 4096 kB"):
            await adapter._maps[0]._read()


async def test_a_caller_who_leaves_takes_no_list_along(crm: SteppingCrm) -> None:
    crm.faults["/phones"] = hangs
    async with with_map(crm) as adapter:
        leaving = detach(adapter._maps[0].value("veli"))
        await crm.until("/phones", 1)
        leaving.cancel()
        await asyncio.wait({leaving})
        waiting = detach(adapter._maps[0].value("veli"))
        await asyncio.sleep(0)
        assert crm.counts["/phones"] == 1
        adapter._maps[0].close()
        with pytest.raises(AdapterError, match="the list was given up"):
            await waiting


async def test_a_look_at_the_crm_tells_of_lists_that_cannot_be_read(crm: SteppingCrm) -> None:
    async with with_map(crm) as adapter:
        assert (await adapter.inspect(AYSE)).problems == []
    crm.faults["/phones"] = answers(403)
    async with with_map(crm) as adapter:
        told = "maps.extension: the CRM refuses our credentials (403) - allowed: a list that can be read"
        assert (await adapter.inspect(AYSE)).problems == [told]


async def test_a_list_that_cannot_be_read_is_not_asked_for_with_each_call(crm: SteppingCrm) -> None:
    crm.faults["/phones"] = answers(404)
    async with with_map(crm) as adapter:
        for _ in range(20):
            with pytest.raises(AdapterError, match=r"^extension: the CRM does not accept the request \(404\)$"):
                await completed(adapter)
    assert crm.counts["/phones"] == 1


async def test_no_value_and_the_false_of_some_crms_have_nobodys_extension(crm: SteppingCrm) -> None:
    crm.said["/phones"] = {"list": [{"agent": False, "number": "1009"}, {"agent": "", "number": "1008"}]}
    crm.said["/owners/3"] = {"login": False}
    async with with_map(crm) as adapter:
        assert (await completed(adapter)).value("extension") is None
