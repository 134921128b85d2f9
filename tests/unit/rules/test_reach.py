"""Rules that can never match."""

from datetime import time
from time import process_time
from zoneinfo import ZoneInfo

import pytest

from proxy.phone import parse_caller
from proxy.rules import Rule, Standing, overshadowed
from proxy.rules.comparison import Comparison
from proxy.rules.hours import Hours
from proxy.rules.situation import CallerIs, Condition, Dialled, During, FieldIs, FromCountry, NumberTypeIs, Outside
from proxy.rules.template import TargetTemplate

KNOWN = CallerIs(frozenset({Standing.KNOWN}))
ANYONE = CallerIs(frozenset(Standing))
UNKNOWN = CallerIs(frozenset({Standing.UNKNOWN}))
GOLD, SILVER = (FieldIs("tier", Comparison.parse(tier)) for tier in ("gold", "silver"))
OFFICE, LATE = (
    Hours(name, frozenset({0}), time(9), time(18), ZoneInfo("Europe/Istanbul"), ()) for name in ("office", "late")
)
LINE, OTHER = (parse_caller(text, "TR") for text in ("02125551010", "02125551011"))


def rule(name: str, *conditions: Condition, target: str = "queue/201", ask: str = "") -> Rule:
    return Rule(name, TargetTemplate.parse(target) if target else None, conditions, ask=ask)


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ((), ()),
        ((KNOWN,), (KNOWN,)),
        ((KNOWN,), (KNOWN, GOLD)),
        ((ANYONE,), (KNOWN, GOLD)),
        ((UNKNOWN,), (CallerIs(frozenset({Standing.SEVERAL})),)),
        ((FromCountry(frozenset({"TR", "DE"})),), (FromCountry(frozenset({"TR"})),)),
        ((NumberTypeIs(frozenset({"mobile", "landline"})),), (NumberTypeIs(frozenset({"mobile"})), GOLD)),
        ((Dialled((LINE, OTHER)),), (Dialled((OTHER,)),)),
        ((During((OFFICE, LATE)),), (During((LATE,)),)),
        ((Outside((OFFICE,)),), (Outside((OFFICE,)), KNOWN)),
    ],
)
def test_one_behind_another_that_matches_whenever_it_would_never_does(
    before: tuple[Condition, ...], behind: tuple[Condition, ...]
) -> None:
    assert overshadowed([rule("before", *before), rule("behind", *behind)]) == {"behind": "before"}


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ((KNOWN, GOLD), (KNOWN,)),
        ((KNOWN, GOLD), (KNOWN, SILVER)),
        ((KNOWN,), (ANYONE,)),
        ((CallerIs(frozenset({Standing.SEVERAL})),), (UNKNOWN,)),
        ((FromCountry(frozenset({"TR"})),), (FromCountry(frozenset({"TR", "DE"})),)),
        ((NumberTypeIs(frozenset({"mobile"})),), ()),
        ((Dialled((LINE,)),), (Dialled((LINE, OTHER)),)),
        ((During((OFFICE,)),), (During((OFFICE, LATE)),)),
        ((During((OFFICE,)),), (Outside((OFFICE,)),)),
        ((Outside((OFFICE, LATE)),), (Outside((OFFICE,)),)),
    ],
)
def test_one_that_has_calls_of_its_own_may_match(before: tuple[Condition, ...], behind: tuple[Condition, ...]) -> None:
    assert overshadowed([rule("before", *before), rule("behind", *behind)]) == {}


@pytest.mark.parametrize(("target", "ask"), [("user/{owner}", ""), ("tts/tr-TR/Merhaba", ""), ("", "customer_no")])
def test_one_that_may_lead_nowhere_stands_in_nobodys_way(target: str, ask: str) -> None:
    assert overshadowed([rule("before", target=target, ask=ask), rule("behind")]) == {}


def test_the_first_of_several_is_named() -> None:
    assert overshadowed([rule("one"), rule("two"), rule("three")]) == {"two": "one", "three": "one"}


def test_thousands_of_rules_are_compared_at_once() -> None:
    owners = [FieldIs("owner", Comparison.parse(f"agent {number}")) for number in range(2000)]
    rules = [rule(str(number), KNOWN, GOLD, owner, During((OFFICE,))) for number, owner in enumerate(owners)]
    began = process_time()
    assert overshadowed([*rules, rule("behind", KNOWN, GOLD, owners[7], During((OFFICE,)))]) == {"behind": "7"}
    assert process_time() - began < 3, "it took 30 s when each was compared with each"
