"""How numbers are written, and what their types are called."""

import re
from collections.abc import Iterator

from phonenumbers import PhoneNumberType

SEPARATORS = str.maketrans("", "", " \t\u00a0.-/()[]")
DIALLED, EXTENSION = re.compile(r"\+?[0-9]+"), re.compile(r"[0-9]{2,6}")
UNUSUAL = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212_", "-"),
        **dict.fromkeys([*range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " "),
        **dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xAD, 0xFEFF]),
    }
)
"""Hyphens, dashes, the minus and the underscore, as they stand in CRMs' fields; blanks of other widths, and of none"""
COUNTRY_BEFORE = re.compile(r"(?:\+|\b00)\s?(\d{1,3})\D{1,4}$")
"""A country's code that an odd sign keeps apart from its number: `+49 ~ 532 111 22 33`"""
RUN_OF_DIGITS = re.compile(r"[+(\[]?[0-9(](?:[+ \t\u00a0.()\[\]/-]*+[0-9])++")
SHORTEST_RUN = 6
APART = [re.compile(apart) for apart in (r"(?!)", r"/", r"\s+-+\s+", r"\s+(?=\+|0[1-9])", r"\s*\((?=[0-9]{1,4}$)")]
"""Where a text may be cut: nowhere, at slashes, at dashes, before the next number's zero or plus, or an extension."""
BEHIND_A_NUMBER = re.compile(r"[0-9]{1,4}")
"""An extension, or the last digits of the next number"""
DIGITS_OF_ONE, DIGITS_OF_TWO = range(4, 33), range(14, 33)
"""How many digits one number can have, and two can that stand apart by blanks only"""
WITHHELD_WORDS = frozenset(
    {"anonymous", "private", "restricted", "withheld", "unavailable", "unknown", "blocked", "gizli", "bilinmeyen"}
)

NUMBER_TYPES = {
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE: "landline",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "landline_or_mobile",
    PhoneNumberType.TOLL_FREE: "toll_free",
    PhoneNumberType.PREMIUM_RATE: "premium",
    PhoneNumberType.SHARED_COST: "shared_cost",
    PhoneNumberType.VOIP: "voip",
    PhoneNumberType.PERSONAL_NUMBER: "personal",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.UAN: "company",
    PhoneNumberType.VOICEMAIL: "voicemail",
}
"""The names under which rules know the number types of phonenumbers."""


def digits_of(text: str) -> str:
    """Return the ASCII digits in a text."""
    return "".join(filter("0123456789".__contains__, text))


def readings_of(dialled: str, home: str, *, plus_was_lost: bool) -> Iterator[str]:
    """Yield what the digits may mean in a country, given as its code, the likeliest first."""
    digits = dialled.removeprefix("+")
    if dialled != digits or plus_was_lost:
        yield "+" + digits
    if digits.startswith("00"):
        yield "+" + digits[2:]
    yield digits
    if digits.startswith("0" + home):  # not any country's: 0822... at home is not a number in Korea
        yield "+" + digits[1:]
    elif not digits.startswith("0"):
        yield "+" + digits
