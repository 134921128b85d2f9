"""Turns a row into a contact: its columns are the fields, but for the name, the id and the numbers."""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from functools import lru_cache

from adapters.holding import can_be_checked
from proxy.adapter import Contact, Key, PhoneNumber, Scalar, as_text

_NUMBER = re.compile(r"number(_?[0-9]+)?")
_ABOUT_ITSELF = frozenset({"name", "id", "customer_number"})
"""Columns that are no fields, and none of the numbers"""
_LARGEST_NUMBER = 8
"""Bytes"""


@lru_cache(maxsize=1000)
def folded(column: str) -> str:
    """Return the name under which a column is known: in small letters, whatever case the database gives it in.

    I and İ become i, on every machine: `ID` is `id` and `ŞEHİR` is `şehir`, also where a Turkish I would become ı.
    """
    return column.replace("İ", "i").lower()


def has_numbers(columns: Iterable[str]) -> bool:
    """Tell whether there is a column for the contact's numbers: `number`, `number2`, `number_3`..."""
    return any(_is_number(folded(column)) for column in columns)


def tells_of(key: Key, columns: Iterable[str]) -> bool:
    """Tell whether there is a column by which a row can be checked: for numbers, or for the customer number."""
    if isinstance(key, PhoneNumber):
        return has_numbers(columns)
    return any(folded(column) == "customer_number" for column in columns)


def fields_in(columns: Iterable[str]) -> frozenset[str]:
    """Return the names of the fields that the columns give."""
    names = map(folded, columns)
    return frozenset(name for name in names if name not in _ABOUT_ITSELF and not _is_number(name))


def contacts_of(rows: Iterable[Mapping[str, object]], key: Key) -> list[Contact]:
    """Return the contacts, without those that have columns for numbers of the key's kind with no number in any of them.

    Such a contact would pass for anybody's: the proxy checks only the numbers that there are.
    """
    contacts = [(contact_of(row), tells_of(key, row)) for row in rows]
    return [contact for contact, must_tell in contacts if can_be_checked(contact, key) or not must_tell]


def contact_of(row: Mapping[str, object]) -> Contact:
    """Return a row as a contact. Its columns are the fields, but for `name`, `id`, and those with its numbers."""
    fields: dict[str, Scalar] = {}
    known: dict[str, str] = {}
    numbers: list[str] = []
    for column, value in row.items():
        name = folded(column)
        if _is_number(name):
            numbers.append(as_text(plain(value)))
        elif name in _ABOUT_ITSELF:
            known[name] = as_text(plain(value))
        else:
            fields[name] = plain(value)
    return Contact(fields=fields, numbers=tuple(filter(None, numbers)), **known)


@lru_cache(maxsize=1000)
def _is_number(name: str) -> bool:
    """Tell whether a column is for one of the contact's numbers."""
    return _NUMBER.fullmatch(name) is not None


def plain(value: object) -> Scalar:
    """Return a database's value as one for the rules; None for what is neither number nor text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, (float, Decimal)):
        return _number(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):  # MariaDB's and MySQL's TIME
        return _clock(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _decoded(bytes(value))
    return str(value).rstrip()  # CHAR columns are padded with blanks


def _number(value: float | Decimal) -> Scalar:
    if not math.isfinite(value):
        return None
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return float(value)


def _clock(value: timedelta) -> str:
    minutes, seconds = divmod(abs(int(value.total_seconds())), 60)
    return f"{'-' if value < timedelta(0) else ''}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def _decoded(value: bytes) -> Scalar:
    """Return bytes as the text that they are, or as the number that a BIT column means."""
    try:
        text = value.decode("utf-8").rstrip()
    except UnicodeDecodeError:
        text = ""
    if text.isprintable() and (text or not value.strip()):
        return text
    return int.from_bytes(value) if len(value) <= _LARGEST_NUMBER else None
