"""A link to any server that speaks TCP, through which its clients connect, and which can be made to fail."""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Self

from proxy.detached import detach

PIECE = 65536
"""Bytes that are carried at once, at the most."""


class Fault:
    """What becomes of the connections of a link; as it is, they pass. `proxy.testing.faults` has some.

    It may be set while connections are open, and then counts for what passes from then on.
    """

    listens = True
    """When False, connections are refused, and those that there are break"""

    async def begin(self, passage: "Passage") -> None:
        """Do something with a new connection, before the server is asked for one."""

    async def ask(self, passage: "Passage", piece: bytes) -> None:
        """Do something with what the client has sent."""
        await passage.ask(piece)

    async def answer(self, passage: "Passage", piece: bytes) -> None:
        """Do something with what the server has sent."""
        await passage.answer(piece)


class TcpLink:
    """Listens on a port of this machine, and connects each client to the server at `host` and `port`.

    Set `fault` to have connections fail, and None to have them pass again. As a context it listens.
    """

    def __init__(self, host: str, port: int) -> None:
        self.server = (host, port)
        self.port = 0
        """Where the link listens; it stays the same"""
        self.connections = 0
        """Connections that clients have made so far"""
        self.asked = 0
        """Bytes that the server got from clients"""
        self.answered = 0
        """Bytes that clients got"""
        self.passages: set[Passage] = set()
        """Connections that are open"""
        self._fault: Fault = Fault()
        self._changed = asyncio.Event()
        self._is_entered = False
        self._listening: socket.socket | None = None
        self._carrying: set[asyncio.Task[None]] = set()

    @property
    def fault(self) -> Fault | None:
        """What becomes of connections; None when they pass."""
        return self._fault if type(self._fault) is not Fault else None

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self._fault = fault or Fault()
        self._changed.set()
        self._changed = asyncio.Event()
        for passage in self.passages:
            passage.answered = 0
        if self._is_entered and self._fault.listens:
            self._listen()
        if not self._fault.listens:
            self._refuse()
            for passage in self.passages:
                passage.reset()

    async def until_changed(self) -> None:
        """Wait until another fault is set."""
        await self._changed.wait()

    async def __aenter__(self) -> Self:
        self._is_entered = True
        self._listen()
        if not self._fault.listens:
            self._refuse()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_entered = False
        self._refuse()
        for carrying in self._carrying:
            carrying.cancel()
        if self._carrying:
            await asyncio.wait(set(self._carrying))

    def _listen(self) -> None:
        if self._listening is None:
            self._listening = socket.create_server(("127.0.0.1", self.port), backlog=1024)
            self._listening.setblocking(False)
            self.port = self._listening.getsockname()[1]
            asyncio.get_running_loop().add_reader(self._listening, self._accept)

    def _refuse(self) -> None:
        if self._listening is not None:
            asyncio.get_running_loop().remove_reader(self._listening)
            self._listening.close()
            self._listening = None

    def _accept(self) -> None:
        assert self._listening is not None
        with suppress(OSError):  # the client has left already
            connection, _ = self._listening.accept()
            self.connections += 1
            carrying = detach(self._carry(connection))
            self._carrying.add(carrying)
            carrying.add_done_callback(self._carrying.discard)

    async def _carry(self, connection: socket.socket) -> None:
        passage = Passage(self, await _streams(connection))
        self.passages.add(passage)
        try:
            fault = None
            while fault is not self._fault:
                fault = self._fault
                await fault.begin(passage)
            await passage.connect()
            await asyncio.gather(self._ask(passage), self._answer(passage))
        except OSError:
            passage.reset()  # there is no server, or one end has broken the connection
        except asyncio.CancelledError:
            passage.reset()
            raise
        finally:
            self.passages.discard(passage)
            passage.leave()

    async def _ask(self, passage: "Passage") -> None:
        while piece := await passage.client.reader.read(PIECE):
            await self._fault.ask(passage, piece)
        passage.server.end()

    async def _answer(self, passage: "Passage") -> None:
        while piece := await passage.server.reader.read(PIECE):
            await self._fault.answer(passage, piece)
        passage.client.end()


class Passage:
    """One connection of a client, through the link, to the server."""

    def __init__(self, link: TcpLink, client: "End") -> None:
        self.link = link
        self.client = client
        self.server = client
        """Itself, until it is connected"""
        self.answered = 0
        """Bytes that the client got since the fault was set"""

    async def connect(self) -> None:
        """Connect to the server. Raises OSError."""
        if self.client.writer.transport.is_closing():
            raise ConnectionAbortedError("a fault has closed it")
        connection = socket.socket()
        try:
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, self.link.server)
        except BaseException:
            connection.close()
            raise
        self.server = await _streams(connection)

    async def ask(self, piece: bytes) -> None:
        """Send something to the server."""
        self.server.writer.write(piece)
        self.link.asked += len(piece)
        await self.server.writer.drain()

    async def answer(self, piece: bytes) -> None:
        """Send something to the client."""
        self.client.writer.write(piece)
        self.answered += len(piece)
        self.link.answered += len(piece)
        await self.client.writer.drain()

    async def hold(self) -> None:
        """Wait until another fault is set, or the client hangs up."""
        waiting = [detach(self.link.until_changed()), detach(self.client.gone.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    def reset(self) -> None:
        """Break the connection of the client by RST, and that of the server as well."""
        self.client.reset()
        self.server.reset()

    def close(self) -> None:
        """Close the client's connection, when it has got what was sent to it, and reset that of the server."""
        self.client.writer.close()
        if self.server is not self.client:
            self.server.reset()

    def leave(self) -> None:
        """Close what is open."""
        self.client.writer.close()
        self.server.writer.close()


class End(asyncio.StreamReaderProtocol):
    """One end of a connection."""

    def __init__(self) -> None:
        self.reader = asyncio.StreamReader(limit=PIECE)
        super().__init__(self.reader)
        self.writer: asyncio.StreamWriter
        self.gone = asyncio.Event()
        """It has hung up"""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is needed to write."""
        super().connection_made(transport)
        assert isinstance(transport, asyncio.WriteTransport)
        self.writer = asyncio.StreamWriter(transport, self, self.reader, asyncio.get_running_loop())

    def eof_received(self) -> bool | None:
        """Take note that it sends no more."""
        self.gone.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that it is no longer there."""
        self.gone.set()
        super().connection_lost(exc)

    def end(self) -> None:
        """Say that nothing more will be sent."""
        if not self.writer.transport.is_closing():
            self.writer.write_eof()

    def reset(self) -> None:
        """Break the connection by RST."""
        with suppress(OSError):  # it is closed
            connection: socket.socket = self.writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


async def _streams(connection: socket.socket) -> End:
    _, end = await asyncio.get_running_loop().connect_accepted_socket(End, connection)
    return end
