"""Who is logged in. Nothing is remembered here: a cookie proves itself, over a restart too, and dies with the token."""

import hmac
import re
import secrets
import time
from collections.abc import Hashable
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

from proxy.limiter import Limiter, network_of

LASTS = 12 * 3600
"""Seconds of a session."""

GUESSES, GUESSES_A_SECOND = 5, 0.1
"""Wrong tokens that one address may try at once, and over time."""

_COOKIE = re.compile(r"(?P<signed>(?P<until>[0-9]{1,12})\.(?P<nonce>[0-9a-f]{32}))\.(?P<mac>[0-9a-f]{64})", re.ASCII)
_PORT = re.compile(r":([0-9]{1,5})$", re.ASCII)


@dataclass(frozen=True, slots=True)
class Session:
    """One browser that may see the pages."""

    cookie: str
    csrf: str
    """What every form brings back, so that nobody else's page can send it"""
    is_new: bool = False
    """The browser has not got the cookie yet"""

    def has_given(self, csrf: str) -> bool:
        """Tell whether a form is one that this session was shown."""
        return hmac.compare_digest(csrf.encode("utf-8", "surrogateescape"), self.csrf.encode())


class Sessions:
    """Sessions of those who know the `token`; where there is none, of everybody who gets here."""

    def __init__(self, token: str | None) -> None:
        self.token = token
        secret = secrets.token_bytes(32) if token is None else token.encode()
        self._key = hmac.digest(secret, b"tanima console", sha256)
        self._guesses = Limiter(GUESSES_A_SECOND, GUESSES)

    def of(self, request: web.BaseRequest) -> Session | None:
        """Return the session that a request belongs to."""
        match = _COOKIE.fullmatch(request.cookies.get(_name_for(request), ""))
        if match is None or not hmac.compare_digest(match["mac"], self._mac("session", match["signed"])):
            return None
        return self._session(match[0], match["nonce"]) if int(match["until"]) > time.time() else None

    def begin(self) -> Session:
        """Return a new session."""
        nonce = secrets.token_hex(16)
        signed = f"{int(time.time()) + LASTS}.{nonce}"
        return self._session(f"{signed}.{self._mac('session', signed)}", nonce, is_new=True)

    def is_right(self, token: str) -> bool:
        """Tell whether this is the token, of which there is one."""
        return hmac.compare_digest(token.encode("utf-8", "surrogateescape"), str(self.token).encode())

    def may_guess(self, request: web.BaseRequest, now: float) -> bool:
        """Tell whether an address may have tried a wrong token, or too many of them."""
        return self._guesses.admit(_who(request), now)

    def _session(self, cookie: str, nonce: str, *, is_new: bool = False) -> Session:
        return Session(cookie, self._mac("form", nonce), is_new)

    def _mac(self, purpose: str, text: str) -> str:
        return hmac.digest(self._key, f"{purpose} {text}".encode(), sha256).hex()


def keep(request: web.BaseRequest, response: web.Response, session: Session) -> None:
    """Have the browser keep a session."""
    _set(request, response, session.cookie, LASTS)


def drop(request: web.BaseRequest, response: web.Response) -> None:
    """Have the browser forget its session."""
    _set(request, response, "", 0)


def is_from_elsewhere(request: web.BaseRequest) -> bool:
    """Tell whether a page of somebody else's has sent a request, as far as the browser says."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    try:
        return origin is not None and urlsplit(origin).netloc != request.host
    except ValueError:
        return True


def _set(request: web.BaseRequest, response: web.Response, value: str, seconds: int) -> None:
    is_secure = (
        request.secure or request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower() == "https"
    )
    response.set_cookie(
        _name_for(request), value, max_age=seconds, httponly=True, samesite="Strict", path="/", secure=is_secure
    )


def _name_for(request: web.BaseRequest) -> str:
    """Return the name of the cookie. Browsers do not tell ports apart, behind which there may be several servers."""
    port = _PORT.search(request.host)
    return f"tanima_{port[1]}" if port else "tanima"


def _who(request: web.BaseRequest) -> Hashable:
    try:
        return network_of(ip_address(request.remote or ""))
    except ValueError:
        return request.remote
