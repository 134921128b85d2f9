"""The wire of a listener: how many connections there are, how slow they may be, and how much they may say."""

import asyncio
from collections import OrderedDict
from itertools import chain
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from proxy.web.lazy import LazyConnection
from proxy.web.listener import Listener
from proxy.web.pieces import Pieces

MAX_LINE = 8190
"""Bytes of a request line, and of all headers of one name."""

MAX_HEAD = 2 * MAX_LINE
"""Bytes of a request line and all headers together."""

KEEP_ALIVE = 75.0
"""Seconds for which an idle connection is kept."""

PATIENCE = 15.0
"""Seconds within which a request must have come whole, and an answer must have been taken."""

SWEEP = 1.0
"""Seconds between two looks for those who were slower."""

STALLED = 1.0
"""Seconds after which a connection that does not take its answer may be closed for the sake of another one."""

LAST_WORDS = 0.1
"""Seconds that a connection which was opened just before the end has for its request."""


class LimitedServer(web.Server):
    """aiohttp's server without router and middleware, whose own errors are answered by the listener.

    A connection is in one of these, or is being answered; the one that has been there longest comes first:
    `asking` since it was opened, or since the first byte of a further request; `idle` since an answer was given;
    `stalled` besides, since a part of its answer was not taken; `pipelining` besides, since more than one request
    was unanswered.
    """

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener.answer)
        self.listener = listener
        self.asking: OrderedDict[LimitedConnection, float] = OrderedDict()
        self.idle: OrderedDict[LimitedConnection, None] = OrderedDict()
        self.stalled: OrderedDict[LimitedConnection, float] = OrderedDict()
        self.pipelining: OrderedDict[LimitedConnection, None] = OrderedDict()
        self._open = 0
        self._sweeping: asyncio.TimerHandle | None = None

    def __call__(self) -> RequestHandler:
        return LimitedConnection(self)

    def pre_shutdown(self) -> None:
        """Take no further request on the connections that there are, but the first of those that are quite new."""
        for connection in self.connections:
            if not self._is_new(connection):
                connection.close()

    async def shutdown(self, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - aiohttp's signature
        """Let the answers that are under way go out, and close. How long that takes, the listener knows by then."""
        if any(map(self._is_new, self.asking)):
            await asyncio.sleep(LAST_WORDS)
        await super().shutdown(self.listener.answers_within)
        if self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None

    def enter(self) -> bool:
        """Make room for a connection; False when all that there are have one request that is being answered."""
        if self._open >= self.listener.connections and not self._make_room():
            return False
        self._open += 1
        return True

    def leave(self, connection: "LimitedConnection") -> None:
        """Forget a connection."""
        self._open -= 1
        for waiting in (self.asking, self.idle, self.stalled, self.pipelining):
            waiting.pop(connection, None)

    def asks(self, connection: "LimitedConnection") -> None:
        """Wait for a whole request, but not for long."""
        self.idle.pop(connection, None)
        self.asking[connection] = self._loop.time()
        self._sweep_soon()

    def stalls(self, connection: "LimitedConnection") -> None:
        """Wait for a part of an answer to be taken, but not for long."""
        self.stalled[connection] = self._loop.time()
        self._sweep_soon()

    def _is_new(self, connection: RequestHandler) -> bool:
        since = self.asking.get(connection) if isinstance(connection, LimitedConnection) else None
        return since is not None and since > self._loop.time() - LAST_WORDS

    def _make_room(self) -> bool:
        before = self._loop.time() - STALLED
        stuck = (connection for connection, since in self.stalled.items() if since <= before)
        first = next(chain(self.asking, self.idle, stuck, self.pipelining), None)
        if first is not None:
            first.abandon()
        return first is not None

    def _sweep_soon(self) -> None:
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(SWEEP, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        before = self._loop.time() - PATIENCE
        for waiting in (self.asking, self.stalled):
            while waiting and next(iter(waiting.values())) <= before:
                waiting.popitem(last=False)[0].abandon()
        if self.asking or self.stalled:
            self._sweep_soon()


class LimitedConnection(LazyConnection):
    """One connection of a listener."""

    __slots__ = (
        "_answered",
        "_body",
        "_coming",
        "_has_entered",
        "_has_said_all",
        "_is_broken",
        "_pieces",
        "_received",
        "_server",
    )

    def __init__(self, server: LimitedServer) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,
            auto_decompress=False,  # nobody reads bodies here; bad ones would be complained of
            keepalive_timeout=KEEP_ALIVE,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
        )
        self._server = server
        self._has_entered = False
        self._has_said_all = False
        self._is_broken = False
        """What came last is no request; nothing behind it is read"""
        self._pieces = Pieces(MAX_LINE)
        self._received = 0
        """Bytes of a request that is not whole yet"""
        self._answered = 0
        """Requests, of the `_request_count` that have come"""
        self._coming: StreamReader = EMPTY_PAYLOAD
        """Body of the request that has come last"""
        self._body: StreamReader | None = None
        """Body of a request that is answered already; aiohttp reads on for 10 s and throws it away"""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection in, if there is room."""
        self._wire = cast(asyncio.Transport, transport)
        if not self._server.enter():
            self.abandon()
            return
        self._has_entered = True
        self._wire.set_write_buffer_limits(high=0)  # so that pause_writing tells of every byte that is not taken
        super().connection_made(transport)
        self._server.asks(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the place back."""
        self._leave()
        self._end_the_body()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Have aiohttp read what has come, but no more requests than may wait to be answered."""
        self.serve()
        pieces = self._pieces
        if not self._is_broken:
            pieces.add(data)
        while not self._is_broken:
            is_in_a_body = not self._coming.is_eof()
            piece = pieces.take_all() if self._upgraded else pieces.take(is_in_a_body=is_in_a_body)
            self._read(piece, is_in_a_body=is_in_a_body)
            if not pieces or (len(self._messages) >= self._max_msg_queue_size and not self._upgraded):
                return

    def pause_writing(self) -> None:
        """Take note that a part of an answer is not taken."""
        super().pause_writing()
        self._server.stalls(self)

    def resume_writing(self) -> None:
        """Take note that everything is taken."""
        super().resume_writing()
        self._server.stalled.pop(self, None)

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio's own signature
        """Keep our half open for the answers: a switch may say that it has asked all it wanted."""
        asyncio.get_running_loop().call_soon(self._end)  # a request that has just come is taken up before
        return True

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer, and be idle when that was the last one."""
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._answered += 1
            self._count()
            self._body = None if request.content.is_eof() else request.content
            if self._answered < self._request_count:
                self._end_the_body()
            elif self._has_entered:
                self._server.idle[self] = None
                if self._has_said_all:
                    self.close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - the signature is aiohttp's
    ) -> web.StreamResponse:
        """Answer in the place of aiohttp, which would send a 400 or 500 and log the raw request."""
        if request.writer.output_size > 0:
            raise ConnectionError("part of an answer is out already")
        is_bug = status >= web.HTTPInternalServerError.status_code
        return self._server.listener.answer_unreadable(exc if is_bug else None)

    def abandon(self) -> None:
        """Close at once, whatever has not been sent yet."""
        self._leave()
        self.force_close()
        self._wire.abort()

    def _leave(self) -> None:
        if self._has_entered:
            self._has_entered = False
            self._server.leave(self)

    def _read(self, data: bytes, *, is_in_a_body: bool) -> None:
        asked = self._request_count
        super().data_received(data)
        if self._request_count > asked:
            self._received = 0
            self._end_the_body()
            self._server.asking.pop(self, None)
            self._server.idle.pop(self, None)
        elif data and self._answered == asked and not is_in_a_body:
            self._received += len(data)
            if self not in self._server.asking:
                self._server.asks(self)
            if self._received > MAX_HEAD:
                self._refuse_the_head()
        self._count()

    def _count(self) -> None:
        """Take note of what came last, and of whether more than one request is unanswered."""
        if self._messages:
            message, self._coming = self._messages[-1]
            self._is_broken = isinstance(message, _ErrInfo)
        unanswered = self._request_count - self._answered - self._is_broken
        if self._has_entered and (unanswered > 1 or (unanswered == 1 and self._message_tail)):
            self._server.pipelining.setdefault(self)
        else:
            self._server.pipelining.pop(self, None)

    def _end_the_body(self) -> None:
        """Wait for nothing more of a body: what came behind it, or broke it, is to be answered too."""
        if self._body is not None:
            self._body.feed_eof()
            self._body = None

    def _refuse_the_head(self) -> None:
        """Have an endless head answered like everything else that is no request."""
        self._received = 0
        self._server.asking.pop(self, None)
        self._request_count += 1
        self._messages.append((_ErrInfo(400, BadHttpMessage("its head is too long"), ""), EMPTY_PAYLOAD))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _end(self) -> None:
        self._lingering_time = 0.0  # the rest of a body does not come any more
        if self._answered == self._request_count:
            self.force_close()
        else:
            self._has_said_all = True
