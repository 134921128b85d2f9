"""What survives a restart: the contacts of the cache in a file, encrypted.

JSON in lines. The first tells the format and a salt; each further one is a part of the entries, sealed by AES-GCM with
a key out of the configuration; the last tells that all are there. A seal fits its file and its line only. So neither
numbers nor names nor fields lie about, and a line cannot be changed, left out or brought from elsewhere. Keyed hashes
of the numbers would not do: names and fields are personal too, and a field may hold a number.

Times in the file are wall-clock seconds since 1970, as the monotonic clock does not survive.
"""

import asyncio
import base64
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

from proxy.cache import ContactCache, Entry
from proxy.errors import ProxyError
from proxy.model import Contact

T = TypeVar("T")

FORMAT, VERSION = "tanima cache", 1

LONGEST_LINE = 128 * 1024 * 1024
"""Bytes of a line; a part has at most a thousand contacts, and a CRM's answer for one 64 kB."""

_DONE = "done"
_DAMAGED = "is damaged, or was made with another snapshot_key"

Row = list[Any]
"""One entry: number, name (null when unknown), fields, id, fresh until, stale until, and how much earlier to refresh"""


class SnapshotError(ProxyError):
    """A snapshot cannot be read, or cannot be written."""


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
        self._file = file
        self._secret = secret.encode()
        self._made_by = made_by
        self._clock = clock
        self._wall_clock = wall_clock
        self._writing = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "snapshot")  # hung drivers may have all of the default one

    async def write(self, cache: ContactCache) -> int:
        """Put what is in the cache now in the place of what was in the file, and return how many entries that are.

        One that was dropped from the cache before is in the file no more when this returns.
        """
        async with self._writing:
            to_wall = self._wall_clock() - self._clock()
            file = _NewFile(self._file, self._secret, self._made_by, self._wall_clock())
            try:
                await self._in_thread(file.open)
                for part in cache.parts():
                    await self._in_thread(partial(_add, file, part, to_wall))
                return await self._in_thread(file.complete)
            finally:
                await self._in_thread(file.discard)

    async def read_into(self, cache: ContactCache, caps: Caps) -> int:
        """Take the entries that are not gone into the cache, and return how many. All of the file is good, or none.

        They have the age that they would have without the restart. A file that is not there has none.
        """
        sealed = await self._in_thread(lambda: _read(self._file, self._secret))
        if sealed is None:
            return 0
        if sealed.made_by != self._made_by:
            raise SnapshotError("the snapshot was made with other sources, and is left alone")
        now, count = self._clock(), 0
        wall = max(self._wall_clock(), sealed.written_at)  # a clock that was set back makes nothing younger
        for place, row in enumerate(sealed.rows):
            entry = _entry(row, wall, now, caps)
            if now < entry.stale_until:
                cache.put(row[0], entry)
                count += 1
            if place % 200 == 0:
                await asyncio.sleep(0)
        return count

    async def erase(self, e164: str) -> bool:
        """Take a number out of the file, and tell whether it was there. For when no server runs that would write it."""
        async with self._writing:
            return await self._in_thread(lambda: self._erase(e164))

    def _erase(self, e164: str) -> bool:
        sealed = _read(self._file, self._secret)
        if sealed is None:
            return False
        kept = [row for row in sealed.rows if row[0] != e164]
        file = _NewFile(self._file, self._secret, sealed.made_by, sealed.written_at)
        try:
            file.open()
            for place in range(0, len(kept), 1000):
                file.add(kept[place : place + 1000])
            file.complete()
        finally:
            file.discard()
        return len(kept) < len(sealed.rows)

    async def _in_thread(self, act: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, act)


@dataclass(frozen=True, slots=True)
class _Sealed:
    """What a file holds."""

    made_by: str
    written_at: float
    rows: list[Row]


class _NewFile:
    """A file that is written beside the old one, and then takes its place."""

    def __init__(self, file: Path, secret: bytes, made_by: str, written_at: float) -> None:
        self._file = file.resolve()  # where it is a link, it stays one
        self._new = self._file.with_name(f".{self._file.name}.{os.getpid()}.new")
        self._secret = secret
        self._head = {"made_by": made_by, "written_at": written_at}
        self._out: IO[bytes] | None = None
        self._count = 0

    def open(self) -> None:
        """Begin it."""
        try:
            _clear(self._file, including=self._new)
            self._out = os.fdopen(os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
            salt = os.urandom(16)
            self._seals = _Seals(self._secret, salt)
            first = {"format": FORMAT, "version": VERSION, "salt": salt.hex(), "check": self._seals.seal(self._head)}
            self._write(first)
        except OSError as exc:
            raise _cannot_write(exc) from exc

    def add(self, rows: list[Row]) -> None:
        """Add a part of the entries."""
        self._count += len(rows)
        try:
            self._write(self._seals.seal(rows))
        except OSError as exc:
            raise _cannot_write(exc) from exc

    def complete(self) -> int:
        """Put it into its place, and return how many entries it has."""
        assert self._out is not None  # noqa: S101 - for the type checker: it has been opened
        try:
            self._write(self._seals.seal({_DONE: self._count}))
            self._out.flush()
            os.fsync(self._out.fileno())
            self._out.close()
            self._new.replace(self._file)
            folder = os.open(self._file.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as exc:
            raise _cannot_write(exc) from exc
        return self._count

    def discard(self) -> None:
        """Remove what has not taken its place."""
        if self._out is not None:
            with suppress(OSError):
                self._out.close()
        with suppress(OSError):
            self._new.unlink(missing_ok=True)

    def _write(self, content: object) -> None:
        assert self._out is not None  # noqa: S101 - for the type checker: it has been opened
        self._out.write(json.dumps(content).encode() + b"\n")


class _Seals:
    """Seals the lines of one file, in their order; or opens them."""

    def __init__(self, secret: bytes, salt: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - only who has a snapshot waits

        self._cipher = AESGCM(hashlib.scrypt(secret, salt=salt, n=2**14, r=8, p=1, dklen=32))
        self._place = 0

    def seal(self, content: object) -> str:
        """Return the text of a line."""
        nonce = os.urandom(12)
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, text, self._next())).decode()

    def open(self, line: str) -> Any:  # noqa: ANN401 - any JSON
        """Return what was sealed. Raises InvalidTag, ValueError."""
        sealed = base64.b64decode(line, validate=True)
        return json.loads(self._cipher.decrypt(sealed[:12], sealed[12:], self._next()))

    def _next(self) -> bytes:
        self._place += 1
        return b"%d" % self._place


def _read(file: Path, secret: bytes) -> _Sealed | None:
    """Return all that a file holds; None when there is none. Raises SnapshotError."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - only who has a snapshot waits for it

    try:
        with file.open("rb") as source:
            lines = _lines(source)
            first = next(lines, None)
            if not isinstance(first, dict) or first.get("format") != FORMAT:
                raise SnapshotError(f"{file.name} is no snapshot, and is left alone")
            if first["version"] != VERSION:
                raise SnapshotError("the snapshot was made by another version, and is left alone")
            seals = _Seals(secret, bytes.fromhex(first["salt"]))
            head = seals.open(first["check"])
            rows: list[Row] = []
            for line in lines:
                part = seals.open(line)
                if isinstance(part, dict):
                    if part[_DONE] != len(rows) or next(lines, None) is not None:
                        break
                    return _Sealed(head["made_by"], head["written_at"], rows)
                rows += part
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise SnapshotError(f"the snapshot cannot be read ({exc.strerror})") from exc
    except (InvalidTag, ValueError, KeyError, TypeError, RecursionError) as exc:
        raise SnapshotError(f"the snapshot {_DAMAGED}") from exc
    raise SnapshotError("the snapshot is not complete")


def _lines(source: IO[bytes]) -> Iterator[Any]:
    while line := source.readline(LONGEST_LINE):
        yield json.loads(line)


def _add(file: _NewFile, part: Iterable[tuple[str, Entry]], to_wall: float) -> None:
    file.add([_row(e164, entry, to_wall) for e164, entry in part])


def _row(e164: str, entry: Entry, to_wall: float) -> Row:
    contact = entry.contact
    about = (contact.name, dict(contact.fields), contact.id) if contact else (None, {}, "")
    ahead = None if math.isinf(entry.refresh_from) else entry.fresh_until - entry.refresh_from
    return [e164, *about, entry.fresh_until + to_wall, entry.stale_until + to_wall, ahead]


def _entry(row: Row, wall: float, now: float, caps: Caps) -> Entry:
    _, name, fields, key, fresh_until, stale_until, ahead = row
    if name is None:
        fresh = now + min(fresh_until - wall, caps.negative_ttl)
        return Entry(None, fresh, fresh)
    fresh = now + min(fresh_until - wall, caps.ttl)
    stale = now + min(stale_until - wall, caps.ttl + caps.stale)
    return Entry(Contact(name, fields, id=key), fresh, stale, math.inf if ahead is None else fresh - ahead)


def _clear(file: Path, including: Path) -> None:
    """Remove what writers have left behind that were killed: it may hold what has been erased since."""
    for left in file.parent.glob(f".{file.name}.*.new"):
        process = left.name.removeprefix(f".{file.name}.").removesuffix(".new")
        if left == including or (process.isdecimal() and not Path("/proc", process).exists()):
            left.unlink(missing_ok=True)


def _cannot_write(exc: OSError) -> SnapshotError:
    return SnapshotError(f"the snapshot cannot be written ({exc.strerror})")
