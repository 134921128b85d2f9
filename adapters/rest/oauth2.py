"""Gets access tokens by OAuth2, as each CRM wants to be asked."""

import base64
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlencode

from adapters.rest.access import OAuth2
from adapters.rest.answer import Answer, Rest, compiled, found
from adapters.rest.errors import check_status, code_of
from adapters.rest.requests import Request, plain
from adapters.rest.sections import TOKEN, Throttle
from adapters.rest.session import Granted, limited
from adapters.rest.tokens import TokenFile, Tokens, Writing, to_the_end
from adapters.rest.transport import Transport
from adapters.rest.urls import is_on_one_of, split_url
from proxy.adapter import AdapterError

LEAST_LEFT = 5.0
"""Seconds that a token from the file must still live."""

LONGEST_BASE_URL = 500
"""Characters. A host is far shorter, and nobody is to be held up by reading a longer one."""

REFUSED = frozenset({400, 401, 403})


class OAuth2Login:
    """Logs in with the options of one source. `clock` gives seconds since 1970."""

    def __init__(self, options: OAuth2, transport: Transport, clock: Callable[[], float] = time.time) -> None:
        self._options = options
        self._transport = transport
        self._clock = clock
        self._base_url = compiled(options.base_url)
        self._rest = Rest(Throttle())
        self._file = TokenFile(Path(options.token_file)) if options.token_file else None
        self._unsaved: tuple[Tokens | None, Tokens] | None = None
        """What was in the file, and what was given in its place and could not be written down"""
        secrets = (
            options.client_id,
            options.grant,
            plain(options.token_url),
            plain(options.refresh_token),
            options.user,
            None if options.grant == "refresh_token" else plain(options.parameters),  # a refresh token serves once
        )
        self._made_for = hashlib.sha256(json.dumps(secrets).encode()).hexdigest()

    async def obtain(self, old: Granted | None) -> Granted:
        """Return another token than the old one: from the file if there is one, else a new one. Raises AdapterError."""
        if self._file is None:
            return self._granted(await limited(self._asked(None)))
        async with self._file.locked():
            kept = self._file.read(self._made_for)
            if self._unsaved is not None and self._unsaved[0] != kept:
                self._unsaved = None  # somebody has written since, and what is newer must stay
            if kept is None or self._unsaved is not None or not self._is_good(kept, old):
                kept = await self._renewed(kept, self._file.prepare())
            return self._granted(kept)

    def request(self, refresh_token: str | None) -> Request:
        """Return the request for a token."""
        options = self._options
        secret = plain(options.client_secret)
        sent: dict[str, str | None] = {"grant_type": options.grant}
        headers: dict[str, str] = {}
        if options.client_auth == "basic":
            pair = f"{quote(options.client_id, safe='')}:{quote(secret or '', safe='')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
        else:
            sent |= {"client_id": options.client_id, "client_secret": secret}
        if options.grant == "refresh_token":
            sent["refresh_token"] = refresh_token or plain(options.refresh_token)
        if options.grant == "password":
            sent |= {"username": options.user, "password": plain(options.password)}
        pairs = {name: value for name, value in sent.items() if value is not None} | plain(options.parameters)
        url: str = plain(options.token_url)
        form = urlencode(pairs, errors="replace")
        if options.method == "GET":
            return Request("GET", f"{url}{'&' if '?' in url else '?'}{form}", headers)
        if options.format == "json":
            return Request("POST", url, {**headers, "Content-Type": "application/json"}, json.dumps(pairs).encode())
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return Request("POST", url, headers, form.encode())

    def headers(self, token: str) -> Mapping[str, str]:
        """Return the header that the CRM wants the token in."""
        scheme = self._options.scheme
        return {self._options.header.lower(): f"{scheme} {token}" if scheme else token}

    async def _renewed(self, kept: Tokens | None, writing: Writing) -> Tokens:
        try:
            self._unsaved = self._unsaved or (kept, await limited(self._asked(kept)))
        except BaseException:
            writing.give_up()
            raise
        _, tokens = self._unsaved
        await to_the_end(partial(self._write_down, writing, tokens))
        return tokens

    def _write_down(self, writing: Writing, tokens: Tokens) -> None:
        writing.write(tokens)
        self._unsaved = None

    async def _asked(self, kept: Tokens | None) -> Tokens:
        refresh_token = kept.refresh_token if kept is not None else None
        answer = await self._transport.send(self.request(refresh_token))
        return self._tokens(answer, refresh_token)

    def _tokens(self, answer: Answer, refresh_token: str | None) -> Tokens:
        said = answer.said if isinstance(answer.said, dict) else {}
        code = code_of(said.get("error"))
        if answer.status in REFUSED:
            raise AdapterError(f"the log-in for a token is refused ({answer.status}{code and f', {code}'})")
        self._rest.check(answer)
        check_status(answer.status, code)
        token = said.get(TOKEN)
        if not isinstance(token, str) or not token.isprintable() or not token:
            raise AdapterError(f"the answer to the log-in has no {TOKEN}{code and f' ({code})'}")
        renewed = said.get("refresh_token")
        base_url = found(self._base_url, said)
        return Tokens(
            token,
            self._clock() + self._lifetime(said.get("expires_in")),
            renewed if isinstance(renewed, str) and renewed else refresh_token,
            base_url if isinstance(base_url, str) else None,
            self._made_for,
        )

    def _lifetime(self, told: object) -> float:
        if isinstance(told, bool):
            return self._options.lifetime
        try:
            seconds = float(told)  # type: ignore[arg-type]  # a number, or a text of one
        except (TypeError, ValueError, OverflowError):
            return self._options.lifetime
        return seconds if 0 < seconds < float("inf") else self._options.lifetime

    def _origin(self, tokens: Tokens) -> str | None:
        """Return where the API is, if the answer with the token says so. Raises AdapterError when it may not be there.

        It is looked at whenever a token is used, and not before it is kept: a refresh token must not be lost with it.
        """
        if self._base_url is None:
            return None
        try:
            origin = _origin_of(tokens.base_url or "")
        except ValueError as exc:
            raise AdapterError("the answer to the log-in has no URL where base_url says") from exc
        is_as_safe = origin.startswith("https:") or plain(self._options.token_url).startswith("http:")
        if not is_as_safe or not is_on_one_of(origin, self._options.base_url_hosts):
            raise AdapterError("the answer to the log-in names a host that is not among base_url_hosts")
        return origin

    def _is_good(self, kept: Tokens, old: Granted | None) -> bool:
        is_old = old is not None and old.values.get(TOKEN) == kept.access_token
        with suppress(AdapterError):
            self._origin(kept)
            return not is_old and kept.ends > self._clock() + LEAST_LEFT
        return False

    def _granted(self, tokens: Tokens) -> Granted:
        return Granted(
            {TOKEN: tokens.access_token},
            self.headers(tokens.access_token),
            self._origin(tokens),
            max(0.0, tokens.ends - self._clock()),
        )


def _origin_of(text: str) -> str:
    """Return scheme, host and port of a URL, which is of https where it has no scheme. Raises ValueError."""
    if len(text) > LONGEST_BASE_URL or "{" in text:
        raise ValueError("is no URL of a host")
    origin, _ = split_url(text if "://" in text else f"https://{text}")
    return origin
