"""More than one request at once, and what is none behind one that is: over real sockets."""

import asyncio

import pytest

from proxy.web.connections import LimitedConnection
from tests.unit.web.listening import ANSWER, REQUEST, Running, everything, is_answered, is_closed, settle, stays_open

UPGRADE = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
LENGTH = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
BODY = b"\r\n\r\na\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n\0\r\n\r\n" * 20
MIXED = (
    REQUEST + b"\r\n" + REQUEST + b"\r\n\r\n\r\n"
    + LENGTH % (len(BODY), BODY) + REQUEST + CHUNKED % (len(BODY), BODY) + b"\r\n" + LENGTH % (0, b"") + REQUEST
)  # fmt: skip
STRAY = (
    b"telefon=1",
    b"\0",
    b" ",
    b"\0\r\n\r\n",
    b"\r\n\0",
    b"nonsense\r\n\r\n",
    b"\0" * 20_000,
    b"\0\r\n\r\n" * 20_000,
)


# ---------------------------------------------------------------------------------------- who makes room


async def test_who_has_been_pipelining_longest_makes_room_when_nobody_else_can(running: Running) -> None:
    running.answers.may_answer.clear()
    calling = await running.connect(REQUEST)
    first, second = await running.connect(REQUEST * 100), await running.connect(REQUEST)
    second[1].write(REQUEST)
    new = await running.connect(REQUEST)
    assert await is_closed(first)
    assert await stays_open(second)
    further = await running.connect(REQUEST)
    assert await is_closed(second)
    assert await is_closed(await running.connect(REQUEST)), "nobody is left who pipelines"
    running.answers.may_answer.set()
    for peer in (calling, new, further):
        assert ANSWER in await asyncio.wait_for(peer[0].readuntil(ANSWER), 5)
    assert await is_answered(calling)


async def test_he_stays_when_somebody_else_can(running: Running) -> None:
    running.answers.may_answer.clear()
    pipelining = [await running.connect(REQUEST * 2) for _ in range(2)]
    silent = await running.connect()
    await running.connect(REQUEST)
    assert await is_closed(silent)
    running.answers.may_answer.set()
    for peer in pipelining:
        for _ in range(2):
            await asyncio.wait_for(peer[0].readuntil(ANSWER), 5)


async def test_who_has_one_request_left_does_not_pipeline_any_more(running: Running) -> None:
    running.answers.may_answer.clear()
    peers = [await running.connect(REQUEST) for _ in range(2)]
    left = await running.connect(REQUEST * 3)
    running.answers.at_most = 4  # both of the others, and two of its three
    running.answers.may_answer.set()
    for _ in range(2):
        await asyncio.wait_for(left[0].readuntil(ANSWER), 5)
    for peer in peers:
        await asyncio.wait_for(peer[0].readuntil(ANSWER), 5)
        peer[1].write(REQUEST)
    await settle(0.05)
    assert await is_closed(await running.connect(REQUEST))
    running.answers.at_most = None
    running.answers.may_answer.set()
    assert ANSWER in await asyncio.wait_for(left[0].readuntil(ANSWER), 5)


async def test_who_hides_further_requests_behind_an_upgrade_pipelines_too(running: Running) -> None:
    running.answers.may_answer.clear()
    running.answers.connections = 1
    hiding = await running.connect(UPGRADE * 2)
    assert await is_answered_later(running)
    assert await is_closed(hiding)
    running.answers.may_answer.clear()
    asking = await running.connect(UPGRADE)
    assert await is_closed(await running.connect(REQUEST)), "one upgrade is one request"
    running.answers.may_answer.set()
    assert ANSWER in await asyncio.wait_for(asking[0].readuntil(ANSWER), 5)


async def is_answered_later(running: Running) -> bool:
    peer = await running.connect(REQUEST)
    running.answers.may_answer.set()
    return ANSWER in await asyncio.wait_for(peer[0].readuntil(ANSWER), 5)


async def test_something_that_is_no_request_behind_the_only_one_is_no_pipelining(running: Running) -> None:
    running.answers.may_answer.clear()
    running.answers.connections = 1
    calling = await running.connect(REQUEST + b"telefon=1")
    assert await is_closed(await running.connect(REQUEST))
    running.answers.may_answer.set()
    assert (await asyncio.wait_for(calling[0].read(), 5)).count(ANSWER) == 2


async def test_no_more_requests_are_read_than_may_wait_and_all_are_answered(running: Running) -> None:
    running.answers.may_answer.clear()
    peer = await running.connect(REQUEST * 3000)
    (connection,) = running.server.connections
    assert len(connection._messages) <= 33
    running.answers.may_answer.set()
    for _ in range(3000):
        await asyncio.wait_for(peer[0].readuntil(ANSWER), 5)
    assert (running.answers.asked, running.answers.unreadable) == (3000, 0)


# ---------------------------------------------------------------------------------------- what stands behind a request


@pytest.mark.parametrize("stray", STRAY, ids=lambda stray: repr(stray[:12]))
@pytest.mark.parametrize("count", [1, 2, 100])
async def test_a_request_with_something_else_behind_it_gets_its_own_answer_and_the_rest_the_default(
    running: Running, count: int, stray: bytes
) -> None:
    received = await everything(running, REQUEST * count + stray)
    assert received.count(b"HTTP/1.1 200 OK") == count
    assert received.count(b"HTTP/1.0 200 OK") == 1, "of the rest"
    assert received.endswith(ANSWER)
    assert (running.answers.asked, running.answers.unreadable) == (count, 1)


@pytest.mark.parametrize("place", range(1, len(REQUEST)))
async def test_so_it_is_wherever_its_head_is_cut(running: Running, place: int) -> None:
    peer = await running.connect(REQUEST[:place])
    peer[1].write(REQUEST[place:] + b"\0")
    received = await asyncio.wait_for(peer[0].read(), 5)
    assert (received.count(b"HTTP/1.1 200 OK"), received.count(ANSWER)) == (1, 2)
    assert (running.answers.asked, running.answers.unreadable) == (1, 1)


async def test_so_it_is_behind_a_body(running: Running) -> None:
    for posted in (LENGTH, CHUNKED):
        received = await everything(running, posted % (len(BODY), BODY) + REQUEST + b"\0")
        assert (received.count(b"HTTP/1.1 200 OK"), received.count(ANSWER)) == (2, 3)
    assert (running.answers.asked, running.answers.unreadable) == (4, 2)


@pytest.mark.parametrize("size", [*range(1, 30), 50, 100, 1000, 10_000])
async def test_blank_lines_bodies_and_further_requests_are_read_however_they_are_cut(
    running: Running, size: int
) -> None:
    reader, writer = await running.connect()
    for place in range(0, len(MIXED), size):
        writer.write(MIXED[place : place + size])
        await asyncio.sleep(0)
    for _ in range(7):
        await asyncio.wait_for(reader.readuntil(ANSWER), 5)
    assert (running.answers.asked, running.answers.unreadable) == (7, 0)
    assert await is_answered((reader, writer))


async def test_what_stands_behind_an_upgrade_is_read_when_that_is_answered(running: Running) -> None:
    received = await everything(running, UPGRADE + REQUEST * 50 + UPGRADE + b"\0")
    assert (received.count(b"HTTP/1.1 200 OK"), received.count(ANSWER)) == (52, 53)


async def test_an_upgrade_as_the_last_request_that_may_wait_holds_up_nobody(running: Running) -> None:
    running.answers.may_answer.clear()
    peer = await running.connect(REQUEST + REQUEST * 31 + UPGRADE + REQUEST * 50)
    running.answers.may_answer.set()
    for _ in range(83):
        await asyncio.wait_for(peer[0].readuntil(ANSWER), 5)
    assert await is_answered(peer)


async def test_the_body_of_a_request_behind_an_upgrade_is_no_long_head(running: Running) -> None:
    peer = await running.connect(UPGRADE + LENGTH % (60_000, b"x"), answers=2)
    for _ in range(9):
        peer[1].write(bytes(6000))
        await asyncio.sleep(0.01)
    peer[1].write(bytes(5999))
    assert await is_answered(peer)
    assert (running.answers.asked, running.answers.unreadable) == (3, 0)


async def test_nothing_is_kept_of_what_comes_behind_something_that_is_no_request(running: Running) -> None:
    running.answers.may_answer.clear()
    peer = await running.connect(REQUEST + b"nonsense\r\n\r\n")
    (connection,) = running.server.connections
    assert isinstance(connection, LimitedConnection)
    peer[1].write(b"x" * 1_000_000)
    await asyncio.sleep(0.1)
    assert len(connection._pieces.take_all()) < 65_536
    running.answers.may_answer.set()
    assert (await asyncio.wait_for(peer[0].read(), 5)).count(ANSWER) == 2
