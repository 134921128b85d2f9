"""Adapters that do as they are told, and a loop whose time costs nothing."""

import asyncio
import functools
import gc
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ParamSpec

from proxy.actions import Transfer
from proxy.adapter import Adapter, Contact, CustomerNumber
from proxy.model import Call
from proxy.phone import Caller, parse_number
from proxy.routing import Decision
from proxy.rules import Situation, Standing
from proxy.upstream import Limits, Upstream

P = ParamSpec("P")

NUMBER = parse_number("05301234567", "TR")
OTHER_NUMBER = parse_number("05321112233", "TR")
LANDLINE = parse_number("02125551010", "TR")
GERMAN = parse_number("00493089680211", "TR")
CUSTOMER = CustomerNumber("0012345")
AHMET = Contact("Ahmet Yılmaz", {"tier": "gold"}, id="7")
MONDAY_NOON = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ONCE = Limits(timeout=1.0, attempts=1, wait_initial=0, wait_max=0, wait_jitter=0)
"""One attempt of one second"""


class FakeClock:
    """Monotonic seconds that pass when they are told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class After:
    """An answer that takes some seconds; `cancelled` counts how often somebody lost patience with it."""

    seconds: float
    answer: object = None
    cancelled: int = 0

    async def wait(self) -> None:
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


@dataclass
class Stubborn(After):
    """An answer that takes its seconds whether it is cancelled or not, as some database drivers do."""

    async def wait(self) -> None:
        done_at = asyncio.get_running_loop().time() + self.seconds
        while (remaining := done_at - asyncio.get_running_loop().time()) > 0:
            try:
                await asyncio.sleep(remaining)
            except asyncio.CancelledError:
                self.cancelled += 1


class FakeAdapter(Adapter):
    """Gives its answers in turn, the last one again and again; raises those that are exceptions."""

    def __init__(self, *answers: object) -> None:
        self.answers: Sequence[object] = answers
        self.asked: list[Any] = []
        """Keys, in their order"""

    async def lookup(self, key: Any) -> Any:
        self.asked.append(key)
        return await _given(self.answers[min(len(self.asked), len(self.answers)) - 1])


class FakeEnricher(FakeAdapter):
    """Adds its answer's fields to a contact."""

    async def enrich(self, contact: Contact) -> Any:
        self.asked.append(NUMBER)
        return await _given(self.answers[min(len(self.asked), len(self.answers)) - 1])


class FakeCompleter(FakeAdapter):
    """Finds its first answer, and then yields the others one after another."""

    async def lookup(self, key: Any) -> Any:
        self.asked.append(key)
        return await _given(self.answers[0])

    async def complete(self, contact: Contact, key: Any) -> AsyncIterator[Any]:
        self.asked.append(key)
        for answer in self.answers[1:]:
            yield await _given(answer)


async def _given(answer: object) -> object:
    if isinstance(answer, After):
        await answer.wait()
        return await _given(answer.answer)
    if isinstance(answer, BaseException):
        raise answer
    return answer() if callable(answer) else answer


class Lifelong(FakeAdapter):
    """An adapter that notes its life."""

    def __init__(self, *answers: object) -> None:
        super().__init__(*answers)
        self.life: list[str] = []

    async def open(self) -> None:
        self.life.append("open")

    async def close(self) -> None:
        self.life.append("close")


@dataclass
class Bugs:
    """What was reported as a bug."""

    reported: list[tuple[str, BaseException]] = field(default_factory=list)

    def __call__(self, where: str, exc: BaseException) -> None:
        self.reported.append((where, exc))


def upstream(adapter: Adapter, limits: Limits = ONCE, bugs: Bugs | None = None, name: str = "crm") -> Upstream:
    return Upstream(name, adapter, limits, bugs or Bugs())


def call(caller: Caller = NUMBER, at: datetime = MONDAY_NOON, called: Caller | None = None) -> Call:
    return Call(caller, at, called)


def transfer_of(decision: Decision) -> Transfer:
    """Return the action of a decision that has to be a transfer."""
    assert isinstance(decision.action, Transfer)
    return decision.action


def known(contact: Contact = AHMET, ringing: Call | None = None) -> Situation:
    return Situation(ringing or call(), Standing.KNOWN, contact)


def unknown(ringing: Call | None = None) -> Situation:
    return Situation(ringing or call(), Standing.UNKNOWN)


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test on a loop in which an hour of waiting takes no time, and waiting for nothing fails.

    So does whatever the loop would only log, such as an error in a callback.
    """

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        complaints: list[dict[str, Any]] = []
        with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
            runner.get_loop().set_exception_handler(lambda _, context: complaints.append(context))
            runner.run(test(*args, **kwargs))
            gc.collect(0)
        assert complaints == []

    return run


def now() -> float:
    """Return the running loop's seconds."""
    return asyncio.get_running_loop().time()


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__(_VirtualSelector(self))
        self.seconds = 1000.0

    def time(self) -> float:
        return self.seconds


class _VirtualSelector(selectors.SelectSelector):
    def __init__(self, loop: _VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits, and nobody will come")
        self._loop.seconds += timeout
        return super().select(0)
