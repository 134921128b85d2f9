"""The values that travel the way of a call. Frozen, and without any I/O."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from itertools import islice
from types import MappingProxyType

from proxy.phone import Caller
from proxy.values import per_call

MOST_BITS = 10_000
"""Of a whole number; what is larger is no number that anybody compares or prints."""

MOST_NUMBERS = 100
"""Of one contact, the first that the CRM names; a switchboard has some thirty."""

ABOUT_ITSELF = ("name", "id", "customer_number")
"""What every contact has beside its fields, if only empty."""

Scalar = str | int | float | bool | None
"""What a field of a contact may be."""


class Reason(StrEnum):
    """Why a call got its target."""

    RULE = "rule"
    NO_RULE = "no_rule"
    UNKNOWN_CALLER = "unknown_caller"
    INTERNAL_CALLER = "internal_caller"
    WITHHELD = "withheld"
    BAD_NUMBER = "bad_number"
    CRM_FAILED = "crm_failed"
    OVERLOAD = "overload"
    REFUSED = "refused"
    BUG = "bug"
    ASKED = "asked"
    """Not decided yet: the caller is asked something"""
    ANSWERED = "answered"
    """An answer of the caller leads there"""
    NO_ANSWER = "no_answer"
    """A question came to nothing, and says what then"""


FAILED_OPEN = frozenset({Reason.CRM_FAILED, Reason.OVERLOAD, Reason.BUG})
"""Reasons of calls that went to the default because something behind us had failed."""


class Outcome(StrEnum):
    """What came of a question to the caller."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    FAILED = "failed"
    """The CRM could not be asked about what was keyed"""
    TOO_MANY = "too_many"
    """The caller has keyed too many numbers; this one was not looked up"""
    CHOSEN = "chosen"
    KEPT = "kept"
    RECORDED = "recorded"
    MISUNDERSTOOD = "misunderstood"
    """What was keyed or said is none of what was asked for"""
    FORGOTTEN = "forgotten"
    """Nobody knows any more what was asked: after a restart, or a reload without that step"""
    NOTHING = "nothing"
    """Nothing was keyed or said, or the switch tells of an error"""


class Via(StrEnum):
    """Where the knowledge about the caller came from."""

    CRM = "crm"
    CACHE = "cache"
    STALE = "stale"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Contact:
    """What the CRM knows about a caller.

    `fields` maps names to plain scalars, for the rules. `numbers` are the phone numbers that the CRM holds
    for this contact, as it spells them: when there are any, and the caller's is not among them, the proxy
    takes it for no match. More than MOST_NUMBERS are not kept. `id` is the CRM's own key for it, or empty.
    `customer_number` is the one that the customer knows, or empty: when there is one, and the caller has keyed
    another, that is no match either.
    """

    name: str = ""
    fields: Mapping[str, Scalar] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    id: str = ""
    customer_number: str = ""

    def __post_init__(self) -> None:
        numbers: object = self.numbers
        if isinstance(numbers, str):
            raise TypeError("numbers is a text, not a sequence of texts")
        clean = {}
        for key, value in self.fields.items():
            if type(value) is not str:
                if value is not None and not isinstance(value, (str, int, float)):
                    raise TypeError(f"field {key!r} is a {type(value).__name__}, not text, number, true/false or None")
                clean[key] = _clean(value)
            else:
                clean[key] = value if value.isascii() else _clean(value)
        object.__setattr__(self, "fields", MappingProxyType(clean))
        texts = [_clean_text(number) for number in islice(filter(None, self.numbers), MOST_NUMBERS)]
        object.__setattr__(self, "numbers", tuple(texts))
        for name in ABOUT_ITSELF:
            value = getattr(self, name)
            if type(value) is not str or not value.isascii():
                object.__setattr__(self, name, _clean_text(value))

    def __reduce__(self) -> tuple[type["Contact"], tuple[object, ...]]:
        return Contact, (self.name, dict(self.fields), self.numbers, self.id, self.customer_number)

    def value(self, field_name: str) -> Scalar:
        """Return a field's value, or None. ABOUT_ITSELF can be asked for like fields."""
        found = self.fields.get(field_name)
        if found is None and field_name in ABOUT_ITSELF:
            return getattr(self, field_name) or None
        return found

    def with_fields(self, fields: Mapping[str, Scalar]) -> "Contact":
        """Return this contact with more fields; those that it has, and that are not empty, keep their values."""
        known = {name: value for name, value in self.fields.items() if value not in (None, "")}
        return replace(self, fields={**self.fields, **fields, **known})


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a question to the caller."""

    keyed: tuple[tuple[str, str], ...] = ()
    """Digits by the name of their parameter; empty when nothing was keyed. Others' parameters may be among them"""
    said: str | None = None
    """The words that were understood; None when nobody listened"""
    failed: bool = False
    """The switch tells of an error"""


@dataclass(frozen=True, slots=True)
class Call:
    """One ringing call, as the switch tells of it."""

    caller: Caller
    at: datetime
    """When it rang, with a time zone"""
    called: Caller | None = None
    """The number that was dialled, where the dialect says it"""
    call_id: str = ""
    """The switch's own for it; empty where the dialect has none"""
    step: int = 1
    """Which question of the switch about this call it is"""
    heard: Heard = Heard()
    """What the caller has answered to the question before"""
    can_be_asked: bool = False
    """The switch can ask the caller something, and us again"""


@per_call(frozen=True, slots=True)
class Finding:
    """What was learnt about a caller: a contact, or None when the CRM said that it does not know the number."""

    contact: Contact | None
    via: Via
    ambiguous: bool = False
    """There is none because the CRM has several, of which none may be chosen"""


OUTCOMES = ("found", "unknown", "failed", "not asked", "completed", "incomplete", "enriched")
"""What may come of asking a source."""


@per_call(frozen=True, slots=True)
class Asked:
    """What one source said about one number, for logs and explanations."""

    source: str
    outcome: str
    """One of OUTCOMES"""
    seconds: float
    note: str = ""
    """A sentence, where the outcome alone does not tell enough"""
    began: float = field(default=0.0, compare=False)
    """When, in seconds of `time.perf_counter`"""


def as_text(value: Scalar) -> str:
    """Return a field as text: `1003` for 1003 and 1003.0, `true` for True, nothing for None."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _clean(value: Scalar) -> Scalar:
    """Return a value as UTF-8 and JSON can have it: no half characters; None for a number beyond all bounds.

    A member of an Enum and the like becomes a plain value: to `str` it may be another text than in the cache.
    """
    if isinstance(value, str):
        return value if type(value) is str and value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value) if value.bit_length() <= MOST_BITS else None
    return value


def _clean_text(value: Scalar) -> str:
    return value if type(value) is str and value.isascii() else as_text(_clean(value))


def as_contacts(found: object) -> tuple[Contact, ...]:
    """Return what an adapter may return, as a tuple. Raises TypeError for anything else."""
    if found is None:
        return ()
    contacts: object = (found,) if isinstance(found, Contact) else found
    if isinstance(contacts, (str, bytes)) or not isinstance(contacts, Sequence):
        raise TypeError(f"lookup returned a {type(contacts).__name__}, not a contact, a sequence of them or None")
    for contact in contacts:
        if not isinstance(contact, Contact):
            raise TypeError(f"lookup returned a {type(contact).__name__} among its contacts")
    return tuple(contacts)
