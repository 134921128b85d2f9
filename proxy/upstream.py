"""One source's adapter, with attempts and an attempt's time limit round it."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from proxy.adapter import Adapter, Completing, Enriching
from proxy.detached import detach, wait_at_most
from proxy.errors import AdapterError, Unavailable
from proxy.model import Contact, as_contacts
from proxy.phone import PhoneNumber

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often and how long a source is asked about one number. Times in seconds."""

    timeout: float = 0.6
    """Of one attempt"""
    attempts: int = 2
    """In all"""
    wait_initial: float = 0.05
    """Before the second attempt; doubled before each further one"""
    wait_max: float = 0.5
    wait_jitter: float = 0.05
    """Up to so much is added to each wait, by chance"""


class Upstream:
    """Asks one source, again where that may help, and never waits longer than it may.

    `on_bug` is told of errors that are neither an AdapterError nor a cancellation.
    """

    def __init__(
        self, name: str, adapter: Adapter, limits: Attempts, on_bug: Callable[[str, BaseException], None]
    ) -> None:
        self.name = name
        self.adapter = adapter
        self._limits = limits
        self._on_bug = on_bug

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

        It is asked once, and for no longer than one attempt. Raises AdapterError when the contact is of no use so.
        """
        if not isinstance(self.adapter, Completing):
            return contact, None
        completing, versions = self.adapter, [contact]

        async def ask() -> None:
            async for version in completing.complete(contact, number):
                versions.append(_more_of(contact, version))  # noqa: PERF401 - those before a failure count

        try:
            await self._attempt_once(ask)
        except AdapterError as exc:
            if len(versions) == 1:
                raise
            return versions[-1], exc
        return versions[-1], None

    async def _attempt(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        limits = self._limits
        retrying = AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(limits.attempts),
            wait=wait_exponential_jitter(
                multiplier=limits.wait_initial, max=limits.wait_max, jitter=limits.wait_jitter
            ),
            sleep=asyncio.sleep,
            reraise=True,
        )
        failures: list[AdapterError] = []

        async def once() -> T:
            try:
                return await self._attempt_once(ask)
            except AdapterError as exc:
                failures.append(exc)
                raise

        try:
            return await retrying(once)
        except Unavailable as exc:
            if (
                exc.retry_after is not None and len(failures) > 1
            ):  # it was not sent again: what was wrong is told before
                raise failures[-2] from exc
            raise

    async def _attempt_once(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        task = detach(ask())
        try:
            return await wait_at_most(self._limits.timeout, task)
        except (AdapterError, asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as exc:  # drivers in other languages panic with more than an Exception
            self._on_bug(self.name, exc)
            raise AdapterError(f"a bug in the adapter ({type(exc).__name__})") from exc
        finally:
            task.cancel()


def _more_of(contact: Contact, version: object) -> Contact:
    """Return the contact with what a later version of it adds: it stays the same person's."""
    if not isinstance(version, Contact):
        raise TypeError(f"complete yielded a {type(version).__name__}, not a contact")
    if version is contact:
        return contact
    return replace(contact.with_fields(version.fields), name=contact.name or version.name)


def _may_pass(exc: BaseException) -> bool:
    """Tell whether to try again: never beyond `retry_after`, which is longer than a caller waits."""
    return isinstance(exc, Unavailable) and exc.retry_after is None
