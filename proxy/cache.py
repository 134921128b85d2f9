"""A bounded store of contacts by number, each of them fresh, stale or gone at a given time."""

from collections.abc import Iterator, Mapping
from itertools import chain, islice

from proxy.entry import Entry, join, pack, split, unpack

__all__ = ["ContactCache", "Entry"]

MOST_AT_ONCE = 1000
"""Entries that may go at once, when there is room for fewer than there were: a million would take seconds."""

AT_ONCE = 10_000
"""Entries of one dict, when the cache is full: when it grows they move at once, which takes a millisecond."""

MOST_SHARDS = 256
"""Dicts of a cache; when there would have to be more, each is larger."""


class ContactCache:
    """Entries by number; when it is full, the one of a full shard that was not used for longest goes.

    Entries are kept packed, in plain dicts, whose order is that of the last use: the garbage collector does not look
    into dicts of nothing but texts and bytes, as it does into an OrderedDict or cachetools.LRUCache (0.9 s for a
    million), and those take a quarter more memory. What has expired goes when it is met, or when there is no room, and
    is never looked for. The caller brings the time, in seconds of any one clock. Not for use from several threads.
    """

    def __init__(self, size: int) -> None:
        self._shards = _shards(size)
        self._count = 0
        self.size = size
        """Entries at the most"""
        self.changes = 0
        """Counts what was put and dropped"""

    def __len__(self) -> int:
        return self._count

    def get(self, number: str, now: float) -> Entry | None:
        """Return the entry that is fresh or stale at `now`; one that is gone is dropped."""
        packed = self.kept(number)
        if packed is None:
            return None
        entry = unpack(packed)
        if now < entry.stale_until:
            return entry
        self.drop(number)
        return None

    def kept(self, number: str) -> bytes | None:
        """Return the very object that is kept of a number, of any age, and count that as use.

        As long as it is the same one, `is`, what was made ready of the entry is still right.
        """
        shard = self._shards[hash(number) % len(self._shards)]
        packed = shard.pop(number, None)
        if packed is not None:
            shard[number] = packed  # behind all others
        return packed

    def put(self, number: str, entry: Entry) -> None:
        """Keep an entry in the place of any earlier one."""
        self.put_packed(number, pack(entry))

    def put_packed(self, number: str, packed: bytes) -> None:
        """Keep a packed entry in the place of any earlier one."""
        shard = self._shards[hash(number) % len(self._shards)]
        self._count -= shard.pop(number, None) is not None
        if self._count >= self.size:
            self._make_room(self.size - 1)
        shard[number] = packed
        self._count += 1
        self.changes += 1

    def put_all(self, entries: Mapping[str, bytes]) -> None:
        """Keep packed entries so, in their order. At a start that may be a million, before any call is answered."""
        if self._count + len(entries) > self.size:
            for number, packed in entries.items():
                self.put_packed(number, packed)
            return
        shards, count, known = self._shards, len(self._shards), 0
        for number, packed in entries.items():
            shard = shards[hash(number) % count]
            known += shard.pop(number, None) is not None
            shard[number] = packed
        self._count += len(entries) - known
        self.changes += len(entries)

    def drop(self, number: str) -> bool:
        """Forget a number, and tell whether it was known."""
        was_known = self._shard_of(number).pop(number, None) is not None
        self._count -= was_known
        self.changes += was_known
        return was_known

    def peek(self, number: str) -> Entry | None:
        """Return an entry of any age, without counting that as use."""
        packed = self._shard_of(number).get(number)
        return None if packed is None else unpack(packed)

    def age(self, number: str, now: float) -> bool:
        """Let an entry be no longer fresh, and tell whether there was one. What is not a contact is dropped."""
        shard = self._shard_of(number)
        packed = shard.get(number)
        if packed is None:
            return False
        (fresh_until, stale_until, *_), about = split(packed)
        if now >= stale_until:
            self.drop(number)
            return False
        if not about:
            return self.drop(number)
        shard[number] = join(about, min(fresh_until, now), stale_until)
        self.changes += 1
        return True

    def emptied(self) -> Iterator[None]:
        """Forget everything, a part at each step: calls would wait while a million entries go at once."""
        for shard in self._shards:
            self._count -= len(shard)
            self.changes += len(shard)
            shard.clear()
            yield

    def resized(self, size: int) -> "ContactCache":
        """Hold so many from now on, and return the cache. Those not used for longest go, by and by if they are many."""
        self.size = size
        if self._count <= AT_ONCE and len(self._shards) < len(shards := _shards(size)):
            before, self._shards = self._shards, shards
            for number, packed in chain.from_iterable(shard.items() for shard in before):
                self._shard_of(number)[number] = packed
        self._make_room(size)
        return self

    def packed(self, length: int = 1000) -> Iterator[list[tuple[str, bytes]]]:
        """Yield the entries that there are now, so many at a time, without counting that as use.

        Those used last come last, as far as shards agree. In between entries may be put and dropped: those that are
        dropped are not yielded. Where there are many, empty parts come first, as it takes a while to list them.
        """
        lists = [[*reversed(self._shards[0])]]
        for shard in self._shards[1:]:
            yield []
            lists.append([*reversed(shard)])
        numbers = _taken_in_turn(lists)
        while part := [*islice(numbers, length)]:
            found = ((number, self._shard_of(number).get(number)) for number in part)
            yield [(number, packed) for number, packed in found if packed is not None]

    def parts(self, length: int = 1000) -> Iterator[list[tuple[str, Entry]]]:
        """Do so with the entries unpacked."""
        for part in self.packed(length):
            yield [(number, unpack(packed)) for number, packed in part]

    def _shard_of(self, number: str) -> dict[str, bytes]:
        return self._shards[hash(number) % len(self._shards)]

    def _make_room(self, size: int) -> None:
        for _ in range(min(self._count - size, MOST_AT_ONCE)):
            shard = max(self._shards, key=len)
            del shard[next(iter(shard))]
            self._count -= 1
            self.changes += 1


def _taken_in_turn(lists: list[list[str]]) -> Iterator[str]:
    """Yield the last of each list, again and again, until they are empty: to drop a whole one takes long."""
    while lists := [each for each in lists if each]:
        for each in lists:
            yield each.pop()


def _shards(size: int) -> list[dict[str, bytes]]:
    return [{} for _ in range(min(-(-size // AT_ONCE), MOST_SHARDS))]
