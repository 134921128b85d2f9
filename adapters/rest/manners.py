"""When the CRM may be asked: not while it wants to be left alone, and not more often than agreed.

A pure state machine: the caller brings the time, in monotonic seconds.
"""

from collections import deque

from adapters.rest.sections import Rate
from proxy.adapter import Unavailable

LONGEST_WAIT = 0.5
"""Seconds that a request may wait for its turn."""


class Manners:
    """The state of one CRM."""

    def __init__(self, rate: Rate | None) -> None:
        self._rests_until = float("-inf")
        self._rate = rate
        self._sent: deque[float] = deque(maxlen=rate.requests if rate else 0)
        """When the last requests were sent, or will be: as many as may be in the time that `rate` names"""

    def rest(self, seconds: float, now: float) -> None:
        """Leave the CRM alone for so long."""
        self._rests_until = max(self._rests_until, now + seconds)

    def check(self, now: float) -> None:
        """Raise Unavailable while the CRM wants to be left alone."""
        if now < self._rests_until:
            left = self._rests_until - now
            raise Unavailable("the CRM has asked to be left alone for a while", retry_after=left)

    def enter(self, now: float) -> float:
        """Return how many seconds to wait before a request is sent. Raises Unavailable when it must not be sent."""
        self.check(now)
        if self._rate is None:
            return 0.0
        is_full = len(self._sent) == self._rate.requests
        turn = max(now, self._sent[0] + self._rate.seconds) if is_full else now
        if turn - now > LONGEST_WAIT:
            raise Unavailable("more requests than the option rate allows", retry_after=turn - now)
        self._sent.append(turn)
        return turn - now
