"""Pages about what is configured: sources, rules, and all settings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from proxy.web.console.masking import masked
from proxy.web.console.now import SourceNow, sources_now
from proxy.web.console.visit import View, Visit
from proxy.web.console.words import KINDS, NUMBER_TYPES, Words
from proxy.web.operated import Operated, RuleShown

DEPTH = 2
"""Of headings; tables further down stand in one line."""

LONGEST_LINE = 100
"""Characters of a table that stands in one line though it could have a heading."""

MOST_OF_A_LIST = 20
"""Of its values that are shown; then how many there are."""

LIMITS = (
    "timeout",
    "attempts",
    "wait_initial",
    "wait_max",
    "wait_jitter",
    "retry_budget",
    "concurrency",
    "breaker_failures",
    "breaker_pause",
)
"""Settings of a source that say how it is asked."""

_OPERATORS = {
    "equals_ignoring_case": "is {value}, ignoring case",
    "matches": "matches {value}",
    "above": "is above {value}",
    "below": "is below {value}",
    "at_least": "is at least {value}",
    "at_most": "is at most {value}",
}

TEXTS = (_OPERATORS,)


@dataclass(frozen=True, slots=True)
class SourceShown:
    """A source as it is set up, and as it is now."""

    now: SourceNow
    settings: Mapping[str, Any]
    limits: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class RuleRow:
    """A rule in words."""

    rule: RuleShown
    conditions: Sequence[tuple[str, str]]
    """What is looked at, and what it must be"""
    matched: int


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of a table."""

    key: str
    value: str
    is_written: bool


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the TOML."""

    heading: str
    settings: Sequence[Setting]
    unset: Sequence[str] = ()
    """Keys without a value"""


async def sources(operated: Operated, _: Visit) -> View:
    """Return the page about all sources."""
    gauges = operated.gauges()
    settings = {table["name"]: table for table in operated.shown().sections.get("sources", ())}
    shown = []
    for source in sources_now(operated, gauges):
        own = settings.get(source.name, {})
        limits = [(name, in_toml(own[name])) for name in LIMITS if name in own]
        shown.append(SourceShown(source, own, limits))
    return View("sources.html", {"sources": shown})


async def rules(operated: Operated, visit: Visit) -> View:
    """Return the page about all rules, line by line."""
    shown, matched = operated.shown(), operated.figures.rules
    lines: dict[str, list[RuleRow]] = {}
    for rule in shown.rules:
        row = RuleRow(rule, list(in_words(rule.conditions, visit.words)), sum(map(matched.__getitem__, rule.counted)))
        lines.setdefault(rule.line, []).append(row)
    return View("rules.html", {"lines": lines, "notes": shown.notes})


async def configuration(operated: Operated, _: Visit) -> View:
    """Return the page about all settings."""
    shown, gauges = operated.shown(), operated.gauges()
    return View(
        "configuration.html",
        {
            "file": shown.file,
            "taken": datetime.fromtimestamp(gauges.configured_at).astimezone(),
            "is_refused": gauges.is_refused,
            "tables": [table for table in tables(shown.sections, shown.written) if table.settings or table.unset],
            "notes": shown.notes,
        },
    )


def tables(sections: Mapping[str, Any], written: frozenset[str]) -> Iterator[Table]:
    """Yield the tables of a TOML in their order."""
    keys = _Written(written)
    for name, value in sections.items():
        yield from _tables(name, name, value, keys)


class _Written:
    """The keys that were given, and all that is above or below one."""

    def __init__(self, paths: frozenset[str]) -> None:
        self._paths = paths
        self._above = {above for path in paths for above in _ways_to(path)}

    def __contains__(self, path: str) -> bool:
        return path in self._above or any(above in self._paths for above in _ways_to(path))


def _ways_to(path: str) -> Iterator[str]:
    """Yield a path, and all above it."""
    while path:
        yield path
        path = path.rpartition(".")[0]


def _tables(title: str, path: str, value: Any, written: _Written) -> Iterator[Table]:  # noqa: ANN401 - of any type
    if _is_list_of_tables(value):
        for table in value:
            yield from _table(f"[[{title}]]", title, f"{path}.{table.get('name', '')}", table, written)
    elif isinstance(value, Mapping):
        yield from _table(f"[{title}]", title, path, value, written)
    else:
        yield Table("", [Setting(title, in_toml(value), path in written)])


def _table(heading: str, title: str, path: str, table: Mapping[str, Any], written: _Written) -> Iterator[Table]:
    has_own = title.count(".") < DEPTH - 1
    below = {key for key, value in table.items() if has_own and _needs_a_heading(heading, value)}
    own = {key: value for key, value in sorted(table.items(), key=lambda each: each[0] != "name") if key not in below}
    yield Table(
        heading,
        [Setting(key, in_toml(value), f"{path}.{key}" in written) for key, value in own.items() if value is not None],
        [key for key, value in own.items() if value is None],
    )
    for key, value in table.items():
        if key in below:
            yield from _tables(f"{title}.{key}", f"{path}.{key}", value, written)


def _needs_a_heading(heading: str, value: object) -> bool:
    """Tell whether a value is a table of its own; small ones in lists of tables are not."""
    if isinstance(value, Mapping):
        line = in_toml(value)
        return not heading.startswith("[[") or len(line) > LONGEST_LINE or "\n" in line
    return _is_list_of_tables(value)


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, Sequence) and bool(value) and isinstance(value[0], Mapping)


def in_toml(value: object) -> str:
    """Return a value as a TOML has it; nothing for None, which it cannot have."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case Mapping():
            pairs = [f"{key} = {in_toml(_shown(key, below))}" for key, below in value.items() if below is not None]
            return f"{{ {', '.join(pairs)} }}" if pairs else "{}"
        case list() | tuple():
            rest = [f"… {len(value)}"] if len(value) > MOST_OF_A_LIST else []
            return f"[{', '.join([*map(in_toml, value[:MOST_OF_A_LIST]), *rest])}]"
        case _:
            text = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"""\n{text}\n"""' if "\n" in text else f'"{text}"'


def _shown(key: object, value: object) -> object:
    """Return a value below a key: of `numbers`, which contacts have, only the last digits."""
    return [masked(str(each)) for each in value] if key == "numbers" and isinstance(value, list) else value


def in_words(conditions: Mapping[str, Any], words: Words) -> Iterator[tuple[str, str]]:
    """Yield what a rule looks at, and what it must be."""
    caller = conditions.get("caller", {})
    kinds = _listed(caller.get("kind", "known"))
    yield words.say("caller"), _any_of([words.say(KINDS.get(kind, kind)) for kind in kinds], words)
    if "country" in caller:
        yield words.say("country of the number"), _any_of(_listed(caller["country"]), words)
    if "type" in caller:
        types = [words.say(NUMBER_TYPES.get(kind, kind)) for kind in _listed(caller["type"])]
        yield words.say("type of the number"), _any_of(types, words)
    for field, wanted in conditions.get("when", {}).items():
        yield field, _wanted(wanted, words)
    if "called" in conditions:
        yield words.say("dialled number"), _any_of(_listed(conditions["called"]), words)
    if "during" in conditions:
        yield words.say("time"), words.say("during {hours}", hours=_any_of(_listed(conditions["during"]), words))
    if "outside" in conditions:
        yield words.say("time"), words.say("outside {hours}", hours=_any_of(_listed(conditions["outside"]), words))


def _wanted(wanted: Any, words: Words) -> str:  # noqa: ANN401 - any TOML value
    if not isinstance(wanted, Mapping):
        return words.say("is {value}", value=_values(wanted, words))
    told = []
    for operator, value in wanted.items():
        if operator == "present":
            told.append(words.say("is not empty") if value else words.say("is empty"))
        elif operator == "not":
            told.append(words.say("not: {condition}", condition=_wanted(value, words)))
        else:
            told.append(words.say(_OPERATORS.get(str(operator), str(operator)), value=_values(value, words)))
    return words.say(" and ").join(told)


def _values(value: object, words: Words) -> str:
    return _any_of([in_toml(each) for each in _listed(value)], words)


def _any_of(texts: Sequence[str], words: Words) -> str:
    return words.say(" or ").join(texts)


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - any TOML value
    return value if isinstance(value, list) else [value]
