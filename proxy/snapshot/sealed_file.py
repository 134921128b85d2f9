"""The file: lines of JSON, each of them sealed. It is written beside the old one, and takes its place when it is whole.

The first line tells the format and a salt; each further one is sealed by AES-GCM with a key out of the configuration
and that salt; the last tells that all are there. A seal fits its file and its line only. So neither numbers nor names
nor fields lie about, and a line cannot be changed, left out or brought from elsewhere.
"""

import base64
import glob
import hashlib
import json
import math
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from proxy.errors import ProxyError

FORMAT, VERSION = "tanima cache", 2

LONGEST_LINE = 128 * 1024 * 1024
"""Bytes of a line; it has two hundred contacts, and a CRM's answer for one 64 kB."""

READ_AT_ONCE = 2**18
"""Bytes; a line is of some 30 kB, and would else be put together of many pieces."""

COST = 2**14
"""Of guessing the secret: some 50 ms, and 16 MB, for each guess; and for each time that a file is read or written."""

_PART = b"+"
"""In front of the bytes of a part; what comes before and after the parts is JSON"""

_DONE = "done"


class SnapshotError(ProxyError):
    """A snapshot cannot be read, or cannot be written."""


class NewFile:
    """A file that is written beside the old one, and then takes its place."""

    def __init__(self, file: Path, secret: bytes, head: dict[str, Any]) -> None:
        self._file = file
        self._secret = secret
        self._head = head
        self._out: IO[bytes] | None = None
        self._new: Path | None = None
        self._parts = 0

    def open(self) -> None:
        """Begin it."""
        with trouble_is_told():
            clear(self._file)
            beginning = f".{self._file.name}.{os.getpid()}."
            descriptor, name = tempfile.mkstemp(".new", beginning, self._file.parent)  # 0600, and no link is followed
            self._new, self._out = Path(name), os.fdopen(descriptor, "wb")
            salt = os.urandom(16)
            self._seals = _Seals(self._secret, salt)
            self._out.write(_line(_first(salt, self._seals.seal(_json(self._head)).decode())))

    def add(self, part: bytes) -> None:
        """Add a part of the entries."""
        assert self._out is not None  # noqa: S101 - for the type checker: it has been opened
        self._parts += 1
        with trouble_is_told():
            self._out.write(b'"%b"\n' % self._seals.seal(_PART + part))

    def complete(self) -> None:
        """Put it into its place."""
        assert self._out is not None  # noqa: S101 - for the type checker: it has been opened
        assert self._new is not None  # noqa: S101 - for the type checker: it has been opened
        with trouble_is_told():
            self._out.write(b'"%b"\n' % self._seals.seal(_json({_DONE: self._parts})))
            self._out.flush()
            os.fsync(self._out.fileno())
            self._out.close()
            self._new.replace(self._file)
            folder = os.open(self._file.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def discard(self) -> None:
        """Remove what has not taken its place."""
        with suppress(OSError):
            if self._new is not None:
                self._new.unlink(missing_ok=True)
            if self._out is not None:
                self._out.close()


class _Seals:
    """Seals the lines of one file, in their order; or opens them."""

    def __init__(self, secret: bytes, salt: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - only who has a snapshot waits

        self._cipher = AESGCM(hashlib.scrypt(secret, salt=salt, n=COST, r=8, p=1, dklen=32))
        self._place = 0

    def seal(self, content: bytes) -> bytes:
        """Return the text of a line."""
        nonce = os.urandom(12)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, content, self._next()))

    def open(self, line: bytes) -> bytes:
        """Return what was sealed. Raises InvalidTag, ValueError, TypeError."""
        sealed = base64.b64decode(line, validate=True)
        if base64.b64encode(sealed[-(len(sealed) % 3 or 3) :]) != line[-4:]:  # only its last bits are not looked at
            raise ValueError("another spelling of the same bytes")
        return self._cipher.decrypt(sealed[:12], sealed[12:], self._next())

    def _next(self) -> bytes:
        self._place += 1
        return b"%d" % self._place


def read(file: Path, secret: bytes, most: float = math.inf) -> Iterator[Any]:
    """Yield a file's head, then its parts; nothing when there is no file. None of it is good before the last has come.

    A file of more than `most` bytes is not read. Raises SnapshotError.
    """
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - only who has a snapshot waits for it

    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SnapshotError("the snapshot is no file, and is not used")  # a pipe would be waited for
        if status.st_size > most:
            raise SnapshotError("the snapshot is far too large for cache.size, and is not used")
        with file.open("rb", READ_AT_ONCE) as source:
            yield from _opened(source, secret)
    except FileNotFoundError:
        return
    except OSError as exc:
        raise SnapshotError(f"the snapshot cannot be read ({exc.strerror})") from exc
    except (InvalidTag, ValueError, KeyError, TypeError, RecursionError) as exc:
        raise SnapshotError("the snapshot is damaged, or was made with another snapshot_key, and is not used") from exc


def _opened(source: IO[bytes], secret: bytes) -> Iterator[Any]:
    """Yield the head and the parts. Raises whatever comes of a file that is not as it was written."""
    line = source.readline(LONGEST_LINE)
    first = json.loads(line) if line else None
    if not isinstance(first, dict) or first.get("format") != FORMAT:
        raise SnapshotError("the snapshot is a file of another kind, and is not used")
    if first["version"] != VERSION:
        raise SnapshotError("the snapshot was made by another version, and is not used")
    salt = bytes.fromhex(first["salt"])
    seals = _Seals(secret, salt)
    yield json.loads(seals.open(str(first["check"]).encode()))
    if line != _line(_first(salt, first["check"])):
        raise ValueError("not as it was written")
    count = 0
    while line := source.readline(LONGEST_LINE):
        text = line[1:-2]
        if line != b'"%b"\n' % text:
            raise ValueError("no text of JSON")
        part = seals.open(text)
        if not part.startswith(_PART):
            if json.loads(part) != {_DONE: count} or source.read(1):
                raise ValueError("not as it was written")
            return
        yield part[len(_PART) :]
        count += 1
    raise SnapshotError("the snapshot is not complete, and is not used")


def _first(salt: bytes, check: str) -> dict[str, Any]:
    return {"format": FORMAT, "version": VERSION, "salt": salt.hex(), "check": check}


def _line(content: object) -> bytes:
    return _json(content) + b"\n"


def _json(content: object) -> bytes:
    return json.dumps(content).encode()


def clear(file: Path) -> None:
    """Remove what writers have left behind that were killed: it may hold what has been erased since."""
    for left in file.parent.glob(f".{glob.escape(file.name)}.*.new"):
        process = left.name.removeprefix(f".{file.name}.").partition(".")[0]
        if process.isdecimal() and (int(process) == os.getpid() or not Path("/proc", process).exists()):
            left.unlink(missing_ok=True)


@contextmanager
def trouble_is_told() -> Iterator[None]:
    """Turn errors of the system into SnapshotErrors."""
    try:
        yield
    except OSError as exc:
        raise SnapshotError(f"the snapshot cannot be written ({exc.strerror})") from exc
