"""The bytes of TDS 7.2 to 7.4, as far as a server needs them. The names are those of Microsoft's [MS-TDS]."""

import struct
from collections.abc import Sequence
from decimal import Decimal

from tests.tsql import SqlServerError, Value

BATCH, RPC, ANSWER, ATTENTION, TRANSACTION, LOGIN, PRELOGIN = 1, 3, 4, 6, 14, 16, 18
"""Kinds of messages"""

DONE, DONEPROC, DONEINPROC = 0xFD, 0xFE, 0xFF
"""Tokens at the end of a statement"""

MORE, FAILED, COUNTED, ATTENDED = 0x01, 0x02, 0x10, 0x20
"""What they say"""

BEGIN, COMMIT, ROLLBACK = 5, 7, 8
"""Kinds of TRANSACTION messages"""

TURKISH = bytes.fromhex("1f04d00000")
"""The collation Turkish_CI_AS"""

CODE_PAGE = "cp1254"
"""Its encoding of varchar"""

PACKET = 4096
"""Bytes in a packet, at most"""

_HEADER = 8
_INTN, _FLTN, _BIGVARBINARY, _NVARCHAR = 0x26, 0x6D, 0xA5, 0xE7
_FIXED = {0x30: "<B", 0x32: "<?", 0x34: "<h", 0x38: "<i", 0x3B: "<f", 0x3E: "<d", 0x7F: "<q"}
_SIZED = {0x26: {1: "<B", 2: "<h", 4: "<i", 8: "<q"}, 0x68: {1: "<?"}, 0x6D: {4: "<f", 8: "<d"}}
_LONG = {0x22: "", 0x23: CODE_PAGE, 0x63: "utf-16-le"}
_SHORT = {0xA5: "", 0xAD: "", 0xA7: CODE_PAGE, 0xAF: CODE_PAGE, 0xE7: "utf-16-le", 0xEF: "utf-16-le"}
_MAX = 0xFFFF
"""The length in the type of nvarchar(max), and that of a NULL in a value of another text"""


class Fields:
    """Reads a message from its beginning to its end."""

    def __init__(self, message: bytes) -> None:
        self._message, self._at = message, 0

    def __bool__(self) -> bool:
        return self._at < len(self._message)

    def take(self, length: int | None = None) -> bytes:
        end = len(self._message) if length is None else self._at + length
        taken, self._at = self._message[self._at : end], end
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def text(self, size_of_length: int = 1) -> str:
        return self.take(self.number(size_of_length) * 2).decode("utf-16-le")

    def login_field(self, place: int) -> bytes:
        """Return what stands elsewhere, at the offset and length that stand at `place`."""
        offset, length = struct.unpack_from("<HH", self._message, place)
        return self._message[offset : offset + length * 2]

    def value(self) -> Value:
        """Read a parameter's type and value. Dates and times are not known."""
        kind = self.number(1)
        if kind in _FIXED:
            return self._unpacked(_FIXED[kind], struct.calcsize(_FIXED[kind]))
        if kind in _SIZED:
            self.take(1)
            size = self.number(1)
            return self._unpacked(_SIZED[kind][size], size) if size else None
        if kind in {0x6A, 0x6C}:  # decimal
            scale = self.take(3)[2]
            size = self.number(1)
            sign = 1 if size and self.number(1) else -1
            return float(Decimal(sign * self.number(size - 1)).scaleb(-scale)) if size else None
        if kind in _LONG:
            self.take(4 if kind == 0x22 else 9)
            size = self.number(4)
            return None if size == 0xFFFFFFFF else _decoded(self.take(size), _LONG[kind])
        if kind not in _SHORT:
            raise SqlServerError(8009, f"0x{kind:02X}")
        longest = self.number(2)
        if _SHORT[kind]:
            self.take(5)  # collation
        raw = self._in_chunks() if longest == _MAX else self._short()
        return None if raw is None else _decoded(raw, _SHORT[kind])

    def _short(self) -> bytes | None:
        size = self.number(2)
        return None if size == _MAX else self.take(size)

    def _in_chunks(self) -> bytes | None:
        if self.number(8) == 0xFFFFFFFFFFFFFFFF:
            return None
        chunks = b""
        while size := self.number(4):
            chunks += self.take(size)
        return chunks

    def _unpacked(self, form: str, size: int) -> int | float:
        value: int | float = struct.unpack(form, self.take(size))[0]
        return value


def _decoded(raw: bytes, encoding: str) -> str | bytes:
    return raw.decode(encoding) if encoding else raw


def password_of(raw: bytes) -> str:
    """Return the password of a login, which is hardly hidden."""
    return bytes((each ^ 0xA5) >> 4 | ((each ^ 0xA5) & 15) << 4 for each in raw).decode("utf-16-le")


def packets(message: bytes) -> bytes:
    """Return an answer in packets."""
    parts = [message[at : at + PACKET - _HEADER] for at in range(0, len(message), PACKET - _HEADER)]
    return b"".join(
        struct.pack(">BBHHBB", ANSWER, part is parts[-1], len(part) + _HEADER, 51, number & 0xFF, 0) + part
        for number, part in enumerate(parts, 1)
    )


def prelogin() -> bytes:
    """Answer a client's first message: our version, and that there is no TLS."""
    values = (bytes.fromhex("0f0010d80000"), b"\x02", b"\x00", b"", b"\x00")
    start = 5 * len(values) + 1
    places = b""
    for token, value in enumerate(values):
        places += struct.pack(">BHH", token, start, len(value))
        start += len(value)
    return places + b"\xff" + b"".join(values)


def logged_in(version: bytes, database: str) -> bytes:
    """Greet a client, in the TDS version that it has asked for."""
    name = _text("Microsoft SQL Server")
    body = b"\x01" + version[::-1] + name + bytes.fromhex("0f0010d8")
    changes = (
        (1, _text(database) + _text("master")),
        (7, bytes([len(TURKISH)]) + TURKISH + b"\x00"),
        (4, _text(str(PACKET)) + _text(str(PACKET))),
    )
    return b"".join(_change(*each) for each in changes) + b"\xad" + struct.pack("<H", len(body)) + body + done(DONE)


def transaction(request: int) -> bytes:
    """Say that a transaction has begun or ended."""
    descriptor = b"\x08" + struct.pack("<q", 1)
    change = _change(8, descriptor + b"\x00") if request == BEGIN else _change(request + 2, b"\x00" + descriptor)
    return change + done(DONE)


def done(token: int, status: int = 0, count: int = 0) -> bytes:
    more = MORE if token == DONEINPROC else 0
    return struct.pack("<BHHQ", token, status | more, 0xC1 if status & COUNTED else 0, count)


def error(exc: SqlServerError) -> bytes:
    message = exc.message.encode("utf-16-le")
    body = struct.pack("<iBBH", exc.number, 1, exc.severity, len(message) // 2) + message
    body += _text("standin") + _text("") + struct.pack("<I", 1)
    return b"\xaa" + struct.pack("<H", len(body)) + body


def handle(number: int) -> bytes:
    """Return a prepared statement's handle, as the output parameter that it is."""
    return b"\xac\x00\x00" + _text("") + struct.pack("<BIHBBBi", 1, 0, 0, _INTN, 4, 4, number)


def return_status(number: int = 0) -> bytes:
    return struct.pack("<Bi", 0x79, number)


def result_set(names: Sequence[str], rows: Sequence[Sequence[Value]]) -> bytes:
    """Return columns and rows: bigint, float or varbinary when all values are, and otherwise nvarchar."""
    tokens = b"\x81" + struct.pack("<H", len(names))
    columns = [_Column([row[at] for row in rows]) for at in range(len(names))]
    for column, name in zip(columns, names, strict=True):
        tokens += struct.pack("<IH", 0, 1) + column.type + _text(name)
    values = (b"".join(column.encoded(value) for column, value in zip(columns, row, strict=True)) for row in rows)
    return tokens + b"".join(b"\xd1" + row for row in values)


class _Column:
    def __init__(self, values: list[Value]) -> None:
        kinds = {type(value) for value in values if value is not None}
        if kinds == {int}:
            self._kind, self.type = _INTN, bytes([_INTN, 8])
        elif kinds and kinds <= {int, float}:
            self._kind, self.type = _FLTN, bytes([_FLTN, 8])
        elif kinds == {bytes}:
            self._kind, self.type = _BIGVARBINARY, struct.pack("<BH", _BIGVARBINARY, 8000)
        else:
            self._is_long = any(len(str(value)) > 4000 for value in values)
            self._kind = _NVARCHAR
            self.type = struct.pack("<BH", _NVARCHAR, _MAX if self._is_long else 8000) + TURKISH

    def encoded(self, value: Value) -> bytes:
        if self._kind in {_INTN, _FLTN}:
            return b"\x00" if value is None else struct.pack("<Bq" if self._kind == _INTN else "<Bd", 8, value)
        raw = value if isinstance(value, bytes) else str(value).encode("utf-16-le")
        if self._kind == _NVARCHAR and self._is_long:
            return b"\xff" * 8 if value is None else struct.pack("<QI", len(raw), len(raw)) + raw + bytes(4)
        return b"\xff\xff" if value is None else struct.pack("<H", len(raw)) + raw


def _text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("utf-16-le")


def _change(kind: int, values: bytes) -> bytes:
    return b"\xe3" + struct.pack("<HB", len(values) + 1, kind) + values
