"""What may come: numbers and their spellings, contacts with anything in them, and whatever an adapter may do."""

import asyncio
import string
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import phonenumbers
from hypothesis import reject
from hypothesis import strategies as st

from proxy.errors import AdapterError, InvalidNumber, Unavailable
from proxy.model import Contact, Scalar
from proxy.phone import PhoneNumber, parse_number
from proxy.rules import Rule, Standing
from proxy.rules.comparison import Comparison
from proxy.rules.greeting import Greeting
from proxy.rules.hours import Hours
from proxy.rules.manner import Manner
from proxy.rules.situation import CallerIs, Condition, During, FieldIs, FromCountry, NumberTypeIs, Outside
from proxy.rules.template import TargetTemplate
from tests.unit.fakes import After, Stubborn

FIELDS = ("tier", "owner", "vip", "balance")
"""Names that contacts and rules have in common"""

TABLES = {"extensions": {"gold": "1003", "ayse": "1004", "201": "202", "": "203"}}


class Panic(BaseException):
    """An error outside of Exception, as drivers written in Rust raise it."""


def any_text(max_size: int = 80) -> st.SearchStrategy[str]:
    """Texts of any kind, lone surrogates too; more often those that mean trouble."""
    tricky = "\0\n\r\t /\\<>{}'\"&;|%+-.()[]\u00a0\u200b\u202e\u2066\ufeff٠١٢０１２iıİI\u0307\u0301"
    return st.one_of(
        st.text(max_size=max_size),
        st.text(st.characters(), max_size=max_size),
        st.text(tricky + string.ascii_letters + string.digits, max_size=max_size),
    )


@st.composite
def home_numbers(draw: st.DrawFn) -> PhoneNumber:
    """Valid Turkish numbers: mobile, landline, toll-free."""
    area = draw(st.sampled_from(["530", "532", "541", "555", "505", "212", "216", "312", "232", "800", "850"]))
    first = draw(st.sampled_from("23456789"))
    rest = draw(st.text("0123456789", min_size=6, max_size=6))
    return _valid(f"+90{area}{first}{rest}")


def foreign_numbers() -> st.SearchStrategy[PhoneNumber]:
    """A valid number of each country but Turkey."""
    return st.sampled_from(_FOREIGN)


def numbers_at_home() -> st.SearchStrategy[PhoneNumber]:
    """A valid number of each country, as it is seen there."""
    return st.sampled_from(
        [parse_number(number.e164, number.country) for number in _FOREIGN if number.country != "001"]
    )


def _valid(e164: str) -> PhoneNumber:
    try:
        return parse_number(e164, "TR")
    except InvalidNumber:
        reject()


def _examples() -> list[PhoneNumber]:
    numbers = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS - {"TR"}):
        for number_type in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
            example = phonenumbers.example_number_for_type(region, number_type)
            if example is not None:
                numbers.append(
                    parse_number(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164), "TR")
                )
    return numbers


_FOREIGN = _examples()

SCALARS: st.SearchStrategy[Scalar] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -(10**400)]),
    any_text(),
    st.sampled_from(
        ["gold", "ayse", "1003", "201", "٢٠١", "201\n", "201/202", "external/05321234567", "{tier}", "1e400"]
    ),
)

CONTACTS = st.builds(
    Contact,
    name=any_text(),
    fields=st.dictionaries(st.one_of(st.sampled_from(FIELDS), any_text(10)), SCALARS, max_size=5),
    numbers=st.lists(st.one_of(any_text(), st.just("0530 123 45 67")), max_size=3).map(tuple),
    id=any_text(10),
    customer_number=any_text(10),
)

_WISHES = st.recursive(
    st.one_of(
        st.sampled_from(["gold", "ayse", True, False, 0, 201, 1.5]),
        st.sampled_from(
            [{"present": True}, {"present": False}, {"matches": "[a-z]+"}, {"equals_ignoring_case": "GOLD"}]
        ),
        st.builds(
            lambda name, bound: {name: bound},
            st.sampled_from(["above", "below", "at_least", "at_most"]),
            st.integers(-1000, 1000) | st.floats(allow_nan=False, allow_infinity=False),
        ),
    ),
    lambda inner: inner.map(lambda wanted: {"not": wanted}),
    max_leaves=3,
)

_ZONE = ZoneInfo("Europe/Istanbul")
HOURS = st.builds(
    Hours,
    name=st.just("office"),
    days=st.frozensets(st.integers(0, 6)),
    start=st.sampled_from([time(0), time(9), time(18), time(22)]),
    end=st.sampled_from([time(0), time(6), time(18), time(23, 59)]),
    zone=st.just(_ZONE),
)

CONDITIONS: st.SearchStrategy[Condition] = st.one_of(
    st.builds(FieldIs, st.sampled_from(FIELDS), _WISHES.map(Comparison.parse)),
    st.builds(CallerIs, st.frozensets(st.sampled_from(Standing), min_size=1)),
    st.builds(During, st.tuples(HOURS)),
    st.builds(Outside, st.tuples(HOURS)),
    st.builds(FromCountry, st.frozensets(st.sampled_from(["TR", "DE"]), min_size=1)),
    st.builds(NumberTypeIs, st.frozensets(st.sampled_from(["mobile", "landline"]), min_size=1)),
)

TEMPLATES = st.sampled_from(
    [
        "queue/201",
        "hangup/busy",
        "external/05321234567",
        "user/{owner}",
        "queue/{balance}",
        "voicemail/{name}",
        "user/{tier | extensions}",
        "group/{owner|extensions}",
    ]
).map(TargetTemplate.parse)

GREETINGS = st.sampled_from(["{name}", "{tier} {owner}", "Sayın {name}", "", "değerli müşterimiz"]).map(Greeting)


@st.composite
def rule_lists(draw: st.DrawFn) -> tuple[Rule, ...]:
    """Up to five rules with different names."""
    rules = st.tuples(TEMPLATES, st.lists(CONDITIONS, max_size=2).map(tuple), st.none() | GREETINGS)
    return tuple(
        Rule(f"rule {i}", template, conditions, TABLES, Manner(greeting=greeting))
        for i, (template, conditions, greeting) in enumerate(draw(st.lists(rules, max_size=5)))
    )


MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001

_PLAIN_ERRORS: list[type[BaseException]] = [
    KeyError, ValueError, TypeError, OSError, TimeoutError, ConnectionResetError, RecursionError, MemoryError,
    StopIteration, StopAsyncIteration, AssertionError, NotImplementedError, UnicodeError, asyncio.CancelledError,
    asyncio.InvalidStateError, Panic,
]  # fmt: skip

ERRORS: st.SearchStrategy[BaseException] = st.one_of(
    st.builds(lambda kind, text: kind(text), st.sampled_from(_PLAIN_ERRORS), any_text()),
    st.builds(AdapterError, any_text()),
    st.builds(Unavailable, any_text(), st.none() | st.floats()),
    st.builds(lambda text: ExceptionGroup("several", [OSError(text), KeyError(text)]), any_text()),
)

HOSTILE_CONTACTS = st.builds(
    lambda contact, name: contact.with_fields({name: 10**5000}), CONTACTS, st.sampled_from(FIELDS)
)
"""Python does not turn integers of more than 4300 digits into text."""

NONSENSE: st.SearchStrategy[object] = st.one_of(
    SCALARS,
    st.binary(max_size=20),
    st.just(object()),
    st.just([None]),
    st.dictionaries(st.text(max_size=5), SCALARS, max_size=2),
    st.lists(st.one_of(CONTACTS, SCALARS), max_size=3),
)

ANYTHING: st.SearchStrategy[object] = st.deferred(
    lambda: st.one_of(
        CONTACTS,
        HOSTILE_CONTACTS,
        st.none(),
        st.lists(CONTACTS, max_size=3),
        ERRORS,
        NONSENSE,
        st.builds(After, st.sampled_from([0, 0.25, 0.75, 1.25, 60]), ANYTHING),
        st.builds(Stubborn, st.sampled_from([0.25, 60]), CONTACTS),
    )
)
"""All that an adapter may do; an exception is to be raised."""
