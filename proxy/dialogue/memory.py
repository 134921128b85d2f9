"""What is remembered of calls between two questions of the switch: bounded in number and in time."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from proxy.model import Call, Heard
from proxy.phone import Caller
from proxy.rules.manner import Manner

CALLS = 10_000
"""Calls that are remembered at the most; then those that were not heard of for longest are forgotten."""

KEPT_FOR = 900.0
"""Seconds after the last question."""

MOST_TURNS = 32
"""Questions of one call whose answers are remembered; more than any switch asks."""

K = TypeVar("K")
A = TypeVar("A")

Known = tuple[str, Caller, Caller | None]
"""By what a call is known: the switch's id, who calls, and the dialled number."""

Turn = tuple[int, Heard]
"""One question of the switch: which one it is, and what came of the one before. The same again is a repetition."""


@dataclass(slots=True)
class Progress(Generic[K, A]):
    """What one call has been through. As little as may be: ten thousand of them are there for the garbage collector."""

    knowledge: K | None = None
    """Of the caller; None before the first lookup"""
    asked: str = ""
    """The step that the caller is being asked; empty when it is none"""
    times: dict[str, int] = field(default_factory=dict)
    """How often each step was asked"""
    questions: int = 0
    """How often anything was asked"""
    manner: Manner | None = None
    """How the call is put through by the rule that has asked"""
    kept: dict[str, str] = field(default_factory=dict)
    """What was keyed or said, by the field that it is kept as"""
    answers: dict[Turn, A] = field(default_factory=dict)
    """What each of the last questions of the switch was answered, or will be"""

    def keep(self, turn: Turn, answer: A) -> None:
        """Remember an answer in the place of one that is known already, or behind all others."""
        if turn not in self.answers and len(self.answers) == MOST_TURNS:
            del self.answers[next(iter(self.answers))]
        self.answers[turn] = answer


class Memory(Generic[K, A]):
    """The progress of calls, by the switch's id *and* both numbers: nobody hears another's answer for an id alone.

    `clock` gives monotonic seconds. Not for use from several threads.
    """

    def __init__(self, clock: Callable[[], float], calls: int = CALLS) -> None:
        self._calls: OrderedDict[Known, tuple[float, Progress[K, A] | Callable[[], Progress[K, A]]]] = OrderedDict()
        """Until when each is remembered; the one of which was heard last comes last"""
        self._most = calls
        self._clock = clock

    def __len__(self) -> int:
        self._forget_old(self._clock())
        return len(self._calls)

    def recall(self, call: Call) -> Progress[K, A]:
        """Return what a call has been through, which is nothing when it is new or forgotten. It can be written to."""
        key, now = (call.call_id, call.caller, call.called), self._clock()
        self._forget_old(now)
        _, known = self._calls.pop(key, (0.0, Progress[K, A]))
        progress = known if isinstance(known, Progress) else known()
        self._put(key, now, progress)
        return progress

    def is_new(self, key: Known) -> bool:
        """Tell whether nothing is remembered of a call."""
        there = self._calls.get(key)
        return there is None or there[0] <= self._clock()

    def begin(self, key: Known, progress: Callable[[], Progress[K, A]]) -> None:
        """Remember a new call. What it has been through is made when somebody asks again, which is rare."""
        now = self._clock()
        self._forget_old(now)
        self._put(key, now, progress)

    def clear(self) -> None:
        """Forget all calls. Those under way are routed by what the switch says of them."""
        self._calls.clear()

    def _put(self, key: Known, now: float, progress: Progress[K, A] | Callable[[], Progress[K, A]]) -> None:
        self._calls[key] = (now + KEPT_FOR, progress)
        if len(self._calls) > self._most:
            self._calls.popitem(last=False)

    def _forget_old(self, now: float) -> None:
        while self._calls and next(iter(self._calls.values()))[0] <= now:
            self._calls.popitem(last=False)
