"""A file whose content changes, however that comes about."""
# ruff: noqa: ASYNC240 - the tests' own small files

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from proxy import following
from proxy.following import changes, content_of


class Followed:
    """A file that is followed."""

    def __init__(self, file: Path, known: bytes | None) -> None:
        self.count = 0
        self._known = known
        self._stop = asyncio.Event()
        self._task = asyncio.ensure_future(self._follow(file))

    async def _follow(self, file: Path) -> None:
        async for _ in changes(file, lambda: self._known, self._stop):
            self._known = content_of(file)
            self.count += 1

    async def until(self, count: int) -> None:
        for _ in range(500):
            if self.count >= count:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"{self.count} changes instead of {count}")

    async def stop(self) -> None:
        self._stop.set()
        await asyncio.wait_for(self._task, 5)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(following, "LOOK", 50)
    monkeypatch.setattr(following, "DEBOUNCE", 20)
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "config.toml").write_text("one", encoding="utf-8")
    return folder


@pytest.fixture
async def followed(folder: Path) -> AsyncIterator[Followed]:
    followed = Followed(folder / "config.toml", b"one")
    yield followed
    await followed.stop()


async def test_what_was_changed_before_it_was_followed_counts(folder: Path) -> None:
    followed = Followed(folder / "config.toml", b"what was read at the start")
    await followed.until(1)
    await followed.stop()
    assert followed.count == 1


async def test_a_folder_that_is_exchanged_does_not_lose_the_file(folder: Path, followed: Followed) -> None:
    await asyncio.sleep(0.1)
    other = folder.with_name("new")
    other.mkdir()
    (other / "config.toml").write_text("two", encoding="utf-8")
    folder.rename(folder.with_name("old"))
    other.rename(folder)
    await followed.until(1)
    (folder / "config.toml").write_text("three", encoding="utf-8")
    await followed.until(2)


async def test_a_folder_that_is_gone_and_comes_back_does_not_lose_it_either(folder: Path, followed: Followed) -> None:
    await asyncio.sleep(0.1)
    (folder / "config.toml").unlink()
    folder.rmdir()
    await followed.until(1)
    folder.mkdir()
    (folder / "config.toml").write_text("two", encoding="utf-8")
    await followed.until(2)


async def test_a_link_whose_target_is_written_is_followed(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    target = folder / "elsewhere" / "config.toml"
    target.write_text("one", encoding="utf-8")
    link = folder / "link.toml"
    link.symlink_to(target)
    followed = Followed(link, b"one")
    await asyncio.sleep(0.1)
    target.write_text("two", encoding="utf-8")
    await followed.until(1)
    await followed.stop()


async def test_a_pipe_in_the_place_of_the_file_is_not_waited_for(folder: Path, followed: Followed) -> None:
    await asyncio.sleep(0.1)
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    pipe.rename(folder / "config.toml")
    await followed.until(1)
    assert content_of(folder / "config.toml") is None


async def test_it_ends_while_it_waits(folder: Path, followed: Followed) -> None:
    await asyncio.sleep(0.02)
    await followed.stop()
    assert followed.count == 0
