"""The switch of a dialogue: it asks step by step over HTTP, as Santral Programlama is documented."""

import json
import uuid
from collections.abc import Mapping
from typing import Any

import aiohttp

from proxy.target import Target
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
deadline = 28
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
timeout = 25
[sources.options]
{options}
query = {{ phone = "{{national}}" }}
numbers = "phone"

[[sources]]
name = "by customer number"
adapter = "rest"
by = "customer_number"
timeout = 25
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
        check_answer(answer)
        assert "target" not in answer, "it is of the form in which it was asked"
        return answer


def check_answer(told: Any) -> None:
    """Check an answer of either form against what the vendor's documents allow."""
    if "target" in told:
        assert set(told) <= {"name", "target"}
        assert Target.parse(told["target"]).kind != "tts"
        return
    ((action, said),) = told.items()
    spoken = {"announcement_id": str, "phrase": str, "lang": str, "phrase_speed": float}
    allowed: dict[str, dict[str, type]] = {
        "transfer": {
            "greet_name": str,
            "greet_phrase": str,
            "lang": str,
            "announcement_to_caller": int,
            "announcement_to_callee": int,
            "recording_enabled": bool,
            "target": str,
        },
        "prompt": {
            **spoken,
            **dict.fromkeys(("min_digits", "max_digits", "retry_count", "service_url", "param_name"), str),
            **dict.fromkeys(("timeout", "digit_timeout"), int),
        },
        "record": spoken,
        "speech_to_text": {"announcement_id": str, "recognation_duration": int},
    }
    assert all(type(value) is allowed[action][name] for name, value in said.items()), told
    assert said.get("lang", "tr-TR") in {"tr-TR", "en-US", "ar-XA"}
    for text in ("greet_name", "greet_phrase", "phrase"):
        assert 0 < len(said.get(text, "x")) <= 300
    if action == "transfer":
        Target.parse(said["target"])
        assert not {"greet_name", "greet_phrase"} <= set(said)
    elif action == "speech_to_text":
        assert said["announcement_id"].isdigit()
        assert 1 <= said["recognation_duration"] <= 10
    else:
        assert ("announcement_id" in said) != ("phrase" in said)
    if action == "prompt":
        assert 1 <= int(said["min_digits"]) <= int(said["max_digits"])
        assert int(said["retry_count"]) >= 0
        assert all(1 <= said.get(name, 1) <= 10 for name in ("timeout", "digit_timeout"))
