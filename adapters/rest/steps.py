"""What is asked about a contact that was found: further requests, and lists that were read ahead."""

import asyncio
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from functools import partial

from cachetools import TLRUCache

from adapters.placeholders import contact_values
from adapters.rest.answer import Answer, Reading, compiled, found, holds, scalar
from adapters.rest.asking import Asking
from adapters.rest.names import in_a_thread
from adapters.rest.requests import Prepared
from adapters.rest.sections import Answered, Map, Step
from adapters.rest.template import Values
from proxy.adapter import AdapterError, Contact, Scalar, Unavailable, as_text

MOST_KEPT = 10_000
"""Answers to one step."""

LONGEST_LIST = 4 * 1024 * 1024
"""Bytes of a list that is read ahead."""

AFTER_FAILURE = 15.0
"""Seconds after which a list that could not be read is asked for again."""


class FurtherStep:
    """One of the option `steps`. `clock` gives monotonic seconds."""

    def __init__(self, step: Step, asking: Asking, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = step.step
        self.is_required = step.required
        self._asking = asking
        self._prepared = Prepared(step)
        self.names = self._prepared.names
        """Of the placeholders in it"""
        self._reading = Reading(step, step.fields, name=step.name)
        self._when = compiled(step.when)
        self._ttl = step.ttl
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Keep none of the answers, nor those that are under way."""
        self._kept: MutableMapping[tuple[tuple[str, str], ...], Contact] = TLRUCache(
            MOST_KEPT, lambda _, __, now: now + self._ttl, self._clock
        )

    async def taken(self, contact: Contact, values: Values) -> Contact:
        """Return the contact with what the step adds; as it is where there is nothing to ask. Raises AdapterError."""
        about = {
            "id": contact.id,
            "name": contact.name,
            "customer_number": contact.customer_number,
            **contact.fields,
        }
        wanted = contact_values(contact, self._prepared.names - values.keys() - self._asking.names)
        if wanted is None or (self._when is not None and not holds(self._when, about)):
            return contact
        filled = {**values, **wanted}
        named = ((name, value) for name, value in filled.items() if name in self._prepared.names)
        key = tuple(sorted((name, as_text(value)) for name, value in named if not isinstance(value, list)))
        kept = self._kept
        added = kept.get(key)
        if added is None:
            try:
                answer = self._reading.answer(await self._asking.ask(self._prepared, filled))
                added = self._reading.first(answer) or Contact()
            except AdapterError as exc:
                raise _named(exc, self.name) from exc
            kept[key] = added
        whole = contact.with_fields(added.fields)
        return whole if whole.name or not added.name else replace(whole, name=added.name)


class KeptMap:
    """One of the option `maps`: a list, read ahead and again every so often."""

    def __init__(self, name: str, options: Map, asking: Asking, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.of = options.of
        self._asking = asking
        self._prepared = Prepared(options)
        self._reading = Reading(Answered(record=options.record, error=options.error), {})
        self._key, self._value = compiled(options.key), compiled(options.value)
        self._refresh = options.refresh
        self._list: Mapping[str, Scalar] | None = None
        self._clock = clock
        self._failure: AdapterError | None = None
        self._again_at = float("-inf")
        self._flight: asyncio.Task[None] | None = None
        self._loop: asyncio.Task[None] | None = None

    def keep(self) -> None:
        """Read the list, and go on reading it, in the background."""
        self._loop = asyncio.ensure_future(self._keep_reading())

    def close(self) -> None:
        """Read it no more."""
        for task in (self._loop, self._flight):
            if task is not None:
                task.cancel()

    async def value(self, key: Scalar) -> Scalar:
        """Return what the list has for a value; None when it has nothing. Raises AdapterError."""
        if self._list is None:
            if self._failure is not None and self._clock() < self._again_at:
                raise _named(self._failure, self.name)
            flight = self._read()
            await asyncio.wait({flight})
            if flight.cancelled():
                raise Unavailable("the list was given up")
            flight.result()
        return (self._list or {}).get(as_text(key))

    async def _keep_reading(self) -> None:
        while True:
            flight = self._read()
            await asyncio.wait({flight})
            has_failed = flight.cancelled() or flight.exception() is not None
            await asyncio.sleep(min(AFTER_FAILURE, self._refresh) if has_failed else self._refresh)

    def _read(self) -> "asyncio.Task[None]":
        if self._flight is None or self._flight.done():
            self._flight = asyncio.ensure_future(self._read_now())
            self._flight.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._flight

    async def _read_now(self) -> None:
        try:
            answer = await self._asking.ask(self._prepared, {}, LONGEST_LIST)
            self._list = await in_a_thread(partial(self._read_in, answer))  # a long one takes a while
            self._failure = None
        except AdapterError as exc:
            self._failure, self._again_at = exc, self._clock() + AFTER_FAILURE
            raise _named(exc, self.name) from exc

    def _read_in(self, answer: Answer) -> Mapping[str, Scalar]:
        records = self._reading.records(self._reading.answer(answer))
        pairs = [(scalar(found(self._key, record)), scalar(found(self._value, record))) for record in records]
        return {as_text(key): value for key, value in pairs if is_there(key) and is_there(value)}


def is_there(value: Scalar) -> bool:
    """Tell whether a field says anything: an empty text, and the `false` that some CRMs have for it, do not."""
    return value is not None and value is not False and value != ""


def _named(exc: AdapterError, name: str) -> AdapterError:
    """Return a failure that says which step or list it was in."""
    message = f"{name}: {exc}"
    return Unavailable(message, exc.retry_after) if isinstance(exc, Unavailable) else AdapterError(message)
