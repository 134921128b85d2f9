"""Ways in which a CRM can fail to answer, for `HttpCrm.behaviour`."""

import asyncio
import socket
import struct
from collections.abc import Mapping
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
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return sends(head.encode() + body[:after], then_closes=True)


def drips(body: bytes, *, pause: float = 0.01) -> Behaviour:
    """Send the body a byte at a time, with a pause (seconds) before each."""

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        )
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
