"""What callers and records try to say to a CRM is a value in a request, and nothing else of it."""

import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from adapters.rest import RestConfig
from proxy.adapter import AdapterError, Contact
from tests.adapters.raw_crm import (
    RawCrm,
    in_backslashed_quotes,
    in_doubled_quotes,
    percent,
    raw_crm,
    without_backslashes,
)
from tests.adapters.rest_crm import opened

FIELDS = (
    "' or 1=1 --",
    '"}, {"$where": "1',
    "back\\slash\\' or 1=1",
    "100%_*?",
    "line\r\nX-Evil: 1\r\n\r\nGET /admin HTTP/1.1",
    "nul\x00byte",
    "a/../../admin",
    "&limit=9999&a=b#c;d",
    "İş Ağı 😀 ’",
    "{e164}",
    "{'x' | url}}} {{",
    "%27%20or%20%2e%2e%2f",
    "a') or contains(name,'",
    "..",
    "x" * 10_000,
)
SOSL = "?&|!{}[]()^~*:\\\"'+-"

Read = Callable[[RawCrm], str]


def regex_of(crm: RawCrm) -> str:
    pattern: str = json.loads(crm.body)["name"]["$regex"]
    return without_backslashes(pattern.removeprefix("^").removesuffix("$"), "\\.^$*+?()[]{}|")


def like_of(crm: RawCrm) -> str:
    text = in_backslashed_quotes(crm.parameter("q").removeprefix("SELECT Id FROM User WHERE Name LIKE "))
    assert text.startswith("%")
    assert text.endswith("%")
    return without_backslashes(text[1:-1], "\\%_")


def header_of(crm: RawCrm) -> str:
    (line,) = [line for line in crm.lines if line.startswith(b"X-Owner: ")]
    return line.removeprefix(b"X-Owner: ").decode()


TEMPLATES: dict[str, tuple[dict[str, Any], Read]] = {
    "URL's query": ({"path": "/c?a=1&q={owner}&z=2"}, lambda crm: crm.parameter("q")),
    "query": ({"query": {"a": 1, "q": "{owner}"}}, lambda crm: crm.parameter("q")),
    "JSON in query": (
        {"query": {"filter": {"name": "{owner}", "n": 1}}},
        lambda crm: exactly(json.loads(crm.parameter("filter")), "n"),
    ),
    "text of JSON in query": (
        {"query": {"filter": '{"name":"{owner | json}","n":1}'}},
        lambda crm: exactly(json.loads(crm.parameter("filter")), "n"),
    ),
    "JSON body": (
        {"method": "POST", "body": {"name": "{owner}", "n": 1}},
        lambda crm: exactly(json.loads(crm.body), "n"),
    ),
    "text within a JSON body": (
        {"method": "POST", "body": {"query": '{"name": "{owner | json}"}'}},
        lambda crm: exactly(json.loads(json.loads(crm.body)["query"])),
    ),
    "form": ({"method": "POST", "form": {"a": 1, "name": "{owner}"}}, lambda crm: crm.field("name")),
    "JSON in form": (
        {"method": "POST", "form": {"filter": {"name": "{owner}"}}},
        lambda crm: exactly(json.loads(crm.field("filter"))),
    ),
    "header": ({"headers": {"X-Owner": "{owner}"}}, header_of),
    "OData": (
        {"query": {"$filter": "name eq '{owner | odata}'"}},
        lambda crm: in_doubled_quotes(crm.parameter("$filter").removeprefix("name eq ")),
    ),
    "OData in the URL": (
        {"path": "/users?$filter=name eq '{owner | odata}'"},
        lambda crm: in_doubled_quotes(crm.parameter("$filter").removeprefix("name eq ")),
    ),
    "SOQL": (
        {"query": {"q": "SELECT Id FROM User WHERE Name = '{owner | soql}'"}},
        lambda crm: in_backslashed_quotes(crm.parameter("q").removeprefix("SELECT Id FROM User WHERE Name = ")),
    ),
    "SOSL": (
        {"query": {"q": "FIND {{owner | sosl}} IN NAME FIELDS"}},
        lambda crm: without_backslashes(
            crm.parameter("q").removeprefix("FIND {").removesuffix("} IN NAME FIELDS"), SOSL
        ),
    ),
    "LIKE": ({"query": {"q": "SELECT Id FROM User WHERE Name LIKE '%{owner | like | soql}%'"}}, like_of),
    "regex": ({"method": "POST", "body": {"name": {"$regex": "^{owner | regex}$"}}}, regex_of),
    "SQL-like text within JSON": (
        {"query": {"f": '{"where": "name = \'{owner | odata | json}\'"}'}},
        lambda crm: in_doubled_quotes(json.loads(crm.parameter("f"))["where"].removeprefix("name = ")),
    ),
}
"""How each kind of template is written, and how a CRM reads it"""


def exactly(said: Any, *others: str) -> str:
    """Return the name in a table that has nothing else in it than it should have."""
    assert set(said) == {"name", *others}
    name: str = said["name"]
    return name


@pytest.fixture
async def crm() -> AsyncIterator[RawCrm]:
    async with raw_crm() as crm:
        yield crm


async def about(field: str, crm: RawCrm, **options: Any) -> None:
    """Ask about a contact whose owner is `field`."""
    url = crm.url + options.pop("path", "/users")
    async with opened(url, "enrich", fields={"tier": "tier"}, **options) as adapter:
        assert (await adapter.enrich(Contact("Ayşe", {"owner": field}))).value("tier") == "gold"


# ---------------------------------------------------------------------------------------- fields


@pytest.mark.parametrize("kind", TEMPLATES)
@pytest.mark.parametrize("field", FIELDS, ids=lambda field: ascii(field[:20]))
async def test_a_hostile_field_is_read_by_the_crm_as_the_value_that_it_is(kind: str, field: str, crm: RawCrm) -> None:
    options, read = TEMPLATES[kind]
    if kind == "header" and not field.isprintable():
        with pytest.raises(AdapterError, match="characters that a header must not have"):
            await about(field, crm, **options)
        assert crm.received == []
        return
    await about(field, crm, **options)
    assert read(crm) == field
    assert len(crm.received) == 1, "one value, one request"
    assert not any(line.lower().startswith(b"x-evil") for line in crm.lines)
    assert crm.target.isascii()


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: ascii(field[:20]))
async def test_a_hostile_field_is_one_part_of_a_path_or_is_not_sent(field: str, crm: RawCrm) -> None:
    if ".." in re.split(r"[/\\]", field):
        with pytest.raises(AdapterError, match="a value would change the path of the request"):
            await about(field, crm, path="/users/{owner}/tier")
        assert crm.received == []
    else:
        await about(field, crm, path="/users/{owner}/tier")
        assert crm.target == f"/users/{percent(field)}/tier"


BYTES = {
    "' or 1=1 --": (
        "/u/%27%20or%201%3D1%20--?$filter=name%20eq%20'%27%27%20or%201%3D1%20--'",
        b'{"soql": "x = \'\\\\\' or 1=1 --\'", "json": "\' or 1=1 --"}',
    ),
    'a"b\\': (
        "/u/a%22b%5C?$filter=name%20eq%20'a%22b%5C'",
        b'{"soql": "x = \'a\\\\\\"b\\\\\\\\\'", "json": "a\\"b\\\\"}',
    ),
    "%_": ("/u/%25_?$filter=name%20eq%20'%25_'", b'{"soql": "x = \'%_\'", "json": "%_"}'),
    "a\r\nb": (
        "/u/a%0D%0Ab?$filter=name%20eq%20'a%0D%0Ab'",
        b'{"soql": "x = \'a\\\\r\\\\nb\'", "json": "a\\r\\nb"}',
    ),
    "\x00": ("/u/%00?$filter=name%20eq%20'%00'", b'{"soql": "x = \'\\u0000\'", "json": "\\u0000"}'),
    "&a=b": ("/u/%26a%3Db?$filter=name%20eq%20'%26a%3Db'", b'{"soql": "x = \'&a=b\'", "json": "&a=b"}'),
    "#+;": ("/u/%23%2B%3B?$filter=name%20eq%20'%23%2B%3B'", b'{"soql": "x = \'#+;\'", "json": "#+;"}'),
    "ğ": ("/u/%C4%9F?$filter=name%20eq%20'%C4%9F'", b'{"soql": "x = \'\\u011f\'", "json": "\\u011f"}'),
    "{e164}": ("/u/%7Be164%7D?$filter=name%20eq%20'%7Be164%7D'", b'{"soql": "x = \'{e164}\'", "json": "{e164}"}'),
    "}}": ("/u/%7D%7D?$filter=name%20eq%20'%7D%7D'", b'{"soql": "x = \'}}\'", "json": "}}"}'),
}


@pytest.mark.parametrize("field", BYTES, ids=ascii)
async def test_these_are_the_bytes(field: str, crm: RawCrm) -> None:
    path = "/u/{owner}?$filter=name eq '{owner | odata}'"
    await about(field, crm, path=path, method="POST", body={"soql": "x = '{owner | soql}'", "json": "{owner}"})
    assert (crm.target, crm.body) == BYTES[field]


UNSAFE = [
    "'{owner}'",
    "'{owner | like}'",
    "'{owner | regex}'",
    "'{owner | last(5)}'",
    "'%{owner}%'",
    '"{owner}"',
    "a = 'x' and b = '{owner}'",
    "'{'x' + owner}'",
    "{'\"' + owner + '\"'}",
    "'{owner | json}'",  # leaves the single quote as it is
    '"{owner | odata}"',  # leaves the double one
    "'{owner | odata | last(5)}'",  # may cut a pair of quotes in two
    "'{owner | soql | like}'",  # doubles the backslash that has taken the quote's meaning
    "'{owner | soql | regex}'",
    "\"name = '{owner | odata}'\"",
    "\"name = '{owner | json}'\"",
    "\"it's {owner | odata}",
    '"a \\"{owner | json}\\""',
]
PARTS = ("query", "body", "form", "headers", "url")


@pytest.mark.parametrize(
    ("part", "text"), [(part, text) for part in PARTS for text in UNSAFE if part != "url" or "\\" not in text]
)
def test_a_field_between_quotes_that_it_could_end_is_refused(part: str, text: str) -> None:
    options: dict[str, Any] = {"url": "https://crm.example.com/{e164}", "name": "name", "fields": {"owner": "owner"}}
    step: dict[str, Any] = {"step": "owner", "url": "/users", "fields": {"agent": "login"}}
    step |= {"url": f"/u?q={text}"} if part == "url" else {part: {"q": text}}
    step |= {"method": "POST"} if part in {"body", "form"} else {}
    with pytest.raises(ValueError, match=rf"{part} has \{{owner\}} between quotes") as caught:
        RestConfig.model_validate({**options, "steps": [step]}, context={"role": "find"})
    assert "- allowed: as the last filter odata between ', json between \", or soql, sosl, url" in str(caught.value)
    alone = {"fields": {"agent": "login"}, **{key: step[key] for key in step if key not in {"step", "fields"}}}
    with pytest.raises(ValueError, match=rf"{part} has \{{owner\}} between quotes"):
        RestConfig.model_validate({**alone, "url": f"https://crm.example.com{step['url']}"}, context={"role": "enrich"})


@pytest.mark.parametrize(
    "text",
    [
        "'{owner | odata}'",
        "'{owner | like | soql}'",
        "'{owner | last(5) | odata}'",
        '"{owner | json}"',
        '"{owner | soql}"',
        "\"name = '{owner | odata | json}'\"",
        "\"name = '{owner | soql | json}'\"",
        '"a \\"{owner | json | json}\\""',
        "'{owner | url}'",
        "'x' = {owner} or 'y'",
        '"it\'s" {owner}',
        "'{e164}' and '{spaced}'",
    ],
)
def test_a_field_that_cannot_end_the_quotes_is_taken(text: str) -> None:
    step = {"step": "owner", "url": "/users", "query": {"q": text}, "fields": {"agent": "login"}}
    options = {"url": "https://crm.example.com/{e164}", "name": "name", "fields": {"owner": "owner"}, "steps": [step]}
    RestConfig.model_validate(options, context={"role": "find"})
