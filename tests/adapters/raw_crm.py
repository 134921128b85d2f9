"""A CRM that keeps what it receives byte by byte, and what such CRMs make of it."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import unquote_to_bytes

BODY = b'[{"name": "Ay\xc5\x9fe", "tier": "gold", "numbers": ["+905301234567"]}]'


class RawCrm:
    """Keeps each request as it came, and answers all of them alike."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.url = ""

    @property
    def target(self) -> str:
        """The last request's path and query."""
        return self.received[-1].split(b" ", 2)[1].decode("ascii")

    @property
    def body(self) -> bytes:
        """The last request's body."""
        return self.received[-1].partition(b"\r\n\r\n")[2]

    @property
    def lines(self) -> list[bytes]:
        """The last request's headers."""
        return self.received[-1].partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]

    def parameter(self, name: str) -> str:
        """Return a parameter of the last request's query, decoded."""
        return _parameters(self.target.partition("?")[2])[name]

    def field(self, name: str) -> str:
        """Return a field of the last request's form, decoded."""
        return _parameters(self.body.decode("ascii"))[name]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(EOFError, OSError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)\r\ncontent-length: (\d+)\r\n", head)
                self.received.append(head + (await reader.readexactly(int(length[1])) if length else b""))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY))
        writer.close()


@asynccontextmanager
async def raw_crm() -> AsyncIterator[RawCrm]:
    """Run such a CRM."""
    crm = RawCrm()
    server = await asyncio.start_server(crm.serve, "127.0.0.1", 0, limit=1 << 20)
    crm.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield crm


def percent(text: str) -> str:
    """Encode all but letters, digits and -._~ as RFC 3986 has it."""
    kept = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
    return "".join(chr(byte) if byte in kept else f"%{byte:02X}" for byte in text.encode())


def in_doubled_quotes(text: str) -> str:
    """Read a literal as OData does: it begins with a quote and ends with it, and two of them are one."""
    literal = re.fullmatch(r"'((?:[^']|'')*)'", text)
    assert literal, "the text is more than one literal"
    return literal[1].replace("''", "'")


def in_backslashed_quotes(text: str) -> str:
    """Read a literal as SOQL does: a backslash takes what is special from the next character."""
    literal = re.fullmatch(r"'((?:[^'\\]|\\.)*)'", text, re.DOTALL)
    assert literal, "the text is more than one literal"
    special = {"n": "\n", "r": "\r", "t": "\t"}
    return re.sub(r"\\(.)", lambda match: special.get(match[1], match[1]), literal[1], flags=re.DOTALL)


def without_backslashes(text: str, special: str) -> str:
    """Read a term in which each special character must have a backslash before it."""
    assert re.fullmatch(rf"(?:[^{re.escape(special)}]|\\[{re.escape(special)}])*", text, re.DOTALL), "more than a term"
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _parameters(query: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in query.split("&"))
    return {unquote_to_bytes(name).decode(): unquote_to_bytes(value).decode() for name, _, value in pairs}
