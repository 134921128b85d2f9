from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from proxy.actions import Transfer
from proxy.model import Call, Contact, Scalar
from proxy.rules import Situation, Standing
from proxy.rules.greeting import Greeting
from proxy.rules.manner import ANY, LanguageTemplate, Manner, Phrase, in_language, spoken_value
from proxy.target import Target
from tests.unit.fakes import MONDAY_NOON, NUMBER

QUEUE = Target("queue", "200")
TABLES = {"languages": {"Almanya": "en-US", "Katar": "ar-XA"}}
CALL = Call(NUMBER, MONDAY_NOON, can_be_asked=True)
NAMED = Manner(greeting=Greeting("{name}"))


def situation(name: str = "", kept: Mapping[str, str] | None = None, **fields: Any) -> Situation:
    return Situation(CALL, Standing.KNOWN, Contact(name, fields), kept or {})


NOBODY = Situation(CALL, Standing.UNKNOWN)


@pytest.mark.parametrize(
    ("template", "fields", "language"),
    [
        ("en-US", {}, "en-US"),
        ("{lang}", {"lang": "ar-XA"}, "ar-XA"),
        ("{ lang }", {"lang": "EN"}, "en-US"),
        ("{lang}", {"lang": "tr_TR"}, "tr-TR"),
        ("{lang}", {"lang": "en-GB"}, ""),
        ("{lang}", {"lang": "Deutsch"}, ""),
        ("{lang}", {"lang": ""}, ""),
        ("{lang}", {}, ""),
        ("{country | languages}", {"country": "Katar"}, "ar-XA"),
        ("{country|languages}", {"country": "Fransa"}, ""),
    ],
)
def test_a_language_is_one_that_the_switch_speaks_or_none(template: str, fields: dict[str, Any], language: str) -> None:
    assert LanguageTemplate(template).render(situation(**fields), TABLES) == language


@pytest.mark.parametrize("text", ["", "de-DE", "tr", "{", "{a", "{a b}", "{lang}-TR", "{a | b | c}"])
def test_what_is_no_language_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is not a language - allowed: tr-TR, en-US, ar-XA, \{field\} or"):
        LanguageTemplate(text)


@pytest.mark.parametrize("text", ["{", "a } b", "{a b}", "{}", "{1}"])
def test_a_phrase_has_fields_in_braces_and_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is not a phrase - allowed: text with \{field\} in it$"):
        Phrase(text)


@pytest.mark.parametrize("text", ["", " ", "x" * 301, "two\nlines", "\u202etxet"])
def test_a_phrase_that_cannot_be_spoken_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^cannot be spoken - allowed: 1 to 300 characters in one line$"):
        Phrase(text)


def test_a_phrase_has_the_fields_of_the_contact_and_what_was_keyed() -> None:
    phrase = Phrase("Sayın {name}, {order_no} numaralı siparişiniz {total} tutarında.")
    said = phrase.render(situation("Ayşe Demir", {"order_no": "0042"}, total="1.250,50 ₺"))
    assert said == "Sayın Ayşe Demir, 0042 numaralı siparişiniz 1.250,50 ₺ tutarında."


@pytest.mark.parametrize("total", [None, "", " ", "<b></b>", "…", "x" * 61, "Bilinmiyor", "N/A", "\u0000"])
def test_a_phrase_with_a_hole_is_not_said(total: Scalar) -> None:
    assert Phrase("Borcunuz {total}.").render(situation(total=total)) == ""


def test_a_phrase_that_gets_too_long_is_not_said() -> None:
    phrase = Phrase("x" * 250 + "{a}")
    assert phrase.render(situation(a="y" * 50)) != ""
    assert phrase.render(situation(a="y" * 51)) == ""


@pytest.mark.parametrize(
    ("value", "spoken"),
    [
        ("AB-123/4", "AB-123/4"),
        ("<script>alert(1)</script>", "alert(1)"),
        ('a"b', "a b"),
        ("line\nbreak", "line break"),
        ("O’Brien", "O'Brien"),
        ("\u202eabc", "abc"),
        ("12:30 %5 (KDV)", "12:30 %5 (KDV)"),
        ("A\u0300", "À"),
    ],
)
def test_of_a_value_letters_digits_and_usual_signs_are_spoken(value: str, spoken: str) -> None:
    assert spoken_value(value) == spoken


def test_what_a_rule_says_comes_before_what_routing_says() -> None:
    routing = Manner(Greeting("{name}"), {ANY: Phrase("Hoş geldiniz")}, LanguageTemplate("en-US"), 1, 2, False)
    rule = Manner(Greeting("{first_name}"), announcement_to_callee=3, recording=True)
    both = rule.over(routing)
    assert both == Manner(
        Greeting("{first_name}"), {ANY: Phrase("Hoş geldiniz")}, LanguageTemplate("en-US"), 1, 3, True
    )
    assert Manner().over(routing) == routing


def test_a_call_is_put_through_as_the_manner_says() -> None:
    manner = Manner(Greeting("{name}"), None, LanguageTemplate("{lang}"), 1, 2, False)
    put_through = manner.transfer(QUEUE, situation("Ayşe", lang="en"), TABLES)
    assert put_through == Transfer(QUEUE, "Ayşe", "", "en-US", 1, 2, False)


def test_a_phrase_is_said_in_the_place_of_a_name_when_it_can_be() -> None:
    manner = Manner(Greeting("{name}"), {ANY: Phrase("Sayın {name}, borcunuz {total}.")})
    said = manner.transfer(QUEUE, situation("Ayşe", total=5), TABLES)
    assert (said.name, said.phrase) == ("", "Sayın Ayşe, borcunuz 5.")
    not_said = manner.transfer(QUEUE, situation("Ayşe"), TABLES)
    assert (not_said.name, not_said.phrase) == ("Ayşe", "")


def test_where_no_phrase_can_be_said_the_name_is() -> None:
    manner = Manner(Greeting("{name}"), {ANY: Phrase("Sayın {name}, hoş geldiniz.")})
    old = replace(situation("Ayşe"), call=Call(NUMBER, MONDAY_NOON))
    assert manner.transfer(QUEUE, old, {}) == Transfer(QUEUE, "Ayşe")


def test_a_phrase_without_fields_is_said_to_everybody_and_a_name_only_to_contacts() -> None:
    assert Manner(phrase={ANY: Phrase("Hoş geldiniz")}).transfer(QUEUE, NOBODY, {}).phrase == "Hoş geldiniz"
    assert Manner(greeting=Greeting("Sayın müşterimiz")).transfer(QUEUE, NOBODY, {}).name == ""
    assert NAMED.transfer(QUEUE, NOBODY, {}) == Transfer(QUEUE)
    assert Manner().transfer(QUEUE, situation("Ayşe"), {}) == Transfer(QUEUE)


def test_of_phrases_in_several_languages_the_contacts_is_said() -> None:
    phrase = {"tr-TR": Phrase("Hoş geldiniz"), "en-US": Phrase("Welcome")}
    manner = Manner(phrase=phrase, language=LanguageTemplate("{lang}"))
    for lang, said in (
        ("en", ("en-US", "Welcome")),
        ("ar", ("tr-TR", "Hoş geldiniz")),
        ("", ("tr-TR", "Hoş geldiniz")),
    ):
        put_through = manner.transfer(QUEUE, situation("Ayşe", lang=lang), {})
        assert (put_through.language, put_through.phrase) == said


def test_a_phrase_that_is_not_said_leaves_no_language_behind() -> None:
    manner = Manner(Greeting("{name}"), {"en-US": Phrase("Welcome, {tier}.")})
    assert manner.transfer(QUEUE, situation("Ayşe"), {}) == Transfer(QUEUE, "Ayşe")


def test_a_phrase_for_any_language_is_spoken_in_the_wanted_one() -> None:
    assert in_language({ANY: "Hello"}, "en-US") == ("en-US", "Hello")
    assert in_language({"en-US": "Hello"}, "tr-TR") == ("en-US", "Hello")
