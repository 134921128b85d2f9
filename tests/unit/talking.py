"""Dialogues for tests: a CRM that knows customers by number, and the switch's side of one call."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from proxy.adapter import Adapter, By, Contact, CustomerNumber, PhoneNumber
from proxy.config import Configuration
from proxy.deployment import Deployment
from proxy.dialects.santral_programlama import SantralProgramlama
from proxy.routing import Decision
from tests.unit.deployed import configured
from tests.unit.fakes import AHMET, MONDAY_NOON, NUMBER

STRANGER = "05559998877"
AYSE = Contact("Ayşe Demir", {"tier": "silver", "owner": "1005"}, id="8", customer_number="C-00777")

STEPS: Mapping[str, Any] = {
    "customer_no": {
        "phrase": "Müşteri numaranızı tuşlayın.",
        "phrase_again": "Bulamadık. Yeniden tuşlayın.",
        "digits": "3-8",
        "look_up": "customer_number",
    },
}
RULES = [
    {"name": "strangers", "caller": {"kind": ["unknown", "withheld"]}, "ask": "customer_no"},
    {"name": "own agent", "when": {"owner": {"present": True}}, "target": "user/{owner}"},
]


class CustomerBook(Adapter):
    """Knows NUMBER as Ahmet and the customer number 777 as Ayşe; raises `trouble` when there is any."""

    asked_by = frozenset(By)

    def __init__(self) -> None:
        self.asked: list[PhoneNumber | CustomerNumber] = []
        self.trouble: Exception | None = None

    async def lookup(self, key: PhoneNumber | CustomerNumber) -> Contact | None:
        self.asked.append(key)
        if self.trouble is not None:
            raise self.trouble
        if isinstance(key, CustomerNumber):
            return AYSE if key.is_in(AYSE.customer_number) else None
        return AHMET if key == NUMBER else None


def talkative(
    book: Adapter | None = None, *, steps: Mapping[str, Any] | None = None, rules: Any = None, **sections: Any
) -> Configuration:
    """Return a configuration in which strangers are asked for their customer number."""
    chosen = {"steps": STEPS if steps is None else steps, "rules": RULES if rules is None else rules, **sections}
    configuration = configured(book or CustomerBook(), **{"routing": {"unknown": "queue/202"}, **chosen})
    source = configuration.sources[0]
    by_both = source.settings.model_copy(update={"by": frozenset(By)})
    settings = configuration.settings.model_copy(update={"sources": [by_both]})
    return replace(configuration, settings=settings, sources=(replace(source, settings=by_both),))


class Talk:
    """The switch's side of one call."""

    def __init__(self, deployment: Deployment, cli: str = STRANGER, uuid: str = "u-1", cld: str = "") -> None:
        self.deployment = deployment
        self.call = {"uuid": uuid, "cli": cli, "cld": cld}
        self.step = 0
        self.decision: Decision | None = None

    async def next(self, **heard: str) -> Any:
        """Ask the next question, and return the answer."""
        self.step += 1
        return await self.again(**heard)

    async def again(self, **heard: str) -> Any:
        """Ask the same question, and return the answer."""
        dialect = SantralProgramlama()
        call = dialect.parse({**self.call, "step": str(self.step), **heard}, MONDAY_NOON)
        self.decision = await self.deployment.router.route(call)
        return json.loads(dialect.render(self.decision))
