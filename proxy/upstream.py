"""One source's adapter, with attempts, time limit, breaker and bulkhead round it."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential_jitter

from proxy.adapter import Adapter, Completing, Enriching, Forgetting
from proxy.breaker import ABANDONED, Bulkhead, Permit, RetryBudget, State, Watched
from proxy.detached import detach, wait_at_most
from proxy.errors import AdapterError, CircuitOpen, Overloaded, Unavailable, without_frames
from proxy.keys import Key
from proxy.model import Contact, as_contacts
from proxy.phone import PhoneNumber
from proxy.tracing import Span, span

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """How often and how long a source is asked about one number, and when it is not asked. Times in seconds."""

    timeout: float = 0.6
    """Of one attempt"""
    attempts: int = 2
    """In all"""
    wait_initial: float = 0.05
    """Before the second attempt; doubled before each further one"""
    wait_max: float = 0.5
    wait_jitter: float = 0.05
    """Up to so much is added to each wait, by chance"""
    concurrency: int = 100
    """Lookups under way at the most"""
    breaker_failures: int = 10
    """Failed attempts in a row, after which it is left alone"""
    breaker_pause: float = 5.0
    """So long it is left alone then"""
    retry_budget: float = 0.2
    """Attempts beyond the first for each lookup, over time"""


@dataclass(frozen=True, slots=True)
class Guarded:
    """A source is left alone from now on, or asked again."""

    source: str
    state: State
    """`open`, `throttled` or `closed`"""
    reason: str = ""
    """The failure that led to it; after `steps and maps: ` where only those are left alone"""


class Upstream:
    """Asks one source, again where that may help, and never waits longer than it may.

    `on_bug` is told of errors that are neither an AdapterError nor a cancellation, `observe` when the source is left
    alone and when it is asked again.
    """

    def __init__(
        self,
        name: str,
        adapter: Adapter,
        limits: Limits,
        on_bug: Callable[[str, BaseException], None],
        observe: Callable[[Guarded], None] = lambda _: None,
    ) -> None:
        self.name = name
        self.adapter = adapter
        self._enricher = adapter if isinstance(adapter, Enriching) else None  # such a look at it takes ten microseconds
        self._completer = adapter if isinstance(adapter, Completing) and adapter.completes else None
        self._limits = limits
        self._on_bug = on_bug

        def watched(about: str = "") -> Watched:
            def tell(state: State, failure: str) -> None:
                observe(Guarded(name, state, failure and about + failure))

            return Watched(limits.breaker_failures, limits.breaker_pause, tell)

        self._breaker = watched()
        self._completing = watched("steps and maps: ")
        self._was_of_use = False  # whether the contact whose completing failed last was of use all the same
        self._budget = RetryBudget(limits.retry_budget)
        self._bulkhead = Bulkhead(limits.concurrency, ABANDONED * limits.timeout)
        self._is_opening = False
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def under_way(self) -> int:
        """How many of the adapter's tasks have not ended; also those that nobody waits for any more."""
        return len(self._tasks)

    @property
    def most(self) -> int:
        """How many lookups there may be at once."""
        return self._limits.concurrency

    def states(self) -> tuple[State, State]:
        """Return what would become of a lookup now, and of the completing of a contact."""
        return self._breaker.state(_now()), self._completing.state(_now())

    async def settle(self, seconds: float) -> None:
        """Wait until what is under way has ended, but no longer than so many seconds."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def open(self) -> None:
        """Open the adapter. Until that has ended, well or badly, the source is not asked."""
        self._is_opening = True
        try:
            await self.adapter.open()
        finally:
            self._is_opening = False

    async def lookup(self, key: Key) -> tuple[Contact, ...]:
        """Return the contacts that the source has for `key`. Raises AdapterError."""

        async def ask() -> tuple[Contact, ...]:
            return as_contacts(await self.adapter.lookup(key))

        return await self._attempt(ask)

    async def enrich(self, contact: Contact) -> Contact:
        """Return `contact` with the fields that the source adds. Raises AdapterError."""
        enriching = self._enricher
        if enriching is None:
            raise AdapterError("this adapter cannot add fields to a contact")

        async def ask() -> Contact:
            return contact.with_fields((await enriching.enrich(contact)).fields)

        return await self._attempt(ask)

    async def complete(self, contact: Contact, key: Key) -> tuple[Contact, AdapterError | None]:
        """Return `contact` with what its own source adds, and the failure that ended it early, if one did.

        It is asked once, and for no longer than one attempt; after nothing but failures for a while not at all, and
        the contact is worth then what it was at the last of them. Raises AdapterError when it is of no use so.
        """
        if self._completer is None:
            return contact, None
        completing, versions = self._completer, [contact]

        async def ask() -> None:
            async for version in completing.complete(contact, key):
                versions.append(_more_of(contact, version))  # noqa: PERF401 - those before a failure count

        try:
            permit = self._completing.enter(_now())
        except CircuitOpen as exc:
            if self._was_of_use:
                return contact, exc
            raise
        failure: AdapterError | None = None
        try:
            await self._limited(detach(ask()))
        except AdapterError as exc:
            failure = exc
            self._was_of_use = len(versions) > 1
            if not self._rests(exc) and versions[-1] == contact:
                self._completing.failed(permit, _now())
        finally:
            if versions[-1] != contact:
                self._completing.succeeded(permit)
            self._completing.given_up(permit)  # without failure too: it may be that nothing had to be asked
            self._completing.tell(_now(), str(failure or ""))
        if failure is not None and len(versions) == 1:
            raise failure
        return versions[-1], failure

    def forget(self, number: PhoneNumber) -> None:
        """Have the adapter drop what it keeps about a number itself."""
        if isinstance(self.adapter, Forgetting):
            try:
                self.adapter.forget(number)
            except (Exception, SystemExit) as exc:  # noqa: BLE001 - a bug must not keep others from forgetting
                self._on_bug(self.name, exc)

    async def _attempt(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        self._budget.deposit()
        try:
            return await self._guarded(ask)
        except AdapterError as exc:
            if not _may_pass(without_frames(exc)):
                raise
            first = exc
        return await self._attempt_again(ask, first)

    async def _attempt_again(self, ask: Callable[[], Coroutine[Any, Any, T]], first: AdapterError) -> T:
        """Go on after a first attempt that has failed so. Most lookups have no need of this, which takes its time."""
        limits = self._limits
        retrying = AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            stop=self._is_enough,
            wait=wait_exponential_jitter(
                multiplier=limits.wait_initial, max=limits.wait_max, jitter=limits.wait_jitter
            ),
            sleep=asyncio.sleep,
            reraise=True,
        )
        failures: list[AdapterError] = []

        async def once() -> T:
            try:
                if not failures:
                    raise first
                return await self._guarded(ask)
            except AdapterError as exc:
                failures.append(exc)
                raise

        try:
            return await retrying(once)
        except Unavailable as exc:
            if not _may_pass(exc):  # it was not sent again: what was wrong is told before
                raise failures[-2] from exc
            raise
        finally:
            retrying.iter_state.reset()  # it holds what holds it, for the garbage collector to find
            for failure in failures:
                without_frames(failure)

    def _is_enough(self, state: RetryCallState) -> bool:
        """Tell whether a lookup must end with the attempt that has just failed."""
        return state.attempt_number >= self._limits.attempts or not self._budget.withdraw(_now())

    async def _guarded(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Make one attempt, unless the source must not be asked. Raises AdapterError."""
        if self._is_opening:
            raise CircuitOpen("not asked: it is still being opened")
        permit = self._bulkhead.admit(self._breaker, _now())
        with span("attempt") as told:
            told.tell(source=self.name)
            return await self._permitted(permit, ask, told)

    async def _permitted(self, permit: Permit, ask: Callable[[], Coroutine[Any, Any, T]], told: Span) -> T:
        task = detach(ask())
        self._bulkhead.waited_for += 1
        try:
            answer = await self._limited(task)
        except AdapterError as exc:
            told.fail(str(exc))
            if not self._rests(exc):
                self._breaker.failed(permit, _now())
                self._breaker.tell(_now(), str(exc))
            raise
        else:
            if self._breaker.succeeded(permit):
                self._bulkhead.clear()  # it is back; what hangs from before may do so for ever
            self._breaker.tell(_now())
            return answer
        finally:
            self._breaker.given_up(permit)
            self._bulkhead.waited_for -= 1
            if not task.done():
                self._bulkhead.abandoned(task, _now())
                task.add_done_callback(self._bulkhead.ended)

    def _rests(self, exc: AdapterError) -> bool:
        """Leave the source alone for as long as a failure says, and tell whether it does."""
        if not isinstance(exc, Unavailable) or exc.retry_after is None:
            return False
        self._breaker.rest(exc.retry_after, _now())
        self._breaker.tell(_now(), str(exc))
        return True

    async def _limited(self, task: "asyncio.Task[T]") -> T:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await wait_at_most(self._limits.timeout, task)
        except (AdapterError, asyncio.CancelledError, KeyboardInterrupt):
            raise
        except BaseException as exc:  # drivers in other languages panic with more than an Exception
            self._on_bug(self.name, exc)
            raise AdapterError(f"a bug in the adapter ({type(exc).__name__})") from exc
        finally:
            task.cancel()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _more_of(contact: Contact, version: object) -> Contact:
    """Return the contact with what a later version of it adds: it stays the same person's."""
    if not isinstance(version, Contact):
        raise TypeError(f"complete yielded a {type(version).__name__}, not a contact")
    if version is contact:
        return contact
    return replace(contact.with_fields(version.fields), name=contact.name or version.name)


def _may_pass(exc: BaseException) -> bool:
    """Tell whether to try again: never beyond `retry_after`, which is longer than a caller waits."""
    return isinstance(exc, Unavailable) and exc.retry_after is None and not isinstance(exc, (CircuitOpen, Overloaded))
