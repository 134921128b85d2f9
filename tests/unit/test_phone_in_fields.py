"""Whether a CRM's fields hold a number, also when there are many of them and they are made to take long."""

from collections.abc import Callable, Iterator

import phonenumbers
import pytest

from proxy.model import MOST_NUMBERS
from proxy.phone import MOST_READINGS, forget_numbers, parse_number

SWITCHBOARD = parse_number("0212 555 10 10", "TR")
LONGEST_ANSWER = 64 * 1024
IN_ITSELF = 200
"""Readings that one field may take at the most"""


class Counted:
    """A function that counts how often it is called."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.calls = 0
        self._function = function

    def __call__(self, *args: object, **options: object) -> object:
        self.calls += 1
        return self._function(*args, **options)


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Counted:
    forget_numbers()
    counted = Counted(phonenumbers.parse)
    monkeypatch.setattr("phonenumbers.parse", counted)
    monkeypatch.setattr("phonenumbers.phonenumbermatcher.parse", counted)
    return counted


def answer(text: str) -> Iterator[str]:
    """Yield different texts, as many as one answer has room for."""
    left = LONGEST_ANSWER
    for n in range(LONGEST_ANSWER):
        field = text.replace("#", f"{n:05}")
        left -= len(field.encode()) + len('"",')
        if left < 0:
            return
        yield field


def test_a_field_without_the_numbers_last_digits_is_not_looked_through(readings: Counted) -> None:
    number = parse_number("0532 111 22 33", "TR")
    assert number.is_in("0532-111-22-33")
    before = readings.calls
    assert not number.is_in("0532 111 22 34")
    assert not number.is_in("1 1 1 1 1 1 1x" * 20)
    assert not number.is_in("2233".join("x" * 200 for _ in range(2)))
    assert not number.is_in("0532 111 22 34, 22 33")
    assert not number.is_in("")
    assert readings.calls == before


@pytest.mark.parametrize(
    "text",
    [
        "# /0" + "1 /0" * 46 + "5551010",
        "#/" + "1/" * 90 + "10 10",
        "# " + "9 " * 23 + "1010",
        "(#) " + "(1) " * 46 + "5551010",
        "49#1010",
        "#1010",
        "#1010x" * 20,
        "0532 # 22 / " + "0532 111 22 33 / " * 9 + "0212 555 10 11 / 1010",
    ],
)
def test_an_answer_full_of_fields_that_take_long_is_not_read_to_its_end(text: str, readings: Counted) -> None:
    assert list(SWITCHBOARD.found_in(answer(text))) == []
    assert readings.calls < MOST_READINGS + IN_ITSELF


def test_what_is_not_read_does_not_hold_the_number() -> None:
    plain = "0212 555 10 10"
    assert plain not in set(SWITCHBOARD.found_in([*answer("49#1010"), plain]))
    assert plain in set(SWITCHBOARD.found_in([plain, *answer("49#1010")]))


@pytest.mark.parametrize(
    "text",
    [
        "0212 555 10 10 / {n}",
        "0212 555 10 10 - {n}",
        "0212 555 10 10 ({n})",
        "0212 555 10 10 dahili {n}",
        "212 555 10 10 / {n}",
        "+90 (212) 555-10-10 / {n}",
        "0212 555 10 10 / 0532 {n} 22 33",
        "0532 {n} 22 33, 0212 555 10 10",
        "0532 {n} 22 33 0212 555 10 10",
        "(0532) {n} 22 33 (0212) 555 10 10",
        "0532 {n} 22 33 / 0533 {n} 44 55 / 0212 555 10 10",
    ],
)
def test_all_of_a_hundred_and_twenty_colleagues_have_their_switchboards_number(text: str) -> None:
    fields = [text.format(n=n) for n in range(100, 220)]
    assert list(SWITCHBOARD.found_in(fields)) == fields


def test_the_number_that_is_looked_for_is_read_in_none_of_the_fields_where_it_stands(readings: Counted) -> None:
    fields = ["0212 555 10 10"] * 1000 + [f"0212 555 10 10 x {n}" for n in range(MOST_NUMBERS)]
    assert len(list(SWITCHBOARD.found_in(fields))) == 1 + MOST_NUMBERS
    assert readings.calls == 0


def test_digits_that_may_be_another_number_at_home_are_read_once_for_all_fields(readings: Counted) -> None:
    fields = [f"90 212 555 10 10 x {n}" for n in range(MOST_NUMBERS)]
    assert len(list(SWITCHBOARD.found_in(fields))) == MOST_NUMBERS
    assert readings.calls == 1


@pytest.mark.parametrize("text", ["0212 555 10 10 (12)", "0212 555 10 10(1234)", "+90 212 555 10 10 (1)"])
def test_an_extension_in_brackets_does_not_hide_the_number(text: str, readings: Counted) -> None:
    assert SWITCHBOARD.is_in(text)
    assert readings.calls < MOST_READINGS / 120
