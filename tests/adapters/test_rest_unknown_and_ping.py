from collections.abc import AsyncIterator

import pytest

from adapters.rest import RestAdapter
from proxy.adapter import AdapterError, Unavailable
from proxy.testing import HttpCrm
from proxy.testing.behaviours import answers, sends
from tests.adapters.rest_crm import AYSE, OPTIONS, answer, opened


@pytest.fixture
async def crm() -> AsyncIterator[HttpCrm]:
    async with HttpCrm(answer) as server:
        yield server


@pytest.fixture
async def adapter(crm: HttpCrm) -> AsyncIterator[RestAdapter]:
    async with opened(f"{crm.url}/contacts", **OPTIONS) as adapter:
        yield adapter


class TestUnknown:
    @pytest.mark.parametrize(
        "body", [b'{"items": []}', b'{"items": null}', b'{"items": false}', b"null", b"[]", b"", b" \n"]
    )
    async def test_nothing_where_records_should_be_is_unknown(
        self, body: bytes, crm: HttpCrm, adapter: RestAdapter
    ) -> None:
        crm.behaviour = answers(200, body)
        assert await adapter.lookup(AYSE) == []

    async def test_no_content_is_unknown(self, crm: HttpCrm, adapter: RestAdapter) -> None:
        crm.behaviour = sends(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert await adapter.lookup(AYSE) == []

    async def test_a_status_is_unknown_only_where_it_is_listed(self, crm: HttpCrm) -> None:
        crm.behaviour = answers(404, b'{"error": "no such contact"}')
        async with opened(crm.url, **OPTIONS, unknown_status=[404]) as adapter:
            assert await adapter.lookup(AYSE) == []
            assert await adapter.lookup(AYSE) == []
            crm.behaviour = answers(410)
            with pytest.raises(AdapterError):
                await adapter.lookup(AYSE)

    async def test_an_error_in_a_successful_answer_is_a_failure(self, crm: HttpCrm) -> None:
        crm.behaviour = answers(200, b'{"error": {"code": 200}}')
        async with opened(crm.url, **OPTIONS, error="error") as adapter:
            with pytest.raises(AdapterError, match="the CRM answers that it failed"):
                await adapter.lookup(AYSE)
            crm.behaviour = answers(200, b'{"error": null, "items": []}')
            assert await adapter.lookup(AYSE) == []


class TestPing:
    @pytest.mark.parametrize("status", [200, 302, 404, 500])
    async def test_any_answer_is_a_sign_of_life(self, status: int, crm: HttpCrm) -> None:
        crm.behaviour = answers(status)
        async with opened(f"{crm.url}/contacts", **OPTIONS, bearer="hidden") as adapter:
            await adapter.ping()
        assert crm.requests[0].target == "/"
        assert "authorization" not in crm.requests[0].headers

    async def test_a_page_of_its_own_must_succeed_with_our_credentials(self, crm: HttpCrm) -> None:
        async with opened(f"{crm.url}/contacts", **OPTIONS, bearer="token", ping_url=f"{crm.url}/me?x=1") as adapter:
            crm.behaviour = answers(200)
            await adapter.ping()
            assert (crm.requests[0].target, crm.requests[0].headers["authorization"]) == ("/me?x=1", "Bearer token")
            crm.behaviour = answers(401)
            with pytest.raises(AdapterError, match="refuses our credentials"):
                await adapter.ping()

    async def test_a_dead_crm_does_not_answer(self, crm: HttpCrm, adapter: RestAdapter) -> None:
        await crm.stop()
        with pytest.raises(Unavailable):
            await adapter.ping()
