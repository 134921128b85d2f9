"""What a page is made for, and what it is made of."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proxy.web.console.sessions import Session
from proxy.web.console.words import Words
from proxy.web.operated import Operated


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for a page, by somebody who may see it."""

    path: str
    query: Mapping[str, str]
    words: Words
    session: Session | None
    """None on the page where one logs in"""
    form: Mapping[str, str] | None = None
    """What was sent; None when the page was only opened"""

    def typed(self, name: str) -> str:
        """Return what was typed into a field of a form."""
        return (self.form or {}).get(name, "").strip()


@dataclass(frozen=True, slots=True)
class View:
    """A page that is ready to be written."""

    template: str
    content: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


Page = Callable[[Operated, Visit], Awaitable[View]]
