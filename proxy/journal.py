"""The last calls, with all that led to their decisions; failures outlive successes."""

import math
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from heapq import merge
from typing import Any, NamedTuple

from proxy.actions import Transfer
from proxy.entry import unpack
from proxy.model import FAILED_OPEN, Call, Contact, Finding, Outcome, Reason, Via, as_text
from proxy.phone import Caller, PhoneNumber
from proxy.routing import Decision, Explanation, Routing, by_rules, learnt, put_through
from proxy.rules import Rule, explain
from proxy.values import per_call

KEPT = 1000
"""Calls of each sort that are kept."""

_AFTER_RULES = frozenset(Reason) - {Reason.ASKED, Reason.ANSWERED, Reason.NO_ANSWER, Reason.REFUSED, Reason.BUG}
"""Reasons of decisions without a rule, for which none of them has matched."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""What the id of a call is written like; another may be somebody's number."""


@per_call(frozen=True, slots=True)
class Answered:
    """One answered request of the switch."""

    call: Call | None
    """None when it was no question that the switch asks"""
    decision: Decision
    seconds: float
    routing: Routing | None = None
    """What decided it"""
    dialect: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it was answered"""
    rang: float = field(default_factory=time.monotonic, compare=False)
    """When it was asked about, in seconds of `time.monotonic`, which all processes of a machine have in common"""

    @property
    def sort(self) -> str:
        """Return `failed` when something behind us has failed, `refused` when nobody may ask, or else `good`.

        A call that was answered from what is stale has failed too, and been rescued.
        """
        decision = self.decision
        if decision.reason in FAILED_OPEN or decision.via is Via.STALE or decision.heard is Outcome.FAILED:
            return "failed"
        return "refused" if decision.reason is Reason.REFUSED else "good"

    @property
    def by_rules(self) -> bool:
        """Tell whether rules were tried for it: not where a step or its answer says where the call goes."""
        return bool(self.decision.rule) or self.decision.reason in _AFTER_RULES

    def explanation(self) -> Explanation | None:
        """Return all that led to the decision; None where it had nothing to go by."""
        knowledge, routing = self.decision.knowledge, self.routing
        if knowledge is None or routing is None:
            return None
        considered = explain(knowledge.situation, routing.rules) if self.by_rules else []
        return Explanation(knowledge, considered, self.decision)

    def tried(self) -> list[tuple[str, bool]]:
        """Return the rules that were tried, and whether each has matched: of an explanation, what costs nothing."""
        if self.decision.knowledge is None or self.routing is None or not self.by_rules:
            return []
        names = [rule.name for rule in self.routing.rules]
        matched = self.decision.rule
        before = names[: names.index(matched)] if matched in names else names
        return [(name, False) for name in before] + ([(matched, True)] if matched in names else [])

    def told(self) -> dict[str, Any]:
        """Return what may be told of it in one line, without a number, a name or a secret; None is unknown."""
        call, decision = self.call, self.decision
        target = decision.action.target if isinstance(decision.action, Transfer) else None
        is_dialogue = call is not None and call.can_be_asked
        return {
            "call_id": told_id(call.call_id) if call and is_dialogue else None,
            "step": call.step if call and is_dialogue else None,
            "heard": decision.heard and decision.heard.value,
            "asks": decision.step or None,
            "not_asked": decision.not_asked or None,
            "called": str(call.called) if call and call.called else None,
            "line": decision.line or None,
            "caller": str(call.caller) if call else "none",
            "target": str(target) if target else None,
            "reason": decision.reason.value,
            "via": decision.via.value,
            "rule": decision.rule or None,
            "ms": round(self.seconds * 1000, 1),
        }


def told_id(call_id: str) -> str | None:
    """Return the switch's own id of a call, where it may be told."""
    return call_id if _UUID.fullmatch(call_id) else None


@dataclass(slots=True)
class Repeated:
    """An answer that is given again to the same question, as what it is made of: the whole would take much memory."""

    caller: PhoneNumber
    kept: bytes
    """What the cache has of him, packed"""
    routing: Routing
    rule: Rule | None
    """The one that matched"""
    reason: Reason
    dialect: str
    line: str = ""
    """What the log has written of it, but for the times and the id"""
    called: Caller | None = None
    steps: frozenset[str] | None = None
    """What the caller may be asked; None where it is no dialogue, of which this is the first question"""

    def answered(self, seconds: float, at: datetime, call_id: str = "") -> Answered:
        """Return the whole answer, as it was given at some time in so many seconds."""
        entry, may_ask = unpack(self.kept), self.steps is not None
        call = Call(self.caller, at, self.called, call_id=call_id, can_be_asked=may_ask)
        knowledge = learnt(call, Finding(entry.contact, Via.CACHE, entry.ambiguous))
        if self.steps:
            knowledge = replace(knowledge, situation=replace(knowledge.situation, steps=self.steps))
        rules = () if self.rule is None else (replace(self.rule, conditions=()),)  # they held, and may not any more
        way = by_rules(knowledge, self.routing, rules)
        return Answered(call, put_through(way, knowledge, self.routing), seconds, self.routing, self.dialect, at)


class Given(NamedTuple):
    """An answer that was given again."""

    repeated: Repeated
    seconds: float
    """That it took"""
    call_id: str = ""
    """Of the call that it was given to"""


class Entry(NamedTuple):
    """One call in the journal. The number counts up by one from each to the next, and is never given again."""

    number: int
    given: Answered | Given
    at: datetime | None = None
    """When it was given again"""

    @property
    def answered(self) -> Answered:
        """Return how it was answered."""
        if isinstance(self.given, Answered):
            return self.given
        repeated, seconds, call_id = self.given
        return repeated.answered(seconds, self.at or datetime.now(UTC), call_id)


class Journal:
    """The last calls of each sort: a flood of one does not drive out the others. Not for use from several threads."""

    def __init__(self, kept: int = KEPT) -> None:
        self._entries = {sort: deque[Entry](maxlen=kept) for sort in ("failed", "good", "refused")}
        self._count = 0
        self._erased_at = -math.inf

    def __len__(self) -> int:
        return sum(map(len, self._entries.values()))

    def add(self, answered: Answered, ago: float = 0.0) -> None:
        """Keep a call that was answered some seconds `ago`; of its sort, the oldest may have to go for it.

        One that rang before an erase is not kept.
        """
        if min(answered.rang, time.monotonic() - ago - answered.seconds) <= self._erased_at:
            return
        self._count += 1
        self._entries[answered.sort].append(Entry(self._count, answered))

    def add_repeated(self, given: Iterable[Given], since: float) -> None:
        """Keep answers that were given again, the first of them `since`; none from before an erase."""
        if since <= self._erased_at:
            return
        at, good = time_of(since), self._entries["good"]
        for number, one in enumerate(given, self._count + 1):
            good.append(Entry(number, one, at))
            self._count = number

    def get(self, number: int) -> Entry | None:
        """Return one entry, if it is still there."""
        return next((entry for entry in self.entries() if entry.number == number), None)

    def entries(self, wanted: Callable[[Answered], bool] | None = None) -> Iterator[Entry]:
        """Yield the calls that are `wanted`, or all, the latest first."""
        latest_first = merge(
            *(reversed(entries) for entries in self._entries.values()), key=lambda entry: -entry.number
        )
        return latest_first if wanted is None else (entry for entry in latest_first if wanted(entry.answered))

    def forget(self, number: PhoneNumber) -> None:
        """Drop what may be about the person with this number.

        That is calls from it, calls of contacts that have it, and all in which something was keyed, since nobody can
        tell whose number that was.
        """
        self._erased_at = time.monotonic()
        for sort, entries in self._entries.items():
            kept = (entry for entry in entries if not _may_be_about(entry.given, number))
            self._entries[sort] = deque(kept, entries.maxlen)


def time_of(moment: float) -> datetime:
    """Return the time at some moment of `time.monotonic`."""
    return datetime.now(UTC) - timedelta(seconds=time.monotonic() - moment)


def _may_be_about(given: Answered | Given, number: PhoneNumber) -> bool:
    if not isinstance(given, Answered):
        repeated = given.repeated
        return number == repeated.caller or _holds(unpack(repeated.kept).contact, number)
    call, knowledge = given.call, given.decision.knowledge
    if call is None:
        return False
    if number == call.caller or call.heard.keyed or call.heard.said:
        return True
    contact = knowledge.situation.contact if knowledge else None
    return contact is not None and (call.step > 1 or _holds(contact, number))


def _holds(contact: Contact | None, number: PhoneNumber) -> bool:
    texts = [*contact.numbers, *map(as_text, contact.fields.values())] if contact is not None else []
    return any(number.found_in(texts))
