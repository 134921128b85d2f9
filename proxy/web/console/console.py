"""From a request to a page: who may see it, what it is made of, and what every answer brings along."""

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from http import HTTPStatus
from importlib.metadata import version
from urllib.parse import parse_qsl, quote

from aiohttp import web

from proxy.errors import ProxyError
from proxy.web import listener
from proxy.web.bodies import LARGEST, Refused, body_of
from proxy.web.console.cached import cached
from proxy.web.console.calls import call, calls
from proxy.web.console.configured import configuration, rules, sources
from proxy.web.console.now import Now
from proxy.web.console.rendering import PAGES, Renderer
from proxy.web.console.sessions import Session, Sessions, drop, is_from_elsewhere, keep
from proxy.web.console.trying import trying
from proxy.web.console.visit import Page, View, Visit
from proxy.web.console.words import WORDS, language_for
from proxy.web.operated import Operated

HEADERS = {
    **listener.HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer browsers hide even from us where a form comes from
    "Cross-Origin-Opener-Policy": "same-origin",
}

A_YEAR = 365 * 86400

FORM = "application/x-www-form-urlencoded"

MOST_FIELDS = 20
"""Of a form."""

LOGIN_WITHIN = 1.0
"""Seconds within which the form must have come of somebody who may be anybody."""

_LOADED = {"/console.css": "text/css", "/console.js": "text/javascript", "/icon.svg": "image/svg+xml"}

_LOGIN, _LOGOUT = "/login", "/logout"

_MOVING = "/now"

_PAGES: Mapping[str, Page] = {
    "/calls": calls,
    "/test": trying,
    "/sources": sources,
    "/rules": rules,
    "/configuration": configuration,
    "/cache": cached,
}

_TAKE_FORMS = frozenset({"/test", "/cache"})

_CALL = re.compile(r"/calls/[0-9]{1,15}", re.ASCII)
_OWN = re.compile(r"(/[a-z0-9/]*)(\?[A-Za-z0-9_.~=&%+/-]*)?", re.ASCII)

Fields = Mapping[str, str]


class Console:
    """The pages. With a `token` one has to log in; where there is none, the listener lets only this machine ask.

    `on_bug` is told of errors that nobody raised on purpose.
    """

    def __init__(self, operated: Operated, token: str | None, on_bug: Callable[[str, BaseException], None]) -> None:
        self._operated = operated
        self._sessions = Sessions(token)
        now = Now()
        self._pages: Mapping[str, Page] = {"/": now.whole, _MOVING: now.moving, **_PAGES}
        self._on_bug = on_bug
        self._loaded = {path: (PAGES / path[1:]).read_bytes() for path in _LOADED}
        self._assets = sha256(b"".join(self._loaded.values())).hexdigest()[:12]
        self._renderer = Renderer(version("tanima"), self._assets, has_token=token is not None)

    def session_of(self, request: web.BaseRequest) -> Session | None:
        """Return the session of a browser that is logged in."""
        return self._sessions.of(request)

    async def answer(self, request: web.BaseRequest) -> web.Response | None:
        """Return a page, or None for a path that is no page's."""
        path = request.path
        if path in _LOADED:
            return self._load(path)
        page = self._page_at(path)
        if page is None and path not in {_LOGIN, _LOGOUT}:
            return None
        visit = Visit(path, dict(request.query), WORDS[language_for(request)], self._sessions.of(request))
        try:
            response = await self._visited(request, visit, page)
        except Refused as exc:
            response = self._problem(visit, *exc.args)
            response.force_close()
        except ProxyError as exc:
            response = self._problem(visit, 503, str(exc))
        except Exception as exc:  # noqa: BLE001 - a page must not cost anybody a call
            self._on_bug("console", exc)
            response = self._problem(visit, 500)
        if request.query.get("lang") == visit.words.language:
            response.set_cookie("tanima_lang", visit.words.language, max_age=A_YEAR, samesite="Strict", httponly=True)
        return response

    def _page_at(self, path: str) -> Page | None:
        return call if _CALL.fullmatch(path) else self._pages.get(path)

    # ------------------------------------------------------------------ who may

    async def _visited(self, request: web.BaseRequest, visit: Visit, page: Page | None) -> web.Response:
        if request.method not in {"GET", "HEAD", "POST"}:
            return self._not_allowed(visit, "GET, HEAD, POST")
        if request.method == "POST":
            return await self._posted(request, visit, page)
        if page is None:
            return self._opened_door(request, visit)
        if visit.session is not None:
            return await self._shown(request, visit, page)
        if self._sessions.token is not None:
            return _see(f"{_LOGIN}?next={quote(request.path_qs, safe='')}")
        begun = _with(visit, session=self._sessions.begin())
        return await self._shown(request, begun, page)

    async def _posted(self, request: web.BaseRequest, visit: Visit, page: Page | None) -> web.Response:
        if page is not None and visit.path not in _TAKE_FORMS:
            return self._not_allowed(visit, "GET, HEAD")
        if is_from_elsewhere(request):
            return self._problem(visit, 403, visit.words.say("This form was sent by a page of somebody else."))
        if visit.path == _LOGIN:
            return self._log_in(request, visit, await _fields_of(request, LOGIN_WITHIN))
        if visit.session is None:  # of whom no form is waited for
            response = _see(f"{_LOGIN}?next={quote(visit.path, safe='')}" if self._sessions.token else visit.path)
            response.force_close()
            return response
        form = await _fields_of(request)
        if not visit.session.has_given(form.get("csrf", "")):
            return self._problem(visit, 403, visit.words.say("This form is out of date: open its page again."))
        return await self._shown(request, _with(visit, form=form), page) if page else _log_out(request)

    def _opened_door(self, request: web.BaseRequest, visit: Visit) -> web.Response:
        """Answer /login, and /logout, which is nothing to look at."""
        if self._sessions.token is None or visit.session is not None or visit.path == _LOGOUT:
            return _see(self._own(request.query.get("next", "")))
        return self._text(View("login.html", {"next": request.query.get("next", ""), "problem": ""}), visit)

    def _log_in(self, request: web.BaseRequest, visit: Visit, form: Fields) -> web.Response:
        following = form.get("next", "")
        if self._sessions.token is None:
            return _see(self._own(following))
        if self._sessions.is_right(form.get("token", "")):  # whoever else guesses from the same address
            response = _see(self._own(following))
            keep(request, response, self._sessions.begin())
            return response
        if self._sessions.may_guess(request, self._operated.now()):
            problem = visit.words.say("This is not the token. It stands in the configuration, as admin.token.")
            return self._text(View("login.html", {"next": following, "problem": problem}, 403), visit)
        problem = visit.words.say("This is not the token, as those before. Wait for ten seconds, and try again.")
        response = self._text(View("login.html", {"next": following, "problem": problem}, 429), visit)
        response.headers["Retry-After"] = "10"
        return response

    # ------------------------------------------------------------------ what is answered

    async def _shown(self, request: web.BaseRequest, visit: Visit, page: Page) -> web.Response:
        response = self._text(await page(self._operated, visit), visit)
        if visit.session is not None and visit.session.is_new:
            keep(request, response, visit.session)
        return response

    def _own(self, address: str) -> str:
        """Return the address of a page of ours; the first one's for any other."""
        match = _OWN.fullmatch(address)
        return address if match and match[1] != _MOVING and self._page_at(match[1]) else "/"

    def _text(self, view: View, visit: Visit) -> web.Response:
        text = self._renderer.text(view, visit)
        return web.Response(text=text, status=view.status, content_type="text/html", headers=HEADERS)

    def _problem(self, visit: Visit, status: int, sentence: str = "") -> web.Response:
        title = f"{status} {HTTPStatus(status).phrase}"
        return self._text(View("problem.html", {"title": title, "sentence": sentence}, status), visit)

    def _not_allowed(self, visit: Visit, methods: str) -> web.Response:
        response = self._problem(visit, 405)
        response.headers["Allow"] = methods
        return response

    def _load(self, path: str) -> web.Response:
        headers = {**HEADERS, "Cache-Control": f"max-age={A_YEAR}, immutable"}  # pages name it by its content
        return web.Response(body=self._loaded[path], content_type=_LOADED[path], charset="utf-8", headers=headers)


def _with(visit: Visit, *, session: Session | None = None, form: Fields | None = None) -> Visit:
    return Visit(visit.path, visit.query, visit.words, session or visit.session, form)


async def _fields_of(request: web.BaseRequest, within: float | None = None) -> Fields:
    """Return what was typed into a form. Raises Refused."""
    if request.content_type != FORM:
        raise Refused(415, f"is no form - allowed: Content-Type: {FORM}")
    if request.content_length is None:
        raise Refused(411, "does not say how long it is - allowed: Content-Length")
    if request.content_length > LARGEST:
        raise Refused(413, f"is too large for a form - allowed: {LARGEST} bytes at the most")
    try:
        return dict(parse_qsl(await body_of(request, within), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError as exc:
        raise Refused(400, "is no form - allowed: that of the page") from exc


def _log_out(request: web.BaseRequest) -> web.Response:
    response = _see(_LOGIN)
    drop(request, response)
    return response


def _see(address: str) -> web.Response:
    return web.Response(status=303, headers={**HEADERS, "Location": address})
