"""Keeps tokens in a file, so that a restart needs no log-in, and a refresh token that changes is never lost.

Several processes may share the file, such as the server and `tanima route`: whoever renews the token holds a lock,
and the others take what it has written.
"""

import asyncio
import fcntl
import json
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from proxy.adapter import AdapterError, Unavailable

LOCK_PATIENCE = 10.0
"""Seconds that the lock is waited for."""

LOOK_AGAIN = 0.02


@dataclass(frozen=True, slots=True)
class Tokens:
    """What is kept."""

    access_token: str = field(repr=False)
    ends: float
    """Seconds since 1970"""
    refresh_token: str | None = field(repr=False)
    origin: str | None
    made_for: str
    """A fingerprint of the options: tokens of others are of no use"""


class TokenFile:
    """A file, readable by nobody else, that is replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Keep other sources and processes from renewing at the same time. Raises AdapterError."""
        try:
            lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise _cannot_be_written(exc) from exc
        try:
            for _ in range(round(LOCK_PATIENCE / LOOK_AGAIN)):
                with suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                await asyncio.sleep(LOOK_AGAIN)
            else:
                raise Unavailable("another process renews the token, and does not end")
            yield
        finally:
            os.close(lock)

    def read(self, made_for: str) -> Tokens | None:
        """Return what is kept for these options; None when there is nothing, or nothing that can be read."""
        try:
            kept: Any = json.loads(self._path.read_text(encoding="utf-8"))
            tokens = Tokens(
                str(kept["access_token"]), float(kept["ends"]), kept["refresh_token"], kept["origin"], kept["made_for"]
            )
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return None
        return tokens if tokens.made_for == made_for else None

    def prepare(self) -> "Writing":
        """Return a place to write, before there is anything that must not be lost. Raises AdapterError."""
        try:
            handle, name = tempfile.mkstemp(prefix=f".{self._path.name}.", dir=self._path.parent)
        except OSError as exc:
            raise _cannot_be_written(exc) from exc
        return Writing(handle, Path(name), self._path)


class Writing:
    """A new file that takes the old one's place when it is written."""

    def __init__(self, handle: int, new: Path, old: Path) -> None:
        self._handle = handle
        self._new = new
        self._old = old

    def write(self, tokens: Tokens) -> None:
        """Replace the file, and see it on the disk. Raises AdapterError."""
        try:
            os.write(self._handle, json.dumps(asdict(tokens)).encode())
            os.fsync(self._handle)
            self._new.replace(self._old)
        except OSError as exc:
            raise _cannot_be_written(exc) from exc

    def close(self) -> None:
        """End it, whether it was written or not."""
        os.close(self._handle)
        self._new.unlink(missing_ok=True)


def _cannot_be_written(exc: OSError) -> AdapterError:
    return AdapterError(f"the token_file cannot be written ({exc.strerror})")
