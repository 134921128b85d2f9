"""What is asked of the CRM, byte by byte."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from aioresponses import aioresponses
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from adapters.rest.template import filled_json, filled_path
from adapters.rest.transport import _url
from proxy.adapter import AdapterError, Contact
from proxy.testing import HttpCrm, Request
from tests.adapters.rest_crm import AYSE, opened

HOSTILE = [
    "../../admin",
    "..",
    "/../..",
    "..\\..\\admin",
    "@evil.example",
    "//evil.example/x",
    "http://evil.example/",
    "x?admin=1&a=b#c",
    "100%2e%2e",
    "a b+c",
    'q"}, {"x": "',
    "İş Ağı",
]


@pytest.fixture
async def crm() -> AsyncIterator[HttpCrm]:
    async with HttpCrm(lambda _: [{"name": "Ayşe", "tier": "gold", "zone": None, "owner": "other"}]) as server:
        yield server


async def asked(crm: HttpCrm, **options: Any) -> Request:
    """Look Ayşe up, and return what was asked."""
    url = crm.url + options.pop("path", "/c")
    async with opened(url, "find", **{"name": "name", **options}) as adapter:
        assert [contact.name for contact in await adapter.lookup(AYSE)] == ["Ayşe"]
    return crm.requests[-1]


async def asked_about(contact: Contact, crm: HttpCrm, **options: Any) -> Request:
    """Enrich a contact, and return what was asked."""
    url = crm.url + options.pop("path", "/c")
    async with opened(url, "enrich", **{"fields": {"tier": "tier"}, **options}) as adapter:
        assert (await adapter.enrich(contact)).value("tier") == "gold"
    return crm.requests[-1]


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/c/{e164}", "/c/%2B905301234567"),
        ("/c/{digits}/x", "/c/905301234567/x"),
        ("/c?q={national}&r={subscriber}", "/c?q=05301234567&r=5301234567"),
        ("?q={international}", "/?q=00905301234567"),
        ("/c?q=+{digits}", "/c?q=+905301234567"),
        ("/c?q=%2B{digits}", "/c?q=%2B905301234567"),
        ("/kişi ara?q={e164}", "/ki%C5%9Fi%20ara?q=%2B905301234567"),
        ("/c?where[0][value]={digits}", "/c?where[0][value]=905301234567"),
        ("/c(phone='{e164}')/$value", "/c(phone='%2B905301234567')/$value"),
        ('/c?filter={"phone":"{e164}"}', "/c?filter=%7B%22phone%22:%22%2B905301234567%22%7D"),
    ],
)
async def test_a_url_is_filled_and_encoded(path: str, target: str, crm: HttpCrm) -> None:
    assert (await asked(crm, path=path)).target == target


async def test_parameters_are_encoded_whatever_they_hold(crm: HttpCrm) -> None:
    query = {"phone": "{e164}", "limit": 5, "exact": True, "filter[a b]": '{"in":["{digits}","{national}"]}&x=ğ'}
    request = await asked(crm, query=query)
    assert request.target == (
        "/c?phone=%2B905301234567&limit=5&exact=true&filter%5Ba%20b%5D="
        "%7B%22in%22%3A%5B%22905301234567%22%2C%2205301234567%22%5D%7D%26x%3D%C4%9F"
    )
    assert request.query["filter[a b]"] == '{"in":["905301234567","05301234567"]}&x=ğ'


async def test_parameters_are_added_to_those_of_the_url(crm: HttpCrm) -> None:
    assert (await asked(crm, path="/c?a=1", query={"q": "{digits}"})).target == "/c?a=1&q=905301234567"


async def test_a_body_keeps_its_types_and_is_sent_as_json(crm: HttpCrm) -> None:
    body = {
        "filters": [{"value": "{e164}", "n": 1, "on": True, "x": 1.5}, ["{national}!", "{subscriber}"]],
        "{e164}": "",
    }
    request = await asked(crm, method="POST", body=body)
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert request.json() == {
        "filters": [{"value": "+905301234567", "n": 1, "on": True, "x": 1.5}, ["05301234567!", "5301234567"]],
        "{e164}": "",
    }


async def test_headers_are_filled_and_ours_are_set(crm: HttpCrm) -> None:
    request = await asked(crm, headers={"X-Phone": "tel:{e164}", "X-Version": 2})
    assert request.headers["x-phone"] == "tel:+905301234567"
    assert request.headers["x-version"] == "2"
    assert request.headers["accept"] == "application/json"
    assert request.headers["accept-encoding"] == "identity"


async def test_a_header_of_the_operator_replaces_ours(crm: HttpCrm) -> None:
    request = await asked(crm, path="/{e164}", headers={"accept": "application/vnd.crm+json"})
    assert request.headers["accept"] == "application/vnd.crm+json"


@pytest.mark.parametrize(
    ("login", "header", "value"),
    [
        ({"bearer": "t0ken"}, "authorization", "Bearer t0ken"),
        ({"basic": {"user": "ali", "password": "şifre:1"}}, "authorization", "Basic YWxpOsWfaWZyZTox"),
        ({"header": {"name": "X-Api-Key", "value": "k3y"}}, "x-api-key", "k3y"),
    ],
)
async def test_it_logs_in(login: dict[str, Any], header: str, value: str, crm: HttpCrm) -> None:
    assert (await asked(crm, path="/{e164}", **login)).headers[header] == value


@pytest.mark.parametrize("field", HOSTILE)
async def test_a_field_cannot_steer_a_request(field: str, crm: HttpCrm) -> None:
    contact = Contact("Ayşe", {"owner": field})
    if ".." in field:
        with pytest.raises(AdapterError, match="a value would change the path of the request"):
            await asked_about(contact, crm, path="/users/{owner}/tier")
        assert crm.requests == []
    else:
        request = await asked_about(contact, crm, path="/users/{owner}/tier")
        assert request.path.startswith("/users/")
        assert request.path.endswith("/tier")
        assert request.path.count("/") == 3
        assert "?" not in request.target
    request = await asked_about(contact, crm, query={"owner": "{owner}", "x": "1"})
    assert request.path == "/c"
    assert request.query == {"owner": field.encode("utf-8", "replace").decode(), "x": "1"}
    request = await asked_about(contact, crm, method="POST", body={"owner": "{owner}", "text": "<{owner}>"})
    assert request.json() == {"owner": field, "text": f"<{field}>"}


@pytest.mark.parametrize("field", ["a\r\nX-Admin: 1", "a\nb", "a\0b"])
async def test_a_field_cannot_add_a_header(field: str, crm: HttpCrm) -> None:
    async with opened(crm.url, "enrich", headers={"X-Owner": "{owner}"}, fields={"tier": "tier"}) as adapter:
        with pytest.raises(AdapterError, match="has characters that a header must not have"):
            await adapter.enrich(Contact(fields={"owner": field}))
    assert crm.requests == []


async def test_a_field_alone_keeps_its_type_in_a_body(crm: HttpCrm) -> None:
    body = {"args": ["{id}", "{owner}", "{score}", "no. {owner}"]}
    contact = Contact("Ayşe", {"owner": 7, "score": 1.5}, id="k-1")
    assert (await asked_about(contact, crm, method="POST", body=body)).json() == {"args": ["k-1", 7, 1.5, "no. 7"]}


@pytest.mark.parametrize("fields", [{}, {"owner": None}, {"owner": ""}, {"owner": False}])
async def test_a_contact_without_the_field_is_left_as_it_is_without_asking(
    fields: dict[str, Any], crm: HttpCrm
) -> None:
    contact = Contact("Ayşe", fields)
    async with opened(f"{crm.url}/users/{{owner}}", "enrich", fields={"tier": "tier"}) as adapter:
        assert await adapter.enrich(contact) is contact
    assert crm.requests == []


async def test_enriching_adds_fields_and_replaces_none(crm: HttpCrm) -> None:
    fields = {"tier": "tier", "zone": "zone", "owner": "owner"}
    async with opened(f"{crm.url}/users/{{owner}}", "enrich", fields=fields) as adapter:
        enriched = await adapter.enrich(Contact("Ayşe", {"owner": "ali"}))
    assert enriched == Contact("Ayşe", {"owner": "ali", "tier": "gold", "zone": None})


async def test_enriching_finds_nothing_where_the_crm_knows_nothing(crm: HttpCrm) -> None:
    contact = Contact("Ayşe", {"owner": "ali"})
    crm.answer = lambda _: []
    async with opened(f"{crm.url}/users/{{owner}}", "enrich", fields={"tier": "tier"}) as adapter:
        assert await adapter.enrich(contact) == contact


@given(st.text())
def test_any_value_is_one_piece_of_a_path(value: str) -> None:
    try:
        path = filled_path("/a/{x}/b", {"q": "{x}"}, {"x": value})
    except AdapterError:
        assert ".." in value or "." in value.replace("\\", "/").split("/")
        return
    before, _, after = path.partition("?")
    assert before.startswith("/a/")
    assert before.endswith("/b")
    assert before.count("/") == 3
    assert after.startswith("q=")
    assert path.isascii()
    assert str(URL("http://crm.example" + path, encoded=True)) == "http://crm.example" + path


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_body_is_json(body: object) -> None:
    names = {"e164": "+905301234567"}
    with suppress(KeyError, ValueError):  # a made-up text that is a placeholder: the options refuse it
        assert filled_json(body, names)


async def test_a_mocked_crm_does_for_the_shape_of_one_answer(mocked: aioresponses) -> None:
    mocked.get(
        "https://crm.example.com/contacts?phone=%2B905301234567",
        payload={"items": [{"name": "Ayşe"}]},
    )
    async with opened(
        "https://crm.example.com/contacts", query={"phone": "{e164}"}, record="items", name="name"
    ) as adapter:
        assert await adapter.lookup(AYSE) == [Contact("Ayşe")]


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example.com",
        "https://crm.example.com?a=1",
        "http://127.0.0.1:8080/a%2Fb?phone=%2B90530&x=/?",
        "https://[2001:db8::1]:8443/contacts/0530",
        "HTTPS://CRM.example.com/contacts?phone=1",
    ],
)
def test_what_is_sent_is_the_url_as_it_is_written(url: str) -> None:
    sent, written = _url(url), URL(url, encoded=True)
    assert (sent.scheme, sent.raw_host, sent.port) == (written.scheme, written.raw_host, written.port)
    assert sent.raw_path_qs == written.raw_path_qs
