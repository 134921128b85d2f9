"""Contacts as the router sees them: out of the cache where it can be, and asked for once where it cannot."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from proxy.cache import ContactCache, Entry
from proxy.detached import detach, wait_at_most
from proxy.errors import AdapterError
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


class Directory:
    """The cache, one flight for each number that is being asked for, and stale contacts when that fails.

    `clock` gives monotonic seconds.
    """

    def __init__(self, sources: Sources, cache: ContactCache, lifetimes: Lifetimes, clock: Callable[[], float]) -> None:
        self._sources = sources
        self._cache = cache
        self._lifetimes = lifetimes
        self._clock = clock
        self._flights: dict[str, asyncio.Task[Sighting]] = {}

    async def find(self, number: PhoneNumber, patience: float) -> Finding:
        """Return what is known about `number`, waiting no longer than `patience` seconds.

        Raises AdapterError when nothing is known and the CRM could not tell in time. The lookup goes on
        when the caller leaves, and warms the cache.
        """
        now = self._clock()
        entry = self._cache.get(number.e164, now)
        if entry is not None and entry.is_fresh(now):
            return Finding(entry.contact, Via.CACHE)
        flight = self._flights.get(number.e164) or self._take_off(number)
        try:
            sighting = await wait_at_most(patience, flight)
        except AdapterError:
            if entry is not None:
                return Finding(entry.contact, Via.STALE)
            raise
        return Finding(sighting.contact, Via.CRM)

    def forget(self, number: PhoneNumber) -> None:
        """Drop what is known about a number; a lookup that is under way will not bring it back."""
        self._cache.drop(number.e164)
        self._flights.pop(number.e164, None)

    def _take_off(self, number: PhoneNumber) -> "asyncio.Task[Sighting]":
        flight = detach(self._look_up(number))
        self._flights[number.e164] = flight
        flight.add_done_callback(lambda landed: self._land(number, landed))
        return flight

    async def _look_up(self, number: PhoneNumber) -> Sighting:
        """Ask the sources. What one of them could not say about a contact is taken from what was known of it before."""
        sighting = await self._sources.lookup(number)
        contact, entry = sighting.contact, self._cache.get(number.e164, self._clock())
        if sighting.complete or contact is None or entry is None or entry.contact is None:
            return sighting
        is_same = bool(contact.id) and contact.id == entry.contact.id
        return Sighting(contact.with_fields(entry.contact.fields), complete=False) if is_same else sighting

    def _land(self, number: PhoneNumber, flight: "asyncio.Task[Sighting]") -> None:
        if self._flights.get(number.e164) is not flight:
            return  # forgotten while it was under way
        del self._flights[number.e164]
        if flight.cancelled() or flight.exception() is not None:
            return
        sighting = flight.result()
        lives = self._lifetimes
        is_good = sighting.contact is not None and sighting.complete
        fresh_until = self._clock() + (lives.ttl if is_good else lives.negative_ttl)
        stale_until = fresh_until + (lives.stale if sighting.contact is not None else 0)
        self._cache.put(number.e164, Entry(sighting.contact, fresh_until, stale_until))
