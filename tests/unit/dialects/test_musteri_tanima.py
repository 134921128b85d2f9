import json

import pytest
from multidict import MultiDict

from proxy.actions import Prompt, Spoken, Transfer
from proxy.dialects import Dialect
from proxy.dialects.musteri_tanima import MusteriTanima
from proxy.model import Call, Reason
from proxy.phone import Caller, Extension, PhoneNumber, Unreadable, Withheld
from proxy.routing import Decision
from proxy.target import Target
from tests.unit.fakes import GERMAN, MONDAY_NOON, NUMBER

DIALECT: Dialect = MusteriTanima()


@pytest.mark.parametrize(
    ("query", "caller"),
    [
        ({"telefon": "05301234567"}, NUMBER),
        ({"telefon": "00493089680211"}, GERMAN),
        ({"telefon": " 905301234567"}, NUMBER),
        ({"telefon": "1003"}, Extension("1003")),
        ({"telefon": "112"}, Extension("112")),
        ({"telefon": ""}, Withheld()),
        ({}, Withheld()),
        ({"telefon": "anonymous"}, Withheld()),
        ({"phone": "05301234567"}, Withheld()),
        ({"telefon": "05301234567", "uuid": "x"}, NUMBER),
    ],
)
def test_every_form_of_a_caller_is_read(query: dict[str, str], caller: Caller) -> None:
    asked = DIALECT.parse(query, MONDAY_NOON)
    assert asked.caller == caller
    assert asked.at == MONDAY_NOON
    assert asked.called is None


@pytest.mark.parametrize("text", ["0530ABCDEFG", "7' OR '1'='1", "\0", "\ud800", "9" * 100_000])
def test_nonsense_is_a_call_too(text: str) -> None:
    assert isinstance(DIALECT.parse({"telefon": text}, MONDAY_NOON).caller, Unreadable)


def test_the_first_of_two_parameters_counts() -> None:
    query = MultiDict([("telefon", "05301234567"), ("telefon", "1003")])
    assert DIALECT.parse(query, MONDAY_NOON).caller == NUMBER


def test_parameter_and_region_are_settings() -> None:
    caller = MusteriTanima("nummer", "DE").parse({"nummer": "030 89680211"}, MONDAY_NOON).caller
    assert isinstance(caller, PhoneNumber)
    assert caller == GERMAN
    assert caller.national == "03089680211"


def test_the_answer_has_name_and_target_with_turkish_letters_as_letters() -> None:
    body = DIALECT.render(Decision(Transfer(Target("queue", "201"), "Ahmet Yılmaz"), Reason.RULE))
    assert body == '{"name": "Ahmet Yılmaz", "target": "queue/201"}'.encode()


def test_the_name_is_left_out_when_there_is_none() -> None:
    assert json.loads(DIALECT.render(Decision(Transfer(Target("queue", "200")), Reason.WITHHELD))) == {
        "target": "queue/200"
    }


def test_a_text_can_not_be_spoken_in_this_dialect_and_everything_else_can_be_said() -> None:
    assert not DIALECT.can_say(Target.parse("tts/tr-TR/Kapalıyız"))
    assert all(map(DIALECT.can_say, map(Target.parse, ["queue/200", "fax", "hangup/busy", "external/05301234567"])))


def test_of_a_transfer_name_and_target_are_said_and_nothing_else() -> None:
    transfer = Transfer(Target("queue", "201"), "Ahmet", "", "en-US", 7, 8, recording=True)
    assert json.loads(DIALECT.render(Decision(transfer, Reason.RULE))) == {"name": "Ahmet", "target": "queue/201"}
    phrase = Transfer(Target("queue", "201"), phrase="Siparişiniz yolda")
    assert json.loads(DIALECT.render(Decision(phrase, Reason.RULE))) == {"target": "queue/201"}


def test_a_question_to_the_caller_can_not_be_said_in_this_dialect() -> None:
    question = Prompt(Spoken(phrase="Müşteri numaranız?"), "customer_no")
    with pytest.raises(TypeError, match="this dialect cannot ask the caller anything"):
        DIALECT.render(Decision(question, Reason.ASKED))


@pytest.mark.parametrize(
    ("query", "is_one"),
    [({"telefon": ""}, True), ({"telefon": "x", "uuid": "y"}, True), ({}, False), ({"cli": ""}, False)],
)
def test_a_question_of_this_form_has_the_callers_number(query: dict[str, str], *, is_one: bool) -> None:
    assert DIALECT.asks(query) is is_one
    assert not MusteriTanima("numara").asks(query)


def test_nobody_can_be_asked_anything_in_this_dialect() -> None:
    assert (DIALECT.name, DIALECT.holds_dialogues) == ("musteri-tanima", False)
    asked = DIALECT.parse({"telefon": "05301234567", "uuid": "x", "step": "3", "customer_no": "777"}, MONDAY_NOON)
    assert asked == Call(NUMBER, MONDAY_NOON)
