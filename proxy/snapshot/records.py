"""Entries of the cache one after another, as they stand in a part of the file; their times are seconds since 1970."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from struct import Struct

from proxy.entry import join, short_head, split, without_numbers

_SIZES = Struct("<II")
"""How many entries there are, and bytes of their numbers"""

_HEAD = Struct("<Iddd?")
"""Of an entry: bytes of its contact; fresh, stale and refresh; and whether the CRM has several"""

_BETWEEN = "\n"
"""Between numbers"""

Head = tuple[int, float, float, float, bool]


@dataclass(frozen=True, slots=True)
class Caps:
    """For how long, in seconds, entries may be good from now on at the most, whatever the file says."""

    ttl: float
    negative_ttl: float
    stale: float


def part_of(entries: Iterable[tuple[str, bytes]], now: float, to_wall: float) -> tuple[bytes, int]:
    """Return a part of those packed entries that are good `now`, and how many those are.

    Seconds since 1970 are so many more than theirs.
    """
    numbers, heads, contacts = list[str](), list[bytes](), list[bytes]()
    for number, packed in entries:
        (fresh_until, stale_until, refresh_from, _, ambiguous), contact = split(packed)
        if now < stale_until:
            contact = without_numbers(contact)
            wall = fresh_until + to_wall, stale_until + to_wall, refresh_from + to_wall
            numbers.append(number)
            heads.append(_HEAD.pack(len(contact), *wall, ambiguous))
            contacts.append(contact)
    return _joined(numbers, heads, contacts), len(numbers)


def entries_of(part: bytes, wall: float, now: float, caps: Caps) -> dict[str, bytes]:
    """Return the packed entries of a part that are good `now`, at `wall` seconds since 1970, by their numbers.

    Raises ValueError and struct.error.
    """
    found = {}
    numbers, heads, place = _columns(part)
    ttl, most_stale, never = caps.ttl, caps.stale, math.inf  # this is done by the million, while no call is answered
    for number, (length, fresh_until, stale_until, refresh_from, ambiguous) in zip(numbers, heads, strict=True):
        contact = part[place : place + length]
        place += length
        fresh, stale = fresh_until - wall, stale_until - wall
        if contact:
            if fresh > ttl:  # noqa: PLR1730 - a call of min() is a tenth of the whole
                fresh = ttl
            if stale > fresh + most_stale:  # noqa: PLR1730 - a call of min() is a tenth of the whole
                stale = fresh + most_stale
            if now < (stale := now + stale):
                if refresh_from == never:
                    found[number] = short_head(0, now + fresh, stale) + contact
                else:
                    found[number] = join(contact, now + fresh, stale, now + fresh - (fresh_until - refresh_from))
        elif now < (until := now + min(fresh, caps.negative_ttl)):
            found[number] = join(contact, until, until, ambiguous=ambiguous)
    if place != len(part):
        raise ValueError("another length")
    return found


def without(number: str, part: bytes) -> bytes:
    """Return a part without the entry of a number. Raises ValueError and struct.error."""
    numbers, heads, place = _columns(part)
    if number not in numbers:
        return part
    left, kept, contacts = list[str](), list[bytes](), list[bytes]()
    for other, head in zip(numbers, heads, strict=True):
        end = place + head[0]
        if other != number:
            left.append(other)
            kept.append(_HEAD.pack(*head))
            contacts.append(part[place:end])
        place = end
    return _joined(left, kept, contacts)


def _joined(numbers: list[str], heads: list[bytes], contacts: list[bytes]) -> bytes:
    names = _BETWEEN.join(numbers).encode()
    return b"".join((_SIZES.pack(len(numbers), len(names)), names, *heads, *contacts))


def _columns(part: bytes) -> tuple[list[str], Iterator[Head], int]:
    """Return the numbers of a part, what comes before their contacts, and the place where these begin."""
    count, length = _SIZES.unpack_from(part)
    middle = _SIZES.size + length
    end = middle + count * _HEAD.size
    numbers = part[_SIZES.size : middle].decode().split(_BETWEEN) if count else []
    return numbers, _HEAD.iter_unpack(part[middle:end]), end
