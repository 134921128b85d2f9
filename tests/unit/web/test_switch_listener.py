"""The listener in this process, asked over a real socket."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from proxy.deployment import Deployment
from proxy.dialects import Dialect
from proxy.dialects.musteri_tanima import MusteriTanima
from proxy.dialects.santral_programlama import SantralProgramlama
from proxy.journal import Answered
from proxy.model import Call, Reason
from proxy.phone import PhoneNumber
from proxy.routing import Decision
from proxy.web.access import Access
from proxy.web.switch import SLACK, Answering, SwitchListener
from tests.unit.deployed import configured
from tests.unit.fakes import AHMET, After, Bugs, FakeAdapter
from tests.unit.talking import STRANGER, talkative
from tests.unit.web.listening import ListenerServer, settle

DEFAULT = {"target": "queue/200"}
GREETED = {"name": "Ahmet Yılmaz", "target": "queue/201"}
RULES = [{"name": "gold", "when": {"tier": "gold"}, "target": "queue/201"}]

Client = TestClient[web.BaseRequest, None]
Connect = Callable[[ListenerServer], Awaitable[Client]]


class Observed(list[Answered]):
    """What the listener told of its answers."""

    async def first(self) -> Answered:
        for _ in range(200):
            if self:
                return self[0]
            await asyncio.sleep(0.005)
        raise AssertionError("nothing was told within a second")


def answering(dialect: Dialect | None = None, access: Access | None = None, **sections: Any) -> Answering:
    adapter = FakeAdapter(AHMET)
    router = Deployment(configured(adapter, **{"rules": RULES, **sections})).router
    return Answering("/musteri.json", [dialect or MusteriTanima()], router, access or Access())


def listener_for(observed: Observed, bugs: Bugs, dialect: Dialect | None = None) -> SwitchListener:
    return SwitchListener(answering(dialect), observed.extend, bugs)


@pytest.fixture
def observed() -> Observed:
    return Observed()


@pytest.fixture
def bugs() -> Bugs:
    return Bugs()


@pytest.fixture
async def client(aiohttp_client: Connect, observed: Observed, bugs: Bugs) -> Client:
    return await aiohttp_client(ListenerServer(listener_for(observed, bugs)))


async def say(client: Client, request: bytes) -> bytes:
    """Send bytes, and return all that comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_known_caller_is_named_and_sent_on_in_utf_8(client: Client) -> None:
    response = await client.get("/musteri.json?telefon=05301234567")
    body = await response.read()
    assert response.status == 200
    assert json.loads(body) == GREETED
    assert "Yılmaz".encode() in body
    assert (response.content_type, response.charset) == ("application/json", "utf-8")


async def test_the_answer_is_stored_nowhere_and_tells_no_version(client: Client) -> None:
    response = await client.get("/musteri.json?telefon=05301234567")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Server"] == "tanima"


async def test_an_answered_call_is_told_of(client: Client, observed: Observed) -> None:
    asked_at = time.monotonic()
    await client.get("/musteri.json?telefon=05301234567")
    answered = await observed.first()
    assert answered.call is not None
    assert isinstance(answered.call.caller, PhoneNumber)
    assert answered.call.caller.e164 == "+905301234567"
    assert answered.call.at.tzinfo is not None
    assert (answered.decision.reason, answered.decision.rule) == (Reason.RULE, "gold")
    assert 0 < answered.seconds < 5
    assert asked_at < answered.rang <= time.monotonic() - answered.seconds


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "/"),
        ("GET", "/musteri.json/"),
        ("GET", "/MUSTERI.JSON?telefon=05301234567"),
        ("GET", "/metrics"),
        ("POST", "/musteri.json?telefon=05301234567"),
        ("PUT", "/musteri.json?telefon=05301234567"),
        ("DELETE", "/"),
        ("OPTIONS", "/musteri.json"),
    ],
)
async def test_another_path_or_method_gets_the_default(
    client: Client, observed: Observed, method: str, url: str
) -> None:
    response = await client.request(method, url)
    assert (response.status, await response.json()) == (200, DEFAULT)
    answered = await observed.first()
    assert (answered.call, answered.decision.reason) == (None, Reason.REFUSED)


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /musteri.json?telefon=0530 123 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /musteri.json?telefon=" + b"9" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /musteri.json HTTP/1.1\r\nHost: x\r\nX-Long: " + b"9" * 9000 + b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
    ids=["raw blank", "over-long line", "over-long header", "no HTTP", "TLS"],
)
async def test_a_request_that_cannot_be_read_gets_the_default_and_is_hung_up(
    client: Client, observed: Observed, bugs: Bugs, request_line: bytes
) -> None:
    answer = await say(client, request_line)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"200"
    assert json.loads(body) == DEFAULT
    answered = await observed.first()
    assert (answered.call, answered.decision.reason) == (None, Reason.REFUSED)
    assert bugs.reported == []


class Broken(MusteriTanima):
    """A dialect that fails while a call is going on."""

    def render(self, decision: Decision) -> bytes:
        if decision.reason is not Reason.REFUSED:
            raise RuntimeError("a bug")
        return super().render(decision)


class Deaf(MusteriTanima):
    """A dialect that cannot even be asked."""

    def parse(self, query: Mapping[str, str], at: datetime) -> Call:
        raise LookupError("a bug")


@pytest.mark.parametrize(("dialect", "expected"), [(Broken(), RuntimeError), (Deaf(), LookupError)])
async def test_a_bug_below_the_listener_costs_nobody_a_call(
    aiohttp_client: Connect, observed: Observed, bugs: Bugs, dialect: MusteriTanima, expected: type[Exception]
) -> None:
    client = await aiohttp_client(ListenerServer(listener_for(observed, bugs, dialect)))
    response = await client.get("/musteri.json?telefon=05301234567")
    assert (response.status, await response.json()) == (200, DEFAULT)
    assert [(where, type(exc)) for where, exc in bugs.reported] == [("listener", expected)]
    assert (await observed.first()).decision.reason is Reason.BUG


class Raising(SwitchListener):
    """A listener with a bug of its own."""

    async def answer(self, request: web.BaseRequest) -> web.Response:
        raise RuntimeError("a bug")


class Interrupted(SwitchListener):
    """A listener whose answer breaks when its beginning is out already."""

    async def answer(self, request: web.BaseRequest) -> web.Response:
        started = web.StreamResponse()
        started.content_length = 100
        await started.prepare(request)
        await started.write(b"{")
        raise RuntimeError("a bug")


async def test_a_bug_of_the_listener_itself_gets_the_default_from_the_lowest_net(
    aiohttp_client: Connect, observed: Observed, bugs: Bugs
) -> None:
    client = await aiohttp_client(ListenerServer(Raising(answering(), observed.extend, bugs)))
    response = await client.get("/")
    assert (response.status, await response.json()) == (200, DEFAULT)
    assert [(where, type(exc)) for where, exc in bugs.reported] == [("listener", RuntimeError)]
    assert (await observed.first()).decision.reason is Reason.BUG


async def test_no_second_answer_is_begun_in_the_midst_of_one(
    aiohttp_client: Connect, observed: Observed, bugs: Bugs
) -> None:
    client = await aiohttp_client(ListenerServer(Interrupted(answering(), observed.extend, bugs)))
    answer = await say(client, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.count(b"HTTP/1.1") == 1
    assert answer.endswith(b"\r\n\r\n{")


async def test_a_kept_connection_answers_one_call_after_another(client: Client) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    for number, expected in (("05301234567", GREETED), ("1003", DEFAULT), ("05301234567", GREETED)):
        writer.write(f"GET /musteri.json?telefon={number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert json.loads(await asyncio.wait_for(reader.readuntil(b"}"), 5)) == expected
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize("request_line", ["GET /musteri.json?telefon=05301234567 HTTP/1.1", "GET /musteri.json"])
async def test_who_has_closed_his_half_still_gets_the_answer_and_then_the_end(
    client: Client, request_line: str
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
    writer.write(f"{request_line}\r\nHost: x\r\n\r\n".encode() if "HTTP" in request_line else request_line.encode())
    writer.write_eof()
    received = await asyncio.wait_for(reader.read(), 5)
    assert received.endswith(json.dumps(GREETED, ensure_ascii=False).encode() if "HTTP" in request_line else b"")
    assert bool(received) is ("HTTP" in request_line)
    writer.close()
    await writer.wait_closed()


# ---------------------------------------------------------------------------------------- what may not be asked

TOKEN = "sixteen characters and more"


async def heard(client: Client, url: str) -> object:
    response = await client.get(url)
    assert response.status == 200
    return await response.json()


async def test_who_brings_no_token_is_answered_like_an_unknown_caller(
    aiohttp_client: Connect, observed: Observed, bugs: Bugs
) -> None:
    made = answering(access=Access(tokens=[TOKEN]), routing={"unknown": "queue/202", "internal": "group/700"})
    client = await aiohttp_client(ListenerServer(SwitchListener(made, observed.extend, bugs)))
    assert await heard(client, "/musteri.json?telefon=05301234567") == {"target": "queue/202"}
    assert await heard(client, f"/{TOKEN}/musteri.json?telefon=05301234567") == GREETED
    assert await heard(client, "/wrong/musteri.json?telefon=05301234567") == {"target": "queue/202"}
    assert await heard(client, "/wrong/musteri.json?telefon=1003") == {"target": "group/700"}
    assert await heard(client, f"/{TOKEN}/other.json?telefon=05301234567") == DEFAULT
    told = [answered.decision.reason for answered in observed]
    assert told == [Reason.REFUSED, Reason.RULE, Reason.REFUSED, Reason.REFUSED, Reason.REFUSED]
    assert observed[0].call is not None, "its number can be told from its line"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("telefon=05301234567&telefon=05301234567", GREETED),
        ("telefon=05301234567&x=1&x=2", GREETED),
        ("telefon=05301234567&x=1", GREETED),
        ("telefon=05301234567&telefon=1003", DEFAULT),
        ("telefon=1003&telefon=05301234567", DEFAULT),
        ("telefon=05301234567&telefon=05301234567&telefon=1003", DEFAULT),
        ("telefon=&telefon=05301234567", DEFAULT),
        ("telefon=05301234567&telefon=", DEFAULT),
    ],
)
async def test_a_number_that_comes_twice_counts_once_and_two_numbers_are_none(
    client: Client, query: str, expected: object
) -> None:
    assert await heard(client, f"/musteri.json?{query}") == expected


async def test_what_an_answer_is_made_with_can_be_changed_while_calls_are_under_way(
    aiohttp_client: Connect, observed: Observed, bugs: Bugs
) -> None:
    patient: Any = {"timeouts": (10,), "switch": {"default": "queue/200", "deadline": 20}}
    slow = Deployment(configured(FakeAdapter(After(0.2, AHMET)), rules=RULES, **patient)).router
    listener = SwitchListener(Answering("/musteri.json", [MusteriTanima()], slow), observed.extend, bugs)
    client = await aiohttp_client(ListenerServer(listener))
    before = asyncio.ensure_future(heard(client, "/musteri.json?telefon=05301234567"))
    await asyncio.sleep(0.05)
    assert not before.done()
    listener.answering = answering(MusteriTanima("numara"), routing={"withheld": "ivr/10"}, rules=[])
    assert await heard(client, "/musteri.json?telefon=05301234567") == {"target": "ivr/10"}
    assert await before == GREETED
    await asyncio.sleep(0.01)  # calls are told of after their answers
    assert [told.tried() for told in observed] == [[], [("gold", True)]]
    assert bugs.reported == []


async def test_the_end_waits_as_long_as_a_deadline_allows_that_was_made_longer_meanwhile(
    aiohttp_client: Connect, observed: Observed, bugs: Bugs
) -> None:
    def with_deadline(seconds: float) -> Answering:
        switch = {"default": "queue/200", "deadline": seconds}
        slow = configured(FakeAdapter(After(0.8, AHMET)), timeouts=(10,), switch=switch)
        return Answering("/musteri.json", [MusteriTanima()], Deployment(slow).router)

    listener = SwitchListener(with_deadline(0.1), observed.extend, bugs)
    assert listener.answers_within == pytest.approx(0.1 + SLACK)
    client = await aiohttp_client(ListenerServer(listener))
    listener.answering = with_deadline(10)
    asking = asyncio.ensure_future(heard(client, "/musteri.json?telefon=05301234567"))
    await settle(0.05)
    assert client.server.runner is not None
    await client.server.runner.cleanup()
    assert await asking == {"name": "Ahmet Yılmaz", "target": "queue/200"}


# ---------------------------------------------------------------------------------------- two dialects

NEW_QUESTION = "/musteri.json?uuid=u-1&cli=05301234567&cld=08505321234&step=1"
OLD_QUESTION = "/musteri.json?telefon=05301234567"
NEW_GREETED = {"transfer": {"greet_name": "Ahmet Yılmaz", "lang": "tr-TR", "target": "queue/201"}}
NEW_DEFAULT = {"transfer": {"target": "queue/200"}}
UNREADABLE = b"nonsense\r\n\r\n"


def in_both(access: Access | None = None, *, old: Dialect | None = None, new: Dialect | None = None) -> Answering:
    """Return what answers both dialects, as under `dialect = "auto"`."""
    forms = [new or SantralProgramlama(), old or MusteriTanima()]
    return replace(answering(access=access, routing={"withheld": "ivr/10"}), dialects=forms)


@pytest.fixture
async def auto(aiohttp_client: Connect, observed: Observed, bugs: Bugs) -> Client:
    return await aiohttp_client(ListenerServer(SwitchListener(in_both(), observed.extend, bugs)))


async def body_of_unreadable(client: Client) -> object:
    head, _, body = (await say(client, UNREADABLE)).partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"200"
    return json.loads(body)


async def test_each_question_is_answered_in_its_own_dialect(auto: Client, observed: Observed) -> None:
    for _ in range(2):
        assert await heard(auto, NEW_QUESTION) == NEW_GREETED
        assert await heard(auto, OLD_QUESTION) == GREETED
    assert [answered.call and answered.call.can_be_asked for answered in observed] == [True, False] * 2
    asked = observed[0].call
    assert asked is not None
    assert isinstance(asked.called, PhoneNumber)
    assert (asked.call_id, asked.step, asked.called.e164) == ("u-1", 1, "+908505321234")


@pytest.mark.parametrize("query", ["", "?", "?x=1", "?token=x"])
async def test_a_question_without_any_parameter_is_of_the_old_form_whoever_asked_before(
    auto: Client, query: str
) -> None:
    assert await heard(auto, f"/musteri.json{query}") == {"target": "ivr/10"}
    await heard(auto, NEW_QUESTION)
    assert await heard(auto, f"/musteri.json{query}") == {"target": "ivr/10"}


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [
        ("GET", "/other.json?cli=05301234567", NEW_DEFAULT),
        ("POST", "/musteri.json?uuid=u-1&cli=05301234567", NEW_DEFAULT),
        ("GET", "/other.json?telefon=05301234567", DEFAULT),
        ("PUT", "/musteri.json?telefon=05301234567", DEFAULT),
    ],
)
async def test_at_another_path_or_method_the_default_is_of_the_dialect_that_the_parameters_show(
    auto: Client, observed: Observed, method: str, url: str, expected: object
) -> None:
    for question in (NEW_QUESTION, OLD_QUESTION):
        await heard(auto, question)
        response = await auto.request(method, url)
        assert (response.status, await response.json()) == (200, expected)
        assert observed[-1].decision.reason is Reason.REFUSED


async def test_what_shows_no_dialect_is_answered_in_that_of_the_last_question(auto: Client, bugs: Bugs) -> None:
    assert await body_of_unreadable(auto) == DEFAULT, "nobody has asked yet"
    assert await heard(auto, "/favicon.ico") == DEFAULT
    for question, expected in ((NEW_QUESTION, NEW_DEFAULT), (OLD_QUESTION, DEFAULT), (NEW_QUESTION, NEW_DEFAULT)):
        await heard(auto, question)
        assert await body_of_unreadable(auto) == expected
        assert await heard(auto, "/favicon.ico") == expected
    assert bugs.reported == []


async def test_who_may_not_ask_does_not_choose_the_dialect_of_others(
    aiohttp_client: Connect, observed: Observed, bugs: Bugs
) -> None:
    made = in_both(Access(tokens=[TOKEN]))
    client = await aiohttp_client(ListenerServer(SwitchListener(made, observed.extend, bugs)))
    assert await heard(client, NEW_QUESTION) == {"transfer": {"target": "queue/200"}}
    assert observed[0].decision.reason is Reason.REFUSED
    assert await body_of_unreadable(client) == DEFAULT
    assert await heard(client, f"{NEW_QUESTION}&token={TOKEN}") == NEW_GREETED
    await heard(client, OLD_QUESTION)
    assert await body_of_unreadable(client) == NEW_DEFAULT


async def test_a_dialect_that_is_no_longer_spoken_is_not_answered_in(
    aiohttp_client: Connect, observed: Observed, bugs: Bugs
) -> None:
    listener = SwitchListener(in_both(), observed.extend, bugs)
    client = await aiohttp_client(ListenerServer(listener))
    assert await heard(client, NEW_QUESTION) == NEW_GREETED
    listener.answering = answering()
    assert await body_of_unreadable(client) == DEFAULT
    assert await heard(client, "/favicon.ico") == DEFAULT
    listener.answering = answering(SantralProgramlama())
    assert await body_of_unreadable(client) == NEW_DEFAULT
    assert await heard(client, "/musteri.json") == NEW_DEFAULT, "every question is of the one form that there is"


class BrokenAnew(SantralProgramlama):
    """A dialect that fails while a call is going on."""

    def render(self, decision: Decision) -> bytes:
        if decision.reason is not Reason.REFUSED:
            raise RuntimeError("a bug")
        return super().render(decision)


async def test_a_bug_in_one_dialect_gets_its_own_default_and_leaves_the_other_alone(
    aiohttp_client: Connect, observed: Observed, bugs: Bugs
) -> None:
    made = in_both(new=BrokenAnew())
    client = await aiohttp_client(ListenerServer(SwitchListener(made, observed.extend, bugs)))
    assert await heard(client, NEW_QUESTION) == NEW_DEFAULT
    assert await heard(client, OLD_QUESTION) == GREETED
    assert [answered.decision.reason for answered in observed] == [Reason.BUG, Reason.RULE]
    assert [(where, type(exc)) for where, exc in bugs.reported] == [("listener", RuntimeError)]


async def test_a_question_of_whose_parameters_one_comes_twice_is_answered_in_its_dialect(auto: Client) -> None:
    assert await heard(auto, f"{NEW_QUESTION}&cli=05301234567") == NEW_GREETED
    assert await heard(auto, f"{NEW_QUESTION}&cli=1003") == NEW_DEFAULT


async def test_a_dialogue_is_held_over_the_socket(aiohttp_client: Connect, observed: Observed, bugs: Bugs) -> None:
    listener = SwitchListener(Deployment(talkative()).answering, observed.extend, bugs)
    client = await aiohttp_client(ListenerServer(listener))
    question = f"/musteri.json?uuid=u-1&cli={STRANGER}&cld="
    asked = await heard(client, f"{question}&step=1")
    assert isinstance(asked, dict)
    assert asked["prompt"]["param_name"] == "customer_no"
    assert await heard(client, f"{question}&step=2&customer_no=777&error=") == {
        "transfer": {"greet_name": "Ayşe Demir", "lang": "tr-TR", "target": "user/1005"}
    }
    assert await heard(client, f"/musteri.json?telefon={STRANGER}") == {"target": "queue/202"}
    assert [answered.decision.step for answered in observed] == ["customer_no", "", ""]
    assert bugs.reported == []


async def test_answers_that_are_written_together_are_told_together_when_they_are_out() -> None:
    told: list[int] = []
    listener = SwitchListener(in_both(), lambda given: told.append(len(given)), Bugs())
    for _ in range(3):
        listener.answer_unreadable(None)
    assert told == []
    await asyncio.sleep(0)
    listener.answer_unreadable(None)
    await asyncio.sleep(0)
    assert told == [3, 1]
