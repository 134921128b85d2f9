"""The smallest adapter: contacts that stand in the TOML itself. A template for your own, and good for trying out."""

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from proxy.adapter import Adapter, AdapterConfig, By, Contact, CustomerNumber, Inspection, Key

LAST_DIGITS = 7
"""So many are alike in all spellings of a number."""


class StaticContact(AdapterConfig):
    """One entry of `contacts`."""

    numbers: list[str] = Field(default=[], description="Telephone numbers, in any spelling")
    name: str = Field(default="", description="Whom the switch greets")
    fields: dict[str, Any] = Field(default={}, description="What the rules ask about")
    customer_number: str = Field(default="", description="The number that the customer knows, such as C-00123")

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

    @field_validator("customer_number")
    @classmethod
    def _can_be_keyed(cls, number: str) -> str:
        if number and not _digits(number).strip("0"):
            raise ValueError("has no digits that a caller could key - allowed: a number such as 00123 or C-00123")
        return number

    @model_validator(mode="after")
    def _can_be_found(self) -> Self:
        if not self.numbers and not self.customer_number:
            raise ValueError("has neither numbers nor customer_number - allowed: one of them, or both")
        return self


class StaticConfig(AdapterConfig):
    """The options of a static source."""

    contacts: list[StaticContact] = Field(description="All that this source knows")


class StaticAdapter(Adapter):
    """Knows the contacts that the configuration lists."""

    Config = StaticConfig
    asked_by = frozenset(By)

    def __init__(self, config: StaticConfig) -> None:
        self._contacts = [
            (
                " ".join(map(_digits, listed.numbers)),
                Contact(listed.name, listed.fields, tuple(listed.numbers), customer_number=listed.customer_number),
            )
            for listed in config.contacts
        ]

    async def lookup(self, key: Key) -> list[Contact]:
        """Return the contacts that may have this number, in the order of the TOML; the proxy compares the rest."""
        if isinstance(key, CustomerNumber):
            return [contact for _, contact in self._contacts if key.is_in(contact.customer_number)]
        return [contact for digits, contact in self._contacts if key.digits[-LAST_DIGITS:] in digits]

    async def inspect(self, key: Key) -> Inspection:  # noqa: ARG002 - nobody is asked
        """Return the fields of all contacts."""
        return Inspection(frozenset(name for _, contact in self._contacts for name in contact.fields))


def _digits(number: str) -> str:
    return "".join(character for character in number if character in "0123456789")
