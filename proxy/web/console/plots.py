"""The last half hour as geometry, for plots that need no script."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import add

from markupsafe import Markup

from proxy.figures import BOUNDS, Figures, Slot, quantile_of
from proxy.model import FAILED_OPEN, Reason, Via
from proxy.web.console.words import Words

MINUTES = 30

HEIGHT = 120.0
"""Of what is plotted, in pixels; the width is that of the page."""

TOP = 8.0
"""Pixels above it."""

SHORTEST = 0.001
"""Seconds at the foot of the plot of durations, whose steps are powers of ten."""

FAMILIES = (
    ("rule", "By a rule", (Reason.RULE,)),
    ("no_rule", "Known, but no rule", (Reason.NO_RULE,)),
    ("dialogue", "In a dialogue", (Reason.ASKED, Reason.ANSWERED, Reason.NO_ANSWER)),
    (
        "stranger",
        "Nobody known",
        (Reason.UNKNOWN_CALLER, Reason.WITHHELD, Reason.INTERNAL_CALLER, Reason.BAD_NUMBER, Reason.REFUSED),
    ),
    ("failed", "Something failed", tuple(sorted(FAILED_OPEN))),
)
"""What reasons are plotted as, from below; a bar of thirteen colours would tell nothing."""

CLOCK_SET = 1.0
"""Seconds of difference by which the clock on the wall has been set, and does not only drift."""

_FAMILY_OF = {reason: place for place, (_, _, reasons) in enumerate(FAMILIES) for reason in reasons}


@dataclass(slots=True)
class Minute:
    """The calls of one minute."""

    families: list[int] = field(default_factory=lambda: [0] * len(FAMILIES))
    reasons: dict[Reason, int] = field(default_factory=dict)
    vias: dict[Via, int] = field(default_factory=dict)
    counts: Sequence[int] = (0,) * (len(BOUNDS) + 1)
    slowest: float = 0.0

    def add(self, slot: Slot) -> None:
        """Count the calls of a few seconds."""
        for reason, count in slot.reasons.items():
            self.families[_FAMILY_OF[reason]] += count
            self.reasons[reason] = self.reasons.get(reason, 0) + count
        for via, count in slot.vias.items():
            self.vias[via] = self.vias.get(via, 0) + count
        self.counts = list(map(add, self.counts, slot.durations.counts))
        self.slowest = max(self.slowest, slot.slowest)


@dataclass(slots=True)
class HalfHour:
    """What the plots and ratios are made of."""

    began: float
    """The first minute, in seconds since 1970"""
    minutes: Sequence[Minute]

    @property
    def calls(self) -> int:
        """How many there were."""
        return sum(sum(minute.families) for minute in self.minutes)

    @property
    def failed(self) -> int:
        """How many were answered by default, as something had failed."""
        return sum(minute.families[-1] for minute in self.minutes)

    @property
    def slowest(self) -> float:
        """The seconds of the slowest."""
        return max(minute.slowest for minute in self.minutes)

    def count(self, reason: Reason) -> int:
        """Return how many there were for a reason."""
        return sum(minute.reasons.get(reason, 0) for minute in self.minutes)

    def known_by(self, via: Via) -> int:
        """Return of how many the caller was known this way."""
        return sum(minute.vias.get(via, 0) for minute in self.minutes)

    def quantile(self, share: float) -> float | None:
        """Return the seconds that this share of the calls did not exceed; None without any."""
        counts = [sum(column) for column in zip(*(minute.counts for minute in self.minutes), strict=True)]
        return _quantile(counts, share, self.slowest)


class Past:
    """Adds up minutes, and remembers those that are over: calls are answered by whom this keeps busy."""

    def __init__(self) -> None:
        self._over: dict[int, Minute] = {}
        self._ahead = 0.0
        """Seconds by which the clock on the wall is ahead of that of the figures"""

    def half_hour(self, figures: Figures, now: float) -> HalfHour:
        """Return the last minutes of the clock on the wall; `now` is in the seconds of the figures."""
        wall = time.time()
        if abs(wall - now - self._ahead) > CLOCK_SET:
            self._ahead = wall - now
            self._over.clear()
        current = int(wall // 60)
        first = current - MINUTES + 1
        lately: dict[int, Minute] = {}
        for slot in reversed(figures.slots):
            place = min(int((slot.began + self._ahead) // 60), current)
            if place < first or place in self._over:
                break
            lately.setdefault(place, Minute()).add(slot)
        known = self._over | lately
        # a slot that began in the minute before may go on in this one
        self._over = {place: minute for place, minute in known.items() if first <= place < current - 1}
        return HalfHour(first * 60.0, [known.get(place) or Minute() for place in range(first, current + 1)])


@dataclass(frozen=True, slots=True)
class Grid:
    """A line across, and what it stands for."""

    y: float
    label: str


def clock(seconds: float) -> str:
    """Return `20:22`."""
    return time.strftime("%H:%M", time.localtime(seconds))


def bars(whole: HalfHour, words: Words) -> tuple[Markup, Sequence[Grid]]:
    """Return a bar for each minute that had calls. Its elements are put together here, as a template would be slow."""
    most = _round_above(max(sum(minute.families) for minute in whole.minutes))
    drawn = []
    for place, minute in enumerate(whole.minutes):
        pieces, below = [], 0
        for (family, _, _), count in zip(FAMILIES, minute.families, strict=True):
            if count:
                below += count
                y, height = TOP + HEIGHT * (1 - below / most), HEIGHT * count / most
                at = f'x="{100 * place / MINUTES:.2f}%" y="{y:.1f}" height="{height:.1f}"'
                pieces.append(f'<rect class="{family}" width="2.7%" {at}/>')
        if pieces:
            title = f"{clock(whole.began + 60 * place)}: {words.number(below)}"
            drawn.append(f"<g><title>{title}</title>{''.join(pieces)}</g>")
    bars = Markup("".join(drawn))  # noqa: S704 - numbers, and names of ours
    grid = [Grid(_rounded(TOP + HEIGHT * (1 - share)), words.number(most * share)) for share in (1.0, 0.5)]
    return bars, grid if most > 1 else grid[:1]


@dataclass(frozen=True, slots=True)
class Durations:
    """How long calls took; `x` is in percent of the width."""

    middle: Sequence[str]
    """The points of lines through what half of the calls of each minute took at the most"""
    nearly_all: Sequence[str]
    """Likewise of 99 in 100"""
    slowest: Markup
    deadline: float
    grid: Sequence[Grid]


def durations(whole: HalfHour, deadline: float, words: Words) -> Durations:
    """Return how long the calls of each minute took, beside the deadline."""
    longest = 1.5 * max(deadline, whole.slowest)
    height = HEIGHT / math.log(longest / SHORTEST)

    def y(seconds: float) -> float:
        return _rounded(TOP + HEIGHT - height * math.log(max(seconds, SHORTEST) / SHORTEST))

    def line(share: float) -> list[str]:
        runs: list[list[str]] = [[]]
        for place, minute in enumerate(whole.minutes):
            seconds = _quantile(minute.counts, share, minute.slowest)
            if seconds is not None:
                runs[-1].append(f"{_middle(place)},{y(seconds)}")
            elif runs[-1]:
                runs.append([])
        return [" ".join(run * 2 if len(run) == 1 else run) for run in runs if run]

    circles = [
        f'<circle class="slowest" cx="{_middle(place)}%" cy="{y(minute.slowest)}" r="2"/>'
        for place, minute in enumerate(whole.minutes)
        if minute.slowest
    ]
    slowest = Markup("".join(circles))  # noqa: S704 - numbers
    steps = [SHORTEST * 10**power for power in range(int(math.log10(longest / SHORTEST)) + 1)]
    grid = [Grid(y(seconds), _round_span(seconds, words)) for seconds in steps]
    return Durations(line(0.5), line(0.99), slowest, y(deadline), grid)


def _quantile(counts: Sequence[int], share: float, slowest: float) -> float | None:
    """Return a quantile, which as a guess between two bounds might be beyond the slowest."""
    seconds = quantile_of(counts, share)
    return None if seconds is None else min(seconds, slowest)


def _round_span(seconds: float, words: Words) -> str:
    return f"{seconds:g} {words.say('s')}" if seconds >= 1 else f"{seconds * 1000:g} ms"


def _middle(place: int) -> float:
    return _rounded(100 * (place + 0.5) / MINUTES)


def _rounded(value: float) -> float:
    return round(value, 2)


def _round_above(most: int) -> int:
    """Return 1, 2, 5, 10, 20, ... that is not less."""
    power = 1
    while True:
        for step in (1, 2, 5):
            if step * power >= most:
                return step * power
        power *= 10
