import asyncio
import gzip
import logging
import socket
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Any

import pytest

from adapters.rest import RestAdapter
from proxy.adapter import AdapterError, Unavailable
from proxy.detached import detach
from proxy.testing import HttpCrm, Request
from proxy.testing.behaviours import answers, breaks_off, drips, hangs, resets, sends
from proxy.testing.http_crm import Behaviour
from tests.adapters.rest_crm import AYSE, OPTIONS, answer, opened
from tests.servers import free_port

GOOD = b'{"items": [{"name": "Wrong", "phones": [{"number": "+905301234567"}]}]}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BOMB = gzip.compress(b" " * 10_000_000)


@pytest.fixture
async def crm() -> AsyncIterator[HttpCrm]:
    async with HttpCrm(answer) as server:
        yield server


@pytest.fixture
async def adapter(crm: HttpCrm) -> AsyncIterator[RestAdapter]:
    async with opened(f"{crm.url}/contacts", **OPTIONS) as adapter:
        yield adapter


MAY_PASS: dict[str, tuple[Behaviour, str]] = {
    "408": (answers(408), "the CRM waited too long for the request (408)"),
    "500": (answers(500, b"oops"), "the CRM has trouble of its own (500)"),
    "502 with HTML": (answers(502, b"<html>", content_type="text/html"), "the CRM has trouble of its own (502)"),
    "503": (answers(503), "the CRM is out of service (503)"),
    "a reset": (resets, "the connection to the CRM was lost"),
    "no answer": (sends(b"", then_closes=True), "the CRM hung up without an answer"),
    "half a status line": (sends(b"HTTP/1.1 20", then_closes=True), "the CRM hung up without an answer"),
    "half an answer": (breaks_off(GOOD, after=20), "the CRM's answer breaks off"),
    "no more than a promise": (breaks_off(GOOD, after=0), "the CRM's answer breaks off"),
    "half a chunk": (sends(CHUNKED + b"ff\r\n{", then_closes=True), "the CRM's answer breaks off"),
    "a head alone": (sends(HEAD + b"\r\n", then_closes=True), "the CRM's answer breaks off"),
}

IS_WRONG: dict[str, tuple[Behaviour, str]] = {
    "401": (answers(401, GOOD), "the CRM refuses our credentials (401)"),
    "403": (answers(403, GOOD), "the CRM refuses our credentials (403)"),
    "404": (answers(404, GOOD), "the CRM does not accept the request (404)"),
    "418": (answers(418, GOOD), "the CRM does not accept the request (418)"),
    "a redirect": (
        answers(302, GOOD, {"Location": "http://169.254.169.254/latest/meta-data"}),
        "the CRM redirects, which is not followed (302)",
    ),
    "a redirect without aim": (answers(304), "the CRM redirects, which is not followed (304)"),
    "an unheard-of status": (answers(999, GOOD), "what the CRM answers is not HTTP (999)"),
    "no HTTP": (sends(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", then_closes=True), "what the CRM answers is not HTTP"),
    "endless headers": (sends(HEAD + b"X: " + b"x" * 100_000 + b"\r\n\r\n"), "what the CRM answers is not HTTP"),
    "HTML": (answers(200, b"<html>Log in</html>", content_type="text/html"), "what the CRM answers is not JSON"),
    "half of JSON": (answers(200, GOOD[:30]), "what the CRM answers is not JSON"),
    "two of JSON": (answers(200, GOOD + GOOD), "what the CRM answers is not JSON"),
    "bad UTF-8": (answers(200, b'{"items": [{"name": "\xff\xfe"}]}'), "what the CRM answers is not JSON"),
    "UTF-16": (answers(200, GOOD.decode().encode("utf-16")), "what the CRM answers is not JSON"),
    "NaN": (answers(200, b'{"items": [{"name": NaN}]}'), "what the CRM answers is not JSON"),
    "deep JSON": (answers(200, b"[" * 60_000), "what the CRM answers is not JSON"),
    "deep and whole JSON": (answers(200, b'{"items":' * 5000 + b"1" + b"}" * 5000), "what the CRM answers "),
    "a huge number": (answers(200, b'{"items": ' + b"9" * 5000 + b"}"), "what the CRM answers is not JSON"),
    "26 MB": (answers(200, b'"' + b"x" * 26_000_000 + b'"'), "the CRM's answer is longer than 64 kB"),
    "many chunks": (
        sends(CHUNKED + (b"1000\r\n" + b" " * 4096 + b"\r\n") * 99),
        "the CRM's answer is longer than 64 kB",
    ),
    "a gzip bomb": (answers(200, BOMB, {"Content-Encoding": "gzip"}), "the CRM's answer is longer than 64 kB"),
    "half of a gzip": (answers(200, b"\x1f\x8bxxxx", {"Content-Encoding": "gzip"}), "compressed, and cannot"),
    "a text": (answers(200, b'"hello"'), "a single value and no record"),
    "true": (answers(200, b"true"), "a single value and no record"),
    "a text for records": (answers(200, b'{"items": "hello"}'), "no record where the option record says"),
    "a number for records": (answers(200, b'{"items": 1}'), "no record where the option record says"),
    "texts for records": (answers(200, b'{"items": ["a", "b"]}'), "no record where the option record says"),
    "no records": (answers(200, b"{}"), "nothing where the option record says"),
    "another shape": (answers(200, b'[{"name": "Wrong"}]'), "nothing where the option record says"),
    "an empty record": (answers(200, b'{"items": [{}]}'), "a record with nothing in it that the options name"),
    "another kind of record": (answers(200, b'{"items": [{"error": "x"}]}'), "a record with nothing in it"),
}


@pytest.mark.parametrize("fault", MAY_PASS)
async def test_trouble_that_may_pass_is_told_as_such(fault: str, crm: HttpCrm, adapter: RestAdapter) -> None:
    crm.behaviour, message = MAY_PASS[fault]
    with pytest.raises(Unavailable) as caught:
        await adapter.lookup(AYSE)
    assert str(caught.value) == message
    crm.behaviour = None
    assert await adapter.lookup(AYSE) == []


@pytest.mark.parametrize("fault", IS_WRONG)
async def test_nonsense_is_never_a_contact_and_never_unknown(fault: str, crm: HttpCrm, adapter: RestAdapter) -> None:
    crm.behaviour, message = IS_WRONG[fault]
    with pytest.raises(AdapterError) as caught:
        await adapter.lookup(AYSE)
    assert not isinstance(caught.value, Unavailable)
    assert message in str(caught.value)
    assert crm.url not in str(caught.value)
    crm.behaviour = None
    assert await adapter.lookup(AYSE) == []


@pytest.mark.parametrize("slow", [hangs, drips(GOOD, pause=1)])
async def test_it_waits_as_long_as_it_is_let_and_no_longer(slow: Behaviour, crm: HttpCrm, adapter: RestAdapter) -> None:
    crm.behaviour = slow
    lookup = detach(adapter.lookup(AYSE))
    done, _ = await asyncio.wait({lookup}, timeout=0.1)
    assert not done
    lookup.cancel()
    done, _ = await asyncio.wait({lookup}, timeout=5)
    assert done


async def test_a_byte_at_a_time_is_still_an_answer(crm: HttpCrm, adapter: RestAdapter) -> None:
    crm.behaviour = drips(GOOD, pause=0.0001)
    assert [contact.name for contact in await adapter.lookup(AYSE)] == ["Wrong"]


async def test_a_redirect_is_not_followed(crm: HttpCrm, adapter: RestAdapter) -> None:
    async with HttpCrm(answer) as elsewhere:
        crm.behaviour = answers(302, b"", {"Location": f"{elsewhere.url}/contacts?phone=x"})
        with pytest.raises(AdapterError):
            await adapter.lookup(AYSE)
        assert elsewhere.requests == []


async def test_the_environment_names_no_proxy(
    crm: HttpCrm, adapter: RestAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, f"http://127.0.0.1:{free_port()}")
    await adapter.lookup(AYSE)
    assert len(crm.requests) == 1


async def test_cookies_are_not_kept(crm: HttpCrm, adapter: RestAdapter, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    crm.behaviour = answers(200, b"[]", {"Set-Cookie": "session=1", "set-cookie": "b[d]=2; ä=\xff"})
    for _ in range(2):
        assert await adapter.lookup(AYSE) == []
    assert "cookie" not in crm.requests[1].headers
    assert caplog.records == []


async def test_a_host_that_does_not_exist_may_exist_later() -> None:
    async with opened("http://crm.invalid/contacts", **OPTIONS) as adapter:
        with pytest.raises(Unavailable, match="the name of the CRM's host cannot be resolved"):
            await adapter.lookup(AYSE)


async def test_a_port_on_which_nobody_listens_may_be_listened_on_later() -> None:
    async with opened(f"http://127.0.0.1:{free_port()}/contacts", **OPTIONS) as adapter:
        with pytest.raises(Unavailable, match="the CRM cannot be reached"):
            await adapter.lookup(AYSE)


async def test_a_server_that_speaks_no_tls_cannot_be_reached() -> None:
    async def answer_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer_plainly, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with opened(f"https://127.0.0.1:{port}/contacts", **OPTIONS) as adapter:
            with pytest.raises(Unavailable, match="the CRM cannot be reached"):
                await adapter.lookup(AYSE)


async def test_a_connection_that_is_not_accepted_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.rest.transport.CONNECT_PATIENCE", 0.05)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        async with opened(f"http://127.0.0.1:{listener.getsockname()[1]}/contacts", **OPTIONS) as adapter:
            with pytest.raises(Unavailable, match="the CRM took too long"):
                await adapter.lookup(AYSE)
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("999999999999", 3600.0),
        ("9" * 500, 3600.0),
        (formatdate(4_000_000_000, usegmt=True), 3600.0),
        (formatdate(1_000_000_000, usegmt=True), None),
        ("0", None),
        ("-7", None),
        ("soon", None),
        ("٧", None),
        ("", None),
        ("Mon, 99 Foo 20x6 99:99:99 GMT", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_the_crm_says_how_long_it_wants_to_rest(
    status: int, header: str, seconds: float | None, crm: HttpCrm, adapter: RestAdapter
) -> None:
    crm.behaviour = answers(status, b"", {"Retry-After": header})
    with pytest.raises(Unavailable) as caught:
        await adapter.lookup(AYSE)
    assert caught.value.retry_after == (1.0 if seconds is None and status == 429 else seconds)


async def test_a_date_to_rest_until_is_counted_from_now(
    crm: HttpCrm, adapter: RestAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.rest.errors.time.time", lambda: 1_000_000_000.0)
    crm.behaviour = answers(503, b"", {"Retry-After": formatdate(1_000_000_030, usegmt=True)})
    with pytest.raises(Unavailable) as caught:
        await adapter.lookup(AYSE)
    assert caught.value.retry_after == 30


async def test_other_statuses_ask_for_no_rest(crm: HttpCrm, adapter: RestAdapter) -> None:
    crm.behaviour = answers(500, b"", {"Retry-After": "7"})
    with pytest.raises(Unavailable) as caught:
        await adapter.lookup(AYSE)
    assert caught.value.retry_after is None


async def test_connections_are_used_again(crm: HttpCrm, adapter: RestAdapter) -> None:
    ports: set[Any] = set()

    async def note_port(_: Request, writer: asyncio.StreamWriter) -> None:
        ports.add(writer.get_extra_info("peername"))
        writer.write(HEAD + b"Content-Length: 2\r\n\r\n[]")

    crm.behaviour = note_port
    for _ in range(5):
        await adapter.lookup(AYSE)
    assert len(ports) == 1


async def test_asking_before_opening_is_a_bug(crm: HttpCrm) -> None:
    adapter = RestAdapter(RestAdapter.Config.model_validate({"url": crm.url, **OPTIONS}))
    with pytest.raises(RuntimeError):
        await adapter.lookup(AYSE)
    await adapter.close()
