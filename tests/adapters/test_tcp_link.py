"""A link passes what is sent through it, and fails as it is told, before real servers."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import closing

import aiohttp
import asyncpg
import pytest
from sqlalchemy.engine import make_url

from proxy.detached import detach
from proxy.testing import HttpCrm, TcpLink, faults
from proxy.testing.behaviours import alternating, answers, answers_late, bombs, failures, redirects, resets_after
from proxy.testing.tcp_link import Fault, Passage
from tests.servers import Postgres

GREETING = b'{"items": [{"title": "Deneme"}]}'
QUESTION = b"GET /contacts HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n"
WHOLE = len(HEAD) + len(b"Content-Type: application/json\r\nContent-Length: 32\r\n\r\n") + len(GREETING)
SOON = 5.0
"""Seconds for what happens at once"""

Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def crm() -> AsyncIterator[HttpCrm]:
    async with HttpCrm(lambda _: GREETING) as crm:
        yield crm


@pytest.fixture
async def link(crm: HttpCrm) -> AsyncIterator[TcpLink]:
    async with TcpLink("127.0.0.1", crm.port) as link:
        yield link


@pytest.fixture
async def client(link: TcpLink) -> AsyncIterator[Callable[[], "asyncio.Future[Peer]"]]:
    """Connect through the link; all connections are closed at the end."""
    peers = []

    async def connect() -> Peer:
        peer = await asyncio.open_connection("127.0.0.1", link.port)
        peers.append(peer)
        return peer

    yield lambda: detach(connect())
    for _, writer in peers:
        writer.transport.abort()
    await asyncio.sleep(0)


Connect = Callable[[], "asyncio.Future[Peer]"]


async def ask(peer: Peer) -> bytes:
    """Ask, and return the answer, or what there is of it when the connection ends."""
    reader, writer = peer
    writer.write(QUESTION)
    try:
        return await asyncio.wait_for(reader.readexactly(WHOLE), SOON)
    except asyncio.IncompleteReadError as exc:
        return exc.partial


async def is_silent(peer: Peer, seconds: float = 0.2) -> bool:
    """Tell whether nothing comes, and the connection stays."""
    reading = detach(peer[0].read(1))
    done, _ = await asyncio.wait({reading}, timeout=seconds)
    reading.cancel()
    return not done


async def until(reached: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < SOON
        await asyncio.sleep(0.005)


async def test_without_a_fault_everything_passes_and_is_counted(link: TcpLink, client: Connect) -> None:
    peers = [await client() for _ in range(3)]
    for peer in peers:
        assert (await ask(peer)).endswith(GREETING)
        assert (await ask(peer)).startswith(HEAD)
    assert (link.connections, link.asked, link.answered) == (3, 6 * len(QUESTION), 6 * WHOLE)
    assert len(link.passages) == 3
    assert link.fault is None


async def test_who_hangs_up_is_forgotten(link: TcpLink, client: Connect) -> None:
    first, second = await client(), await client()
    await ask(first)
    first[1].close()
    await until(lambda: len(link.passages) == 1)
    assert (await ask(second)).endswith(GREETING)


async def test_a_large_answer_passes_whole(link: TcpLink, crm: HttpCrm) -> None:
    large = bytes(range(256)) * 20_000
    crm.answer = lambda _: large
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{link.port}/") as response:
        assert await response.read() == large


async def test_a_client_that_has_said_all_still_gets_its_answer(link: TcpLink, client: Connect, crm: HttpCrm) -> None:
    crm.behaviour = answers_late(GREETING, seconds=0.1)
    reader, writer = await client()
    writer.write(QUESTION)
    writer.write_eof()
    assert (await asyncio.wait_for(reader.read(), SOON)).endswith(GREETING)


async def test_refusing_breaks_connections_and_takes_no_further_ones(link: TcpLink, client: Connect) -> None:
    peer, port = await client(), link.port
    await ask(peer)
    link.fault = faults.refuses
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(peer[0].read(), SOON)
    with pytest.raises(ConnectionRefusedError):
        await client()
    link.fault = None
    assert link.port == port
    assert (await ask(await client())).endswith(GREETING)


async def test_a_link_may_refuse_from_the_start(crm: HttpCrm) -> None:
    link = TcpLink("127.0.0.1", crm.port)
    link.fault = faults.refuses
    async with link:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", link.port)


async def test_no_server_behind_it_breaks_connections(client: Connect, link: TcpLink, crm: HttpCrm) -> None:
    await crm.stop()
    with pytest.raises(ConnectionResetError):
        await ask(await client())


async def test_hanging_takes_questions_and_lets_nothing_through_until_it_is_over(
    link: TcpLink, client: Connect, crm: HttpCrm
) -> None:
    old = await client()
    await ask(old)
    asked = len(crm.requests)
    link.fault = faults.hangs
    new = await client()
    for _, writer in (old, new):
        writer.write(QUESTION)
    assert await is_silent(old)
    assert await is_silent(new)
    assert len(crm.requests) == asked
    link.fault = None
    for reader, _ in (old, new):
        assert (await asyncio.wait_for(reader.readexactly(WHOLE), SOON)).endswith(GREETING)


async def test_who_hangs_up_while_it_hangs_is_forgotten(link: TcpLink, client: Connect) -> None:
    old = await client()
    await ask(old)
    link.fault = faults.hangs
    new = await client()
    old[1].write(QUESTION)
    await until(lambda: len(link.passages) == 2)
    await asyncio.sleep(0.05)
    for _, writer in (old, new):
        writer.close()
    await until(lambda: not link.passages)


async def test_resetting_breaks_old_connections_at_the_next_question_and_new_ones_at_once(
    link: TcpLink, client: Connect
) -> None:
    old = await client()
    await ask(old)
    link.fault = faults.resets
    assert await is_silent(old)
    with pytest.raises(ConnectionResetError):
        await ask(old)
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for((await client())[0].read(), SOON)


@pytest.mark.parametrize("age", ["new", "old"])
async def test_a_reset_comes_after_so_many_bytes(age: str, link: TcpLink, client: Connect) -> None:
    peer = await client()
    if age == "old":
        await ask(peer)
    link.fault = faults.resets_after(10)
    reader, writer = peer
    writer.write(QUESTION)
    assert await asyncio.wait_for(reader.readexactly(10), SOON) == HEAD[:10]
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), SOON)


async def test_a_cut_comes_after_so_many_bytes_and_is_no_reset(link: TcpLink, client: Connect) -> None:
    link.fault = faults.cuts_after(10)
    assert await ask(await client()) == HEAD[:10]


async def test_a_cut_beyond_the_answer_lets_it_through_and_counts_on(link: TcpLink, client: Connect) -> None:
    link.fault = faults.cuts_after(WHOLE + 10)
    peer = await client()
    assert len(await ask(peer)) == WHOLE
    assert len(await ask(peer)) == 10


async def test_dripping_is_a_byte_at_a_time_until_it_is_over(link: TcpLink, client: Connect) -> None:
    link.fault = faults.drips(0.02)
    reader, writer = await client()
    writer.write(QUESTION)
    came = [await asyncio.wait_for(reader.read(100), SOON) for _ in range(5)]
    assert b"".join(came) == HEAD[: len(b"".join(came))]
    assert len(b"".join(came)) < 50
    link.fault = None
    left = WHOLE - len(b"".join(came))
    assert (await asyncio.wait_for(reader.readexactly(left), SOON)).endswith(GREETING)


async def test_a_delayed_answer_comes_whole_and_late(link: TcpLink, client: Connect) -> None:
    link.fault = faults.delays(0.3)
    peer = await client()
    peer[1].write(QUESTION)
    assert await is_silent(peer, 0.2)
    assert (await asyncio.wait_for(peer[0].readexactly(WHOLE), SOON)).endswith(GREETING)


async def test_garbage_comes_in_the_place_of_an_answer(link: TcpLink, client: Connect) -> None:
    link.fault = faults.garbles(b"?!")
    assert await ask(await client()) == (b"?!" * WHOLE)[:WHOLE]


async def test_a_fault_of_ones_own_counts(link: TcpLink, client: Connect) -> None:
    class Shouts(Fault):
        async def answer(self, passage: Passage, piece: bytes) -> None:
            await passage.answer(piece.upper())

    link.fault = Shouts()
    assert (await ask(await client())).endswith(GREETING.upper())


EVERY: dict[str, Fault] = {
    "refuses": faults.refuses,
    "hangs": faults.hangs,
    "resets": faults.resets,
    "resets after 0": faults.resets_after(0),
    "resets after 20": faults.resets_after(20),
    "cuts after 5": faults.cuts_after(5),
    "drips": faults.drips(0.05),
    "garbles": faults.garbles(),
    "delays": faults.delays(3.0),
}


@pytest.mark.parametrize("fault", EVERY)
async def test_postgresql_fails_behind_it_and_answers_again(fault: str, postgres: Postgres) -> None:
    url = make_url(postgres.url())

    async def asked(port: int, seconds: float = 20) -> int:
        connection = await asyncpg.connect(
            host="127.0.0.1", port=port, user=url.username, database=url.database, ssl=False, timeout=seconds
        )
        try:
            one: int = await connection.fetchval("SELECT 1")
            return one
        finally:
            await connection.close(timeout=seconds)

    async with TcpLink("127.0.0.1", postgres.port) as link:
        assert await asked(link.port) == 1
        link.fault = EVERY[fault]
        with pytest.raises((OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InternalClientError, ValueError)):
            await asked(link.port, 0.7)
        link.fault = None
        assert await asked(link.port) == 1


# ---------------------------------------------------------------------------------------- what an HttpCrm can do


async def test_each_failure_of_a_crm_is_one_for_a_client(crm: HttpCrm) -> None:
    for name, behaviour in failures(GREETING).items():
        crm.behaviour = behaviour
        limit = aiohttp.ClientTimeout(total=0.5)
        async with aiohttp.ClientSession(timeout=limit) as session:
            try:
                async with session.get(crm.url, allow_redirects=False) as response:
                    is_good = response.status == 200 and "items" in await response.json()
                    assert not is_good or response.content_length == 26_000_013, name
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError, RecursionError, AttributeError, TypeError):
                pass  # a failure it is


async def test_a_crm_resets_within_its_answer(crm: HttpCrm) -> None:
    crm.behaviour = resets_after(GREETING, after=10)
    reader, writer = await asyncio.open_connection("127.0.0.1", crm.port)
    with closing(writer):
        writer.write(QUESTION)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(HEAD)
        assert await reader.readexactly(10) == GREETING[:10]
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_a_crm_redirects_and_bombs(crm: HttpCrm) -> None:
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        crm.behaviour = redirects("http://127.0.0.1:1/", 307)
        async with session.get(crm.url, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (307, "http://127.0.0.1:1/")
        crm.behaviour = bombs(1_000_000)
        async with session.get(crm.url) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert len(await response.read()) < 5000
    async with aiohttp.ClientSession() as session, session.get(crm.url) as response:
        assert await response.read() == b" " * 1_000_000


async def test_a_crm_behaves_in_another_way_at_each_request(crm: HttpCrm) -> None:
    chosen = iter([answers(500), answers(503)])
    crm.behaviour = alternating(lambda: next(chosen))
    async with aiohttp.ClientSession() as session:
        for status in (500, 503):
            async with session.get(crm.url) as response:
                assert response.status == status


async def test_nothing_listens_when_the_context_is_left(crm: HttpCrm) -> None:
    async with TcpLink("127.0.0.1", crm.port) as link:
        peer = await asyncio.open_connection("127.0.0.1", link.port)
        await ask(peer)
    with pytest.raises(ConnectionResetError):
        await peer[0].read()
    peer[1].close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", link.port)
    assert link.passages == set()
    link.fault = faults.resets
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", link.port)
