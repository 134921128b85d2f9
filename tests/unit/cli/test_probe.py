"""A switch that is answered late, or wrongly, on purpose, and what is told of it."""

import asyncio
import io
import json
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession

from proxy.cli import probe as probing
from proxy.cli.probe import Probe, probe, tell
from proxy.cli.trials import TRIALS, Trial, late
from proxy.deployment import Deployment
from proxy.target import Target
from tests.unit.deployed import configured
from tests.unit.fakes import FakeAdapter
from tests.unit.web.listening import ListenerServer

OLD = "telefon=05301234567"
NEW = "uuid=a&cli=05301234567&cld=08505321234&step=1"
NAMED = {trial.name: trial for trial in TRIALS}
NO_TRIAL = "no trial: {}; it got switch.default at once"
HANGS_UP = 0.15
"""Seconds after which a switch of these tests loses patience"""


async def until(holds: Callable[[], object]) -> None:
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never holds")


class Probed:
    """A probe that is asked over real sockets."""

    def __init__(self, probe: Probe, port: int, session: ClientSession, said: list[str]) -> None:
        self.probe = probe
        self.port = port
        self.said = said
        self._url = f"http://127.0.0.1:{port}"
        self._session = session

    async def ask(self, query: str = OLD, *, path: str = "/musteri.json", method: str = "GET") -> tuple[int, bytes]:
        """Ask as the switch does, with patience."""
        async with self._session.request(method, f"{self._url}{path}?{query}") as response:
            return response.status, await response.read()

    async def lose_patience(self, query: str = OLD) -> None:
        """Ask as a switch does that waits for no more than HANGS_UP once it is being answered."""
        told = len(self.said)
        asking = asyncio.ensure_future(self.ask(query))
        await until(lambda: len(self.said) > told)
        await asyncio.sleep(HANGS_UP)
        asking.cancel()
        await asyncio.wait({asking})
        assert asking.cancelled()
        await until(lambda: "hung up" in self.said[-1])

    def summary(self, deadline: float = 1.5) -> list[str]:
        return list(self.probe.summary(deadline))


@asynccontextmanager
async def probed(*trials: Trial, target: str = "queue/299", **switch: Any) -> AsyncIterator[Probed]:
    configuration = configured(FakeAdapter(), switch={"default": "queue/200", **switch})
    said: list[str] = []
    it = Probe(Deployment(configuration).answering, Target.parse(target), said.append, trials or TRIALS)
    async with ListenerServer(it) as server, ClientSession() as session:
        assert server.port
        yield Probed(it, server.port, session, said)


# ---------------------------------------------------------------------------------------- trials


def test_the_trials_are_longer_and_longer_waits_and_then_wrong_answers() -> None:
    waits = [trial.seconds for trial in TRIALS if trial.seconds]
    assert waits == sorted(waits) == [1, 2, 3, 5, 8, 13, 20, 30]
    assert list(NAMED) == [
        "0", "1", "2", "3", "5", "8", "13", "20", "30", "500", "404", "json", "empty", "no-target", "closed",
    ]  # fmt: skip
    assert [trial.name for trial in TRIALS if trial.is_proper] == [f"{seconds:g}" for seconds in (0, *waits)]


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        (OLD, {"name": "Deneme 0.1", "target": "queue/299"}),
        (NEW, {"transfer": {"greet_name": "Deneme 0.1", "lang": "tr-TR", "target": "queue/299"}}),
    ],
)
async def test_a_late_answer_is_greeted_by_its_trial_in_the_dialect_in_which_it_was_asked(
    query: str, answer: object
) -> None:
    async with probed(late(0.1)) as it:
        started = asyncio.get_running_loop().time()
        status, body = await it.ask(query)
        assert asyncio.get_running_loop().time() - started >= 0.1
    assert (status, json.loads(body)) == (200, answer)
    form = "musteri-tanima" if query == OLD else "santral-programlama"
    assert it.said == [
        f"trial 0.1 (1 of 1): answering after 0.1 s ... (+90********67, from 127.0.0.1, in the form {form})",
        "trial 0.1 (1 of 1): the switch waited; answered after 0.1 s, connection still open",
    ]


@pytest.mark.parametrize("query", [OLD, NEW])
@pytest.mark.parametrize(
    ("name", "status", "check"),
    [
        ("500", 500, lambda body: body == b"Internal Server Error"),
        ("404", 404, lambda body: body == b"Not Found"),
        ("json", 200, lambda body: body.startswith(b"{") and not body.endswith(b"}")),
        ("empty", 200, lambda body: body == b""),
        ("no-target", 200, lambda body: b"Deneme hedefsiz" in body and b"target" not in body and json.loads(body)),
    ],
)
async def test_a_wrong_answer_is_wrong_in_the_way_of_its_trial(
    query: str, name: str, status: int, check: Callable[[bytes], bool]
) -> None:
    async with probed(NAMED[name]) as it:
        told, body = await it.ask(query)
    assert told == status
    assert check(body), body
    assert len(it.said) == 1, "what the switch does with it, the caller hears"
    assert it.summary()[1] == f"{name:<10} got it at once"


async def test_a_connection_is_closed_in_the_place_of_an_answer() -> None:
    async with probed(NAMED["closed"]) as it:
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
        writer.write(f"GET /musteri.json?{OLD} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert await reader.read() == b""
        writer.close()
    assert it.summary()[1] == "closed     got it at once"


async def test_calls_that_come_at_once_have_a_trial_each_and_do_not_wait_for_each_other() -> None:
    async with probed(late(0.2), late(0.1), late(0)) as it:
        queries = [f"telefon=0530123456{digit}" for digit in range(4)]
        answers = await asyncio.gather(*map(it.ask, queries))
    names = [json.loads(body)["name"] for _, body in answers]
    assert sorted(names) == ["Deneme 0", "Deneme 0.1", "Deneme 0.2", "Deneme 0.2"], "after the last comes the first"
    waited = [line[:10] for line in it.said if "the switch waited" in line]
    assert waited == ["trial 0 (3", "trial 0.1 ", "trial 0.2 ", "trial 0.2 "]


# ---------------------------------------------------------------------------------------- hanging up, asking again


async def test_a_switch_that_hangs_up_is_measured() -> None:
    async with probed(late(9), late(0)) as it:
        await it.lose_patience()
        assert (await it.ask("telefon=05301234568"))[0] == 200, "and the next call has the next trial"
    assert re.fullmatch(r"trial 9 \(1 of 2\): the switch hung up after \d\.\d s", it.said[1])
    assert re.fullmatch(r"9          hung up after \d\.\d s", it.summary()[1])


@pytest.mark.parametrize(
    ("query", "greeted"),
    [(OLD, lambda answer: answer["name"]), (NEW, lambda answer: answer["transfer"]["greet_name"])],
)
async def test_a_call_that_asks_again_is_answered_at_once_and_uses_up_no_trial(
    query: str, greeted: Callable[[Any], str]
) -> None:
    async with probed(late(9), late(0)) as it:
        await it.lose_patience(query)
        assert greeted(json.loads((await it.ask(query))[1])) == "Deneme 9 tekrar"
        assert re.fullmatch(r"trial 9 \(1 of 2\): the switch asked again after \d\.\d s; answered at once", it.said[-1])
        assert re.search(r"hung up after \d\.\d s; asked again after \d\.\d s$", it.summary()[1])
        await it.ask(query)
        assert it.summary()[1].endswith(" s, 2 times in all")
        await it.ask("telefon=05301234568")
        assert "trial 0 (2 of 2)" in it.said[-1]


async def test_a_switch_that_asks_again_while_it_waits_is_answered_at_once() -> None:
    async with probed(late(0.3)) as it:
        first = asyncio.ensure_future(it.ask())
        await asyncio.sleep(0.1)
        assert json.loads((await it.ask())[1])["name"] == "Deneme 0.3 tekrar"
        assert not first.done()
        assert json.loads((await first)[1])["name"] == "Deneme 0.3"
    assert re.fullmatch(r"0.3        waited 0.3 s; asked again after \d\.\d s", it.summary()[1])


async def test_a_caller_who_calls_later_has_another_trial_but_an_id_is_one_call_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with probed(late(0)) as it:
        await it.ask(OLD)
        await it.ask(NEW)
        monkeypatch.setattr(probing, "SOON", 0.0)
        assert b"tekrar" not in (await it.ask(OLD))[1]
        assert b"tekrar" in (await it.ask(NEW))[1]
        assert b"tekrar" not in (await it.ask(NEW.replace("uuid=a", "uuid=b")))[1]


# ---------------------------------------------------------------------------------------- no trial


async def test_who_may_not_ask_gets_the_default_at_once_and_uses_up_no_trial() -> None:
    token = "made-up-made-up-made-up"
    async with probed(late(0), access={"tokens": [token]}) as it:
        assert await it.ask(NEW) == (200, b'{"transfer": {"target": "queue/200"}}')
        assert it.said == [NO_TRIAL.format("somebody who may not ask (switch.access)")]
        assert it.summary() == ["No call came."]
        assert json.loads((await it.ask(path=f"/{token}/musteri.json"))[1])["target"] == "queue/299"
    assert token not in "".join(it.said + it.summary())


@pytest.mark.parametrize(("path", "method"), [("/05301234567", "GET"), ("/musteri.json", "POST")])
async def test_what_is_no_question_of_a_switch_uses_up_no_trial(path: str, method: str) -> None:
    async with probed() as it:
        assert (await it.ask(path=path, method=method))[1] == b'{"target": "queue/200"}'
    assert it.said == [NO_TRIAL.format("a request that is not GET /musteri.json")]


async def test_a_parameter_that_nobody_knows_is_told_of() -> None:
    async with probed() as it:
        assert (await it.ask("phone=05301234567"))[1] == b'{"target": "queue/200"}'
    told = "a request with none of the parameters that name a caller (switch.parameter, switch.dialect)"
    assert it.said == [NO_TRIAL.format(told)]


async def test_what_cannot_be_read_is_shown_nowhere(capfd: pytest.CaptureFixture[str]) -> None:
    configuration = configured(FakeAdapter())
    said: list[str] = []
    it = Probe(Deployment(configuration).answering, Target.parse("queue/299"), said.append)
    async with ListenerServer(it) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /musteri.json?telefon=05301234567 \x01\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.0 400 ")
        writer.close()
    printed = capfd.readouterr()
    assert (printed.out, printed.err, said) == ("", "", [])


# ---------------------------------------------------------------------------------------- summing up


async def test_the_summary_tells_what_was_not_tried_and_from_where_the_switch_asked() -> None:
    async with probed(late(0), late(0), NAMED["500"], NAMED["404"]) as it:
        await it.ask()
        await it.ask(NEW)
    assert it.summary() == [
        "trial      the switch",
        "0          waited 0 s",
        "0          waited 0 s",
        "Not tried: 500, 404.",
        "It asked from 127.0.0.1, in the form musteri-tanima; and from 127.0.0.1, in the form santral-programlama.",
        "Nothing was answered late: there is no switch.deadline to advise.",
    ]


async def advice(waits: Sequence[float], deadline: float = 1.5, *, hangs_up: bool = False) -> str:
    async with probed(*map(late, waits)) as it:
        for place, seconds in enumerate(waits):
            query = f"telefon=0530123456{place}"
            await (it.lose_patience(query) if seconds > HANGS_UP and hangs_up else it.ask(query))
        return re.sub(r"after \d\.\d s", "after N s", it.summary(deadline)[-1])


async def test_a_deadline_is_advised_that_leaves_room_below_the_longest_wait() -> None:
    assert await advice([0, 0.4, 0.15], 0.2) == (
        "It waited 0.4 s, if Deneme 0.4 was heard. "
        "A switch.deadline of at most 0.2 s leaves room; 0.2 s, as it is now, is good."
    )


async def test_a_wait_that_was_borne_once_but_is_longer_than_one_that_was_not_does_not_count() -> None:
    async with probed(late(9), late(0.6), late(0.1)) as it:
        await it.lose_patience()
        await it.ask("telefon=05301234568")
        await it.ask("telefon=05301234569")
    assert re.sub(r"after \d\.\d s", "after N s", it.summary()[-1]) == (
        "It waited 0.1 s, if Deneme 0.1 was heard; it hung up after N s. "
        "A switch.deadline of at most 0.1 s leaves room; 1.5 s, as it is now, is too long."
    )


async def test_a_switch_that_waits_for_no_late_answer_is_advised_by_when_it_hung_up() -> None:
    assert re.sub(r"most \d\.\d s", "most N s", await advice([0, 9], hangs_up=True)) == (
        "It waited for no late answer; it hung up after N s. "
        "A switch.deadline of at most N s leaves room; 1.5 s, as it is now, is too long."
    )


# ---------------------------------------------------------------------------------------- the server


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_has_those_who_wait_answered_and_everything_summed_up(signal_number: int) -> None:
    said: list[str] = []
    configuration = configured(FakeAdapter())
    running = asyncio.ensure_future(
        probe(configuration, ("127.0.0.1", 0), Target.parse("queue/299"), [late(9)], said.append)
    )
    await until(lambda: len(said) == 3)
    assert re.fullmatch(r"Listening at http://127\.0\.0\.1:\d+/musteri\.json for calls to a test number\.", said[0])
    assert "goes to queue/299" in said[1]
    async with ClientSession() as session:
        asking = asyncio.ensure_future(session.get(f"{said[0].split()[2]}?{OLD}"))
        await until(lambda: len(said) == 4)
        signal.raise_signal(signal_number)
        signal.raise_signal(signal_number)
        async with await asking as response:
            assert (await response.json())["target"] == "queue/299"
    await asyncio.wait_for(running, 5)
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d trial 9 \(1 of 1\): "
        r"the probe was stopped while the switch waited; answered after \d\.\d s, .*",
        said[4],
    )
    assert said[6] == "9          was answered as the probe was stopped"


async def test_an_address_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        running = probe(configured(FakeAdapter()), taken.getsockname(), Target.parse("queue/299"), TRIALS, print)
        with pytest.raises(OSError, match="in use"):
            await running


async def test_answers_are_as_they_should_be_when_whoever_read_has_left(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(text)

    monkeypatch.setattr(sys, "stdout", Closed())
    answering = Deployment(configured(FakeAdapter(), switch={"default": "queue/200"})).answering
    it = Probe(answering, Target.parse("queue/299"), tell)
    async with ListenerServer(it) as server, ClientSession() as session:
        assert server.port
        status, body = await Probed(it, server.port, session, []).ask()
    assert (status, json.loads(body)["target"]) == (200, "queue/299")
