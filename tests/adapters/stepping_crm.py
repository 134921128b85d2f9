"""A CRM whose contacts have owners, and whose owners have extensions, and what is asked of it."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from proxy.testing import HttpCrm, Request
from proxy.testing.http_crm import Behaviour

CONTACT: Mapping[str, Any] = {"id": 7, "name": "Ayşe", "phone": "0530 123 45 67", "owner_id": 3}
SEARCH: Mapping[str, Any] = {
    "query": {"phone": "{e164}"},
    "name": "name",
    "id": "id",
    "numbers": "phone",
    "fields": {"owner_id": "owner_id"},
}
OWNER: Mapping[str, Any] = {"step": "owner", "url": "/owners/{owner_id}", "fields": {"login": "login"}}
EXTENSION: Mapping[str, Any] = {"step": "extension", "url": "/extensions/{login}", "fields": {"extension": "number"}}
MAP: Mapping[str, Any] = {"of": "login", "url": "/phones", "record": "list", "key": "agent", "value": "number"}


class SteppingCrm:
    """Answers by path. `faults` has behaviours by path, in the place of an answer."""

    def __init__(self) -> None:
        self.http = HttpCrm(self._answer)
        self.http.behaviour = self._behave
        self.said: dict[str, object] = {
            "/search": [CONTACT],
            "/owners/3": {"login": "veli", "name": "Veli", "title": "Satış"},
            "/extensions/veli": {"number": 1003},
            "/phones": {"list": [{"agent": "veli", "number": "1003"}, {"agent": "ali", "number": "1004"}]},
        }
        self.faults: dict[str, Behaviour] = {}

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for, in order."""
        return [request.path for request in self.http.requests]

    @property
    def counts(self) -> Counter[str]:
        """How often each path was asked for."""
        return Counter(self.asked)

    async def until(self, path: str, count: int) -> None:
        """Wait until a path was asked for so often."""
        for _ in range(2000):
            if self.counts[path] >= count:
                return
            await asyncio.sleep(0.005)
        raise AssertionError(self.asked)

    def _answer(self, request: Request) -> object:
        return self.said.get(request.path)

    async def _behave(self, request: Request, writer: asyncio.StreamWriter) -> None:
        await self.faults.get(request.path, self.http._behave)(request, writer)
