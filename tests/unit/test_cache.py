import gc
import math
from dataclasses import replace

import pytest

import proxy.cache as cache_module
from proxy.cache import MOST_AT_ONCE, ContactCache, Entry
from proxy.entry import pack
from tests.unit.fakes import AHMET

ENTRY = Entry(AHMET, fresh_until=100, stale_until=200)
A, B, C = "+905301234567", "+905321112233", "+493089680211"


@pytest.mark.parametrize(("now", "is_fresh", "is_kept"), [(99.9, True, True), (100, False, True), (199.9, False, True)])
def test_an_entry_is_fresh_then_stale(*, now: float, is_fresh: bool, is_kept: bool) -> None:
    cache = ContactCache(10)
    cache.put(A, ENTRY)
    found = cache.get(A, now)
    assert (found is not None) is is_kept
    assert ENTRY.is_fresh(now) is is_fresh


def test_an_entry_that_is_gone_is_dropped() -> None:
    cache = ContactCache(10)
    cache.put(A, ENTRY)
    assert cache.get(A, 200) is None
    assert len(cache) == 0
    assert cache.get(A, 0) is None


def test_a_number_that_was_never_kept_is_not_there() -> None:
    assert ContactCache(10).get(A, 0) is None


def test_that_the_crm_does_not_know_a_number_is_kept_like_a_contact() -> None:
    cache = ContactCache(10)
    cache.put(A, Entry(None, 100, 100))
    found = cache.get(A, 99)
    assert found is not None
    assert found.contact is None
    assert cache.get(A, 100) is None


def test_that_there_are_several_is_no_more_than_a_word_about_nobody() -> None:
    several = Entry(None, 100, 100, ambiguous=True)
    assert several != Entry(None, 100, 100)
    assert not ENTRY.ambiguous
    cache = ContactCache(10)
    cache.put(A, several)
    assert cache.get(A, 99) == several


def test_a_newer_entry_takes_the_place_of_the_older() -> None:
    cache = ContactCache(10)
    cache.put(A, ENTRY)
    cache.put(A, Entry(None, 300, 300))
    assert len(cache) == 1
    assert cache.get(A, 250) == Entry(None, 300, 300)


@pytest.mark.parametrize("size", [2, 3, 4])
def test_many_are_put_as_they_would_be_one_by_one(size: int) -> None:
    packed = {number: pack(Entry(None, time, time)) for time, number in enumerate((B, C, A), 100)}
    at_once, one_by_one = ContactCache(size), ContactCache(size)
    for cache in (at_once, one_by_one):
        cache.put(A, ENTRY)
    at_once.put_all(packed)
    for number, entry in packed.items():
        one_by_one.put_packed(number, entry)
    assert len(at_once) == len(one_by_one) == min(size, 3)
    assert [*at_once.packed()] == [*one_by_one.packed()]
    assert at_once.get(A, 0) == Entry(None, 102, 102)
    assert at_once.changes == one_by_one.changes


def test_a_number_can_be_forgotten_whether_it_is_there_or_not() -> None:
    cache = ContactCache(10)
    cache.put(A, ENTRY)
    cache.drop(A)
    cache.drop(A)
    assert cache.get(A, 0) is None


def test_a_full_cache_loses_the_entry_that_was_not_used_for_longest() -> None:
    cache = ContactCache(2)
    cache.put(A, ENTRY)
    cache.put(B, ENTRY)
    cache.get(A, 0)
    cache.put(C, ENTRY)
    assert len(cache) == 2
    assert cache.get(B, 0) is None
    assert cache.get(A, 0) == cache.get(C, 0) == ENTRY


def numbers(cache: ContactCache, length: int = 1000) -> list[str]:
    return [e164 for part in cache.parts(length) for e164, _ in part]


def test_one_with_less_room_keeps_the_entries_that_were_used_last() -> None:
    cache = ContactCache(3)
    for e164 in (A, B, C):
        cache.put(e164, ENTRY)
    cache.get(A, 0)
    smaller = cache.resized(2)
    assert sorted(numbers(smaller)) == sorted([A, C])
    smaller.put(B, ENTRY)
    assert sorted(numbers(smaller)) == sorted([A, B])


def test_one_with_more_room_keeps_all_and_takes_more() -> None:
    cache = ContactCache(1)
    cache.put(A, ENTRY)
    larger = cache.resized(2)
    larger.put(B, ENTRY)
    assert numbers(larger) == [A, B]


def test_when_many_must_go_they_go_by_and_by() -> None:
    cache = ContactCache(3000)
    for n in range(3000):
        cache.put(str(n), ENTRY)
    cache = cache.resized(1)
    assert len(cache) == 2000
    cache.put("last", ENTRY)
    cache.put("last", ENTRY)
    assert numbers(cache) == ["last"]


def test_looking_through_all_is_no_use_and_those_put_last_come_last() -> None:
    cache = ContactCache(2)
    cache.put(A, ENTRY)
    cache.put(B, ENTRY)
    cache.put(A, Entry(None, 300, 300))
    assert [*cache.parts(1)] == [[(B, ENTRY)], [(A, Entry(None, 300, 300))]]
    cache.put(C, ENTRY)
    assert numbers(cache) == [A, C], "B was still the one that was not used for longest"


def test_what_is_dropped_while_all_are_looked_through_is_not_seen() -> None:
    cache = ContactCache(3)
    for e164 in (A, B):
        cache.put(e164, ENTRY)
    parts = cache.parts(1)
    assert next(parts) == [(A, ENTRY)]
    cache.drop(B)
    cache.put(C, ENTRY)
    assert [*parts] == [[]]


def test_it_counts_what_changes_it_and_not_what_only_looks() -> None:
    cache = ContactCache(2)
    seen = [cache.changes]

    def changed() -> bool:
        seen.append(cache.changes)
        return seen[-1] != seen[-2]

    cache.put(A, ENTRY)
    assert changed()
    cache.get(A, 0)
    cache.get(B, 0)
    cache.drop(B)
    numbers(cache)
    cache.resized(3)
    assert not changed()
    cache.get(A, 200)
    assert changed(), "it was gone"
    cache.put(A, ENTRY)
    cache.put(B, ENTRY)
    assert changed()
    cache.resized(1)
    assert changed(), "one went"
    assert cache.drop(B) is True
    assert changed()


# ---------------------------------------------------------------------------------------- many


def filled(size: int, count: int) -> ContactCache:
    cache = ContactCache(size)
    for n in range(count):
        cache.put(f"+90530{n:07}", Entry(None, n, n))
    return cache


def order(cache: ContactCache) -> list[int]:
    return [int(e164[-7:]) for e164 in numbers(cache)]


MANY = 4000
"""Ten shards, in these tests"""


@pytest.fixture
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "AT_ONCE", 400)


@pytest.mark.usefixtures("_small_shards")
def test_many_are_kept_as_few_are() -> None:
    cache = filled(MANY, MANY)
    assert len(cache) == MANY
    assert sorted(order(cache)) == [*range(MANY)]
    for n in (0, 77, MANY - 1):
        assert cache.peek(f"+90530{n:07}") == Entry(None, n, n)
    assert cache.drop("+905300000077")
    assert len(cache) == MANY - 1


@pytest.mark.usefixtures("_small_shards")
def test_of_many_one_that_was_not_used_for_long_makes_room() -> None:
    cache = filled(MANY, MANY)
    used = range(0, MANY, 100)
    for n in used:
        assert cache.kept(f"+90530{n:07}")
    for n in range(MANY, MANY + MANY // 4):
        cache.put(f"+90530{n:07}", Entry(None, n, n))
    assert len(cache) == MANY
    left = {*order(cache)}
    assert left >= {*used}, "those that were used"
    assert left >= {*range(MANY // 2, MANY + MANY // 4)}, "those that were put last"


@pytest.mark.usefixtures("_small_shards")
def test_of_many_those_used_last_come_last_but_for_a_few_places() -> None:
    places = order(filled(MANY, MANY))
    assert sorted(places) == [*range(MANY)]
    assert max(abs(n - place) for place, n in enumerate(places)) < MANY / 2


@pytest.mark.usefixtures("_small_shards")
def test_calls_have_their_turns_while_many_are_listed() -> None:
    parts = filled(MANY, 100).parts()
    assert [len(part) for part in parts] == [0] * 9 + [100]


@pytest.mark.usefixtures("_small_shards")
@pytest.mark.parametrize(("size", "count"), [(10, 10), (800, 300), (800, 500)])
def test_one_that_grows_keeps_all(size: int, count: int) -> None:
    cache = filled(size, count)
    before = cache.changes
    assert cache.resized(MANY) is cache
    assert cache.changes == before
    for n in range(count, MANY):
        cache.put(f"+90530{n:07}", Entry(None, n, n))
    assert sorted(order(cache)) == [*range(MANY)]
    assert cache.peek("+905300000003") == Entry(None, 3, 3)


@pytest.mark.usefixtures("_small_shards")
def test_one_of_many_that_shrinks_to_few_has_no_more_than_those_and_takes_new_ones() -> None:
    cache = filled(MANY, MOST_AT_ONCE).resized(1)
    assert len(cache) == 1
    for n in range(100):
        cache.put(f"+90531{n:07}", Entry(None, 1, 1))
        assert numbers(cache) == [f"+90531{n:07}"]


@pytest.mark.parametrize(
    ("size", "shards"), [(1, 1), (10_000, 1), (10_001, 2), (50_000, 5), (1_000_000, 100), (10**7, 256)]
)
def test_no_dict_is_so_large_that_calls_would_wait_for_it_to_grow(size: int, shards: int) -> None:
    assert len(ContactCache(size)._shards) == shards


def test_the_garbage_collector_does_not_look_into_it() -> None:
    cache = ContactCache(10)
    for e164 in (A, B, C):
        cache.put(e164, ENTRY)
    cache.kept(A)
    assert not any(gc.is_tracked(shard) for shard in cache._shards)


# ---------------------------------------------------------------------------------------- whether it is still the same


def test_what_is_kept_is_the_same_until_something_else_is() -> None:
    cache = ContactCache(2)
    assert cache.kept(A) is None
    cache.put(A, ENTRY)
    first = cache.kept(A)
    assert first is not None
    cache.get(A, 150)
    assert cache.kept(A) is first, "looking changes nothing"
    cache.age(A, 50)
    aged = cache.kept(A)
    assert aged is not first
    cache.put(A, replace(ENTRY, fresh_until=101))
    assert cache.kept(A) not in (first, aged)
    cache.drop(A)
    assert cache.kept(A) is None


def test_whether_it_is_the_same_is_asked_for_a_call() -> None:
    cache = ContactCache(2)
    cache.put(A, ENTRY)
    cache.put(B, ENTRY)
    cache.kept(A)
    cache.put(C, ENTRY)
    assert cache.peek(A) is not None
    assert cache.peek(B) is None, "it was not used for longest"


# ---------------------------------------------------------------------------------------- looking, ageing


def test_looking_at_an_entry_is_no_use_of_it() -> None:
    cache = ContactCache(2)
    cache.put(A, ENTRY)
    cache.put(B, ENTRY)
    assert cache.peek(A) is not None
    assert cache.peek(C) is None
    cache.put(C, ENTRY)
    assert cache.peek(A) is None, "it was not used for longest"


def test_an_aged_contact_is_stale_and_keeps_its_place() -> None:
    cache = ContactCache(2)
    aged = replace(ENTRY, refresh_from=90, recheck_from=60)
    cache.put(A, aged)
    cache.put(B, ENTRY)
    before = cache.changes
    assert cache.age(A, 50)
    assert cache.changes == before + 1
    known = cache.peek(A)
    assert known == replace(aged, fresh_until=50, refresh_from=math.inf, recheck_from=-math.inf)
    assert cache.age(A, 70)
    assert cache.peek(A) == known, "older than it was it does not become"
    cache.put(C, ENTRY)
    assert cache.peek(A) is None, "it was not used for longest"


def test_what_is_gone_was_not_known() -> None:
    cache = ContactCache(2)
    cache.put(A, ENTRY)
    assert not cache.age(A, 200)
    assert len(cache) == 0


def test_that_nobody_is_known_cannot_age() -> None:
    cache = ContactCache(2)
    cache.put(A, replace(ENTRY, contact=None))
    assert cache.age(A, 50)
    assert cache.peek(A) is None
    assert not cache.age(A, 50)


def test_all_can_be_forgotten_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "AT_ONCE", 10)
    cache = ContactCache(100)
    for place in range(100):
        cache.put(f"+90530{place:07d}", ENTRY)
    left = [len(cache), *(len(cache) for _ in cache.emptied())]
    assert len(left) == 11
    assert left == sorted(left, reverse=True)
    assert (left[0], left[-1], cache.changes) == (100, 0, 200)
    assert cache.peek("+905300000000") is None
