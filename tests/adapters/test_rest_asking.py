"""What all requests of a source have in common: they are read as far as the options want, and never hang for ever."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from proxy.adapter import AdapterError, Contact, Unavailable
from proxy.testing import HttpCrm, Request
from proxy.testing.behaviours import drips, hangs
from tests.adapters.oauth_crm import anybody, says
from tests.adapters.rest_crm import AYSE, OPTIONS, opened

STEP = {"step": "owner", "url": "/owner", "fields": {"owner": "name"}}
MAP = {"of": "tier", "url": "/list", "record": "items", "key": "name", "value": "id"}


@pytest.fixture
async def crm() -> AsyncIterator[HttpCrm]:
    async with HttpCrm(anybody) as server:
        yield server


def fails_at(path: str, status: int, said: object) -> Any:
    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        await (says(status, said) if request.path == path else says(200, anybody(request)))(request, writer)

    return behave


async def completed(crm: HttpCrm, **options: Any) -> list[Contact]:
    async with opened(f"{crm.url}/contacts", **OPTIONS, **options) as adapter:
        (contact,) = await adapter.lookup(AYSE)
        return [contact async for contact in adapter.complete(contact, AYSE)]


async def test_what_a_step_says_with_a_failure_is_read_where_only_the_step_wants_to_know(crm: HttpCrm) -> None:
    crm.behaviour = fails_at("/owner", 404, {"code": "NO_OWNER"})
    step = {**STEP, "unknown_status": [404], "unknown": "code == 'NO_OWNER'"}
    assert [contact.fields for contact in await completed(crm, steps=[step])] == [{"tier": "gold"}] * 2


async def test_the_code_of_a_failed_step_is_told_where_only_the_step_names_it(crm: HttpCrm) -> None:
    crm.behaviour = fails_at("/owner", 400, {"code": "NO_OWNER"})
    with pytest.raises(AdapterError, match=r"owner: the CRM does not accept the request \(400, NO_OWNER\)"):
        await completed(crm, steps=[{**STEP, "error": "code"}])


async def test_the_code_of_a_failed_map_is_told_where_only_the_map_names_it(crm: HttpCrm) -> None:
    crm.behaviour = fails_at("/list", 400, {"code": "NO_LIST"})
    with pytest.raises(AdapterError, match=r"extension: the CRM does not accept the request \(400, NO_LIST\)"):
        await completed(crm, maps={"extension": {**MAP, "error": "code"}})


@pytest.mark.parametrize("slow", [hangs, drips(b"{}" * 1000, pause=0.01)])
async def test_a_request_that_nobody_ends_comes_to_an_end(
    slow: Any, crm: HttpCrm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.rest.transport.LONGEST_EXCHANGE", 0.2)
    crm.behaviour = slow
    async with opened(f"{crm.url}/contacts", **OPTIONS, maps={"extension": MAP}) as adapter:
        contact = Contact(fields={"tier": "gold"})
        with pytest.raises(Unavailable, match="extension: the CRM took too long"):
            [_ async for _ in adapter.complete(contact, AYSE)]
        crm.behaviour = None
        monkeypatch.setattr("adapters.rest.transport.LONGEST_EXCHANGE", 60.0)
        adapter._maps[0]._again_at = 0.0
        crm.answer = lambda _: {"items": [{"name": "gold", "id": "1001"}]}
        *_, whole = [version async for version in adapter.complete(contact, AYSE)]
        assert whole.fields["extension"] == "1001"


async def test_lookups_under_way_end_with_the_adapter_and_do_not_hold_it_up(crm: HttpCrm) -> None:
    crm.behaviour = hangs
    async with opened(f"{crm.url}/contacts", **OPTIONS) as adapter:
        lookups = asyncio.gather(*(adapter.lookup(AYSE) for _ in range(50)), return_exceptions=True)
        while len(crm.requests) < 20:  # noqa: ASYNC110 - of the test CRM
            await asyncio.sleep(0.01)
        started = time.monotonic()
    assert time.monotonic() - started < 5
    assert all(isinstance(failure, AdapterError) for failure in await lookups)
    assert len(crm.requests) < 50
