"""The short way: a request that was answered before, to the byte, is answered again before anybody has read it.

A full pass makes its answer ready when that came out of the cache. It is given again to the same bytes from the same
address alone, and only while a full pass would say the same: what is kept of the number is the very same and fresh, no
minute has begun in which a rule's hours may begin or end, and neither an erase nor another configuration came between.
"""

import asyncio
import time
from email.utils import formatdate
from functools import lru_cache
from typing import Protocol

from aiohttp import web

from proxy.journal import Repeated
from proxy.web.connections import KEEP_ALIVE, LimitedConnection, LimitedServer
from proxy.web.listener import Listener
from proxy.web.ready import READY, ReadyAnswers, around_the_date

LONGEST = 2048  # bytes of a request that is answered so
_END = b"\r\n\r\n"


class Repeating(Listener, Protocol):
    """A listener some of whose answers may be given again."""

    @property
    def ready(self) -> ReadyAnswers:
        """Return the answers that are ready by the configuration that counts now."""

    def repeat(self, repeated: Repeated, seconds: float, call_id: str) -> None:
        """Take note that an answer was given again, in so many seconds, to a call with an id."""


class SwitchServer(LimitedServer):
    """The server of such a listener."""

    def __init__(self, listener: Repeating) -> None:
        super().__init__(listener)
        self.repeating = listener

    def __call__(self) -> "ShortWay":
        return ShortWay(self)

    def has_answered(self, connection: "ShortWay") -> None:
        """Have a connection be the last of those that are idle."""
        self.asking.pop(connection, None)
        self.idle[connection] = None
        self.idle.move_to_end(connection)


class ShortWay(LimitedConnection):
    """A connection on which an answer that is ready is given at once."""

    __slots__ = ("_asked", "_has_a_part", "_is_at_rest", "_listener", "_peer", "_switch")

    def __init__(self, server: SwitchServer) -> None:
        super().__init__(server)
        self._switch = server
        self._listener = server.repeating
        self._peer: str | None = None
        self._is_at_rest = False  # all that has come is answered
        self._asked = b""  # what has come since then, if it came as one
        self._has_a_part = False  # aiohttp may have the beginning of a request, which goes on with what comes next

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._peer = self.peername[0] if self.peername else None
        self._is_at_rest = self._has_entered

    def data_received(self, data: bytes) -> None:
        if not self._is_at_rest:
            self._asked = b""
        elif self._is_answered(data):
            return
        else:
            self._is_at_rest, self._asked = False, data
            if self._pieces.take_whole(data):
                self.serve()
                self._read(data, is_in_a_body=False)
                return
        super().data_received(data)

    def close(self) -> None:
        self._is_at_rest = False
        super().close()

    def force_close(self) -> None:
        self._is_at_rest = False
        super().force_close()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        done = await super().finish_response(request, resp, start_time)
        self._is_at_rest = self._is_all_answered() and bool(resp.keep_alive)
        may_be_repeated = READY in request and self._is_all_answered() and not request.body_exists
        if may_be_repeated and _is_head_of(request, self._asked) and isinstance(resp, web.Response):
            answers, ready = request[READY]
            ready.before_date, ready.behind_date = around_the_date(request, resp)
            ready.closes = not resp.keep_alive
            answers.keep(self._asked, ready)
        self._asked = b""
        return done

    def _read(self, data: bytes, *, is_in_a_body: bool) -> None:
        asked = self._request_count
        super()._read(data, is_in_a_body=is_in_a_body)
        if data:
            self._has_a_part = self._request_count == asked

    def _is_all_answered(self) -> bool:
        """Tell whether all that has come was requests, whole, and is answered."""
        is_whole = not self._pieces and not self._has_a_part and self._body is None and self._coming.is_eof()
        is_over = self._is_broken or self._has_said_all or self._close or self._force_close
        return is_whole and not is_over and not self._upgraded and self._answered == self._request_count

    def _is_answered(self, data: bytes) -> bool:
        """Give the answer that is ready, if there is one."""
        began, listener = time.monotonic(), self._listener
        answers = listener.ready
        try:
            ready, call_id = answers.find(data)
            if ready is None or self._paused or not ready.is_right(self._peer, began, answers.kept, call_id):
                return False
        except Exception as exc:  # noqa: BLE001 - a bug here must not cost a call that goes the whole way
            self._loop.call_exception_handler({"message": "the short way has a bug", "exception": exc})
            return False
        self._wire.write(b"".join((ready.before_date, _date(int(time.time())), ready.behind_date)))
        self._switch.has_answered(self)
        if ready.closes:
            self.force_close()
        else:
            self.serve()  # which closes it when nothing comes any more
            self._next_keepalive_close_time = began + KEEP_ALIVE
        listener.repeat(ready, time.monotonic() - began, call_id)
        return True


def _is_head_of(request: web.BaseRequest, asked: bytes) -> bool:
    """Tell whether something is this request's head and nothing else: what another one is told is never kept for it."""
    is_one = len(asked) <= LONGEST and 0 <= asked.find(_END) == len(asked) - len(_END)
    return is_one and asked.startswith(f"GET {request.raw_path} HTTP/".encode(errors="surrogateescape"))


@lru_cache(1)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()
