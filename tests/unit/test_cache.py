import pytest

from proxy.cache import ContactCache, Entry
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


def test_a_newer_entry_takes_the_place_of_the_older() -> None:
    cache = ContactCache(10)
    cache.put(A, ENTRY)
    cache.put(A, Entry(None, 300, 300))
    assert len(cache) == 1
    assert cache.get(A, 250) == Entry(None, 300, 300)


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
