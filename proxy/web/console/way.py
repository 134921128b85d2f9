"""The way of a call as a picture: what was read, who was asked and for how long, which rule matched, where it went."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from proxy.actions import Action, Transfer
from proxy.journal import Answered, Entry
from proxy.model import Asked, Contact, Reason, as_text
from proxy.phone import Caller, Extension, PhoneNumber, Unreadable
from proxy.routing import Decision, Explanation
from proxy.rules import Considered
from proxy.web.console.masking import answer_without_numbers, error_without_numbers, masked, without_numbers
from proxy.web.console.whys import in_turkish
from proxy.web.console.words import BECAUSE, HEARD, NUMBER_TYPES, Words
from proxy.web.operated import Operated, Tested

IN_TIME = 0.97
"""Of the deadline; a call that took longer was not answered because the last source had answered."""

SHORTEST = 0.001
"""Seconds of an axis at the least."""

_GOOD = frozenset({"found", "completed", "enriched"})
_BAD = frozenset({"failed", "incomplete"})


@dataclass(frozen=True, slots=True)
class Stretch:
    """One source on the axis of time; `x` and `width` are in percent of it. Both are 0 for one that was not asked."""

    source: str
    outcome: str
    level: str
    """`good`, `fair`, `bad` or `idle`"""
    seconds: float | None
    note: str = ""
    x: float = 0.0
    width: float = 0.0


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a rule."""

    rule: str
    outcome: str
    why: str
    is_english: bool
    """There is no other language for the reason"""


@dataclass(frozen=True, slots=True)
class Axis:
    """The time of a call; all but `seconds` in percent of the width."""

    seconds: float
    deadline: float | None
    answered: float
    marks: Sequence[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Told:
    """What is shown of a contact."""

    fields: Sequence[tuple[str, str]]
    numbers: Sequence[tuple[str, bool]]
    """Masked, and whether it is the caller's"""


@dataclass(frozen=True, slots=True)
class Way:
    """All that is shown of one call."""

    caller: str
    called: str
    line: str
    rang: str
    decision: Decision
    seconds: float
    deadline: float | None
    """None for a call of an older configuration"""
    stretches: Sequence[Stretch]
    axis: Axis
    target: str
    asks: str
    because: str
    failure: str
    heard: str
    said: str
    """What the caller hears"""
    contact: Told | None
    standing: str = ""
    considered: Sequence[Tried] = ()
    is_explained: bool = True
    """There was something to decide by"""
    bugs: Sequence[str] = ()
    answers: Mapping[str, str] = field(default_factory=dict)
    """What the switch is told, by dialect"""

    @property
    def is_late(self) -> bool:
        """Whether it took longer than the switch may be kept waiting."""
        return self.deadline is not None and self.seconds > self.deadline


def way_of_entry(entry: Entry, operated: Operated, words: Words) -> Way:
    """Return the way of a call that was answered."""
    answered, gauges = entry.answered, operated.gauges()
    is_of_now = answered.at.timestamp() > gauges.configured_at
    deadline = gauges.deadline if is_of_now else None
    knowledge = answered.decision.knowledge
    began = _began(answered, deadline, knowledge.asked if knowledge else ())
    explanation = answered.explanation()
    call = answered.call
    return _way(
        Story(
            answered.decision,
            explanation,
            caller_in_words(call.caller, words, typed=False) if call else words.say("no question of a switch"),
            caller_in_words(call.called, words, typed=False) if call and call.called else "",
            began,
            answered.seconds,
            deadline,
            list(gauges.sources) if is_of_now else (),
        ),
        words,
    )


def way_of_test(tested: Tested, operated: Operated, words: Words) -> Way:
    """Return the way of a call that nobody made."""
    explanation, gauges = tested.explanation, operated.gauges()
    called = explanation.knowledge.situation.call.called
    target = _target_of(explanation.decision)
    return _way(
        Story(
            explanation.decision,
            explanation,
            caller_in_words(tested.caller, words, typed=True),
            caller_in_words(called, words, typed=True) if called else "",
            tested.began,
            tested.seconds,
            gauges.deadline,
            list(gauges.sources),
            list(map(_without_text, tested.bugs)),
            {dialect: answer_without_numbers(answer, target) for dialect, answer in tested.answers.items()},
        ),
        words,
    )


@dataclass(frozen=True, slots=True)
class Story:
    """What is known of a call, from wherever."""

    decision: Decision
    explanation: Explanation | None
    caller: str
    called: str
    began: float
    seconds: float
    deadline: float | None
    """As far as it is known what was in force"""
    sources: Sequence[str]
    """Likewise"""
    bugs: Sequence[str] = ()
    answers: Mapping[str, str] = field(default_factory=dict)


def caller_in_words(caller: Caller, words: Words, *, typed: bool) -> str:
    """Return how a number was read; in full only for whoever has `typed` it."""
    match caller:
        case PhoneNumber():
            kind = words.say(NUMBER_TYPES.get(caller.type, caller.type))
            number = caller.spaced_international if typed else str(caller)
            return f"{number} · {kind} · {caller.country}"
        case Extension(number):
            return words.say("extension {number}", number=number)
        case Unreadable(why):
            return words.say("no number: it {why}", why=words.say(why))
        case _:
            return words.say("a withheld number")


def action_in_words(action: Action, words: Words) -> str:
    """Return what the caller hears."""
    if not isinstance(action, Transfer):
        return words.say("a question")
    if action.phrase:
        return f"“{action.phrase}” ({action.language})"
    return words.say("a greeting for {name}", name=action.name) if action.name else words.say("no greeting")


def _without_text(bug: str) -> str:
    """Return where a bug is, and of which type; its text may have what the CRM has answered."""
    return ": ".join(bug.split(": ")[:2])


def _target_of(decision: Decision) -> str:
    return str(decision.action.target) if isinstance(decision.action, Transfer) else ""


def _way(story: Story, words: Words) -> Way:
    decision, explanation = story.decision, story.explanation
    knowledge = explanation.knowledge if explanation else decision.knowledge
    contact = knowledge.situation.contact if knowledge else None
    asked = knowledge.asked if knowledge else ()
    axis, stretches = _stretches(story, asked, words)
    action = decision.action
    because = BECAUSE[Reason.RULE if decision.rule else decision.reason]
    caller = knowledge.situation.call.caller if knowledge else None
    return Way(
        caller=story.caller,
        called=story.called,
        line=decision.line,
        rang=f"{knowledge.situation.call.at.astimezone():%Y-%m-%d %H:%M:%S}" if knowledge else "",
        decision=decision,
        seconds=story.seconds,
        deadline=story.deadline,
        stretches=stretches,
        axis=axis,
        target=_target_of(decision),
        asks=decision.step,
        because=words.say(because, rule=decision.rule) if decision.rule else words.say(because),
        failure=error_without_numbers(knowledge.failure) if knowledge else "",
        heard=words.say(HEARD[decision.heard]) if decision.heard else "",
        said=without_numbers(action_in_words(action, words)),
        contact=contact_of(contact, caller) if contact else None,
        standing=knowledge.situation.standing.value if knowledge else "",
        considered=[_tried(one, words) for one in explanation.considered] if explanation else (),
        is_explained=explanation is not None,
        bugs=story.bugs,
        answers=story.answers,
    )


def _tried(considered: Considered, words: Words) -> Tried:
    why = without_numbers(considered.why)
    turkish = in_turkish(why) if words.language == "tr" else ""
    return Tried(considered.rule, considered.outcome, turkish or why, is_english=not turkish)


def _began(answered: Answered, deadline: float | None, asked: Iterable[Asked]) -> float:
    """Return when a call came, in the seconds of what was asked for it.

    It was answered when the last source had answered, unless its deadline came first. A lookup that another call had
    begun may have begun before it came.
    """
    told = list(asked)
    if not told:
        return 0.0
    if deadline is not None and answered.seconds >= IN_TIME * deadline:
        return min(one.began for one in told)
    return max(one.began + one.seconds for one in told) - answered.seconds


def _stretches(story: Story, asked: Sequence[Asked], words: Words) -> tuple[Axis, Sequence[Stretch]]:
    ends = [one.began + one.seconds - story.began for one in asked]
    whole = 1.06 * max(story.deadline or SHORTEST, story.seconds, *ends)

    def percent(seconds: float) -> float:
        return round(100 * max(0.0, seconds) / whole, 2)

    stretches = []
    for one in asked:
        start = max(0.0, one.began - story.began)
        width = percent(one.began + one.seconds - story.began - start)
        was_asked = one.outcome != "not asked"
        level = "good" if one.outcome in _GOOD else "bad" if one.outcome in _BAD else "fair" if was_asked else "idle"
        seconds = one.seconds if was_asked else None
        stretches.append(
            Stretch(
                one.source,
                one.outcome,
                level,
                seconds,
                error_without_numbers(one.note),
                percent(start),
                width if was_asked else 0.0,
            )
        )
    told = {one.source for one in asked}
    stretches += [Stretch(name, "not asked", "idle", None) for name in story.sources if name not in told]
    step = next((step for step in (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0) if whole / step <= 6), 30.0)  # noqa: PLR2004
    marks = [(percent(step * place), words.span(step * place)) for place in range(1, int(whole / step) + 1)]
    deadline = None if story.deadline is None else percent(story.deadline)
    return Axis(whole, deadline, percent(story.seconds), marks), stretches


def contact_of(contact: Contact, caller: Caller | None) -> Told:
    """Return what is shown of a contact: of phone numbers only the last digits."""
    about = {"id": contact.id, "name": contact.name, "customer_number": contact.customer_number}
    values = {name: value for name, value in about.items() if value}
    values |= {name: as_text(value) for name, value in contact.fields.items()}
    told = [(name, without_numbers(value)) for name, value in values.items()]
    own = set(caller.found_in(contact.numbers)) if isinstance(caller, PhoneNumber) else set()
    return Told(told, [(masked(number), number in own) for number in contact.numbers])
