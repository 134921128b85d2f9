"""What a rule may look at, and the conditions that it may put on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from proxy.model import ABOUT_ITSELF, Call, Contact, Scalar, as_text
from proxy.phone import Caller, PhoneNumber
from proxy.rules.comparison import Comparison
from proxy.rules.hours import Hours
from proxy.values import per_call


class Standing(StrEnum):
    """What the company knows of a caller: the `kind` in a rule's `caller`."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    SEVERAL = "several"
    """Unknown, as the CRM has several contacts, of which none may be chosen: rules for `unknown` are for these too"""
    INTERNAL = "internal"
    WITHHELD = "withheld"
    UNCLEAR = "unclear"
    """The CRM could not be asked, or what the switch sent is no number"""


@per_call(frozen=True, slots=True)
class Situation:
    """One call and what is known of its caller. There is a `contact` exactly when `standing` is `known`."""

    call: Call
    standing: Standing
    contact: Contact | None = None
    kept: Mapping[str, str] = field(default_factory=dict)
    """What the caller has keyed or said, by the field that it is kept as"""
    steps: frozenset[str] = frozenset()
    """The steps of a dialogue to which a rule may lead now"""

    def value(self, field_name: str) -> Scalar:
        """Return a field of the contact, or else what the caller has keyed or said for it.

        What the CRM has a field for, if only an empty one, is its to say.
        """
        contact = self.contact
        if contact is None or (field_name not in contact.fields and field_name not in ABOUT_ITSELF):
            return self.kept.get(field_name)
        return contact.value(field_name)


class Condition(Protocol):
    """One thing that a rule demands."""

    def holds(self, situation: Situation) -> bool:
        """Tell whether it is so."""

    def why_not(self, situation: Situation) -> str:
        """Say in words what is so instead, given that it does not hold."""


@dataclass(frozen=True, slots=True)
class CallerIs:
    """The caller has one of these standings."""

    standings: frozenset[Standing]

    def holds(self, situation: Situation) -> bool:
        standing = situation.standing
        return standing in self.standings or (standing is Standing.SEVERAL and Standing.UNKNOWN in self.standings)

    def why_not(self, situation: Situation) -> str:
        return f"is for {' and '.join(sorted(self.standings))} callers, this one is {situation.standing}"


@dataclass(frozen=True, slots=True)
class FieldIs:
    """A field of the contact compares as wanted."""

    field_name: str
    comparison: Comparison

    def holds(self, situation: Situation) -> bool:
        return self.comparison.holds(situation.value(self.field_name))

    def why_not(self, situation: Situation) -> str:
        value = situation.value(self.field_name)
        shown = "empty" if value in (None, "") else f'"{value}"' if isinstance(value, str) else as_text(value)
        return f"{self.field_name} is {shown}, wanted {self.comparison.wanted}"


@dataclass(frozen=True, slots=True)
class Dialled:
    """One of these numbers was dialled."""

    numbers: tuple[Caller, ...]

    def holds(self, situation: Situation) -> bool:
        return situation.call.called in self.numbers

    def why_not(self, situation: Situation) -> str:
        return "another number was dialled" if situation.call.called else "the switch did not say what was dialled"


@dataclass(frozen=True, slots=True)
class FromCountry:
    """The caller's number belongs to one of these countries (ISO 3166)."""

    countries: frozenset[str]

    def holds(self, situation: Situation) -> bool:
        caller = situation.call.caller
        return isinstance(caller, PhoneNumber) and caller.country in self.countries

    def why_not(self, situation: Situation) -> str:
        caller = situation.call.caller
        country = caller.country if isinstance(caller, PhoneNumber) else "no country"
        return f"the number is from {country}, wanted {' or '.join(sorted(self.countries))}"


@dataclass(frozen=True, slots=True)
class NumberTypeIs:
    """The caller's number has one of these types (`proxy.phone.spelling.NUMBER_TYPES`)."""

    types: frozenset[str]

    def holds(self, situation: Situation) -> bool:
        caller = situation.call.caller
        return isinstance(caller, PhoneNumber) and caller.type in self.types

    def why_not(self, situation: Situation) -> str:
        caller = situation.call.caller
        number_type = caller.type if isinstance(caller, PhoneNumber) else "of no type"
        return f"the number is {number_type}, wanted {' or '.join(sorted(self.types))}"


@dataclass(frozen=True, slots=True)
class During:
    """It rang within one of these hours."""

    hours: tuple[Hours, ...]

    def holds(self, situation: Situation) -> bool:
        return any(hours.contain(situation.call.at) for hours in self.hours)

    def why_not(self, _situation: Situation) -> str:
        return f"it is not during {' or '.join(hours.name for hours in self.hours)}"


@dataclass(frozen=True, slots=True)
class Outside:
    """It rang within none of these hours."""

    hours: tuple[Hours, ...]

    def holds(self, situation: Situation) -> bool:
        return not any(hours.contain(situation.call.at) for hours in self.hours)

    def why_not(self, situation: Situation) -> str:
        within = next(hours.name for hours in self.hours if hours.contain(situation.call.at))
        return f"it is not outside {within}"
