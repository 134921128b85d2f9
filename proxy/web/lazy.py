"""A connection of which aiohttp learns when it has something to read.

Waiting for requests takes a task and a timer, which cost more than a short answer does. A switch that makes a
connection for each call, and is answered at once, needs neither.
"""

import asyncio
from typing import Any, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler


class LazyConnection(RequestHandler):
    """aiohttp's connection, from the first `serve` on; until then it has a place in the server, and is silent."""

    __slots__ = ("_is_served", "_wire")

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - handed on to aiohttp
        super().__init__(*args, **options)
        self._is_served = False
        self._wire: asyncio.Transport
        """The transport; aiohttp lets go of its own when it begins to close, and what is unsent may hold that up"""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Have a place in the server, which is given back when the connection is lost."""
        self.transport = self._wire = cast(asyncio.Transport, transport)
        cast(web.Server, self._manager).connection_made(self, self._wire)

    def serve(self) -> None:
        """Have aiohttp wait for requests, unless it does, or is to take no more."""
        if not self._is_served and not self._close:
            self._is_served = True
            super().connection_made(self._wire)
