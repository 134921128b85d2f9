"""How a switch asks and wants to be told: text in, text out, and no I/O."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from proxy.model import Call
from proxy.routing import Decision
from proxy.target import Target


class Dialect(Protocol):
    """One form of question and answer."""

    @property
    def name(self) -> str:
        """What it is called in the TOML."""

    @property
    def holds_dialogues(self) -> bool:
        """Whether the switch can ask the caller something, and us again."""

    @property
    def parameter(self) -> str:
        """The query parameter with the caller's number."""

    def asks(self, query: Mapping[str, str]) -> bool:
        """Tell whether a decoded query may be a question of this form: it has a parameter of its own."""

    def parse(self, query: Mapping[str, str], at: datetime) -> Call:
        """Read the question from a decoded query. Whatever it holds, this is a call; it never raises."""

    def render(self, decision: Decision) -> bytes:
        """Return the answer's body: UTF-8 JSON. What this form cannot say is left out."""

    def can_say(self, target: Target) -> bool:
        """Tell whether the switch understands this target in this dialect."""
