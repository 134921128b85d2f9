from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from proxy.model import Call, Contact, Scalar
from proxy.phone import Extension, PhoneNumber, Withheld
from proxy.rules import Rule, Situation, Standing, choose, explain
from proxy.rules.comparison import Comparison
from proxy.rules.hours import Hours, parse_days
from proxy.rules.situation import CallerIs, During, Outside
from proxy.rules.template import TargetTemplate
from proxy.target import Target
from tests.property.strategies import (
    CONDITIONS,
    HOURS,
    MOMENTS,
    SCALARS,
    foreign_numbers,
    home_numbers,
    rule_lists,
)

FIELD_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-2000, 2000), st.floats(), st.sampled_from(["gold", "ayse", "201", "", "x"])
)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    caller = draw(st.one_of(home_numbers(), foreign_numbers(), st.just(Extension("1003")), st.just(Withheld())))
    call = Call(caller, draw(MOMENTS))
    if isinstance(caller, PhoneNumber) and draw(st.booleans()):
        fields = draw(st.dictionaries(st.sampled_from(["tier", "owner", "vip", "balance"]), FIELD_VALUES))
        return Situation(call, Standing.KNOWN, Contact("Ahmet", fields))
    return Situation(call, draw(st.sampled_from([s for s in Standing if s is not Standing.KNOWN])))


def target_of(rule: Rule, situation: Situation) -> Target | str:
    assert rule.target is not None
    return rule.target.render(situation, rule.tables)


def applies(rule: Rule, situation: Situation) -> bool:
    holds = all(condition.holds(situation) for condition in rule.conditions)
    return holds and not isinstance(target_of(rule, situation), str)


@given(situations(), rule_lists())
def test_the_first_rule_that_applies_is_chosen(situation: Situation, rules: tuple[Rule, ...]) -> None:
    applying = [rule for rule in rules if applies(rule, situation)]
    chosen = choose(situation, rules)
    assert (chosen and chosen[0]) == (applying[0] if applying else None)
    if chosen:
        assert chosen[1] == target_of(chosen[0], situation)


@given(situations(), rule_lists())
def test_the_explanation_agrees_with_the_choice(situation: Situation, rules: tuple[Rule, ...]) -> None:
    chosen = choose(situation, rules)
    considered = explain(situation, rules)
    assert [one.rule for one in considered] == [rule.name for rule in rules]
    assert [one.rule for one in considered if one.outcome == "matched"] == ([chosen[0].name] if chosen else [])
    place = rules.index(chosen[0]) if chosen else len(rules)
    assert [one.outcome for one in considered[:place]] == ["did not match"] * place
    assert all(one.why for one in considered[:place])
    assert {one.outcome for one in considered[place + 1 :]} <= {"not tried"}


@given(situations(), CONDITIONS)
def test_a_condition_that_does_not_hold_says_why(situation: Situation, condition: CallerIs) -> None:
    if not condition.holds(situation):
        assert condition.why_not(situation)
        assert "\n" not in condition.why_not(situation)


@given(situations(), st.tuples(HOURS, HOURS))
def test_a_call_is_either_during_hours_or_outside_of_them(situation: Situation, hours: tuple[Hours, Hours]) -> None:
    assert During(hours).holds(situation) is not Outside(hours).holds(situation)


@given(HOURS, MOMENTS)
def test_hours_contain_a_moment_whatever_zone_it_is_told_in(hours: Hours, at: datetime) -> None:
    assert hours.contain(at) is hours.contain(at.astimezone(hours.zone))


@given(HOURS, MOMENTS)
def test_hours_are_open_on_no_more_days_than_they_have(hours: Hours, at: datetime) -> None:
    moments = [at + timedelta(hours=step) for step in range(24 * 7)]
    assert not any(map(Hours("none", frozenset(), hours.start, hours.end, hours.zone).contain, moments))
    if hours.days:
        always = Hours("always", frozenset(range(7)), hours.start, hours.end, hours.zone)
        assert {m for m in moments if hours.contain(m)} <= {m for m in moments if always.contain(m)}


DAYS = st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])


@given(DAYS, DAYS)
def test_a_range_of_weekdays_and_the_rest_of_the_week_are_the_week(first: str, last: str) -> None:
    days, back = parse_days(f"{first}-{last}"), parse_days(f"{last}-{first}")
    ends = parse_days(f"{first},{last}")
    assert days & back == ends
    assert days | back == (set(range(7)) if first != last else ends)


@given(st.sampled_from(["above", "below", "at_least", "at_most"]), st.integers(-100, 100), st.integers(-100, 100))
def test_numbers_are_compared_as_numbers_however_they_are_written(operator: str, bound: int, value: int) -> None:
    expected = {
        "above": value > bound,
        "below": value < bound,
        "at_least": value >= bound,
        "at_most": value <= bound,
    }[operator]
    holds = Comparison.parse({operator: bound}).holds
    written: list[Scalar] = [value, float(value), str(value), f"{value}.0"]
    assert [holds(spelling) for spelling in written] == [expected] * 4


@given(SCALARS)
def test_not_turns_every_comparison_round(value: Scalar) -> None:
    for wanted in ("gold", 201, True, {"present": True}, {"above": 5}, {"equals_ignoring_case": "gold"}, ["a", 1]):
        assert Comparison.parse(wanted).holds(value) is not Comparison.parse({"not": wanted}).holds(value)


def test_there_are_rules_that_match_among_those_that_are_made_up() -> None:
    situation = Situation(Call(Withheld(), datetime.fromisoformat("2026-11-23T12:00+03:00")), Standing.WITHHELD)
    assert applies(Rule("all", TargetTemplate.parse("queue/1")), situation)
