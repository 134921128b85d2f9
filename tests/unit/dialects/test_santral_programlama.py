"""The questions and answers of the vendor's document, as a table, and whatever else may come."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from proxy.actions import Action, Prompt, Record, SpeechToText, Spoken, Transfer
from proxy.dialects.musteri_tanima import MusteriTanima
from proxy.dialects.santral_programlama import LAST_STEP, SantralProgramlama
from proxy.model import Call, Heard, Reason
from proxy.phone import Extension, Unreadable, Withheld, parse_number
from proxy.routing import Decision
from proxy.target import Target
from tests.unit.fakes import MONDAY_NOON

DIALECT = SantralProgramlama()
UUID = "651f8a68-782e-11e7-a6b6-5bedc26e2ab3"
CALLER = parse_number("05301234567", "TR")
CALLED = parse_number("08505321234", "TR")
DOCUMENTED = {"uuid": UUID, "cli": "05301234567", "cld": "08505321234", "step": "1"}


def call(**more: Any) -> Call:
    return Call(CALLER, MONDAY_NOON, CALLED, UUID, **{"can_be_asked": True, **more})


QUESTIONS: Mapping[str, tuple[Mapping[str, str], Call]] = {
    "the first": (DOCUMENTED, call()),
    "after a prompt": (
        {**DOCUMENTED, "step": "2", "musteri_no": "12345", "error": ""},
        call(step=2, heard=Heard((("musteri_no", "12345"),))),
    ),
    "after a prompt without a name": (
        {**DOCUMENTED, "step": "2", "digits": "5", "error": ""},
        call(step=2, heard=Heard((("digits", "5"),))),
    ),
    "after a prompt at which nothing was keyed": (
        {**DOCUMENTED, "step": "2", "musteri_no": "", "error": ""},
        call(step=2, heard=Heard((("musteri_no", ""),))),
    ),
    "after an error": (
        {**DOCUMENTED, "step": "2", "musteri_no": "", "error": "timeout"},
        call(step=2, heard=Heard((("musteri_no", ""),), failed=True)),
    ),
    "after speech": ({**DOCUMENTED, "step": "3", "result": "satış"}, call(step=3, heard=Heard(said="satış"))),
    "after silence": ({**DOCUMENTED, "step": "3", "result": ""}, call(step=3, heard=Heard(said=""))),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_documented_question_is_read(name: str) -> None:
    query, read = QUESTIONS[name]
    assert DIALECT.parse(query, MONDAY_NOON) == read
    assert DIALECT.asks(query)
    assert not MusteriTanima().asks(query)


ANSWERS: Mapping[str, tuple[Action, Mapping[str, Any]]] = {
    "transfer, greeting by name": (
        Transfer(Target("queue", "201"), "Ahmet Yılmaz", announcement_to_caller=12345, announcement_to_callee=12346),
        {
            "transfer": {
                "greet_name": "Ahmet Yılmaz",
                "lang": "tr-TR",
                "announcement_to_caller": 12345,
                "announcement_to_callee": 12346,
                "target": "queue/201",
            }
        },
    ),
    "transfer, greeting by phrase": (
        Transfer(Target("queue", "202"), phrase="Günaydın Ahmet Bey. Siparişiniz yolda."),
        {
            "transfer": {
                "greet_phrase": "Günaydın Ahmet Bey. Siparişiniz yolda.",
                "lang": "tr-TR",
                "target": "queue/202",
            }
        },
    ),
    "transfer, not recorded": (
        Transfer(Target("user", "1000"), recording=False),
        {"transfer": {"recording_enabled": False, "target": "user/1000"}},
    ),
    "transfer, and no more": (Transfer(Target("hangup", "busy")), {"transfer": {"target": "hangup/busy"}}),
    "transfer to a spoken text": (
        Transfer(Target("tts", "tr-TR/Bu bir test cümlesidir")),
        {"transfer": {"target": "tts/tr-TR/Bu bir test cümlesidir"}},
    ),
    "prompt, by sound file": (
        Prompt(Spoken(123), "musteri_no", 5, 6, 3, service_url="https://example.com/musteri.json"),
        {
            "prompt": {
                "announcement_id": "123",
                "min_digits": "5",
                "max_digits": "6",
                "retry_count": "3",
                "service_url": "https://example.com/musteri.json",
                "param_name": "musteri_no",
            }
        },
    ),
    "prompt, by phrase": (
        Prompt(Spoken(phrase="Please key", language="en-US", speed=0.9), "digits", 1, 1, 0, 10, 5),
        {
            "prompt": {
                "phrase": "Please key",
                "lang": "en-US",
                "phrase_speed": 0.9,
                "min_digits": "1",
                "max_digits": "1",
                "retry_count": "0",
                "timeout": 10,
                "digit_timeout": 5,
                "param_name": "digits",
            }
        },
    ),
    "record, by phrase": (
        Record(Spoken(phrase="Sayın Ahmet Yılmaz ses kaydınız alınıyor.")),
        {"record": {"phrase": "Sayın Ahmet Yılmaz ses kaydınız alınıyor.", "lang": "tr-TR"}},
    ),
    "record, by sound file": (Record(Spoken(7)), {"record": {"announcement_id": "7"}}),
    "speech to text": (
        SpeechToText(123, 10),
        {"speech_to_text": {"announcement_id": "123", "recognation_duration": 10}},
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_each_documented_answer_is_given_to_the_letter(name: str) -> None:
    action, answer = ANSWERS[name]
    body = DIALECT.render(Decision(action, Reason.RULE))
    told = json.loads(body)
    assert told == answer
    assert [type(value) for value in told[next(iter(told))].values()] == [
        type(value) for value in answer[next(iter(answer))].values()
    ]
    assert list(told[next(iter(told))]) == list(answer[next(iter(answer))]), "in the documents' order"
    assert body == json.dumps(answer, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "caller"),
    [
        ("00493089680211", parse_number("00493089680211", "TR")),
        ("1003", Extension("1003")),
        ("", Withheld()),
        ("anonymous", Withheld()),
    ],
)
def test_callers_come_in_the_forms_that_are_documented(text: str, caller: object) -> None:
    assert DIALECT.parse({**DOCUMENTED, "cli": text}, MONDAY_NOON).caller == caller


def test_a_question_without_any_parameter_is_a_call_too_but_not_one_that_can_be_asked() -> None:
    assert DIALECT.parse({}, MONDAY_NOON) == Call(Withheld(), MONDAY_NOON)
    assert DIALECT.parse({"uuid": "u-1"}, MONDAY_NOON).can_be_asked
    assert DIALECT.parse({"step": "1"}, MONDAY_NOON).can_be_asked


@pytest.mark.parametrize(("text", "step"), [("", 1), ("0", 1), ("1", 1), ("02", 2), ("10", 10), ("999", 999)])
def test_which_question_it_is_is_a_number(text: str, step: int) -> None:
    assert DIALECT.parse({**DOCUMENTED, "step": text}, MONDAY_NOON).step == step


@pytest.mark.parametrize("text", ["-1", "x", "1.5", "1000", "99999999999", "٣", "1 ", "1,2"])
def test_what_is_no_number_of_a_question_counts_as_more_than_are_asked(text: str) -> None:
    assert DIALECT.parse({**DOCUMENTED, "step": text}, MONDAY_NOON).step == LAST_STEP


def test_what_is_too_long_is_taken_for_nothing() -> None:
    read = DIALECT.parse(
        {**DOCUMENTED, "uuid": "u" * 65, "result": "r" * 1001, "no": "1" * 65, "n" * 65: "1"}, MONDAY_NOON
    )
    assert (read.call_id, read.heard) == ("", Heard((("no", ""),), said=""))
    many = {f"p{place}": "1" for place in range(100)}
    assert len(DIALECT.parse({**DOCUMENTED, **many}, MONDAY_NOON).heard.keyed) == 20
    assert DIALECT.parse({**DOCUMENTED, "cli": "5" * 1000}, MONDAY_NOON).caller == Unreadable(
        "longer than 64 characters"
    )


@pytest.mark.parametrize("query", [{"uuid": ""}, {"cli": "1"}, {"cld": "1"}, {"step": "1"}])
def test_each_parameter_of_a_call_tells_this_form(query: Mapping[str, str]) -> None:
    assert DIALECT.asks(query)


@pytest.mark.parametrize("query", [{}, {"telefon": "05301234567"}, {"error": "x"}, {"result": "x"}])
def test_what_has_no_parameter_of_a_call_is_of_another_form(query: Mapping[str, str]) -> None:
    assert not DIALECT.asks(query)


def test_it_can_say_every_target() -> None:
    assert DIALECT.can_say(Target("tts", "en-US/Hello"))
    assert (DIALECT.name, DIALECT.holds_dialogues, DIALECT.parameter) == ("santral-programlama", True, "cli")
