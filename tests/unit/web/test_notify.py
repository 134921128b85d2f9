"""What a service manager is told."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy.detached import detach
from proxy.web.notify import Notifier

Telling = Callable[..., Notifier]
PATIENCE = 0.04
WITHIN_IT = {"WATCHDOG_USEC": str(int(PATIENCE * 1_000_000))}


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        yield manager


@pytest.fixture
def notifier_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Telling:
    def make(**variables: str) -> Notifier:
        for name, value in {"NOTIFY_SOCKET": str(tmp_path / "notify"), **variables}.items():
            monkeypatch.setenv(name, value)
        notifier = Notifier()
        assert not [name for name in os.environ if name.startswith(("NOTIFY_", "WATCHDOG_"))], "for nobody else"
        return notifier

    return make


def told(manager: socket.socket) -> list[bytes]:
    """Return what it was told until now."""
    found = []
    while True:
        try:
            found.append(manager.recv(100))
        except BlockingIOError:
            return found


async def lived(notifier: Notifier, seconds: float) -> None:
    living = detach(notifier.live())
    await asyncio.sleep(seconds)
    living.cancel()


def test_it_is_told_of_the_beginning_and_of_the_end(manager: socket.socket, notifier_of: Telling) -> None:
    notifier = notifier_of()
    notifier.ready()
    notifier.stopping()
    assert told(manager) == [b"READY=1", b"STOPPING=1"]


def test_an_address_without_a_file_is_known_by_its_at(notifier_of: Telling) -> None:
    name = f"tanima-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        notifier_of(NOTIFY_SOCKET=f"@{name}").ready()
        assert manager.recv(100) == b"READY=1"


@pytest.mark.parametrize("process", ["", str(os.getpid())])
async def test_signs_of_life_come_twice_in_the_time_that_it_waits(
    manager: socket.socket, notifier_of: Telling, process: str
) -> None:
    notifier = notifier_of(**WITHIN_IT, WATCHDOG_PID=process)
    assert notifier.patience == PATIENCE
    living = detach(notifier.live())
    for _ in range(3):
        assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(manager, 100), 5) == b"WATCHDOG=1"
    living.cancel()


@pytest.mark.parametrize(
    "variables",
    [{}, {"WATCHDOG_USEC": ""}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "²"},
     {**WITHIN_IT, "WATCHDOG_PID": "1"}],
)  # fmt: skip
async def test_nobody_who_does_not_wait_for_them_gets_any(
    manager: socket.socket, notifier_of: Telling, variables: dict[str, str]
) -> None:
    await asyncio.wait_for(notifier_of(**variables).live(), 1)
    assert told(manager) == []


async def test_without_anybody_who_wants_to_know_nothing_is_told(manager: socket.socket, notifier_of: Telling) -> None:
    notifier = notifier_of(NOTIFY_SOCKET="", **WITHIN_IT)
    notifier.ready()
    await asyncio.wait_for(notifier.live(), 1)
    assert told(manager) == []


async def test_somebody_who_is_gone_or_does_not_listen_harms_nobody(
    manager: socket.socket, notifier_of: Telling
) -> None:
    notifier = notifier_of(**WITHIN_IT)
    for _ in range(10_000):
        notifier.stopping()
    assert len(told(manager)) < 10_000, "he was full, and nobody waited for him"
    manager.close()
    notifier.ready()
    await lived(notifier, PATIENCE)
