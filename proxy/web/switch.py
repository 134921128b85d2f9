"""The call listener: one path, on which the switch asks; whatever else comes gets the default answer."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from proxy.dialects import Dialect
from proxy.model import Call, Decision, Reason
from proxy.router import CallRouter

MAX_LINE = 8190
"""Bytes of a request line, and of all headers of one name."""

KEEP_ALIVE = 75.0
"""Seconds for which an idle connection is kept."""

_HEADERS = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", "Server": "tanima"}


@dataclass(frozen=True, slots=True)
class Answered:
    """One answered call, for the log."""

    call: Call | None
    """None when it was no question that the switch asks"""
    decision: Decision
    seconds: float


class SwitchListener:
    """Answers HTTP requests. Every answer is 200 with a valid target, at any path, method or error.

    `observe` is told of each answer after it was sent; `on_bug` of errors that nobody raised on purpose.
    """

    def __init__(
        self,
        path: str,
        dialect: Dialect,
        router: CallRouter,
        observe: Callable[[Answered], None],
        on_bug: Callable[[str, BaseException], None],
    ) -> None:
        self._path = path
        self._dialect = dialect
        self._router = router
        self._observe = observe
        self._on_bug = on_bug
        self._refused = router.fall_back(Reason.REFUSED)
        self._broken = router.fall_back(Reason.BUG)
        self._default_body = dialect.render(self._refused)

    def server(self) -> web.Server:
        """Return the aiohttp server of this listener; needs a running loop."""
        return _SwitchServer(self)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        started = time.perf_counter()
        call: Call | None = None
        try:
            if request.method == "GET" and request.path == self._path:
                call = self._dialect.parse(request.query, datetime.now(UTC))
                decision = await self._router.route(call)
                body = self._dialect.render(decision)
            else:
                decision, body = self._refused, self._default_body
        except Exception as exc:  # noqa: BLE001 - the last net, below the router's own two
            self._on_bug("listener", exc)
            decision, body = self._broken, self._default_body
        self._tell(call, decision, started)
        return web.Response(body=body, headers=_HEADERS)

    def answer_unreadable(self, exc: BaseException | None) -> web.Response:
        """Answer a request that is not HTTP enough to be read, or that failed outside of `answer`."""
        if exc is not None:
            self._on_bug("listener", exc)
        self._tell(None, self._broken if exc is not None else self._refused, time.perf_counter())
        response = web.Response(body=self._default_body, headers=_HEADERS)
        response.force_close()
        return response

    def _tell(self, call: Call | None, decision: Decision, started: float) -> None:
        answered = Answered(call, decision, time.perf_counter() - started)
        asyncio.get_running_loop().call_soon(self._observe, answered)  # after the answer has been written


class _SwitchServer(web.Server):
    """aiohttp's server without router and middleware, whose own errors are answered with the default."""

    def __init__(self, listener: SwitchListener) -> None:
        super().__init__(listener.answer)
        self._listener = listener

    def __call__(self) -> RequestHandler:
        return _SwitchConnection(self, self._listener)


class _SwitchConnection(RequestHandler):
    __slots__ = ("_listener",)

    def __init__(self, server: _SwitchServer, listener: SwitchListener) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # its documented way to have none
            auto_decompress=False,  # nobody reads bodies here; bad ones would be complained of
            keepalive_timeout=KEEP_ALIVE,
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
        )
        self._listener = listener

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio's own signature
        """Keep our half open for the answer: a switch may say that it has asked all it wanted."""
        asyncio.get_running_loop().call_soon(self._end)  # a request that has just come is taken up before
        return True

    def _end(self) -> None:
        if self._waiter is not None:
            self.force_close()  # no request is being answered
        else:
            self.close()  # when the answer is out

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
        return self._listener.answer_unreadable(exc if status >= web.HTTPInternalServerError.status_code else None)
