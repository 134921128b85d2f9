"""The alerts and the dashboard that come with tanima, and what their expressions are made of."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.readme.pages import ROOT, read

FOLDER = ROOT / "docs" / "monitoring"
ALERTS = FOLDER / "alerts.yml"
DASHBOARD: dict[str, Any] = json.loads(read("docs/monitoring/dashboard.json"))

_RULE = re.compile(
    r"- alert: (?P<name>\w+)\n +expr:(?P<expr>.*?)\n(?: +for: (?P<minutes>\d+)m\n)?"
    r" +labels: \{ severity: (?P<severity>\w+) \}",
    re.DOTALL,
)
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR = re.compile(r'\b(?:tanima_\w+|process_\w+|up\b)(?:\{(?:[^"}]|"[^"]*")*\})?')
_GROUPING = re.compile(r"\b(?:by|on|ignoring|without|group_left|group_right) *\(([^)]*)\)")
_MACROS = {"$__rate_interval": "1m", "$__range": "5m", "$job": ".*", "$instance": ".*"}
"""What Grafana puts in the place of its variables"""


@dataclass(frozen=True)
class Alert:
    """One alert, as the file has it."""

    name: str
    expr: str
    minutes: int
    """For which it must hold before it fires"""
    severity: str


def alerts() -> list[Alert]:
    return [
        Alert(rule["name"], rule["expr"].removeprefix(" |").strip(), int(rule["minutes"] or 0), rule["severity"])
        for rule in _RULE.finditer(ALERTS.read_text(encoding="utf-8"))
    ]


def panels() -> list[dict[str, Any]]:
    """Return the panels of the dashboard, without the rows."""
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Yield each expression of both, and where it stands; Grafana's variables are filled in."""
    for alert in alerts():
        yield alert.name, alert.expr
    for panel in panels():
        for target in panel["targets"]:
            expr = target["expr"]
            for macro, value in _MACROS.items():
                expr = expr.replace(macro, value)
            yield f"{panel['title']} {target['refId']}", expr


def selectors(expr: str) -> set[str]:
    """Return what an expression selects, with the conditions on labels."""
    return set(_SELECTOR.findall(expr))


def grouped_by(expr: str) -> set[str]:
    """Return the labels by which an expression groups or joins."""
    bare = _TEXT.sub("", expr)
    return {label.strip() for labels in _GROUPING.findall(bare) for label in labels.split(",")}


def legend(expr: str) -> set[str]:
    """Return the labels that a legend names."""
    return set(re.findall(r"\{\{(\w+)\}\}", expr))
