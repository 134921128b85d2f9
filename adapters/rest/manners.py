"""When the CRM may be asked: not while it wants to be left alone, and not more often than agreed.

A pure state machine: the caller brings the time, in monotonic seconds.
"""

from adapters.rest.sections import Rate
from proxy.adapter import Unavailable

LONGEST_WAIT = 0.5
"""Seconds that a request may wait for its turn."""


class Manners:
    """The state of one CRM."""

    def __init__(self, rate: Rate | None) -> None:
        self._rests_until = 0.0
        self._interval = rate.seconds / rate.requests if rate else 0.0
        self._burst = rate.seconds - self._interval if rate else 0.0
        self._next = 0.0
        """When the next request would be due if all came evenly"""

    def rest(self, seconds: float, now: float) -> None:
        """Leave the CRM alone for so long."""
        self._rests_until = max(self._rests_until, now + seconds)

    def enter(self, now: float) -> float:
        """Return how many seconds to wait before a request is sent. Raises Unavailable when it must not be sent."""
        if now < self._rests_until:
            left = self._rests_until - now
            raise Unavailable("the CRM has asked to be left alone for a while", retry_after=left)
        wait = max(0.0, self._next - self._burst - now)
        if wait > LONGEST_WAIT:
            raise Unavailable("more requests than the option rate allows", retry_after=wait)
        self._next = max(self._next, now) + self._interval
        return wait
