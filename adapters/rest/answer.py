"""Finds contacts in the CRM's JSON, by the expressions of the TOML."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

import jmespath
from jmespath.exceptions import JMESPathError

from adapters.rest.options import RestConfig
from proxy.adapter import AdapterError, Contact, Scalar, as_text


def parsed(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    """Return what a body of JSON says. Raises AdapterError."""
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse)
    except (ValueError, RecursionError) as exc:  # bad UTF-8 and numbers of 5000 digits are ValueErrors too
        raise AdapterError("what the CRM answers is not JSON") from exc


class Reading:
    """How to read the answers of one CRM."""

    def __init__(self, config: RestConfig) -> None:
        self._error = jmespath.compile(config.error) if config.error else None
        self._record = jmespath.compile(config.record)
        self._name = jmespath.compile(config.name) if config.name else None
        self._id = jmespath.compile(config.id) if config.id else None
        self._numbers = jmespath.compile(config.numbers) if config.numbers else None
        self._fields = {name: jmespath.compile(expression) for name, expression in config.fields.items()}

    def contacts(self, answer: object) -> list[Contact]:
        """Return the contacts in an answer; none when the CRM says that there are none. Raises AdapterError.

        When the numbers are to be read, records without any are left out: they would pass for anybody's.
        """
        contacts = [self._contact(record) for record in self._records(answer)]
        if self._numbers is None:
            return contacts
        with_numbers = [contact for contact in contacts if contact.numbers]
        if contacts and not with_numbers:
            raise AdapterError("what the CRM answers has no record with what the option numbers says")
        return with_numbers

    def fields(self, answer: object) -> dict[str, Scalar]:
        """Return the fields of the first record, none when there is none. Raises AdapterError."""
        records = self._records(answer)
        return self._fields_of(records[0]) if records else {}

    def _records(self, answer: object) -> list[Mapping[str, object]]:
        if self._error is not None and _found(self._error, answer):
            raise AdapterError("the CRM answers that it failed")
        if not (answer is None or answer is False or isinstance(answer, (dict, list))):
            raise AdapterError("what the CRM answers is a single value and no record")  # of which JMESPath finds null
        try:
            found = self._record.search(answer)
        except (JMESPathError, RecursionError) as exc:
            raise AdapterError("what the CRM answers does not fit the option record") from exc
        if found is None or found is False:
            return []
        records = found if isinstance(found, list) else [found]
        if not all(isinstance(record, dict) for record in records):
            raise AdapterError("what the CRM answers has no record where the option record says")
        return records

    def _contact(self, record: Mapping[str, object]) -> Contact:
        fields = self._fields_of(record)
        name, key = _text(_found(self._name, record)), _text(_found(self._id, record))
        if not (name or key or any(value is not None for value in fields.values())):
            raise AdapterError("what the CRM answers has a record with nothing in it that the options name")
        return Contact(name, fields, self._numbers_of(record), key)

    def _fields_of(self, record: Mapping[str, object]) -> dict[str, Scalar]:
        return {name: _scalar(_found(expression, record)) for name, expression in self._fields.items()}

    def _numbers_of(self, record: Mapping[str, object]) -> tuple[str, ...]:
        found = _found(self._numbers, record)
        listed = found if isinstance(found, list) else [found]
        return tuple(filter(None, map(_text, listed)))


def _found(expression: "jmespath.parser.ParsedResult | None", node: object) -> object:
    """Return what an expression finds; None where it does not fit, such as the join of a first name and nothing."""
    if expression is None:
        return None
    try:
        return expression.search(node)
    except (JMESPathError, RecursionError):
        return None


def _scalar(value: object) -> Scalar:
    return value if isinstance(value, (str, bool, int, float)) else None


def _text(value: object) -> str:
    """Return a name, a key or a number; nothing for the `false` that some CRMs answer in place of one."""
    return "" if isinstance(value, bool) else as_text(_scalar(value)).strip()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
