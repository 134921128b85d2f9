"""The operator's own address: what must not be on the one that the switch asks."""

import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address

from aiohttp import web

from proxy.errors import InvalidNumber, ProxyError
from proxy.phone import PhoneNumber, parse_number

ERASE = "/erase"


@dataclass(frozen=True, slots=True)
class Erased:
    """What became of a number."""

    was_known: bool
    """The cache had it, or a lookup was under way"""
    snapshot: bool
    """There is a snapshot, and it has been written without the number"""


def admin_application(
    token: str | None, erase: Callable[[PhoneNumber], Awaitable[Erased]], region: str
) -> web.Application:
    """Return the application. `erase` forgets a number; it raises ProxyError."""

    @web.middleware
    async def check(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not _may(request, token):
            return _told(403, error="no token, or not the right one - allowed: Authorization: Bearer TOKEN")
        return await handler(request)

    async def answer_erase(request: web.Request) -> web.Response:
        if request.content_type != "application/json":  # a web page of somebody else's cannot send this
            return _told(415, error="is not JSON - allowed: Content-Type: application/json")
        try:
            number = parse_number((await request.json())["number"], region)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):  # no JSON, or JSON of another form
            return _told(400, error='has no number - allowed: {"number": "05301234567"}')
        except InvalidNumber as exc:
            return _told(400, error=f"the number {exc} - allowed: a valid phone number")
        try:
            erased = await erase(number)
        except ProxyError as exc:
            return _told(500, error=str(exc))
        return _told(200, was_known=erased.was_known, snapshot=erased.snapshot)

    application = web.Application(middlewares=[check], client_max_size=4096)
    application.router.add_post(ERASE, answer_erase)
    return application


def _may(request: web.Request, token: str | None) -> bool:
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
    return web.json_response(content, status=status, dumps=lambda told: json.dumps(told, ensure_ascii=False))
