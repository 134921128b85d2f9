"""Which rules can never match, because one before them always does."""

from collections.abc import Mapping, Sequence

from proxy.rules.rule import Rule
from proxy.rules.situation import CallerIs, Condition, Dialled, During, FromCountry, NumberTypeIs, Standing


def overshadowed(rules: Sequence[Rule]) -> Mapping[str, str]:
    """Return the names of rules that never match, each with that of one before it which matches whenever it would.

    Not all such rules are found: what the fields of contacts may be, nobody knows here.
    """
    never: dict[str, str] = {}
    for place, rule in enumerate(rules):
        for earlier in rules[:place]:
            if _always_leads_somewhere(earlier) and all(
                any(_implies(mine, theirs) for mine in rule.conditions) for theirs in earlier.conditions
            ):
                never[rule.name] = earlier.name
                break
    return never


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
