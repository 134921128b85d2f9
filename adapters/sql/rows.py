"""Turns a row into a contact: its columns are the fields, but for the name, the id and the numbers."""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import date, time
from decimal import Decimal

from proxy.adapter import Contact, Scalar, as_text

_NUMBER = re.compile(r"number(_?[0-9]+)?", re.IGNORECASE | re.ASCII)


def contacts_of(rows: Iterable[Mapping[str, object]]) -> list[Contact]:
    """Return the contacts, without those that have number columns with no number in any of them.

    Such a contact would pass for anybody's: the proxy checks only the numbers that there are.
    """
    contacts = [(contact_of(row), any(map(_NUMBER.fullmatch, row))) for row in rows]
    return [contact for contact, must_have_numbers in contacts if contact.numbers or not must_have_numbers]


def contact_of(row: Mapping[str, object]) -> Contact:
    """Return a row as a contact. `name`, `id`, `number`, `number2`... are known in any case."""
    fields: dict[str, Scalar] = {}
    known: dict[str, str] = {}
    numbers: list[str] = []
    for column, value in row.items():
        if _NUMBER.fullmatch(column):
            numbers.append(as_text(plain(value)))
        elif column.lower() in {"name", "id"}:
            known[column.lower()] = as_text(plain(value))
        else:
            fields[column] = plain(value)
    return Contact(known.get("name", ""), fields, tuple(filter(None, numbers)), known.get("id", ""))


def plain(value: object) -> Scalar:
    """Return a database's value as one for the rules; None for what is neither number nor text."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, (float, Decimal)):
        return _number(value)
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _decoded(bytes(value))
    return str(value).rstrip()  # CHAR columns are padded with blanks


def _number(value: float | Decimal) -> Scalar:
    if not math.isfinite(value):
        return None
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return float(value)


def _decoded(value: bytes) -> Scalar:
    try:
        return value.decode("utf-8").rstrip()
    except UnicodeDecodeError:
        return None
