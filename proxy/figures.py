"""What has been counted since the start, and how the last half hour went. Plain numbers: the caller brings the time."""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from proxy.journal import Answered, Given
from proxy.model import Asked, Outcome, Reason, Via

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Seconds between which durations are counted."""

SLOT = 5.0
"""Seconds of one slot."""

SLOTS = 360
"""Half an hour of them."""

LATEST = 500
"""Answers of a source of which quantiles are told."""


class Histogram:
    """How many durations lay between the BOUNDS; the last of `counts` is for those beyond all."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0
        """The sum of all"""

    def add(self, seconds: float) -> None:
        """Count a duration."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds

    def merge(self, other: "Histogram") -> None:
        """Count all durations of another one."""
        self.counts = [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)]
        self.seconds += other.seconds


def quantile_of(counts: Sequence[int], share: float) -> float | None:
    """Return the seconds below which a share of those in a histogram lies, as far as BOUNDS tell; None without any."""
    rank = share * sum(counts)
    if not rank:
        return None
    below = 0
    for place, count in enumerate(counts[:-1]):
        if count and below + count >= rank:
            lower = BOUNDS[place - 1] if place else 0.0
            return lower + (BOUNDS[place] - lower) * (rank - below) / count
        below += count
    return BOUNDS[-1]


@dataclass(slots=True)
class Slot:
    """The calls of a few seconds."""

    began: float
    reasons: Counter[Reason] = field(default_factory=Counter)
    vias: Counter[Via] = field(default_factory=Counter)
    durations: Histogram = field(default_factory=Histogram)
    slowest: float = 0.0


@dataclass(slots=True)
class OfSource:
    """What one source has done."""

    outcomes: Counter[str] = field(default_factory=Counter)
    durations: Histogram = field(default_factory=Histogram)
    """Of what it was asked; what was turned away before took no time"""
    latest: deque[float] = field(default_factory=lambda: deque(maxlen=LATEST))
    """Seconds of the last answers"""
    error: str = ""
    """The last one; empty when there was none"""
    error_at: float = 0.0
    left_alone: str = ""
    """The error of which it is left alone now; empty when it is asked"""
    left_alone_at: float = 0.0
    """Since when"""

    def quantile(self, share: float) -> float | None:
        """Return the seconds that this share of the last answers did not exceed; None without any."""
        latest = sorted(self.latest)
        return latest[min(len(latest) - 1, int(share * len(latest)))] if latest else None


@dataclass(slots=True)
class Repetitions:
    """Calls that were answered as before, as far as they are counted."""

    kinds: Counter[tuple[Reason, Via, str, str]] = field(default_factory=Counter)
    """By reason, via, line and rule"""
    durations: Histogram = field(default_factory=Histogram)
    slowest: float = 0.0

    def add(self, given: Iterable[Given]) -> None:
        """Add calls."""
        for repeated, seconds, _ in given:
            rule = repeated.rule.name if repeated.rule is not None else ""
            self.kinds[repeated.reason, Via.CACHE, repeated.routing.line, rule] += 1
            self.durations.add(seconds)
            self.slowest = max(self.slowest, seconds)


class Figures:
    """Counts what happens. `now` is in seconds of any one clock that does not go back."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[Reason, Via]] = Counter()
        self.durations = Histogram()
        self.late = 0
        """Calls that were answered after the last moment, a little beyond the deadline"""
        self.heard: Counter[Outcome] = Counter()
        self.rules: Counter[tuple[str, str]] = Counter()
        """By line and rule"""
        self.sources: dict[str, OfSource] = {}
        self.events: Counter[str] = Counter()
        """What happens beside calls, such as reloads and bugs, by name"""
        self.slots: deque[Slot] = deque(maxlen=SLOTS)

    def count_call(self, answered: Answered, last_moment: float, now: float) -> None:
        """Count an answered call. What took more seconds than the `last_moment` is late."""
        decision, seconds = answered.decision, answered.seconds
        self.calls[decision.reason, decision.via] += 1
        self.late += seconds > last_moment
        self.durations.add(seconds)
        if decision.heard is not None:
            self.heard[decision.heard] += 1
        if decision.rule:
            self.rules[decision.line, decision.rule] += 1
        slot = self._slot_of(now)
        slot.reasons[decision.reason] += 1
        slot.vias[decision.via] += 1
        slot.durations.add(seconds)
        slot.slowest = max(slot.slowest, seconds)

    def count_repetitions(self, repetitions: "Repetitions", now: float) -> None:
        """Count calls that were answered as before, which takes too few seconds to be late."""
        slot, durations = self._slot_of(now), repetitions.durations
        for (reason, via, line, rule), count in repetitions.kinds.items():
            self.calls[reason, via] += count
            if rule:
                self.rules[line, rule] += count
            slot.reasons[reason] += count
            slot.vias[via] += count
        self.durations.merge(durations)
        slot.durations.merge(durations)
        slot.slowest = max(slot.slowest, repetitions.slowest)

    def count_source(self, asked: Asked, now: float) -> None:
        """Count what a source has said."""
        source = self.of(asked.source)
        source.outcomes[asked.outcome] += 1
        if asked.outcome != "not asked":
            source.durations.add(asked.seconds)
            source.latest.append(asked.seconds)
        if asked.outcome in {"failed", "incomplete"}:
            source.error, source.error_at = asked.note, now

    def note_guarded(self, name: str, reason: str, now: float) -> None:
        """Take note of why a source is left alone; without a reason, that it is asked again."""
        source = self.of(name)
        if not (source.left_alone and reason):
            source.left_alone_at = now
        source.left_alone = reason

    def of(self, source: str) -> OfSource:
        """Return what a source has done."""
        return self.sources.get(source) or self.sources.setdefault(source, OfSource())

    def since(self, moment: float) -> Slot:
        """Return the slots that began at or after a moment, as one."""
        whole = Slot(moment)
        for slot in self.slots:
            if slot.began >= moment:
                whole.reasons.update(slot.reasons)
                whole.vias.update(slot.vias)
                whole.slowest = max(whole.slowest, slot.slowest)
                whole.durations.merge(slot.durations)
        return whole

    def _slot_of(self, now: float) -> Slot:
        began = now - now % SLOT
        if not self.slots or self.slots[-1].began != began:
            self.slots.append(Slot(began))
        return self.slots[-1]
