"""Which rules can never match, because one before them always does."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import count

from proxy.rules.rule import Rule
from proxy.rules.situation import (
    CallerIs,
    Condition,
    Dialled,
    During,
    FieldIs,
    FromCountry,
    NumberTypeIs,
    Outside,
    Standing,
)

_ALL = 0
"""What is common to all rules"""


def overshadowed(rules: Sequence[Rule]) -> Mapping[str, str]:
    """Return the names of rules that never match, each with that of one before it which matches whenever it would.

    Not all such rules are found: what the fields of contacts may be, nobody knows here. Of those before it, a rule is
    only compared with the ones that have something in common with it, which keeps thousands of rules quick.
    """
    numbers: dict[Hashable, int] = defaultdict(count(1).__next__)  # these are compared more quickly
    marks = [[[numbers[mark] for mark in _marks(condition)] for condition in rule.conditions] for rule in rules]
    usual = Counter(mark for of_rule in marks for of_condition in of_rule for mark in of_condition)
    exact = [
        {mark for one, each in zip(rule.conditions, of_rule, strict=True) if _is_exact(one) for mark in each}
        for rule, of_rule in zip(rules, marks, strict=True)
    ]
    before: dict[int, list[int]] = defaultdict(list)
    never: dict[str, str] = {}
    for place, (rule, of_rule) in enumerate(zip(rules, marks, strict=True)):
        own = {_ALL, *(mark for of_condition in of_rule for mark in of_condition)}
        alike = (at for mark in own for at in before.get(mark, ()) if exact[at] <= exact[place])
        first = min((at for at in alike if _is_overshadowed(rule, rules[at])), default=None)
        if first is not None:  # what it would overshadow, the same one does
            never[rule.name] = rules[first].name
        elif _always_leads_somewhere(rule):
            for mark in min(of_rule, key=lambda each: sum(usual[mark] for mark in each), default=[_ALL]):
                before[mark].append(place)
    return never


def _is_overshadowed(rule: Rule, earlier: Rule) -> bool:
    return all(any(_implies(mine, theirs) for mine in rule.conditions) for theirs in earlier.conditions)


def _marks(condition: Condition) -> Iterator[Hashable]:
    """Yield what it is about: of two of which one implies the other, at least one thing is the same."""
    match condition:
        case CallerIs(standings):
            each: Sequence[object] = [*standings, *([Standing.SEVERAL] if Standing.UNKNOWN in standings else [])]
        case FromCountry(choices) | NumberTypeIs(choices):
            each = [*choices]
        case Dialled(numbers):
            each = numbers
        case During(hours):
            each = [span.name for span in hours]
        case Outside(hours):
            each = [tuple(span.name for span in hours)]
        case _:
            each = [condition]
    return ((type(condition), one) for one in dict.fromkeys(each))


def _is_exact(condition: Condition) -> bool:
    """Tell whether only the same implies it."""
    return isinstance(condition, (FieldIs, Outside))


def _always_leads_somewhere(rule: Rule) -> bool:
    """Tell whether a rule whose conditions hold is certain to match, in any dialect."""
    return rule.target is not None and rule.target.literal is not None and rule.target.literal.kind != "tts"


def _implies(one: Condition, other: Condition) -> bool:
    """Tell whether the other holds whenever the one does."""
    match one, other:
        case CallerIs(mine), CallerIs(theirs):
            also = {Standing.SEVERAL} if Standing.UNKNOWN in theirs else set()
            return mine <= theirs | also
        case FromCountry(mine), FromCountry(theirs):
            return mine <= theirs
        case NumberTypeIs(mine), NumberTypeIs(theirs):
            return mine <= theirs
        case Dialled(mine), Dialled(theirs):
            return set(mine) <= set(theirs)
        case During(mine), During(theirs):
            return {hours.name for hours in mine} <= {hours.name for hours in theirs}
        case _:
            return one == other
