import json

import pytest
from multidict import MultiDict

from proxy.dialects import Dialect
from proxy.dialects.musteri_tanima import MusteriTanima
from proxy.model import Decision, Reason
from proxy.phone import Caller, Extension, PhoneNumber, Unreadable, Withheld
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
    body = DIALECT.render(Decision(Target("queue", "201"), Reason.RULE, name="Ahmet Yılmaz"))
    assert body == '{"name": "Ahmet Yılmaz", "target": "queue/201"}'.encode()


def test_the_name_is_left_out_when_there_is_none() -> None:
    assert json.loads(DIALECT.render(Decision(Target("queue", "200"), Reason.WITHHELD))) == {"target": "queue/200"}


def test_a_text_can_not_be_spoken_in_this_dialect_and_everything_else_can_be_said() -> None:
    assert not DIALECT.can_say(Target.parse("tts/tr-TR/Kapalıyız"))
    assert all(map(DIALECT.can_say, map(Target.parse, ["queue/200", "fax", "hangup/busy", "external/05301234567"])))
