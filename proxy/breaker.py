"""When a source may be asked. Pure state machines: the caller brings the time, in monotonic seconds.

    closed ──failures in a row──▶ open ──pause──▶ half open: one attempt tries ──▶ closed, or open again

Apart from that a CRM that asks to be left alone is left alone for as long as it asks.
"""

from dataclasses import dataclass
from enum import StrEnum

from proxy.errors import CircuitOpen

LONGEST_REST = 3600.0
"""Seconds for which a CRM is left alone at the most, whatever it asks for."""

RESERVE = 10.0
"""Second attempts that may be made at once, after a time without any."""

REFILL = 0.2
"""Second attempts a second that a quiet source gains: a telephone that rings seldom has no share to live on."""


class State(StrEnum):
    """What a breaker lets through: everything, nothing, or one attempt."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    THROTTLED = "throttled"


@dataclass(frozen=True, slots=True)
class Permit:
    """The leave to make one attempt. It is given back by one of the breaker's three verdicts."""

    epoch: int


class Breaker:
    """Opens after `failures` failed attempts in a row, for `pause` seconds; then one attempt decides.

    An attempt that was begun before the breaker opened or closed has no say after that.
    """

    def __init__(self, failures: int, pause: float) -> None:
        self._most = failures
        self._pause = pause
        self._failures = 0
        self._epoch = 0
        self._open_until: float | None = None
        self._is_trying = False
        self._rests_until = float("-inf")

    def state(self, now: float) -> State:
        """Return what would become of an attempt."""
        if now < self._rests_until:
            return State.THROTTLED
        if self._open_until is None:
            return State.CLOSED
        return State.OPEN if now < self._open_until else State.HALF_OPEN

    def enter(self, now: float) -> Permit:
        """Return the leave to make an attempt. Raises CircuitOpen."""
        if now < self._rests_until:
            raise CircuitOpen("not asked: it has asked to be left alone for a while", self._rests_until - now)
        if self._open_until is not None:
            if now < self._open_until or self._is_trying:
                left = max(0.0, self._open_until - now)
                raise CircuitOpen(f"not asked: {self._failures} attempts in a row have failed", left)
            self._is_trying = True
        return Permit(self._epoch)

    def succeeded(self, permit: Permit) -> bool:
        """Take note of an answer, and tell whether it closes the breaker."""
        if permit.epoch != self._epoch:
            return False
        self._failures = 0
        is_closing = self._open_until is not None
        if is_closing:
            self._change(None)
        return is_closing

    def failed(self, permit: Permit, now: float) -> None:
        """Take note of a failure."""
        if permit.epoch == self._epoch:
            self._failures += 1
            if self._open_until is not None or self._failures >= self._most:
                self._change(now + self._pause)

    def given_up(self, permit: Permit) -> None:
        """Take note of an attempt that tells nothing, such as one that was broken off."""
        if permit.epoch == self._epoch:
            self._is_trying = False

    def rest(self, seconds: float, now: float) -> None:
        """Let nobody through for so long, since the CRM has asked to be left alone."""
        self._rests_until = max(self._rests_until, now + min(seconds, LONGEST_REST))

    def _change(self, open_until: float | None) -> None:
        self._open_until = open_until
        self._is_trying = False
        self._epoch += 1


class RetryBudget:
    """How many attempts beyond the first a source gets: `share` for each lookup, so that they stay a part of all.

    A share of 0 allows none.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._left = RESERVE
        self._filled_at = float("-inf")

    def deposit(self) -> None:
        """Take note of a lookup."""
        self._left = min(RESERVE, self._left + self._share)

    def withdraw(self, now: float) -> bool:
        """Tell whether one more attempt may be made, and count it."""
        self._left = min(RESERVE, self._left + (now - self._filled_at) * REFILL)
        self._filled_at = now
        if self._share == 0 or self._left < 1:
            return False
        self._left -= 1
        return True
