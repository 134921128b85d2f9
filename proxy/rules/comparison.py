"""What a rule may ask of one field of a contact: `tier = "gold"`, `balance = { below = 10000 }`, ..."""

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from proxy.model import Scalar, as_text

Test = Callable[[Scalar], bool]

LONGEST_MATCH = 0.02
"""Seconds for a regular expression; one that takes longer, such as (a+)+b may, does not match."""

_ALL_FOUR_I = str.maketrans({"İ": "i", "I": "i", "ı": "i"})
_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,300}")
_DECIMAL_NUMBER = re.compile(r"[+-]?[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]{1,3})?")
_TRUE, _FALSE = frozenset({"true", "1", "1.0"}), frozenset({"false", "0", "0.0"})


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a field's value must be; built from TOML by `parse`."""

    wanted: str
    """In words, for explanations"""
    holds: Test = field(repr=False, compare=False)

    @classmethod
    def parse(cls, wanted: object) -> "Comparison":
        """Read the right-hand side of `when = { field = ... }`.

        A plain value or a list of them means equality; a table has operators, all of which must hold.
        Raises ValueError with a sentence that says what is allowed.
        """
        words, holds = _parse(wanted)
        return cls(words, holds)


def fold(text: str) -> str:
    """Return `text` for comparison without case, with the four Turkish i's (İ, I, i, ı) taken as one.

    So `İSTANBUL` equals `istanbul`, `ISPARTA` equals `ısparta`, and `VIP` still equals `vip`, whichever
    alphabet a CRM's user had in mind.
    """
    if text.isascii():
        return text.lower()
    composed = unicodedata.normalize("NFC", text).translate(_ALL_FOUR_I)
    return unicodedata.normalize("NFC", composed.casefold().replace("i\u0307", "i"))


def bare_words(text: str) -> str:
    """Return the words of a text for comparison, with one blank between them: no case, no signs."""
    return " ".join(re.sub(r"[\W_]+", " ", fold(text)).split())


def _parse(wanted: object) -> tuple[str, Test]:
    if isinstance(wanted, Mapping):
        return _parse_operators(wanted)
    if isinstance(wanted, list):
        return _parse_list(wanted)
    return _equals(wanted)


def _parse_operators(table: Mapping[str, object]) -> tuple[str, Test]:
    unknown = [name for name in table if name not in OPERATORS]
    if unknown or not table:
        problem = f"has the unknown operator {unknown[0]!r}" if unknown else "is empty"
        raise ValueError(f"{problem} - allowed: {', '.join(OPERATORS)}")
    parsed = [OPERATORS[name](wanted) for name, wanted in table.items()]
    if len(parsed) == 1:
        return parsed[0]
    tests = [test for _, test in parsed]
    return " and ".join(words for words, _ in parsed), lambda value: all(test(value) for test in tests)


def _parse_list(wanted: list[object]) -> tuple[str, Test]:
    if not wanted:
        raise ValueError("is an empty list - allowed: one or more texts, numbers or true/false")
    tests = [_equals(choice)[1] for choice in wanted]
    words = "one of " + ", ".join(_show(choice) for choice in wanted)
    return words, lambda value: any(test(value) for test in tests)


def _equals(wanted: object) -> tuple[str, Test]:
    if isinstance(wanted, bool):
        spellings = _TRUE if wanted else _FALSE
        return _show(wanted), lambda value: value is not None and str(value).lower() in spellings
    if isinstance(wanted, (int, float)):
        if not _is_number(wanted):
            raise ValueError("is no number that can be compared with - allowed: a number")
        return _show(wanted), lambda value: _as_number(value) == wanted
    if isinstance(wanted, str):
        return _show(wanted), lambda value: value is not None and as_text(value) == wanted
    raise ValueError("cannot be compared with - allowed: a text, a number, true, false, a list of them, or operators")


def _equals_ignoring_case(wanted: object) -> tuple[str, Test]:
    listed = wanted if isinstance(wanted, list) else [wanted]
    choices = [choice for choice in listed if isinstance(choice, str)]
    if not choices or len(choices) < len(listed):
        raise ValueError("has an equals_ignoring_case that is no text - allowed: a text or a list of texts")
    folded = frozenset(fold(choice) for choice in choices)
    words = " or ".join(_show(choice) for choice in choices)
    return f"{words} (ignoring case)", lambda value: value is not None and fold(as_text(value)) in folded


def _matches(wanted: object) -> tuple[str, Test]:
    if not isinstance(wanted, str):
        raise ValueError("has a matches that is no text - allowed: a regular expression for the whole value")
    import regex  # noqa: PLC0415 - hardly a rule has one, and it takes long to load

    try:
        pattern = regex.compile(wanted)
    except (regex.error, OverflowError, RecursionError) as exc:
        raise ValueError(f"has a matches that is no regular expression ({exc}) - allowed: Python's syntax") from exc

    def holds(value: Scalar) -> bool:
        try:
            return value is not None and pattern.fullmatch(as_text(value), timeout=LONGEST_MATCH) is not None
        except TimeoutError:
            return False

    return f"matching {wanted!r}", holds


def _present(wanted: object) -> tuple[str, Test]:
    if not isinstance(wanted, bool):
        raise ValueError("has a present that is neither true nor false - allowed: true, false")
    return ("present" if wanted else "not present"), lambda value: (as_text(value).strip() != "") is wanted


def _not(wanted: object) -> tuple[str, Test]:
    words, test = _parse(wanted)
    words = f"({words})" if isinstance(wanted, Mapping) and len(wanted) > 1 else words
    return f"not {words}", lambda value: not test(value)


def _ordering(name: str, compare: Callable[[float, float], bool]) -> Callable[[object], tuple[str, Test]]:
    def build(wanted: object) -> tuple[str, Test]:
        if isinstance(wanted, bool) or not isinstance(wanted, (int, float)) or not _is_number(wanted):
            raise ValueError(f"has a value for {name} that is no number - allowed: a number")

        def holds(value: Scalar) -> bool:
            number = _as_number(value)
            return number is not None and compare(number, wanted)

        return f"{name.replace('_', ' ')} {wanted}", holds

    return build


OPERATORS: dict[str, Callable[[object], tuple[str, Test]]] = {
    "equals_ignoring_case": _equals_ignoring_case,
    "matches": _matches,
    "above": _ordering("above", lambda value, wanted: value > wanted),
    "below": _ordering("below", lambda value, wanted: value < wanted),
    "at_least": _ordering("at_least", lambda value, wanted: value >= wanted),
    "at_most": _ordering("at_most", lambda value, wanted: value <= wanted),
    "present": _present,
    "not": _not,
}


def _as_number(value: Scalar) -> float | None:
    """Return a number, or a text that is one in full, as a number; else None. Whole numbers stay exact."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        return int(value)
    if isinstance(value, str):
        value = float(value) if _DECIMAL_NUMBER.fullmatch(value) else math.nan
    return value if isinstance(value, int) or math.isfinite(value) else None


def _is_number(wanted: float) -> bool:
    try:
        return not math.isnan(wanted)
    except OverflowError:  # an int that no float holds
        return False


def _show(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
