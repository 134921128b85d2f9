"""Sends requests and returns what was answered, from the CRM or from a recording."""

import asyncio
import re
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Protocol

import aiohttp
from yarl import URL

from adapters.rest.answer import Answer
from adapters.rest.errors import meaning_of
from adapters.rest.manners import Manners
from adapters.rest.names import Resolver
from adapters.rest.options import RestConfig
from adapters.rest.requests import Request, plain
from proxy.adapter import AdapterError, Unavailable

LONGEST_ANSWER = 64 * 1024
"""Bytes. What is longer is no answer about one caller, and reading it would hold up the others."""

CONNECT_PATIENCE = 5.0
"""Seconds. The proxy waits far shorter; this ends what it has left behind."""

FIRST_FAILURE = 300
"""The lowest status that is no success, and whose body says at most what is wrong."""

UNREADABLE = (AdapterError, aiohttp.ClientError, OSError)
"""What may be wrong with the body of a failure, of which the status says enough."""

GZIP = b"\x1f\x8b"
"""What begins so is compressed, though we ask for it plain."""

LONGEST_EXCHANGE = 60.0
"""Seconds for a longer answer, such as a list that is read ahead; likewise. Whoever waits for one of the usual length
ends it himself: a timer for each takes its time."""

_URL = re.compile(r"(https?)://([^/?#]+)(/[^?#]*)?(?:\?([^#]*))?")

ASKED_FOR = {"Accept": "application/json", "Accept-Encoding": "identity"}
"""Headers of each request, where the options have no others."""

KEPT_OPEN = 60.0
"""Seconds for which an idle connection is kept, for the next call."""


class Transport(Protocol):
    """Sends requests."""

    async def open(self) -> None:
        """Make ready, without connecting."""

    async def send(self, request: Request, longest: int = LONGEST_ANSWER) -> Answer:
        """Return the answer, of at most `longest` bytes. Raises AdapterError."""

    async def close(self) -> None:
        """Give connections back."""


class Http:
    """Sends requests to the CRM."""

    def __init__(self, config: RestConfig, manners: Manners, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._manners = manners
        self._clock = clock
        self._proxy: str | None = plain(config.proxy)
        self._reads_failures = _tells_failures_apart(config)
        self._session: aiohttp.ClientSession | None = None
        self._resolver: Resolver | None = None
        self._free = asyncio.Semaphore(config.connections)

    async def open(self) -> None:
        self._resolver = Resolver()
        self._session = aiohttp.ClientSession(
            auto_decompress=False,  # a small compressed answer may be a huge one
            connector=aiohttp.TCPConnector(
                limit=self._config.connections,
                keepalive_timeout=KEPT_OPEN,
                resolver=self._resolver,
                ssl=self._config.tls.context() if self._config.tls is not None else True,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=ASKED_FOR,
            timeout=_timeout(None),
            trust_env=False,
        )

    async def send(self, request: Request, longest: int = LONGEST_ANSWER) -> Answer:
        if self._session is None:
            raise RuntimeError("asked before it was opened")
        self._manners.check(self._clock())
        async with self._free:  # who waits here must still see that the CRM has asked to be left alone
            if (wait := self._manners.enter(self._clock())) > 0:
                await asyncio.sleep(wait)
                self._manners.check(self._clock())
            if self._session.closed:
                raise Unavailable("the adapter is closed")
            return await self._exchanged(self._session, request, longest)

    async def close(self) -> None:
        if self._session is not None and self._resolver is not None:
            await self._session.close()
            await self._resolver.close()

    async def _exchanged(self, session: aiohttp.ClientSession, request: Request, longest: int) -> Answer:
        try:
            response = await session.request(
                request.method,
                _url(request.url),
                headers=_with_trace(request.headers),
                data=request.body,
                allow_redirects=False,
                proxy=self._proxy,
                timeout=session.timeout if longest <= LONGEST_ANSWER else _timeout(LONGEST_EXCHANGE),
            )
            try:
                return await self._answer(response, longest)
            except BaseException:
                response.close()
                raise
        except (aiohttp.ClientError, OSError) as exc:
            raise meaning_of(exc) from exc

    async def _answer(self, response: aiohttp.ClientResponse, longest: int) -> Answer:
        """Return what is answered. The connection is free for others when all of it has been read."""
        if response.status < FIRST_FAILURE:
            return Answer(response.status, response.headers, await _content(response, longest))
        if self._reads_failures:
            with suppress(*UNREADABLE):
                return Answer(response.status, response.headers, await _content(response, longest))
        response.close()
        return Answer(response.status, response.headers)


class Recorded:
    """Answers requests with what was recorded, in its order, and asks nobody.

    A recording is the body of an answer, or a whole one as `curl -i` prints it.
    """

    def __init__(self, recordings: Sequence[bytes]) -> None:
        self._left: Iterator[Answer] = iter([recorded(recording) for recording in recordings])
        self._count = len(recordings)

    async def open(self) -> None:
        pass

    async def send(self, request: Request, longest: int = LONGEST_ANSWER) -> Answer:  # noqa: ARG002 - whatever is asked
        answer = next(self._left, None)
        if answer is None:
            raise AdapterError(f"a further request would be sent, and only {self._count} answers are recorded")
        return answer

    async def close(self) -> None:
        pass


def _timeout(total: float | None) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total, sock_connect=CONNECT_PATIENCE)


def _url(text: str) -> URL:
    """Return a URL of http or https, whose parts are encoded: to have yarl find them takes four times as long."""
    found = _URL.fullmatch(text)
    if found is None:
        return URL(text, encoded=True)
    scheme, authority, path, query = found.groups("")
    return URL.build(scheme=scheme, authority=authority, path=path or "/", query_string=query, encoded=True)


def _with_trace(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Add what tells the CRM of which trace this is a part, where the proxy traces calls: it has OpenTelemetry then."""
    if (propagate := sys.modules.get("opentelemetry.propagate")) is not None:
        headers = {**headers}
        propagate.inject(headers)
    return headers


def _tells_failures_apart(config: RestConfig) -> bool:
    """Tell whether the options want to know what the body of a failure says."""
    logins = config.login.requests if config.login is not None else []
    read = (config, *config.steps, *config.maps.values(), *logins)
    is_told = any(getattr(each, option, None) for each in read for option in ("error", "unknown"))
    return bool(is_told or config.oauth2 or config.logged_out or config.throttle.when or config.throttle.seconds)


def recorded(recording: bytes) -> Answer:
    """Return the answer that was recorded. Raises ValueError when it begins like HTTP and is none."""
    if not recording.startswith(b"HTTP/"):
        return Answer(200, {"content-length": str(len(recording))}, recording)
    head, *body = re.split(rb"\r?\n\r?\n", recording, maxsplit=1)
    first, *lines = head.decode("latin-1").splitlines()
    with suppress(IndexError, ValueError):
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Answer(int(first.split()[1]), headers, b"".join(body))
    raise ValueError("begins like an answer of HTTP, and is none - allowed: as curl -i prints it, or a body alone")


async def _content(response: aiohttp.ClientResponse, longest: int) -> bytes:
    """Return the body. Raises AdapterError when it is too long, or compressed in a way that nobody asked for."""
    content = await response.content.readany()
    if not response.content.at_eof():  # most come in one piece
        pieces = bytearray(content)
        while len(pieces) <= longest and (piece := await response.content.readany()):
            pieces.extend(piece)
        content = bytes(pieces)
    if len(content) > longest:
        raise _too_long(longest)
    if (
        not content
        and response.status != HTTPStatus.NO_CONTENT
        and {"Content-Length", "Transfer-Encoding"}.isdisjoint(response.headers)
    ):
        raise Unavailable("the CRM's answer breaks off")  # nothing says that it was meant to be empty
    if not content.startswith(GZIP):  # some say that it is compressed when it is not
        return content
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        unpacked = unpacking.decompress(content, longest + 1)
    except zlib.error as exc:
        raise AdapterError("the CRM's answer is compressed, and cannot be unpacked") from exc
    if len(unpacked) > longest:
        raise _too_long(longest)
    return unpacked


def _too_long(longest: int) -> AdapterError:
    return AdapterError(f"the CRM's answer is longer than {longest // 1024} kB")
