"""When a source may be asked. Pure state machines: the caller brings the time, in monotonic seconds.

    closed ──failures in a row──▶ open ──pause──▶ half open: one attempt tries ──▶ closed, or open again

Apart from that a CRM that asks to be left alone is left alone for as long as it asks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from proxy.errors import CircuitOpen, Overloaded

LONGEST_REST = 3600.0
"""Seconds for which a CRM is left alone at the most, whatever it asks for."""

ABANDONED = 10
"""Times the limit of an attempt for which one that has not ended takes its place, when nobody waits for it any more."""

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
        """Take note of an attempt that tells nothing, such as one that was broken off. No other verdict is undone."""
        if permit.epoch == self._epoch:
            self._is_trying = False

    def rest(self, seconds: float, now: float) -> None:
        """Let nobody through for so long, since the CRM has asked to be left alone."""
        self._rests_until = max(self._rests_until, now + min(seconds, LONGEST_REST))

    def _change(self, open_until: float | None) -> None:
        self._open_until = open_until
        self._is_trying = False
        self._epoch += 1


class Watched(Breaker):
    """A breaker that tells `observe` when it has opened, and of which failure, and when it has closed."""

    def __init__(self, failures: int, pause: float, observe: Callable[[State, str], None]) -> None:
        super().__init__(failures, pause)
        self._observe = observe
        self._told = State.CLOSED

    def tell(self, now: float, failure: str = "") -> None:
        """Tell what has become of it, if that was not told yet."""
        state = self.state(now)
        is_closed = state is State.CLOSED
        if state is not self._told and (is_closed or (failure and state is not State.HALF_OPEN)):
            self._told = state
            self._observe(state, "" if is_closed else failure)


class Bulkhead:
    """At most `places` attempts at once: those that somebody waits for, and those that have not ended without.

    The latter count for `patience` seconds: some hang for ever, and a few each day would take all places in the end.
    """

    def __init__(self, places: int, patience: float) -> None:
        self.waited_for = 0
        self._places = places
        self._patience = patience
        self._abandoned: dict[object, float] = {}

    def admit(self, breaker: Watched, now: float) -> Permit:
        """Return the breaker's leave to make an attempt. Raises CircuitOpen or Overloaded.

        When all places are taken by what nobody waits for any more, the source hangs: that counts as a failure, and
        the one attempt that tries whether it is back needs no place.
        """
        taken = self._taken(now)
        is_full = taken >= self._places
        if is_full and self.waited_for:
            raise Overloaded(f"not asked: {taken} lookups are under way")
        is_trying = breaker.state(now) is State.HALF_OPEN
        permit = breaker.enter(now)
        if is_full and not is_trying:
            refusal = Overloaded(f"not asked: {taken} lookups have not ended")
            breaker.failed(permit, now)
            breaker.tell(now, str(refusal))
            raise refusal
        return permit

    def abandoned(self, attempt: object, now: float) -> None:
        """Take note of an attempt that nobody waits for any more, and that has not ended."""
        self._abandoned[attempt] = now

    def ended(self, attempt: object) -> None:
        """Take note that an attempt has ended."""
        self._abandoned.pop(attempt, None)

    def clear(self) -> None:
        """Have only those count that somebody waits for."""
        self._abandoned.clear()

    def _taken(self, now: float) -> int:
        while self._abandoned and now >= next(iter(self._abandoned.values())) + self._patience:
            del self._abandoned[next(iter(self._abandoned))]
        return self.waited_for + len(self._abandoned)


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
