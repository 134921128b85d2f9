"""Contacts as the router sees them: out of the cache where it can be, and asked for once where it cannot."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from proxy.cache import ContactCache, Entry
from proxy.detached import detach, wait_at_most
from proxy.errors import AdapterError, CircuitOpen, DeadlineExceeded, Overloaded, Unavailable, without_frames
from proxy.keys import CustomerNumber, Key
from proxy.model import Asked, Contact, Finding, Via
from proxy.phone import PhoneNumber, parse_caller
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


class Flight:
    """A lookup that is under way, and what the sources have said in it until now."""

    __slots__ = ("task", "told")

    def __init__(self) -> None:
        self.task: asyncio.Task[Entry]
        self.told: list[Asked] = []


class Directory:
    """The cache, one flight for each number that is being asked for, and stale contacts when that fails.

    What is found by customer numbers is cached apart, and not kept over a restart: who has to be erased is known by
    a phone number. `clock` gives monotonic seconds.
    """

    def __init__(self, sources: Sources, cache: ContactCache, lifetimes: Lifetimes, clock: Callable[[], float]) -> None:
        self._sources = sources
        self.cache = cache
        self._by_customer_number = ContactCache(cache.size)
        self._lifetimes = lifetimes
        self._clock = clock
        self._flights: dict[Key, Flight] = {}

    def adopt(self, sources: Sources, lifetimes: Lifetimes, size: int) -> None:
        """Go on with other limits, from the next lookup on. The sources must know the same contacts as before."""
        self._sources = sources
        self._lifetimes = lifetimes
        self.cache = self.cache.resized(size)
        self._by_customer_number = self._by_customer_number.resized(size)

    @property
    def flights(self) -> int:
        """How many keys are being looked up."""
        return len(self._flights)

    async def find(self, key: Key, patience: float, told: list[Asked] | None = None) -> Finding:
        """Return what is known about `key`, waiting no longer than `patience` seconds.

        `told` gets what sources have said, if any were asked, until it returns or raises.
        Raises AdapterError when nothing is known and the CRM could not tell in time. The lookup goes on
        when the caller leaves, and warms the cache.
        """
        now = self._clock()
        cache, kept_as = self._place_of(key)
        entry = cache.get(kept_as, now)
        flight = self._flights.get(key)
        if flight is not None and flight.task.done():
            flight = None  # it was cancelled before it began
        if entry is not None:
            is_waiting = now < entry.recheck_from
            if entry.is_fresh(now):
                if now >= entry.refresh_from and not is_waiting and flight is None:
                    self._take_off(key)
                return Finding(entry.contact, Via.CACHE, entry.ambiguous)
            if is_waiting:
                return Finding(entry.contact, Via.STALE)
        try:
            flight = flight or self._take_off(key)
            landed = await wait_at_most(patience, flight.task)
        except AdapterError as exc:
            if isinstance(without_frames(exc), DeadlineExceeded):
                self._wait_with(key)  # the next caller need not wait in vain too
            entry = cache.get(kept_as, self._clock())
            if entry is not None:
                return Finding(entry.contact, Via.STALE)
            raise
        finally:
            if told is not None and flight is not None:
                told.extend(flight.told)
        return Finding(landed.contact, Via.CRM, landed.ambiguous)

    def kept(self, e164: str) -> bytes | None:
        """Return what is kept of a number, and count that as use. Another object means that something has changed."""
        return self.cache.kept(e164)

    def rests_until(self, number: PhoneNumber) -> float:
        """Return until when, by the `clock`, calls from a number are answered without a lookup: 0 when they are not."""
        entry = self.cache.peek(number.e164)
        return min(entry.fresh_until, entry.refresh_from) if entry is not None else 0.0

    def forget(self, number: PhoneNumber) -> bool:
        """Drop what is known about a number, and by others of the same contact, and tell whether anything was.

        A lookup that is under way will not bring it back. All that was found by customer numbers goes too: nobody can
        tell which of them is the same person.
        """
        self._drop_customer_numbers()
        flight = self._flights.pop(number, None)
        entry = self.cache.peek(number.e164)
        was_known = self.cache.drop(number.e164) or flight is not None
        for text in entry.contact.numbers if entry and entry.contact else ():
            if isinstance(other := parse_caller(text, number.home), PhoneNumber):
                self._flights.pop(other, None)
                self.cache.drop(other.e164)
        return was_known

    def peek(self, number: PhoneNumber) -> Entry | None:
        """Return what is kept of a number, fresh or stale, without counting that as use."""
        entry = self.cache.peek(number.e164)
        return entry if entry is not None and self._clock() < entry.stale_until else None

    def invalidate(self, number: PhoneNumber) -> bool:
        """Have the CRM asked about a number before it is answered from here again; tell whether it was known.

        What is known stays for when the CRM fails. A lookup that is under way may have been answered before the
        change: it is not kept. All that was found by customer numbers is dropped, as nobody can tell whose it is.
        """
        self._drop_customer_numbers()
        flight = self._flights.pop(number, None)
        return self.cache.age(number.e164, self._clock()) or flight is not None

    async def invalidate_all(self, also: Callable[[str], None] = lambda _: None) -> int:
        """Do so with all numbers, by and by, as calls must not wait for it; return how many there were.

        `also` is done with each of them.
        """
        self._drop_customer_numbers()
        self._flights.clear()
        count = 0
        for part in self.cache.packed(100):
            for number, _ in part:
                count += self.cache.age(number, self._clock())
                also(number)
            await asyncio.sleep(0)
        return count

    async def let_go(self) -> None:
        """Forget everything, by and by: nobody asks this directory any more, and calls must not wait for it."""
        for cache in (self.cache, self._by_customer_number):
            await _let_go(cache)

    def _drop_customer_numbers(self) -> None:
        if len(self._by_customer_number):
            detach(_let_go(self._by_customer_number))
            self._by_customer_number = ContactCache(self.cache.size)
        for key in [key for key in self._flights if isinstance(key, CustomerNumber)]:
            del self._flights[key]

    def _place_of(self, key: Key) -> tuple[ContactCache, str]:
        """Return where a key's entry is kept, and under what."""
        if isinstance(key, PhoneNumber):
            return self.cache, key.e164
        return self._by_customer_number, key.digits

    def _take_off(self, key: Key) -> Flight:
        self._flights[key] = flight = Flight()
        flight.task = detach(self._fly(key, flight))
        return flight

    async def _fly(self, key: Key, flight: Flight) -> Entry:
        """Ask the sources, and keep what they say, before anybody who waits is told. Raises AdapterError."""
        try:
            sighting = await self._sources.lookup(key, flight.told)
            cache, kept_as = self._place_of(key)
            now = self._clock()
            known = None if sighting.complete else cache.get(kept_as, now)
            entry = _entry_of(sighting, known, self._lifetimes, now)
        except BaseException as exc:
            flight.task.add_done_callback(_without_frames)
            is_cut = isinstance(exc, (asyncio.CancelledError, CircuitOpen, Overloaded))  # those took no time
            if self._has_landed(key, flight) and not is_cut:
                self._wait_with(key)
            raise
        if self._has_landed(key, flight):
            cache.put(kept_as, entry)
        return entry

    def _has_landed(self, key: Key, flight: Flight) -> bool:
        """End a flight, and tell whether it counts: it does not when the key was forgotten meanwhile."""
        if self._flights.get(key) is not flight:
            return False
        del self._flights[key]
        return True

    def _wait_with(self, key: Key) -> None:
        """Let what is known of a key answer for a while, after a lookup that has failed or is late."""
        now = self._clock()
        cache, kept_as = self._place_of(key)
        entry = cache.get(kept_as, now)
        if entry is not None:
            cache.put(kept_as, replace(entry, recheck_from=now + self._lifetimes.recheck))


def _without_frames(task: "asyncio.Task[Entry]") -> None:
    if not task.cancelled() and (failure := task.exception()) is not None:
        without_frames(failure)


async def _let_go(cache: ContactCache) -> None:
    for _ in cache.emptied():
        await asyncio.sleep(0)


def _entry_of(sighting: Sighting, known: Entry | None, lives: Lifetimes, now: float) -> Entry:
    """Return what is to be kept of a sighting, beside what is known from before.

    What a source could not say now about a contact is taken from what was known of the same one, and not kept for
    longer than that. Raises Unavailable when somebody else is known, and the source that would know better has failed.
    """
    contact, ends_at = sighting.contact, math.inf
    if contact is not None and not sighting.complete and known is not None and known.contact is not None:
        if _are_same(contact, known.contact):
            contact = contact.with_fields(known.contact.fields)
            ends_at = known.stale_until if contact != sighting.contact else ends_at
        elif not sighting.certain:
            raise Unavailable("a source failed, and one that comes after it has somebody else")
    is_good = contact is not None and sighting.complete
    fresh_until = now + (lives.ttl if is_good else lives.negative_ttl)
    stale_until = min(fresh_until + (lives.stale if contact is not None else 0), ends_at)
    refresh_from = fresh_until - lives.refresh_ahead if is_good and lives.refresh_ahead else math.inf
    fresh_until = min(fresh_until, stale_until)
    return Entry(contact, fresh_until, stale_until, refresh_from, ambiguous=sighting.ambiguous)


def _are_same(one: Contact, other: Contact) -> bool:
    """Tell whether two contacts are the same person: by the CRM's key, or by name where it has none."""
    if one.id or other.id:
        return one.id == other.id
    return bool(one.name) and one.name == other.name
