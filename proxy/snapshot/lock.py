"""Says on this machine that a snapshot is in use: whoever erases from the file must know whether a server has it."""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

PATIENCE = 5.0
"""Seconds for which a server waits while somebody erases from the file, which takes less."""


class Lock:
    """An empty file beside the snapshot. Servers make it, and share it; whoever erases without one has it alone."""

    def __init__(self, snapshot: Path) -> None:
        self._file = snapshot.with_name(f".{snapshot.name}.lock")
        self._descriptor: int | None = None

    def share(self) -> bool:
        """Say that a server has the snapshot, and tell whether that could be said in time. Raises OSError."""
        self._open(os.O_CREAT)
        until = time.monotonic() + PATIENCE
        while not self._take(fcntl.LOCK_SH):
            if time.monotonic() > until:
                return False
            time.sleep(0.05)  # in a thread of the snapshot's own; a lock tells nobody when it is free
        return True

    def take(self) -> bool:
        """Have the snapshot alone, and tell whether nobody else has it. Raises OSError."""
        try:
            self._open()  # not made: it would belong to whoever erases, and not to the server
        except FileNotFoundError:
            return True
        return self._take(fcntl.LOCK_EX)

    def release(self) -> None:
        """Say that it is not in use any more; the end of the process says so, too."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self, make: int = 0) -> None:
        if self._descriptor is None:
            self._descriptor = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | make, 0o644)
            if make:
                with suppress(OSError):  # it is somebody else's, who has done so
                    os.fchmod(self._descriptor, 0o644)  # whoever may reach it must be able to take it

    def _take(self, how: int) -> bool:
        assert self._descriptor is not None  # noqa: S101 - for the type checker: it has been opened
        try:
            fcntl.flock(self._descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
