"""The snapshot of a running server, when it cannot be written or had."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxy import keeping, logs
from proxy.cache import ContactCache, Entry
from proxy.keeping import Keeper
from proxy.snapshot import Caps, Snapshot, SnapshotError, lock
from tests.unit.fakes import AHMET, NUMBER

CAPS = Caps(300, 60, 86400)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    lines: list[tuple[str, Any]] = []

    def noting(name: str) -> Callable[..., None]:
        return lambda *arguments: lines.append((name, arguments))

    for name in ("snapshot_failed", "snapshot_read", "bug"):
        monkeypatch.setattr(logs, name, noting(name))
    return lines


def snapshot(file: Path) -> Snapshot:
    return Snapshot(file, "made-up-made-up-made-up", "", lambda: 0.0, lambda: 0.0)


def filled() -> ContactCache:
    cache = ContactCache(10)
    cache.put(NUMBER.e164, Entry(AHMET, 100, 1000))
    return cache


async def test_an_error_that_nobody_foresaw_does_not_end_the_keeping(
    tmp_path: Path, told: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, file = filled(), tmp_path / "cache.json"
    kept = snapshot(file)
    good = kept.write

    async def bad(_: ContactCache) -> int:
        monkeypatch.setattr(kept, "write", good)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(kept, "write", bad)
    keeper = Keeper(kept, lambda: cache)
    await keeper.take_up(CAPS)
    keeping_on = asyncio.ensure_future(keeper.keep(lambda: 0.01))
    while not file.exists():  # noqa: ASYNC110 - a file tells nobody
        await asyncio.sleep(0.01)
    keeping_on.cancel()
    assert [name for name, _ in told] == ["snapshot_read", "bug"]


async def test_one_that_somebody_else_has_alone_is_read_all_the_same(
    tmp_path: Path, told: list[tuple[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 0.0)
    first, cache = snapshot(tmp_path / "cache.json"), filled()
    await first.hold()
    first.let_go()
    await first.write(cache)
    eraser = lock.Lock(tmp_path / "cache.json")
    assert eraser.take()
    read = ContactCache(10)
    await Keeper(snapshot(tmp_path / "cache.json"), lambda: read).take_up(CAPS)
    assert len(read) == 1
    assert [name for name, _ in told] == ["snapshot_failed", "snapshot_read"]
    eraser.release()


async def test_a_server_waits_for_one_who_erases(tmp_path: Path) -> None:
    held = snapshot(tmp_path / "cache.json")
    await held.hold()
    held.let_go()
    eraser = lock.Lock(tmp_path / "cache.json")
    assert eraser.take()
    holding = asyncio.ensure_future(held.hold())
    await asyncio.sleep(0.1)
    assert not holding.done()
    eraser.release()
    await holding
    assert not eraser.take()
    held.let_go()
    eraser.release()


async def test_a_lock_that_cannot_be_had_is_told(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / ".cache.json.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SnapshotError, match=r"cannot be had .*, and tanima erase cannot know that this server has it"):
        await snapshot(tmp_path / "cache.json").hold()
    with pytest.raises(SnapshotError, match="the lock of the snapshot cannot be had"):
        await snapshot(tmp_path / "cache.json").erase(NUMBER.e164)


async def test_servers_share_it(tmp_path: Path) -> None:
    first, second = snapshot(tmp_path / "cache.json"), snapshot(tmp_path / "cache.json")
    await first.hold()
    await first.hold()
    await second.hold()
    first.let_go()
    with pytest.raises(SnapshotError, match="a server that runs has the snapshot"):
        await snapshot(tmp_path / "cache.json").erase(NUMBER.e164)
    second.let_go()
    assert await snapshot(tmp_path / "cache.json").erase(NUMBER.e164) is False


async def test_what_has_not_been_taken_up_yet_is_not_written_over(tmp_path: Path) -> None:
    file, empty = tmp_path / "cache.json", ContactCache(10)
    await snapshot(file).write(filled())
    keeper = Keeper(snapshot(file), lambda: empty)
    await keeper.write(anyway=True)
    await keeper.take_up(CAPS)
    assert len(empty) == 1


@pytest.mark.parametrize("between", ["other.json", None])
async def test_a_snapshot_that_is_changed_and_changed_back_is_there(tmp_path: Path, between: str | None) -> None:
    file, cache = tmp_path / "cache.json", filled()
    keeper = Keeper(snapshot(file), lambda: cache)
    await keeper.take_up(CAPS)
    assert await keeper.write()
    await keeper.change(snapshot(tmp_path / between) if between else None)
    await keeper.change(snapshot(file))
    assert await keeper.write()
    assert file.exists()
    keeper.let_go()


async def test_a_snapshot_that_a_reload_brings_is_written(tmp_path: Path) -> None:
    cache = filled()
    keeper = Keeper(None, lambda: cache)
    await keeper.take_up(CAPS)
    assert not await keeper.write(anyway=True)
    await keeper.change(snapshot(tmp_path / "cache.json"))
    assert await keeper.write()
    assert (tmp_path / "cache.json").exists()
    keeper.let_go()


async def test_one_that_is_no_longer_used_and_cannot_be_removed_is_told_of_once(
    tmp_path: Path, told: list[tuple[str, Any]]
) -> None:
    cache = filled()
    (tmp_path / "a folder").mkdir()
    keeper = Keeper(snapshot(tmp_path / "a folder"), lambda: cache)
    await keeper.take_up(CAPS)
    await keeper.change(snapshot(tmp_path / "cache.json"))
    told.clear()
    for _ in range(2):
        assert await keeper.write(anyway=True), "what counts is the one that is used"
    ((name, (trouble,)),) = told
    assert name == "snapshot_failed"
    assert str(trouble).startswith("a snapshot that is no longer used cannot be removed (")
    keeper.let_go()


async def test_where_the_snapshot_is_a_link_its_target_is_locked_and_removed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "cache.json", tmp_path / "cache.json"
    link.symlink_to(target)
    cache = filled()
    keeper = Keeper(snapshot(link), lambda: cache)
    await keeper.take_up(CAPS)
    await keeper.write()
    with pytest.raises(SnapshotError, match="a server that runs has the snapshot"):
        await snapshot(target).erase(NUMBER.e164)
    await keeper.change(None)
    await keeper.write()
    assert not target.exists()


async def test_whoever_may_reach_the_lock_may_take_it(tmp_path: Path) -> None:
    held = snapshot(tmp_path / "cache.json")
    before = os.umask(0o077)
    try:
        await held.hold()
    finally:
        os.umask(before)
    assert (tmp_path / ".cache.json.lock").stat().st_mode & 0o777 == 0o644
    held.let_go()


async def test_without_a_snapshot_there_is_nothing_to_do(told: list[tuple[str, Any]]) -> None:
    keeper = keeping.Keeper(None, filled)
    await keeper.take_up(CAPS)
    assert not await keeper.write(anyway=True)
    keeper.let_go()
    assert told == []
