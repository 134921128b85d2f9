"""Müşteri Tanıma: one question with a number in it, answered with a target and perhaps a name.

Source: the switch's vendor, "Müşteri Tanıma" (2018).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from json.encoder import encode_basestring as in_json

from proxy.actions import Transfer
from proxy.model import Call
from proxy.phone import parse_caller
from proxy.routing import Decision
from proxy.target import Target


@dataclass(frozen=True, slots=True)
class MusteriTanima:
    """`?telefon=05301234567` in; `{"name": "Ahmet Yılmaz", "target": "queue/201"}` out."""

    parameter: str = "telefon"
    """The query parameter with the caller's number"""
    region: str = "TR"
    """Home region (ISO 3166) for numbers without a country code"""

    @property
    def name(self) -> str:
        return "musteri-tanima"

    @property
    def holds_dialogues(self) -> bool:
        return False

    def asks(self, query: Mapping[str, str]) -> bool:
        return self.parameter in query

    def parse(self, query: Mapping[str, str], at: datetime) -> Call:
        return Call(parse_caller(query.get(self.parameter), self.region), at)

    def render(self, decision: Decision) -> bytes:
        action = decision.action
        if not isinstance(action, Transfer):
            raise TypeError("this dialect cannot ask the caller anything")
        name = f'"name": {in_json(action.name)}, ' if action.name else ""
        return f'{{{name}"target": {in_json(str(action.target))}}}'.encode()

    def can_say(self, target: Target) -> bool:
        return target.kind != "tts"
