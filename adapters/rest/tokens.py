"""Keeps tokens in a file, so that a restart needs no log-in, and a refresh token that changes is never lost.

Several processes may share the file, such as the server and `tanima route`: whoever renews the token holds a lock,
and the others take what it has written. Several sources may, too: each finds there what was given for its own options.
"""

import asyncio
import errno
import fcntl
import json
import os
import stat
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from glob import escape
from pathlib import Path
from typing import Any

from adapters.rest.names import in_a_thread
from proxy.adapter import AdapterError, Unavailable

LOCK_PATIENCE = 8.0
"""Seconds that the lock is waited for; whoever holds it gives up a little later."""

LOOK_AGAIN = 0.02

MOST_KEPT = 8
"""Tokens of so many options, those that were renewed last, are kept in one file."""

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


def _tokens(made_for: str, kept: Any) -> Tokens | None:  # noqa: ANN401 - whatever stands in the file
    """Return what is kept for some options; None when it makes no sense."""
    try:
        texts = [kept[name] for name in ("access_token", "refresh_token", "base_url")]
        ends = float(kept["ends"])
    except (ValueError, TypeError, KeyError, OverflowError):
        return None
    if not texts[0] or not all(text is None or isinstance(text, str) for text in texts):
        return None
    return Tokens(texts[0], ends, texts[1], texts[2], made_for)


class TokenFile:
    """A file, readable by nobody else, that is replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Keep other sources and processes from renewing at the same time. Raises AdapterError."""
        lock = self._lock()
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
        """Return what is kept for these options; None when there is nothing. Raises AdapterError."""
        return self._all().get(made_for)

    def prepare(self) -> "Writing":
        """Return a place to write, before there is anything that must not be lost. Raises AdapterError."""
        kept = self._all()
        try:
            for left_behind in self._path.parent.glob(f".{escape(self._path.name)}.????????.new"):
                left_behind.unlink(missing_ok=True)
            handle, name = tempfile.mkstemp(".new", f".{self._path.name}.", self._path.parent)
        except OSError as exc:
            raise _cannot_be_written(exc) from exc
        self._hand_over(handle)
        writing = Writing(handle, Path(name), self._path, kept)
        writing.make_room()
        return writing

    def _all(self) -> Mapping[str, Tokens]:
        """Return what is kept, by the options it was made for, and nothing else that is there. Raises AdapterError."""
        try:
            kept: Any = json.loads(content_of(self._path))
        except OSError as exc:
            if isinstance(exc, FileNotFoundError):
                return {}
            # whatever is in it: what the options have in its place may be a used one
            raise AdapterError(f"the token_file cannot be read ({exc.strerror})") from exc
        except (ValueError, RecursionError):
            return {}
        if not isinstance(kept, dict):
            return {}
        if isinstance(kept.get("made_for"), str):  # as it was written when there was room for one
            kept = {kept["made_for"]: kept}
        read = {made_for: _tokens(made_for, each) for made_for, each in kept.items()}
        return {made_for: tokens for made_for, tokens in read.items() if tokens is not None}

    def _lock(self) -> int:
        path, flags = f"{self._path}.lock", os.O_RDWR | os.O_CLOEXEC
        try:
            with suppress(FileExistsError):
                lock = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
                self._hand_over(lock)
                return lock
            return os.open(path, flags)
        except OSError as exc:
            raise _cannot_be_written(exc) from exc

    def _hand_over(self, new: int) -> None:
        """Have what root has made belong to whoever has the old file, or the folder.

        `sudo tanima route` would lock the server out otherwise.
        """
        if os.geteuid() == 0:
            with suppress(OSError):
                owner = (self._path if self._path.exists() else self._path.parent).stat()
                os.fchown(new, owner.st_uid, owner.st_gid)


class Writing:
    """A new file that takes the old one's place when it is written."""

    def __init__(self, handle: int, new: Path, old: Path, kept: Mapping[str, Tokens]) -> None:
        self._file = os.fdopen(handle, "wb", buffering=0)
        self._new = new
        self._old = old
        self._kept = kept

    def make_room(self) -> None:
        """See that the disk is not full. Raises AdapterError."""
        with self._given_up_on_failure():
            self._put(_serialised(self._kept) + ROOM)

    def write(self, tokens: Tokens) -> None:
        """Replace the file, see it on the disk, and end. Raises AdapterError."""
        others = [(made_for, each) for made_for, each in self._kept.items() if made_for != tokens.made_for]
        kept = {**dict(others[-(MOST_KEPT - 1) :]), tokens.made_for: tokens}
        with self._given_up_on_failure():
            self._file.seek(0)
            self._put(_serialised(kept))
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


def content_of(path: Path, most: int = -1) -> bytes:
    """Return what is in a file, or its first bytes. Raises OSError, also for what may not end, such as a pipe."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "is no file")
        return file.read(most)


async def to_the_end(write: Callable[[], None]) -> None:
    """Write in a thread, and end with it and no sooner, also when cancelled: nobody else may have the lock before."""
    writing = in_a_thread(write)  # no task, which would be cancelled with all
    cancelled: asyncio.CancelledError | None = None
    while not writing.done():
        try:
            await asyncio.wait({writing})
        except asyncio.CancelledError as exc:
            cancelled = exc
    failure = writing.exception()
    if cancelled is not None:
        raise cancelled
    if failure is not None:
        raise failure


def _serialised(kept: Mapping[str, Tokens]) -> bytes:
    return json.dumps({made_for: asdict(tokens) for made_for, tokens in kept.items()}).encode()


def _see_on_disk(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _cannot_be_written(exc: OSError) -> AdapterError:
    return AdapterError(f"the token_file cannot be written ({exc.strerror})")
