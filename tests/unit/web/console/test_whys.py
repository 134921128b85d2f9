"""Why rules do not match, in Turkish: whatever a rule may say."""

from dataclasses import replace
from datetime import time
from zoneinfo import ZoneInfo

import pytest

from proxy.phone import Extension
from proxy.phone.spelling import NUMBER_TYPES
from proxy.rules import Rule, Situation, Standing
from proxy.rules.comparison import Comparison
from proxy.rules.hours import Hours
from proxy.rules.situation import CallerIs, Condition, Dialled, During, FieldIs, FromCountry, NumberTypeIs, Outside
from proxy.rules.template import TargetTemplate
from proxy.web.console import whys
from proxy.web.console.whys import in_turkish
from tests.unit.fakes import AHMET, call, known, unknown

NEVER = Hours("office", frozenset(), time(9), time(18), ZoneInfo("UTC"))
ALWAYS = Hours("lunch", frozenset(range(7)), time(0), time(0), ZoneInfo("UTC"))
FOREIGN = replace(AHMET, fields={"tier": "gold", "branch": "İzmir and present", "extension": "12345678"})


@pytest.mark.parametrize(
    ("condition", "situation", "turkish"),
    [
        (
            CallerIs(frozenset({Standing.KNOWN, Standing.SEVERAL})),
            unknown(),
            "tanınan ve birden çok kişi olabilecek arayanlar için; bu arayan tanınmayan",
        ),
        (
            FieldIs("tier", Comparison.parse(["blocked", "x or y"])),
            known(),
            'tier: "gold"; beklenen: şunlardan biri: "blocked", "x or y"',
        ),
        (FieldIs("age", Comparison.parse({"above": 3})), known(), "age: boş; beklenen: 3 üstünde"),
        (
            FieldIs("age", Comparison.parse({"at_least": 3, "below": 9})),
            known(),
            "age: boş; beklenen: en az 3 ve 9 altında",
        ),
        (FieldIs("tier", Comparison.parse({"present": False})), known(), 'tier: "gold"; beklenen: boş'),
        (FieldIs("tier", Comparison.parse({"not": "gold"})), known(), 'tier: "gold"; beklenen: şu değil: "gold"'),
        (FieldIs("tier", Comparison.parse({"matches": "x"})), known(), "tier: \"gold\"; beklenen: kalıp 'x'"),
        (
            FieldIs("branch", Comparison.parse({"equals_ignoring_case": "a"})),
            known(FOREIGN),
            'branch: "İzmir and present"; beklenen: "a" (büyük-küçük harf ayrımı olmadan)',
        ),
        (Dialled((Extension("10"),)), known(), "santral aranan numarayı bildirmedi"),
        (Dialled((Extension("10"),)), known(ringing=call(called=Extension("11"))), "başka bir numara arandı"),
        (FromCountry(frozenset({"DE", "AT"})), known(), "numaranın ülkesi TR, beklenen AT veya DE"),
        (
            FromCountry(frozenset({"DE"})),
            known(ringing=call(Extension("11"))),
            "numaranın ülkesi ülkesi yok, beklenen DE",
        ),
        (
            NumberTypeIs(frozenset({"voip", "landline"})),
            known(),
            "numaranın türü cep telefonu, beklenen sabit hat veya internet telefonu",
        ),
        (During((NEVER,)), known(), "office saatleri içinde değil"),
        (Outside((ALWAYS,)), known(), "lunch saatleri dışında değil"),
    ],
)
def test_conditions(condition: Condition, situation: Situation, turkish: str) -> None:
    assert in_turkish(Rule("x", TargetTemplate.parse("queue/1"), (condition,)).why_not(situation)) == turkish


@pytest.mark.parametrize(
    ("rule", "turkish"),
    [
        (Rule("x", ask="menu"), "menu adımı bu lehçede sorulamaz"),
        (Rule("x", TargetTemplate.parse("tts/tr-TR/Merhaba")), "hedefi bu lehçede söylenemez"),
        (Rule("x", TargetTemplate.parse("user/{owner}")), "hedefi için gereken owner alanı boş"),
        (
            Rule("x", TargetTemplate.parse("user/{tier | t}"), tables={"t": {}}),
            "hedefi için gereken 'gold', t tablosunda yok",
        ),
        (Rule("x", TargetTemplate.parse("user/{extension}")), "hedefi user/'12345678' olurdu, bu geçerli değil"),
    ],
)
def test_targets(rule: Rule, turkish: str) -> None:
    assert in_turkish(rule.why_not(known(FOREIGN))) == turkish


def test_a_step_that_was_asked() -> None:
    situation = known(ringing=replace(call(), can_be_asked=True))
    assert in_turkish(Rule("x", ask="menu").why_not(situation)) == "menu adımı şu anda sorulamaz"


@pytest.mark.parametrize(
    ("value", "wanted", "turkish"),
    [
        ('a "b" or not c', "x", 'tier: "a "b" or not c"; beklenen: "x"'),
        ('5" and above 3', "x", 'tier: "5" and above 3"; beklenen: "x"'),
        ("it's not present", "x", 'tier: "it\'s not present"; beklenen: "x"'),
        ('a", wanted "b" or present', "x", 'tier: "a", wanted "b" or present"; beklenen: "x"'),
        ('"', ["5' or not", 'a "b" not c'], 'tier: """; beklenen: şunlardan biri: "5\' or not", "a "b" not c"'),
        ("a", {"not": {"equals_ignoring_case": 'say "not" now'}, "matches": "it's not"}, None),
        ("empty", "x", 'tier: "empty"; beklenen: "x"'),
    ],
)
def test_values_are_not_translated(value: str, wanted: object, turkish: str | None) -> None:
    situation = known(replace(AHMET, fields={"tier": value}))
    told = in_turkish(
        Rule("x", TargetTemplate.parse("queue/1"), (FieldIs("tier", Comparison.parse(wanted)),)).why_not(situation)
    )
    other = 'tier: "a"; beklenen: şu değil: "say "not" now" (büyük-küçük harf ayrımı olmadan) ve kalıp "it\'s not"'
    assert told == (turkish or other)


def test_a_value_that_was_cut_off_is_not_translated() -> None:
    assert in_turkish('tier is "a", wanted not "x and not…') == 'tier: "a"; beklenen: şu değil: "x and not…'


def test_what_nobody_has_said_yet() -> None:
    assert in_turkish("it has its own reasons") == ""


def test_there_is_a_word_for_all_of_them() -> None:
    assert whys._STANDINGS.keys() == set(Standing)
    assert whys._TYPES.keys() == set(NUMBER_TYPES.values())
