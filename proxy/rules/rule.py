"""One rule, and the choice of the first that matches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from proxy.rules.greeting import Greeting
from proxy.rules.situation import Condition, Situation
from proxy.rules.template import TargetTemplate
from proxy.target import Target


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions, all of which must hold, and the target of the calls for which they do."""

    name: str
    target: TargetTemplate
    conditions: tuple[Condition, ...] = ()
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    greeting: Greeting | None = None

    def apply(self, situation: Situation) -> Target | None:
        """Return the target of the call, or None when this rule does not match."""
        for condition in self.conditions:
            if not condition.holds(situation):
                return None
        rendered = self.target.render(situation.contact, self.tables)
        return rendered if isinstance(rendered, Target) else None

    def why_not(self, situation: Situation) -> str:
        """Say in words why this rule does not match."""
        for condition in self.conditions:
            if not condition.holds(situation):
                return condition.why_not(situation)
        return str(self.target.render(situation.contact, self.tables))


@dataclass(frozen=True, slots=True)
class Considered:
    """What became of one rule, for explanations."""

    rule: str
    outcome: str
    """`matched`, `did not match` or `not tried`"""
    why: str = ""


def choose(situation: Situation, rules: Sequence[Rule]) -> tuple[Rule, Target] | None:
    """Return the first rule that matches and its target, or None."""
    for rule in rules:
        target = rule.apply(situation)
        if target is not None:
            return rule, target
    return None


def explain(situation: Situation, rules: Sequence[Rule]) -> list[Considered]:
    """Return what became of each rule, in their order."""
    chosen = choose(situation, rules)
    tried = len(rules) if chosen is None else rules.index(chosen[0])
    considered = [Considered(rule.name, "did not match", rule.why_not(situation)) for rule in rules[:tried]]
    considered += [Considered(rule.name, "matched") for rule in rules[tried : tried + 1]]
    considered += [Considered(rule.name, "not tried") for rule in rules[tried + 1 :]]
    return considered
