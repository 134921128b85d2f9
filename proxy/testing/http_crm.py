"""A CRM that speaks HTTP on a real socket of this machine, and can be made to misbehave."""

import asyncio
import json
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from proxy.detached import detach


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked, as it came over the wire."""

    method: str
    target: str
    """Path and query, still encoded"""
    headers: Mapping[str, str]
    """Names in small letters"""
    body: bytes

    @property
    def path(self) -> str:
        """The path, still encoded."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The parameters, decoded."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """Return what the body says."""
        return json.loads(self.body)


Behaviour = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]
"""Writes an answer, or whatever else; closes the writer if the connection ends with it."""


class HttpCrm:
    """A server whose answers are a function of the request: what it returns is sent as JSON.

    `answer` returns a value for JSON; or bytes, which are sent as the body as they are; or None, which is sent
    as a 404. Set `behaviour` to
    one of `proxy.testing.behaviours` or to your own to have it misbehave, and None to have it behave again.
    """

    def __init__(self, answer: Callable[[Request], object]) -> None:
        self.answer = answer
        self.behaviour: Behaviour | None = None
        self.requests: list[Request] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:12345`; the port stays the same when the server goes down and comes back."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    async def start(self) -> None:
        """Listen, unless it does; on the same port as before, if there was one."""
        if self._server is not None:
            return
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse new connections and break those that there are."""
        if self._server is None:
            return
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        if self._connections:
            await asyncio.wait(set(self._connections))
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = detach(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                request = await _read_request(reader)
                self.requests.append(request)
                await (self.behaviour or self._behave)(request, writer)
                await writer.drain()
        except (OSError, EOFError):
            pass  # the adapter has hung up
        except Exception:  # noqa: BLE001 - whatever a test's own answer raises
            traceback.print_exc()  # or all that its writer sees is an adapter that nobody answers
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _behave(self, request: Request, writer: asyncio.StreamWriter) -> None:
        answered = self.answer(request)
        status = b"404 Not Found" if answered is None else b"200 OK"
        body = answered if isinstance(answered, bytes) else json.dumps(answered).encode()
        head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        writer.write(head % (status, len(body)) + body)


async def _read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Request(method, target, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
