"""Tokens that are being written when all ends: they get to the disk, and the lock is held for as long."""

import asyncio
import fcntl
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.rest import RestAdapter
from adapters.rest.access import OAuth2
from adapters.rest.oauth2 import OAuth2Login
from adapters.rest.session import LAST_WORDS, Session
from adapters.rest.tokens import TokenFile
from adapters.rest.transport import Recorded
from proxy.adapter import Unavailable
from proxy.detached import detach
from proxy.testing.behaviours import hangs
from tests.adapters.oauth_crm import OAuthCrm, finds, kept_in
from tests.adapters.rest_crm import AYSE

BUSY = 5.0
"""Seconds that a machine with other work may take, fewer than whatever hangs here"""


@pytest.fixture
async def crm() -> AsyncIterator[OAuthCrm]:
    crm = OAuthCrm(rotates=True)
    async with crm.http:
        yield crm


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "crm.token"


@pytest.fixture
def options(crm: OAuthCrm, file: Path) -> dict[str, Any]:
    return crm.rotating_options(file)


class SlowDisk:
    """Lets whoever writes wait until it is told to go on."""

    def __init__(self) -> None:
        self.is_asked = threading.Event()
        self.goes_on = threading.Event()

    def fsync(self, _: int) -> None:
        self.is_asked.set()
        assert self.goes_on.wait(10)

    async def until_asked(self) -> None:
        assert await asyncio.to_thread(self.is_asked.wait, 10)


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    disk = SlowDisk()
    monkeypatch.setattr("adapters.rest.tokens.os.fsync", disk.fsync)
    yield disk
    disk.goes_on.set()


def login(file: Path, *answers: str) -> OAuth2Login:
    """Return a log-in that is given these refresh tokens, and can ask for no further one."""
    table = OAuthCrm().rotating_options(file, token_url="http://127.0.0.1/")["oauth2"]
    said = [json.dumps({"access_token": "of " + answer, "refresh_token": answer}).encode() for answer in answers]
    return OAuth2Login(OAuth2.model_validate(table), Recorded(said))


def session_of(adapter: RestAdapter) -> Session:
    assert adapter._session is not None
    return adapter._session


def inode_of(file: Path) -> int:
    return file.stat().st_ino


@contextmanager
def in_the_way(file: Path) -> Iterator[None]:
    """Have a folder where the file is to be."""
    file.mkdir()
    yield
    file.rmdir()


def names_beside(file: Path) -> set[str]:
    return {each.name for each in file.parent.iterdir()}


def delete(file: Path) -> None:
    file.unlink()


def is_locked(file: Path) -> bool:
    with file.with_name(file.name + ".lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


async def test_the_lock_is_held_until_it_is_written_also_when_the_log_in_is_cancelled(
    file: Path, slow_disk: SlowDisk
) -> None:
    logging_in = login(file, "refresh-1")
    task = detach(logging_in.obtain(None))
    await slow_disk.until_asked()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.02)
        assert not task.done()
        assert is_locked(file)
    slow_disk.goes_on.set()
    await asyncio.wait({task}, timeout=5)
    assert task.cancelled()
    assert not is_locked(file)
    assert kept_in(file) == "refresh-1"
    first = inode_of(file)
    assert (await logging_in.obtain(None)).values == {"access_token": "of refresh-1"}
    assert inode_of(file) == first, "what is written is not written again"


async def test_a_write_that_fails_when_the_log_in_is_cancelled_loses_no_token(file: Path, slow_disk: SlowDisk) -> None:
    logging_in = login(file, "refresh-1")
    task = detach(logging_in.obtain(None))
    await slow_disk.until_asked()
    task.cancel()
    with in_the_way(file):
        slow_disk.goes_on.set()
        await asyncio.wait({task}, timeout=5)
    assert task.cancelled()
    assert (await logging_in.obtain(None)).values == {"access_token": "of refresh-1"}
    assert kept_in(file) == "refresh-1"


async def test_the_end_of_the_event_loop_waits_for_what_is_being_written(file: Path, slow_disk: SlowDisk) -> None:
    async def leaves() -> None:
        detach(login(file, "refresh-1").obtain(None))
        await slow_disk.until_asked()

    ending = asyncio.ensure_future(asyncio.to_thread(asyncio.run, leaves()))
    await slow_disk.until_asked()
    await asyncio.sleep(0.1)
    assert is_locked(file)
    assert not ending.done()
    slow_disk.goes_on.set()
    await ending
    assert kept_in(file) == "refresh-1"


async def test_closing_waits_for_what_is_being_written(
    crm: OAuthCrm, options: dict[str, Any], file: Path, slow_disk: SlowDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.rest.session.LAST_WORDS", 10)
    async with crm.opened(options):
        await slow_disk.until_asked()
        asyncio.get_running_loop().call_later(0.3, slow_disk.goes_on.set)
    assert kept_in(file) == "refresh-1"


async def test_closing_waits_no_longer_than_it_may(
    crm: OAuthCrm, options: dict[str, Any], file: Path, slow_disk: SlowDisk
) -> None:
    async with crm.opened(options):
        await slow_disk.until_asked()
        started = time.monotonic()
    assert LAST_WORDS - 0.1 < time.monotonic() - started < LAST_WORDS + BUSY
    assert is_locked(file)
    slow_disk.goes_on.set()
    async with crm.opened(options) as adapter:
        await finds(adapter)
    assert crm.given == 1


async def test_a_write_that_takes_longer_than_a_log_in_may_is_waited_for_by_all(
    crm: OAuthCrm, options: dict[str, Any], slow_disk: SlowDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.rest.session.LONGEST_LOGIN", 1.0)
    async with crm.opened(options) as first, crm.opened(options) as second:
        finding = asyncio.gather(finds(first), finds(second))
        await slow_disk.until_asked()
        asyncio.get_running_loop().call_later(1.3, slow_disk.goes_on.set)
        await finding
    assert crm.given == 1
    assert not crm.is_broken_into


async def test_who_has_waited_for_the_lock_has_all_the_time_to_ask(
    crm: OAuthCrm, options: dict[str, Any], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.rest.session.LONGEST_LOGIN", 0.1)  # as it is while the lock is waited for
    async with AsyncExitStack() as lock:
        await lock.enter_async_context(TokenFile(file).locked())
        async with crm.opened(options) as adapter:
            finding = detach(finds(adapter))
            await asyncio.sleep(0.5)  # longer than a log-in may take now
            assert crm.token_requests == []
            assert not finding.done()
            monkeypatch.setattr("adapters.rest.session.LONGEST_LOGIN", 10.0)
            await lock.aclose()
            await finding


async def test_a_log_in_that_is_given_up_gives_the_lock_back_and_leaves_nothing_behind(
    crm: OAuthCrm, options: dict[str, Any], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.rest.session.LONGEST_LOGIN", 0.1)
    crm.token_behaviour = hangs
    async with crm.opened(options) as adapter:
        with pytest.raises(Unavailable, match="the log-in took too long"):
            await asyncio.wait_for(adapter.lookup(AYSE), 5)
    assert not is_locked(file)
    assert names_beside(file) == {"crm.token.lock"}


async def test_who_deletes_the_file_has_a_new_log_in_made(file: Path) -> None:
    logging_in = login(file, "refresh-1", "refresh-2")
    await logging_in.obtain(None)
    delete(file)
    assert (await logging_in.obtain(None)).values == {"access_token": "of refresh-2"}
    assert kept_in(file) == "refresh-2"


async def test_a_closed_adapter_logs_in_no_more(crm: OAuthCrm, options: dict[str, Any], slow_disk: SlowDisk) -> None:
    async with crm.opened(options) as adapter:
        session = session_of(adapter)
        waiting = detach(session.current())
        await slow_disk.until_asked()
        closing = detach(session.close())
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="the adapter is closed"):
            await session.current()
        slow_disk.goes_on.set()
        assert (await waiting).values == {"access_token": "access-1"}
        await closing
        with pytest.raises(Unavailable, match="the adapter is closed"):
            await session.current()
    assert crm.given == 1


async def test_a_log_in_that_is_never_answered_ends_with_the_adapter(
    crm: OAuthCrm, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.rest.session.LAST_WORDS", 0.1)
    crm.token_behaviour = hangs
    async with crm.opened(options) as adapter:
        session = session_of(adapter)
        waiting = detach(session.current())
        await crm.is_asked_for_a_token.wait()
        started = time.monotonic()
    assert time.monotonic() - started < BUSY
    with pytest.raises(Unavailable, match="the log-in was cut short"):
        await waiting
