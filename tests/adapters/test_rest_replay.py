"""Answers that were recorded are read as if they had just come, and nobody is asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from adapters.rest import RestAdapter, RestConfig
from proxy.adapter import AdapterError, Contact
from proxy.cli import main
from tests.adapters.rest_crm import AYSE
from tests.adapters.stepping_crm import CONTACT, EXTENSION, MAP, OWNER, SEARCH

BODY = json.dumps([CONTACT]).encode()
NOBODY = {"url": "http://127.0.0.1:1/search", **SEARCH}
"""Options with an address at which nobody listens"""
CREDENTIALS = {"grant": "client_credentials", "client_id": "a", "client_secret": "b"}
FOUND = Contact("Ayşe", {"owner_id": 3}, ("0530 123 45 67",), "7")


def replaying(*recordings: bytes, **options: Any) -> RestAdapter:
    config = RestConfig.model_validate({**NOBODY, **options}, context={"role": "find"})
    return RestAdapter(config).replaying(recordings)


async def looked_up(*recordings: bytes, **options: Any) -> list[Contact]:
    adapter = replaying(*recordings, **options)
    await adapter.open()
    try:
        return await adapter.lookup(AYSE)
    finally:
        await adapter.close()


async def completed(*recordings: bytes, **options: Any) -> Contact:
    adapter = replaying(*recordings, **options)
    (contact,) = await adapter.lookup(AYSE)
    async for version in adapter.complete(contact, AYSE):
        contact = version
    return contact


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX: \xfc\r\n\r\n"
BEFORE = {
    "100-continue": b"HTTP/1.1 100 Continue\r\n\r\n",
    "a proxy": b"HTTP/1.1 200 Connection established\r\n\r\n",
    "a proxy with headers": b"HTTP/1.0 200 OK\r\nProxy-Agent: x\r\nVia: 1.1 x\r\n\r\n",
    "a redirect that was followed": b"HTTP/2 302 \r\nlocation: /b\r\ncontent-length: 0\r\n\r\n",
    "both": b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("line_break", [b"\r\n", b"\n"], ids=["CRLF", "LF"])
async def test_of_what_curl_prints_the_last_answer_counts(before: str, line_break: bytes) -> None:
    recording = (BEFORE[before] + OK).replace(b"\r\n", line_break) + BODY
    assert await looked_up(recording) == [FOUND]
    failed = recording.replace(OK.replace(b"\r\n", line_break)[:15], b"HTTP/1.1 500 OK")
    with pytest.raises(AdapterError, match=r"trouble of its own \(500\)"):
        await looked_up(failed)


@pytest.mark.parametrize(
    "recording", [BODY, b"\xef\xbb\xbf" + BODY, b"\r\n" + BODY + b"\n", b"HTTP/2 200 \r\nx: y\r\n\r\n" + BODY]
)
async def test_a_body_alone_is_an_answer_with_success(recording: bytes) -> None:
    assert await looked_up(recording) == [FOUND]


@pytest.mark.parametrize(
    ("recording", "message"),
    [
        (b"<html>", "not JSON"),
        (b"\xff\xfe[\x00", "not JSON"),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", r"refuses our credentials \(401\)"),
        (b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", r"redirects, which is not followed \(302\)"),
        (b"HTTP/1.1 404 Not Found\n\n{}", r"does not accept the request \(404\)"),
        (b"HTTP/1.1 429 Too Many\r\nRetry-After: 5\r\n\r\n", r"asks for fewer requests \(429\)"),
    ],
)
async def test_a_recorded_failure_is_one(recording: bytes, message: str) -> None:
    with pytest.raises(AdapterError, match=message):
        await looked_up(recording)


@pytest.mark.parametrize(
    "recording", [b"", b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 200 OK\n\n[]", b"[]", b"null"]
)
async def test_a_recording_may_say_that_the_number_is_unknown(recording: bytes) -> None:
    assert await looked_up(recording) == []


@pytest.mark.parametrize(
    "recording", [b"HTTP/", b"HTTP/1.1\r\n\r\n{}", b"HTTP/1.1 OK 200\r\n\r\n{}", b"HTTP/1.1 2xx\n\n"]
)
def test_what_begins_like_http_and_is_none_is_refused(recording: bytes) -> None:
    with pytest.raises(ValueError, match="begins like an answer of HTTP, and is none - allowed: as curl -i prints it"):
        replaying(recording)


async def test_recordings_answer_the_requests_in_their_order() -> None:
    owner, extension, phones = b'{"login": "veli"}', b'{"number": 1003}', b'{"list": [{"agent": "veli", "number": 5}]}'
    options = {"steps": [OWNER, EXTENSION], "maps": {"phone": MAP}}
    contact = await completed(BODY, owner, extension, phones, **options)
    assert dict(contact.fields) == {"owner_id": 3, "login": "veli", "extension": 1003, "phone": 5}


async def test_a_step_without_a_recording_says_what_is_missing() -> None:
    with pytest.raises(AdapterError, match="owner: a further request would be sent, and only 1 answers are recorded"):
        await completed(BODY, steps=[OWNER])


async def test_searches_that_were_not_recorded_have_found_nothing() -> None:
    each = {"query": {"q": "{number}"}}
    assert await looked_up(b"[]", BODY, **each) == [FOUND]
    assert await looked_up(b"[]", b"[]", **each) == []
    assert await looked_up(b"[]", **each) == []


async def test_recordings_are_not_mixed_up_where_requests_would_be_sent_at_once() -> None:
    contact = await completed(BODY, b'{"login": "veli"}', query={"q": "{number}"}, at_once=5, steps=[OWNER])
    assert contact.value("login") == "veli"


@pytest.mark.parametrize(
    "options",
    [
        {"secrets": {"k": "x"}, "headers": {"X": "{k}"}},
        {
            "login": {"requests": [{"url": "/in", "values": {"session": "s"}}]},
            "headers": {"X": "{'a' + session | base64}"},
        },
        {
            "oauth2": {
                "grant": "client_credentials",
                "token_url": "http://127.0.0.1:1/",
                "client_id": "a",
                "client_secret": "b",
            },
            "query": {"phone": "{e164}", "token": "{access_token}"},
        },
        {"bearer": "x", "rate": {"requests": 1, "seconds": 100}},
    ],
)
async def test_nobody_logs_in(options: dict[str, Any]) -> None:
    contact = await completed(BODY, b'{"login": "veli"}', steps=[OWNER], **options)
    assert contact.value("login") == "veli"


async def test_the_adapter_itself_stays_as_it_was() -> None:
    adapter = RestAdapter(RestConfig.model_validate(NOBODY, context={"role": "find"}))
    assert adapter.replaying([BODY]) is not adapter
    await adapter.open()
    with pytest.raises(AdapterError, match="cannot be reached"):
        await adapter.lookup(AYSE)
    await adapter.close()


def test_the_command_explains_what_it_makes_of_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = 'query = { phone = "{e164}" }\nname = "name"\nnumbers = "phone"\nfields = { owner_id = "owner_id" }\n'
    step = '[[sources.options.steps]]\nstep = "owner"\nurl = "/o/{owner_id}"\nfields = { extension = "number" }\n'
    rule = '[[rules]]\nname = "own"\nwhen = { extension = { present = true } }\ntarget = "user/{extension}"\n'
    source = (
        f'[[sources]]\nname = "crm"\nadapter = "rest"\n[sources.options]\nurl = "http://127.0.0.1:1/"\n{options}{step}'
    )
    other = source.replace('"crm"', '"other"')
    (tmp_path / "config.toml").write_text(f'[switch]\ndefault = "queue/200"\n{rule}{source}{other}', encoding="utf-8")
    (tmp_path / "found").write_bytes(OK + BODY)
    (tmp_path / "owner").write_bytes(b'{"number": 1003}')
    ask = ["route", "05301234567", "--config", str(tmp_path / "config.toml")]
    found, owner = str(tmp_path / "found"), str(tmp_path / "owner")
    for given in ([found, owner], [f"crm={found}", f"crm={owner}"], [f"other={found}", f"other={owner}"]):
        assert main([*ask, *(word for each in given for word in ("--replay", each))]) == 0
        assert capsys.readouterr().out.endswith('musteri-tanima       {"name": "Ayşe", "target": "user/1003"}\n')
    assert main([*ask, "--replay", found]) == 0
    printed = capsys.readouterr().out
    assert "only 1 answers are recorded" in printed
    assert printed.endswith('musteri-tanima       {"name": "Ayşe", "target": "queue/200"}\n'), "the name is kept"
