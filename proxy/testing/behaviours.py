"""Ways in which a CRM can fail to answer, for `HttpCrm.behaviour`."""

import asyncio
import gzip
import socket
import struct
from collections.abc import Callable, Mapping
from functools import cache
from http import HTTPStatus

from proxy.testing.http_crm import Behaviour, Request


def answers(
    status: int = 200,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    *,
    content_type: str = "application/json",
) -> Behaviour:
    """Answer a status with a body."""
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Whatever"
    lines = {"Content-Type": content_type, "Content-Length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return sends(f"HTTP/1.1 {status} {phrase}\r\n{head}\r\n".encode() + body)


def sends(raw: bytes, *, then_closes: bool = False) -> Behaviour:
    """Send bytes as they are, HTTP or not, and hang up after them if wanted."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        if then_closes:
            writer.close()

    return behave


def breaks_off(body: bytes, *, after: int) -> Behaviour:
    """Promise a body, send its first bytes and hang up."""
    return sends(_head(body) + body[:after], then_closes=True)


def resets_after(body: bytes, *, after: int) -> Behaviour:
    """Promise a body, send its first bytes and reset the connection."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(_head(body) + body[:after])
        await asyncio.sleep(0.02)  # it must arrive: a reset throws away what is on its way
        await resets(request, writer)

    return behave


def redirects(to: str, status: int = 302) -> Behaviour:
    """Send the client to another address."""
    return answers(status, b"", {"Location": to})


def bombs(size: int = 50_000_000) -> Behaviour:
    """Answer a few bytes, which are so many when they are decompressed."""
    return answers(200, _bomb(size), {"Content-Encoding": "gzip"})


def answers_late(body: bytes, *, seconds: float) -> Behaviour:
    """Answer well, but so many seconds later."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        writer.write(_head(body) + body)

    return behave


def alternating(choose: Callable[[], Behaviour]) -> Behaviour:
    """Behave in another way at each request, as `choose` has it."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        await choose()(request, writer)

    return behave


def drips(body: bytes, *, pause: float = 0.01) -> Behaviour:
    """Send the body a byte at a time, with a pause (seconds) before each."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(_head(body))
        for byte in body:
            await asyncio.sleep(pause)
            writer.write(bytes([byte]))
            await writer.drain()

    return behave


async def hangs(_: Request, __: asyncio.StreamWriter) -> None:
    """Take the request and never answer."""
    await asyncio.Event().wait()


async def resets(_: Request, writer: asyncio.StreamWriter) -> None:
    """Reset the connection in place of an answer."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def failures(body: bytes) -> dict[str, Behaviour]:
    """Return many ways to fail by what they do. No contact can be had from any of them.

    `body` is a good answer, of which some send a part; one sends it a byte at a time, 50 ms each.
    """
    return {
        "hangs": hangs,
        "breaks the connection": resets,
        "breaks the connection within the answer": resets_after(body, after=len(body) // 2),
        "hangs up without a word": sends(b"", then_closes=True),
        "answers 500": answers(500, b'{"error": "boom"}'),
        "answers 502 with HTML": answers(502, b"<html>Bad Gateway</html>", content_type="text/html"),
        "answers 503": answers(503, b"{}"),
        "answers 401": answers(401, b"{}"),
        "answers 404": answers(404, b"<html>Not Found</html>", content_type="text/html"),
        "answers HTML": answers(200, b"<!doctype html><title>Login</title>", content_type="text/html"),
        "answers half of a JSON": answers(200, body[: len(body) // 2]),
        "answers bad UTF-8": answers(200, b'{"items": [{"title": "\xc3\xd6rnek'),
        "answers a number": answers(200, b"42"),
        "answers a deep JSON": answers(200, b"[" * 60_000),
        "answers 26 MB": answers(200, _large(26_000_000)),
        "answers half": breaks_off(body, after=len(body) // 2),
        "answers a byte at a time": drips(body, pause=0.05),
        "answers a gzip that is none": answers(200, b"\x1f\x8b" + body, {"Content-Encoding": "gzip"}),
        "answers a compression bomb": bombs(),
        "redirects to itself": redirects("/"),
        "redirects to a metadata address": redirects("http://169.254.169.254/latest/"),
        "answers no HTTP": sends(b"SSH-2.0-OpenSSH_9.6\r\n", then_closes=True),
        "answers garbage": sends(bytes(range(256))[::-1] * 4, then_closes=True),
        "answers an endless header": sends(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", then_closes=True),
        "answers two lengths": sends(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", then_closes=True
        ),
    }


HOSTILE_VALUES: tuple[object, ...] = (
    "",
    " ",
    "../../queue/201",
    "201/../external/0900",
    "external/09001234567",
    "201\n",
    "201\r\nX-Evil: 1",
    "٢٠١",
    "\uff12\uff10\uff11",
    "-1",
    "1e3",
    "9" * 5000,
    "<script>alert(1)</script>",
    "' OR '1'='1",
    "{e164}",
    "\x00",
    "\u202eevil",
    "\U0001f600",
    None,
    True,
    [],
    {},
    1e308,
    -5,
    10**30,
)
"""What a field of a record may hold that nobody had in mind"""


def _head(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)


@cache
def _bomb(size: int) -> bytes:
    return gzip.compress(b" " * size)


@cache
def _large(size: int) -> bytes:
    return b'{"items": "' + b"x" * size + b'"}'
