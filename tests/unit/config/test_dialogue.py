from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from proxy.config.dialogue import DialogueSettings, StepSettings
from proxy.config.plain import lines_of, routing_of, step_of
from proxy.config.routes import RuleSettings
from proxy.config.settings import Settings
from proxy.config.spoken import parse_digits, parse_goal, parse_phrases, parse_step_name, parse_words
from proxy.config.values import is_service_url
from proxy.dialogue import Choose, Keep, Keys, LookUp, Recording, Speech, Step, Then, Words
from proxy.keys import By
from proxy.phone import Extension, parse_number
from proxy.rules.greeting import Greeting
from proxy.rules.manner import LanguageTemplate, Phrase
from proxy.target import Target

ASKED = {"phrase": "Tuşlayın."}
WORDS = Words(phrases={"": "Tuşlayın."})


def step(**settings: Any) -> StepSettings:
    return StepSettings(**settings)


def refusal(**settings: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        step(**settings)
    (error,) = caught.value.errors()
    return str(error["ctx"]["error"])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"keep": "x"}, "has not one of announcement and phrase"),
        ({**ASKED, "announcement": 5, "keep": "x"}, "has not one of announcement and phrase"),
        (
            {**ASKED, "announcement_again": 5, "phrase_again": "?", "keep": "x"},
            "has announcement_again and phrase_again",
        ),
        ({"announcement": 5, "listen": 5, "record": True}, "records and listens"),
        ({**ASKED, "listen": 5, "keep": "x"}, "listens after a phrase, which the switch cannot"),
        ({"announcement": 5, "phrase_again": "?", "listen": 5, "keep": "x"}, "listens after a phrase"),
        ({"announcement": 5, "listen": 5, "keep": "x", "digits": "5"}, "has digits, and asks for no keys"),
        ({"announcement": 5, "record": True, "timeout": 5}, "has timeout, and asks for no keys"),
        (ASKED, "has not one of look_up, choose, keep and record"),
        ({**ASKED, "keep": "x", "look_up": "phone_number"}, "has not one of look_up, choose, keep and record"),
        ({**ASKED, "record": True, "keep": "x"}, "has not one of look_up, choose, keep and record"),
        ({**ASKED, "choose": {"1": "queue/1"}, "then": "queue/2"}, "has choose and then"),
        ({**ASKED, "record": True, "otherwise": "queue/2"}, "records, which nobody can answer wrongly"),
        ({**ASKED, "choose": {"a": "queue/1"}}, "has the choice 'a', which nobody can key - allowed: 1 to 1 digits"),
        ({**ASKED, "choose": {"": "queue/1"}}, "has the choice '', which nobody can key - allowed: 1 to 1 digits"),
        ({**ASKED, "digits": "2", "choose": {"1": "queue/1"}}, "has the choice '1', which nobody can key"),
        ({**ASKED, "choose": {"1" * 21: "queue/1"}}, "has the choice '1111"),
        ({"announcement": 5, "listen": 5, "choose": {"!": "queue/1"}}, "has a choice without a word"),
        ({"announcement": 5, "listen": 5, "choose": {"_": "queue/1"}}, "has a choice without a word"),
        ({**ASKED, "keep": "a b"}, "is no name of a field"),
    ],
)
def test_a_step_asks_one_thing_and_leads_somewhere(settings: dict[str, Any], told: str) -> None:
    assert refusal(**settings).startswith(told)
    assert " - allowed: " in refusal(**settings)


@pytest.mark.parametrize(
    ("settings", "made"),
    [
        (
            {**ASKED, "look_up": "customer_number", "digits": "5-8", "retries": 0, "otherwise": "menu", "attempts": 3},
            Step("no", Keys(WORDS, None, 5, 8, 0), LookUp(By.CUSTOMER_NUMBER), None, "menu", 3),
        ),
        (
            {
                "announcement": 5,
                "announcement_again": 6,
                "keep": "x",
                "then": "queue/1",
                "timeout": 7,
                "digit_timeout": 4,
                "language": "{lang}",
            },
            Step(
                "no",
                Keys(Words(5), Words(6), 1, 20, 1, 7, 4),
                Keep("x"),
                Target("queue", "1"),
                language=LanguageTemplate("{lang}"),
            ),
        ),
        (
            {**ASKED, "speed": 0.9, "phrase_again": "?", "choose": {"1": "queue/1", "22": "no"}},
            Step(
                "no",
                Keys(Words(None, {"": "Tuşlayın."}, 0.9), Words(None, {"": "?"}, 0.9), 1, 2, 1),
                Choose({"1": Target("queue", "1"), "22": "no"}),
            ),
        ),
        (
            {"announcement": 5, "announcement_again": 6, "listen": 8, "choose": {"satış": "queue/1"}},
            Step("no", Speech(5, 6, 8), Choose({"satış": Target("queue", "1")})),
        ),
        ({**ASKED, "record": True, "then": "menu"}, Step("no", Recording(WORDS), Then(), "menu")),
    ],
)
def test_a_step_becomes_plain_values(settings: dict[str, Any], made: Step) -> None:
    assert step_of("no", step(**settings)) == made


@pytest.mark.parametrize("text", ["queue/200", "fax", "fax/a@example.com", "tts/tr-TR/Merhaba"])
def test_a_goal_may_be_a_target(text: str) -> None:
    assert parse_goal(text) == Target.parse(text)


def test_a_goal_may_be_a_step() -> None:
    assert parse_goal("customer_no") == "customer_no"


@pytest.mark.parametrize("text", ["", "Customer", "a b", "queue/", "9", "queue/x"])
def test_other_goals_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is neither a target nor the name of a step - allowed: "):
        parse_goal(text)


@pytest.mark.parametrize("name", ["uuid", "cli", "cld", "step", "error", "result", "token", "fax"])
def test_a_step_cannot_be_called_like_a_parameter_of_the_switch(name: str) -> None:
    with pytest.raises(ValueError, match=r"^is a name that is taken - allowed: any but cld, cli, error, fax, "):
        parse_step_name(name)


@pytest.mark.parametrize("name", ["", "A", "1a", "a-b", "ş", "a" * 41])
def test_what_is_no_name_of_a_step_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^is no name of a step - allowed: "):
        parse_step_name(name)
    assert parse_step_name("customer_no2") == "customer_no2"


@pytest.mark.parametrize(
    ("text", "digits"), [("5", (5, 5)), (5, (5, 5)), ("5-8", (5, 8)), ("1-20", (1, 20)), ("20", (20, 20))]
)
def test_how_many_digits_there_are_is_a_number_or_two(text: object, digits: tuple[int, int]) -> None:
    assert parse_digits(text) == digits


@pytest.mark.parametrize("text", ["", "0", "21", "8-5", "5-", "-5", "5-8-9", "a", "0-5", 0, 5.5, True])
def test_an_impossible_number_of_digits_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r'^is no number of digits - allowed: 5, or "5-8", at most 20$'):
        parse_digits(text)


def test_phrases_are_a_text_or_a_table_of_texts_by_language() -> None:
    assert parse_phrases("Sayın {name}") == {"": Phrase("Sayın {name}")}
    assert parse_words({"tr-TR": "Tuşlayın.", "en-US": "Key."}) == {"tr-TR": "Tuşlayın.", "en-US": "Key."}


@pytest.mark.parametrize("value", [5, {}, {"tr-TR": 5}, ["a"], None])
def test_what_is_no_phrase_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"^is no phrase - allowed: a text, or a table of texts by language$"):
        parse_phrases(value)


@pytest.mark.parametrize("language", ["", "de-DE", "tr"])
def test_a_phrase_in_a_language_that_nobody_speaks_is_refused(language: str) -> None:
    with pytest.raises(ValueError, match=f"^has the language '{language}' - allowed: tr-TR, en-US, ar-XA$"):
        parse_words({language: "Hallo"})


def test_a_question_has_no_fields() -> None:
    with pytest.raises(ValueError, match=r"^has a field in it - allowed: text without \{\}$"):
        parse_words("Sayın {name}, tuşlayın.")


def settings(**sections: Any) -> Settings:
    tree = {
        "switch": {"default": "queue/200"},
        "routing": {"unknown": "queue/202", "language": "en-US"},
        "rules": [{"name": "all", "target": "queue/1"}],
        "sources": [{"name": "crm", "adapter": "static"}],
        **sections,
    }
    return Settings(**tree)


def test_a_line_overrides_what_it_says_and_nothing_else() -> None:
    line = {
        "name": "export",
        "called": ["0850 532 12 34", "1001"],
        "default": "queue/900",
        "routing": {"unknown": "queue/902", "greeting": "Customer {name}"},
    }
    lines = lines_of(settings(lines=[line]))
    assert set(lines) == {parse_number("08505321234", "TR"), Extension("1001")}
    export = lines[Extension("1001")]
    assert [*map(str, (export.default, export.unknown, export.withheld))] == ["queue/900", "queue/902", "queue/900"]
    assert export.manner.greeting == Greeting("Customer {name}")
    assert export.manner.language == LanguageTemplate("en-US")
    assert [rule.name for rule in export.rules] == ["all"]
    assert export.rules[0].manner == export.manner
    assert lines_of(settings(lines=[{**line, "rules": []}]))[Extension("1001")].rules == ()


def test_without_a_greeting_nobody_is_greeted_by_name() -> None:
    assert routing_of(settings()).manner.greeting == Greeting("{name}")


def test_callers_are_asked_fewer_questions_than_the_switch_bears() -> None:
    assert DialogueSettings().max_steps == 5
    with pytest.raises(ValidationError):
        DialogueSettings(max_steps=10)


def test_a_rule_leads_to_a_target_or_to_a_step() -> None:
    with pytest.raises(ValidationError, match=r"leads nowhere - allowed: target, ask \(a step\), or both"):
        RuleSettings(name="gold")
    assert RuleSettings(name="gold", ask="customer_no").target is None


@pytest.mark.parametrize(
    "url", ["https://tanima.example.com/musteri.json", "http://192.0.2.7:8080", "http://[2001:db8::1]:8080/a?b=c"]
)
def test_the_switch_may_ask_again_at_another_url(url: str) -> None:
    assert is_service_url(SecretStr(url)).get_secret_value() == url


@pytest.mark.parametrize(
    "url", ["", "tanima.example.com", "ftp://x/", "https:///x", "https://x/ y", 'https://x/"', "https://x\n"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^is not a URL - allowed: such as https://"):
        is_service_url(SecretStr(url))
