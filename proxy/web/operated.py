"""What the operator's address needs of a running server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from proxy.figures import Figures
from proxy.gauges import Gauges
from proxy.journal import Journal
from proxy.keys import CustomerNumber
from proxy.model import Contact
from proxy.phone import Caller, PhoneNumber
from proxy.routing import Explanation


@dataclass(frozen=True, slots=True)
class Erased:
    """What became of a number."""

    was_known: bool
    """The cache had it, or a lookup was under way"""
    snapshot: bool
    """There is a snapshot, and it has been written without the number"""


@dataclass(frozen=True, slots=True)
class Cached:
    """What the cache has of a number."""

    contact: Contact | None
    """None when the CRM has said that it does not know the number"""
    ambiguous: bool
    """There is none because the CRM has several"""
    fresh_for: float
    """Seconds for which it answers calls without the CRM; 0 or less when it is stale"""
    stale_for: float
    """Seconds for which it answers calls when the CRM fails"""


@dataclass(frozen=True, slots=True)
class Question:
    """A call that somebody wants to have explained."""

    number: str
    """As it was typed"""
    called: str = ""
    """The dialled number; empty for none"""
    at: datetime | None = None
    """When it rings; now when left out"""
    key: CustomerNumber | None = None
    """What the caller has keyed"""
    renew: bool = False
    """Ask as a call does, so that the cache has the answer from then on; or else leave everything as it is"""


@dataclass(frozen=True, slots=True)
class Tested:
    """What would become of a call, and why."""

    caller: Caller
    cached: Cached | None
    """What the cache had before; None when that was nothing"""
    explanation: Explanation
    """By what the CRM says now"""
    from_cache: Explanation | None
    """What becomes of a call now, where the cache answers it without the CRM"""
    began: float
    """When, in seconds of `time.perf_counter` as in what was asked"""
    seconds: float
    """Until the decision"""
    answers: Mapping[str, str]
    """What the switch would be told, by dialect"""
    bugs: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class RuleShown:
    """One rule in force."""

    line: str
    """Whose rules it is one of; empty for those of all lines that have none"""
    name: str
    conditions: Mapping[str, Any]
    """As in the TOML, by key"""
    goal: str
    """A target, or a step after `ask`, as in the TOML"""
    never: str = ""
    """Why it can never match; empty when it can"""
    heirs: tuple[str, ...] = ()
    """Lines whose calls it decides too, as they have no rules of their own"""

    @property
    def counted(self) -> Sequence[tuple[str, str]]:
        """What its matches are counted as: the names of a line and of itself."""
        return [(line, self.name) for line in (self.line, *self.heirs)]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a person is shown of the configuration that counts."""

    file: str
    sections: Mapping[str, Any]
    """As in the TOML; secrets are masked"""
    written: frozenset[str] = field(default=frozenset())
    """Keys that were given, as `switch.default`; the others have the value that they have when left out"""
    rules: Sequence[RuleShown] = ()
    notes: Sequence[str] = ()
    """What `tanima check` would tell"""


class Operated(Protocol):
    """A running server."""

    figures: Figures
    journal: Journal

    @property
    def region(self) -> str:
        """Return the region of numbers without a country code."""

    def gauges(self) -> Gauges:
        """Return how everything is now."""

    def shown(self) -> Shown:
        """Return the configuration that counts."""

    async def cached(self, number: PhoneNumber) -> Cached | None:
        """Return what the cache has of a number, without counting that as use."""

    async def erase(self, number: PhoneNumber) -> Erased:
        """Drop all that is known about a number, also from the snapshot. Raises ProxyError."""

    async def invalidate(self, number: PhoneNumber | None) -> int:
        """Have the CRM asked about a number, or all, before the next answer; return how many were known.

        Raises ProxyError.
        """

    async def test(self, question: Question) -> Tested:
        """Return what would become of a call. Raises ProxyError."""

    def now(self) -> float:
        """Return the time in the seconds of the figures."""
