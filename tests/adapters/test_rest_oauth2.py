"""Access tokens: how they are asked for, where they go, and how long they are taken to live."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from adapters.rest.access import OAuth2
from adapters.rest.oauth2 import OAuth2Login
from adapters.rest.transport import Recorded
from adapters.rest.urls import split_url
from proxy.adapter import AdapterError
from proxy.testing import FakeClock, phone
from tests.adapters.oauth_crm import CLIENT, PASSWORD, SECRET, USER, OAuthCrm, name_of
from tests.adapters.rest_crm import AYSE, opened

PAIR = b"client_id=client-1&client_secret=s3cr3t-of-the-client"
PAIR_OF_JSON = b'"client_id": "client-1", "client_secret": "s3cr3t-of-the-client"'
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def crm() -> AsyncIterator[OAuthCrm]:
    crm = OAuthCrm()
    async with crm.http:
        yield crm


REQUESTS: dict[str, tuple[dict[str, Any], str, str | None, bytes]] = {
    "credentials of the client": (
        {},
        "/token",
        FORM,
        b"grant_type=client_credentials&%b" % PAIR,
    ),
    "with a scope": (
        {"parameters": {"scope": "ZohoCRM.modules.READ a+b", "audience": 7}},
        "/token",
        FORM,
        b"grant_type=client_credentials&%b&scope=ZohoCRM.modules.READ+a%%2Bb&audience=7" % PAIR,
    ),
    "a user and a password": (
        {"grant": "password", "user": USER, "password": PASSWORD},
        "/token",
        FORM,
        b"grant_type=password&%b&username=tan%%C4%%B1ma&password=s3cr3t-of-the-user" % PAIR,
    ),
    "as JSON": (
        {"format": "json", "parameters": {"scope": 'ş "'}},
        "/token",
        "application/json",
        b'{"grant_type": "client_credentials", %b, "scope": "\\u015f \\""}' % PAIR_OF_JSON,
    ),
    "by GET": (
        {"method": "GET"},
        "/token?grant_type=client_credentials&client_id=client-1&client_secret=s3cr3t-of-the-client",
        None,
        b"",
    ),
    "with basic authentication": ({"client_auth": "basic"}, "/token", FORM, b"grant_type=client_credentials"),
    "with basic authentication as JSON": (
        {"client_auth": "basic", "format": "json"},
        "/token",
        "application/json",
        b'{"grant_type": "client_credentials"}',
    ),
}


@pytest.mark.parametrize("variation", REQUESTS)
async def test_a_token_is_asked_for_byte_by_byte_as_the_options_say(variation: str, crm: OAuthCrm) -> None:
    options, target, content_type, body = REQUESTS[variation]
    async with crm.opened(crm.options(**options)) as adapter:
        (contact,) = await adapter.lookup(AYSE)
    assert contact.name == name_of(AYSE.e164)
    (request,) = crm.token_requests
    assert request.method == options.get("method", "POST")
    assert (request.target, request.body) == (target, body)
    assert request.headers.get("content-type") == content_type
    pair = f"{CLIENT}:{SECRET}".encode()
    expected = "Basic " + base64.b64encode(pair).decode() if options.get("client_auth") == "basic" else None
    assert request.headers.get("authorization") == expected
    assert crm.searches[0].headers["authorization"] == "Bearer access-1"


async def test_parameters_are_added_to_those_that_the_url_has(crm: OAuthCrm) -> None:
    options = crm.options(token_url=f"{crm.url}/token?soid=1", method="GET")
    async with crm.opened(options) as adapter:
        await adapter.lookup(AYSE)
    assert crm.token_requests[0].target.startswith("/token?soid=1&grant_type=client_credentials&client_id=client-1&")


async def test_credentials_in_basic_authentication_are_encoded_first(crm: OAuthCrm) -> None:
    options = crm.options(client_auth="basic", client_id="a:b c", client_secret="ş%+/")
    async with crm.opened(options) as adapter:
        with pytest.raises(AdapterError, match=r"refused \(401, invalid_client\)"):
            await adapter.lookup(AYSE)
    sent = base64.b64decode(crm.token_requests[0].headers["authorization"].removeprefix("Basic "))
    assert sent == b"a%3Ab%20c:%C5%9F%25%2B%2F"


@pytest.mark.parametrize(
    ("options", "header", "value"),
    [
        ({"scheme": "Zoho-oauthtoken"}, "authorization", "Zoho-oauthtoken access-1"),
        ({"scheme": ""}, "authorization", "access-1"),
        ({"header": "X-Token", "scheme": ""}, "x-token", "access-1"),
    ],
)
async def test_the_token_goes_where_the_crm_wants_it(
    options: dict[str, Any], header: str, value: str, crm: OAuthCrm
) -> None:
    async with crm.opened(crm.options(**options)) as adapter:
        await adapter.lookup(AYSE)
    headers = crm.searches[0].headers
    assert headers[header] == value
    assert header == "authorization" or "authorization" not in headers


@pytest.mark.parametrize(
    "options",
    [
        {"query": {"phone": "{e164}", "key": "{access_token}"}},
        {"query": {"phone": "{e164}"}, "method": "POST", "body": {"key": "{access_token}"}},
    ],
)
async def test_a_token_that_stands_in_a_template_is_sent_only_there(options: dict[str, Any], crm: OAuthCrm) -> None:
    async with crm.opened({**crm.options(), **options}) as adapter:
        assert len(await adapter.lookup(AYSE)) == 1
        crm.revoke()
        assert len(await adapter.lookup(AYSE)) == 1
    assert all("authorization" not in request.headers for request in crm.searches)
    last = crm.searches[-1]
    assert (last.query | (json.loads(last.body) if last.body else {}))["key"] == "access-2"


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (2, 2),
        ("120", 120),
        (1.5, 1.5),
        (None, 77),
        (0, 77),
        (-5, 77),
        ("soon", 77),
        ("nan", 77),
        ("1e999", 77),
        (10**400, 77),
        ({}, 77),
        (True, 77),
        (False, 77),
    ],
)
async def test_a_token_lives_as_long_as_is_told_or_as_the_options_say(
    told: object, seconds: float, crm: OAuthCrm
) -> None:
    crm.expires_in = told
    clock = FakeClock()
    async with crm.opened(crm.options(lifetime=77), clock) as adapter:
        await adapter.lookup(AYSE)
        clock.advance(seconds * 0.79)
        await adapter.lookup(AYSE)
        assert crm.given == 1
        clock.advance(seconds * 0.22)
        await adapter.lookup(AYSE)
    assert crm.given == 2
    assert crm.refused == 0


async def test_a_thousand_first_lookups_ask_for_one_token(crm: OAuthCrm) -> None:
    numbers = [phone(f"0532 556 {n // 100:02} {n % 100:02}") for n in range(1000)]
    async with crm.opened(crm.options()) as adapter:
        contacts = await asyncio.gather(*map(adapter.lookup, numbers))
    assert [found[0].name for found in contacts] == [name_of(number.e164) for number in numbers]
    assert (crm.given, len(crm.searches)) == (1, 1000)


async def with_base_url(crm: OAuthCrm, base_url: object, *hosts: str, **oauth2: Any) -> list[Any]:
    crm.more = {"api_domain": base_url}
    options = crm.options(base_url="api_domain", base_url_hosts=list(hosts), **oauth2)
    async with opened("/contacts", **options) as adapter:
        return await adapter.lookup(AYSE)


@pytest.mark.parametrize("path", ["", "/", "/crm/v8?x=1"])
async def test_the_answer_with_the_token_says_where_the_api_is(path: str, crm: OAuthCrm) -> None:
    assert len(await with_base_url(crm, crm.url + path, "127.0.0.1")) == 1
    assert crm.searches[0].path == "/contacts"


@pytest.mark.parametrize(
    ("base_url", "message"),
    [
        ("https://evil.example.com", "names a host that is not among base_url_hosts"),
        ("https://127.0.0.1.example.com", "names a host that is not among base_url_hosts"),
        ("https://example.com/127.0.0.1", "names a host that is not among base_url_hosts"),
        ("https://127.0.0.1@example.com/", "has no URL where base_url says"),
        ("https://example.com\\@127.0.0.1/", "has no URL where base_url says"),
        ("ftp://127.0.0.1", "has no URL where base_url says"),
        ("//127.0.0.1", "has no URL where base_url says"),
        ("https://127.0.0.1/#x", "has no URL where base_url says"),
        ("https://127.0.0.1:x/", "has no URL where base_url says"),
        ("https://a b", "has no URL where base_url says"),
        ("", "has no URL where base_url says"),
        (None, "has no URL where base_url says"),
        (["https://127.0.0.1"], "has no URL where base_url says"),
        ("https://127.0.0.1/" + "x" * 500, "has no URL where base_url says"),
        ("https://127.0.0.1/{'a' | b}", "has no URL where base_url says"),
    ],
)
async def test_a_base_url_that_is_none_or_elsewhere_is_refused(base_url: object, message: str, crm: OAuthCrm) -> None:
    with pytest.raises(AdapterError) as caught:
        await with_base_url(crm, base_url, "127.0.0.1")
    assert message in str(caught.value)
    assert "example" not in str(caught.value)
    assert crm.searches == []


async def test_a_long_base_url_holds_up_nobody(crm: OAuthCrm) -> None:
    started = time.process_time()
    with pytest.raises(AdapterError, match="has no URL where base_url says"):
        await with_base_url(crm, "https://x/{" + "|" * 14_000, "127.0.0.1")
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("piece", ["|", "{|", "{", "|}", "{a|b", "+/", "{/"])
def test_the_time_to_read_a_url_grows_with_its_length_alone(piece: str) -> None:
    started = time.process_time()
    with suppress(ValueError):
        split_url("https://crm.example.com/{" + piece * 20_000)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "path", ["/{number | mask('##/##')}?a=1", "/{a + '#' | url}/{b}", "/{a | mask('(###) #')}/{b + '?#'}"]
)
def test_what_stands_in_a_placeholder_is_no_part_of_a_url(path: str) -> None:
    assert split_url(f"https://crm.example.com{path}") == ("https://crm.example.com", path)


@pytest.mark.parametrize("path", ["/{a/#|b}", "/{a#}", "/#{a|b}"])
def test_what_stands_in_other_braces_is(path: str) -> None:
    with pytest.raises(ValueError, match="has a user or a fragment"):
        split_url(f"https://crm.example.com{path}")


@pytest.mark.parametrize("how", [{}, {"method": "GET"}, {"format": "json"}, {"client_auth": "basic"}])
def test_half_characters_in_a_refresh_token_are_sent_as_something_else(how: dict[str, str], tmp_path: Path) -> None:
    table = OAuthCrm().rotating_options(tmp_path / "crm.token", token_url="http://127.0.0.1/", **how)["oauth2"]
    request = OAuth2Login(OAuth2.model_validate(table), Recorded([])).request("a\ud800b")
    sent = request.body.decode() if request.body else request.url
    assert "a%3Fb" in sent or "a\\ud800b" in sent


async def origin_given(token_url: str, base_url: str) -> str | None:
    table = OAuthCrm().options(token_url=token_url, base_url="api_domain", base_url_hosts=["*.example.com"])["oauth2"]
    said = json.dumps({"access_token": "t", "api_domain": base_url}).encode()
    return (await OAuth2Login(OAuth2.model_validate(table), Recorded([said])).obtain(None)).origin


@pytest.mark.parametrize("token_url", ["https://accounts.example.com/token", "HTTPS://accounts.example.com/token"])
async def test_a_token_that_came_by_tls_is_not_sent_without(token_url: str) -> None:
    with pytest.raises(AdapterError, match="not among base_url_hosts"):
        await origin_given(token_url, "http://www.example.com")
    assert await origin_given(token_url, "www.example.com") == "https://www.example.com"


async def test_a_token_that_came_without_tls_may_be_sent_without() -> None:
    url = "http://accounts.example.com/token"
    assert await origin_given(url, "http://www.example.com") == "http://www.example.com"


def test_parameters_with_placeholders_are_refused_as_nobody_would_fill_them() -> None:
    table = OAuthCrm().options(parameters={"scope": "{scope}"})["oauth2"]
    with pytest.raises(ValueError, match=r"has the placeholder \{scope\} - allowed: texts without"):
        OAuth2.model_validate(table)


def test_a_file_in_no_folder_is_refused(tmp_path: Path) -> None:
    for file in (tmp_path, tmp_path / "nowhere" / "crm.token"):
        with pytest.raises(ValueError, match="cannot be written - allowed: a file in a folder that can be written to"):
            OAuth2.model_validate(OAuthCrm().options(token_file=str(file))["oauth2"])
