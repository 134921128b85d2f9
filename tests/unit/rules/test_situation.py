from dataclasses import replace
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from proxy.model import Contact, Scalar
from proxy.phone import Caller, Extension, Withheld, parse_number
from proxy.rules import Situation, Standing
from proxy.rules.comparison import Comparison
from proxy.rules.hours import Hours, parse_days
from proxy.rules.situation import CallerIs, Condition, Dialled, During, FieldIs, FromCountry, NumberTypeIs, Outside
from tests.unit.fakes import GERMAN, LANDLINE, MONDAY_NOON, NUMBER, OTHER_NUMBER, call, known, unknown

ISTANBUL = ZoneInfo("Europe/Istanbul")
OFFICE = Hours("office", parse_days("mon-fri"), time(9), time(18), ISTANBUL)
NIGHT = Hours("night", parse_days("mon-sun"), time(22), time(6), ISTANBUL)
MIDNIGHT = datetime(2026, 11, 22, 21, 0, tzinfo=UTC)
MORNING = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)


def test_a_rule_is_for_the_standings_that_it_names() -> None:
    condition = CallerIs(frozenset({Standing.UNKNOWN, Standing.KNOWN}))
    assert condition.holds(known())
    assert condition.holds(unknown())
    internal = Situation(call(Extension("1003")), Standing.INTERNAL)
    assert not condition.holds(internal)
    assert condition.why_not(internal) == "is for known and unknown callers, this one is internal"


def test_a_field_is_compared() -> None:
    condition = FieldIs("tier", Comparison.parse("gold"))
    assert condition.holds(known(Contact(fields={"tier": "gold"})))
    assert not condition.holds(known(Contact(fields={"tier": "silver"})))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"tier": "silver"}, 'tier is "silver", wanted "gold"'),
        ({"tier": 7}, 'tier is 7, wanted "gold"'),
        ({"tier": True}, 'tier is true, wanted "gold"'),
        ({"tier": None}, 'tier is empty, wanted "gold"'),
        ({"tier": ""}, 'tier is empty, wanted "gold"'),
        ({}, 'tier is empty, wanted "gold"'),
    ],
)
def test_a_field_that_is_not_as_wanted_is_shown(fields: dict[str, Scalar], why: str) -> None:
    assert FieldIs("tier", Comparison.parse("gold")).why_not(known(Contact(fields=fields))) == why


def test_without_a_contact_every_field_is_empty() -> None:
    absent = FieldIs("tier", Comparison.parse({"present": False}))
    assert absent.holds(known(Contact()))
    assert absent.holds(unknown())
    gold = FieldIs("tier", Comparison.parse("gold"))
    assert not gold.holds(unknown())
    assert gold.why_not(unknown()) == 'tier is empty, wanted "gold"'


def test_what_was_kept_of_the_caller_stands_in_for_fields_that_the_crm_does_not_have() -> None:
    kept = {"tier": "gold", "name": "keyed", "owner": "7"}
    nobody = replace(unknown(), kept=kept)
    assert [nobody.value(name) for name in ("tier", "name", "owner", "city")] == ["gold", "keyed", "7", None]
    assert FieldIs("tier", Comparison.parse("gold")).holds(nobody)
    somebody = replace(known(Contact("Ahmet", {"owner": ""})), kept=kept)
    assert [somebody.value(name) for name in ("tier", "name", "owner")] == ["gold", "Ahmet", ""]
    assert replace(known(Contact()), kept=kept).value("name") is None, "a name is the CRM's to say"


def test_a_rule_for_unknown_callers_is_for_those_of_whom_there_are_several_too() -> None:
    several = Situation(call(), Standing.SEVERAL)
    assert CallerIs(frozenset({Standing.UNKNOWN})).holds(several)
    assert CallerIs(frozenset({Standing.SEVERAL})).holds(several)
    assert not CallerIs(frozenset({Standing.SEVERAL})).holds(unknown())
    assert not CallerIs(frozenset({Standing.KNOWN, Standing.UNCLEAR})).holds(several)
    assert CallerIs(frozenset({Standing.KNOWN})).why_not(several) == "is for known callers, this one is several"


def test_the_dialled_number_is_one_of_several() -> None:
    condition = Dialled((parse_number("0850 532 12 34", "TR"), LANDLINE))
    assert condition.holds(known(ringing=call(called=parse_number("+90 212 555 10 10", "TR"))))


@pytest.mark.parametrize(
    ("called", "why"),
    [
        (OTHER_NUMBER, "another number was dialled"),
        (Extension("1003"), "another number was dialled"),
        (None, "the switch did not say what was dialled"),
    ],
)
def test_another_number_was_dialled_or_none_is_known(called: Caller | None, why: str) -> None:
    situation = known(ringing=call(called=called))
    assert not Dialled((LANDLINE,)).holds(situation)
    assert Dialled((LANDLINE,)).why_not(situation) == why


def test_a_number_is_from_one_of_several_countries() -> None:
    condition = FromCountry(frozenset({"DE", "AT"}))
    assert condition.holds(unknown(call(GERMAN)))
    assert not condition.holds(unknown(call(NUMBER)))
    assert condition.why_not(unknown(call(NUMBER))) == "the number is from TR, wanted AT or DE"
    withheld = Situation(call(Withheld()), Standing.WITHHELD)
    assert not condition.holds(withheld)
    assert condition.why_not(withheld) == "the number is from no country, wanted AT or DE"


def test_a_number_has_one_of_several_types() -> None:
    condition = NumberTypeIs(frozenset({"mobile", "voip"}))
    assert condition.holds(unknown(call(NUMBER)))
    assert not condition.holds(unknown(call(LANDLINE)))
    assert condition.why_not(unknown(call(LANDLINE))) == "the number is landline, wanted mobile or voip"
    internal = Situation(call(Extension("1003")), Standing.INTERNAL)
    assert not condition.holds(internal)
    assert condition.why_not(internal) == "the number is of no type, wanted mobile or voip"


@pytest.mark.parametrize(("at", "is_during"), [(MONDAY_NOON, True), (MIDNIGHT, True), (MORNING, False)])
def test_during_is_within_any_of_the_hours_and_outside_within_none(*, at: datetime, is_during: bool) -> None:
    situation = unknown(call(at=at))
    assert During((OFFICE, NIGHT)).holds(situation) is is_during
    assert Outside((OFFICE, NIGHT)).holds(situation) is not is_during


def test_hours_explain_themselves_by_name() -> None:
    assert During((OFFICE, NIGHT)).why_not(unknown(call(at=MORNING))) == "it is not during office or night"
    assert Outside((OFFICE, NIGHT)).why_not(unknown(call(at=MIDNIGHT))) == "it is not outside night"
    assert Outside((OFFICE, NIGHT)).why_not(unknown(call(at=MONDAY_NOON))) == "it is not outside office"


def test_conditions_are_values() -> None:
    conditions: list[Condition] = [CallerIs(frozenset({Standing.KNOWN})), FieldIs("a", Comparison.parse(1))]
    assert conditions == [CallerIs(frozenset({Standing.KNOWN})), FieldIs("a", Comparison.parse(1))]
