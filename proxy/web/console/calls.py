"""The journal: the last calls, and each of them in all its steps."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from urllib.parse import urlencode

from proxy.actions import Transfer
from proxy.journal import Answered, Entry
from proxy.model import Reason, Via
from proxy.web.console import words
from proxy.web.console.visit import View, Visit
from proxy.web.console.way import way_of_entry
from proxy.web.operated import Operated

ON_A_PAGE = 100

FILTERS = ("sort", "reason", "via", "source", "rule", "target")

Wanted = Callable[[Answered], bool]


@dataclass(frozen=True, slots=True)
class Row:
    """One call, in a line."""

    number: int
    at: str
    iso: str
    caller: str
    called: str
    line: str
    reason: Reason
    via: Via
    rule: str
    sources: str
    target: str
    """Empty while it is not decided"""
    asks: str
    seconds: float
    sort: str


def row_of(entry: Entry) -> Row:
    """Return a call in a line, its numbers masked."""
    answered = entry.answered
    call, decision = answered.call, answered.decision
    knowledge = decision.knowledge
    return Row(
        number=entry.number,
        at=words.moment(answered.at),
        iso=answered.at.isoformat(timespec="seconds"),
        caller=str(call.caller) if call else words.NONE,
        called=str(call.called) if call and call.called else "",
        line=decision.line,
        reason=decision.reason,
        via=decision.via,
        rule=decision.rule,
        sources=", ".join(dict.fromkeys(asked.source for asked in knowledge.asked)) if knowledge else "",
        target=target_of(answered),
        asks=decision.step,
        seconds=answered.seconds,
        sort=answered.sort,
    )


def target_of(answered: Answered) -> str:
    """Return where a call goes; nothing when the caller is asked something."""
    action = answered.decision.action
    return str(action.target) if isinstance(action, Transfer) else ""


async def calls(operated: Operated, visit: Visit) -> View:
    """Return a page of the journal."""
    chosen = {name: visit.query.get(name, "").strip() for name in FILTERS}
    before = _number(visit.query.get("before", ""))
    tests = list(_tests(chosen))
    wanted: Wanted = lambda answered: all(test(answered) for test in tests)  # noqa: E731 - it is an argument
    found = operated.journal.entries(wanted if tests else None)
    older = (entry for entry in found if before is None or entry.number < before)
    entries = list(islice(older, ON_A_PAGE + 1))
    shown, gauges = entries[:ON_A_PAGE], operated.gauges()
    filled = {name: value for name, value in chosen.items() if value}
    return View(
        "calls.html",
        {
            "rows": [row_of(entry) for entry in shown],
            "chosen": chosen,
            "is_filtered": bool(filled),
            "is_later_page": before is not None,
            "newest": f"?{urlencode(filled)}",
            "older": f"?{urlencode({**filled, 'before': shown[-1].number})}" if len(entries) > ON_A_PAGE else "",
            "source_names": list(gauges.sources),
            "rule_names": list(dict.fromkeys(name for _, name in gauges.rules)),
            "kept": len(operated.journal),
        },
    )


async def call(operated: Operated, visit: Visit) -> View:
    """Return one call of the journal; its number ends the path."""
    number = int(visit.path.rpartition("/")[2])
    entry = operated.journal.get(number)
    if entry is None:
        return View("gone.html", {"number_of_call": number}, status=404)
    return View(
        "call.html",
        {
            "row": row_of(entry),
            "way": way_of_entry(entry, operated, visit.words),
            "steps": [row_of(other) for other in _of_the_same_call(operated, entry)],
        },
    )


def _of_the_same_call(operated: Operated, entry: Entry) -> list[Entry]:
    """Return all questions of the switch about a call of a dialogue, the first one first."""
    call = entry.answered.call
    if call is None or not call.call_id or not call.can_be_asked:
        return []

    def is_of_it(answered: Answered) -> bool:
        other = answered.call
        return other is not None and (other.call_id, other.caller) == (call.call_id, call.caller)

    steps = list(operated.journal.entries(is_of_it))
    return steps[::-1] if len(steps) > 1 else []


def _tests(chosen: Mapping[str, str]) -> Iterator[Wanted]:
    """Yield what a call must be."""
    for name, text in chosen.items():
        if text:
            yield partial(_TESTS[name], text)


def _asked(source: str, answered: Answered) -> bool:
    knowledge = answered.decision.knowledge
    return knowledge is not None and any(asked.source == source for asked in knowledge.asked)


_TESTS: Mapping[str, Callable[[str, Answered], bool]] = {
    "sort": lambda text, answered: answered.sort == text,
    "reason": lambda text, answered: answered.decision.reason == text,
    "via": lambda text, answered: answered.decision.via == text,
    "source": _asked,
    "rule": lambda text, answered: answered.decision.rule == text,
    "target": lambda text, answered: text in target_of(answered),
}
"""What each filter demands."""


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None  # noqa: PLR2004 - any number is
