"""The explanation of one decision, as text for a person and as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.actions import Action, Transfer
from proxy.cli.visible import visible
from proxy.keys import Key
from proxy.model import Asked, Reason, as_text
from proxy.phone import Caller, Extension, PhoneNumber, Unreadable
from proxy.routing import Decision, Explanation

_REASONS = {
    Reason.RULE: "the rule {rule} matched",
    Reason.NO_RULE: "a known caller, but no rule matched",
    Reason.UNKNOWN_CALLER: "the CRM does not know the caller",
    Reason.INTERNAL_CALLER: "an extension calls",
    Reason.WITHHELD: "the number is withheld",
    Reason.BAD_NUMBER: "the number cannot be read",
    Reason.CRM_FAILED: "the CRM could not be asked",
    Reason.OVERLOAD: "too many lookups are under way",
    Reason.REFUSED: "nobody may ask about it",
    Reason.BUG: "of a bug",
    Reason.ASKED: "a step leads there",
    Reason.ANSWERED: "an answer of the caller leads there",
    Reason.NO_ANSWER: "the caller has not answered well",
}


@dataclass(frozen=True, slots=True)
class Explained:
    """All that `tanima route` tells."""

    number: str
    """As it was typed"""
    explanation: Explanation
    sources: Sequence[str]
    """All that are configured, in their order"""
    asked: Sequence[Asked]
    bugs: Sequence[str]
    answers: Mapping[str, str]
    """What the switch would be told, by dialect; the explanation is that of the first"""
    seconds: float
    """From the number to the decision"""
    key: Key | None = None
    """What the caller has keyed"""

    def as_json(self) -> str:
        """Return one JSON object; seconds are seconds, and what is not known is null."""
        knowledge, decision = self.explanation.knowledge, self.explanation.decision
        action = decision.action
        call, contact = knowledge.situation.call, knowledge.situation.contact
        document = {
            "number": self.number,
            "caller": _caller_as_json(call.caller),
            "called": _caller_as_json(call.called) if call.called else None,
            "keyed": self.key is not None,
            "at": call.at.isoformat(timespec="seconds"),
            "sources": [
                {"source": a.source, "outcome": a.outcome, "seconds": round(a.seconds, 4), "note": a.note or None}
                for a in self.asked
            ],
            "failure": knowledge.failure or None,
            "bugs": list(self.bugs),
            "contact": contact
            and {
                "id": contact.id or None,
                "name": contact.name or None,
                "customer_number": contact.customer_number or None,
                "numbers": list(contact.numbers),
                "fields": dict(contact.fields),
            },
            "rules": [
                {"rule": c.rule, "outcome": c.outcome, "why": c.why or None} for c in self.explanation.considered
            ],
            "decision": {
                "target": str(action.target) if isinstance(action, Transfer) else None,
                "step": decision.step or None,
                "name": (isinstance(action, Transfer) and action.name) or None,
                "phrase": (isinstance(action, Transfer) and action.phrase) or None,
                "reason": decision.reason.value,
                "rule": decision.rule or None,
                "via": decision.via.value,
                "seconds": round(self.seconds, 4),
            },
            "answers": {dialect: json.loads(answer) for dialect, answer in self.answers.items()},
        }
        return json.dumps(document, ensure_ascii=False, indent=2)

    def as_text(self) -> str:
        """Return paragraphs in the order of a call, each with a heading in the first column."""
        paragraphs = [
            ("Number", list(self._number())),
            ("Sources", list(self._sources())),
            ("Contact", list(self._contact())),
            ("Rules", list(self._rules())),
            ("Decision", list(self._decision())),
            ("Answer", list(self._answer())),
        ]
        return "\n".join(
            f"{heading if first else '':<10}{visible(line)}"
            for heading, lines in paragraphs
            for first, line in zip([True] + [False] * len(lines), lines, strict=False)
        )

    def _number(self) -> Iterator[str]:
        call = self.explanation.knowledge.situation.call
        yield f"{self.number!r} is {caller_in_words(call.caller)}"
        if call.called:
            line = f", the line {self.explanation.decision.line}" if self.explanation.decision.line else ""
            yield f"dialled: {caller_in_words(call.called)}{line}"
        if self.key is not None:
            yield "and has keyed a number, which is looked up in its place"
        yield f"rings at {call.at:%a %Y-%m-%d %H:%M %Z}"

    def _sources(self) -> Iterator[str]:
        width = max(map(len, self.sources), default=0)
        longest = max((len(asked.outcome) for asked in self.asked), default=0)
        for asked in self.asked:
            note = f"  ({asked.note})" if asked.note else ""
            yield f"{asked.source:<{width}}  {asked.outcome:<{max(longest, 8)}} {asked.seconds * 1000:7.1f} ms{note}"
        for name in self.sources:
            if name not in {asked.source for asked in self.asked}:
                yield f"{name:<{width}}  not asked"
        yield from (f"bug in {bug}" for bug in self.bugs)

    def _contact(self) -> Iterator[str]:
        contact = self.explanation.knowledge.situation.contact
        if contact is None:
            yield "none"
            return
        shown = {"id": contact.id, "name": contact.name, "numbers": ", ".join(contact.numbers)}
        shown |= {"customer_number": contact.customer_number} if contact.customer_number else {}
        shown |= {name: as_text(value) for name, value in contact.fields.items()}
        width = max(map(len, shown))
        yield from (f"{name:<{width}}  {value or '-'}" for name, value in shown.items())

    def _rules(self) -> Iterator[str]:
        considered = self.explanation.considered
        width = max((len(c.rule) for c in considered), default=0)
        for c in considered:
            yield f"{c.rule:<{width}}  {c.outcome}{f': {c.why}' if c.why else ''}"
        if not considered:
            yield "none"

    def _decision(self) -> Iterator[str]:
        decision, failure = self.explanation.decision, self.explanation.knowledge.failure
        yield f"{decision_in_words(decision)}{f' ({failure})' if failure else ''}"
        if self.key is not None and self.explanation.knowledge.situation.contact is None:
            yield "after the step has asked again, as often as it may, and where it says nothing else (otherwise)"
        yield f"{_greeting_in_words(decision.action)}; via {decision.via}; {self.seconds * 1000:.1f} ms"

    def _answer(self) -> Iterator[str]:
        width = max(map(len, self.answers)) if len(self.answers) > 1 else 0
        for dialect, answer in self.answers.items():
            yield f"{dialect:<{width}}  {answer}" if width else answer


def decision_in_words(decision: Decision) -> str:
    """Return where a call goes or what the caller is asked, and why."""
    action = decision.action
    why = _REASONS[Reason.RULE if decision.rule else decision.reason].format(rule=repr(decision.rule))
    if isinstance(action, Transfer):
        return f"{action.target}, because {why}"
    return f"the caller is asked {decision.step}, because {why}"


def _greeting_in_words(action: Action) -> str:
    if not isinstance(action, Transfer):
        return "a question to the caller"
    if action.phrase:
        return f"phrase: {action.phrase}"
    return f"greeting: {action.name or 'none'}"


def caller_in_words(caller: Caller) -> str:
    """Return how a caller was read, for a sentence that begins with what was sent."""
    match caller:
        case PhoneNumber():
            return f"{caller.e164}, a {caller.type} number of {caller.country}"
        case Extension(number):
            return f"the extension {number}"
        case Unreadable(why):
            return f"no number: it {why}"
        case _:
            return "a withheld number"


def _caller_as_json(caller: Caller) -> dict[str, Any]:
    match caller:
        case PhoneNumber():
            return {"kind": "number", "e164": caller.e164, "type": caller.type, "country": caller.country}
        case Extension(number):
            return {"kind": "extension", "number": number}
        case Unreadable(why):
            return {"kind": "unreadable", "why": why}
        case _:
            return {"kind": "withheld"}
