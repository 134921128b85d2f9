"""Müşteri Tanıma: one question with a number in it, answered with a target and perhaps a name.

Source: the switch's vendor, "Müşteri Tanıma" (2018).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from proxy.model import Call, Decision
from proxy.phone import parse_caller
from proxy.target import Target


@dataclass(frozen=True, slots=True)
class MusteriTanima:
    """`?telefon=05301234567` in; `{"name": "Ahmet Yılmaz", "target": "queue/201"}` out."""

    parameter: str = "telefon"
    """The query parameter with the caller's number"""
    region: str = "TR"
    """Home region (ISO 3166) for numbers without a country code"""

    def parse(self, query: Mapping[str, str], at: datetime) -> Call:
        return Call(parse_caller(query.get(self.parameter), self.region), at)

    def render(self, decision: Decision) -> bytes:
        answer = {"name": decision.name} if decision.name else {}
        return json.dumps({**answer, "target": str(decision.target)}, ensure_ascii=False).encode()

    def can_say(self, target: Target) -> bool:
        return target.kind != "tts"
