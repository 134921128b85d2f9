"""What would be sent is shown without its secrets, and nothing is sent."""

import base64
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from adapters.rest import RestAdapter, RestConfig
from proxy.cli.rehearse import rehearse
from proxy.config import load
from proxy.testing import HttpCrm
from tests.adapters.rest_crm import AYSE

SECRET = "geh/eim+ğ 9988"
ENCODED = (
    SECRET,
    quote(SECRET, safe=""),
    quote(SECRET),
    quote_plus(SECRET),
    json.dumps(SECRET)[1:-1],
    base64.b64encode(SECRET.encode()).decode(),
    base64.b64encode(f"ali:{SECRET}".encode()).decode(),
    hashlib.md5(SECRET.encode()).hexdigest(),  # noqa: S324 - as CRMs want it
    SECRET[::-1],
    "geh",
    "9988",
)


@pytest.fixture
async def crm() -> AsyncIterator[HttpCrm]:
    async with HttpCrm(lambda _: []) as server:
        yield server
        assert server.requests == [], "nothing is sent"


async def shown(crm: HttpCrm, path: str = "/c/{e164}", role: str = "find", **options: Any) -> list[str]:
    """Return what would be sent, and see that no secret is in it."""
    given = {"fields": {"tier": "tier"}, **({"name": "name"} if role == "find" else {}), **options}
    config = RestConfig.model_validate({"url": f"{crm.url}{path}", **given}, context={"role": role})
    told = RestAdapter(config).rehearse(AYSE)
    texts = [f"{each.what}\n{each.request}".replace(crm.url, "") for each in told]
    for encoded in ENCODED:
        assert encoded not in "\n".join(texts)
    return texts


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_the_request_is_shown_as_it_would_be_sent(crm: HttpCrm) -> None:
    assert await shown(
        crm,
        "/c?a=1",
        method="POST",
        query={"f": {"phone": "{e164}"}, "n": 5},
        headers={"X-Version": 2},
        body={"where": [{"phone": "{digits}"}], "limit": 5, "on": True},
    ) == [
        (
            "search\nPOST /c?a=1&f=%7B%22phone%22%3A%22%2B905301234567%22%7D&n=5\nX-Version: 2\n"
            'Content-Type: application/json\n\n{"where": [{"phone": "905301234567"}], "limit": 5, "on": true}'
        )
    ]
    assert await shown(crm, method="POST", form={"p": "{spaced}"}) == [
        "search\nPOST /c/%2B905301234567\nContent-Type: application/x-www-form-urlencoded\n\np=0530%20123%2045%2067"
    ]


async def test_each_request_of_a_search_and_what_follows_is_shown(crm: HttpCrm) -> None:
    step = {"step": "owner", "url": "/o/{owner}?by={e164}", "when": "owner", "fields": {"agent": "x"}}
    kept = {"of": "agent", "url": "/phones", "key": "a", "value": "b", "refresh": 60}
    told = await shown(
        crm,
        "/{module}/{number}",
        each={"module": ["a", "b"]},
        spellings=["{e164}", "{subscriber | mask('### #######')}"],
        fields={"owner": "owner"},
        steps=[step],
        maps={"extension": kept},
    )
    assert told == [
        "search 1 of at most 4\nGET /a/%2B905301234567",
        "search 2 of at most 4\nGET /a/530%201234567",
        "search 3 of at most 4\nGET /b/%2B905301234567",
        "search 4 of at most 4\nGET /b/530%201234567",
        "step owner, when owner\nGET /o/<owner>?by=%2B905301234567",
        "map extension, read ahead every 60 s\nGET /phones",
    ]


async def test_an_enriching_source_is_shown_with_names_for_what_is_not_known(crm: HttpCrm) -> None:
    told = await shown(crm, "/o/{owner | url}?q='{name | odata}'", "enrich", headers={"X": "{id}"})
    assert told == ["search\nGET /o/<owner>?q='<name>'\nX: <id>"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"bearer": SECRET}, "authorization: Bearer ***"),
        ({"basic": {"user": "ali", "password": SECRET}}, "authorization: Basic ***"),
        ({"header": {"name": "X-Api-Key", "value": SECRET}}, "x-api-key: ***"),
        ({"header": {"name": "Authorization", "value": f"Token token={SECRET}"}}, "authorization: Token ***"),
        ({"header": {"name": "Authorization", "value": f"Zoho {SECRET}"}}, "authorization: ***"),
        ({"headers": {"X-Api-Key": SECRET}}, "X-Api-Key: ***"),
        ({"headers": {"Cookie": f"sid={SECRET}"}}, "Cookie: ***"),
        ({"headers": {"Authorization": f"Bearer {SECRET}"}}, "Authorization: Bearer ***"),
        ({"headers": {"X": "{k}"}, "secrets": {"k": SECRET}}, "X: ***"),
        ({"headers": {"X": "Token {'ali:' + k | base64}"}, "secrets": {"k": SECRET}}, "X: Token ali:***"),
        ({"headers": {"X-Auth": "Session {k}"}, "secrets": {"k": SECRET}}, "X-Auth: Session ***"),
        ({"headers": {"X-Auth": f"{SECRET}{{e164}}"}}, "X-Auth: ***+905301234567"),
        ({"headers": {"Authorization": f"Basic {{'ali:{SECRET}' | base64}}"}}, "Authorization: Basic ***"),
        ({"query": {"api_key": SECRET}}, "GET /c/%2B905301234567?api_key=***"),
        ({"query": {"api_token": 9988}}, "GET /c/%2B905301234567?api_token=***"),
        ({"query": {"q": "{k | md5}"}, "secrets": {"k": SECRET}}, "GET /c/%2B905301234567?q=***"),
        ({"query": {"q": "{k | last(4)}"}, "secrets": {"k": SECRET}}, "GET /c/%2B905301234567?q=***"),
        ({"query": {"f": {"auth": {"v": SECRET}}}}, "?f=%7B%22auth%22%3A%7B%22v%22%3A%22%2A%2A%2A%22%7D%7D"),
        ({"path": f"/c?key={quote(SECRET)}&p={{e164}}"}, "GET /c?key=***&p=%2B905301234567"),
        ({"path": "/c/{k}/{e164}", "secrets": {"k": SECRET}}, "GET /c/***/%2B905301234567"),
        ({"path": "/rest/1/s8zhgxr2dq1234jx/c?p={e164}"}, "GET /rest/1/***/c?p=%2B905301234567"),
        (
            {"method": "POST", "body": {"apiKey": SECRET, "pin_password": 1234}},
            '{"apiKey": "***", "pin_password": "***"}',
        ),
        ({"method": "POST", "body": {"a": [{"x": "{k}"}]}, "secrets": {"k": SECRET}}, '{"a": [{"x": "***"}]}'),
        ({"method": "POST", "body": {"session": [SECRET, True]}}, '{"session": ["***", true]}'),
        ({"method": "POST", "form": {"token": SECRET, "a": "b"}}, "token=***&a=b"),
        ({"method": "POST", "form": {"p": "{'x' + k}"}, "secrets": {"k": SECRET}}, "p="),
    ],
)
async def test_a_secret_is_masked_wherever_it_stands(crm: HttpCrm, options: dict[str, Any], line: str) -> None:
    (told,) = await shown(crm, **options)
    assert line in told
    assert "***" in told or "%2A%2A%2A" in told


@pytest.mark.parametrize(
    ("options", "request_lines"),
    [
        (
            {"grant": "client_credentials", "client_secret": SECRET, "parameters": {"scope": "all", "token": SECRET}},
            (
                "POST /token\nContent-Type: application/x-www-form-urlencoded\n\n"
                "grant_type=client_credentials&client_id=us&client_secret=***&scope=all&token=***"
            ),
        ),
        (
            {"grant": "client_credentials", "client_secret": SECRET, "client_auth": "basic"},
            (
                "POST /token\nAuthorization: Basic ***\nContent-Type: application/x-www-form-urlencoded\n\n"
                "grant_type=client_credentials"
            ),
        ),
        (
            {"grant": "password", "user": "ali", "password": SECRET, "format": "json"},
            (
                'POST /token\nContent-Type: application/json\n\n{"grant_type": "password", "client_id": "us", '
                '"username": "ali", "password": "***"}'
            ),
        ),
        (
            {"grant": "refresh_token", "refresh_token": SECRET, "token_file": "kept", "method": "GET"},
            "GET /token?grant_type=refresh_token&client_id=us&refresh_token=***",
        ),
    ],
)
async def test_a_log_in_for_a_token_is_shown_as_it_would_be_sent(
    crm: HttpCrm, tmp_path: Path, options: dict[str, Any], request_lines: str
) -> None:
    if "token_file" in options:
        options = {**options, "token_file": str(tmp_path / "kept")}
    oauth2 = {"token_url": f"{crm.url}/token", "client_id": "us", **options}
    login, search = await shown(crm, oauth2=oauth2)
    assert login == f"log-in, when there is no token\n{request_lines}"
    assert search == "search\nGET /c/%2B905301234567\nauthorization: Bearer ***"
    _, search = await shown(crm, oauth2=oauth2, query={"oauth": "{access_token}"})
    assert search == "search\nGET /c/%2B905301234567?oauth=***"
    assert files_in(tmp_path) == []


async def test_a_log_in_of_the_crms_own_is_shown_with_names_for_what_it_gives(crm: HttpCrm) -> None:
    first = {"url": "/login?user=us&password={pw}", "values": {"challenge": "c"}}
    second = {"method": "POST", "url": "/in", "form": {"k": "{challenge + pw | md5}"}, "values": {"session": "s"}}
    told = await shown(
        crm,
        secrets={"pw": SECRET},
        login={"requests": [first, second]},
        headers={"X-Session": "{session}"},
    )
    assert told == [
        "log-in, when there is none\nGET /login?user=us&password=***",
        "log-in, when there is none\nPOST /in\nContent-Type: application/x-www-form-urlencoded\n\nk=<challenge>***",
        "search\nGET /c/%2B905301234567\nX-Session: <session>",
    ]


@pytest.mark.parametrize(
    "options",
    [
        'query = { q = "${CRM_X}" }',
        'query = { f = { q = "${CRM_X}" } }',
        'method = "POST"\nbody = { q = ["${CRM_X}"] }',
        'method = "POST"\nform = { q = "a ${CRM_X}" }',
        'headers = { X = "${CRM_Y}" }',
        "headers = { X = \"{'${CRM_Y}' | base64}\" }",
        "headers = { X = \"{'ali:${CRM_Y}' | base64}\" }",
        "headers = { X = \"{'${CRM_Y}' | md5}\" }",
        'secrets = { k = "${CRM_X}" }\nquery = { q = "{k}" }',
        'basic = { user = "${CRM_Y}", password = "${CRM_X}" }',
    ],
)
def test_what_came_from_the_environment_is_in_no_line_in_any_encoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    of_headers = "geh-eim/1234+5"
    monkeypatch.setenv("CRM_X", SECRET)
    monkeypatch.setenv("CRM_Y", of_headers)
    file = tmp_path / "config.toml"
    head = '[switch]\ndefault = "queue/200"\n[[sources]]\nname = "crm"\nadapter = "rest"\n[sources.options]\n'
    file.write_text(f'{head}url = "http://127.0.0.1:1/{{e164}}"\nname = "name"\n{options}\n', encoding="utf-8")
    told = rehearse(load(file), "05301234567")
    assert "***" in told
    coded = base64.b64encode(of_headers.encode()).decode()
    hashed = hashlib.md5(of_headers.encode()).hexdigest()  # noqa: S324 - as CRMs want it
    for encoded in (*ENCODED, of_headers, quote(of_headers, safe=""), coded, coded[4:12], hashed):
        assert encoded not in told


async def test_an_address_that_comes_with_the_token_has_a_name(tmp_path: Path) -> None:
    oauth2 = {"grant": "refresh_token", "token_url": "https://x.example/t", "client_id": "us", "refresh_token": "r"}
    oauth2 |= {"token_file": str(tmp_path / "kept"), "base_url": "api", "base_url_hosts": ["*.crm.example"]}  # type: ignore[dict-item]
    options = {"url": "/crm/{e164}", "name": "name", "oauth2": oauth2}
    config = RestConfig.model_validate(options, context={"role": "find"})
    _, search = RestAdapter(config).rehearse(AYSE)
    assert search.request.startswith("GET https://<base_url>/crm/%2B905301234567\n")
