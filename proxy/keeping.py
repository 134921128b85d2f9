"""Keeps the snapshot of a running server: takes it up at the start, and writes it when something has changed."""

import asyncio
import time
from collections.abc import Callable

from proxy import logs
from proxy.cache import ContactCache
from proxy.snapshot import Caps, Snapshot, SnapshotError


class Keeper:
    """Writes the cache that `cache` returns. Without a snapshot it does nothing."""

    def __init__(
        self,
        snapshot: Snapshot | None,
        cache: Callable[[], ContactCache],
        on_failure: Callable[[SnapshotError], None] | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._cache = cache
        self._on_failure = on_failure or logs.snapshot_failed
        self._left: list[Snapshot] = []
        """Files that the configuration names no longer"""
        self._writing = asyncio.Lock()
        self._is_taken_up = False
        self._asked = 0
        """Counts the reasons to write it though nothing in the cache has changed"""
        self._written = (-1, -1)
        """Of which state the file was made"""
        self.written_at: float | None = None
        """When the file was last known to have all that there is, in seconds since 1970"""

    async def take_up(self, caps: Caps) -> None:
        """Take what was known into the cache."""
        if self._snapshot is not None:
            await self._hold(self._snapshot)
            started = time.monotonic()
            try:
                count = await self._snapshot.read_into(self._cache(), caps)
            except SnapshotError as exc:
                self._on_failure(exc)
            else:
                logs.snapshot_read(count, time.monotonic() - started)
        self._is_taken_up = True

    async def change(self, snapshot: Snapshot | None) -> None:
        """Go on with another snapshot, or none. The file of the one before goes when it is not needed any more."""
        before, self._snapshot = self._snapshot, snapshot
        self._asked += 1
        if snapshot is not None:
            await self._hold(snapshot)
        if before is not None:
            before.let_go()
            self._left.append(before)
        self._left = [each for each in self._left if snapshot is None or each.file != snapshot.file]

    async def keep(self, every: Callable[[], float]) -> None:
        """Write it again and again, so many seconds after the last time."""
        while True:
            await asyncio.sleep(every())
            await self.try_to_write()

    async def try_to_write(self) -> None:
        """Write what has changed since the last time, if that is possible."""
        try:
            await self.write()
        except SnapshotError as exc:
            self._on_failure(exc)
        except Exception as exc:  # noqa: BLE001 - the next one may be written
            logs.bug("snapshot", exc)

    async def write(self, *, anyway: bool = False) -> bool:
        """Write what has changed since the last time, or `anyway`, and tell whether there is a file of it.

        Before what was known is taken up, nothing is written: it would be lost. Raises SnapshotError.
        """
        self._asked += anyway
        async with self._writing:
            snapshot, cache = self._snapshot, self._cache()
            state = self._asked, cache.changes
            is_there = snapshot is not None and self._is_taken_up
            if snapshot is not None and is_there and state != self._written:
                await snapshot.write(cache)
                self._written = state
            self.written_at = time.time() if is_there else None
            while self._left:
                await self._remove(self._left.pop())
            return is_there

    def let_go(self) -> None:
        """Say that this server does not have it any more."""
        if self._snapshot is not None:
            self._snapshot.let_go()

    async def _remove(self, snapshot: Snapshot) -> None:
        try:
            await snapshot.remove()
        except SnapshotError as exc:
            self._on_failure(exc)

    async def _hold(self, snapshot: Snapshot) -> None:
        try:
            await snapshot.hold()
        except SnapshotError as exc:  # it may be of use all the same
            self._on_failure(exc)
