"""A browser without eyes: keeps cookies, and fills forms in."""

import re
from dataclasses import dataclass, field
from html import unescape

from aiohttp import ClientResponse, web
from aiohttp.test_utils import RawTestServer, TestClient

from proxy.web.console import Console
from tests.operated import SampleOperated

TOKEN = "made-up-token-of-the-operator"


@dataclass
class Browser:
    """One browser before one console."""

    console: Console
    operated: SampleOperated
    client: TestClient[web.BaseRequest, None]
    headers: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> "Seen":
        async with self.client.get(path, headers=self.headers | headers, allow_redirects=False) as response:
            return await seen(response)

    async def post(self, path: str, fields: dict[str, str] | None = None, **headers: str) -> "Seen":
        """Send the form of a page."""
        csrf = (await self.get(path)).csrf if path not in {"/login", "/logout"} else (await self.get("/")).csrf
        return await self.send(path, {"csrf": csrf, **(fields or {})}, **headers)

    async def send(self, path: str, fields: dict[str, str] | str | bytes, **headers: str) -> "Seen":
        async with self.client.post(
            path, data=fields, headers=self.headers | headers, allow_redirects=False
        ) as response:
            return await seen(response)

    async def log_in(self, token: str = TOKEN, following: str = "") -> "Seen":
        return await self.send("/login", {"token": token, "next": following})


@dataclass
class Seen:
    """What came back."""

    response: ClientResponse
    html: str

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def text(self) -> str:
        """What a person reads."""
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", self.html)).split())

    @property
    def csrf(self) -> str:
        match = re.search(r'name="csrf" value="([0-9a-f]+)"', self.html)
        return match[1] if match else ""

    @property
    def location(self) -> str:
        return self.response.headers.get("Location", "")


async def seen(response: ClientResponse) -> Seen:
    return Seen(response, await response.text())


def server_of(console: Console) -> RawTestServer:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await console.answer(request) or web.Response(status=404, text="no page")

    return RawTestServer(handle)
