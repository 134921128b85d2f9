import math
from dataclasses import replace
from typing import Any

import pytest

from proxy.entry import Entry, join, pack, split, unpack, without_numbers
from proxy.model import MOST_BITS, Contact, Scalar
from tests.unit.fakes import AHMET

FULL = Contact(
    "Iğdır\nÖrnek A.Ş.",
    {
        "tier": "gold",
        "balance": -1.5,
        "vip": True,
        "blocked": False,
        "count": 1,
        "share": 1.0,
        "large": 2**MOST_BITS - 1,
        "none": None,
        "": "",
        "\ud800": "\0",
    },
    ("0530 123 45 67", "a\nb"),
    "7",
    "C-00123",
)


@pytest.mark.parametrize(
    "entry",
    [
        Entry(AHMET, 100, 200),
        Entry(None, 100, 100),
        Entry(None, 100, 100, ambiguous=True),
        Entry(Contact(), -0.25, 1e9),
        Entry(FULL, 100.125, 200.5),
        Entry(FULL, 100, 200, refresh_from=90),
        Entry(FULL, 100, 200, recheck_from=150),
        Entry(FULL, 100, 200, -90.5, 150),
        Entry(None, 100, 100, 90, 95, ambiguous=True),
    ],
)
def test_an_entry_is_the_same_when_it_is_unpacked(entry: Entry) -> None:
    found = unpack(pack(entry))
    assert found == entry
    assert found.ambiguous is entry.ambiguous
    if entry.contact is not None:
        assert found.contact is not None
        kinds = [(name, type(value)) for name, value in found.contact.fields.items()]
        assert kinds == [(name, type(value)) for name, value in entry.contact.fields.items()], "in their order"
        with pytest.raises(TypeError):
            found.contact.fields["tier"] = "silver"  # type: ignore[index]


def test_a_name_of_a_field_that_is_no_text_is_left_out() -> None:
    fields: dict[Any, Scalar] = {("no", "text"): 1, "tier": "gold"}
    found = unpack(pack(Entry(Contact("Örnek", fields), 1, 2)))
    assert found.contact == Contact("Örnek", {"tier": "gold"})


def test_values_of_kinds_that_drivers_make_are_kept_as_plain_ones() -> None:
    class Money(float):
        pass

    class Text(str):
        __slots__ = ()

    fields: dict[str, Scalar] = {"balance": Money(1.5), Text("tier"): Text("gold")}
    found = unpack(pack(Entry(Contact("Örnek", fields), 1, 2))).contact
    assert found == Contact("Örnek", {"balance": 1.5, "tier": "gold"})


def test_a_contact_without_its_numbers_is_the_same_but_for_them() -> None:
    times, about = split(pack(Entry(FULL, 100, 200, 90)))
    bare = without_numbers(about)
    assert unpack(join(bare, *times)) == Entry(replace(FULL, numbers=()), 100, 200, 90)
    assert b"0530" in about
    assert b"0530" not in bare
    assert without_numbers(bare) == bare
    assert without_numbers(b"") == b""


def test_other_times_can_be_put_to_a_contact() -> None:
    times, about = split(pack(Entry(AHMET, 100, 200, 90, 150)))
    assert [*times] == [100, 200, 90, 150, False]
    packed = join(about, 1, 2)
    assert unpack(packed) == Entry(AHMET, 1, 2)
    assert len(packed) < len(join(about, *times)), "times that say nothing take no room"
    assert split(pack(Entry(None, 1, 1, ambiguous=True))) == ((1, 1, math.inf, -math.inf, True), b"")
