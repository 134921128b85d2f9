"""Which of the contacts that a CRM returned is the caller, if any is."""

import math
from collections.abc import Sequence
from enum import StrEnum

from proxy.keys import CustomerNumber, Key
from proxy.model import Contact, Scalar


class Several(StrEnum):
    """What to do when several contacts of one source have the caller's number."""

    FIRST = "first"
    UNKNOWN = "unknown"
    NEWEST = "newest"


def holders(contacts: Sequence[Contact], key: Key) -> list[Contact]:
    """Return the contacts that can have `key`: those that hold it, or that name no such number at all.

    Of customer numbers the one that was keyed digit by digit comes before those with letters or zeros around it.
    """
    if isinstance(key, CustomerNumber):
        exact = [each for each in contacts if each.customer_number == key.digits and not key.is_nobodys]
        return exact or [each for each in contacts if not each.customer_number or key.is_in(each.customer_number)]
    held = set(key.found_in(text for contact in contacts for text in contact.numbers))
    return [contact for contact in contacts if not contact.numbers or not held.isdisjoint(contact.numbers)]


def distinct(contacts: Sequence[Contact]) -> list[Contact]:
    """Return the contacts without further ones of the same `id`, which are rows of a join."""
    first_of: dict[str | int, Contact] = {}
    for contact in contacts:
        first_of.setdefault(contact.id or id(contact), contact)
    return [*first_of.values()]


def several_for(key: Key, wanted: Several) -> Several:
    """Return what to do with several contacts for a key: none of them is chosen for one customer number."""
    return Several.UNKNOWN if isinstance(key, CustomerNumber) else wanted


def pick(contacts: Sequence[Contact], several: Several, newest_by: str = "") -> Contact | None:
    """Return the contact that stands for the caller; None when there is none, or when nobody can tell."""
    if len(contacts) <= 1 or several is Several.FIRST:
        return contacts[0] if contacts else None
    if several is Several.UNKNOWN:
        return None
    return max(contacts, key=lambda contact: _age_key(contact.value(newest_by)))


def _age_key(value: Scalar) -> tuple[int, float, str]:
    """Sort numbers by size and texts, such as ISO dates, by the alphabet; what has no value is oldest."""
    if value is None or value == "":
        return (0, 0.0, "")
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        return (1, number, "") if math.isfinite(number) else (1, 0.0, value)
    return (1, value, "")
