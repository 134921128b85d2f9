"""Too many connections, slow ones, few descriptors, and a listening socket that outlives the server."""

import asyncio
import json
import os
import resource
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from proxy.detached import detach
from proxy.testing import HttpCrm, Request
from proxy.web.admin import CONNECTIONS
from tests.e2e import managing
from tests.e2e.conftest import Serve
from tests.e2e.managing import Calls, Manager, told
from tests.e2e.people import EXPECTED, PEOPLE, answer_of_the_crm, head, rest_options, source, static_options
from tests.e2e.running import PATIENCE, TANIMA, Serving, all_is_read, answers_in, run
from tests.servers import free_port, until_open

MANY = 1000
QUESTION = b"GET /musteri.json?telefon=05325550001 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
GREETED = EXPECTED[PEOPLE[0].number]

AT_ONCE = 10.0
"""Seconds; wide, as the machine has other work too: whoever waited for a connection would wait for 15 s"""

Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(autouse=True)
def _descriptors() -> None:
    """Have enough for both ends of a thousand connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = 4 * MANY
    if soft != resource.RLIM_INFINITY and soft < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(enough, hard) if hard > 0 else enough, hard))


@pytest.fixture
def server(serve: Serve) -> Iterator[Serving]:
    toml = head().replace("[switch]", f"[switch]\nconnections = {MANY}")
    with serve(toml + source("static", static_options())) as serving:
        yield serving


async def ask(port: int) -> float:
    """Ask as the switch does, and return the seconds until the answer, which must be the right one."""
    status, said, took = await managing.ask(port, QUESTION)
    assert (status, said) == (200, GREETED)
    return took


async def connected(port: int, count: int, said: bytes = b"") -> list[Peer]:
    peers = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        peers.append((reader, writer))
    return peers


async def hang_up(peers: list[Peer]) -> None:
    for _, writer in peers:
        writer.transport.abort()
    await asyncio.sleep(0)


async def open_ones(peers: list[Peer], fewer_than: int = 0) -> list[Peer]:
    """Return those that the server has not closed, when they are so few at last; else after a while."""
    until = time.monotonic() + (PATIENCE if fewer_than else 2)
    while True:
        await asyncio.sleep(0.02)
        there = [*filter(is_open, peers)]
        if len(there) < fewer_than or time.monotonic() > until:
            return there


def is_open(peer: Peer) -> bool:
    """Tell whether the server has not closed a connection."""
    return not peer[1].transport.is_closing() and not peer[0].at_eof()


# ---------------------------------------------------------------------------------------- crowds of the silent


async def test_a_thousand_idle_connections_keep_no_call_from_its_answer(
    server: Serving, figure: Callable[[str], None]
) -> None:
    peers = await connected(server.port, MANY)
    took = [await ask(server.port) for _ in range(20)]
    there = await open_ones(peers, MANY)
    await hang_up(peers)
    assert max(took) < AT_ONCE
    assert len(there) == MANY - 1, "one has made room, in which all the calls were answered"
    figure(f"{MANY} idle connections, which is all that there may be: slowest of 20 calls {max(took) * 1000:.0f} ms")


async def test_a_thousand_connections_with_a_byte_a_second_keep_no_call_from_its_answer_and_end_after_15_s(
    server: Serving, figure: Callable[[str], None]
) -> None:
    slow = b"GET /musteri.json HTTP/1.1\r\nX: "
    there = [(time.perf_counter(), (await connected(server.port, 1, slow))[0]) for _ in range(MANY)]
    peers, began, took, lasted = [peer for _, peer in there], time.perf_counter(), [], []
    while there and time.perf_counter() - began < PATIENCE:
        for _, (_, writer) in there:
            writer.write(b"x")
        for _ in range(5):
            took.append(await ask(server.port))
            await asyncio.sleep(0.2)
        lasted += [time.perf_counter() - opened for opened, peer in there if not is_open(peer)]
        there = [(opened, peer) for opened, peer in there if is_open(peer)]
    await hang_up(peers)
    assert max(took) < AT_ONCE
    assert not there, "the bytes are no reason to wait for ever"
    _, *others = sorted(lasted)  # one has made room for the calls
    assert others[0] >= 15, "nor to hang up before"
    assert others[-1] < 30
    figure(
        f"{MANY} connections with a byte a second: slowest of {len(took)} calls {max(took) * 1000:.0f} ms; "
        f"they were closed after {others[0]:.0f} to {others[-1]:.0f} s"
    )


# ---------------------------------------------------------------------------------------- the cap

CAPPED = head().replace("[switch]", "[switch]\nconnections = 20")


async def test_no_more_connections_are_open_than_the_toml_allows(serve: Serve) -> None:
    with serve(CAPPED + source("static", static_options())) as serving:
        kept = await connected(serving.port, 5, QUESTION.replace(b"Connection: close\r\n", b""))
        for reader, _ in kept:
            await asyncio.wait_for(reader.readuntil(b"}"), PATIENCE)
        silent = await connected(serving.port, 50)
        assert len(await open_ones(silent, 16)) == 15
        assert len(await open_ones(kept)) == 5, "they have asked something once"
        await ask(serving.port)
        await hang_up([*silent, *kept])


@dataclass
class Gate:
    """Has the CRM wait with its answer until it is opened."""

    asked: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def behave(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        await self.open.wait()
        body = json.dumps(answer_of_the_crm(request)).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


@pytest.fixture
async def crm() -> AsyncIterator[HttpCrm]:
    async with HttpCrm(answer_of_the_crm) as crm:
        yield crm


async def test_calls_that_are_being_answered_are_not_closed_for_further_ones(serve: Serve, crm: HttpCrm) -> None:
    gate = Gate()
    crm.behaviour = gate.behave
    toml = CAPPED.replace("deadline = 15", "deadline = 30") + source("rest", rest_options(crm.url), "timeout = 28")
    with serve(toml) as serving:
        calling = await connected(serving.port, 20, QUESTION)
        while not gate.asked:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
        await all_is_read(serving.port, 20)  # all of them are being answered, not only the one whose lookup that is
        further = await connected(serving.port, 30, QUESTION)
        assert await open_ones(further, 1) == []
        assert len(await open_ones(calling)) == 20
        await hang_up(further)
        gate.open.set()
        for reader, writer in calling:
            ((_, _, body),) = answers_in(await asyncio.wait_for(reader.read(), PATIENCE))
            assert json.loads(body) == GREETED
            writer.close()
        await ask(serving.port)


async def test_who_asks_much_at_once_makes_room_for_calls(serve: Serve, crm: HttpCrm) -> None:
    gate = Gate()
    crm.behaviour = gate.behave
    toml = CAPPED.replace("deadline = 15", "deadline = 30") + source("rest", rest_options(crm.url), "timeout = 28")
    with serve(toml) as serving:
        pipelining = await connected(serving.port, 20, QUESTION.replace(b"Connection: close\r\n", b"") * 100)
        while not gate.asked:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)
        withheld = QUESTION.replace(b"?telefon=05325550001", b"")
        for _ in range(30):
            status, said, took = await managing.ask(serving.port, withheld)
            assert (status, said) == (200, {"target": "ivr/10"})
            assert took < AT_ONCE
        await hang_up(pipelining)
        gate.open.set()
        await ask(serving.port)


# ---------------------------------------------------------------------------------------- descriptors


def limited(how: str) -> tuple[str, ...]:
    return ("sh", "-c", f'ulimit {how}; exec "$0" "$@"', *TANIMA)


def limits_of(process: int) -> tuple[int, int]:
    """Return the soft and the hard limit of a process' open files."""
    (line,) = [
        line
        for line in Path(f"/proc/{process}/limits").read_text(encoding="ascii").splitlines()
        if line.startswith("Max open files")
    ]
    soft, hard = line.split()[3:5]
    return int(soft), int(hard)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(head() + source("static", static_options()), encoding="utf-8")
    return file


async def test_with_few_descriptors_there_are_fewer_connections_and_a_warning(start: Serve, config: Path) -> None:
    arguments = ["serve", "--config", str(config), "--listen", "127.0.0.1:0"]
    with start(arguments, command=limited("-n 300")) as serving:
        (line,) = serving.lines("few_descriptors")
        assert (line["level"], line["possible"]) == ("warning", 150)
        assert line["wanted"] > 150
        peers = await connected(serving.port, 400)
        for _ in range(5):
            await ask(serving.port)
        assert len(await open_ones(peers, 151)) <= 150
        assert len(os.listdir(f"/proc/{serving.process.pid}/fd")) < 300  # noqa: PTH208 - as many as there are
        await hang_up(peers)
        assert serving.lines("event_loop") == []


async def test_silent_connections_to_the_operators_address_take_none_of_the_calls(start: Serve, config: Path) -> None:
    port = free_port()
    with config.open("a", encoding="utf-8") as file:
        file.write(f'\n[admin]\nlisten = "127.0.0.1:{port}"\n')
    with start(["serve", "--config", str(config), "--listen", "127.0.0.1:0"], command=limited("-n 300")) as serving:
        await asyncio.to_thread(until_open, port)
        peers = await connected(port, 400)
        for _ in range(5):
            await ask(serving.port)
        assert len(await open_ones(peers, CONNECTIONS + 1)) <= CONNECTIONS
        assert len(os.listdir(f"/proc/{serving.process.pid}/fd")) < 200  # noqa: PTH208 - as many as there are
        erased = await run("erase", PEOPLE[0].number, "--config", str(config))
        assert (erased.code, erased.out) == (0, "cache of the running server: erased\n")
        await hang_up(peers)
        assert serving.lines("event_loop") == []


def test_a_low_limit_is_raised_as_far_as_it_may(start: Serve, config: Path) -> None:
    arguments = ["serve", "--config", str(config), "--listen", "127.0.0.1:0"]
    with start(arguments, command=limited("-Sn 300")) as serving:
        soft, hard = limits_of(serving.process.pid)
        assert serving.lines("few_descriptors") == []
    assert MANY < soft <= hard


# ---------------------------------------------------------------------------------------- the next server


async def ends_and_beginnings(manager: Manager, port: int) -> tuple[Counter[str], Counter[str], int]:
    """Return what becomes of calls while servers are killed and stopped, and how many calls the killed ones had."""
    await manager.start()
    calls = Calls(port, PEOPLE[0].number.replace(" ", ""), GREETED)
    calling = detach(calls.go_on())
    await asyncio.sleep(0.5)
    were_waiting = 0
    for _ in range(2):
        were_waiting += calls.waiting
        assert await manager.end(signal.SIGKILL) == -signal.SIGKILL
        await manager.start()
        await calls.outcomes()  # whoever has waited for it is answered, or was refused
        await asyncio.sleep(0.3)
    killed = await calls.outcomes()
    begun = len(calls)
    for _ in range(2):
        assert await manager.end(signal.SIGTERM) == 0
        await manager.start()
        await calls.outcomes()  # whoever has waited for it is answered, or was refused
        await asyncio.sleep(0.3)
    stopped = await calls.outcomes(begun)
    await calls.stop()
    await calling
    assert await manager.end(signal.SIGTERM) == 0
    return killed, stopped, were_waiting


@pytest.fixture
def log(logs: Path) -> Path:
    """Return a file among those that are looked through at the end."""
    return logs / f"{len([*logs.iterdir()]):03}.log"


async def test_with_a_socket_that_is_handed_over_no_call_is_refused_while_servers_come_and_go(
    config: Path, log: Path, figure: Callable[[str], None]
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening:
        port = listening.getsockname()[1]
        with Manager(listening, port, config, log) as manager:
            killed, stopped, were_waiting = await ends_and_beginnings(manager, port)
    assert killed["refused"] == stopped["refused"] == 0
    assert killed["answered"] > 100
    assert stopped["answered"] > 100
    assert killed["cut off"] <= were_waiting + 2, "those that were being answered, or came just then"
    assert stopped["cut off"] <= 2
    figure(f"handed-over socket: two servers killed: {told(killed)}; two stopped: {told(stopped)}")


async def test_without_it_calls_are_refused_until_the_next_server_listens(
    config: Path, log: Path, figure: Callable[[str], None]
) -> None:
    port = free_port()
    with Manager(None, port, config, log) as manager:
        killed, stopped, _ = await ends_and_beginnings(manager, port)
    assert killed["refused"] > 0
    assert stopped["refused"] > 0
    figure(f"without a handed-over socket: two servers killed: {told(killed)}; two stopped: {told(stopped)}")


async def test_a_handed_over_socket_is_closed_by_nobody_but_its_owner(config: Path, log: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with Manager(listening, port, config, log) as manager:
            await manager.start()
            await ask(port)
            assert await manager.end(signal.SIGTERM) == 0
            waiting = detach(ask(port))
            await asyncio.sleep(0.2)
            assert not waiting.done()
            await manager.start()
            await waiting
            assert await manager.end(signal.SIGTERM) == 0
    with pytest.raises(ConnectionRefusedError):
        await ask(port)
