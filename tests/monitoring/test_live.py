"""A real Prometheus reads a real server's metrics: each expression fits them, and the alerts fire when they should."""

import json

import pytest

from tests.monitoring.conftest import HANGING, Seen, names
from tests.monitoring.told import alerts, expressions, grouped_by, legend, panels, selectors

EMPTY = {"line"}
"""A label that is empty outside [[lines]], and so none for Prometheus"""

EVERY = [pytest.param(place, expr, id=place) for place, expr in expressions()]


def test_no_alert_fires_while_all_is_well(seen: Seen) -> None:
    assert seen.well == []


def test_a_crm_that_fails_fires_what_is_about_it_and_nothing_else(seen: Seen) -> None:
    assert names(seen.failing) == ["TanimaFailingOpen", "TanimaSlow", "TanimaSourceLeftAlone", "TanimaStale"]


def test_answers_that_the_deadline_has_cut_off_are_not_late(seen: Seen) -> None:
    assert seen.late is not None
    assert seen.late < HANGING, "if any was, then as this machine was busy just then"


def test_a_server_that_has_ended_is_down(seen: Seen) -> None:
    assert "TanimaDown" in seen.gone


def test_what_an_alert_says_is_filled_in(seen: Seen) -> None:
    for alert in seen.failing:
        said = json.dumps(alert["annotations"])
        assert "{{" not in said
        assert "<" not in said, "an error, or no value"
        assert alert["labels"]["instance"] in said
        assert alert["labels"]["severity"] == {each.name: each.severity for each in alerts()}[names([alert])[0]]


def test_prometheus_has_read_all_rules(seen: Seen) -> None:
    assert [(rule["name"], rule["health"]) for rule in seen.rules] == [(each.name, "ok") for each in alerts()]


@pytest.mark.parametrize(("place", "expr"), EVERY)
def test_an_expression_is_one_and_names_what_there_is(seen: Seen, place: str, expr: str) -> None:
    assert place not in seen.errors, seen.errors[place]
    assert selectors(expr), "it asks for something"
    labels = set()
    for each in selectors(expr):
        series = seen.results[each]
        assert series, f"there is no {each}"
        labels |= {label for sample, _ in series for label in sample}
    assert grouped_by(expr) <= labels | EMPTY, expr


def test_each_panel_shows_something_and_its_legend_is_filled_in(seen: Seen) -> None:
    for panel in panels():
        for target in panel["targets"]:
            series = seen.results[f"{panel['title']} {target['refId']}"]
            assert series, panel["title"]
            for sample, _ in series:
                assert legend(target["legendFormat"]) <= set(sample) | EMPTY, (panel["title"], sample)
