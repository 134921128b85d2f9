"""Finds contacts in the CRM's JSON, by the expressions of the TOML."""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any, NoReturn

from jmespath.exceptions import JMESPathError

from adapters.holding import can_be_checked
from adapters.rest.errors import check_status, code_of, seconds_of_rest
from adapters.rest.paths import Search, key_of, search_of
from adapters.rest.sections import Answered, Throttle
from proxy.adapter import AdapterError, Contact, Key, PhoneNumber, Scalar, Unavailable, as_text

MISFIT = (JMESPathError, RecursionError, TypeError, ValueError, ArithmeticError)
"""What JMESPath raises for values that an expression was not written for: a text that is compared with a number."""

_CHARSET = re.compile(r"charset=\"?([\w.:-]{1,40})", re.ASCII | re.IGNORECASE)

_PATH = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?:\[[^|]*)?", re.ASCII)
"""An expression that begins with keys and nothing else; and what may follow them."""

OUT_OF_SERVICE = 503
"""A status that is trouble, and with a time given a wish to be left alone."""

_NO_JSON = "what the CRM answers is not JSON"


@dataclass(frozen=True)
class Answer:
    """What was answered to one request."""

    status: int
    headers: Mapping[str, str]
    """Names in small letters, or found by those"""
    content: bytes = b""

    @cached_property
    def said(self) -> Any:  # noqa: ANN401 - any JSON
        """What the body says; None when it is empty, or no JSON."""
        try:
            return self.parsed()
        except AdapterError:
            return None

    def parsed(self) -> Any:  # noqa: ANN401 - any JSON
        """Return what the body says. Raises AdapterError when it is no JSON."""
        kind = self.headers.get("content-type")
        charset = _CHARSET.search(kind) if kind else None
        return parsed(self.content, charset[1] if charset is not None else "utf-8")


def parsed(body: bytes, charset: str = "utf-8") -> Any:  # noqa: ANN401 - any JSON
    """Return what a body of JSON says. Raises AdapterError."""
    try:
        is_utf_8 = charset.lower() in {"utf-8", "utf8"}
        text = (body.removeprefix(BOM_UTF8).decode() if is_utf_8 else body.decode(charset)).strip(_BLANKS)
        said, end = _JSON.raw_decode(text)
    except (ValueError, LookupError, RecursionError) as exc:  # bad UTF-8 and numbers of 5000 digits are ValueErrors too
        raise AdapterError(_NO_JSON) from exc
    if end != len(text):
        raise AdapterError(_NO_JSON)
    return said


class Rest:
    """How the CRM says that it wants to be left alone."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle
        self._header = throttle.header.lower()
        self._when = compiled(throttle.when)
        self._seconds = compiled(throttle.seconds)

    def check(self, answer: Answer) -> None:
        """Raise Unavailable, with the seconds to wait, when an answer says so."""
        told = seconds_of_rest(answer.headers.get(self._header))
        if told is None and self._seconds is not None:
            told = seconds_of_rest(as_text(scalar(found(self._seconds, answer.said))))
        is_said = self._when is not None and holds(self._when, answer.said)
        if answer.status in self._throttle.status or is_said:
            seconds = self._throttle.rest if told is None else told
            raise Unavailable(f"the CRM asks for fewer requests ({answer.status})", seconds)
        if answer.status == OUT_OF_SERVICE and told is not None:
            raise Unavailable(f"the CRM is out of service ({answer.status})", told)


class Reading:
    """How to read the answers to one kind of request."""

    def __init__(  # noqa: PLR0913 - one expression each
        self,
        answered: Answered,
        fields: Mapping[str, str],
        *,
        name: str | None = None,
        key: str | None = None,
        numbers: str | None = None,
        customer_number: str | None = None,
    ) -> None:
        self._error = compiled(answered.error)
        self._unknown = compiled(answered.unknown)
        self._unknown_status = frozenset(answered.unknown_status)
        self._record = search_of(answered.record)
        path = _PATH.fullmatch(answered.record)
        self._path = path[1].split(".") if path is not None else []
        self._name, self._id, self._numbers = _in_record(name), _in_record(key), _in_record(numbers)
        self._customer_number = _in_record(customer_number)
        self._fields = [(field, _in_record(expression)) for field, expression in fields.items()]

    def answer(self, answer: Answer) -> Any:  # noqa: ANN401 - any JSON
        """Return what the CRM says; None when it says that there is nothing. Raises AdapterError."""
        if answer.status in self._unknown_status and (self._unknown is None or holds(self._unknown, answer.said)):
            return None
        if answer.status != HTTPStatus.OK:
            check_status(answer.status, code_of(found(self._error, answer.said)))
        if not answer.content.strip():
            return None
        said = answer.said
        if said is None:
            answer.parsed()  # which raises for what is no JSON, and not for null
        if holds(self._unknown, said):
            return None
        if holds(self._error, said):
            code = code_of(found(self._error, said))
            raise AdapterError(f"the CRM answers that it failed{code and f' ({code})'}")
        return said

    def contacts(self, answer: object, key: Key) -> list[Contact]:
        """Return the contacts in an answer; none when the CRM says that there are none. Raises AdapterError.

        When what tells whether they hold the key is to be read, records without it are left out: they would pass for
        anybody's.
        """
        contacts = [self._contact(record) for record in self.records(answer)]
        is_by_phone = isinstance(key, PhoneNumber)
        if (self._numbers if is_by_phone else self._customer_number) is None:
            return contacts
        checkable = [contact for contact in contacts if can_be_checked(contact, key)]
        if contacts and not checkable:
            option = "numbers" if is_by_phone else "customer_number"
            raise AdapterError(f"what the CRM answers has no record with what the option {option} says")
        return checkable

    def first(self, answer: object) -> Contact | None:
        """Return name and fields of the first record; None when there is none. Raises AdapterError."""
        records = self.records(answer)
        return Contact(_text(_read(records[0], self._name)), self._fields_of(records[0])) if records else None

    def records(self, answer: object) -> list[Mapping[str, object]]:
        """Return the records in an answer. Raises AdapterError."""
        if not (answer is None or answer is False or isinstance(answer, (dict, list))):
            raise AdapterError("what the CRM answers is a single value and no record")  # of which JMESPath finds null
        try:
            there = self._record(answer)
        except MISFIT as exc:
            raise AdapterError("what the CRM answers does not fit the option record") from exc
        if there is None and self._path_leads_nowhere(answer):
            raise AdapterError("what the CRM answers has nothing where the option record says")
        if there is None or there is False:
            return []
        records = there if isinstance(there, list) else [there]
        if not all(isinstance(record, dict) for record in records):
            raise AdapterError("what the CRM answers has no record where the option record says")
        return records

    def _path_leads_nowhere(self, answer: object) -> bool:
        """Tell whether an answer lacks what the expression names, rather than having nothing in it."""
        for key in self._path:
            if not isinstance(answer, dict):
                return bool(answer)
            if key not in answer:
                return True
            answer = answer[key]
        return False

    def _contact(self, record: Mapping[str, object]) -> Contact:
        fields = self._fields_of(record)
        name, key = _text(_read(record, self._name)), _text(_read(record, self._id))
        if not (name or key or any(value is not None for value in fields.values())):
            raise AdapterError("what the CRM answers has a record with nothing in it that the options name")
        customer_number = _text(_read(record, self._customer_number))
        return Contact(name, fields, self._numbers_of(record), key, customer_number)

    def _fields_of(self, record: Mapping[str, object]) -> dict[str, Scalar]:
        return {name: scalar(_read(record, place)) for name, place in self._fields}

    def _numbers_of(self, record: Mapping[str, object]) -> tuple[str, ...]:
        there = _read(record, self._numbers)
        listed = there if isinstance(there, list) else [there]
        return tuple(filter(None, map(_text, listed)))


def _in_record(expression: str | None) -> str | Search | None:
    """Return where a value stands in a record: under a key, as most do, or as an expression says."""
    return (key_of(expression) or search_of(expression)) if expression else None


def _read(record: Mapping[str, object], place: str | Search | None) -> object:
    return record.get(place) if isinstance(place, str) else found(place, record)


def compiled(expression: str | None) -> Search | None:
    """Return an expression that can be searched with."""
    return search_of(expression) if expression else None


def found(expression: Search | None, node: object) -> object:
    """Return what an expression finds; None where it does not fit, such as the join of a first name and nothing."""
    if expression is None:
        return None
    try:
        return expression(node)
    except MISFIT:
        return None


def holds(expression: Search | None, node: object) -> bool:
    """Tell whether an expression finds something that is neither empty, zero nor false."""
    return bool(found(expression, node))


def scalar(value: object) -> Scalar:
    """Return a value as a field of a contact can have it; None for a table or a list."""
    return value if isinstance(value, (str, bool, int, float)) else None


def _text(value: object) -> str:
    """Return a name, a key or a number; nothing for the `false` that some CRMs answer in place of one."""
    if type(value) is str:
        return value.strip()
    return "" if isinstance(value, bool) else as_text(scalar(value)).strip()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_BLANKS = " \t\n\r"
"""As JSON knows them"""

_JSON = json.JSONDecoder(parse_constant=_refuse)
