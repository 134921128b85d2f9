"""A bounded store of contacts by number, each of them fresh, stale or gone at a given time."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cachetools import Cache, LRUCache

from proxy.model import Contact

MOST_AT_ONCE = 1000
"""Entries that may go at once, when there is room for fewer than there were: a million would take seconds."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A contact, or None for "the CRM does not know it", with the times until which it is good."""

    contact: Contact | None
    fresh_until: float
    stale_until: float
    refresh_from: float = math.inf
    """From then on a call lets the CRM be asked again, ahead of expiry"""
    recheck_from: float = -math.inf
    """Until then a stale contact answers without a lookup, since one has failed"""
    ambiguous: bool = False
    """There is no contact because the CRM has several, of which none may be chosen"""

    def is_fresh(self, now: float) -> bool:
        """Tell whether the entry may answer a call without asking the CRM."""
        return now < self.fresh_until


class ContactCache:
    """Entries by number; when it is full, the one that was not used for longest goes.

    The caller brings the time, in seconds of any one clock. Not for use from several threads.
    """

    def __init__(self, size: int) -> None:
        self._entries: LRUCache[str, Entry] = LRUCache(maxsize=math.inf)  # its own limit could not change
        self.size = size
        """Entries at the most"""
        self.changes = 0
        """Counts what was put and dropped"""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, number: str, now: float) -> Entry | None:
        """Return the entry that is fresh or stale at `now`; one that is gone is dropped."""
        entry: Entry | None = self._entries.get(number)
        if entry is None or now < entry.stale_until:
            return entry
        self.drop(number)
        return None

    def kept(self, number: str) -> object | None:
        """Return the very object that is kept of a number, of any age, and count that as use.

        As long as it is the same one, `is`, what was made ready of the entry is still right.
        """
        return self._entries.get(number)

    def put(self, number: str, entry: Entry) -> None:
        """Keep an entry in the place of any earlier one."""
        self._entries.pop(number, None)  # so that those put last are the last of `parts`
        self._entries[number] = entry
        self.changes += 1
        self._make_room()

    def drop(self, number: str) -> bool:
        """Forget a number, and tell whether it was known."""
        was_known = self._entries.pop(number, None) is not None
        self.changes += was_known
        return was_known

    def peek(self, number: str) -> Entry | None:
        """Return an entry of any age, without counting that as use."""
        return Cache.__getitem__(self._entries, number) if number in self._entries else None

    def age(self, number: str, now: float) -> bool:
        """Let an entry be no longer fresh, and tell whether there was one. What is not a contact is dropped."""
        entry = self.peek(number)
        if entry is None or now >= entry.stale_until:
            self.drop(number)
            return False
        if entry.contact is None:
            return self.drop(number)
        aged = replace(entry, fresh_until=min(entry.fresh_until, now), refresh_from=math.inf, recheck_from=-math.inf)
        Cache.__setitem__(self._entries, number, aged)
        self.changes += 1
        return True

    def resized(self, size: int) -> "ContactCache":
        """Hold so many from now on, and return the cache. Those not used for longest go, by and by if they are many."""
        self.size = size
        self._make_room()
        return self

    def parts(self, length: int = 1000) -> Iterator[list[tuple[str, Entry]]]:
        """Yield the entries that there are now, so many at a time, without counting that as use.

        Those put last come last. In between entries may be put and dropped: those that are dropped are not yielded.
        """
        numbers = list(self._entries)
        for place in range(0, len(numbers), length):
            part = (number for number in numbers[place : place + length] if number in self._entries)
            yield [(number, Cache.__getitem__(self._entries, number)) for number in part]

    def _make_room(self) -> None:
        for _ in range(min(len(self._entries) - self.size, MOST_AT_ONCE)):
            self._entries.popitem()
            self.changes += 1
