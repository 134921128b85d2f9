"""Keeps tokens in a file, so that a restart needs no log-in, and a refresh token that changes is never lost.

Several processes may share the file, such as the server and `tanima route`: whoever renews the token holds a lock,
and the others take what it has written.
"""

import asyncio
import fcntl
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from glob import escape
from pathlib import Path
from typing import Any

from proxy.adapter import AdapterError, Unavailable

LOCK_PATIENCE = 8.0
"""Seconds that the lock is waited for; whoever holds it gives up a little later."""

LOOK_AGAIN = 0.02

ROOM = b" " * (64 * 1024)
"""What is written before there is a token, to see that there is room for the longest one."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What is kept."""

    access_token: str = field(repr=False)
    ends: float
    """Seconds since 1970"""
    refresh_token: str | None = field(repr=False)
    base_url: str | None
    """Where the API is, as the answer with the token says"""
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
            texts = [kept[name] for name in ("access_token", "refresh_token", "base_url")]
            ends = float(kept["ends"])
        except (OSError, ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None
        if not texts[0] or not all(text is None or isinstance(text, str) for text in texts):
            return None
        return Tokens(texts[0], ends, texts[1], texts[2], made_for) if kept.get("made_for") == made_for else None

    def prepare(self) -> "Writing":
        """Return a place to write, before there is anything that must not be lost. Raises AdapterError."""
        try:
            for left_behind in self._path.parent.glob(f".{escape(self._path.name)}.????????.new"):
                left_behind.unlink(missing_ok=True)
            handle, name = tempfile.mkstemp(".new", f".{self._path.name}.", self._path.parent)
        except OSError as exc:
            raise _cannot_be_written(exc) from exc
        writing = Writing(handle, Path(name), self._path)
        writing.make_room()
        return writing


class Writing:
    """A new file that takes the old one's place when it is written."""

    def __init__(self, handle: int, new: Path, old: Path) -> None:
        self._file = os.fdopen(handle, "wb", buffering=0)
        self._new = new
        self._old = old

    def make_room(self) -> None:
        """See that the disk is not full. Raises AdapterError."""
        with self._given_up_on_failure():
            self._put(ROOM)

    def write(self, tokens: Tokens) -> None:
        """Replace the file, see it on the disk, and end. Raises AdapterError."""
        with self._given_up_on_failure():
            self._file.seek(0)
            self._put(json.dumps(asdict(tokens)).encode())
            self._file.truncate()
            os.fsync(self._file.fileno())
            self._new.replace(self._old)
            self._file.close()
            _see_on_disk(self._old.parent)

    def give_up(self) -> None:
        """End it without having written."""
        with suppress(OSError):
            self._file.close()
            self._new.unlink(missing_ok=True)

    def _put(self, content: bytes) -> None:
        while content:
            content = content[self._file.write(content) :]

    @contextmanager
    def _given_up_on_failure(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            self.give_up()
            raise _cannot_be_written(exc) from exc


def _see_on_disk(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _cannot_be_written(exc: OSError) -> AdapterError:
    return AdapterError(f"the token_file cannot be written ({exc.strerror})")
