"""Whatever is known is the same after it was packed, and its numbers can be taken out of it without a trace."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from proxy.entry import Entry, join, pack, split, unpack, without_numbers
from tests.property.strategies import CONTACTS

TIMES = st.floats(allow_nan=False)
ENTRIES = st.builds(Entry, st.none() | CONTACTS, TIMES, TIMES, TIMES, TIMES, st.booleans())


@given(entry=ENTRIES)
def test_an_entry_is_the_same_when_it_is_unpacked(*, entry: Entry) -> None:
    found = unpack(pack(entry))
    assert found == entry
    if entry.contact is not None:
        assert found.contact is not None
        assert repr(found.contact) == repr(entry.contact), "1 is not 1.0, nor True, and fields have their order"


@given(entry=ENTRIES)
def test_without_its_numbers_it_is_as_if_it_never_had_any(*, entry: Entry) -> None:
    times, about = split(pack(entry))
    assert join(about, *times) == pack(entry)
    bare = replace(entry, contact=entry.contact and replace(entry.contact, numbers=()))
    assert join(without_numbers(about), *times) == pack(bare)
