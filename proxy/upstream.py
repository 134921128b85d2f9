"""One source's adapter, with attempts, time limit, breaker and bulkhead round it."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_exponential_jitter

from proxy.adapter import Adapter, Completing, Enriching, Forgetting
from proxy.breaker import Breaker, Permit, RetryBudget, State
from proxy.detached import detach, wait_at_most
from proxy.errors import AdapterError, CircuitOpen, Overloaded, Unavailable
from proxy.model import Contact, as_contacts
from proxy.phone import PhoneNumber

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
    """The failure that led to it"""


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
        self._limits = limits
        self._on_bug = on_bug
        self._observe = observe
        self._breaker = Breaker(limits.breaker_failures, limits.breaker_pause)
        self._completing = Breaker(limits.breaker_failures, limits.breaker_pause)
        self._is_of_use: bool | None = None  # whether contacts are of use before they are completed; None: not seen yet
        self._budget = RetryBudget(limits.retry_budget)
        self._told = State.CLOSED
        self._tasks: set[asyncio.Task[Any]] = set()
        self._waited_for: set[asyncio.Task[Any]] = set()
        self._places: set[asyncio.Task[Any]] = set()  # those that count for the bulkhead

    @property
    def under_way(self) -> int:
        """How many of the adapter's tasks have not ended; also those that nobody waits for any more."""
        return len(self._tasks)

    async def settle(self, seconds: float) -> None:
        """Wait until what is under way has ended, but no longer than so many seconds."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def lookup(self, number: PhoneNumber) -> tuple[Contact, ...]:
        """Return the contacts that the source has for `number`. Raises AdapterError."""

        async def ask() -> tuple[Contact, ...]:
            return as_contacts(await self.adapter.lookup(number))

        return await self._attempt(ask)

    async def enrich(self, contact: Contact) -> Contact:
        """Return `contact` with the fields that the source adds. Raises AdapterError."""
        if not isinstance(self.adapter, Enriching):
            raise AdapterError("this adapter cannot add fields to a contact")
        enriching = self.adapter

        async def ask() -> Contact:
            return contact.with_fields((await enriching.enrich(contact)).fields)

        return await self._attempt(ask)

    async def complete(self, contact: Contact, number: PhoneNumber) -> tuple[Contact, AdapterError | None]:
        """Return `contact` with what its own source adds, and the failure that ended it early, if one did.

        It is asked once, and for no longer than one attempt; for a while not at all, after it has added nothing but
        failures. Raises AdapterError when the contact is of no use so.
        """
        if not isinstance(self.adapter, Completing):
            return contact, None
        completing, versions = self.adapter, [contact]

        async def ask() -> None:
            async for version in completing.complete(contact, number):
                versions.append(_more_of(contact, version))  # noqa: PERF401 - those before a failure count

        def has_gained() -> bool:
            return len(versions) > 1 and (versions[-1] != contact or not self._is_of_use)

        try:
            permit = self._admit(self._completing)
        except AdapterError as exc:
            if not self._is_of_use:
                raise
            return contact, exc
        failure: AdapterError | None = None
        try:
            await self._judged(self._completing, permit, ask, has_gained)
        except AdapterError as exc:
            failure = exc
        if failure is not None or len(versions) > 1:
            self._is_of_use = self._is_of_use is not False and contact in versions[1:2]
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
        limits = self._limits
        self._budget.deposit()
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
                return await self._guarded(ask)
            except AdapterError as exc:
                failures.append(exc)
                raise

        try:
            return await retrying(once)
        except Unavailable as exc:
            if not _may_pass(exc) and len(failures) > 1:  # it was not sent again: what was wrong is told before
                raise failures[-2] from exc
            raise

    def _is_enough(self, state: RetryCallState) -> bool:
        """Tell whether a lookup must end with the attempt that has just failed."""
        return state.attempt_number >= self._limits.attempts or not self._budget.withdraw(_now())

    async def _guarded(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Make one attempt, unless the source must not be asked. Raises AdapterError."""
        return await self._judged(self._breaker, self._admit(self._breaker), ask)

    def _admit(self, breaker: Breaker) -> Permit:
        """Return the leave to make an attempt. Raises CircuitOpen or Overloaded.

        When all places are taken by what nobody waits for any more, the source hangs: that counts as a failure, and
        the one attempt that tries whether it is back needs no place.
        """
        now, is_full = _now(), len(self._places) >= self._limits.concurrency
        if is_full and self._waited_for:
            raise Overloaded(f"not asked: {len(self._places)} lookups are under way")
        is_trying = breaker.state(now) is State.HALF_OPEN
        permit = breaker.enter(now)
        if is_full and not is_trying:
            refusal = Overloaded(f"not asked: {len(self._places)} lookups have not ended")
            breaker.failed(permit, now)
            self._tell(str(refusal))
            raise refusal
        return permit

    async def _judged(
        self,
        breaker: Breaker,
        permit: Permit,
        ask: Callable[[], Coroutine[Any, Any, T]],
        has_gained: Callable[[], bool] = lambda: False,
    ) -> T:
        """Make one attempt, and let the breaker know: a failure after something was gained is none to it."""
        try:
            answer = await self._limited(ask)
        except AdapterError as exc:
            now = _now()
            if isinstance(exc, Unavailable) and exc.retry_after is not None:
                breaker.given_up(permit)
                for each in (self._breaker, self._completing):
                    each.rest(exc.retry_after, now)
            elif has_gained():
                self._answered(breaker, permit)
            else:
                breaker.failed(permit, now)
            self._tell(str(exc))
            raise
        except BaseException:
            breaker.given_up(permit)
            raise
        self._answered(breaker, permit)
        return answer

    def _answered(self, breaker: Breaker, permit: Permit) -> None:
        if breaker.succeeded(permit):
            self._places &= self._waited_for  # it is back; what hangs from before may do so for ever
        self._tell("")

    def _tell(self, reason: str) -> None:
        """Tell when the source is left alone, in all or in part, and when it is asked as usual again."""
        states = {breaker.state(_now()) for breaker in (self._breaker, self._completing)}
        state = next(each for each in (State.THROTTLED, State.OPEN, State.HALF_OPEN, State.CLOSED) if each in states)
        is_news = state is State.CLOSED or (state is not State.HALF_OPEN and reason)
        if is_news and state is not self._told:
            self._told = state
            self._observe(Guarded(self.name, state, reason))

    async def _limited(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        task = detach(ask())
        for tasks in (self._tasks, self._waited_for, self._places):
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        try:
            return await wait_at_most(self._limits.timeout, task)
        except (AdapterError, asyncio.CancelledError, KeyboardInterrupt):
            raise
        except BaseException as exc:  # drivers in other languages panic with more than an Exception
            self._on_bug(self.name, exc)
            raise AdapterError(f"a bug in the adapter ({type(exc).__name__})") from exc
        finally:
            self._waited_for.discard(task)
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
