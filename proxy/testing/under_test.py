"""What an integrator tells about a CRM, so that the contract's tests can be run against it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import ClassVar, get_type_hints

from proxy.adapter import Adapter, By, CustomerNumber, Key, PhoneNumber
from proxy.keys import kind_of
from proxy.phone import parse_number
from proxy.testing import behaviours
from proxy.testing.http_crm import HttpCrm, Request

ABILITIES = ("complete", "forget", "rehearse", "replaying")
"""Methods that an adapter need not have, and that the contract tests where it has them"""


class CrmUnderTest(ABC):
    """A CRM with known content, real or as near as can be, and the adapter that asks it.

    The faults below the line are optional: the contract tests those that are overridden. Whoever overrides
    one of them overrides `come_back` too.
    """

    known: Mapping[str, str] = {}
    """Numbers in any spelling of the home region, and the names that the CRM has for them; two at least"""
    unknown: Sequence[str] = ()
    """Valid numbers that the CRM does not have; one at least"""
    known_customers: Mapping[str, str] = {}
    """Customer numbers as callers key them, and the names that the CRM has for them; two at least, if any"""
    unknown_customers: Sequence[str] = ()
    """Customer numbers that the CRM does not have; one at least, if it knows any"""
    by: ClassVar[frozenset[By] | None] = None
    """What this adapter is asked by, where its options leave it less than its class is `asked_by`"""
    region: str = "TR"
    secrets: Sequence[str] = ()
    """Secrets among the adapter's options, which `rehearse` must not show; also as they are sent, such as in Base64"""

    @abstractmethod
    def adapter(self) -> Adapter:
        """Return a new adapter for this CRM, not yet opened. Called when the CRM runs and when it does not.

        Name the adapter's own class, as in `def adapter(self) -> PhoneBook`: the contract tests the abilities
        that the class has, such as `complete`.
        """

    async def start(self) -> None:  # noqa: B027 - not every CRM has to be started
        """Start the CRM. Called before each test."""

    async def stop(self) -> None:  # noqa: B027 - not every CRM has to be stopped
        """Stop the CRM. Called after each test, in whatever state that has left it."""

    # ------------------------------------------------------------------------------------------------

    async def go_down(self) -> None:
        """Stop answering: lookups fail at once, as with a server that is not running."""
        raise NotImplementedError

    async def hang(self) -> None:
        """Take requests, and answer none."""
        raise NotImplementedError

    async def answer_garbage(self) -> None:
        """Answer something that no CRM should."""
        raise NotImplementedError

    async def refuse(self) -> None:
        """Refuse the adapter's credentials."""
        raise NotImplementedError

    async def come_back(self) -> None:
        """Answer again as before any of these."""
        raise NotImplementedError

    @classmethod
    def offers(cls, what: str) -> bool:
        """Tell whether a fault, such as `hang`, is overridden, or the adapter has an ability, such as `complete`."""
        if what in ABILITIES:
            return hasattr(_returned_by(cls.adapter), what)
        return getattr(cls, what) is not getattr(CrmUnderTest, what)

    def number(self, text: str) -> PhoneNumber:
        """Return one of the numbers as adapters get it."""
        return phone(text, self.region)

    def known_keys(self) -> dict[Key, str]:
        """Return all that the CRM knows, of both kinds in turn, with the names; what comes first is one of each."""
        numbers = [(self.number(text), name) for text, name in self.known.items()]
        customers = [(CustomerNumber(text), name) for text, name in self.known_customers.items()]
        return {key: name for pair in zip_longest(numbers, customers) for key, name in filter(None, pair)}

    def unknown_keys(self) -> list[Key]:
        """Return all that the CRM does not know."""
        return [*map(self.number, self.unknown), *map(CustomerNumber, self.unknown_customers)]

    def one_of_each_kind(self) -> list[Key]:
        """Return a phone number and a customer number that the CRM knows, as far as there are such."""
        return list({kind_of(key): key for key in reversed(self.known_keys())}.values())


class HttpCrmUnderTest(CrmUnderTest):
    """A CRM that speaks HTTP, played by an HttpCrm: all faults are there, only its answers are left to say."""

    def __init__(self) -> None:
        self.crm = HttpCrm(self.answer)

    @abstractmethod
    def answer(self, request: Request) -> object:
        """Return what the CRM answers, as `HttpCrm` takes it: a value for JSON, or None for a 404."""

    async def start(self) -> None:
        await self.crm.start()

    async def stop(self) -> None:
        await self.crm.stop()

    async def go_down(self) -> None:
        await self.crm.stop()

    async def hang(self) -> None:
        self.crm.behaviour = behaviours.hangs

    async def answer_garbage(self) -> None:
        self.crm.behaviour = behaviours.answers(body=b"<html>")

    async def refuse(self) -> None:
        self.crm.behaviour = behaviours.answers(401)

    async def come_back(self) -> None:
        self.crm.behaviour = None
        await self.crm.start()


def phone(text: str, region: str = "TR") -> PhoneNumber:
    """Return a phone number, for tests: `phone("0530 123 45 67")`. Raises InvalidNumber."""
    return parse_number(text, region)


def _returned_by(method: object) -> object:
    """Return the class that a method says it returns; None where it says none that can be found."""
    try:
        return get_type_hints(method).get("return")
    except (NameError, TypeError, AttributeError, SyntaxError):
        return None
