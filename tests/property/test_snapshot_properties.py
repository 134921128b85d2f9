"""Whatever is known, whenever it is written and read: it comes back as it was and no younger, or not at all."""

import asyncio
import base64
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.cache import ContactCache, Entry
from proxy.model import Contact
from proxy.snapshot import Caps, Snapshot, SnapshotError, sealed_file
from tests.lengths import at_length
from tests.property.strategies import CONTACTS, foreign_numbers, home_numbers
from tests.unit.fakes import AHMET, FakeClock

NOW, WALL = 5000.0, 1_800_000_000.0
KEY = "made-up-made-up-made-up"
ROUNDED = 1e-5
"""Seconds that a time since 1970 may be off, as a float"""


@pytest.fixture(autouse=True, scope="module")
def _cheap() -> Iterator[None]:
    """Spend no time on keys."""
    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(sealed_file, "COST", 2)
        yield


NUMBERS = st.one_of(home_numbers(), foreign_numbers()).map(lambda number: number.e164)
SECONDS = st.floats(-1000, 100_000)
LIVES = st.floats(0, 100_000)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """Entries of any age, some of them gone."""
    contact = draw(st.none() | CONTACTS)
    fresh_until = NOW + draw(SECONDS)
    if contact is None:
        return Entry(None, fresh_until, fresh_until, ambiguous=draw(st.booleans()))
    return Entry(
        contact,
        fresh_until,
        fresh_until + draw(LIVES),
        draw(st.just(float("inf")) | LIVES.map(lambda ahead: fresh_until - ahead)),
        NOW + draw(SECONDS),
    )


CONTENTS = st.dictionaries(NUMBERS, entries(), max_size=8)
CAPS = st.builds(Caps, LIVES, LIVES, LIVES)


def filled(content: Mapping[str, Entry], size: int = 100) -> ContactCache:
    cache = ContactCache(size)
    for e164, entry in content.items():
        cache.put(e164, entry)
    return cache


def content_of(cache: ContactCache) -> dict[str, Entry]:
    return {e164: entry for part in cache.parts() for e164, entry in part}


def in_file(folder: str, now: float = NOW, wall: float = WALL) -> Snapshot:
    return Snapshot(Path(folder, "cache.json"), KEY, "crm", FakeClock(now), FakeClock(wall))


def written(content: Mapping[str, Entry]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(in_file(folder).write(filled(content)))
        return Path(folder, "cache.json").read_bytes()


def read_back(raw: bytes, caps: Caps, now: float = NOW, wall: float = WALL, into: ContactCache | None = None) -> int:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "cache.json").write_bytes(raw)
        return asyncio.run(in_file(folder, now, wall).read_into(ContactCache(100) if into is None else into, caps))


def as_kept(contact: Contact | None) -> Contact | None:
    return contact and Contact(contact.name, contact.fields, id=contact.id, customer_number=contact.customer_number)


@given(content=CONTENTS, caps=CAPS, passed=st.floats(-50_000, 200_000), now=st.floats(0, 1e7))
def test_what_comes_back_is_as_it_was_and_no_younger(
    *, content: dict[str, Entry], caps: Caps, passed: float, now: float
) -> None:
    cache = ContactCache(100)
    read_back(written(content), caps, now, WALL + passed, cache)
    found = content_of(cache)
    aged = max(passed, 0)
    for e164, entry in found.items():
        before = content[e164]
        assert entry.contact == as_kept(before.contact)
        assert entry.ambiguous is before.ambiguous
        fresh, stale = entry.fresh_until - now, entry.stale_until - now
        assert stale > 0, "what is gone stays away"
        assert fresh <= stale
        assert fresh <= before.fresh_until - NOW - aged + ROUNDED
        assert stale <= before.stale_until - NOW - aged + ROUNDED
        ttl, stays = (caps.ttl, caps.stale) if entry.contact else (caps.negative_ttl, 0)
        assert fresh <= ttl + ROUNDED
        assert stale - fresh <= stays + ROUNDED
        assert (entry.refresh_from == float("inf")) == (before.refresh_from == float("inf"))
        assert entry.refresh_from - now <= before.refresh_from - NOW - aged + ROUNDED
    for e164, before in content.items():
        fresh = before.fresh_until - NOW - aged
        stays = caps.stale if before.contact else 0
        if e164 not in found:
            ttl = caps.ttl if before.contact else caps.negative_ttl
            left = min(before.stale_until - NOW - aged, min(fresh, ttl) + stays)
            assert left <= ROUNDED, "what is not gone comes back"


@given(content=CONTENTS)
def test_what_is_read_at_once_and_within_its_lives_is_what_was_written(*, content: dict[str, Entry]) -> None:
    cache = ContactCache(100)
    forever = Caps(1e9, 1e9, 1e9)
    count = read_back(written(content), forever, into=cache)
    alive = [e164 for e164, entry in content.items() if entry.stale_until > NOW + ROUNDED]
    found = [e164 for e164 in content_of(cache) if content[e164].stale_until > NOW + ROUNDED]
    assert found == alive, "in their order"
    assert count == len(cache)
    for e164, entry in content_of(cache).items():
        assert entry.fresh_until == pytest.approx(content[e164].fresh_until, abs=ROUNDED)
        assert entry.stale_until == pytest.approx(content[e164].stale_until, abs=ROUNDED)


FULL = {
    "+905301234567": Entry(AHMET, NOW + 100, NOW + 1000),
    "+905321112233": Entry(None, NOW + 60, NOW + 60),
}
with pytest.MonkeyPatch.context() as patched:
    patched.setattr(sealed_file, "COST", 2)
    RAW = written(FULL)
CAP = Caps(300, 60, 86400)


def test_the_file_that_is_damaged_below_is_a_good_one() -> None:
    assert read_back(RAW, CAP) == len(FULL)


def refuses(raw: bytes) -> None:
    into = filled({"+905321112233": FULL["+905301234567"]})
    before = content_of(into)
    with pytest.raises(SnapshotError):
        read_back(raw, CAP, into=into)
    assert content_of(into) == before


@settings(max_examples=at_length(500, otherwise=200))
@given(place=st.integers(0, len(RAW) - 1), bits=st.integers(1, 255))
def test_any_byte_that_is_changed_is_seen(*, place: int, bits: int) -> None:
    changed = bytearray(RAW)
    changed[place] ^= bits
    refuses(bytes(changed))


@given(end=st.integers(0, len(RAW) - 1))
def test_any_end_that_is_missing_is_seen(*, end: int) -> None:
    refuses(RAW[:end])


@given(start=st.integers(0, len(RAW) - 1), length=st.integers(1, len(RAW)))
def test_any_piece_that_is_missing_or_there_twice_is_seen(*, start: int, length: int) -> None:
    piece = RAW[start : start + length]
    if len(piece) < len(RAW):
        refuses(RAW[:start] + RAW[start + length :])
    refuses(RAW[:start] + piece + RAW[start:])


@given(more=st.binary(min_size=1, max_size=50) | st.sampled_from([b"\n", b"null\n", b" ", b"[]\n", b'""\n', b"0"]))
def test_anything_that_is_added_is_seen(*, more: bytes) -> None:
    refuses(RAW + more)
    refuses(more + RAW)


@given(raw=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_a_file_of_any_other_kind_is_refused(*, raw: bytes) -> None:
    refuses(raw)


@given(content=CONTENTS)
def test_nothing_that_is_known_can_be_read_in_the_file(*, content: dict[str, Entry]) -> None:
    raw = written(content)
    first, *lines = map(json.loads, raw.splitlines())
    everything = [raw, base64.b64decode(first["check"]), *map(base64.b64decode, lines)]
    for e164, entry in content.items():
        contact = entry.contact or Contact()
        values = [str(value) for value in contact.fields.values()]
        for text in (e164, e164[1:], e164[-8:], contact.name, contact.id, *contact.fields, *values):
            telling = text.encode("utf-8", "replace")
            if len(telling) >= 6 and telling not in RAW.splitlines()[0]:  # shorter ones are there by chance
                assert not any(telling in part for part in everything)
