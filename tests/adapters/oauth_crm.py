"""A CRM behind OAuth2: it gives tokens, ends and revokes them, and counts what it is asked."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

from adapters.rest import RestAdapter
from proxy.testing import FakeClock, HttpCrm, Request
from proxy.testing.behaviours import answers
from proxy.testing.http_crm import Behaviour
from tests.adapters.rest_crm import AYSE, OPTIONS, opened

CLIENT, SECRET = "client-1", "s3cr3t-of-the-client"
USER, PASSWORD = "tanıma", "s3cr3t-of-the-user"
FIRST_REFRESH_TOKEN = "refresh-0"


class OAuthCrm:
    """A token endpoint at `/token`, and a search behind the tokens everywhere else, which knows every number.

    With `rotates` each refresh token is good once: a used one is refused, and so are all others from then on.
    """

    def __init__(self, *, expires_in: object = 3600, lives: float = 3600, rotates: bool = False) -> None:
        self.http = HttpCrm(lambda _: None)
        self.http.behaviour = self._behave
        self.expires_in = expires_in
        """As it stands in the answer; None leaves it out"""
        self.lives = lives
        """Seconds that a token is really good for"""
        self.rotates = rotates
        self.more: dict[str, object] = {}
        """What else stands in the answer with a token"""
        self.token_behaviour: Behaviour | None = None
        self.delay = 0.0
        """Seconds that it takes to give a token"""
        self.is_asked_for_a_token = asyncio.Event()
        self.token_requests: list[Request] = []
        self.searches: list[Request] = []
        self.given = 0
        self.refused = 0
        """Searches with a token that is not good"""
        self.is_broken_into = False
        """Whether a used refresh token was seen"""
        self._good: dict[str, float] = {}
        self._refresh_token = FIRST_REFRESH_TOKEN

    @property
    def url(self) -> str:
        return self.http.url

    def revoke(self) -> None:
        """Have no token be good any more."""
        self._good.clear()

    def options(self, **oauth2: Any) -> dict[str, Any]:
        """Return options of a source that logs in here."""
        table = {
            "grant": "client_credentials",
            "token_url": f"{self.url}/token",
            "client_id": CLIENT,
            "client_secret": SECRET,
            **oauth2,
        }
        return {**OPTIONS, "oauth2": table}

    def rotating_options(self, file: Path, **oauth2: Any) -> dict[str, Any]:
        """Return the same, with a refresh token and a file."""
        return self.options(grant="refresh_token", refresh_token=FIRST_REFRESH_TOKEN, token_file=str(file), **oauth2)

    @asynccontextmanager
    async def opened(self, options: Mapping[str, Any], clock: FakeClock | None = None) -> AsyncIterator[RestAdapter]:
        """Give an open adapter; with a clock of its own if one is given."""
        async with opened(f"{self.url}/contacts", **options) as adapter:
            if clock is not None:
                set_clock(adapter, clock)
            yield adapter

    async def _behave(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if request.path != "/token":
            self.searches.append(request)
            is_good = self._good.get(token_in(request), 0) > time.monotonic()
            self.refused += not is_good
            said: tuple[int, object] = (200, anybody(request)) if is_good else (401, {"error": "invalid_token"})
            await says(*said)(request, writer)
            return
        self.token_requests.append(request)
        self.is_asked_for_a_token.set()
        await asyncio.sleep(self.delay)
        await (self.token_behaviour or says(*self.token_answer(request)))(request, writer)

    def token_answer(self, request: Request) -> tuple[int, object]:
        sent = credentials_in(request)
        if (sent.get("client_id"), sent.get("client_secret")) != (CLIENT, SECRET):
            return 401, {"error": "invalid_client"}
        if sent["grant_type"] == "password" and (sent.get("username"), sent.get("password")) != (USER, PASSWORD):
            return 400, {"error": "invalid_grant"}
        if sent["grant_type"] == "refresh_token" and not self._takes(sent.get("refresh_token")):
            return 400, {"error": "invalid_grant", "error_description": "refresh token is spent"}
        self.given += 1
        token = f"access-{self.given}"
        self._good[token] = time.monotonic() + self.lives
        said: dict[str, object] = {"access_token": token, "token_type": "bearer", **self.more}
        if self.expires_in is not None:
            said["expires_in"] = self.expires_in
        if self.rotates:
            said["refresh_token"] = self._refresh_token = f"refresh-{self.given}"
        return 200, said

    def _takes(self, refresh_token: str | None) -> bool:
        if refresh_token != self._refresh_token:
            self.is_broken_into = True
        return not self.is_broken_into


def says(status: int, said: object) -> Behaviour:
    """Answer JSON."""
    return answers(status, json.dumps(said).encode())


def credentials_in(request: Request) -> dict[str, str]:
    """Return what a token is asked for with, wherever it stands."""
    sent = dict(request.query)
    if request.headers.get("content-type") == "application/json":
        sent |= request.json()
    else:
        sent |= parse_qsl(request.body.decode())
    if request.headers.get("authorization", "").startswith("Basic "):
        pair = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        sent["client_id"], sent["client_secret"] = map(unquote, pair.split(":"))
    return sent


def kept_in(file: Path) -> str:
    """Return the refresh token that a file has got last."""
    return str(list(json.loads(file.read_bytes()).values())[-1]["refresh_token"])


def token_in(request: Request) -> str:
    """Return the access token of a search, wherever it stands."""
    if request.body:
        return str(request.json().get("key"))
    if "key" in request.query:
        return request.query["key"]
    return request.headers.get("authorization", "").rpartition(" ")[2] or request.headers.get("x-token", "")


def anybody(request: Request) -> object:
    """Answer with somebody who has the number that is searched, and a name that tells which number that is."""
    number = request.query["phone"]
    return {"items": [{"id": 7, "name": name_of(number), "phones": [{"number": number}], "account": {"tier": "gold"}}]}


def name_of(e164: str) -> str:
    """Return the name of whoever has a number: a letter for each digit."""
    return "Örnek " + "".join(chr(ord("a") + int(digit)) for digit in e164[1:])


def set_clock(adapter: RestAdapter, clock: FakeClock) -> None:
    """Have an adapter that logs in live by a clock of the test."""
    session: Any = adapter._session
    login = session._obtain.__self__
    for part in (session, login, adapter._asking, adapter._transport):
        if hasattr(part, "_clock"):
            part._clock = clock


async def finds(adapter: RestAdapter) -> None:
    """See that the CRM is asked as somebody who is logged in."""
    assert [contact.name for contact in await adapter.lookup(AYSE)] == [name_of(AYSE.e164)]
