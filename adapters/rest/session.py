"""A log-in that all lookups share: made once, renewed before it ends, and made again when the CRM has forgotten it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from proxy.adapter import AdapterError, Scalar, Unavailable

T = TypeVar("T")

PAUSE_AFTER_REFUSAL = 60.0
"""Seconds without a further attempt when the CRM refuses the credentials: accounts get locked, and log-ins counted."""

PAUSE_AFTER_TROUBLE = 1.0
"""Seconds when it could not be asked."""

RENEWED_BEFORE_END = 0.2
"""The part of its lifetime, at most LONGEST_BEFORE seconds, in which a log-in is renewed while it is still used."""
LONGEST_BEFORE = 300.0

LONGEST_LOGIN = 10.0
"""Seconds for asking; what takes longer is given up, so that one lost answer does not keep everybody out."""

LAST_WORDS = 0.8
"""Seconds for a log-in that is being made at the end: a token that is being given, or written down, is lost otherwise.
"""


@dataclass(frozen=True, slots=True)
class Granted:
    """What a log-in gave."""

    values: Mapping[str, Scalar] = field(default_factory=dict, repr=False)
    """For the placeholders of requests"""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """For each request"""
    origin: str | None = None
    """Scheme and host of the API, where the log-in says it"""
    lifetime: float | None = None
    """Seconds from now; None until the CRM refuses it"""


class Session:
    """One log-in. `obtain` logs in; it gets the log-in that is to be replaced, or None."""

    def __init__(
        self,
        obtain: Callable[[Granted | None], Awaitable[Granted]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._obtain = obtain
        self._clock = clock
        self._granted: Granted | None = None
        self._refused: Granted | None = None
        self._ends = self._renewed_from = float("inf")
        self._pause_until = float("-inf")
        self._failure: AdapterError | None = None
        self._flight: asyncio.Task[Granted] | None = None
        self._is_closed = False

    def prepare(self) -> None:
        """Log in before the first call, so that nobody has to wait for it."""
        self._take_off()

    async def current(self) -> Granted:
        """Return a log-in, made now if there is none. Raises AdapterError."""
        now = self._clock()
        granted = self._granted
        if granted is not None and now < self._ends:
            if now >= self._renewed_from and now >= self._pause_until:
                self._take_off()
            return granted
        if self._failure is not None and now < self._pause_until:
            raise _again(self._failure)
        flight = self._take_off()
        await asyncio.wait({flight})
        if flight.cancelled():
            raise Unavailable("the log-in was cut short")
        return flight.result()

    async def again(self, refused: Granted) -> Granted:
        """Return another log-in than one that the CRM has refused. Raises AdapterError."""
        if refused is self._granted:
            self._granted, self._refused = None, refused
        return await self.current()

    async def close(self) -> None:
        """End it, and wait for a log-in that is being made, for a while: what it brings must not be lost."""
        self._is_closed = True
        self._failure, self._pause_until = Unavailable("the adapter is closed"), float("inf")
        if (flight := self._flight) is not None:
            await asyncio.wait({flight}, timeout=LAST_WORDS)
            flight.cancel()

    def _take_off(self) -> "asyncio.Task[Granted]":
        """Log in as a task of its own: a caller who leaves must not take a new token along."""
        if self._flight is None:
            self._flight = asyncio.ensure_future(self._obtain(self._refused or self._granted))
            self._flight.add_done_callback(self._land)
        return self._flight

    def _land(self, flight: "asyncio.Task[Granted]") -> None:
        self._flight = None
        if flight.cancelled():
            return
        now = self._clock()
        failure = flight.exception()
        if self._is_closed:
            return
        if failure is None:
            self._granted = granted = flight.result()
            self._refused = self._failure = None
            self._pause_until = float("-inf")
            lifetime = float("inf") if granted.lifetime is None else granted.lifetime
            self._ends = now + lifetime
            self._renewed_from = self._ends - min(lifetime * RENEWED_BEFORE_END, LONGEST_BEFORE)
        elif isinstance(failure, Unavailable):
            self._failure, self._pause_until = failure, now + (failure.retry_after or PAUSE_AFTER_TROUBLE)
        else:
            bug = AdapterError(f"a bug in the log-in ({type(failure).__name__})")
            self._failure = failure if isinstance(failure, AdapterError) else bug
            self._pause_until = now + PAUSE_AFTER_REFUSAL


async def limited(asking: Awaitable[T]) -> T:
    """Return what the CRM is asked for. Raises Unavailable when that takes too long.

    It is for the asking alone: to keep what was given may take as long as it takes.
    """
    try:
        return await asyncio.wait_for(asking, LONGEST_LOGIN)
    except TimeoutError as exc:
        raise Unavailable("the log-in took too long") from exc


def _again(failure: AdapterError) -> AdapterError:
    """Return a failure that can be raised once more, without the traceback of the first time."""
    if isinstance(failure, Unavailable):
        return Unavailable(str(failure), failure.retry_after)
    return AdapterError(str(failure))
