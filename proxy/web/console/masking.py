"""What is shown of texts that may hold phone numbers: of those, only the last digits."""

import json
import re
from collections.abc import Callable

FEW_DIGITS = 7
"""Fewer are no phone number."""

LONGEST_TEXT = 2000
"""Characters of a text that are shown."""

_BEYOND = 64
"""Characters after those by which a number that ends there is known."""

# each piece ends in a digit and begins with none, so that there is one way only to read a text
_RUN_OF_DIGITS = re.compile(rf"\d(?:[\W_]{{0,3}}+\d){{{FEW_DIGITS - 1},}}+")


# with its time it is more digits than a number may have, and without it reads as nothing else
_DATE = re.compile(r"(?:19|20)\d\d-[01]\d-[0-3]\d(?:[T ][0-2]\d:[0-5]\d(?::[0-5]\d)?)?")

# in a field of a contact it may be a number that is spelled so
_ADDRESS = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?::[0-9]{1,5})?")


def masked(text: str) -> str:
    """Return a text with all digits hidden but the last two."""
    digits = sum(character.isdigit() for character in text)
    shown, seen = [], 0
    for character in text:
        seen += character.isdigit()
        shown.append("•" if character.isdigit() and seen <= digits - 2 else character)
    return "".join(shown)


def without_numbers(text: str, shown_of: Callable[[re.Match[str]], str] | None = None) -> str:
    """Return a text in which of long runs of digits, however they are spelled, only the last ones stand.

    Of a very long text that is the beginning.
    """
    shown = _RUN_OF_DIGITS.sub(shown_of or _shown, text[: LONGEST_TEXT + _BEYOND])
    return shown if len(text) <= LONGEST_TEXT else f"{shown[:LONGEST_TEXT]}…"


def error_without_numbers(error: str) -> str:
    """Return an error likewise, but with the address of whom it was about, as in the log."""
    return without_numbers(error, _shown_of_error)


def answer_without_numbers(answer: str, target: str) -> str:
    """Return a JSON answer for people, its texts without numbers but for the `target`."""
    return json.dumps(_without(json.loads(answer), target), ensure_ascii=False, indent=2)


def _shown(run: re.Match[str]) -> str:
    return run[0] if _DATE.fullmatch(run[0]) else masked(run[0])


def _shown_of_error(run: re.Match[str]) -> str:
    return run[0] if _ADDRESS.fullmatch(run[0]) else _shown(run)


def _without(value: object, target: str) -> object:
    match value:
        case dict():
            return {key: _without(below, target) for key, below in value.items()}
        case list():
            return [_without(below, target) for below in value]
        case str() if value != target:
            return without_numbers(value)
        case _:
            return value
