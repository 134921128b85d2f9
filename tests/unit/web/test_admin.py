"""The operator's own address, asked over a real socket."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient

from proxy.errors import ProxyError
from proxy.web import bodies
from proxy.web.admin import CONNECTIONS, AdminListener
from proxy.web.endpoints import ERASE, Endpoints
from proxy.web.operated import Erased
from tests.unit.fakes import NUMBER, Bugs
from tests.unit.web.listening import ListenerServer
from tests.unit.web.operated import FakeOperated

TOKEN = "made-up-token-of-the-operator"
RIGHT = {"Authorization": f"Bearer {TOKEN}"}
PATHS = Endpoints(FakeOperated()).answers
SPELLINGS = ("05301234567", "0530 123 45 67", "+90 (530) 123-45-67", "5301234567")

REFUSED = {"error": "no token, or not the right one - allowed: Authorization: Bearer TOKEN"}
NO_JSON = {"error": "is not JSON - allowed: Content-Type: application/json"}
TOO_LARGE = {"error": "the body is too large - allowed: 4096 bytes at the most"}
TOO_LATE = {"error": "the body has not come - allowed: all of it within 0.2 s"}
UNREADABLE = {"error": "is no request that can be read - allowed: HTTP/1.1"}
NO_NUMBER = {"error": 'has no number - allowed: {"number": "05301234567"}'}

Client = TestClient[web.BaseRequest, None]
Connect = Callable[[ListenerServer], Awaitable[Client]]


@pytest.fixture
def erasing() -> FakeOperated:
    return FakeOperated()


@pytest.fixture
async def guarded(aiohttp_client: Connect, erasing: FakeOperated, bugs: Bugs) -> Client:
    """Return a client of an address that has a token."""
    return await aiohttp_client(ListenerServer(AdminListener(erasing, TOKEN, None, bugs)))


@pytest.fixture
async def client(aiohttp_client: Connect, erasing: FakeOperated, bugs: Bugs) -> Client:
    """Return a client of an address without one."""
    return await aiohttp_client(ListenerServer(AdminListener(erasing, None, None, bugs)))


async def told(response: ClientResponse) -> tuple[int, Any]:
    return response.status, json.loads(await response.text())


async def erase(client: Client, number: object = "05301234567", **headers: str) -> tuple[int, Any]:
    async with client.post(ERASE, json={"number": number}, headers=headers) as response:
        return await told(response)


async def send(client: Client, body: bytes, content_type: str = "application/json") -> ClientResponse:
    async with client.post(ERASE, data=body, headers={"Content-Type": content_type}) as response:
        await response.read()
        return response


# ---------------------------------------------------------------------------------------- who may


async def test_who_brings_the_token_may_whatever_the_host_is_called(guarded: Client, erasing: FakeOperated) -> None:
    assert await erase(guarded, **RIGHT) == (200, {"was_known": True, "snapshot": True})
    assert await erase(guarded, **RIGHT, Host="tanima.example.com") == (200, {"was_known": True, "snapshot": True})
    assert erasing.numbers == [NUMBER, NUMBER]


@pytest.mark.parametrize(
    "brought",
    ["", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x",
     f"Bearer {TOKEN.upper()}", f"Bearer {TOKEN} {TOKEN}", "Bearer ü", "Bearer \udcff"],
)  # fmt: skip
async def test_who_brings_another_is_refused_and_told_the_same(
    guarded: Client, erasing: FakeOperated, brought: str
) -> None:
    assert await erase(guarded, Authorization=brought) == (403, REFUSED)
    assert erasing.numbers == []


async def test_who_brings_none_is_told_the_same_on_every_path_and_learns_of_none(
    guarded: Client, erasing: FakeOperated
) -> None:
    for method, path in (
        ("POST", ERASE),
        ("GET", ERASE),
        ("POST", "/x"),
        ("DELETE", "/05301234567"),
        ("OPTIONS", "/x"),
    ):
        async with guarded.request(method, path, data=b"05301234567") as response:
            assert await told(response) == (403, REFUSED)
    assert erasing.numbers == []


async def test_a_token_may_have_letters_of_any_language(
    aiohttp_client: Connect, erasing: FakeOperated, bugs: Bugs
) -> None:
    client = await aiohttp_client(ListenerServer(AdminListener(erasing, "şifre-değil-bu-uydurma", None, bugs)))
    assert (await erase(client, Authorization="Bearer şifre-değil-bu-uydurma"))[0] == 200


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:9090", "127.0.0.2:9090", "localhost", "localhost:9090", "[::1]", "[::1]:9090"],
)
async def test_without_a_token_this_machine_may(client: Client, erasing: FakeOperated, host: str) -> None:
    assert await erase(client, Host=host) == (200, {"was_known": True, "snapshot": True})
    assert erasing.numbers == [NUMBER]


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:9090", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:127.0.0.1",
     "192.0.2.1:9090", "[2001:db8::1]:9090", "[2001:db8::1]", "0.0.0.0", "localhost:9090:x", "2130706433", ""],
)  # fmt: skip
async def test_without_a_token_a_name_that_somebody_elses_dns_leads_here_is_refused(
    client: Client, erasing: FakeOperated, host: str
) -> None:
    assert await erase(client, Host=host) == (403, REFUSED)
    assert await erase(client, Host=host, **RIGHT) == (403, REFUSED)
    assert erasing.numbers == []


# ---------------------------------------------------------------------------------------- what is sent


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_a_number_may_be_spelled_as_the_switch_does(client: Client, erasing: FakeOperated, spelling: str) -> None:
    assert (await erase(client, spelling))[0] == 200
    assert erasing.numbers == [NUMBER]


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", ""],
)
async def test_what_somebody_elses_web_page_could_send_is_refused(
    client: Client, erasing: FakeOperated, content_type: str
) -> None:
    response = await send(client, b'{"number": "05301234567"}', content_type)
    assert await told(response) == (415, NO_JSON)
    assert erasing.numbers == []


@pytest.mark.parametrize(
    "body",
    [b"", b"05301234567", b"{", b'{"number": "05301234567"', b"[]", b'["05301234567"]', b'"05301234567"', b"null",
     b"{}", b'{"Number": "05301234567"}', b'{"number": null}', b'{"number": 5301234567}', b'{"number": true}',
     b'{"number": ["05301234567"]}', b'{"number": {"e164": "+905301234567"}}', b"[" * 4000],
)  # fmt: skip
async def test_what_has_no_number_is_a_400_with_what_is_allowed(
    client: Client, erasing: FakeOperated, body: bytes
) -> None:
    assert await told(await send(client, body)) == (400, NO_NUMBER)
    assert erasing.numbers == []


async def test_what_is_no_text_is_a_400(client: Client) -> None:
    for body, charset in ((b'{"number": "05301234567"}', "nonsense"), (b'\xff{"number": "05301234567"}', "utf-8")):
        response = await send(client, body, f"application/json; charset={charset}")
        assert await told(response) == (400, {"error": "the body is no text - allowed: UTF-8"})


@pytest.mark.parametrize("text", ["", "0530ABCDEFG", "٠٥٣٠١٢٣٤٥٦٧", "05301234567;ext=1", "\ud800", "0530 123 45 67\n"])
async def test_a_text_that_is_no_number_is_a_400_that_says_why_and_does_not_echo_it(
    client: Client, erasing: FakeOperated, text: str
) -> None:
    why = "has other characters than digits, a leading plus and separators"
    assert await erase(client, text) == (400, {"error": f"the number {why} - allowed: a valid phone number"})
    assert erasing.numbers == []


@pytest.mark.parametrize("text", ["1003", "112", "0530 123 45 6", "1234567", "+99905301234567", "0" * 3000])
async def test_a_number_that_nobody_can_have_is_one_too(client: Client, erasing: FakeOperated, text: str) -> None:
    why = "is not a valid number in any country that it could mean"
    assert await erase(client, text) == (400, {"error": f"the number {why} - allowed: a valid phone number"})
    assert erasing.numbers == []


async def test_a_body_that_is_far_too_large_is_not_read(client: Client, erasing: FakeOperated) -> None:
    body = b'{"number": "05301234567", "more": "'
    for size in (4097, 5000, 300_000):
        response = await send(client, body + b"x" * (size - len(body) - 2) + b'"}')
        assert await told(response) == (413, TOO_LARGE)
    assert erasing.numbers == []
    response = await send(client, body + b"x" * (4096 - len(body) - 2) + b'"}')
    assert (response.status, erasing.numbers) == (200, [NUMBER])


# ---------------------------------------------------------------------------------------- what is answered


@pytest.mark.parametrize("erased", [Erased(was_known=False, snapshot=False), Erased(was_known=True, snapshot=False)])
async def test_what_became_of_it_is_told_without_the_number(
    client: Client, erasing: FakeOperated, erased: Erased
) -> None:
    erasing.answer = erased
    status, answer = await erase(client)
    assert (status, answer) == (200, {"was_known": erased.was_known, "snapshot": erased.snapshot})


async def test_a_failure_is_a_500_with_its_sentence(client: Client, erasing: FakeOperated) -> None:
    erasing.answer = ProxyError("the snapshot cannot be written (Aygıtta boş yer kalmadı)")
    async with client.post(ERASE, json={"number": "05301234567"}) as response:
        body = await response.read()
    assert response.status == 500
    assert response.content_type == "application/json"
    assert json.loads(body) == {"error": "the snapshot cannot be written (Aygıtta boş yer kalmadı)"}
    assert "Aygıtta".encode() in body, "letters are letters"


async def test_no_answer_is_stored_and_none_tells_a_version(client: Client) -> None:
    for path in (ERASE, "/x"):
        async with client.post(path, json={"number": "05301234567"}) as response:
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["Server"] == "tanima"
            assert (response.content_type, response.charset) == ("application/json", "utf-8")


@pytest.mark.parametrize("path", ["/x", "/erase/", "/ERASE", "/musteri.json", "/erase%00"])
async def test_on_another_path_there_is_nothing(client: Client, erasing: FakeOperated, path: str) -> None:
    for method in ("GET", "POST"):
        async with client.request(method, path, json={"number": "05301234567"}) as response:
            assert await told(response) == (404, {"error": f"is no path here - allowed: {', '.join(PATHS)}"})
    assert erasing.numbers == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
async def test_with_another_method_neither(client: Client, erasing: FakeOperated, method: str) -> None:
    async with client.request(method, ERASE, json={"number": "05301234567"}) as response:
        assert await told(response) == (405, {"error": "is no method here - allowed: POST"})
        assert response.headers["Allow"] == "POST"
    assert erasing.numbers == []


async def test_a_web_page_of_somebody_elses_is_not_let_in_by_asking_before(client: Client) -> None:
    asked: Mapping[str, str] = {
        "Origin": "http://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    async with client.options(ERASE, headers=asked) as response:
        assert response.status == 405
        assert not [name for name in response.headers if name.lower().startswith("access-control")]


# ---------------------------------------------------------------------------------------- silence and nonsense

POST = b"POST /erase HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
NUMBER_IN_JSON = b'{"number": "05301234567"}'


async def say(client: Client, *said: bytes) -> list[tuple[int, Any]]:
    """Send bytes, and that these are all, and return the status and the JSON of each answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    for piece in said:
        writer.write(piece)
        await asyncio.sleep(0.01)
    writer.write_eof()
    received = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return [
        (int(answer[:3]), json.loads(answer.partition(b"\r\n\r\n")[2]))
        for answer in re.split(rb"HTTP/1\.[01] (?=[0-9]{3} )", received)[1:]
    ]


async def test_more_silent_connections_than_there_may_be_keep_nobody_out(client: Client, erasing: FakeOperated) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", client.port) for _ in range(CONNECTIONS + 20)]
    for _, writer in silent[::2]:
        writer.write(b"POST /er")
    assert (await erase(client))[0] == 200
    gone = 0
    for reader, _ in silent:
        with suppress(TimeoutError):
            gone += await asyncio.wait_for(reader.read(), 0.02) == b""
    assert gone == 21
    for _, writer in silent:
        writer.close()
    assert erasing.numbers == [NUMBER]


async def test_a_body_that_does_not_come_is_not_waited_for_for_long(
    client: Client, erasing: FakeOperated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_WITHIN", 0.2)
    for head in (
        b"Content-Length: 25\r\n\r\n",
        b"Content-Length: 999999999\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n",
    ):
        assert await say(client, POST + head) == [(408, TOO_LATE)]
    assert await say(client, POST + b"Content-Length: 26\r\n\r\n", NUMBER_IN_JSON) == [(408, TOO_LATE)]
    assert erasing.numbers == []


async def test_one_that_comes_bit_by_bit_within_its_time_is_read(client: Client, erasing: FakeOperated) -> None:
    answers = await say(client, POST, b"Content-Length: 25\r\n\r\n", NUMBER_IN_JSON[:9], NUMBER_IN_JSON[9:])
    assert answers == [(200, {"was_known": True, "snapshot": True})]
    assert erasing.numbers == [NUMBER]


async def test_who_goes_in_the_midst_of_a_body_erases_nothing(client: Client, erasing: FakeOperated) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(POST + b"Content-Length: 26\r\n\r\n" + NUMBER_IN_JSON)
    await asyncio.sleep(0.05)
    writer.transport.abort()
    await asyncio.sleep(0.05)
    assert erasing.numbers == []


@pytest.mark.parametrize(
    "said", [b"nonsense\r\n\r\n", b"POST /erase?n=0530 123 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\0"]
)
async def test_what_is_no_request_is_a_400(client: Client, said: bytes) -> None:
    assert await say(client, said) == [(400, UNREADABLE)]
    good = POST + b"Content-Length: 25\r\n\r\n" + NUMBER_IN_JSON
    assert await say(client, good + said) == [(200, {"was_known": True, "snapshot": True}), (400, UNREADABLE)]


async def test_a_request_without_a_host_comes_from_this_machine_when_it_came_to_it(
    client: Client, erasing: FakeOperated
) -> None:
    said = POST.replace(b"Host: localhost\r\n", b"").replace(b"1.1", b"1.0")
    answers = await say(client, said + b"Content-Length: 25\r\n\r\n" + NUMBER_IN_JSON)
    assert answers == [(200, {"was_known": True, "snapshot": True})]


@pytest.mark.parametrize("bug", [RuntimeError("a bug"), TimeoutError("a bug"), OSError("a bug")])
async def test_a_bug_is_a_500_that_does_not_say_more_and_is_reported(
    client: Client, erasing: FakeOperated, bugs: Bugs, bug: Exception
) -> None:
    erasing.answer = bug
    assert await erase(client) == (500, {"error": "a bug of tanima - see its log"})
    assert bugs.reported == [("admin", bug)]
    bugs.reported.clear()


# ---------------------------------------------------------------------------------------- the console


async def test_a_browser_is_led_to_the_log_in_and_may_look_after_it(guarded: Client, erasing: FakeOperated) -> None:
    async with guarded.get("/", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/login?next=%2F")
        assert response.headers["Server"] == "tanima"
    async with guarded.get("/metrics") as response:
        assert response.status == 403
    async with guarded.post("/login", data={"token": TOKEN}, allow_redirects=False) as response:
        assert response.status == 303
    for path in ("/metrics", "/healthz", "/journal"):
        async with guarded.get(path) as response:
            assert response.status == 200
    assert (await erase(guarded))[0] == 403, "for that a form of ours is needed, or the token"
    assert erasing.numbers == []


async def test_without_a_token_a_page_is_for_this_machine_too(client: Client) -> None:
    async with client.get("/") as response:
        assert (response.status, response.content_type) == (200, "text/html")
    async with client.get("/", headers={"Host": "evil.example"}) as response:
        assert await told(response) == (403, REFUSED)
    async with client.get("/console.js", headers={"Host": "evil.example"}) as response:
        assert response.status == 403
