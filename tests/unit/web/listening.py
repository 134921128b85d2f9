"""Listeners in this process, asked over real sockets."""

import asyncio
import math
import socket
from contextlib import suppress
from typing import Any, Protocol

from aiohttp import web
from aiohttp.test_utils import BaseTestServer

from proxy.journal import Repeated
from proxy.model import Reason
from proxy.routing import Routing
from proxy.target import Target
from proxy.web.connections import LimitedServer
from proxy.web.front import SwitchServer
from proxy.web.ready import READY, Ready, ReadyAnswers
from tests.unit.fakes import NUMBER

ANSWER = b'{"target": "queue/200"}'
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Serving(Protocol):
    """What makes a server: a listener."""

    def server(self) -> web.Server:
        """Return the server; needs a running loop."""


class ListenerServer(BaseTestServer):
    """aiohttp's test server around a listener."""

    def __init__(self, listener: Serving) -> None:
        super().__init__()
        self.listener = listener

    async def _make_runner(self, **_: Any) -> web.ServerRunner:
        return web.ServerRunner(self.listener.server(), shutdown_timeout=0.1)  # the listener's own seconds count


class Answers:
    """Answers everything with the default, when it is let."""

    def __init__(self) -> None:
        self.connections = 3
        self.answers_within = 1.0
        self.body = ANSWER
        self.asked = 0
        self.at_most: int | None = None
        """How many there may be"""
        self.unreadable = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.asked += 1
        await self.may_answer.wait()
        self._count()
        return web.Response(body=self.body)

    def _count(self) -> None:
        if self.at_most is not None:
            self.at_most -= 1
            if self.at_most == 0:
                self.may_answer.clear()

    def answer_unreadable(self, exc: BaseException | None) -> web.Response:
        assert exc is None
        self.unreadable += 1
        response = web.Response(body=ANSWER)
        response.force_close()
        return response


QUEUE = Target("queue", "200")
ROUTING = Routing(QUEUE, QUEUE, QUEUE, QUEUE)
KEPT = b"the same"


class AlwaysReady(ReadyAnswers):
    """Answers that are right for ever."""

    def kept(self, number: str) -> bytes:
        return KEPT


class OnTheShortWay(Answers):
    """The same, and whatever was answered may be given again, when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.store = AlwaysReady()
        self.repeated = 0

    @property
    def ready(self) -> ReadyAnswers:
        return self.store if self.may_answer.is_set() else ReadyAnswers()

    async def answer(self, request: web.BaseRequest) -> web.Response:
        if self.body is ANSWER:
            ready = Ready(NUMBER, KEPT, ROUTING, None, Reason.NO_RULE, "", until=math.inf, peer=request.remote)
            request[READY] = (self.ready, ready)
        return await super().answer(request)

    def repeat(self, repeated: Repeated, seconds: float, call_id: str) -> None:
        self.repeated += 1
        self.asked += 1
        self._count()


class Running:
    """A server with these answers."""

    def __init__(self, answers: Answers | None = None) -> None:
        self.answers = answers or Answers()
        self.server: LimitedServer = LimitedServer(self.answers)
        if isinstance(self.answers, OnTheShortWay):
            self.server = SwitchServer(self.answers)
        self.runner = web.ServerRunner(self.server, shutdown_timeout=0.1)  # the listener's own seconds count
        self._peers: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()

    async def stop(self) -> None:
        await self.runner.cleanup()
        for writer in self._peers:
            writer.close()
        await settle(0.01)

    async def connect(self, *said: bytes, answers: int = 0) -> Peer:
        """Open a connection, say something, and take some answers."""
        with socket.socket() as opened:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            opened.setblocking(False)
            await asyncio.get_running_loop().sock_connect(opened, self.runner.addresses[0])
            reader, writer = await asyncio.open_connection(sock=opened.dup())
        self._peers.append(writer)
        for piece in said:
            writer.write(piece)
        for _ in range(answers):
            await asyncio.wait_for(reader.readuntil(ANSWER), 5)
        await settle()
        return reader, writer


async def settle(seconds: float = 0.02) -> None:
    """Let what was sent be taken in: some time, and some turns of the loop, as that may have passed in one of them."""
    await asyncio.sleep(seconds)
    for _ in range(20):
        await asyncio.sleep(0)


async def is_closed(peer: Peer, within: float = 5) -> bool:
    """Tell whether the server closes a connection, with everything that is still to come read."""
    try:
        await asyncio.wait_for(peer[0].read(), within)
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True
    return True


async def stays_open(peer: Peer, seconds: float = 0.1) -> bool:
    """Tell whether the server does not close a connection for so long."""
    return not await is_closed(peer, seconds)


async def is_answered(peer: Peer, said: bytes = REQUEST) -> bool:
    peer[1].write(said)
    return (await asyncio.wait_for(peer[0].readuntil(b"}"), 5)).endswith(ANSWER)


async def everything(running: Running, *said: bytes) -> bytes:
    """Send bytes whether the server takes them or not, and return all that it says."""
    loop = asyncio.get_running_loop()
    with socket.socket() as opened:
        opened.setblocking(False)
        await loop.sock_connect(opened, running.runner.addresses[0])
        received = b""
        with suppress(ConnectionError):
            for piece in said:
                await loop.sock_sendall(opened, piece)
                await asyncio.sleep(0)
        with suppress(ConnectionError):
            while piece := await asyncio.wait_for(loop.sock_recv(opened, 65536), 5):
                received += piece
        return received
