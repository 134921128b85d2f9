"""The names of hosts, and what else needs a thread: no hung thread of others and no name server is in the way."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.resolver import ThreadedResolver

from adapters.rest import RestAdapter, names
from adapters.rest.names import Resolver
from proxy.adapter import Contact
from tests.adapters.oauth_crm import OAuthCrm, kept_in
from tests.adapters.rest_crm import AYSE, opened
from tests.adapters.stepping_crm import CONTACT, MAP, SEARCH, SteppingCrm

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 80))]
MOVED = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.8", 80))]
LONGEST = 10.0


class NameServer:
    """Stands in for getaddrinfo, and can fail or hang."""

    def __init__(self) -> None:
        self.said: Any = FOUND
        self.asked: list[str] = []
        self.goes_on = threading.Event()
        self.goes_on.set()

    def __call__(self, host: str, *_: object, **__: object) -> Any:
        self.asked.append(host)
        said = self.said
        assert self.goes_on.wait(LONGEST)
        if isinstance(said, Exception):
            raise said
        return said


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    server = NameServer()
    monkeypatch.setattr("adapters.rest.names.socket.getaddrinfo", server)
    yield server
    server.goes_on.set()


@pytest.fixture
async def resolver() -> AsyncIterator[Resolver]:
    resolver = Resolver()
    yield resolver
    await resolver.close()


@pytest.fixture
async def all_threads_hang() -> AsyncIterator[None]:
    """Have all threads that everybody shares be busy for good."""
    goes_on = threading.Event()
    loop = asyncio.get_running_loop()
    hung = [loop.run_in_executor(None, goes_on.wait, 60) for _ in range(64)]
    yield
    goes_on.set()
    await asyncio.gather(*hung)


async def addresses(resolver: Resolver, host: str = "crm.test") -> list[str]:
    return [found["host"] for found in await asyncio.wait_for(resolver.resolve(host, 80), LONGEST)]


async def completed(adapter: RestAdapter, contact: Contact) -> Contact:
    return [more async for more in adapter.complete(contact, AYSE)][-1]


# ---------------------------------------------------------------------------------------- hung threads of others


async def test_a_host_is_found_by_its_name_while_the_threads_of_others_hang(all_threads_hang: None) -> None:
    crm = SteppingCrm()
    async with crm.http, opened(f"http://localhost:{crm.http.port}/search", "find", **SEARCH) as adapter:
        found = await asyncio.wait_for(adapter.lookup(AYSE), LONGEST)
    assert [contact.name for contact in found] == [CONTACT["name"]]


async def test_a_list_is_read_ahead_while_the_threads_of_others_hang(all_threads_hang: None) -> None:
    crm = SteppingCrm()
    options = {**SEARCH, "maps": {"extension": {**MAP, "of": "owner_id"}}}
    crm.said["/phones"] = {"list": [{"agent": 3, "number": "1003"}]}
    async with crm.http, opened(f"{crm.http.url}/search", "find", **options) as adapter:
        whole = await asyncio.wait_for(completed(adapter, Contact("Ayşe", {"owner_id": 3})), LONGEST)
    assert whole.value("extension") == "1003"


async def test_a_token_is_written_down_while_the_threads_of_others_hang(tmp_path: Path, all_threads_hang: None) -> None:
    crm = OAuthCrm(rotates=True)
    async with crm.http, crm.opened(crm.rotating_options(tmp_path / "crm.token")) as adapter:
        await asyncio.wait_for(adapter.lookup(AYSE), LONGEST)
        assert kept_in(tmp_path / "crm.token") == "refresh-1"


# ---------------------------------------------------------------------------------------- name servers


async def test_it_finds_what_aiohttp_finds(resolver: Resolver) -> None:
    for family in (socket.AF_UNSPEC, socket.AF_INET):
        theirs = await ThreadedResolver().resolve("localhost", 80, family)
        assert await resolver.resolve("localhost", 80, family) == theirs


async def test_an_address_that_is_good_on_one_link_only_is_told_with_it(server: NameServer, resolver: Resolver) -> None:
    server.said = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 80, 0, 0)),
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", 80, 0, 1)),
    ]
    link = socket.if_indextoname(1)
    assert await addresses(resolver) == ["2001:db8::1", f"fe80::1%{link}"]


async def test_a_host_that_was_never_found_is_told_to_be_unknown(server: NameServer, resolver: Resolver) -> None:
    server.said = socket.gaierror(socket.EAI_AGAIN, "try again")
    with pytest.raises(socket.gaierror):
        await addresses(resolver)


async def test_while_the_name_server_fails_the_last_addresses_are_good(server: NameServer, resolver: Resolver) -> None:
    await addresses(resolver)
    server.said = socket.gaierror(socket.EAI_AGAIN, "try again")
    assert await addresses(resolver) == ["192.0.2.7"]
    server.said = MOVED
    assert await addresses(resolver) == ["192.0.2.8"]


async def test_while_the_name_server_hangs_the_last_addresses_are_good_and_it_is_asked_once(
    server: NameServer, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "NAME_PATIENCE", 0.01)
    await addresses(resolver)
    server.said = MOVED
    server.goes_on.clear()
    for _ in range(20):
        assert await addresses(resolver) == ["192.0.2.7"]
    assert len(server.asked) == 2
    (asked,) = resolver._asked.values()
    server.goes_on.set()
    await asyncio.wait({asked}, timeout=LONGEST)
    server.said = socket.gaierror(socket.EAI_AGAIN, "try again")
    assert await addresses(resolver) == ["192.0.2.8"], "what it says in the end is not lost"


async def test_a_host_that_is_there_no_longer_is_asked_no_more(server: NameServer, resolver: Resolver) -> None:
    await addresses(resolver)
    server.said = socket.gaierror(socket.EAI_NONAME, "no such name")
    with pytest.raises(socket.gaierror):
        await addresses(resolver)


async def test_addresses_are_not_good_for_ever(
    server: NameServer, resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "LONGEST_KEPT", 0.0)
    await addresses(resolver)
    server.said = socket.gaierror(socket.EAI_AGAIN, "try again")
    with pytest.raises(socket.gaierror):
        await addresses(resolver)


async def test_a_hung_name_server_takes_so_many_threads_and_no_more(server: NameServer) -> None:
    server.goes_on.clear()
    resolver, before = Resolver(), threading.active_count()
    waiting = [asyncio.ensure_future(addresses(resolver, f"{n}.test")) for n in range(20) for _ in range(3)]
    await asyncio.wait(waiting, timeout=0.05)
    assert threading.active_count() - before <= names.MOST_THREADS
    await asyncio.wait_for(resolver.close(), LONGEST / 2)  # which waits for none of them
    server.goes_on.set()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert len(server.asked) <= names.MOST_THREADS
