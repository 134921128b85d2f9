"""How many connections there are, how slow they may be, and how much they may say: over real sockets."""

import asyncio

import pytest

from proxy.web import connections
from proxy.web.connections import LimitedServer
from tests.unit.web.listening import (
    ANSWER,
    REQUEST,
    Peer,
    Running,
    everything,
    is_answered,
    is_closed,
    settle,
    stays_open,
)

# ---------------------------------------------------------------------------------------- how many


async def test_the_one_that_has_waited_longest_for_its_first_request_makes_room(running: Running) -> None:
    answered = await running.connect(REQUEST, answers=1)
    oldest, younger = await running.connect(), await running.connect(b"GET / HT")
    new = await running.connect()
    assert await is_closed(oldest)
    assert await is_answered(younger, b"TP/1.1\r\nHost: x\r\n\r\n")
    assert await is_answered(new)
    assert await is_answered(answered)


async def test_single_bytes_do_not_make_a_connection_any_younger(running: Running) -> None:
    dripping, silent = await running.connect(b"G"), await running.connect()
    dripping[1].write(b"E")
    await running.connect()
    await running.connect()
    assert await is_closed(dripping)
    assert await stays_open(silent)


async def test_then_the_one_that_has_been_idle_longest_does(running: Running) -> None:
    first = await running.connect(REQUEST, answers=1)
    second = await running.connect(REQUEST, answers=1)
    third = await running.connect(REQUEST, answers=1)
    assert await is_answered(first)
    new = await running.connect(REQUEST, answers=1)
    assert await is_closed(second)
    for peer in (first, third, new):
        assert await is_answered(peer)


async def test_the_body_of_an_answered_request_does_not_keep_a_place(running: Running) -> None:
    posting = [
        await running.connect(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\nbody", answers=1)
        for _ in range(3)
    ]
    posting[0][1].write(b"more of it")
    assert await is_answered(await running.connect())
    assert await is_closed(posting[0])


async def test_one_that_is_being_answered_is_never_closed_for_another(running: Running) -> None:
    running.answers.may_answer.clear()
    asking = [await running.connect(REQUEST) for _ in range(3)]
    assert await is_closed(await running.connect(REQUEST))
    assert await is_closed(await running.connect())
    assert running.answers.asked == 3
    running.answers.may_answer.set()
    for peer in asking:
        assert ANSWER in await asyncio.wait_for(peer[0].readuntil(ANSWER), 5)
    assert await is_answered(await running.connect())


async def test_a_place_is_free_again_when_somebody_goes(running: Running) -> None:
    running.answers.may_answer.clear()
    asking = [await running.connect(REQUEST) for _ in range(3)]
    asking[0][1].close()
    await settle(0.05)
    running.answers.may_answer.set()
    assert await is_answered(await running.connect())
    for peer in asking[1:]:
        await asyncio.wait_for(peer[0].readuntil(ANSWER), 5)


async def test_the_number_may_be_changed_while_it_runs(running: Running) -> None:
    running.answers.connections = 5
    peers = [await running.connect() for _ in range(5)]
    for peer in peers:
        assert await is_answered(peer)


# ---------------------------------------------------------------------------------------- how slow


async def test_who_has_not_sent_a_whole_request_in_time_is_hung_up_also_when_it_drips(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.4)
    started = asyncio.get_running_loop().time()
    silent, dripping, idle = (
        await running.connect(),
        await running.connect(REQUEST[:20]),
        await running.connect(REQUEST),
    )
    for _ in range(400):
        dripping[1].write(b"x")
        await asyncio.sleep(0.02)
        if dripping[1].transport.is_closing():
            break
    assert 0.4 < asyncio.get_running_loop().time() - started < 8
    assert await is_closed(silent)
    assert await stays_open(idle)


async def test_a_further_request_has_as_much_time_from_its_first_byte_on(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.3)
    peer = await running.connect(REQUEST, answers=1)
    assert await stays_open(peer, 0.6), "it is idle, and has 75 s"
    peer[1].write(b"GET")
    assert await stays_open(peer, 0.15)
    assert await is_closed(peer)
    monkeypatch.setattr(connections, "PATIENCE", 5)
    waiting = await running.connect(REQUEST, answers=1)
    waiting[1].write(b"GET /")
    await asyncio.sleep(0.1)
    assert await is_answered(waiting, b" HTTP/1.1\r\nHost: x\r\n\r\n")


async def test_an_answer_may_take_longer_than_a_request(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    running.answers.may_answer.clear()
    peer = await running.connect(REQUEST)
    monkeypatch.setattr(connections, "PATIENCE", 0.1)
    assert await stays_open(peer, 0.4)
    running.answers.may_answer.set()
    assert await stays_open(peer)
    assert await is_answered(peer)


async def untaken(running: Running) -> Peer:
    """Have a connection ask for more than it takes."""
    running.answers.body = bytes(8_000_000)
    peer = await running.connect(REQUEST)
    for _ in range(500):
        if running.server.stalled:
            break
        await asyncio.sleep(0.01)
    running.answers.body = ANSWER
    return peer


async def test_who_does_not_take_his_answer_is_hung_up(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.3)
    peer = await untaken(running)
    assert len(running.server.stalled) == 1
    for _ in range(300):
        if not running.server.connections:
            break
        await asyncio.sleep(0.01)
    assert running.server.connections == []
    peer[1].transport.abort()


async def test_who_takes_his_answer_slowly_gets_it_whole(running: Running) -> None:
    peer = await untaken(running)
    received = await asyncio.wait_for(peer[0].readuntil(b"\r\n\r\n"), 5)
    assert b"8000000" in received
    await asyncio.wait_for(peer[0].readexactly(8_000_000), 20)
    assert not running.server.stalled
    assert await is_answered(peer)


async def test_who_has_not_taken_his_answer_for_a_while_makes_room(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STALLED", 60.0)
    running.answers.connections = 1
    peer = await untaken(running)
    assert await is_closed(await running.connect()), "not so soon"
    monkeypatch.setattr(connections, "STALLED", 0.0)
    assert await is_answered(await running.connect())
    peer[1].transport.abort()


# ---------------------------------------------------------------------------------------- how much

LINES = b"".join(b"X-%d: %s\r\n" % (place, b"9" * 1000) for place in range(40))


@pytest.mark.parametrize("size", [100, 5000, 1_000_000])
async def test_an_endless_head_gets_the_default_however_it_is_cut(running: Running, size: int) -> None:
    said = b"GET / HTTP/1.1\r\nHost: x\r\n" + LINES
    received = await everything(running, *(said[place : place + size] for place in range(0, len(said), size)))
    assert received.startswith(b"HTTP/1.0 200 OK")
    assert received.endswith(ANSWER)
    assert (running.answers.asked, running.answers.unreadable) == (0, 1)


async def test_an_endless_head_after_a_request_gets_the_default_too(running: Running) -> None:
    peer = await running.connect(REQUEST, answers=1)
    peer[1].write(b"GET / HTTP/1.1\r\n" + LINES[:20_000])
    assert (await asyncio.wait_for(peer[0].readuntil(ANSWER), 5)).startswith(b"HTTP/1.0 200 OK")
    assert (running.answers.asked, running.answers.unreadable) == (1, 1)
    assert await is_closed(peer)


async def test_an_endless_head_that_is_there_before_anybody_waits_gets_the_default_too(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asks_at_once(server: LimitedServer, connection: connections.LimitedConnection) -> None:
        asks(server, connection)
        monkeypatch.undo()
        connection.data_received(b"GET / HTTP/1.1\r\n" + LINES)

    asks = LimitedServer.asks
    monkeypatch.setattr(LimitedServer, "asks", asks_at_once)
    assert (await everything(running)).endswith(ANSWER)
    assert (running.answers.asked, running.answers.unreadable) == (0, 1)


async def test_a_head_of_sixteen_thousand_bytes_is_not_too_long(running: Running) -> None:
    said = b"GET /" + b"9" * 8000 + b" HTTP/1.1\r\nHost: x\r\n" + LINES[:7049] + b"\r\n"
    assert len(said.splitlines()) == 10
    for size in (100, 5000, 1_000_000):
        reader, writer = await running.connect()
        for place in range(0, len(said), size):
            writer.write(said[place : place + size])
            await asyncio.sleep(0)
        await asyncio.wait_for(reader.readuntil(ANSWER), 5)
    assert (running.answers.asked, running.answers.unreadable) == (3, 0)


async def test_many_requests_at_once_are_no_long_head(running: Running) -> None:
    await running.connect(REQUEST * 3000, answers=3000)
    assert running.answers.unreadable == 0


async def test_a_long_body_is_no_long_head(running: Running) -> None:
    peer = await running.connect(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n" + bytes(100), answers=1)
    for _ in range(9):
        peer[1].write(bytes(6000))
        await asyncio.sleep(0.01)
    peer[1].write(bytes(5900))
    await asyncio.sleep(0.05)
    assert await is_answered(peer)
    assert (running.answers.asked, running.answers.unreadable) == (2, 0)


async def test_a_request_right_behind_a_body_is_answered(running: Running) -> None:
    peer = await running.connect(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" + bytes(100), answers=1)
    assert await is_answered(peer, bytes(19_900) + REQUEST)
    assert (running.answers.asked, running.answers.unreadable) == (2, 0)


# ---------------------------------------------------------------------------------------- the end


async def test_a_connection_that_has_just_been_opened_may_still_ask_at_the_end(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await running.connect()
    await asyncio.sleep(0.15)
    (of_old,) = running.server.asking
    assert running.server.asking[of_old] < asyncio.get_running_loop().time() - connections.LAST_WORDS
    running.server.asking[of_old] -= 1
    monkeypatch.setattr(connections, "LAST_WORDS", 1.0)
    new = await running.connect()
    ending = asyncio.ensure_future(running.runner.cleanup())
    await asyncio.sleep(0.02)
    assert await is_answered(new)
    await ending
    assert await is_closed(old)


async def test_nobody_waits_for_those_who_have_said_nothing_at_the_end(running: Running) -> None:
    running.answers.answers_within = 60.0
    old = await running.connect()
    await asyncio.sleep(0.15)
    new = await running.connect()
    await asyncio.wait_for(running.runner.cleanup(), 5)
    assert await is_closed(old)
    assert await is_closed(new)


async def test_nothing_that_was_said_is_read_from_a_connection_that_is_closed_at_once(running: Running) -> None:
    running.answers.connections = 0
    peer = await running.connect(REQUEST)
    assert await is_closed(peer)
    assert running.answers.asked == 0


HALF_A_BODY = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\nbody"


async def test_nobody_waits_for_the_rest_of_a_body_when_its_sender_has_gone(running: Running) -> None:
    before = len(asyncio.all_tasks())
    peer = await running.connect(HALF_A_BODY, answers=1)
    assert len(asyncio.all_tasks()) > before
    peer[1].close()
    await settle(0.1)
    assert len(asyncio.all_tasks()) == before


@pytest.mark.parametrize("is_answered_before", [True, False])
async def test_nobody_waits_for_the_rest_of_a_body_when_its_sender_has_said_all(
    running: Running, *, is_answered_before: bool
) -> None:
    if not is_answered_before:
        running.answers.may_answer.clear()
    peer = await running.connect(HALF_A_BODY)
    peer[1].write_eof()
    await asyncio.sleep(0.05)
    running.answers.may_answer.set()
    assert (await asyncio.wait_for(peer[0].read(), 5)).endswith(ANSWER)


async def test_who_has_said_all_gets_the_answers_to_all_of_it(running: Running) -> None:
    peer = await running.connect(REQUEST * 5)
    peer[1].write_eof()
    assert (await asyncio.wait_for(peer[0].read(), 5)).count(ANSWER) == 5
    peer = await running.connect()
    peer[1].write(REQUEST * 5)
    peer[1].write_eof()
    assert (await asyncio.wait_for(peer[0].read(), 5)).count(ANSWER) == 5


@pytest.mark.parametrize("is_answered_before", [True, False])
async def test_nobody_waits_for_the_rest_of_a_body_that_is_broken(
    running: Running, *, is_answered_before: bool
) -> None:
    if not is_answered_before:
        running.answers.may_answer.clear()
    peer = await running.connect(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    peer[1].write(b"no length")
    await asyncio.sleep(0.05)
    running.answers.may_answer.set()
    assert (await asyncio.wait_for(peer[0].read(), 5)).endswith(ANSWER)
    assert running.answers.unreadable == 1
