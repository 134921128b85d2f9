"""Who is calling: a phone number, an extension, a withheld number, or a text that is none of these."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberFormat

from proxy.errors import InvalidNumber
from proxy.phone.plan import plan_of
from proxy.phone.spelling import (
    APART,
    BEHIND_A_NUMBER,
    COUNTRY_BEFORE,
    DIALLED,
    DIGITS_OF_ONE,
    DIGITS_OF_TWO,
    EXTENSION,
    NUMBER_TYPES,
    RUN_OF_DIGITS,
    SEPARATORS,
    SHORTEST_RUN,
    UNUSUAL,
    WITHHELD_WORDS,
    digits_of,
    readings_of,
)

LONGEST_TEXT = 64
"""Characters; the longest number that the switch can mean is far shorter."""

LONGEST_FIELD = 200
"""Characters of a CRM's field in which phone numbers are looked for."""

MOST_READINGS = 600
"""Of digits, in the fields of one answer; what is left counts as not the caller's. Each holds up all calls for 50
microseconds. A hundred fields with the caller's number, and another extension or number in each, take fewer."""

MOST_KNOWN = 16_384
"""Numbers that are remembered as they were read, since reading one takes longer than all else in a call."""


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A valid phone number. Two are equal when their `e164` is; `str()` and `repr()` are masked.

    Every form names this number and no other, as seen from the home region (`switch.region`). A foreign
    number has no national form there, so its `national` and `subscriber` are the `international` one:
    otherwise +49 532 111 22 33 would find the customer with 0532 111 22 33.
    """

    e164: str
    """`+905301234567`"""
    national: str = field(compare=False)
    """`05301234567`, as dialled at home; of a foreign number `00493089680211`"""
    subscriber: str = field(compare=False)
    """`5301234567`, national without the trunk prefix; of a foreign number `00493089680211`"""
    country: str = field(compare=False)
    """ISO 3166 code such as `TR`; `001` for numbers that belong to no country"""
    type: str = field(compare=False)
    """One of the values of NUMBER_TYPES"""
    home: str = field(compare=False)
    """ISO 3166 code of the home region"""

    @property
    def digits(self) -> str:
        """`905301234567`."""
        return self.e164[1:]

    @property
    def international(self) -> str:
        """`00905301234567`."""
        return "00" + self.e164[1:]

    @property
    def spaced(self) -> str:
        """`0530 123 45 67`, as written at home; of a foreign number `0049 30 89680211`."""
        if not _is_at_home(self):
            return "00" + self.spaced_international[1:]
        return phonenumbers.format_number(phonenumbers.parse(self.e164), PhoneNumberFormat.NATIONAL)

    @property
    def spaced_international(self) -> str:
        """`+90 530 123 45 67`."""
        return phonenumbers.format_number(phonenumbers.parse(self.e164), PhoneNumberFormat.INTERNATIONAL)

    def is_in(self, text: str) -> bool:
        """Tell whether a CRM's field holds this number, in any spelling, among other numbers and words."""
        return any(self.found_in([text]))

    def found_in(self, texts: Iterable[str]) -> Iterator[str]:
        """Yield those of a CRM's fields that hold this number, each once, as far as MOST_READINGS get."""
        forms = (self.e164, self.international, self.national, self.subscriber)  # `digits` may be another one at home
        reader, ending = _Reader(self.home, {(form, False): self for form in forms}), self.e164[-4:]
        for text in dict.fromkeys(texts):
            is_plain = text in forms and len(text) >= SHORTEST_RUN
            if is_plain or (ending in digits_of(text[:LONGEST_FIELD]) and self in reader.numbers_in(text, ending)):
                yield text

    def __str__(self) -> str:
        return f"{self.e164[:3]}{'*' * (len(self.e164) - 5)}{self.e164[-2:]}"

    def __repr__(self) -> str:
        return f"PhoneNumber({self})"


@dataclass(frozen=True, slots=True)
class Extension:
    """A telephone inside the company: two to six digits. Emergency and service numbers are read as one too."""

    number: str

    def __str__(self) -> str:
        return self.number


@dataclass(frozen=True, slots=True)
class Withheld:
    """The caller's number was not given."""

    def __str__(self) -> str:
        return "withheld"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something was given that is no number; it is not kept, `why` says what was wrong with it."""

    why: str

    def __str__(self) -> str:
        return "unreadable"


Caller = PhoneNumber | Extension | Withheld | Unreadable

_callers: dict[tuple[str, str], PhoneNumber] = {}
"""By the text that the switch has sent, and the home region"""


def parse_caller(text: str | None, region: str) -> Caller:
    """Read what the switch sent. Never raises: whatever it is, the call needs an answer.

    `region` is the home region (ISO 3166), in which numbers without a country code are read.
    """
    key = text or "", region
    caller: Caller | None = _callers.get(key)
    if caller is None:
        caller = _caller_in(*key)
        if isinstance(caller, PhoneNumber):  # there is no end of what is none
            if len(_callers) >= MOST_KNOWN:
                _callers.clear()
            _callers[key] = caller
    return caller


def _caller_in(text: str, region: str) -> Caller:
    if len(text) > LONGEST_TEXT:
        return Unreadable(f"longer than {LONGEST_TEXT} characters")
    stripped = text.strip()
    if not stripped or stripped.replace("İ", "i").casefold() in WITHHELD_WORDS:
        return Withheld()
    if EXTENSION.fullmatch(stripped):
        return Extension(stripped)
    try:
        return parse_number(text.rstrip(), region)
    except InvalidNumber as exc:
        return Unreadable(str(exc))


def parse_number(text: str, region: str) -> PhoneNumber:
    """Read a phone number in any of its usual spellings.

    `text` may be `05301234567`, `+90 (530) 123-45-67`, `0090 530...`, `905301234567`, `5301234567`, or
    begin with a blank that was a plus before a URL was decoded. Raises InvalidNumber.
    """
    return _Reader(region).number(text)


def numbers_in(text: str, region: str) -> Iterator[PhoneNumber]:
    """Yield the phone numbers in a CRM's field, which may hold several, and words between them."""
    return _Reader(region).numbers_in(text)


class _Reader:
    """Reads numbers as they are meant in a region. What it has read, it knows when it stands in the next text."""

    def __init__(self, region: str, known: Mapping[tuple[str, bool], PhoneNumber] | None = None) -> None:
        self.readings = 0
        self._region = region
        self._home = str(phonenumbers.country_code_for_region(region))
        self._known: dict[tuple[str, bool], PhoneNumber | None] = {**(known or {})}

    def number(self, text: str) -> PhoneNumber:
        """Read all of a text as one number. Raises InvalidNumber."""
        dialled = text.translate(SEPARATORS)
        if not DIALLED.fullmatch(dialled):
            raise InvalidNumber("has other characters than digits, a leading plus and separators")
        key = (dialled, text.startswith(" "))
        if key not in self._known:
            self._known[key] = self._looked_up(dialled, plus_was_lost=key[1])
        if (number := self._known[key]) is None:
            raise InvalidNumber("is not a valid number in any country that it could mean")
        return number

    def numbers_in(self, text: str, ending: str = "") -> Iterator[PhoneNumber]:
        """Yield the numbers in a text, but for those that stand where the digits `ending` do not."""
        if self.readings >= MOST_READINGS:
            return
        clean = text[:LONGEST_FIELD].translate(UNUSUAL)
        self.readings += 1 + len(clean) // 40
        for match in RUN_OF_DIGITS.finditer(clean):
            run = match[0]
            before = COUNTRY_BEFORE.search(clean[max(0, match.start() - 10) : match.start()])
            is_whole = before is None or before[1] == self._home or run.startswith(("+", "00"))
            if is_whole and len(run) >= SHORTEST_RUN and ending in digits_of(run):
                yield from self._numbers_in_run(run)

    def _looked_up(self, dialled: str, *, plus_was_lost: bool) -> PhoneNumber | None:
        if len(dialled.removeprefix("+")) not in DIGITS_OF_ONE:
            return None
        try:
            number, readings = _read(dialled, self._region, self._home, plus_was_lost)
        except InvalidNumber:
            number, readings = None, len([*readings_of(dialled, self._home, plus_was_lost=plus_was_lost)])
        self.readings += readings
        return number

    def _numbers_in_run(self, run: str) -> Iterable[PhoneNumber]:
        begins_abroad = run.startswith(("+", "00"))
        likely: list[PhoneNumber] = []
        for apart in APART:
            first, *others = map(str.strip, apart.split(run))
            parts = [first, *(other for other in others if not BEHIND_A_NUMBER.fullmatch(other))]
            with suppress(InvalidNumber):  # all of its parts are numbers, or it is not cut there: +49 30/5321112233
                numbers = [self.number(part) for part in parts]
                if begins_abroad or all(map(_is_at_home, numbers)):
                    return numbers
                likely = likely or numbers  # 212 555 10 10 / 11 might be all one number of Morocco's
        if likely := self._two_at_home(run) or likely:
            return likely
        self.readings += len(run)
        return [
            _seen_from(self._region, match.number, NUMBER_TYPES[phonenumbers.number_type(match.number)])
            for match in phonenumbers.PhoneNumberMatcher(run, self._region)  # which knows extensions of other kinds
            if match.start == 0 or not begins_abroad  # what is left of a foreign one would be read as one at home
        ]

    def _two_at_home(self, run: str) -> list[PhoneNumber]:
        """Return two numbers that stand apart by blanks only, as those within them do: 532 111 22 33 533 444 55 66."""
        for blanks in re.finditer(r"\s+", run) if len(digits_of(run)) in DIGITS_OF_TWO else ():
            parts = (run[: blanks.start()], run[blanks.end() :])
            if min(len(digits_of(part)) for part in parts) >= DIGITS_OF_TWO[0] // 2:
                with suppress(InvalidNumber):
                    two = [self.number(part) for part in parts]
                    if all(map(_is_at_home, two)):
                        return two
        return []


@lru_cache(MOST_KNOWN)
def _read(dialled: str, region: str, home: str, plus_was_lost: bool) -> tuple[PhoneNumber, int]:  # noqa: FBT001 - a key
    """Return the number that digits mean, and in how many ways they were read.

    Raises InvalidNumber, which is not remembered: there is no end of what is no number.
    """
    if not plus_was_lost and (plan := plan_of(region)) and (read := plan.read(dialled)):
        subscriber, kind, national = read
        return PhoneNumber(f"+{home}{subscriber}", national, subscriber, region, NUMBER_TYPES[kind], region), 1
    for count, candidate in enumerate(readings_of(dialled, home, plus_was_lost=plus_was_lost), 1):
        with suppress(phonenumbers.NumberParseException):
            parsed = phonenumbers.parse(candidate, region)
            number_type = NUMBER_TYPES.get(phonenumbers.number_type(parsed))
            if number_type is not None:
                return _seen_from(region, parsed, number_type), count
    raise InvalidNumber("is not a valid number in any country that it could mean")


def forget_numbers() -> None:
    """Forget all numbers that were read: somebody's may have to be erased."""
    _callers.clear()
    _read.cache_clear()


def _is_at_home(number: PhoneNumber) -> bool:
    return number.subscriber != number.international


def _seen_from(region: str, parsed: phonenumbers.PhoneNumber, number_type: str) -> PhoneNumber:
    e164 = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
    country = phonenumbers.region_code_for_number(parsed) or ""
    if parsed.country_code == phonenumbers.country_code_for_region(region):
        national = digits_of(phonenumbers.format_number(parsed, PhoneNumberFormat.NATIONAL))
        subscriber = phonenumbers.national_significant_number(parsed)
    else:
        national = subscriber = "00" + e164[1:]
    return PhoneNumber(e164, national, subscriber, country, number_type, region)
