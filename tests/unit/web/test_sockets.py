"""Sockets that others hand over, and descriptors that the system has."""

import asyncio
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from aiohttp import web

from proxy.web import sockets
from proxy.web.sockets import AT_ONCE, OTHERS, connections_to_be_had, hold, inherited_socket, shared_site, switch_site

NAMES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def hand_over(monkeypatch: pytest.MonkeyPatch, given: socket.socket, **changed: str) -> None:
    """Have a copy of a socket stand where a service manager puts it."""
    copy = os.dup(given.fileno())
    os.set_inheritable(copy, True)
    monkeypatch.setattr(sockets, "_FIRST", copy)
    values = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "switch", **changed}
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_the_socket_that_is_handed_over_is_taken_and_nobody_elses_any_more(
    monkeypatch: pytest.MonkeyPatch, listening: socket.socket
) -> None:
    hand_over(monkeypatch, listening)
    inherited = inherited_socket()
    assert inherited is not None
    with inherited:
        assert inherited.getsockname() == listening.getsockname()
        assert not inherited.get_inheritable()
        assert not inherited.getblocking()
    assert not [name for name in NAMES if name in os.environ]
    assert inherited_socket() is None


@pytest.mark.parametrize(
    "changed",
    [{"LISTEN_PID": "1"}, {"LISTEN_PID": ""}, {"LISTEN_FDS": "0"}, {"LISTEN_FDS": ""}, {"LISTEN_FDS": "-1"},
     {"LISTEN_FDS": "²"}],
)  # fmt: skip
def test_what_is_meant_for_another_process_or_for_nobody_is_left(
    monkeypatch: pytest.MonkeyPatch, listening: socket.socket, changed: dict[str, str]
) -> None:
    hand_over(monkeypatch, listening, **changed)
    assert inherited_socket() is None
    assert not [name for name in NAMES if name in os.environ]
    os.close(sockets._FIRST)


@pytest.mark.parametrize("kind", [(socket.AF_UNIX, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM)])
def test_a_socket_on_which_no_switch_can_ask_is_refused(
    monkeypatch: pytest.MonkeyPatch, kind: tuple[socket.AddressFamily, socket.SocketKind]
) -> None:
    with socket.socket(*kind) as other:
        hand_over(monkeypatch, other)
        with pytest.raises(OSError, match=r"no TCP socket - allowed: a TCP socket that listens"):
            inherited_socket()


async def test_the_switch_is_answered_at_the_inherited_socket_or_else_at_an_address(
    monkeypatch: pytest.MonkeyPatch, listening: socket.socket
) -> None:
    runner = web.AppRunner(web.Application())
    await runner.setup()
    hand_over(monkeypatch, listening)
    await switch_site(runner, ("127.0.0.1", 0)).start()
    await switch_site(runner, ("127.0.0.1", 0)).start()
    (one, other) = [address[1] for address in runner.addresses]
    for port in (one, other):
        waiting = [socket.create_connection(("127.0.0.1", port), timeout=0.9) for _ in range(5 * AT_ONCE)]
        assert len(waiting) == 5 * AT_ONCE, "they wait, as nobody accepts them in the meantime"
        for connection in waiting:
            connection.close()
    await asyncio.sleep(0.1)
    assert one == listening.getsockname()[1] != other
    await runner.cleanup()
    with closing(socket.create_connection(listening.getsockname(), timeout=5)):
        pass  # it goes on listening


# ---------------------------------------------------------------------------------------- descriptors

NO_LIMIT = resource.RLIM_INFINITY


class Limits:
    """What the system allows, and what is asked of it."""

    def __init__(self, soft: int, hard: int) -> None:
        self.now = (soft, hard)

    def get(self, what: int) -> tuple[int, int]:
        assert what == resource.RLIMIT_NOFILE
        return self.now

    def set(self, what: int, limits: tuple[int, int]) -> None:
        assert what == resource.RLIMIT_NOFILE
        self.now = limits


@pytest.mark.parametrize(
    ("soft", "hard", "possible", "soft_then"),
    [
        (1024, 524288, 1000, 1000 + OTHERS),
        (1024, NO_LIMIT, 1000, 1000 + OTHERS),
        (524288, 524288, 1000, 524288),
        (NO_LIMIT, NO_LIMIT, 1000, NO_LIMIT),
        (1024, 1400, 1400 - OTHERS, 1400),
        (1024, 1024, 512, 1024),
        (200, 200, 100, 200),
    ],
)
def test_the_limit_is_raised_as_far_as_needed_and_then_fewer_connections_are_had(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, possible: int, soft_then: int
) -> None:
    limits = Limits(soft, hard)
    monkeypatch.setattr(resource, "getrlimit", limits.get)
    monkeypatch.setattr(resource, "setrlimit", limits.set)
    told: list[tuple[int, int]] = []
    possible = min(possible, 1000)
    assert connections_to_be_had(1000, lambda *numbers: told.append(numbers)) == possible
    assert limits.now == (soft_then, hard)
    assert told == ([(1000, possible)] if possible < 1000 else [])


def test_few_connections_are_had_also_where_little_is_left_for_other_things(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(500, 600)
    monkeypatch.setattr(resource, "getrlimit", limits.get)
    monkeypatch.setattr(resource, "setrlimit", limits.set)
    told: list[tuple[int, int]] = []
    assert connections_to_be_had(200, lambda *numbers: told.append(numbers)) == 200
    assert limits.now == (600, 600)
    assert told == []


async def test_an_address_is_held_without_listening_for_all_who_share_it() -> None:
    held = await hold(("127.0.0.1", 0))
    at = held.sockets[0].getsockname()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*at)
    with socket.socket() as another, pytest.raises(OSError, match="in use"):
        another.bind(at)
    runners = [web.ServerRunner(web.Server(lambda _: answer_nothing())) for _ in range(2)]
    for runner in runners:
        await runner.setup()
        await shared_site(runner, at, None).start()
    _, writer = await asyncio.open_connection(*at)
    with pytest.raises(OSError, match="in use"):
        await hold(at)
    writer.close()
    for runner in runners:
        await runner.cleanup()
    held.close()


async def answer_nothing() -> web.Response:
    return web.Response()
