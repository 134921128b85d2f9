from dataclasses import replace

import pytest

from proxy.keys import CustomerNumber
from proxy.matching import Several, distinct, holders, pick, several_for
from proxy.model import Contact, Scalar
from proxy.testing import phone
from tests.unit.fakes import CUSTOMER, NUMBER

AHMET, AYSE = Contact("Ahmet", id="1"), Contact("Ayşe", id="2")


@pytest.mark.parametrize(
    "numbers",
    [
        (),
        ("0530 123 45 67",),
        ("+90 (530) 123-45-67",),
        ("5301234567",),
        ("0212 555 10 10", "0090 530 1234567"),
        ("0212 555 10 10 / 0530 123 45 67",),
        ("yok", "0530 123 45 67"),
    ],
)
def test_a_contact_with_the_callers_number_or_without_any_is_kept(numbers: tuple[str, ...]) -> None:
    contact = Contact("Ahmet", numbers=numbers)
    assert holders([contact], NUMBER) == [contact]


@pytest.mark.parametrize("numbers", [("0530 123 45 68",), ("+49 530 1234567",), ("1234567",), ("0212 555 10 10", "x")])
def test_a_contact_with_other_numbers_is_no_match(numbers: tuple[str, ...]) -> None:
    assert holders([Contact("Ahmet", numbers=numbers)], NUMBER) == []


def test_numbers_are_read_as_at_home() -> None:
    contact = Contact("Ahmet", numbers=("0530 123 45 67",))
    assert holders([contact], phone("+90 530 123 45 67", "DE")) == []


def test_rows_of_one_contact_count_once_and_those_without_an_id_each() -> None:
    again, nameless = Contact("Ahmet again", id="1"), Contact("somebody")
    assert distinct([AHMET, again, AHMET, AYSE, nameless, replace(nameless)]) == [AHMET, AYSE, nameless, nameless]
    assert distinct([nameless, nameless]) == [nameless], "one and the same is one"


def test_a_row_with_another_number_does_not_hide_the_row_with_the_callers() -> None:
    other = Contact("Ahmet", numbers=("0212 555 10 10",), id="1")
    right = Contact("Ahmet", numbers=("0530 123 45 67",), id="1")
    assert distinct(holders([other, right], NUMBER)) == [right]


@pytest.mark.parametrize("several", list(Several))
def test_of_no_contacts_none_is_the_caller_and_of_one_that_one(several: Several) -> None:
    assert pick([], several) is None
    assert pick([AHMET], several) == AHMET


def test_of_several_the_first_or_none_is_the_caller() -> None:
    assert pick([AHMET, AYSE], Several.FIRST) == AHMET
    assert pick([AHMET, AYSE], Several.UNKNOWN) is None


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("2025-12-31", "2026-01-01"),
        ("2026-01-01T09:00", "2026-01-01T10:00"),
        (9, 10),
        ("9", "10"),
        (9.5, "10"),
        (None, "2020-01-01"),
        ("", "2020-01-01"),
        (None, 0),
        ("", -5),
        (False, True),
    ],
)
def test_the_newest_is_the_one_with_the_greatest_value(older: Scalar, newer: Scalar) -> None:
    old, new = Contact("Ahmet", {"changed": older}), Contact("Ahmet", {"changed": newer})
    assert pick([old, new], Several.NEWEST, "changed") is new
    assert pick([new, old], Several.NEWEST, "changed") is new


def test_of_equally_new_ones_the_first_is_the_caller() -> None:
    one, other = Contact("A", {"changed": "2026-01-01"}), Contact("B", {"changed": "2026-01-01"})
    assert pick([one, other], Several.NEWEST, "changed") is one
    assert pick([Contact("C"), Contact("D")], Several.NEWEST, "changed") == Contact("C")


def test_a_number_beyond_all_bounds_is_compared_too() -> None:
    old, new = Contact("A", {"changed": 5}), Contact("B", {"changed": 10**400})
    assert pick([old, new], Several.NEWEST, "changed") is new


def test_numbers_beyond_what_can_be_read_in_time_are_nobodys() -> None:
    hostile = [Contact(numbers=tuple(f"49{n:05}4567" for n in range(k, k + 100))) for k in range(0, 2000, 100)]
    right = Contact("Ahmet", numbers=("0530 123 45 67",))
    assert holders([right, *hostile], NUMBER) == [right]
    assert holders([*hostile, right], NUMBER) == []


@pytest.mark.parametrize("held", ["12345", "0012345", "C-12345", "000 12 345", ""])
def test_a_contact_with_the_keyed_customer_number_or_without_any_is_kept(held: str) -> None:
    contact = Contact("Ahmet", numbers=("0212 555 10 10",), customer_number=held)
    assert holders([contact], CUSTOMER) == [contact]


@pytest.mark.parametrize("held", ["123456", "1234", "0", "C-", "5301234567"])
def test_a_contact_with_another_customer_number_is_no_match(held: str) -> None:
    somebody = Contact("Somebody", customer_number=held)
    right = Contact("Ahmet", customer_number="C-12345")
    assert holders([somebody, right, somebody], CUSTOMER) == [right]


def test_customer_numbers_do_not_matter_where_a_phone_number_was_asked_for() -> None:
    contact = Contact("Ahmet", numbers=("0530 123 45 67",), customer_number="999")
    assert holders([contact], NUMBER) == [contact]


def test_a_customer_number_that_is_keyed_digit_by_digit_comes_first() -> None:
    exact, lettered, padded = (Contact(customer_number=number) for number in ("105", "D-105", "00105"))
    assert holders([lettered, exact, padded], CustomerNumber("105")) == [exact]
    assert holders([lettered, padded], CustomerNumber("105")) == [lettered, padded]


def test_no_customer_is_chosen_among_several_with_one_number() -> None:
    assert {several_for(CustomerNumber("105"), each) for each in Several} == {Several.UNKNOWN}
    assert [several_for(NUMBER, each) for each in Several] == [*Several]


def test_the_number_zero_is_nobodys() -> None:
    never_filled_in = Contact("Somebody", customer_number="0")
    assert holders([never_filled_in], CustomerNumber("0")) == []
    assert holders([never_filled_in, Contact("Anybody")], CustomerNumber("000")) == [Contact("Anybody")]
