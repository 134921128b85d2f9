"""Gets access tokens by OAuth2, as each CRM wants to be asked."""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

from adapters.rest.access import OAuth2
from adapters.rest.answer import Answer, compiled, found
from adapters.rest.errors import check_status, code_of
from adapters.rest.requests import Request, plain
from adapters.rest.sections import TOKEN
from adapters.rest.session import Granted
from adapters.rest.tokens import TokenFile, Tokens
from adapters.rest.transport import Transport
from adapters.rest.urls import is_on_one_of, split_url
from proxy.adapter import AdapterError

LEAST_LEFT = 5.0
"""Seconds that a token from the file must still live."""

REFUSED = frozenset({400, 401, 403})


class OAuth2Login:
    """Logs in with the options of one source. `clock` gives seconds since 1970."""

    def __init__(self, options: OAuth2, transport: Transport, clock: Callable[[], float] = time.time) -> None:
        self._options = options
        self._transport = transport
        self._clock = clock
        self._base_url = compiled(options.base_url)
        self._file = TokenFile(Path(options.token_file)) if options.token_file else None
        secrets = (options.client_id, options.grant, plain(options.token_url), plain(options.refresh_token))
        self._made_for = hashlib.sha256(json.dumps(secrets).encode()).hexdigest()

    async def obtain(self, refused: Granted | None) -> Granted:
        """Return a token: from the file if it is still good and not the one that was refused. Raises AdapterError."""
        if self._file is None:
            return self._granted(await self._asked(None), is_proven=False)
        async with self._file.locked():
            kept = self._file.read(self._made_for)
            if kept is not None and kept.ends > self._clock() + LEAST_LEFT and not _is_of(refused, kept):
                return self._granted(kept, is_proven=True)
            writing = self._file.prepare()
            try:
                tokens = await self._asked(kept)
                await asyncio.to_thread(writing.write, tokens)
            finally:
                writing.close()
            return self._granted(tokens, is_proven=False)

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
        if options.method == "GET":
            return Request("GET", f"{url}{'&' if '?' in url else '?'}{urlencode(pairs)}", headers)
        if options.format == "json":
            return Request("POST", url, {**headers, "Content-Type": "application/json"}, json.dumps(pairs).encode())
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return Request("POST", url, headers, urlencode(pairs).encode())

    def headers(self, token: str) -> Mapping[str, str]:
        """Return the header that the CRM wants the token in."""
        scheme = self._options.scheme
        return {self._options.header.lower(): f"{scheme} {token}" if scheme else token}

    async def _asked(self, kept: Tokens | None) -> Tokens:
        refresh_token = kept.refresh_token if kept is not None else None
        answer = await self._transport.send(self.request(refresh_token))
        return self._tokens(answer, refresh_token)

    def _tokens(self, answer: Answer, refresh_token: str | None) -> Tokens:
        said = answer.said if isinstance(answer.said, dict) else {}
        code = code_of(said.get("error"))
        if answer.status in REFUSED:
            raise AdapterError(f"the log-in for a token is refused ({answer.status}{code and f', {code}'})")
        check_status(answer.status, code)
        token = said.get(TOKEN)
        if not isinstance(token, str) or not token.isprintable() or not token:
            raise AdapterError(f"the answer to the log-in has no {TOKEN}{code and f' ({code})'}")
        renewed = said.get("refresh_token")
        return Tokens(
            token,
            self._clock() + self._lifetime(said.get("expires_in")),
            renewed if isinstance(renewed, str) and renewed else refresh_token,
            self._origin(said),
            self._made_for,
        )

    def _lifetime(self, told: object) -> float:
        try:
            seconds = float(told)  # type: ignore[arg-type]  # a number, or a text of one
        except (TypeError, ValueError):
            return self._options.lifetime
        return seconds if 0 < seconds < float("inf") else self._options.lifetime

    def _origin(self, said: Mapping[str, object]) -> str | None:
        if self._base_url is None:
            return None
        url = found(self._base_url, said)
        try:
            text = url if isinstance(url, str) else ""
            origin, _ = split_url(text if "://" in text else f"https://{text}")
        except ValueError as exc:
            raise AdapterError("the answer to the log-in has no URL where base_url says") from exc
        is_as_safe = origin.startswith("https:") or plain(self._options.token_url).startswith("http:")
        if not is_as_safe or not is_on_one_of(origin, self._options.base_url_hosts):
            raise AdapterError("the answer to the log-in names a host that is not among base_url_hosts")
        return origin

    def _granted(self, tokens: Tokens, *, is_proven: bool) -> Granted:
        return Granted(
            {TOKEN: tokens.access_token},
            self.headers(tokens.access_token),
            tokens.origin,
            max(0.0, tokens.ends - self._clock()),
            is_proven,
        )


def _is_of(refused: Granted | None, kept: Tokens) -> bool:
    return refused is not None and refused.values.get(TOKEN) == kept.access_token
