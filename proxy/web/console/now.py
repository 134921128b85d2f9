"""The page that may be left open: how everything is now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from proxy.breaker import State
from proxy.figures import SLOT, Figures, OfSource
from proxy.gauges import Gauges, OneSource
from proxy.model import Via
from proxy.web.console import plots, words
from proxy.web.console.calls import row_of
from proxy.web.console.masking import error_without_numbers
from proxy.web.console.visit import View, Visit
from proxy.web.console.words import Words
from proxy.web.operated import Operated

LAST_CALLS = 8

MINUTE = 60.0

RECENT = 60.0
"""Seconds for which a failure counts as how things are now."""

_LEFT_ALONE = frozenset({State.OPEN, State.THROTTLED})


@dataclass(frozen=True, slots=True)
class Headline:
    """The state of everything in a sentence, and what it means for callers."""

    level: str
    """`good`, `fair` or `bad`"""
    sentences: Sequence[tuple[str, str]]
    """And why, in the words of the log"""
    meaning: str
    """For callers; empty when all is well"""
    state: str
    """What is read out when it changes; ages do not count"""


@dataclass(frozen=True, slots=True)
class SourceNow:
    """One source, as it is now."""

    name: str
    level: str
    state: State
    completing: State | None
    """None where that is well too"""
    under_way: int
    most: int
    """As many as may be under way"""
    p50: float | None
    p99: float | None
    error: str
    error_age: float
    since: datetime | None
    """Since when it is left alone"""
    why: str
    of: OfSource


class Now:
    """The page, and the part of it that changes."""

    def __init__(self) -> None:
        self._past = plots.Past()

    async def whole(self, operated: Operated, visit: Visit) -> View:
        """Return the whole page."""
        return View("now.html", self._content(operated, visit.words))

    async def moving(self, operated: Operated, visit: Visit) -> View:
        """Return the part of it that changes."""
        return View("_now.html", self._content(operated, visit.words))

    def _content(self, operated: Operated, said: Words) -> dict[str, object]:
        gauges, figures, now = operated.gauges(), operated.figures, operated.now()
        whole = self._past.half_hour(figures, now)
        bars, calls_grid = plots.bars(whole, said)
        sources = sources_now(operated, gauges)
        from_cache = whole.known_by(Via.CACHE)
        looked_up = from_cache + whole.known_by(Via.STALE) + whole.known_by(Via.CRM) + whole.failed
        return {
            "at": words.before_now(0),
            "headline": _headline(operated, sources, said),
            "gauges": gauges,
            "bugs": figures.events["bug"],
            "late": figures.late,
            "calls": whole.calls,
            "failed": whole.failed,
            "last_minute": _in_the_last_minute(figures, now),
            "from_cache": (from_cache, looked_up),
            "p50": whole.quantile(0.5),
            "p99": whole.quantile(0.99),
            "slowest": whole.slowest or None,
            "families": [
                (family, label, [(reason, count) for reason in reasons if (count := whole.count(reason))])
                for family, label, reasons in plots.FAMILIES
            ],
            "bars": bars,
            "calls_grid": calls_grid,
            "durations": plots.durations(whole, gauges.deadline, said),
            "clocks": [(100 * place / plots.MINUTES, plots.clock(whole.began + 60 * place)) for place in (0, 10, 20)],
            "sources": sources,
            "last_calls": [row_of(entry) for entry in islice(operated.journal.entries(), LAST_CALLS)],
        }


def _in_the_last_minute(figures: Figures, now: float) -> int:
    """Return how many calls there were in the last whole slots of a minute: the present one is not over."""
    end = now - now % SLOT
    return sum(slot.reasons.total() for slot in figures.slots if end - MINUTE <= slot.began < end)


def sources_now(operated: Operated, gauges: Gauges) -> list[SourceNow]:
    """Return all sources in their order."""
    return [_source(operated.figures, name, one, operated.now()) for name, one in gauges.sources.items()]


def _source(figures: Figures, name: str, one: OneSource, now: float) -> SourceNow:
    of = figures.of(name)
    is_left_alone = one.state in _LEFT_ALONE
    # what was noted of a source that a reload has replaced is still there
    reason = of.left_alone if one.state is not State.CLOSED or one.completing is not State.CLOSED else ""
    has_trouble = one.state is State.HALF_OPEN or one.completing is not State.CLOSED
    return SourceNow(
        name=name,
        level="bad" if is_left_alone else "fair" if has_trouble or _failed_lately(of, now) else "good",
        state=one.state,
        completing=None if one.completing is State.CLOSED else one.completing,
        under_way=one.under_way,
        most=one.most,
        p50=of.quantile(0.5),
        p99=of.quantile(0.99),
        error=error_without_numbers(of.error),
        error_age=now - of.error_at,
        since=words.before_now(now - of.left_alone_at) if reason else None,
        why=error_without_numbers(reason),
        of=of,
    )


def _failed_lately(of: OfSource, now: float) -> bool:
    return bool(of.error) and now - of.error_at < RECENT


def _headline(operated: Operated, sources: Sequence[SourceNow], said: Words) -> Headline:
    level = max((source.level for source in sources), key=("good", "fair", "bad").index, default="good")
    sentences = list(_sentences(sources, said)) or [(said.say("All sources answer."), "")]
    meaning = ""
    if level == "bad":
        target = operated.shown().sections.get("switch", {}).get("default", "switch.default")
        meaning = said.say(
            "Callers of whom something is known get what was known; others go to {target}.", target=target
        )
    state = " ".join(f"{source.name}:{source.level}:{source.state}:{source.completing}" for source in sources)
    return Headline(level, sentences, meaning, state)


def _sentences(sources: Sequence[SourceNow], said: Words) -> Iterator[tuple[str, str]]:
    for source in sources:
        name = source.name
        if source.state is State.OPEN:
            if source.since is None:
                yield said.say("{source} is left alone.", source=name), ""
            else:
                time = f"{source.since:%H:%M:%S}"
                yield said.say("{source} is left alone since {time}:", source=name, time=time), source.why
        elif source.state is State.THROTTLED:
            yield said.say("{source} has asked to be left alone for a while.", source=name), source.why
        elif source.state is State.HALF_OPEN:
            yield said.say("{source} was left alone; the next call tries it again.", source=name), source.why
        elif source.completing is not None:
            yield said.say("{source} answers, but its steps and maps are left alone.", source=name), source.why
        elif source.level != "good":
            age = said.age(source.error_age)
            yield said.say("{source} answers, but has failed {age} ago:", source=name, age=age), source.error
