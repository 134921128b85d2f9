"""Named hours, such as the office's: weekdays, times, an IANA zone and public holidays."""

from collections.abc import Container
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Hours:
    """A span of time on certain days.

    A span whose `end` is not after its `start` runs over midnight, and belongs to the day on which it
    starts: fri 22:00 to 06:00 includes Saturday, 03:00. Days in `closed` (holidays) have no span.
    """

    name: str
    days: frozenset[int]
    """0 is Monday"""
    start: time
    end: time
    zone: ZoneInfo
    closed: tuple[Container[date], ...] = ()

    def contain(self, at: datetime) -> bool:
        """Tell whether `at`, which has a time zone, is within these hours."""
        here = at.astimezone(self.zone)
        today, now = here.date(), here.time()
        if self.start < self.end:
            return self.start <= now < self.end and self._is_open(today)
        if now >= self.start:
            return self._is_open(today)
        return now < self.end and self._is_open(today - timedelta(days=1))

    def _is_open(self, day: date) -> bool:
        return day.weekday() in self.days and not any(day in days for days in self.closed)


def parse_days(text: str) -> frozenset[int]:
    """Read `mon-fri`, `sat`, `mon,wed,fri`, `sat-mon`. Raises ValueError."""
    days: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError("is not a range of weekdays - allowed: such as mon-fri, sat or mon,wed,fri")
        start, end = DAYS.index(first), DAYS.index(last or first)
        days.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return frozenset(days)


def parse_time(text: str) -> time:
    """Read `09:00`; `24:00` is midnight at the end of the day. Raises ValueError."""
    if text == "24:00":
        return time.min
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - a time of day, the zone stands beside it
    except ValueError:
        raise ValueError("is not a time of day - allowed: HH:MM from 00:00 to 24:00") from None
