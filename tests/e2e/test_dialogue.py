"""Dialogues over HTTP: the whole story, both dialects on one URL, repetitions, restarts, crowds and guesses."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.conftest import Serve
from tests.e2e.running import Serving, call
from tests.e2e.switching import CUSTOMERS, KNOWN, STRANGER, Customers, SwitchCall, toml

UNKNOWN = {"transfer": {"target": "queue/202"}}
DIGITS = {"min_digits": "5", "max_digits": "6", "retry_count": "1", "param_name": "musteri_no"}
ASKED = {"prompt": {"phrase": "Lütfen müşteri numaranızı tuşlayın.", "lang": "tr-TR", **DIGITS}}
ASKED_AGAIN = {"prompt": {"phrase": "Bulamadık. Lütfen yeniden tuşlayın.", "lang": "tr-TR", **DIGITS}}


def found(number: str) -> object:
    name, extension = CUSTOMERS[f"C-{number}"]
    return {"transfer": {"greet_name": name, "lang": "tr-TR", "target": f"user/{extension}"}}


@pytest.fixture
async def crm() -> AsyncIterator[Customers]:
    async with Customers() as crm:
        yield crm


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)) as session:
        yield session


async def test_a_stranger_is_asked_answers_wrongly_then_rightly_and_gets_his_own_agent(
    crm: Customers, session: aiohttp.ClientSession, serve: Serve
) -> None:
    with serve(toml(crm.url)) as serving:
        switch = SwitchCall(serving, session)
        assert await switch.ask(1) == ASKED
        assert await switch.ask(2, musteri_no="99999", error="") == ASKED_AGAIN
        assert await switch.ask(3, musteri_no="", error="") == UNKNOWN
        switch = SwitchCall(serving, session)
        assert await switch.ask(1) == ASKED
        assert await switch.ask(2, musteri_no="99999", error="") == ASKED_AGAIN
        assert await switch.ask(3, musteri_no="10001", error="") == found("10001")
        lines = [await serving.line("call", count) for count in range(1, 7)]
    assert [line.get("heard") for line in lines] == [None, "not_found", "nothing", None, "not_found", "found"]
    assert [line.get("asks") for line in lines] == ["musteri_no", "musteri_no", None, "musteri_no", "musteri_no", None]
    assert [line["step"] for line in lines] == [1, 2, 3, 1, 2, 3]
    assert lines[5]["call_id"] == switch.call["uuid"]
    assert (lines[5]["reason"], lines[5]["rule"], lines[5]["target"]) == ("rule", "own agent", "user/1001")


async def test_both_dialects_are_spoken_on_one_url_and_the_old_ones_answers_are_as_ever(
    crm: Customers, session: aiohttp.ClientSession, serve: Serve
) -> None:
    asked = [KNOWN, STRANGER, "1003", "", None, "no number", KNOWN]
    with serve(toml(crm.url, switch='dialect = "musteri-tanima"')) as serving:
        alone = [(await call(serving, number)).body for number in asked]
    with serve(toml(crm.url)) as serving:
        together = []
        for number in asked:
            switch = SwitchCall(serving, session, cli=KNOWN)
            answer = {"transfer": {"greet_name": "Örnek Arayan", "lang": "tr-TR", "target": "user/1009"}}
            assert await switch.ask(1) == answer
            together.append((await call(serving, number)).body)
    assert together == alone
    assert alone[0].decode() == '{"name": "Örnek Arayan", "target": "user/1009"}'
    assert alone[1:6] == [b'{"target": "queue/202"}'] + [b'{"target": "queue/200"}'] * 4


async def test_a_repeated_question_costs_no_second_lookup(
    crm: Customers, session: aiohttp.ClientSession, serve: Serve
) -> None:
    with serve(toml(crm.url)) as serving:
        switch = SwitchCall(serving, session)
        for step, heard, answer in (
            (1, {}, ASKED),
            (2, {"musteri_no": "99999"}, ASKED_AGAIN),
            (3, {"musteri_no": "10002"}, found("10002")),
        ):
            answers = await asyncio.gather(*(switch.ask(step, **heard) for _ in range(20)))
            assert answers == [answer] * 20
        assert await switch.ask(1) == ASKED
        assert len(crm.requests) == 3


async def test_a_dialogue_goes_on_after_a_restart_between_two_questions(
    crm: Customers, session: aiohttp.ClientSession, serve: Serve
) -> None:
    serving = serve(toml(crm.url))
    switch = SwitchCall(serving, session)
    answers = [await switch.ask(1)]
    for step, keyed in ((2, "99999"), (3, "10003")):
        serving.process.send_signal(signal.SIGKILL)
        serving.process.wait()
        switch.serving = serving = serve(toml(crm.url))
        answers.append(await switch.ask(step, musteri_no=keyed, error=""))
    assert answers == [ASKED, ASKED_AGAIN, found("10003")]
    assert serving.stop() == 0


async def test_a_dialogue_goes_on_after_a_reload_and_knows_what_it_has_answered(
    crm: Customers, session: aiohttp.ClientSession, serve: Serve, tmp_path: Path
) -> None:
    with serve(toml(crm.url), folder=tmp_path) as serving:
        switch = SwitchCall(serving, session)
        assert await switch.ask(1) == ASKED
        (tmp_path / "config.toml").write_text(toml(crm.url).replace("user/{agent}", "voicemail/{agent}"), "utf-8")
        await serving.line("reloaded")
        assert await switch.ask(1) == ASKED
        assert (await switch.ask(2, musteri_no="10003"))["transfer"]["target"] == "voicemail/1003"
        assert len(crm.requests) == 2


async def test_five_hundred_dialogues_at_once_are_never_mixed_up(
    crm: Customers, session: aiohttp.ClientSession, serve: Serve, figure: Callable[[str], None]
) -> None:
    numbers = [customer.removeprefix("C-") for customer in CUSTOMERS]

    async def hold(serving: Serving, place: int) -> None:
        number = numbers[place % 3]
        switch = SwitchCall(serving, session, cli=f"0555{place:07}" if place % 5 else "")
        assert await switch.ask(1) == ASKED
        assert await switch.ask(2, musteri_no=f"9{place:04}", error="") == ASKED_AGAIN
        if place % 7 == 0:
            assert await switch.ask(2, musteri_no=f"9{place:04}", error="") == ASKED_AGAIN
        assert await switch.ask(3, musteri_no=number, error="") == found(number)

    with serve(toml(crm.url, dialogue="guesses = 1000")) as serving:
        await asyncio.gather(*(hold(serving, place) for place in range(500)))
    figure(f"500 dialogues at once: {len(crm.requests)} requests to the CRM, every answer right")


@pytest.mark.parametrize(("cli", "guesses"), [(STRANGER, 2_000), ("", 500)])
async def test_who_tries_out_numbers_learns_next_to_nothing(  # noqa: PLR0917 - fixtures
    cli: str,
    guesses: int,
    crm: Customers,
    session: aiohttp.ClientSession,
    serve: Serve,
    figure: Callable[[str], None],
) -> None:
    """Each guess is made in a call of its own, and every second one is right."""
    numbers = [customer.removeprefix("C-") for customer in CUSTOMERS]
    names: list[str] = []

    async def guess(serving: Serving, places: range) -> None:
        for place in places:
            switch = SwitchCall(serving, session, cli=cli)
            number = numbers[place % 3] if place % 2 else f"{20000 + place}"
            answer = await switch.ask(2, musteri_no=number, error="")
            name = answer.get("transfer", {}).get("greet_name")
            names.extend([name] if name else [])

    with serve(toml(crm.url)) as serving:
        await asyncio.gather(*(guess(serving, range(start, guesses, 20)) for start in range(20)))
    assert len(crm.keyed) <= 5
    assert len(names) <= 5
    who = "one caller" if cli else "callers who withhold their number"
    figure(f"{guesses} keyed guesses of {who}: {len(crm.keyed)} lookups, {len(names)} names")


async def test_unreadable_requests_are_answered_in_the_form_in_which_the_switch_asks(
    crm: Customers, session: aiohttp.ClientSession, serve: Serve
) -> None:
    with serve(toml(crm.url)) as serving:
        async with session.get(f"{serving.url}/elsewhere") as response:
            assert await response.json() == {"target": "queue/200"}
        async with session.get(f"{serving.url}/elsewhere", params={"uuid": "1"}) as response:
            assert await response.json() == {"transfer": {"target": "queue/200"}}
        await SwitchCall(serving, session).ask(1)
        async with session.post(f"{serving.url}/elsewhere") as response:
            assert await response.json() == {"transfer": {"target": "queue/200"}}
