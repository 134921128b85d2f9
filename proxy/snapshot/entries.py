"""The entries of the cache, how they are kept in the file, and how they come back with their age."""

import asyncio
import os
import struct
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

from proxy.cache import ContactCache
from proxy.snapshot.lock import Lock
from proxy.snapshot.records import Caps, entries_of, part_of, without
from proxy.snapshot.sealed_file import NewFile, SnapshotError, clear, read, trouble_is_told

T = TypeVar("T")

PART = 200
"""Entries of a line: what is written and read at once, and may keep calls waiting meanwhile."""

LARGEST_ENTRY = 16 * 1024
"""Bytes for each entry that the cache may hold, above which a file is not read: it would fill the memory."""

_UNKNOWN = "and tanima erase cannot know that this server has it"


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
                count = 0
                for part in cache.packed(PART):
                    count += await self._in_thread(partial(_add, file, part, now, wall - now))
                await self._in_thread(file.complete)
            finally:
                await self._in_thread(file.discard)
            return count

    async def read_into(self, cache: ContactCache, caps: Caps) -> int:
        """Take the entries that are not gone into the cache, and return how many. All of the file is good, or none.

        They have the age that they would have without the restart. A file that is not there has none.
        """
        parts, count = await self._in_thread(lambda: self._known(cache.size, caps)), 0
        while parts:
            part = parts.popleft()
            await asyncio.sleep(0)
            cache.put_all(part)
            count += len(part)
        return count

    async def erase(self, e164: str) -> bool:
        """Take a number out of the file, and tell whether it was there. An error while a server has it."""
        async with self._writing:
            return await self._in_thread(lambda: self._erase(e164))

    async def remove(self) -> None:
        """Remove the file, and what is left of unfinished ones."""
        async with self._writing:
            await self._in_thread(self._remove)

    def _known(self, size: int, caps: Caps) -> deque[dict[str, bytes]]:
        """Return the last so many entries that are not gone, packed, in their order."""
        known, count = deque[dict[str, bytes]](), 0
        lines = read(self.file, self._secret, max(size, 1000) * LARGEST_ENTRY)
        head = next(lines, None)
        if head is None:
            return known
        if head["made_by"] != self._made_by:
            raise SnapshotError("the snapshot was made with other sources, and is not used")
        now = self._clock()
        wall = max(self._wall_clock(), head["written_at"])  # a clock that was set back makes nothing younger
        try:
            for line in lines:
                part = entries_of(line, wall, now, caps)
                known.append(part)
                count += len(part)
                while count - len(known[0]) >= size:
                    count -= len(known.popleft())
        except (ValueError, struct.error) as exc:
            raise SnapshotError("the snapshot has entries of another form, and is not used") from exc
        for e164 in [*known[0]][: max(0, count - size)] if known else ():
            del known[0][e164]
        return known

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
                kept = without(e164, part)
                was_there |= len(kept) < len(part)
                file.add(kept)
            if was_there:
                file.complete()
        finally:
            file.discard()
        return was_there

    async def _in_thread(self, act: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, act)


def _add(file: NewFile, entries: list[tuple[str, bytes]], now: float, to_wall: float) -> int:
    part, count = part_of(entries, now, to_wall)
    file.add(part)
    return count
