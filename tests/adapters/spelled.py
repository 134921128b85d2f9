"""Made-up phone numbers, and the ways in which people write them into a CRM's field."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ONE = (
    "0{a}{b}{c}{d}",
    "{a}{b}{c}{d}",
    "90{a}{b}{c}{d}",
    "+90{a}{b}{c}{d}",
    "0090{a}{b}{c}{d}",
    "090{a}{b}{c}{d}",
    "0{a} {b} {c} {d}",
    "{a} {b} {c} {d}",
    "({a}){b}{c}{d}",
    "0({a}) {b} {c} {d}",
    "(0{a}) {b} {c}{d}",
    "+90 ({a}) {b}-{c}-{d}",
    "+90-{a}-{b}-{c}-{d}",
    "90-{a}-{b}{c}{d}",
    "090 {a} {b} {c} {d}",
    "0090 {a} {b} {c} {d}",
    "00 90 {a} {b}{c}{d}",
    "+90 0{a} {b} {c} {d}",
    "+90 (0) {a} {b} {c} {d}",
    "0{a}.{b}.{c}.{d}",
    "0{a}/{b}{c}{d}",
    "0{a}/{b}/{c}/{d}",
    "[0{a}] {b} {c} {d}",
    "0{a}\u00a0{b}\u00a0{c}\u00a0{d}",
    "0{a}\u2013{b}\u2013{c}\u2013{d}",
    "0{a}\t{b} {c} {d}",
    "0{a}_{b}_{c}_{d}",
    "  0{a} {b} {c} {d}  ",
    "tel:+90{a}{b}{c}{d}",
    "Tel: 0{a} {b} {c} {d}",
    "GSM:0{a}{b}{c}{d}",
    "İş Tel. (0{a}) {b} {c} {d}",
    "0{a}{b}{c}{d} (is)",
    "0{a} {b} {c} {d} Ayşe Hanım",
    "Cep: 0{a} {b} {c} {d} (iş)",
    "0{a} {b} {c} {d} dahili 12",
    "+90 {a} {b} {c} {d} ext. 5",
    "0{a} {b} {c} {d} / 11",
    "0{a} {b} {c} {d} (1234)",
    "0{a} {b} {c} {d} - 11",
    "0{a} {b} {c} {d}/12/13",
    "Tel: {a} {b} {c} {d} / 11",
)
"""Spellings of one number at home with ten digits, of which `a` are the first three."""

TWO = (
    "{one} / {two}",
    "{one}/{two}",
    "{one}, {two}",
    "{one},{two}",
    "{one}; {two}",
    "{one};{two}",
    "{one} - {two}",
    "{one} veya {two}",
    "{one} {two}",
    "Ev: {one} Cep: {two}",
    "{one} (ev), {two} (cep)",
)
"""Ways to write two numbers into one field, each in one of these spellings."""
OF_TWO = ("0{a} {b} {c} {d}", "{a} {b} {c} {d}", "+90{a}{b}{c}{d}", "0{a}{b}{c}{d}")

SHORT = ("444 {b} {c}", "444{b}{c}", "+90 444 {b} {c}", "0090444{b}{c}", "Tel: 444 {b} {c}")
"""Spellings of a company's number with seven digits."""

FOREIGN = ("+{digits}", "00{digits}", "{digits}", "+{country} {rest}", "00 {country} {rest}", "Tel: +{country}-{rest}")
"""Spellings of a number from abroad."""

ABROAD = (
    ("49", "3089680211"),
    ("49", "5321112233"),
    ("44", "2071234567"),
    ("1", "2125551010"),
    ("31", "201234567"),
    ("994", "125551010"),
    ("7", "4951234567"),
    ("39", "0669812345"),
    ("298", "201234"),
)
"""Countries and numbers in them, some with ten digits as at home."""

BEGINNINGS = ("505", "532", "533", "535", "541", "544", "551", "555", "212", "216", "224", "232", "312", "342", "850")


@dataclass(frozen=True)
class Field:
    """What stands in a CRM's field."""

    text: str
    numbers: tuple[str, ...]
    """Its numbers in the form +905321112233"""
    spelling: str


def numbers(count: int, seed: int) -> list[str]:
    """Return different numbers at home, each as its ten digits."""
    chosen = random.Random(seed).sample(range(len(BEGINNINGS) * 8_000_000), count)  # noqa: S311 - nobody is to guess them
    return [f"{BEGINNINGS[n % len(BEGINNINGS)]}{2_000_000 + n // len(BEGINNINGS)}" for n in chosen]


def spelled(spelling: str, ten: str) -> str:
    """Return a number, given as its ten digits, in a spelling."""
    return spelling.format(a=ten[:3], b=ten[3:6], c=ten[6:8], d=ten[8:])


def fields(tens: Sequence[str]) -> Iterator[Field]:
    """Yield the numbers in all spellings in turn, some two in one field, until fewer than two are left."""
    ways = [(one, "") for one in ONE] + [(two, of_two) for two in TWO for of_two in OF_TWO]
    left = iter(tens)
    for n, ten in enumerate(left):
        way, of_two = ways[n % len(ways)]
        if not of_two:
            yield Field(spelled(way, ten), (f"+90{ten}",), way)
        elif other := next(left, ""):
            both = spelled(of_two, ten), spelled(OF_TWO[n // len(ways) % len(OF_TWO)], other)
            yield Field(way.format(one=both[0], two=both[1]), (f"+90{ten}", f"+90{other}"), way)


def unusual_fields() -> Iterator[Field]:
    """Yield numbers from abroad, and companies' numbers with seven digits, in all spellings."""
    for n, spelling in enumerate(SHORT):
        yield Field(spelling.format(b=n, c=100 + n), (f"+90444{n}{100 + n}",), spelling)
    for country, rest in ABROAD:
        for spelling in FOREIGN:
            digits = country + rest
            yield Field(spelling.format(digits=digits, country=country, rest=rest), (f"+{digits}",), spelling)
