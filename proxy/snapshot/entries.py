"""The entries of the cache, how they are kept in the file, and how they come back with their age."""

import asyncio
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from proxy.cache import ContactCache, Entry
from proxy.model import Contact
from proxy.snapshot.lock import Lock
from proxy.snapshot.sealed_file import NewFile, Row, SnapshotError, clear, read, trouble_is_told

T = TypeVar("T")

PART = 200
"""Entries of a line: what is turned into JSON at once, and keeps calls waiting meanwhile."""

LARGEST_ENTRY = 16 * 1024
"""Bytes for each entry that the cache may hold, above which a file is not read: it would fill the memory."""


_AMBIGUOUS = "several"
"""In the place of the contact's id, where the CRM has several contacts and none may be chosen"""

_UNKNOWN = "and tanima erase cannot know that this server has it"


@dataclass(frozen=True, slots=True)
class Caps:
    """For how long, in seconds, entries may be good from now on at the most, whatever the file says."""

    ttl: float
    negative_ttl: float
    stale: float


class Snapshot:
    """The snapshot in one file.

    `made_by` tells the sources by which the contacts were found; those of others are not read. `clock` gives
    monotonic seconds, as in the entries, `wall_clock` seconds since 1970. Errors are SnapshotErrors.
    """

    def __init__(
        self, file: Path, secret: str, made_by: str, clock: Callable[[], float], wall_clock: Callable[[], float]
    ) -> None:
        self.file = Path(os.path.realpath(file))  # where it is a link, the link stays one
        self._lock = Lock(self.file)
        self._secret = secret.encode()
        self._made_by = made_by
        self._clock = clock
        self._wall_clock = wall_clock
        self._writing = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "snapshot")  # hung drivers may have all of the default one

    async def hold(self) -> None:
        """Say that a server has it, until it is let go."""
        await self._in_thread(self._hold)

    def let_go(self) -> None:
        """Say that this server does not have it any more."""
        self._lock.release()

    async def write(self, cache: ContactCache) -> int:
        """Put what is in the cache now in the place of what was in the file, and return how many entries that are.

        One that was dropped from the cache before is in the file no more when this returns.
        """
        async with self._writing:
            now, wall = self._clock(), self._wall_clock()
            file = NewFile(self.file, self._secret, {"made_by": self._made_by, "written_at": wall})
            try:
                await self._in_thread(file.open)
                for part in cache.parts(PART):
                    kept = [(e164, entry) for e164, entry in part if now < entry.stale_until]
                    await self._in_thread(partial(_add, file, kept, wall - now))
                return await self._in_thread(file.complete)
            finally:
                await self._in_thread(file.discard)

    async def read_into(self, cache: ContactCache, caps: Caps) -> int:
        """Take the entries that are not gone into the cache, and return how many. All of the file is good, or none.

        They have the age that they would have without the restart. A file that is not there has none.
        """
        entries = await self._in_thread(lambda: self._known(cache.size, caps))
        for place, (e164, entry) in enumerate(entries):
            if place % PART == 0:
                await asyncio.sleep(0)
            cache.put(e164, entry)
        return len(entries)

    async def erase(self, e164: str) -> bool:
        """Take a number out of the file, and tell whether it was there. An error while a server has it."""
        async with self._writing:
            return await self._in_thread(lambda: self._erase(e164))

    async def remove(self) -> None:
        """Remove the file, and what is left of unfinished ones."""
        async with self._writing:
            await self._in_thread(self._remove)

    def _known(self, size: int, caps: Caps) -> list[tuple[str, Entry]]:
        lines = read(self.file, self._secret, max(size, 1000) * LARGEST_ENTRY)
        head = next(lines, None)
        if head is None:
            return []
        if head["made_by"] != self._made_by:
            raise SnapshotError("the snapshot was made with other sources, and is not used")
        now = self._clock()
        wall = max(self._wall_clock(), head["written_at"])  # a clock that was set back makes nothing younger
        found = ((row[0], _entry(row, wall, now, caps)) for part in lines for row in part)
        try:
            return [(e164, entry) for e164, entry in found if now < entry.stale_until][-size:]
        except (ValueError, TypeError) as exc:
            raise SnapshotError("the snapshot has entries of another form, and is not used") from exc

    def _hold(self) -> None:
        try:
            is_shared = self._lock.share()
        except OSError as exc:
            raise SnapshotError(f"the lock of the snapshot cannot be had ({exc.strerror}), {_UNKNOWN}") from exc
        if not is_shared:
            raise SnapshotError(f"somebody else keeps the snapshot locked, {_UNKNOWN}")

    def _remove(self) -> None:
        try:
            clear(self.file)
            self.file.unlink(missing_ok=True)
        except OSError as exc:
            raise SnapshotError(f"a snapshot that is no longer used cannot be removed ({exc.strerror})") from exc

    def _erase(self, e164: str) -> bool:
        try:
            is_free = self._lock.take()
        except OSError as exc:
            raise SnapshotError(f"the lock of the snapshot cannot be had ({exc.strerror})") from exc
        if not is_free:
            raise SnapshotError("a server that runs has the snapshot - allowed: one with [admin] listen, or none")
        try:
            return self._erased(e164)
        finally:
            self._lock.release()

    def _erased(self, e164: str) -> bool:
        lines = read(self.file, self._secret)
        head = next(lines, None)
        if head is None:
            with trouble_is_told():
                clear(self.file)
            return False
        file, was_there = NewFile(self.file, self._secret, head), False
        try:
            file.open()
            for part in lines:
                kept = [row for row in part if row[0] != e164]
                was_there |= len(kept) < len(part)
                file.add(kept)
            if was_there:
                file.complete()
        finally:
            file.discard()
        return was_there

    async def _in_thread(self, act: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, act)


def _add(file: NewFile, entries: list[tuple[str, Entry]], to_wall: float) -> None:
    file.add([_row(e164, entry, to_wall) for e164, entry in entries])


def _row(e164: str, entry: Entry, to_wall: float) -> Row:
    contact = entry.contact
    who = (contact.id, contact.customer_number) if contact else (_AMBIGUOUS * entry.ambiguous, "")
    about = (contact.name, dict(contact.fields)) if contact else (None, {})
    ahead = None if math.isinf(entry.refresh_from) else entry.fresh_until - entry.refresh_from
    return [e164, *about, *who, entry.fresh_until + to_wall, entry.stale_until + to_wall, ahead]


def _entry(row: Row, wall: float, now: float, caps: Caps) -> Entry:
    _, name, fields, key, customer_number, fresh_until, stale_until, ahead = row
    if name is None:
        fresh = now + min(fresh_until - wall, caps.negative_ttl)
        return Entry(None, fresh, fresh, ambiguous=key == _AMBIGUOUS)
    fresh = min(fresh_until - wall, caps.ttl)
    stale = min(stale_until - wall, fresh + caps.stale)
    refresh_from = math.inf if ahead is None else now + fresh - ahead
    return Entry(Contact(name, fields, id=key, customer_number=customer_number), now + fresh, now + stale, refresh_from)
