"""Contacts as the router sees them: out of the cache where it can be, and asked for once where it cannot."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from proxy.cache import ContactCache, Entry
from proxy.detached import detach, wait_at_most
from proxy.errors import AdapterError, CircuitOpen, DeadlineExceeded, Overloaded
from proxy.model import Finding, Via
from proxy.phone import PhoneNumber
from proxy.sources import Sighting, Sources


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long answers are good for, in seconds."""

    ttl: float = 300
    """A contact is fresh"""
    negative_ttl: float = 60
    """"Unknown" is fresh; so is a contact that some source could not contribute to"""
    stale: float = 86400
    """After it was fresh, a contact may still answer when the CRM cannot"""
    refresh_ahead: float = 0
    """So long before a whole contact is no longer fresh, a call has the CRM asked again, and does not wait"""
    recheck: float = 5
    """So long a number with a stale contact is not looked up again after it failed"""


class Directory:
    """The cache, one flight for each number that is being asked for, and stale contacts when that fails.

    `clock` gives monotonic seconds.
    """

    def __init__(self, sources: Sources, cache: ContactCache, lifetimes: Lifetimes, clock: Callable[[], float]) -> None:
        self._sources = sources
        self.cache = cache
        self._lifetimes = lifetimes
        self._clock = clock
        self._flights: dict[str, asyncio.Task[Sighting]] = {}

    def adopt(self, sources: Sources, lifetimes: Lifetimes, size: int) -> None:
        """Go on with other limits, from the next lookup on. The sources must know the same contacts as before."""
        self._sources = sources
        self._lifetimes = lifetimes
        self.cache = self.cache.resized(size)

    async def find(self, number: PhoneNumber, patience: float) -> Finding:
        """Return what is known about `number`, waiting no longer than `patience` seconds.

        Raises AdapterError when nothing is known and the CRM could not tell in time. The lookup goes on
        when the caller leaves, and warms the cache.
        """
        now = self._clock()
        entry = self.cache.get(number.e164, now)
        flight = self._flights.get(number.e164)
        if entry is not None:
            is_waiting = now < entry.recheck_from
            if entry.is_fresh(now):
                if now >= entry.refresh_from and not is_waiting and flight is None:
                    self._take_off(number)
                return Finding(entry.contact, Via.CACHE)
            if is_waiting:
                return Finding(entry.contact, Via.STALE)
        try:
            sighting = await wait_at_most(patience, flight or self._take_off(number))
        except AdapterError as exc:
            if isinstance(exc, DeadlineExceeded):
                self._wait_with(number)  # the next caller need not wait in vain too
            entry = self.cache.get(number.e164, self._clock())
            if entry is not None:
                return Finding(entry.contact, Via.STALE)
            raise
        return Finding(sighting.contact, Via.CRM)

    def forget(self, number: PhoneNumber) -> bool:
        """Drop what is known about a number, and tell whether anything was.

        A lookup that is under way will not bring it back.
        """
        flight = self._flights.pop(number.e164, None)
        return self.cache.drop(number.e164) or flight is not None

    def _take_off(self, number: PhoneNumber) -> "asyncio.Task[Sighting]":
        flight = detach(self._look_up(number))
        self._flights[number.e164] = flight
        flight.add_done_callback(lambda landed: self._land(number, landed))
        return flight

    async def _look_up(self, number: PhoneNumber) -> Sighting:
        """Ask the sources. What one of them could not say about a contact is taken from what was known of it before."""
        sighting = await self._sources.lookup(number)
        contact, entry = sighting.contact, self.cache.get(number.e164, self._clock())
        if sighting.complete or contact is None or entry is None or entry.contact is None:
            return sighting
        is_same = bool(contact.id) and contact.id == entry.contact.id
        return Sighting(contact.with_fields(entry.contact.fields), complete=False) if is_same else sighting

    def _land(self, number: PhoneNumber, flight: "asyncio.Task[Sighting]") -> None:
        if self._flights.get(number.e164) is not flight:
            return  # forgotten while it was under way
        del self._flights[number.e164]
        if flight.cancelled():
            return
        failure = flight.exception()
        if failure is not None:
            if not isinstance(failure, (CircuitOpen, Overloaded)):  # those took no time
                self._wait_with(number)
            return
        sighting = flight.result()
        lives = self._lifetimes
        is_good = sighting.contact is not None and sighting.complete
        fresh_until = self._clock() + (lives.ttl if is_good else lives.negative_ttl)
        stale_until = fresh_until + (lives.stale if sighting.contact is not None else 0)
        refresh_from = fresh_until - lives.refresh_ahead if is_good and lives.refresh_ahead else float("inf")
        self.cache.put(number.e164, Entry(sighting.contact, fresh_until, stale_until, refresh_from))

    def _wait_with(self, number: PhoneNumber) -> None:
        """Let what is known of a number answer for a while, after a lookup that has failed or is late."""
        now = self._clock()
        entry = self.cache.get(number.e164, now)
        if entry is not None:
            self.cache.put(number.e164, replace(entry, recheck_from=now + self._lifetimes.recheck))
