"""The operator's own address: what must not be on the one that the switch asks."""

from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address

from aiohttp import web

from proxy.web.access import brought_in, is_right
from proxy.web.bodies import Refused
from proxy.web.connections import LimitedServer
from proxy.web.console import Console
from proxy.web.endpoints import INVALIDATE, OPEN, Endpoints, told
from proxy.web.operated import Operated

CONNECTIONS = 64
"""Connections at the most."""

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")

Answer = Callable[[web.BaseRequest], Awaitable[web.Response]]


class AdminListener:
    """Answers the operator with pages, and who watches for him.

    `token` is what must be brought; where there is none, only this machine may ask. With `push_token` changes can be
    told of, and nothing else. `on_bug` is told of errors that nobody raised on purpose.
    """

    connections = CONNECTIONS
    answers_within = 1.0
    """Seconds; an answer that takes longer, as a large snapshot may, is not waited for at the end"""

    def __init__(
        self,
        operated: Operated,
        token: str | None,
        push_token: str | None,
        on_bug: Callable[[str, BaseException], None],
    ) -> None:
        self._console = Console(operated, token, on_bug)
        self._tokens, self._push_tokens = ([each.encode()] if each else [] for each in (token, push_token))
        self._on_bug = on_bug
        self._answers: Mapping[str, Mapping[str, Answer]] = Endpoints(operated).answers
        """By path and method"""

    def server(self) -> LimitedServer:
        """Return the aiohttp server of this listener; needs a running loop."""
        return LimitedServer(self)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        try:
            page = None
            if self._tokens or _is_meant_for_this_machine(request):
                page = await self._console.answer(request)
            return page or await self._told(request)
        except Refused as exc:
            status, sentence = exc.args
            return told(status, error=sentence)
        except Exception as exc:  # noqa: BLE001 - the last net
            return self.answer_unreadable(exc)

    def answer_unreadable(self, exc: BaseException | None) -> web.Response:
        """Answer a request that is not HTTP enough to be read, or that failed in `answer`."""
        if exc is None:
            response = told(400, error="is no request that can be read - allowed: HTTP/1.1")
        else:
            self._on_bug("admin", exc)
            response = told(500, error="a bug of tanima - see its log")
        response.force_close()
        return response

    async def _told(self, request: web.BaseRequest) -> web.Response:
        """Answer a program."""
        if not self._may(request):
            return told(403, error="no token, or not the right one - allowed: Authorization: Bearer TOKEN")
        methods = self._answers.get(request.path)
        if methods is None:
            return told(404, error=f"is no path here - allowed: {', '.join(self._answers)}")
        answer = methods.get(request.method)
        if answer is None:
            allowed = ", ".join(methods)
            response = told(405, error=f"is no method here - allowed: {allowed}")
            response.headers["Allow"] = allowed
            return response
        return await answer(request)

    def _may(self, request: web.BaseRequest) -> bool:
        """Tell whether a request brings what its path needs.

        Who is logged in to the console may look, too. Whether we live, everybody may know.
        """
        brought = [*brought_in(request.headers)]
        if request.path in OPEN:
            return True
        if request.path == INVALIDATE and self._push_tokens:  # others may reach it then, by way of a server in front
            return is_right(brought, self._push_tokens + self._tokens)
        if not self._tokens:
            return _is_meant_for_this_machine(request)
        is_looking = request.method == "GET" and self._console.session_of(request) is not None
        return is_right(brought, self._tokens) or is_looking


def _is_meant_for_this_machine(request: web.BaseRequest) -> bool:
    """Tell whether Host says so: a name that somebody else's DNS leads here may have a browser of ours behind it.

    What a server in front has sent on is not, as far as that says so.
    """
    if any(name in request.headers for name in _FORWARDED):
        return False
    host = request.host.rpartition(":")[0] if request.host.rpartition(":")[2].isdigit() else request.host
    return _is_this_machine(host.strip("[]"))


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
