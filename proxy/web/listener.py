"""What a listener is to the wire: it answers requests, whatever is asked, and says how much it bears."""

from typing import Protocol

from aiohttp import web

HEADERS = {"Cache-Control": "no-store", "Server": "tanima"}
"""Headers of every answer."""

JSON_HEADERS = {"Content-Type": "application/json; charset=utf-8", **HEADERS}


class Listener(Protocol):
    """Who answers."""

    connections: int
    """Connections at the most"""

    @property
    def answers_within(self) -> float:
        """Return within how many seconds a request is answered; so long its answer is waited for at the end."""

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Answer a request."""

    def answer_unreadable(self, exc: BaseException | None) -> web.Response:
        """Answer what is no request, or failed in `answer` with `exc`."""
