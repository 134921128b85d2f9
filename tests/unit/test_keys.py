"""What a CRM can be asked about."""

import pytest

from proxy.keys import LONGEST_CUSTOMER_NUMBER, By, CustomerNumber, kind_of
from tests.unit.fakes import CUSTOMER, NUMBER


@pytest.mark.parametrize("digits", ["1", "0", "0012345", "9" * LONGEST_CUSTOMER_NUMBER])
def test_a_customer_number_is_the_digits_that_were_keyed(digits: str) -> None:
    number = CustomerNumber(digits)
    assert (number.digits, number.customer_number) == (digits, digits)
    assert number == CustomerNumber(digits)
    assert {number: 1}[CustomerNumber(digits)] == 1


def test_zeros_before_it_make_another_key_of_it() -> None:
    assert CustomerNumber("0123") != CustomerNumber("123")


@pytest.mark.parametrize("text", ["", " ", "C-123", "1 2", "-1", "+1", "1\n", "١٢", "１２", "1" * 21])
def test_what_is_no_customer_number_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is no customer number - allowed: 1 to 20 digits$"):
        CustomerNumber(text)


@pytest.mark.parametrize(
    ("digits", "text"),
    [
        ("123", "123"),
        ("123", "00123"),
        ("00123", "123"),
        ("123", "C-00123"),
        ("123", "TR 1.2-3"),
        ("00120", "120"),
        ("5", "No 5"),
    ],
)
def test_it_is_in_a_field_with_the_same_digits_but_for_letters_and_zeros_before_it(digits: str, text: str) -> None:
    assert CustomerNumber(digits).is_in(text)


@pytest.mark.parametrize(
    ("digits", "text"),
    [
        ("123", "1234"),
        ("123", "0123, 456"),
        ("123", "12"),
        ("123", "1230"),
        ("123", ""),
        ("123", "C-"),
        ("0", "0"),
        ("00", ""),
        ("0", "C"),
        ("12", "١٢"),
    ],
)
def test_it_is_in_no_other_field(digits: str, text: str) -> None:
    assert not CustomerNumber(digits).is_in(text)


@pytest.mark.parametrize(
    ("digits", "shown"),
    [
        ("1", "***"),
        ("12", "***"),
        ("123", "***"),
        ("1234", "**34"),
        ("0012345", "*****45"),
        ("9" * 20, "*" * 18 + "99"),
    ],
)
def test_it_is_masked_wherever_it_is_shown(digits: str, shown: str) -> None:
    number = CustomerNumber(digits)
    assert (str(number), f"{number}", repr(number)) == (shown, shown, f"CustomerNumber({shown})")
    assert repr([number]) == f"[CustomerNumber({shown})]"
    assert digits not in f"{number} {number!r} {[number]}"


def test_keys_know_what_they_are() -> None:
    assert kind_of(NUMBER) is By.PHONE_NUMBER
    assert kind_of(CUSTOMER) is By.CUSTOMER_NUMBER
    assert [*map(str, By)] == ["phone_number", "customer_number"]
