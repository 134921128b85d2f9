"""A bounded store of contacts by number, each of them fresh, stale or gone at a given time."""

from dataclasses import dataclass

from cachetools import LRUCache

from proxy.model import Contact


@dataclass(frozen=True, slots=True)
class Entry:
    """A contact, or None for "the CRM does not know it", with the times until which it is good."""

    contact: Contact | None
    fresh_until: float
    stale_until: float

    def is_fresh(self, now: float) -> bool:
        """Tell whether the entry may answer a call without asking the CRM."""
        return now < self.fresh_until


class ContactCache:
    """Entries by E.164 number; when it is full, the one that was not used for longest goes.

    The caller brings the time, in seconds of any one clock. Not for use from several threads.
    """

    def __init__(self, size: int) -> None:
        self._entries: LRUCache[str, Entry] = LRUCache(maxsize=size)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, e164: str, now: float) -> Entry | None:
        """Return the entry that is fresh or stale at `now`; one that is gone is dropped."""
        entry: Entry | None = self._entries.get(e164)
        if entry is None or now < entry.stale_until:
            return entry
        del self._entries[e164]
        return None

    def put(self, e164: str, entry: Entry) -> None:
        """Keep an entry in the place of any earlier one."""
        self._entries[e164] = entry

    def drop(self, e164: str) -> None:
        """Forget a number."""
        self._entries.pop(e164, None)
