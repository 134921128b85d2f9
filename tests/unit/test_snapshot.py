"""What is known survives a restart, with its age, and lies about for nobody to read."""
# ruff: noqa: ASYNC240 - the tests' own small files

import asyncio
import base64
import json
import math
import os
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from proxy.cache import ContactCache, Entry
from proxy.entry import pack
from proxy.model import Contact
from proxy.snapshot import Caps, Snapshot, SnapshotError, entries, records, sealed_file
from proxy.snapshot.sealed_file import NewFile
from tests.unit.fakes import AHMET, FakeClock

A, B, C = "+905301234567", "+905321112233", "+493089680211"
KEY = "made-up-made-up-made-up"
CAPS = Caps(ttl=300, negative_ttl=60, stale=1000)
WROTE_AT = 1_800_000_000.0
LARGEST = 1000 * entries.LARGEST_ENTRY
UNKNOWN = Entry(None, 1050, 1050)
PART, _ = records.part_of([(A, pack(UNKNOWN))], 1000, WROTE_AT)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache.json"


def snapshot(file: Path, *, key: str = KEY, made_by: str = "crm", now: float = 1000.0, wall: float = 0) -> Snapshot:
    """Return one with a clock that says `now`, `wall` seconds after the time of the others."""
    return Snapshot(file, key, made_by, FakeClock(now), FakeClock(WROTE_AT + wall))


def cache_of(**numbers: Entry) -> ContactCache:
    cache = ContactCache(100)
    for name, entry in numbers.items():
        cache.put({"a": A, "b": B, "c": C}[name], entry)
    return cache


def known() -> ContactCache:
    return cache_of(
        a=Entry(AHMET, 1200, 2200, 1190), b=Entry(Contact("Örnek", {"n": 1.5, "no": None}), 900, 1900), c=UNKNOWN
    )


def content(cache: ContactCache) -> dict[str, Entry]:
    return {e164: entry for part in cache.parts() for e164, entry in part}


async def read(file: Path, caps: Caps = CAPS, **how: Any) -> dict[str, Entry]:
    cache = ContactCache(100)
    count = await snapshot(file, **how).read_into(cache, caps)
    assert count == len(cache)
    return content(cache)


async def refused(file: Path, **how: Any) -> str:
    """See that a file is not read and leaves the cache as it was; return why."""
    cache = cache_of(a=UNKNOWN)
    with pytest.raises(SnapshotError) as caught:
        await snapshot(file, **how).read_into(cache, CAPS)
    assert content(cache) == {A: UNKNOWN}
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ------------------------------------------------------------------------------------- there and back


async def test_what_was_written_comes_back(file: Path) -> None:
    assert await snapshot(file).write(known()) == 3
    assert await read(file) == content(known())


async def test_a_file_that_is_not_there_has_nothing(file: Path) -> None:
    assert await read(file) == {}


async def test_an_empty_cache_is_a_file_without_entries(file: Path) -> None:
    assert await snapshot(file).write(ContactCache(5)) == 0
    assert await read(file) == {}


async def test_more_entries_than_a_line_has_come_back_in_their_order(file: Path) -> None:
    cache = ContactCache(10_000)
    for n in range(entries.PART * 2 + 1):
        cache.put(f"+90530{n:07}", Entry(Contact(str(n)), 1100, 1200))
    await snapshot(file).write(cache)
    again = ContactCache(10_000)
    assert await snapshot(file).read_into(again, CAPS) == len(cache)
    assert [*again.parts()] == [*cache.parts()]


async def test_a_smaller_cache_takes_those_that_were_put_last(file: Path) -> None:
    await snapshot(file).write(known())
    cache = ContactCache(2)
    assert await snapshot(file).read_into(cache, CAPS) == 2
    assert [*content(cache)] == [B, C]


async def test_a_smaller_cache_takes_whole_lines_and_parts_of_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "PART", 4)
    cache = ContactCache(100)
    for n in range(14):
        cache.put(f"+90530{n:07}", UNKNOWN)
    await snapshot(file).write(cache)
    for size in (1, 6, 13):
        smaller = ContactCache(size)
        assert await snapshot(file).read_into(smaller, CAPS) == min(size, 14)
        assert [*content(smaller)] == [*content(cache)][-size:]


async def test_that_there_were_several_comes_back(file: Path) -> None:
    several = Entry(None, 1050, 1050, ambiguous=True)
    await snapshot(file).write(cache_of(a=several, b=UNKNOWN, c=Entry(Contact("Örnek", id="several"), 1100, 1200)))
    found = await read(file)
    assert found == {A: several, B: UNKNOWN, C: Entry(Contact("Örnek", id="several"), 1100, 1200)}
    assert [entry.ambiguous for entry in found.values()] == [True, False, False]


async def test_the_customer_number_of_a_contact_comes_back(file: Path) -> None:
    contact = Contact("Örnek", {"tier": "gold"}, id="7", customer_number="C-00123")
    await snapshot(file).write(cache_of(a=Entry(contact, 1100, 1100), b=Entry(AHMET, 1100, 1100)))
    found = await read(file)
    assert found[A].contact == contact
    assert found[B].contact == AHMET


async def test_the_numbers_of_a_contact_are_not_kept(file: Path) -> None:
    await snapshot(file).write(cache_of(a=Entry(Contact("Örnek", numbers=("0530 123 45 67",)), 1100, 1100)))
    found = (await read(file))[A].contact
    assert found == Contact("Örnek")


@pytest.mark.parametrize("name", ["\ud800", "", "\0", 'a"b', ("no", "text")])
async def test_whatever_an_adapter_calls_a_field_the_contact_comes_back(file: Path, name: Any) -> None:
    await snapshot(file).write(cache_of(a=Entry(Contact("Örnek", {name: 1, "tier": "gold"}), 1100, 1100)))
    found = (await read(file))[A].contact
    assert found is not None
    assert {**found.fields} == {"tier": "gold", **({name: 1} if isinstance(name, str) else {})}


# ------------------------------------------------------------------------------------- ages


async def test_the_time_between_counts_whatever_the_monotonic_clock_says(file: Path) -> None:
    await snapshot(file).write(known())
    found = await read(file, now=5.0, wall=40)
    assert found[A] == Entry(AHMET, 165, 1165, 155)
    assert found[B].fresh_until == -135
    assert found[C] == Entry(None, 15, 15)


async def test_what_is_gone_does_not_come_back(file: Path) -> None:
    await snapshot(file).write(known())
    assert [*await read(file, wall=49)] == [A, B, C]
    assert [*await read(file, wall=50)] == [A, B]
    assert [*await read(file, wall=900)] == [A]
    assert await read(file, wall=1200) == {}


async def test_what_is_gone_is_not_written(file: Path) -> None:
    assert await snapshot(file, now=1050).write(known()) == 2
    assert await snapshot(file, now=1050).erase(C) is False


async def test_a_clock_that_was_set_back_makes_nothing_younger(file: Path) -> None:
    await snapshot(file).write(known())
    assert await read(file, wall=-1_000_000) == content(known())


async def test_nothing_lives_longer_than_the_lifetimes_are_now(file: Path) -> None:
    await snapshot(file).write(known())
    found = await read(file, Caps(ttl=20, negative_ttl=5, stale=30))
    assert found == {A: Entry(AHMET, 1020, 1050, 1010), C: Entry(None, 1005, 1005)}, "B has been stale for too long"


async def test_a_shorter_stale_counts_from_the_end_of_the_fresh_time(file: Path) -> None:
    await snapshot(file).write(known())
    assert (await read(file, Caps(ttl=300, negative_ttl=60, stale=0)))[A] == Entry(AHMET, 1200, 1200, 1190)


# ------------------------------------------------------------------------------------- nobody else's


async def test_neither_numbers_nor_names_nor_fields_can_be_read_in_the_file(file: Path) -> None:
    secret = {"phone": "05301234567", "diagnosis": "made up"}
    await snapshot(file).write(cache_of(a=Entry(Contact("Ahmet Yılmaz", secret, id="4711-42"), 1100, 1200)))
    raw = file.read_bytes()
    first, *lines = map(json.loads, raw.splitlines())
    sealed = b"".join(base64.b64decode(line) for line in (first.pop("check"), *lines))
    assert {*first} == {"format", "version", "salt"}
    for text in (A, A[3:], "Ahmet", "Yılmaz", "diagnosis", "made up", "4711-42", KEY, '"crm"'):
        assert text.encode() not in raw + sealed
        assert base64.b64encode(text.encode())[:-3] not in raw


async def test_it_is_for_the_owner_alone(file: Path) -> None:
    previous = os.umask(0)
    try:
        await snapshot(file).write(known())
    finally:
        os.umask(previous)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_two_of_the_same_are_sealed_differently(file: Path) -> None:
    await snapshot(file).write(known())
    first = file.read_bytes().splitlines()
    await snapshot(file).write(known())
    assert not {*first} & {*file.read_bytes().splitlines()}


async def test_no_two_lines_of_a_file_begin_the_same(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "PART", 1)
    await snapshot(file).write(known())
    first, *lines = map(json.loads, file.read_bytes().splitlines())
    nonces = {base64.b64decode(line)[:12] for line in (first["check"], *lines)}
    assert len(nonces) == 5, "the same one twice would give the text away"


async def test_an_end_that_counts_other_parts_is_none(file: Path) -> None:
    new = NewFile(file, KEY.encode(), {"made_by": "crm", "written_at": WROTE_AT})
    new.open()
    new._parts = 1
    new.complete()
    assert "damaged" in await refused(file)


# ------------------------------------------------------------------------------------- not used


async def test_another_key_reads_nothing(file: Path) -> None:
    await snapshot(file).write(known())
    assert "another snapshot_key" in await refused(file, key=KEY + "!")


async def test_contacts_of_other_sources_are_not_read(file: Path) -> None:
    await snapshot(file).write(known())
    assert "other sources" in await refused(file, made_by="another crm")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "another kind"),
        ("null\n", "another kind"),
        ('{"customers": []}\n', "another kind"),
        ('{"format": "tanima cache", "version": 1}\n', "another version"),
        ('{"format": "tanima cache", "version": 3}\n', "another version"),
        ('{"format": "tanima cache", "version": 2}\n', "damaged"),
        ('{"format": "tanima cache", "version": 2, "salt": 7, "check": 7}\n', "damaged"),
        ('{"format": "tanima cache", "version": 2, "salt": "00", "check": 7}\n', "damaged"),
        ("[" * 100_000, "damaged"),
        ("\xff\xfe", "damaged"),
    ],
)
async def test_what_is_none_is_not_used(file: Path, text: str, why: str) -> None:
    file.write_text(text, encoding="latin-1")
    assert why in await refused(file)


def without(place: int) -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: lines[:place] + lines[place + 1 :]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda lines: lines[:-1], "not complete"),
        (without(1), "damaged"),
        (lambda lines: [lines[0], lines[2], lines[1], lines[3]], "damaged"),
        (lambda lines: [*lines[:2], lines[1], lines[3]], "damaged"),
        (lambda lines: [*lines[:1], lines[3]], "damaged"),
        (lambda lines: [*lines, lines[1]], "damaged"),
        (lambda lines: [*lines, b"null\n"], "damaged"),
        (lambda lines: [lines[0], lines[1].replace(b'"', b" "), *lines[2:]], "damaged"),
        (lambda lines: [lines[0].replace(b": ", b":"), *lines[1:]], "damaged"),
    ],
)
async def test_lines_cannot_be_left_out_or_moved_or_added(
    file: Path, change: Callable[[list[bytes]], list[bytes]], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "PART", 2)
    await snapshot(file).write(known())
    lines = file.read_bytes().splitlines(keepends=True)
    assert len(lines) == 4
    file.write_bytes(b"".join(change(lines)))
    assert why in await refused(file)


async def test_a_line_of_another_file_does_not_fit(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    await snapshot(file).write(known())
    await snapshot(other).write(known())
    lines, others = file.read_bytes().splitlines(), other.read_bytes().splitlines()
    file.write_bytes(b"\n".join([lines[0], others[1], lines[2], b""]))
    assert "damaged" in await refused(file)


async def test_another_spelling_of_the_same_bytes_is_not_taken(file: Path) -> None:
    await snapshot(file).write(known())
    first, rest = file.read_bytes().split(b"\n", 1)
    told = json.loads(first)
    told["salt"] += " "
    assert bytes.fromhex(told["salt"])
    file.write_bytes(json.dumps(told).encode() + b"\n" + rest)
    assert "damaged" in await refused(file)


async def test_base64_with_other_bits_behind_its_end_is_not_taken(file: Path) -> None:
    text, made_by = "", "crm"
    while not text.endswith("="):  # one length in three leaves no bits over
        made_by += "!"
        await snapshot(file, made_by=made_by).write(known())
        first, rest = file.read_bytes().split(b"\n", 1)
        text = json.loads(first)["check"]
    signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = text.rstrip("=")
    other = body[:-1] + signs[signs.index(body[-1]) ^ 1] + text[len(body) :]
    assert base64.b64decode(other, validate=True) == base64.b64decode(text)
    file.write_bytes(first.replace(text.encode(), other.encode()) + b"\n" + rest)
    assert "damaged" in await refused(file, made_by=made_by)


@pytest.mark.parametrize(
    "part",
    [b"Ahmet", b"Ahmet Yilmaz", PART[:-1], PART + b"x", PART.replace(b"+", b"\n"), PART.replace(b"+", b"\xff")],
)
async def test_entries_of_another_form_are_not_used(file: Path, part: bytes) -> None:
    new = NewFile(file, KEY.encode(), {"made_by": "crm", "written_at": WROTE_AT})
    new.open()
    new.add(part)
    new.complete()
    assert "another form" in await refused(file)


async def test_one_that_would_fill_the_memory_is_not_read(file: Path) -> None:
    await snapshot(file).write(known())
    with file.open("r+b") as growing:
        growing.truncate(LARGEST + 1)
    assert "too large" in await refused(file)
    os.truncate(file, LARGEST)
    assert "damaged" in await refused(file)


async def test_a_pipe_is_not_waited_for(file: Path) -> None:
    os.mkfifo(file)
    try:
        assert "no file" in await asyncio.wait_for(refused(file), 5)
    finally:
        with suppress(OSError):  # lets go of a thread that waits for it
            os.close(os.open(file, os.O_WRONLY | os.O_NONBLOCK))


async def test_one_that_cannot_be_read_says_why(file: Path) -> None:
    file.symlink_to(file)
    assert await refused(file) == "the snapshot cannot be read (Too many levels of symbolic links)"


# ------------------------------------------------------------------------------------- writing


def names(folder: Path) -> list[str]:
    return sorted(left.name for left in folder.iterdir())


async def test_a_folder_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match=r"cannot be written \(No such file or directory\)"):
        await snapshot(tmp_path / "missing" / "cache.json").write(known())


@pytest.mark.parametrize("bytes_left", [0, 100, 5000])
async def test_a_full_disk_leaves_the_old_one(file: Path, bytes_left: int) -> None:
    await snapshot(file).write(known())
    before = file.read_bytes()
    large = ContactCache(1000)
    for n in range(400):
        large.put(f"+90530{n:07}", Entry(Contact("x" * 100), 1100, 1200))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, limits[1]))
    try:
        with pytest.raises(SnapshotError, match=r"cannot be written \(File too large\)"):
            await snapshot(file).write(large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_bytes() == before
    assert names(file.parent) == ["cache.json"]


async def test_where_it_is_a_link_it_stays_one(file: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    file.symlink_to(tmp_path / "elsewhere" / "real.json")
    await snapshot(file).write(known())
    assert file.is_symlink()
    assert names(tmp_path / "elsewhere") == ["real.json"]
    assert await read(file) == content(known())


def ended_process() -> int:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


async def test_what_a_killed_writer_has_left_is_cleared_up(tmp_path: Path) -> None:
    file = tmp_path / "cache[1].json"
    left = [f".{file.name}.{ended_process()}.abc.new", f".{file.name}.{os.getpid()}.abc.new"]
    others = [f".{file.name}.{os.getppid()}.abc.new", f".{file.name}.word.new", ".cache1.json.99.new"]
    for name in left + others:
        (tmp_path / name).write_bytes(b"half")
    await snapshot(file).write(known())
    assert names(tmp_path) == sorted([*others, file.name])


async def test_a_writer_that_is_cancelled_leaves_the_old_one_and_nothing_else(file: Path) -> None:
    await snapshot(file).write(known())
    before = file.read_bytes()
    many = ContactCache(100_000)
    for n in range(20_000):
        many.put(f"+90530{n:07}", UNKNOWN)
    writing = asyncio.ensure_future(snapshot(file).write(many))
    while len(names(file.parent)) == 1 and not writing.done():  # noqa: ASYNC110 - a thread makes it
        await asyncio.sleep(0.001)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert file.read_bytes() == before
    assert names(file.parent) == ["cache.json"]


async def test_the_new_one_takes_its_place_when_it_is_on_the_disk(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noting_fsync(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def noting_replace(self: Path, target: Path) -> Path:
        done.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(Path, "replace", noting_replace)
    await snapshot(file).write(known())
    assert done == ["file", "replace", "folder"]


async def test_the_one_that_was_begun_last_is_the_one_that_stays(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "PART", 1)
    keeper, large = snapshot(file), ContactCache(100)
    for n in range(100):
        large.put(f"+90530{n:07}", UNKNOWN)
    first = asyncio.ensure_future(keeper.write(large))
    await asyncio.sleep(0)
    await keeper.write(known())
    await first
    assert await read(file) == content(known())


async def test_one_that_was_dropped_while_it_is_written_is_gone_after_the_next(file: Path) -> None:
    keeper, cache = snapshot(file), known()
    first = asyncio.ensure_future(keeper.write(cache))
    await asyncio.sleep(0)
    cache.drop(A)
    await keeper.write(cache)
    assert first.done(), "one is written at a time"
    assert [*await read(file)] == [B, C]


async def test_the_disk_does_not_keep_calls_waiting(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[threading.Thread] = set()

    def noting(act: Callable[..., Any]) -> Callable[..., Any]:
        def doing(*arguments: Any) -> Any:
            threads.add(threading.current_thread())
            return act(*arguments)

        return doing

    for name in ("open", "add", "complete", "discard"):
        monkeypatch.setattr(NewFile, name, noting(getattr(NewFile, name)))
    for name in ("part_of", "entries_of", "without"):
        monkeypatch.setattr(entries, name, noting(getattr(entries, name)))
    monkeypatch.setattr(sealed_file, "_opened", noting(sealed_file._opened))
    keeper = snapshot(file)
    await keeper.write(known())
    await keeper.read_into(ContactCache(10), CAPS)
    await keeper.erase(A)
    (thread,) = threads
    assert thread.name.startswith("snapshot")


async def test_calls_are_answered_between_the_parts(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entries, "PART", 10)
    cache = ContactCache(1000)
    for n in range(500):
        cache.put(f"+90530{n:07}", UNKNOWN)
    again, seen = ContactCache(1000), set[int]()
    await snapshot(file).write(cache)

    async def look() -> None:
        while True:
            seen.add(len(again))
            await asyncio.sleep(0)

    looking = asyncio.ensure_future(look())
    await snapshot(file).read_into(again, CAPS)
    looking.cancel()
    assert seen >= {*range(0, 500, 10)}


# ------------------------------------------------------------------------------------- erase


async def test_erasing_takes_one_number_out_and_leaves_the_others_as_they_were(file: Path) -> None:
    await snapshot(file).write(known())
    assert await snapshot(file, made_by="", now=7.0, wall=77).erase(A) is True
    kept = content(known())
    del kept[A]
    assert await read(file) == kept
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_erasing_a_number_that_is_not_there_changes_nothing(file: Path) -> None:
    await snapshot(file).write(cache_of(b=UNKNOWN))
    before = file.read_bytes()
    assert await snapshot(file).erase(A) is False
    assert file.read_bytes() == before
    assert names(file.parent) == ["cache.json"]


@pytest.mark.parametrize("has_one", [True, False])
async def test_erasing_also_clears_up_after_writers_that_were_killed(file: Path, *, has_one: bool) -> None:
    if has_one:
        await snapshot(file).write(cache_of(b=UNKNOWN))
    left = file.with_name(f".cache.json.{ended_process()}.abc.new")
    left.write_bytes(b"half")
    assert await snapshot(file).erase(A) is False
    assert not left.exists()


async def test_erasing_in_a_damaged_one_is_an_error_and_changes_nothing(file: Path) -> None:
    await snapshot(file).write(known())
    broken = file.read_bytes()[:-10]
    file.write_bytes(broken)
    with pytest.raises(SnapshotError):
        await snapshot(file).erase(A)
    assert file.read_bytes() == broken
    assert names(file.parent) == ["cache.json"]


async def test_erasing_where_nothing_can_be_cleared_up_is_an_error(file: Path) -> None:
    file.with_name(f".cache.json.{ended_process()}.abc.new").mkdir()
    with pytest.raises(SnapshotError, match="cannot be written"):
        await snapshot(file).erase(A)


async def test_a_time_to_be_asked_again_is_kept_only_where_there_is_one(file: Path) -> None:
    await snapshot(file).write(known())
    assert (await read(file))[B].refresh_from == math.inf
