from dataclasses import replace

from proxy.model import Contact
from proxy.rules import Considered, Rule, Standing, choose, explain
from proxy.rules.comparison import Comparison
from proxy.rules.situation import CallerIs, FieldIs
from proxy.rules.template import TargetTemplate
from proxy.target import Target
from tests.unit.fakes import known, unknown

KNOWN = CallerIs(frozenset({Standing.KNOWN}))
TABLES = {"extensions": {"ayse": "1003"}}


def rule(name: str, target: str, *conditions: FieldIs | CallerIs) -> Rule:
    return Rule(name, TargetTemplate.parse(target), conditions, TABLES)


def tier_is(wanted: object) -> FieldIs:
    return FieldIs("tier", Comparison.parse(wanted))


GOLD = rule("gold", "queue/201", KNOWN, tier_is("gold"))
OWNER = rule("own agent", "user/{owner | extensions}", KNOWN)
ANYONE = rule("rest", "queue/299")


def test_a_rule_without_conditions_is_for_everybody() -> None:
    assert ANYONE.apply(unknown()) == Target("queue", "299")


def test_all_conditions_of_a_rule_must_hold() -> None:
    both = rule("both", "queue/1", tier_is("gold"), FieldIs("vip", Comparison.parse(True)))
    assert both.apply(known(Contact(fields={"tier": "gold", "vip": True}))) == Target("queue", "1")
    assert both.apply(known(Contact(fields={"tier": "gold"}))) is None
    assert both.apply(known(Contact(fields={"vip": True}))) is None


def test_the_first_condition_that_does_not_hold_is_the_reason() -> None:
    both = rule("both", "queue/1", KNOWN, tier_is("gold"), FieldIs("vip", Comparison.parse(True)))
    assert both.why_not(unknown()) == "is for known callers, this one is unknown"
    assert both.why_not(known(Contact(fields={"tier": "gold"}))) == "vip is empty, wanted true"


def test_a_rule_whose_target_cannot_be_rendered_does_not_match_and_says_why() -> None:
    situation = known(Contact(fields={"owner": "mehmet"}))
    assert OWNER.apply(situation) is None
    assert OWNER.why_not(situation) == "its target needs 'mehmet' in the table extensions, which does not have it"
    assert OWNER.apply(known(Contact(fields={"owner": "ayse"}))) == Target("user", "1003")


def test_the_first_rule_that_matches_wins() -> None:
    situation = known(Contact(fields={"tier": "gold", "owner": "ayse"}))
    assert choose(situation, [GOLD, OWNER, ANYONE]) == (GOLD, Target("queue", "201"))
    assert choose(situation, [OWNER, GOLD, ANYONE]) == (OWNER, Target("user", "1003"))


def test_after_a_target_that_cannot_be_rendered_the_next_rule_is_tried() -> None:
    situation = known(Contact(fields={"tier": "silver"}))
    assert choose(situation, [GOLD, OWNER, ANYONE]) == (ANYONE, Target("queue", "299"))


def test_no_rule_may_match() -> None:
    assert choose(unknown(), [GOLD, OWNER]) is None
    assert choose(unknown(), []) is None


def test_each_rule_is_explained() -> None:
    situation = known(Contact(fields={"tier": "silver", "owner": "ayse"}))
    assert explain(situation, [GOLD, OWNER, ANYONE]) == [
        Considered("gold", "did not match", 'tier is "silver", wanted "gold"'),
        Considered("own agent", "matched"),
        Considered("rest", "not tried"),
    ]


def test_it_is_explained_when_no_rule_matched() -> None:
    assert explain(unknown(), [GOLD, OWNER]) == [
        Considered("gold", "did not match", "is for known callers, this one is unknown"),
        Considered("own agent", "did not match", "is for known callers, this one is unknown"),
    ]
    assert explain(unknown(), []) == []


def test_two_rules_that_are_alike_are_told_apart_by_their_place() -> None:
    considered = explain(unknown(), [ANYONE, ANYONE])
    assert [rule.outcome for rule in considered] == ["matched", "not tried"]


SPOKEN = Rule("spoken", TargetTemplate.parse("tts/tr-TR/Kapalıyız"))
ASKING = Rule("asking", ask="menu")
BOTH = Rule("both", TargetTemplate.parse("queue/1"), ask="menu")


def test_a_spoken_target_matches_only_where_it_can_be_said() -> None:
    old = unknown()
    new = replace(old, call=replace(old.call, can_be_asked=True))
    assert (SPOKEN.apply(old), SPOKEN.apply(new)) == (None, Target("tts", "tr-TR/Kapalıyız"))
    assert SPOKEN.why_not(old) == "its target cannot be said in this dialect"


def test_a_rule_leads_to_its_step_where_that_may_be_asked_and_else_to_its_target() -> None:
    old = unknown()
    new = replace(old, call=replace(old.call, can_be_asked=True))
    may_ask = replace(new, steps=frozenset({"menu"}))
    assert [rule.apply(may_ask) for rule in (ASKING, BOTH)] == ["menu", "menu"]
    assert [rule.apply(new) for rule in (ASKING, BOTH)] == [None, Target("queue", "1")]
    assert ASKING.why_not(new) == "the step menu may not be asked now"
    assert ASKING.why_not(old) == "the step menu cannot be asked in this dialect"
