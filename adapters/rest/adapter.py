"""Asks a CRM over HTTP, one request for each lookup."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
from yarl import URL

from adapters.placeholders import NUMBER_FORMS, contact_values, number_values
from adapters.rest.answer import Reading, parsed
from adapters.rest.errors import check_status, translated
from adapters.rest.options import RestConfig, plain, split_url
from adapters.rest.template import Values, filled_body, filled_header, filled_path
from proxy.adapter import Adapter, AdapterError, Contact, Inspection, PhoneNumber, Unavailable

LONGEST_ANSWER = 64 * 1024
"""Bytes. What is longer is no answer about one caller, and reading it would hold up the others."""

MOST_CONNECTIONS = 20

CONNECT_PATIENCE = 5.0
"""Seconds. The proxy waits far shorter; this ends what it has left behind."""


class RestAdapter(Adapter):
    """Asks as the TOML says, and finds contacts in the JSON that is answered."""

    Config = RestConfig

    def __init__(self, config: RestConfig) -> None:
        self._config = config
        self._names = config.placeholders()
        self._origin, self._path = split_url(config.url)
        self._query: dict[str, str] = plain(config.query)
        self._headers: dict[str, str] = plain(config.headers)
        self._authorization = config.authorization()
        self._reading = Reading(config)
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._session = aiohttp.ClientSession(
            auto_decompress=False,  # a small compressed answer may be a huge one
            connector=aiohttp.TCPConnector(limit=MOST_CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_PATIENCE),
            trust_env=False,
        )

    async def lookup(self, key: PhoneNumber) -> list[Contact]:
        """Return the contacts in the CRM's answer. Raises AdapterError."""
        answer = await self._ask(number_values(key, self._names))
        return self._reading.contacts(answer)

    async def enrich(self, contact: Contact) -> Contact:
        """Return the contact with the fields of the first record in the CRM's answer. Raises AdapterError."""
        values = contact_values(contact, self._names)
        if values is None:
            return contact
        return contact.with_fields(self._reading.fields(await self._ask(values)))

    async def ping(self) -> None:
        """Return when the CRM answers anything at all, or `ping_url` with success. Raises AdapterError."""
        if self._config.ping_url is None:
            async with self._response("GET", "/", {}):
                return
        async with self._response("GET", split_url(self._config.ping_url)[1], self._authorization) as response:
            check_status(response.status, response.headers.get("Retry-After"))

    async def inspect(self, number: PhoneNumber) -> Inspection:
        """Ask for a number that nobody has; a source that enriches has nothing to ask for."""
        needs = self._names.difference(NUMBER_FORMS)
        started = time.perf_counter()
        found = () if needs else await self.lookup(number)
        seconds = time.perf_counter() - started
        told = "record: is there for a number that nobody has, and without numbers - allowed: numbers, to be checked"
        problems = [told] if any(not contact.numbers for contact in found) else []
        return Inspection(frozenset(self._config.fields), frozenset(needs), problems, seconds=seconds)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _ask(self, values: Values) -> Any:  # noqa: ANN401 - any JSON
        """Return the CRM's answer; None when it says that there is nothing."""
        path = filled_path(self._path, self._query, values)
        headers = {name: filled_header(text, values) for name, text in self._headers.items()} | self._authorization
        body = None
        if self._config.body is not None:
            body = filled_body(self._config.body, values)
            headers["Content-Type"] = "application/json"
        async with self._response(self._config.method, path, headers, body) as response:
            is_unknown = response.status in self._config.unknown_status
            if not is_unknown:
                check_status(response.status, response.headers.get("Retry-After"))
            content = await _content(response)
        return None if is_unknown or not content.strip() else parsed(content)

    @asynccontextmanager
    async def _response(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._session is None:
            raise RuntimeError("asked before it was opened")
        with translated():
            async with self._session.request(
                method,
                URL(self._origin + path, encoded=True),
                headers={"Accept": "application/json", "Accept-Encoding": "identity", **headers},
                data=body,
                allow_redirects=False,
            ) as response:
                yield response


async def _content(response: aiohttp.ClientResponse) -> bytes:
    """Return the body. Raises AdapterError when it is too long, or compressed although we asked for it plain."""
    if response.headers.get("Content-Encoding", "identity").lower() not in {"identity", ""}:
        raise AdapterError("the CRM's answer is compressed, which was not asked for")
    content = bytearray()
    async for piece in response.content.iter_any():
        content.extend(piece)
        if len(content) > LONGEST_ANSWER:
            response.close()
            raise AdapterError(f"the CRM's answer is longer than {LONGEST_ANSWER // 1024} kB")
    if (
        not content
        and response.status != HTTPStatus.NO_CONTENT
        and {"Content-Length", "Transfer-Encoding"}.isdisjoint(response.headers)
    ):
        raise Unavailable("the CRM's answer breaks off")  # nothing says that it was meant to be empty
    return bytes(content)
