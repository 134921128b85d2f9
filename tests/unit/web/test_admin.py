"""The operator's own address, asked over a real socket."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient

from proxy.errors import ProxyError
from proxy.phone import PhoneNumber
from proxy.web.admin import ERASE, Erased, admin_application
from tests.unit.fakes import NUMBER

TOKEN = "made-up-token-of-the-operator"
RIGHT = {"Authorization": f"Bearer {TOKEN}"}
SPELLINGS = ("05301234567", "0530 123 45 67", "+90 (530) 123-45-67", "5301234567")

REFUSED = {"error": "no token, or not the right one - allowed: Authorization: Bearer TOKEN"}
NO_JSON = {"error": "is not JSON - allowed: Content-Type: application/json"}
NO_NUMBER = {"error": 'has no number - allowed: {"number": "05301234567"}'}

Client = TestClient[web.Request, web.Application]
Connect = Callable[[web.Application], Awaitable[Client]]


class FakeErasing:
    """Notes the numbers, and answers as it is told to."""

    def __init__(self) -> None:
        self.numbers: list[PhoneNumber] = []
        self.answer: Erased | Exception = Erased(was_known=True, snapshot=True)

    async def __call__(self, number: PhoneNumber) -> Erased:
        self.numbers.append(number)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def erasing() -> FakeErasing:
    return FakeErasing()


@pytest.fixture
async def guarded(aiohttp_client: Connect, erasing: FakeErasing) -> Client:
    """Return a client of an address that has a token."""
    return await aiohttp_client(admin_application(TOKEN, erasing, "TR"))


@pytest.fixture
async def client(aiohttp_client: Connect, erasing: FakeErasing) -> Client:
    """Return a client of an address without one."""
    return await aiohttp_client(admin_application(None, erasing, "TR"))


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


async def test_who_brings_the_token_may_whatever_the_host_is_called(guarded: Client, erasing: FakeErasing) -> None:
    assert await erase(guarded, **RIGHT) == (200, {"was_known": True, "snapshot": True})
    assert await erase(guarded, **RIGHT, Host="tanima.example.com") == (200, {"was_known": True, "snapshot": True})
    assert erasing.numbers == [NUMBER, NUMBER]


@pytest.mark.parametrize(
    "brought",
    ["", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x",
     f"Bearer {TOKEN.upper()}", f"Bearer  {TOKEN}", f"Bearer {TOKEN} {TOKEN}", "Bearer ü", "Bearer \udcff"],
)  # fmt: skip
async def test_who_brings_another_is_refused_and_told_the_same(
    guarded: Client, erasing: FakeErasing, brought: str
) -> None:
    assert await erase(guarded, Authorization=brought) == (403, REFUSED)
    assert erasing.numbers == []


async def test_who_brings_none_is_told_the_same_on_every_path_and_learns_of_none(
    guarded: Client, erasing: FakeErasing
) -> None:
    for method, path in (("POST", ERASE), ("GET", ERASE), ("POST", "/"), ("DELETE", "/05301234567"), ("OPTIONS", "/")):
        async with guarded.request(method, path, data=b"05301234567") as response:
            assert await told(response) == (403, REFUSED)
    assert erasing.numbers == []


async def test_a_token_may_have_letters_of_any_language(aiohttp_client: Connect, erasing: FakeErasing) -> None:
    client = await aiohttp_client(admin_application("şifre-değil-bu-uydurma", erasing, "TR"))
    assert (await erase(client, Authorization="Bearer şifre-değil-bu-uydurma"))[0] == 200


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:9090", "127.0.0.2:9090", "localhost", "localhost:9090", "[::1]", "[::1]:9090"],
)
async def test_without_a_token_this_machine_may(client: Client, erasing: FakeErasing, host: str) -> None:
    assert await erase(client, Host=host) == (200, {"was_known": True, "snapshot": True})
    assert erasing.numbers == [NUMBER]


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:9090", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:127.0.0.1",
     "192.0.2.1:9090", "[2001:db8::1]:9090", "[2001:db8::1]", "0.0.0.0", "localhost:9090:x", "2130706433", ""],
)  # fmt: skip
async def test_without_a_token_a_name_that_somebody_elses_dns_leads_here_is_refused(
    client: Client, erasing: FakeErasing, host: str
) -> None:
    assert await erase(client, Host=host) == (403, REFUSED)
    assert await erase(client, Host=host, **RIGHT) == (403, REFUSED)
    assert erasing.numbers == []


# ---------------------------------------------------------------------------------------- what is sent


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_a_number_may_be_spelled_as_the_switch_does(client: Client, erasing: FakeErasing, spelling: str) -> None:
    assert (await erase(client, spelling))[0] == 200
    assert erasing.numbers == [NUMBER]


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp", ""],
)
async def test_what_somebody_elses_web_page_could_send_is_refused(
    client: Client, erasing: FakeErasing, content_type: str
) -> None:
    response = await send(client, b'{"number": "05301234567"}', content_type)
    assert await told(response) == (415, NO_JSON)
    assert erasing.numbers == []


@pytest.mark.parametrize(
    "body",
    [b"", b"05301234567", b"{", b'{"number": "05301234567"', b"[]", b'["05301234567"]', b'"05301234567"', b"null",
     b"{}", b'{"Number": "05301234567"}', b'{"number": null}', b'{"number": 5301234567}', b'{"number": true}',
     b'{"number": ["05301234567"]}', b'{"number": {"e164": "+905301234567"}}', b'\xff{"number": "05301234567"}',
     b"[" * 4000],
)  # fmt: skip
async def test_what_has_no_number_is_a_400_with_what_is_allowed(
    client: Client, erasing: FakeErasing, body: bytes
) -> None:
    assert await told(await send(client, body)) == (400, NO_NUMBER)
    assert erasing.numbers == []


async def test_a_charset_that_nobody_knows_is_a_400(client: Client) -> None:
    response = await send(client, b'{"number": "05301234567"}', "application/json; charset=nonsense")
    assert await told(response) == (400, NO_NUMBER)


@pytest.mark.parametrize("text", ["", "0530ABCDEFG", "٠٥٣٠١٢٣٤٥٦٧", "05301234567;ext=1", "\ud800", "0530 123 45 67\n"])
async def test_a_text_that_is_no_number_is_a_400_that_says_why_and_does_not_echo_it(
    client: Client, erasing: FakeErasing, text: str
) -> None:
    why = "has other characters than digits, a leading plus and separators"
    assert await erase(client, text) == (400, {"error": f"the number {why} - allowed: a valid phone number"})
    assert erasing.numbers == []


@pytest.mark.parametrize("text", ["1003", "112", "0530 123 45 6", "1234567", "+99905301234567", "0" * 3000])
async def test_a_number_that_nobody_can_have_is_one_too(client: Client, erasing: FakeErasing, text: str) -> None:
    why = "is not a valid number in any country that it could mean"
    assert await erase(client, text) == (400, {"error": f"the number {why} - allowed: a valid phone number"})
    assert erasing.numbers == []


async def test_a_body_that_is_far_too_large_is_not_read(client: Client, erasing: FakeErasing) -> None:
    response = await send(client, b'{"number": "05301234567", "more": "' + b"x" * 5000 + b'"}')
    assert response.status == 413
    assert "0530" not in await response.text()
    assert erasing.numbers == []


# ---------------------------------------------------------------------------------------- what is answered


@pytest.mark.parametrize("erased", [Erased(was_known=False, snapshot=False), Erased(was_known=True, snapshot=False)])
async def test_what_became_of_it_is_told_without_the_number(
    client: Client, erasing: FakeErasing, erased: Erased
) -> None:
    erasing.answer = erased
    status, answer = await erase(client)
    assert (status, answer) == (200, {"was_known": erased.was_known, "snapshot": erased.snapshot})


async def test_a_failure_is_a_500_with_its_sentence(client: Client, erasing: FakeErasing) -> None:
    erasing.answer = ProxyError("the snapshot cannot be written (Aygıtta boş yer kalmadı)")
    async with client.post(ERASE, json={"number": "05301234567"}) as response:
        body = await response.read()
    assert response.status == 500
    assert response.content_type == "application/json"
    assert json.loads(body) == {"error": "the snapshot cannot be written (Aygıtta boş yer kalmadı)"}
    assert "Aygıtta".encode() in body, "letters are letters"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", ERASE, 405), ("POST", "/", 404), ("GET", "/", 404)])
async def test_there_is_nothing_else(client: Client, method: str, path: str, status: int) -> None:
    async with client.request(method, path, json={"number": "05301234567"}) as response:
        assert response.status == status
        assert "0530" not in await response.text()


async def test_a_web_page_of_somebody_elses_is_not_let_in_by_asking_before(client: Client) -> None:
    asked: Mapping[str, str] = {
        "Origin": "http://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    async with client.options(ERASE, headers=asked) as response:
        assert response.status == 405
        assert not [name for name in response.headers if name.lower().startswith("access-control")]
