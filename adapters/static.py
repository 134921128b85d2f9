"""The smallest adapter: contacts that stand in the TOML itself. A template for your own, and good for trying out."""

from typing import Any

from pydantic import Field, field_validator

from proxy.adapter import Adapter, AdapterConfig, Contact, Inspection, PhoneNumber

LAST_DIGITS = 7
"""So many are alike in all spellings of a number."""


class StaticContact(AdapterConfig):
    """One entry of `contacts`."""

    numbers: list[str] = Field(min_length=1, description="Telephone numbers, in any spelling")
    name: str = Field(default="", description="Whom the switch greets")
    fields: dict[str, Any] = Field(default={}, description="What the rules ask about")

    @field_validator("numbers")
    @classmethod
    def _have_digits(cls, numbers: list[str]) -> list[str]:
        if not all(len(_digits(number)) >= LAST_DIGITS for number in numbers):
            raise ValueError("has a number that is too short - allowed: numbers such as 0530 123 45 67")
        return numbers

    @field_validator("fields")
    @classmethod
    def _are_plain(cls, fields: dict[str, Any]) -> dict[str, Any]:
        for name, value in fields.items():
            if not isinstance(value, (str, int, float)):
                raise ValueError(f"has {name}, which is no plain value - allowed: texts, numbers, true and false")
        return fields


class StaticConfig(AdapterConfig):
    """The options of a static source."""

    contacts: list[StaticContact] = Field(description="All that this source knows")


class StaticAdapter(Adapter):
    """Knows the contacts that the configuration lists."""

    Config = StaticConfig

    def __init__(self, config: StaticConfig) -> None:
        self._contacts = [
            (" ".join(map(_digits, listed.numbers)), Contact(listed.name, listed.fields, tuple(listed.numbers)))
            for listed in config.contacts
        ]

    async def lookup(self, key: PhoneNumber) -> list[Contact]:
        """Return the contacts that may have this number, in the order of the TOML; the proxy compares the rest."""
        return [contact for digits, contact in self._contacts if key.digits[-LAST_DIGITS:] in digits]

    async def inspect(self, number: PhoneNumber) -> Inspection:  # noqa: ARG002 - nobody is asked
        """Return the fields of all contacts."""
        return Inspection(frozenset(name for _, contact in self._contacts for name in contact.fields))


def _digits(number: str) -> str:
    return "".join(character for character in number if character in "0123456789")
