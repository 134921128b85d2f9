"""The operator's own address: what must not be on the one that the switch asks."""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from aiohttp import StreamReader, web

from proxy.errors import InvalidNumber, ProxyError
from proxy.phone import PhoneNumber, parse_number
from proxy.web.connections import LimitedServer
from proxy.web.listener import JSON_HEADERS

ERASE = "/erase"

CONNECTIONS = 16
"""Connections at the most."""

LARGEST = 4096
"""Bytes of a body."""

BODY_WITHIN = 5.0
"""Seconds within which a body must have come whole."""

Answer = Callable[[web.BaseRequest], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Erased:
    """What became of a number."""

    was_known: bool
    """The cache had it, or a lookup was under way"""
    snapshot: bool
    """There is a snapshot, and it has been written without the number"""


class AdminListener:
    """Answers the operator, in JSON. `erase` forgets a number; it raises ProxyError.

    `token` is what must be brought; where there is none, only this machine may ask. `region` is that of the numbers,
    and `on_bug` is told of errors that nobody raised on purpose.
    """

    connections = CONNECTIONS
    answers_within = 1.0
    """Seconds; an answer that takes longer, as a large snapshot may, is not waited for at the end"""

    def __init__(
        self,
        token: str | None,
        erase: Callable[[PhoneNumber], Awaitable[Erased]],
        region: str,
        on_bug: Callable[[str, BaseException], None],
    ) -> None:
        self._token = token
        self._erase = erase
        self._region = region
        self._on_bug = on_bug
        self._answers: Mapping[str, Mapping[str, Answer]] = {ERASE: {"POST": self._answer_erase}}
        """By path and method"""

    def server(self) -> LimitedServer:
        """Return the aiohttp server of this listener; needs a running loop."""
        return LimitedServer(self)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        try:
            if not _may(request, self._token):
                return _told(403, error="no token, or not the right one - allowed: Authorization: Bearer TOKEN")
            methods = self._answers.get(request.path)
            if methods is None:
                return _told(404, error=f"is no path here - allowed: {', '.join(self._answers)}")
            answer = methods.get(request.method)
            if answer is None:
                allowed = ", ".join(methods)
                response = _told(405, error=f"is no method here - allowed: {allowed}")
                response.headers["Allow"] = allowed
                return response
            return await answer(request)
        except _Refused as exc:
            status, sentence = exc.args
            return _told(status, error=sentence)
        except Exception as exc:  # noqa: BLE001 - the last net
            return self.answer_unreadable(exc)

    def answer_unreadable(self, exc: BaseException | None) -> web.Response:
        """Answer a request that is not HTTP enough to be read, or that failed in `answer`."""
        if exc is None:
            response = _told(400, error="is no request that can be read - allowed: HTTP/1.1")
        else:
            self._on_bug("admin", exc)
            response = _told(500, error="a bug of tanima - see its log")
        response.force_close()
        return response

    async def _answer_erase(self, request: web.BaseRequest) -> web.Response:
        body = await _body_of(request)
        try:
            number = parse_number(json.loads(body.decode(request.charset or "utf-8"))["number"], self._region)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):  # no JSON, or JSON of another form
            return _told(400, error='has no number - allowed: {"number": "05301234567"}')
        except InvalidNumber as exc:
            return _told(400, error=f"the number {exc} - allowed: a valid phone number")
        try:
            erased = await self._erase(number)
        except ProxyError as exc:
            return _told(500, error=str(exc))
        return _told(200, was_known=erased.was_known, snapshot=erased.snapshot)


class _Refused(Exception):
    """A request with which nothing is done: the status, and a sentence."""


async def _body_of(request: web.BaseRequest) -> bytes:
    """Return a body that is JSON, perhaps. Raises _Refused."""
    if request.content_type != "application/json":  # a web page of somebody else's cannot send this
        raise _Refused(415, "is not JSON - allowed: Content-Type: application/json")
    try:
        body = await asyncio.wait_for(_beginning_of(request.content), BODY_WITHIN)
    except OSError as exc:  # too late, or the connection is lost
        raise _Refused(408, f"the body has not come - allowed: all of it within {BODY_WITHIN:g} s") from exc
    if len(body) > LARGEST:
        raise _Refused(413, f"the body is too large - allowed: {LARGEST} bytes at the most")
    return body


async def _beginning_of(content: StreamReader) -> bytes:
    """Return what comes, or a part of what is too much."""
    beginning = b""
    while len(beginning) <= LARGEST and (piece := await content.readany()):
        beginning += piece
    return beginning


def _may(request: web.BaseRequest, token: str | None) -> bool:
    """Tell whether a request brings the token; where there is none, whether it was meant for this machine.

    A name in Host that somebody else's DNS leads here is refused: a browser may have been sent with it.
    """
    if token is None:
        host = request.host.rpartition(":")[0] if request.host.rpartition(":")[2].isdigit() else request.host
        return _is_this_machine(host.strip("[]"))
    brought = request.headers.get("Authorization", "")
    return hmac.compare_digest(brought.encode("utf-8", "surrogateescape"), f"Bearer {token}".encode())


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _told(status: int, **content: object) -> web.Response:
    body = json.dumps(content, ensure_ascii=False).encode()
    return web.Response(body=body, status=status, headers=JSON_HEADERS)
