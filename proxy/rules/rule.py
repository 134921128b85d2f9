"""One rule, and the choice of the first that matches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from proxy.rules.manner import Manner
from proxy.rules.situation import Condition, Situation
from proxy.rules.template import TargetTemplate
from proxy.target import Target

Goal = Target | str
"""A target, or the name of a step of a dialogue."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions, all of which must hold, and what becomes of the calls for which they do.

    Where it has a step to ask, and that may be asked now, it leads there; else to its target, if it has one.
    """

    name: str
    target: TargetTemplate | None = None
    conditions: tuple[Condition, ...] = ()
    tables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    manner: Manner = field(default=Manner())
    ask: str = ""

    def goal_in_words(self) -> str:
        """Return where it leads, as the TOML has it."""
        target = self.target.text if self.target else ""
        if not self.ask:
            return target
        return f"ask {self.ask}" + (f", or else {target}" if target else "")

    def apply(self, situation: Situation) -> Goal | None:
        """Return where the call goes, or None when this rule does not match."""
        for condition in self.conditions:
            if not condition.holds(situation):
                return None
        reached = self._reached(situation)
        return reached if isinstance(reached, Target) or reached in situation.steps else None

    def why_not(self, situation: Situation) -> str:
        """Say in words why this rule does not match."""
        for condition in self.conditions:
            if not condition.holds(situation):
                return condition.why_not(situation)
        return str(self._reached(situation))

    def _reached(self, situation: Situation) -> Goal:
        """Return where it leads when its conditions hold, or a sentence that says why nowhere."""
        can_be_asked = situation.call.can_be_asked
        if self.ask in situation.steps:
            return self.ask
        if self.target is None:
            why = "may not be asked now" if can_be_asked else "cannot be asked in this dialect"
            return f"the step {self.ask} {why}"
        target = self.target.render(situation, self.tables)
        if isinstance(target, Target) and target.kind == "tts" and not can_be_asked:
            return "its target cannot be said in this dialect"
        return target


@dataclass(frozen=True, slots=True)
class Considered:
    """What became of one rule, for explanations."""

    rule: str
    outcome: str
    """`matched`, `did not match` or `not tried`"""
    why: str = ""


def choose(situation: Situation, rules: Sequence[Rule]) -> tuple[Rule, Goal] | None:
    """Return the first rule that matches and where it leads, or None."""
    for rule in rules:
        goal = rule.apply(situation)
        if goal is not None:
            return rule, goal
    return None


def explain(situation: Situation, rules: Sequence[Rule]) -> list[Considered]:
    """Return what became of each rule, in their order."""
    chosen = choose(situation, rules)
    tried = len(rules) if chosen is None else rules.index(chosen[0])
    considered = [Considered(rule.name, "did not match", rule.why_not(situation)) for rule in rules[:tried]]
    considered += [Considered(rule.name, "matched") for rule in rules[tried : tried + 1]]
    considered += [Considered(rule.name, "not tried") for rule in rules[tried + 1 :]]
    return considered
