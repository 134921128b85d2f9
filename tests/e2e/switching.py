"""The switch of a dialogue: it asks step by step over HTTP, as Santral Programlama is documented."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

import aiohttp

from proxy.testing import HttpCrm, Request
from tests.e2e.running import Serving

STRANGER = "05559998877"

CUSTOMERS: Mapping[str, tuple[str, str]] = {
    f"C-{number}": (f"Örnek Müşteri {word}", extension)
    for number, word, extension in (("10001", "Bir", "1001"), ("10002", "İki", "1002"), ("10003", "Üç", "1003"))
}
"""Name and extension of the own agent, by customer number"""

KNOWN = "05301234567"
"""A caller whom the CRM knows by his number"""


class Customers(HttpCrm):
    """A CRM that finds customers by phone or by number, and counts what it was asked for."""

    def __init__(self) -> None:
        super().__init__(self._found)
        self.keyed: list[str] = []

    def _found(self, request: Request) -> object:
        number, phone = request.query.get("number"), request.query.get("phone")
        if number is not None:
            self.keyed.append(number)
            found = CUSTOMERS.get(f"C-{number}")
            return [{"no": f"C-{number}", "name": found[0], "agent": found[1]}] if found else []
        return [{"name": "Örnek Arayan", "agent": "1009", "phone": phone}] if phone == KNOWN else []


def toml(url: str, *, more: str = "", dialogue: str = "", switch: str = "") -> str:
    """Return a deployment that asks strangers for their customer number."""
    options = f'url = "{url}/customers"\nname = "name"\nfields = {{ agent = "agent" }}'
    return f"""
[switch]
default = "queue/200"
deadline = 5
{switch}

[routing]
unknown = "queue/202"

[dialogue]
{dialogue}

[[rules]]
name = "strangers"
caller = {{ kind = ["unknown", "withheld"] }}
ask = "musteri_no"

[[rules]]
name = "own agent"
when = {{ agent = {{ present = true }} }}
target = "user/{{agent}}"

[steps.musteri_no]
phrase = "Lütfen müşteri numaranızı tuşlayın."
phrase_again = "Bulamadık. Lütfen yeniden tuşlayın."
digits = "5-6"
look_up = "customer_number"
attempts = 3

[[sources]]
name = "by phone"
adapter = "rest"
timeout = 4
[sources.options]
{options}
query = {{ phone = "{{national}}" }}
numbers = "phone"

[[sources]]
name = "by customer number"
adapter = "rest"
by = "customer_number"
timeout = 4
[sources.options]
{options}
query = {{ number = "{{customer_number}}" }}
customer_number = "no"
{more}
"""


class SwitchCall:
    """One call of the switch, whose answers are JSON."""

    def __init__(
        self, serving: Serving, session: aiohttp.ClientSession, cli: str = STRANGER, cld: str = "08505321234"
    ) -> None:
        self.serving = serving
        self.session = session
        self.call = {"uuid": str(uuid.uuid4()), "cli": cli, "cld": cld}

    async def ask(self, step: int, **heard: str) -> Any:
        """Ask a question, and return what the switch is told to do; it must be what a switch understands."""
        query = {**self.call, "step": str(step), **heard}
        async with self.session.get(f"{self.serving.url}/musteri.json", params=query) as response:
            assert response.status == 200
            answer = json.loads(await response.read())
        assert len(answer) == 1
        return answer
