"""Finds the addresses of hosts in threads of its own: those that all share may be hung, by whatever else is called."""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from aiohttp.abc import AbstractResolver, ResolveResult

T = TypeVar("T")

MOST_THREADS = 4
"""That ask for names. Each name is asked for once at a time, so this is how many hosts may be waited for."""

NAME_PATIENCE = 0.25
"""Seconds for which a name server is waited for where the addresses of last time are known."""

LONGEST_KEPT = 86_400.0
"""Seconds for which these are good, from when they were found."""

Key = tuple[str, int, int]


class Resolver(AbstractResolver):
    """Asks as aiohttp's own resolver does, and falls back on the last answer while a name server fails or hangs."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MOST_THREADS, "names")
        self._asked: dict[Key, asyncio.Future[list[ResolveResult]]] = {}
        self._found: dict[Key, tuple[float, list[ResolveResult]]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host. Raises OSError."""
        key = (host, port, family)
        known = self._known(key)
        asked = self._asked.get(key) or self._ask(key)
        await asyncio.wait({asked}, timeout=NAME_PATIENCE if known else None)
        if known and (not asked.done() or _may_pass(asked.exception())):
            return known
        return asked.result()

    async def close(self) -> None:
        """Ask no more, and wait for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _known(self, key: Key) -> list[ResolveResult] | None:
        until, addresses = self._found.get(key, (0.0, None))
        return addresses if asyncio.get_running_loop().time() < until else None

    def _ask(self, key: Key) -> "asyncio.Future[list[ResolveResult]]":
        asked = asyncio.get_running_loop().run_in_executor(self._threads, partial(_addresses, *key))
        self._asked[key] = asked
        asked.add_done_callback(partial(self._answered, key))
        return asked

    def _answered(self, key: Key, asked: "asyncio.Future[list[ResolveResult]]") -> None:
        del self._asked[key]
        if not asked.cancelled() and asked.exception() is None:
            self._found[key] = (asked.get_loop().time() + LONGEST_KEPT, asked.result())


def in_a_thread(work: Callable[[], T]) -> "asyncio.Future[T]":
    """Start something short in a thread that is there for nothing else, and goes on when nobody waits any longer."""
    thread = ThreadPoolExecutor(1, "rest")
    try:
        return asyncio.get_running_loop().run_in_executor(thread, work)
    finally:
        thread.shutdown(wait=False)


def _may_pass(failure: BaseException | None) -> bool:
    """Tell whether a name server had trouble, rather than saying that there is no such host."""
    return failure is not None and getattr(failure, "errno", None) != socket.EAI_NONAME


def _addresses(host: str, port: int, family: int) -> list[ResolveResult]:
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [_result(host, of_kind, proto, address) for of_kind, _, proto, _, address in found]


def _result(host: str, family: socket.AddressFamily, proto: int, address: Any) -> ResolveResult:  # noqa: ANN401 - varies
    numeric, port, *scope = address
    if any(scope):  # an address that is good on one link only, which getnameinfo names
        numeric, port = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=numeric, port=int(port), family=family, proto=proto, flags=flags)
