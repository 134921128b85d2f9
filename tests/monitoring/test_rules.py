"""The alerts are good rules, each is tried with figures that fire it and others that do not; the dashboard is whole."""

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.monitoring.told import ALERTS, DASHBOARD, alerts, legend, panels
from tests.prometheus import promtool

TRIED = Path(__file__).with_name("alerts_test.yml")
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
PANELS = pytest.mark.parametrize("panel", panels(), ids=lambda panel: panel["title"])


def test_the_rules_are_rules(prometheus: Path) -> None:
    code, printed = promtool(prometheus, "check", "rules", "--lint-fatal", ALERTS)
    assert (code, f"{len(alerts())} rules found" in printed) == (0, True), printed


def test_each_alert_fires_when_it_should_and_not_else(prometheus: Path) -> None:
    code, printed = promtool(prometheus, "test", "rules", TRIED)
    assert code == 0, printed
    tried = TRIED.read_text(encoding="utf-8")
    assert {alert.name for alert in alerts()} == set(re.findall(r"alertname=\"(\w+)\"", tried))


def test_an_alert_says_what_to_do() -> None:
    text = ALERTS.read_text(encoding="utf-8")
    assert len(alerts()) == text.count("- alert:") == text.count("summary:") == text.count("description:")
    assert {alert.severity for alert in alerts()} == {"page", "warn"}


def test_the_dashboard_belongs_to_no_installation() -> None:
    assert not {"id", "gnetId", "iteration", "__inputs"} & set(DASHBOARD)
    assert DASHBOARD["schemaVersion"] >= 39
    for name, each in named("datasource", DASHBOARD):
        assert each == DATASOURCE, name


def test_each_variable_of_the_dashboard_that_is_used_is_there_and_the_other_way_round() -> None:
    there = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", repr(DASHBOARD)))
    assert {name for name in used if not name.startswith("__")} == there


def test_panels_have_a_number_each_and_none_lies_on_another() -> None:
    every = DASHBOARD["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    for panel in every:
        assert panel["gridPos"]["x"] >= 0
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24
    for one, other in combinations(every, 2):
        assert are_apart(one["gridPos"], other["gridPos"]), (one["title"], other["title"])
    assert len({panel["title"] for panel in every}) == len(every)


@PANELS
def test_a_panel_has_what_it_needs(panel: dict[str, Any]) -> None:
    assert panel["targets"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    references = [target["refId"] for target in panel["targets"]]
    assert len(set(references)) == len(references)
    for target in panel["targets"]:
        assert 'job=~"$job", instance=~"$instance"' in target["expr"]
        assert len(panel["targets"]) == 1 or target["legendFormat"], "or nobody knows which line is which"


@PANELS
def test_a_legend_names_what_the_series_have(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        kept = re.match(r"(?:histogram_quantile\([\d.]+, )?\(?(?:sum|min|max) by \(([^)]*)\)", target["expr"])
        if kept is not None:
            assert legend(target["legendFormat"]) <= set(kept[1].split(", ")), target


def named(name: str, node: Any) -> list[tuple[str, Any]]:
    """Return each value that has a name, anywhere."""
    found: list[tuple[str, Any]] = []
    for key, value in node.items() if isinstance(node, dict) else enumerate(node if isinstance(node, list) else ()):
        found += [(str(key), value)] if key == name else named(name, value)
    return found


def are_apart(one: dict[str, int], other: dict[str, int]) -> bool:
    return (
        one["x"] + one["w"] <= other["x"]
        or other["x"] + other["w"] <= one["x"]
        or one["y"] + one["h"] <= other["y"]
        or other["y"] + other["h"] <= one["y"]
    )
