"""A rule's target: a literal, or one whose number comes from a field of the contact."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from proxy.model import as_text
from proxy.rules.situation import Situation
from proxy.target import NUMBERED, Target

_WITH_FIELD = re.compile(r"(?P<kind>[a-z]+)/\{\s*(?P<field>[^\W\d][\w.-]*)\s*(\|\s*(?P<table>[^\W\d][\w.-]*)\s*)?\}")


@dataclass(frozen=True, slots=True)
class TargetTemplate:
    """`queue/201`, `user/{extension}` or `user/{owner | extensions}`; built by `parse`."""

    text: str
    literal: Target | None = None
    kind: str = ""
    field_name: str = ""
    table: str = ""

    @classmethod
    def parse(cls, text: str) -> "TargetTemplate":
        """Read a target of a rule. Raises ValueError.

        A field may only stand for the whole number of a target inside the switch, so that nothing in the
        CRM can steer a call out of the building.
        """
        if "{" not in text and "}" not in text:
            return cls(text, literal=Target.parse(text))
        match = _WITH_FIELD.fullmatch(text)
        if match is None or match["kind"] not in NUMBERED:
            raise ValueError(
                "has a field where none may stand - allowed: {field} or {field | table} as the whole number of "
                + ", ".join(sorted(NUMBERED))
            )
        return cls(text, kind=match["kind"], field_name=match["field"], table=match["table"] or "")

    def render(self, situation: Situation, tables: Mapping[str, Mapping[str, str]]) -> Target | str:
        """Return the target, or a sentence that says why there is none."""
        if self.literal is not None:
            return self.literal
        value = as_text(situation.value(self.field_name))
        if not value:
            return f"its target needs the field {self.field_name}, which is empty"
        if self.table:
            number = tables[self.table].get(value)
            if number is None:
                return f"its target needs {value!r:.40} in the table {self.table}, which does not have it"
            value = number
        try:
            return Target(self.kind, value)
        except ValueError:
            return f"its target would be {self.kind}/{value!a:.40}, which is not valid"
