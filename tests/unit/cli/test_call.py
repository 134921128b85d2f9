import sys
from argparse import Namespace
from collections.abc import Iterable
from typing import Any

import pytest

from proxy.adapter import AdapterError
from proxy.cli import call
from proxy.cli.call import Terminal, hold_call
from proxy.config import Configuration
from proxy.config.dialogue import MOST_QUESTIONS
from tests.unit.talking import STEPS, STRANGER, CustomerBook, talkative

ASKS = [{"name": "all", "caller": {"kind": "anyone"}, "ask": "first"}]


class Scripted:
    """A terminal at which somebody types these lines, and then hangs up."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = iter(lines)
        self.shown: list[str] = []
        self.questions: list[str] = []

    def ask(self, question: str) -> str:
        self.questions.append(question)
        try:
            return next(self.lines)
        except StopIteration:
            raise EOFError from None


async def held(configuration: Configuration, *lines: str, number: str = STRANGER, called: str = "") -> Scripted:
    terminal = Scripted(lines)
    await hold_call(configuration, number, called or None, None, Terminal(terminal.shown.append, terminal.ask))
    return terminal


def asking(**step: Any) -> Configuration:
    return talkative(steps={"first": step}, rules=ASKS)


async def test_a_call_is_shown_from_its_first_question_to_its_target() -> None:
    terminal = await held(talkative(), "12345\n", "777\n", called="08505321234")
    uuid = terminal.shown[0].split("&")[0].removeprefix("> GET /musteri.json?uuid=")
    question = f"> GET /musteri.json?uuid={uuid}&cli={STRANGER}&cld=08505321234"
    told = [line for line in terminal.shown if not line.startswith("  crm: ")]
    asked = '"lang": "tr-TR", "min_digits": "3", "max_digits": "8", "retry_count": "1", "param_name": "customer_no"}}'
    assert told == [
        f"{question}&step=1",
        "  the caller is asked customer_no, because the rule 'strangers' matched",
        f'< {{"prompt": {{"phrase": "Müşteri numaranızı tuşlayın.", {asked}',
        "  The switch says in tr-TR: Müşteri numaranızı tuşlayın.",
        f"{question}&step=2&customer_no=12345&error=",
        "  the CRM does not know what was keyed",
        "  the caller is asked customer_no again",
        f'< {{"prompt": {{"phrase": "Bulamadık. Yeniden tuşlayın.", {asked}',
        "  The switch says in tr-TR: Bulamadık. Yeniden tuşlayın.",
        f"{question}&step=3&customer_no=777&error=",
        "  the CRM knows what was keyed",
        "  user/1005, because the rule 'own agent' matched",
        '< {"transfer": {"greet_name": "Ayşe Demir", "lang": "tr-TR", "target": "user/1005"}}',
        "  The switch greets in tr-TR: Merhaba, Ayşe Demir. Çağrınızı bağlıyorum",
        "  The call goes to user/1005.",
    ]
    assert [line.split(",")[0] for line in terminal.shown if line.startswith("  crm: ")] == [
        "  crm: unknown",
        "  crm: unknown",
        "  crm: found",
    ]
    assert "3 to 8 digits" in terminal.questions[0]


async def test_the_switch_itself_asks_again_for_what_is_no_good_and_then_tells_of_nothing() -> None:
    terminal = await held(talkative(), "12\n", "x\n")
    assert terminal.shown.count("  To the switch these are no digits that it was told to take.") == 2
    assert len(terminal.questions) == 2
    assert any(line.endswith("&step=2&customer_no=&error=") for line in terminal.shown)
    assert "  nothing was keyed or said" in terminal.shown


async def test_more_digits_than_were_asked_for_are_cut() -> None:
    terminal = await held(talkative(), "777777777777\n")
    assert any(line.endswith("&step=2&customer_no=77777777&error=") for line in terminal.shown)


async def test_who_hangs_up_ends_the_call() -> None:
    assert (await held(talkative())).shown[-1] == "  The caller hangs up."


async def test_a_caller_may_speak_and_be_recorded() -> None:
    steps = {
        "first": {"phrase": "Kaydediliyor.", "record": True, "then": "topic"},
        "topic": {"announcement": 7, "listen": 5, "choose": {"satış": "queue/301"}},
    }
    terminal = await held(talkative(steps=steps, rules=ASKS), "\n", "satış lütfen\n")
    assert "  The switch says in tr-TR: Kaydediliyor." in terminal.shown
    assert "  The switch plays the sound file 7." in terminal.shown
    assert any(line.endswith("&step=3&result=sat%C4%B1%C5%9F%20l%C3%BCtfen&error=") for line in terminal.shown)
    assert terminal.shown[-1] == "  The call goes to queue/301."
    assert "within 5 s" in terminal.questions[1]


async def test_nobody_has_to_speak_so_often_that_the_switch_has_enough() -> None:
    configuration = talkative(
        steps={"first": {"announcement": 7, "listen": 5, "keep": "x", "then": "first"}},
        rules=ASKS,
        dialogue={"max_steps": MOST_QUESTIONS},
    )
    terminal = await held(configuration, *["a\n"] * 20)
    assert len(terminal.questions) == MOST_QUESTIONS < 10
    assert terminal.shown[-1] == "  The call goes to queue/202."


@pytest.mark.parametrize(
    ("rule", "shown"),
    [
        ({"phrase": "Hoş geldiniz"}, ["  The switch says in tr-TR: Hoş geldiniz"]),
        ({"announcement_to_caller": 5}, ["  The switch plays the sound file 5 to the caller."]),
        ({"announcement_to_callee": 6}, ["  The switch plays the sound file 6 to whoever takes the call."]),
        ({"recording": False}, ["  The call is not recorded."]),
        ({"recording": True}, ["  The call is recorded."]),
        ({}, []),
    ],
)
async def test_all_that_the_switch_does_is_told(rule: dict[str, Any], shown: list[str]) -> None:
    rules = [{"name": "all", "caller": {"kind": "anyone"}, "target": "queue/301", **rule}]
    terminal = await held(talkative(steps={}, rules=rules))
    assert terminal.shown[4:] == [*shown, "  The call goes to queue/301."]


MENU = {
    "first": {"announcement": 7, "choose": {"1": "second", "2": "queue/301"}, "otherwise": "queue/309", "retries": 0},
    "second": {"announcement": 8, "keep": "x", "then": "queue/302", "otherwise": "first", "retries": 0},
}


@pytest.mark.parametrize(
    ("lines", "last_words"),
    [
        (["2\n"], "queue/301, where an answer to first leads"),
        (["\n"], "queue/309, where no good answer (otherwise) to first leads"),
        (["1\n", "5\n"], "queue/302, where an answer to second leads"),
        (["1\n", "\n", "2\n"], "queue/301, where an answer to first leads"),
    ],
)
async def test_it_is_told_which_step_led_where(lines: list[str], last_words: str) -> None:
    terminal = await held(talkative(steps=MENU, rules=ASKS), *lines)
    assert [line for line in terminal.shown if "leads" in line][-1] == f"  {last_words}"
    if len(lines) > 1:
        assert "  first leads to second" in terminal.shown


async def test_it_is_told_when_enough_was_asked() -> None:
    terminal = await held(talkative(steps=MENU, rules=ASKS, dialogue={"max_steps": 1}), "1\n")
    assert terminal.shown[-3:-1] == [
        "  queue/202, because the CRM does not know the caller",
        '< {"transfer": {"target": "queue/202"}}',
    ]
    assert "  enough was asked: second is not" in terminal.shown


async def test_trouble_with_the_crm_and_bugs_of_adapters_are_shown() -> None:
    book = CustomerBook()
    book.trouble = AdapterError("refused")
    terminal = await held(talkative(book))
    assert any(line.startswith("  crm: failed") and line.endswith("(refused)") for line in terminal.shown)
    book.trouble = ZeroDivisionError("made up")
    terminal = await held(talkative(book))
    assert "  bug in crm: ZeroDivisionError: made up" in terminal.shown


async def test_a_deployment_for_the_form_of_2018_is_asked_in_that() -> None:
    switch = {"default": "queue/200", "dialect": "musteri-tanima"}
    terminal = await held(talkative(switch=switch), number="05301234567")
    assert [terminal.shown[0], *terminal.shown[2:]] == [
        "> GET /musteri.json?telefon=05301234567",
        "  queue/200, because a known caller, but no rule matched",
        '< {"name": "Ahmet Yılmaz", "target": "queue/200"}',
        "  The switch greets in tr-TR: Merhaba, Ahmet Yılmaz. Çağrınızı bağlıyorum",
        "  The call goes to queue/200.",
    ]


async def test_one_digit_is_asked_for_as_such() -> None:
    terminal = await held(asking(announcement=7, choose={"1": "queue/301"}, retries=0), "1\n")
    assert "(1 digit," in terminal.questions[0]


def test_without_anybody_to_type_the_caller_hangs_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(call, "load", lambda _: talkative())
    monkeypatch.setattr(sys, "stdin", None)  # as `<&-` leaves it
    assert call.run(Namespace(config=None, number=STRANGER, called=None, at=None)) == 0
    assert capsys.readouterr().out.endswith("The caller hangs up.\n")


async def test_a_number_that_is_no_text_is_asked_about_as_it_is() -> None:
    terminal = await held(talkative(), number="\udcff0530")  # as Python reads bytes that are no UTF-8
    assert "&cli=%FF0530&" in terminal.shown[0]


def test_what_a_terminal_would_obey_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    book = CustomerBook()
    book.trouble = AdapterError("no\x1b[2J\nanswer")
    monkeypatch.setattr(call, "load", lambda _: talkative(book))
    assert call.run(Namespace(config=None, number=STRANGER, called=None, at=None)) == 0
    assert "no\\x1b[2J\\nanswer" in capsys.readouterr().out


def test_the_steps_of_these_tests_are_those_of_the_router() -> None:
    assert STEPS["customer_no"]["digits"] == "3-8"
