"""The short way: what is answered again before it is read, and what is not."""

import asyncio
import json
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from proxy import tracing
from proxy.deployment import Deployment
from proxy.entry import Entry, pack
from proxy.journal import Answered, Given, Repeated
from proxy.model import Contact, Reason, Via
from proxy.phone import Withheld
from proxy.web import front, ready
from proxy.web.connections import KEEP_ALIVE, LimitedConnection
from proxy.web.ready import ReadyAnswers
from proxy.web.switch import SwitchListener
from tests.unit.deployed import configured
from tests.unit.fakes import AHMET, NUMBER, After, Bugs, FakeAdapter
from tests.unit.talking import talkative
from tests.unit.test_journal import answered
from tests.unit.web.listening import settle

GREETED = {"name": "Ahmet Yılmaz", "target": "queue/201"}
RULES = [{"name": "gold", "when": {"tier": "gold"}, "target": "queue/201"}]
QUESTION = b"GET /musteri.json?telefon=05301234567 HTTP/1.1\r\nHost: x\r\n\r\n"


class Switch:
    """A switch that asks a listener of a deployment, and what that has told of its answers."""

    def __init__(self, deployment: Deployment, listener: type[SwitchListener] = SwitchListener) -> None:
        self.deployment = deployment
        self.answered: list[Answered] = []
        self.repeated: list[Repeated] = []
        self.call_ids: list[str] = []
        self.since: list[float] = []
        self.seconds: list[float] = []
        self.listener = listener(deployment.answering, self.answered.extend, Bugs(), observe_repeated=self._told_again)
        self._runner = web.ServerRunner(self.listener.server(), shutdown_timeout=0.1)
        self._writers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()

    async def stop(self) -> None:
        for writer in self._writers:
            writer.close()
        await self._runner.cleanup()

    async def connect(self) -> "Connection":
        reader, writer = await asyncio.open_connection(*self._runner.addresses[0][:2])
        self._writers.append(writer)
        return Connection(reader, writer)

    async def told(self) -> tuple[int, int]:
        """Return how many answers took the whole way, and how many the short one."""
        await settle(0.01)
        return len(self.answered), len(self.repeated)

    def _told_again(self, given: Sequence[Given], since: float) -> None:
        self.repeated += [repeated for repeated, _, _ in given]
        self.call_ids += [call_id for _, _, call_id in given]
        self.seconds += [seconds for _, seconds, _ in given]
        self.since.append(since)


class Connection:
    """One connection of the switch."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, question: bytes = QUESTION) -> tuple[bytes, Any]:
        """Return the head of the answer, and what its body says."""
        self.writer.write(question)
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)
        (length,) = re.findall(rb"Content-Length: (\d+)", head)
        return head, json.loads(await self.reader.readexactly(int(length)))


Switches = Callable[..., Any]


@pytest.fixture
async def switch_for() -> AsyncIterator[Switches]:
    """Return what makes switches of deployments."""
    made: list[Switch] = []

    async def make(
        deployment: Deployment | None = None, listener: type[SwitchListener] = SwitchListener, **sections: Any
    ) -> Switch:
        configuration = configured(FakeAdapter(AHMET), **{"rules": RULES, **sections})
        switch = Switch(deployment or Deployment(configuration), listener)
        made.append(switch)
        await switch.start()
        return switch

    yield make
    for switch in made:
        await switch.stop()


@pytest.fixture
async def switch(switch_for: Switches) -> Switch:
    """Return a switch that has asked twice, so that the answer is ready."""
    switch: Switch = await switch_for()
    connection = await switch.connect()
    for _ in range(2):
        await connection.ask()
    assert await switch.told() == (2, 0)
    return switch


def without_date(head: bytes) -> bytes:
    return re.sub(rb"Date: [^\r]+", b"Date:", head)


async def test_what_came_out_of_the_cache_is_answered_again_to_the_letter(switch_for: Switches) -> None:
    switch = await switch_for()
    connection = await switch.connect()
    (_, by_crm), (whole, by_cache), (short, again) = [await connection.ask() for _ in range(3)]
    assert by_crm == by_cache == again == GREETED
    assert without_date(whole) == without_date(short)
    assert await switch.told() == (2, 1)
    assert await (await switch.connect()).ask() == (short, again)
    assert await switch.told() == (2, 2)


async def test_its_date_is_that_of_now(switch: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.5)
    head, _ = await (await switch.connect()).ask()
    assert b"Date: Fri, 15 Jan 2027 08:00:00 GMT" in head
    assert await switch.told() == (2, 1)


async def test_it_is_told_with_the_time_that_it_took(switch: Switch) -> None:
    began = time.monotonic()
    connection = await switch.connect()
    for _ in range(3):
        await connection.ask()
    assert await switch.told() == (2, 3)
    (repeated,) = {id(each): each for each in switch.repeated}.values()
    again, before = repeated.answered(0.1, switch.answered[1].at), switch.answered[1]
    assert again.decision == before.decision
    assert again.decision.via is Via.CACHE
    assert (again.dialect, again.routing, again.explanation()) == (before.dialect, before.routing, again.explanation())
    assert all(0 < seconds < 5 for seconds in switch.seconds)
    assert all(began < since < time.monotonic() for since in switch.since)


async def test_several_at_once_are_told_together(switch: Switch) -> None:
    (answer,) = switch.deployment.answering.ready.values()
    switch.listener.repeat(answer, 0.1)
    switch.listener.repeat(answer, 0.2)
    await switch.told()
    assert (switch.seconds, len(switch.since)) == ([0.1, 0.2], 1)


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
@pytest.mark.parametrize("connection", [b"", b"Connection: close\r\n", b"Connection: keep-alive\r\n"])
async def test_a_connection_ends_as_after_the_whole_way(
    switch_for: Switches, version: bytes, connection: bytes
) -> None:
    question = b"GET /musteri.json?telefon=05301234567 HTTP/%b\r\nHost: x\r\n%b\r\n" % (version, connection)
    is_to_end = (version == b"1.0" and b"keep" not in connection) or b"close" in connection
    switch = await switch_for()
    heads = []
    for _ in range(3):
        peer = await switch.connect()
        head, said = await peer.ask(question)
        assert said == GREETED
        try:
            is_over = await asyncio.wait_for(peer.reader.read(), 5 if is_to_end else 0.05) == b""
        except TimeoutError:
            is_over = False
        heads.append((without_date(head), is_over))
    assert heads[0] == heads[1] == heads[2]
    assert heads[2][1] is is_to_end
    assert await switch.told() == (2, 1)


@pytest.mark.parametrize(("ending", "waiting"), [(b"Connection: close\r\n", 0), (b"", 1)])
async def test_nobody_waits_for_a_further_question_on_a_connection_that_ends_with_the_answer(
    switch_for: Switches, ending: bytes, waiting: int
) -> None:
    question, switch = QUESTION[:-2] + ending + b"\r\n", await switch_for()
    for _ in range(2):
        await (await switch.connect()).ask(question)
    await switch.told()
    before = asyncio.all_tasks()
    peer = await switch.connect()
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == before
    peer.writer.write(question)
    await peer.reader.readuntil(b"}")
    assert len(asyncio.all_tasks() - before) == waiting
    assert await switch.told() == (2, 1)


async def test_a_connection_on_which_nothing_comes_any_more_is_closed_after_the_short_way_too(
    switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    now = loop.time
    peer = await switch.connect()
    await peer.ask()
    assert await switch.told() == (2, 1)
    monkeypatch.setattr(loop, "time", lambda: now() + KEEP_ALIVE - 5)
    await asyncio.sleep(0.01)
    assert not peer.reader.at_eof()
    monkeypatch.setattr(loop, "time", lambda: now() + 2 * KEEP_ALIVE)
    assert await asyncio.wait_for(peer.reader.read(), 5) == b""


# ---------------------------------------------------------------------------------------- what is no longer so


async def test_a_contact_that_has_changed_goes_the_whole_way(switch: Switch) -> None:
    cache = switch.deployment.directory.cache
    known = cache.peek(NUMBER.e164)
    assert known is not None
    cache.put(NUMBER.e164, replace(known, contact=replace(AHMET, name="Ayşe Demir")))
    connection = await switch.connect()
    assert (await connection.ask())[1]["name"] == "Ayşe Demir"
    assert await switch.told() == (3, 0)
    assert (await connection.ask())[1]["name"] == "Ayşe Demir"
    assert await switch.told() == (3, 1)


@pytest.mark.parametrize("bound", ["fresh_until", "refresh_from"])
async def test_so_does_one_that_is_to_be_looked_up_again(switch_for: Switches, bound: str) -> None:
    switch = await switch_for()
    now = time.monotonic()
    fresh_until, refresh_from = (now + 1, math.inf) if bound == "fresh_until" else (now + 100, now + 1)
    entry = Entry(AHMET, fresh_until, now + 100, refresh_from)
    switch.deployment.directory.cache.put(NUMBER.e164, entry)
    connection = await switch.connect()
    for _ in range(2):
        await connection.ask()
    assert await switch.told() == (1, 1)
    await asyncio.sleep(1)
    await connection.ask()
    assert await switch.told() == (2, 1)


async def test_what_is_erased_is_nowhere_among_the_answers(switch: Switch) -> None:
    assert switch.deployment.answering.ready
    switch.deployment.forget(NUMBER)
    assert not switch.deployment.answering.ready
    await (await switch.connect()).ask()
    assert await switch.told() == (3, 0)


async def test_another_configuration_answers_by_itself(switch: Switch) -> None:
    deployment = Deployment(configured(FakeAdapter(AHMET), switch={"default": "queue/300"}), None, switch.deployment)
    switch.listener.answering = deployment.answering
    assert (await (await switch.connect()).ask())[1] == {"name": "Ahmet Yılmaz", "target": "queue/300"}
    assert await switch.told() == (3, 0)


async def test_with_hours_an_answer_is_good_for_its_minute(
    switch_for: Switches, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [{"name": "day", "during": "office", "target": "queue/201"}]
    switch = await switch_for(hours={"office": {"from": "00:00", "to": "24:00"}}, rules=rules)
    now = ready._now()
    monkeypatch.setattr(ready, "_now", lambda: now)
    connection = await switch.connect()
    for _ in range(3):
        await connection.ask()
    assert await switch.told() == (2, 1)
    monkeypatch.setattr(ready, "_now", lambda: now + 60)
    await connection.ask()
    assert await switch.told() == (3, 1)


# ---------------------------------------------------------------------------------------- who may ask


async def test_another_address_goes_the_whole_way(switch: Switch) -> None:
    (answer,) = switch.deployment.answering.ready.values()
    assert answer.peer == "127.0.0.1"
    answer.peer = "127.0.0.2"
    await (await switch.connect()).ask()
    assert await switch.told() == (3, 0)


async def test_each_call_counts_where_they_are_counted(switch_for: Switches) -> None:
    access = {"rate": 0.001, "burst": 5}
    switch = await switch_for(switch={"default": "queue/200", "access": access})
    connection = await switch.connect()
    answers = [(await connection.ask())[1]["target"] for _ in range(8)]
    assert answers == ["queue/201"] * 5 + ["queue/200"] * 3
    assert await switch.told() == (5, 3)
    assert [each.decision.reason for each in switch.answered[2:]] == [Reason.REFUSED] * 3


async def test_a_wrong_token_is_never_ready(switch_for: Switches) -> None:
    token = "0123456789abcdef"
    switch = await switch_for(switch={"default": "queue/200", "access": {"tokens": [token]}})
    connection = await switch.connect()
    for _ in range(3):
        assert (await connection.ask())[1] == {"target": "queue/200"}
    good = QUESTION.replace(b"telefon", b"token=%b&telefon" % token.encode())
    for _ in range(3):
        assert (await connection.ask(good))[1] == GREETED
    assert (await connection.ask())[1] == {"target": "queue/200"}
    assert await switch.told() == (6, 1)


# ---------------------------------------------------------------------------------------- what never takes it


@pytest.mark.parametrize(
    "question",
    [
        QUESTION.replace(b"GET", b"POST"),
        QUESTION.replace(b"telefon=05301234567", b""),
        QUESTION.replace(b"05301234567", b"100"),
        QUESTION.replace(b"05301234567", b"anonymous"),
        QUESTION.replace(b"05301234567", b"12x"),
        QUESTION.replace(b"musteri", b"other"),
        QUESTION.replace(b"Host", b"Content-Length: 2\r\nHost") + b"{}",
        QUESTION.replace(b"Host", b"X: " + b"x" * front.LONGEST + b"\r\nHost"),
    ],
)
async def test_what_is_no_plain_question_about_a_number_goes_the_whole_way(
    switch_for: Switches, question: bytes
) -> None:
    await all_take_the_whole_way(await switch_for(), [question] * 4)


async def all_take_the_whole_way(switch: Switch, questions: Sequence[bytes]) -> None:
    connection = await switch.connect()
    for question in questions:
        await connection.ask(question)
    assert await switch.told() == (len(questions), 0)
    assert not switch.deployment.answering.ready


async def test_a_question_in_two_parts_goes_the_whole_way(switch: Switch) -> None:
    connection = await switch.connect()
    for part in (QUESTION[:20], QUESTION[20:]):
        connection.writer.write(part)
        await asyncio.sleep(0.02)
    await connection.reader.readuntil(b"}")
    assert await switch.told() == (3, 0)
    await connection.ask()
    assert await switch.told() == (3, 1)


async def test_so_do_two_at_once(switch: Switch) -> None:
    connection = await switch.connect()
    connection.writer.write(QUESTION * 2)
    for _ in range(2):
        await asyncio.wait_for(connection.reader.readuntil(b"}"), 5)
    assert await switch.told() == (4, 0)


@pytest.mark.parametrize("reading", [front.ShortWay._read, LimitedConnection._read])
@pytest.mark.parametrize("body", [b"", b"body"])
async def test_what_comes_behind_the_beginning_of_a_question_goes_on_with_it(
    switch_for: Switches, monkeypatch: pytest.MonkeyPatch, body: bytes, reading: Callable[..., None]
) -> None:
    monkeypatch.setattr(front.ShortWay, "_read", reading)  # where a beginning is not seen, nothing is kept for it
    contacts = [replace(AHMET, numbers=("05301234567",)), Contact("Berna Kaya", numbers=("05321112233",))]
    adapter = FakeAdapter(After(0.1, contacts))
    switch = await switch_for(deployment=Deployment(configured(adapter, rules=RULES)))
    before = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n" if body else b""
    for place, contact in enumerate([contacts[0]] * 3 + [contacts[1]]):
        connection = await switch.connect()
        slow = QUESTION.replace(b"1234567", b"999000%d" % place)
        beginning = b"GET /musteri.json?telefon=" + contact.numbers[0].encode()
        for part in (slow + before, body + beginning):
            connection.writer.write(part)
            await asyncio.sleep(0.02)
        for _ in range(2 if body else 1):
            await asyncio.wait_for(connection.reader.readuntil(b"}"), 5)
        connection.writer.write(b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert contact.name.encode() in await asyncio.wait_for(connection.reader.readuntil(b"}"), 5)


async def test_what_looks_like_a_question_within_another_one_is_none(switch_for: Switches) -> None:
    adapter = FakeAdapter(After(0.1, AHMET))
    switch = await switch_for(deployment=Deployment(configured(adapter, rules=RULES)))
    connection = await switch.connect()
    for _ in range(3):
        await connection.ask()
    assert await switch.told() == (2, 1)
    for part in (QUESTION.replace(b"1234567", b"9990000"), b"GET /elsewhere HTTP/1.1\r\nHost: x\r\nX: "):
        connection.writer.write(part)
        await asyncio.sleep(0.02)
    await asyncio.wait_for(connection.reader.readuntil(b"}"), 5)
    assert (await connection.ask())[1] == {"target": "queue/200"}
    assert await switch.told() == (4, 1)


async def test_where_somebody_wants_traces_all_go_the_whole_way(
    switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch.deployment.answering.ready.clear()
    monkeypatch.setattr(tracing, "is_on", lambda: True)
    for _ in range(3):
        await (await switch.connect()).ask()
    assert await switch.told() == (5, 0)


@pytest.mark.parametrize("size", [2, 10])
async def test_the_answer_that_was_not_given_for_longest_goes(
    switch_for: Switches, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(ready, "MOST_READY", 12 - size)
    switch = await switch_for(cache={"size": size})
    connection = await switch.connect()
    questions = [QUESTION.replace(b"Host: x", b"Host: %b" % host) for host in (b"a", b"b", b"c")]
    await connection.ask(questions[0])
    for question in (questions[0], questions[1], questions[0], questions[2]):
        await connection.ask(question)
    assert [*switch.deployment.answering.ready] == [questions[0], questions[2]]


async def test_a_garbled_question_is_answered_in_the_form_of_the_last_one(switch_for: Switches) -> None:
    switch = await switch_for(deployment=Deployment(talkative()))
    connection = await switch.connect()
    for _ in range(2):
        await connection.ask()
    await connection.ask(b"GET /musteri.json?uuid=a&cli=05301234567&step=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    await connection.ask()
    assert await switch.told() == (3, 1)
    assert "target" in (await connection.ask(b"nonsense\r\n\r\n"))[1]


class Erasing(SwitchListener):
    """A listener that is told to erase a number while its answer goes out."""

    deployment: Deployment

    async def answer(self, request: web.BaseRequest) -> web.Response:
        response = await super().answer(request)
        self.deployment.forget(NUMBER)
        return response


async def test_what_is_erased_while_it_is_answered_is_not_kept(switch_for: Switches) -> None:
    deployment = Deployment(configured(FakeAdapter(AHMET), rules=RULES))
    now = time.monotonic()
    deployment.directory.cache.put(NUMBER.e164, Entry(AHMET, now + 100, now + 100))
    switch = await switch_for(deployment=deployment, listener=Erasing)
    switch.listener.deployment = deployment
    await (await switch.connect()).ask()
    assert await switch.told() == (1, 0)
    assert switch.answered[0].decision.via is Via.CACHE
    assert not deployment.answering.ready


async def test_a_bug_on_the_short_way_costs_no_call(switch: Switch) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    (answer,) = switch.deployment.answering.ready.values()
    answer.bucket = (cast(Any, None), 0)
    assert (await (await switch.connect()).ask())[1] == GREETED
    assert await switch.told() == (3, 0)
    assert [type(each["exception"]) for each in complaints] == [AttributeError]


def test_what_was_decided_without_a_number_or_by_nothing_is_never_ready() -> None:
    deployment = Deployment(configured(FakeAdapter(AHMET)))
    ready, given = deployment.answering.ready, answered(via=Via.CACHE)
    deployment.directory.cache.put(NUMBER.e164, Entry(AHMET, 1.0, 2.0))
    kept = ready.kept(NUMBER.e164)
    assert kept is not None
    assert ready.made_of(given, kept) is not None
    for other in (replace(given, call=None), replace(given, routing=None), answered(via=Via.CRM)):
        assert ready.made_of(other, kept) is None
    assert ready.made_of(answered(Withheld(), via=Via.CACHE), kept) is None
    assert ready.made_of(given, pack(Entry(AHMET, 1.0, 3.0))) is None, "something else is kept meanwhile"
    assert ReadyAnswers().made_of(given, kept) is None


# ---------------------------------------------------------------------------------------- dialogues


FIRST = b"GET /musteri.json?uuid=%b&cli=05301234567&cld=08505321234&step=1 HTTP/1.1\r\nHost: x\r\n\r\n"
CALL_ID = "651f8a68-782e-11e7-a6b6-%012d"
TALK_RULES = [
    {"name": "strangers", "caller": {"kind": ["unknown", "withheld"]}, "ask": "customer_no"},
    {"name": "gold", "when": {"tier": "gold"}, "target": "queue/201"},
]


def first(place: int, call_id: str = CALL_ID) -> bytes:
    """Return the first question about some call."""
    return FIRST % (call_id % place).encode()


@pytest.fixture
async def dialogues(switch_for: Switches) -> Switch:
    """Return a switch that has asked about two calls, so that the answer is ready for a third."""
    switch: Switch = await switch_for(deployment=Deployment(talkative(rules=TALK_RULES)))
    connection = await switch.connect()
    for place in range(2):
        await connection.ask(first(place))
    assert await switch.told() == (2, 0)
    return switch


async def test_a_dialogue_begins_as_before_whatever_its_id(dialogues: Switch) -> None:
    connection = await dialogues.connect()
    whole = await connection.ask(first(7, "other-%d"))
    dialogues.deployment.answering.ready.clear()
    (head, said), (again_head, again) = [await connection.ask(first(place)) for place in (8, 9)]
    assert said == again == whole[1]
    assert said == {"transfer": {"greet_name": "Ahmet Yılmaz", "lang": "tr-TR", "target": "queue/201"}}
    assert without_date(head) == without_date(again_head) == without_date(whole[0])
    assert await dialogues.told() == (3, 2)
    assert dialogues.call_ids == ["other-7", CALL_ID % 9]


async def test_it_is_told_as_after_the_whole_way(dialogues: Switch) -> None:
    await (await dialogues.connect()).ask(first(7))
    assert await dialogues.told() == (2, 1)
    before = dialogues.answered[1]
    assert before.call is not None
    again = dialogues.repeated[0].answered(before.seconds, before.at, before.call.call_id)
    assert again.call == replace(before.call, at=before.at)
    assert again.told() == before.told()
    assert again.told()["called"] == "+90********34"
    one, other = again.explanation(), before.explanation()
    assert one is not None
    assert other is not None
    assert one.considered == other.considered
    assert one.knowledge.situation == replace(other.knowledge.situation, call=again.call)
    assert one.knowledge.situation.steps is other.knowledge.situation.steps, "each answer that is ready has it"
    assert other.knowledge.situation.steps == frozenset({"customer_no"})


async def test_the_same_question_about_a_call_takes_the_whole_way_and_is_answered_as_it_was(dialogues: Switch) -> None:
    connection = await dialogues.connect()
    _, said = await connection.ask(first(7))
    cache = dialogues.deployment.directory.cache
    known = cache.peek(NUMBER.e164)
    assert known is not None
    cache.put(NUMBER.e164, replace(known, contact=replace(AHMET, name="Ayşe Demir")))
    assert (await connection.ask(first(7)))[1] == said, "it was remembered"
    assert await dialogues.told() == (3, 1)
    assert (await connection.ask(first(8)))[1]["transfer"]["greet_name"] == "Ayşe Demir"


async def test_what_comes_next_in_a_call_that_was_answered_as_before_is_answered_as_ever(
    switch_for: Switches,
) -> None:
    said = []
    for is_ready in (True, False):
        switch = await switch_for(deployment=Deployment(talkative(rules=TALK_RULES)))
        if not is_ready:
            switch.listener.answering = replace(switch.deployment.answering, ready=ReadyAnswers())
        connection = await switch.connect()
        for place in range(3):
            await connection.ask(first(place))
        later = [
            first(2).replace(b"step=1", b"step=2" + heard)
            for heard in (b"", b"&customer_no=777", b"&error=1", b"&result=x")
        ]
        answers = [(await connection.ask(question))[1] for question in (*later, *later, first(2))]
        decided = [(one.decision.reason, one.decision.heard, one.decision.via) for one in switch.answered[-9:]]
        said.append((answers, decided))
        assert (await switch.told())[1] == is_ready
    assert said[0] == said[1]


async def test_an_erase_forgets_calls_that_were_answered_as_before(dialogues: Switch) -> None:
    connection = await dialogues.connect()
    await connection.ask(first(7))
    memory = dialogues.deployment.dialogues.memory
    assert len(memory) == 3
    dialogues.deployment.forget(NUMBER)
    assert len(memory) == 0
    await connection.ask(first(7))
    assert await dialogues.told() == (3, 1)


@pytest.mark.parametrize(
    "question",
    [
        FIRST.replace(b"step=1", b"step=2"),
        FIRST.replace(b"step=1", b"step=1&customer_no=777"),
        FIRST.replace(b"step=1", b"step=1&result=x"),
        FIRST.replace(b"step=1", b"step=1&error=timeout"),
        FIRST.replace(b"05301234567", b"05559998877"),  # whom nobody knows, and who is asked
        FIRST.replace(b"05301234567", b"100"),
        FIRST.replace(b"&cli", b"&uuid=other&cli"),
        FIRST.replace(b"step=1", b"step=1&%%75uid=other"),
        FIRST.replace(b"uuid=", b"uuid=%%20"),
        FIRST.replace(b"uuid=", b"uuid=" + b"a" * 64),  # so long an id is none
        FIRST.replace(b"uuid=", b"%%75uid="),
        FIRST.replace(b"uuid=%b", b"uuid=%%20").replace(b"08505321234", b"0?uuid=%b"),
        FIRST.replace(b"uuid=%b", b"").replace(b" HTTP", b"#&uuid=%b HTTP"),
        FIRST.replace(b"uuid=%b", b"uuid=a").replace(b" HTTP", b"#&uuid=%b HTTP"),
        FIRST.replace(b"GET", b"POST"),
    ],
)
async def test_what_does_not_plainly_begin_a_dialogue_takes_the_whole_way(
    switch_for: Switches, question: bytes
) -> None:
    switch = await switch_for(deployment=Deployment(talkative(rules=TALK_RULES)))
    await all_take_the_whole_way(switch, [question % str(place).encode() for place in range(4)])


async def test_an_id_behind_the_question_is_none(dialogues: Switch) -> None:
    connection = await dialogues.connect()
    whole = first(7).replace(b" HTTP", b"#&uuid=other HTTP")
    await connection.ask(first(3).replace(b" HTTP", b"#&uuid=other HTTP"))
    await connection.ask(whole)
    assert dialogues.call_ids == [CALL_ID % 7]


async def test_none_is_ready_where_no_calls_are_remembered(switch_for: Switches) -> None:
    switch = await switch_for(deployment=Deployment(talkative(rules=TALK_RULES)))
    switch.listener.answering = replace(switch.deployment.answering, ready=ReadyAnswers(switch.deployment.directory))
    connection = await switch.connect()
    for place in range(3):
        await connection.ask(first(place))
    assert await switch.told() == (3, 0)


async def test_aiohttp_learns_of_a_connection_that_is_answered_at_once_only_if_it_goes_on(
    switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[object] = []
    serve = RequestHandler.connection_made

    def noted(connection: RequestHandler, wire: asyncio.BaseTransport) -> None:
        served.append(connection)
        serve(connection, wire)

    monkeypatch.setattr(RequestHandler, "connection_made", noted)
    closing = QUESTION.replace(b"Host", b"Connection: close\r\nHost")
    for _ in range(4):
        connection = await switch.connect()
        await connection.ask(closing)
        assert await asyncio.wait_for(connection.reader.read(), 5) == b""
    assert await switch.told() == (3, 3)
    assert len(served) == 1, "the whole way, once"
    await (await switch.connect()).ask()
    assert await switch.told() == (3, 4)
    assert len(served) == 2, "somebody must close it when nothing comes any more"
