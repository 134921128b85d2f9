"""A number is tried: what would become of its call, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from proxy.actions import Transfer
from proxy.journal import Answered
from proxy.keys import CustomerNumber
from proxy.model import Via
from proxy.phone import LONGEST_TEXT, PhoneNumber, Unreadable, parse_caller
from proxy.routing import Decision
from proxy.web.console.calls import row_of
from proxy.web.console.visit import View, Visit
from proxy.web.console.way import way_of_test
from proxy.web.console.words import Words
from proxy.web.operated import Operated, Question

RECENT_CALLS = 10

YEARS = range(1970, 2200)
"""In which a call may be; hours are reckoned with some more."""

FIELDS = ("number", "called", "at", "key", "renew")


@dataclass(frozen=True, slots=True)
class Wrong:
    """What cannot be read of a form, by field."""

    problems: Mapping[str, str]


async def trying(operated: Operated, visit: Visit) -> View:
    """Return the form, and below it what would become of the call."""
    typed = {name: visit.typed(name) for name in FIELDS}
    content: dict[str, object] = {"typed": typed, "problems": {}, "way": None}
    if visit.form is None:
        return View("test.html", content)
    question = _question(typed, operated.region, visit.words)
    if isinstance(question, Wrong):
        return View("test.html", {**content, "problems": question.problems}, status=422)
    tested = await operated.test(question)
    number = tested.caller if isinstance(tested.caller, PhoneNumber) else None
    from_cache = tested.from_cache.decision if tested.from_cache else None

    def is_from_here(answered: Answered) -> bool:
        return answered.call is not None and answered.call.caller == number

    recent = operated.journal.entries(is_from_here) if number else iter(())
    return View(
        "test.html",
        {
            **content,
            "way": way_of_test(tested, operated, visit.words),
            "cached": tested.cached,
            "cached_target": _goes_to(from_cache, visit.words) if from_cache else "",
            "differs": from_cache is not None and not _is_same(from_cache, tested.explanation.decision),
            "is_number": number is not None,
            "was_renewed": question.renew and question.key is None and tested.explanation.decision.via is Via.CRM,
            "recent": [row_of(entry) for entry in islice(recent, RECENT_CALLS)],
        },
    )


def _goes_to(decision: Decision, words: Words) -> str:
    action = decision.action
    return str(action.target) if isinstance(action, Transfer) else words.say("a question")


def _is_same(one: Decision, other: Decision) -> bool:
    return (one.action, one.rule, one.reason) == (other.action, other.rule, other.reason)


def _question(typed: Mapping[str, str], region: str, words: Words) -> Question | Wrong:
    problems, key = {}, None
    for name in ("number", "called"):
        caller = parse_caller(typed[name][: LONGEST_TEXT + 1], region)
        if isinstance(caller, Unreadable):
            problems[name] = words.say(
                "“{text}” is no number that can be read: it {why}. Allowed: a phone number in any spelling, an "
                "extension of 2 to 6 digits, or nothing for a withheld number.",
                text=typed[name],
                why=words.say(caller.why),
            )
    at = _time(typed["at"])
    if typed["at"] and at is None:
        problems["at"] = words.say("This is no time. Allowed: such as 2026-12-31T09:00, from 1970 to 2199.")
    if typed["key"]:
        try:
            key = CustomerNumber(typed["key"])
        except ValueError:
            problems["key"] = words.say("This is no customer number. Allowed: 1 to 20 digits.")
    return (
        Wrong(problems) if problems else Question(typed["number"], typed["called"], at, key, renew=bool(typed["renew"]))
    )


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone() if at.year in YEARS else None
