"""How tokens get to the disk: whole or not at all, seen there before they are used, and for whoever had them."""

import asyncio
import errno
import json
import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.adapter import AdapterError
from proxy.testing import FakeClock, Request
from tests.adapters.oauth_crm import OAuthCrm, finds, kept_in
from tests.adapters.rest_crm import AYSE


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


def inode_of(file: Path) -> int:
    return file.stat().st_ino


def size_of(file: Path) -> int | None:
    return file.stat().st_size if file.exists() else None


def owner_of(file: Path) -> tuple[int, int]:
    return file.stat().st_uid, file.stat().st_gid


def write_newer(file: Path) -> None:
    """Put a newer refresh token into the file."""
    file.write_bytes(file.read_bytes().replace(b"refresh-1", b"refresh-9"))


@contextmanager
def on_a_broken_disk() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr("adapters.rest.tokens.os.fsync", fails_to_write)
        yield


def fails_to_write(_: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


async def test_the_file_is_readable_by_nobody_else_and_replaced_as_a_whole(
    crm: OAuthCrm, options: dict[str, Any], file: Path
) -> None:
    before = os.umask(0)
    try:
        async with crm.opened(options) as adapter:
            await finds(adapter)
            first = inode_of(file)
            held = file.open(encoding="utf-8")
            crm.revoke()
            await finds(adapter)
    finally:
        os.umask(before)
    with held:
        assert "refresh-1" in json.loads(held.read()).popitem()[1].values(), "who reads the old file has a whole one"
    assert inode_of(file) != first
    assert {stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()} == {0o600}
    assert {each.name for each in file.parent.iterdir()} == {"crm.token", "crm.token.lock"}


async def test_the_file_is_written_before_the_token_is_used(crm: OAuthCrm, options: dict[str, Any], file: Path) -> None:
    kept: list[str] = []
    behave = crm.http.behaviour
    assert behave is not None

    async def look(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.path != "/token":
            kept.append(kept_in(file))
        await behave(request, writer)

    crm.http.behaviour = look
    async with crm.opened(options) as adapter:
        await finds(adapter)
    assert kept == ["refresh-1"]


async def test_a_file_that_cannot_be_written_is_told_before_anything_is_sent(crm: OAuthCrm, tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    async with crm.opened(crm.rotating_options(folder / "crm.token")) as adapter:
        folder.rmdir()
        with pytest.raises(AdapterError) as caught:
            await adapter.lookup(AYSE)
    assert str(caught.value) == "the token_file cannot be written (No such file or directory)"
    assert crm.token_requests == []


async def test_a_full_disk_is_told_before_anything_is_sent(
    crm: OAuthCrm, options: dict[str, Any], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_a_full_disk(*_: object) -> tuple[int, str]:
        return os.open("/dev/full", os.O_WRONLY), str(file.with_name("new"))

    async with crm.opened(options) as adapter:
        monkeypatch.setattr("adapters.rest.tokens.tempfile.mkstemp", on_a_full_disk)
        with pytest.raises(AdapterError) as caught:
            await adapter.lookup(AYSE)
    assert str(caught.value) == "the token_file cannot be written (No space left on device)"
    assert crm.token_requests == []


async def test_a_token_that_could_not_be_written_down_is_written_later_and_not_lost(
    crm: OAuthCrm, options: dict[str, Any], file: Path
) -> None:
    clock = FakeClock()
    async with crm.opened(options, clock) as adapter:
        with on_a_broken_disk(), pytest.raises(AdapterError, match=r"cannot be written \(Input/output error\)"):
            await adapter.lookup(AYSE)
        assert size_of(file) is None
        clock.advance(60.1)
        await finds(adapter)
    assert len(crm.token_requests) == 1
    assert kept_in(file) == "refresh-1"


async def test_a_token_that_could_not_be_written_down_does_not_replace_a_newer_one(
    crm: OAuthCrm, options: dict[str, Any], file: Path
) -> None:
    clock = FakeClock()
    async with crm.opened(options, clock) as adapter:
        await finds(adapter)
        crm.revoke()
        with on_a_broken_disk(), pytest.raises(AdapterError, match="Input/output error"):
            await adapter.lookup(AYSE)
        crm._refresh_token = "refresh-9"
        write_newer(file)
        clock.advance(60.1)
        await finds(adapter)
    assert kept_in(file) == "refresh-3"
    assert not crm.is_broken_into


async def test_the_file_is_seen_on_the_disk_before_it_takes_the_place_and_its_folder_behind_it(
    crm: OAuthCrm, options: dict[str, Any], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, int, int]] = []
    fsync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        seen = os.fstat(handle)
        done.append(("synced", seen.st_ino, 0 if stat.S_ISDIR(seen.st_mode) else seen.st_size))
        fsync(handle)

    def replaced(new: Path, old: Path) -> Path:
        done.append(("replaced", inode_of(new), new.stat().st_size))
        return replace(new, old)

    monkeypatch.setattr("adapters.rest.tokens.os.fsync", synced)
    monkeypatch.setattr("adapters.rest.tokens.Path.replace", replaced)
    async with crm.opened(options) as adapter:
        await finds(adapter)
    inode, size = inode_of(file), size_of(file)
    assert done == [("synced", inode, size), ("replaced", inode, size), ("synced", inode_of(file.parent), 0)]


async def test_what_root_writes_belongs_to_whoever_had_it(
    crm: OAuthCrm, options: dict[str, Any], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int, int]] = []
    owner = (4711, 4712) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    os.chown(file.parent, *owner)
    monkeypatch.setattr("adapters.rest.tokens.os.geteuid", lambda: 0)
    fchown = os.fchown

    def gives(handle: int, user: int, group: int) -> None:
        given.append((os.fstat(handle).st_ino, user, group))
        fchown(handle, user, group)

    monkeypatch.setattr("adapters.rest.tokens.os.fchown", gives)
    lock = file.with_name("crm.token.lock")
    async with crm.opened(options) as adapter:
        await finds(adapter)
        assert given == [(inode_of(lock), *owner), (inode_of(file), *owner)]
        if owner[0] == 4711:
            os.chown(file, 4713, 4714)
            owner = (4713, 4714)
        crm.revoke()
        await finds(adapter)
    assert given[2:] == [(inode_of(file), *owner)]
    assert owner_of(file) == owner


async def test_others_than_root_give_nothing_away(
    crm: OAuthCrm, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gives(*_: int) -> None:
        raise AssertionError

    monkeypatch.setattr("adapters.rest.tokens.os.geteuid", lambda: 1000)
    monkeypatch.setattr("adapters.rest.tokens.os.fchown", gives)
    async with crm.opened(options) as adapter:
        await finds(adapter)


async def test_a_lock_that_leads_elsewhere_is_not_followed(
    crm: OAuthCrm, options: dict[str, Any], file: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    file.with_name("crm.token.lock").symlink_to(elsewhere)
    async with crm.opened(options) as adapter:
        with pytest.raises(AdapterError, match="the token_file cannot be written"):
            await adapter.lookup(AYSE)
    assert not elsewhere.exists()
