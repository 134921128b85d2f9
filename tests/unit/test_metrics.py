"""What Prometheus is told."""

import re
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxy.breaker import State
from proxy.figures import Figures
from proxy.gauges import OneSource
from proxy.metrics import EVENTS, METRICS, Described, exposition
from proxy.model import OUTCOMES, Asked, Outcome, Reason, Via
from tests.unit.test_journal import answered
from tests.unit.web.operated import GAUGES


def samples(figures: Figures | None = None, **gauges: Any) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = exposition(figures or Figures(), replace(GAUGES, **gauges)).decode()
    families = text_string_to_metric_families(text)
    return {(each.name, frozenset(each.labels.items())): each.value for family in families for each in family.samples}


def value(given: dict[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float:
    return given[name, frozenset(labels.items())]


@pytest.mark.parametrize("described", METRICS, ids=lambda each: each.name)
def test_names_are_as_prometheus_wants_them(described: Described) -> None:
    assert re.fullmatch(r"tanima_[a-z_]+[a-z]", described.name)
    assert not described.name.endswith(("_total", "_count", "_sum", "_bucket"))
    assert described.help.endswith(".")
    assert described.kind != "histogram" or described.name.endswith("_seconds")


def test_what_has_not_been_is_there_and_zero() -> None:
    told = samples()
    for reason, via in product(Reason, Via):
        assert value(told, "tanima_calls_total", reason=reason.value, via=via.value) == 0
    for outcome in OUTCOMES:
        assert value(told, "tanima_source_answers_total", source="crm", outcome=outcome) == 0
    for outcome in Outcome:
        assert value(told, "tanima_answers_heard_total", outcome=outcome.value) == 0
    for event in EVENTS:
        assert value(told, "tanima_events_total", event=event) == 0
    assert value(told, "tanima_rule_matches_total", line="", rule="gold") == 0
    assert value(told, "tanima_call_seconds_count") == 0
    assert value(told, "tanima_source_seconds_count", source="crm") == 0


def test_calls_are_told_by_reason_and_via() -> None:
    figures = Figures()
    for _ in range(3):
        figures.count_call(answered(reason=Reason.RULE, via=Via.CACHE), 1.5, 0)
    figures.count_call(replace(answered(reason=Reason.CRM_FAILED, via=Via.NONE), seconds=1.6), 1.5, 0)
    told = samples(figures)
    assert value(told, "tanima_calls_total", reason="rule", via="cache") == 3
    assert value(told, "tanima_calls_total", reason="rule", via="none") == 0
    assert value(told, "tanima_calls_total", reason="crm_failed", via="none") == 1
    assert value(told, "tanima_calls_late_total") == 1
    assert value(told, "tanima_call_seconds_count") == 4
    assert value(told, "tanima_call_seconds_bucket", le="0.01") == 3
    assert value(told, "tanima_call_seconds_bucket", le="1.5") == 3
    assert value(told, "tanima_call_seconds_bucket", le="2.0") == 4
    assert value(told, "tanima_call_seconds_sum") == pytest.approx(1.63)


def test_a_source_is_in_one_state_at_a_time() -> None:
    told = samples(sources={"crm": OneSource(State.OPEN, State.CLOSED, 7, 100)})
    states = {state: value(told, "tanima_source_state", source="crm", about="lookup", state=state) for state in State}
    assert states == {State.CLOSED: 0, State.OPEN: 1, State.HALF_OPEN: 0, State.THROTTLED: 0}
    assert value(told, "tanima_source_state", source="crm", about="completing", state="closed") == 1
    assert value(told, "tanima_source_attempts_under_way", source="crm") == 7
    assert value(told, "tanima_source_attempts_max", source="crm") == 100


def test_a_source_that_is_gone_is_not_told_of_any_more() -> None:
    figures = Figures()
    figures.count_source(Asked("old", "found", 0.1), 0)
    assert not [labels for _, labels in samples(figures) if ("source", "old") in labels]


def test_a_snapshot_is_told_of_once_it_was_written() -> None:
    assert ("tanima_snapshot_timestamp_seconds", frozenset()) not in samples()
    assert value(samples(snapshot_at=1_795_000_000.5), "tanima_snapshot_timestamp_seconds") == 1_795_000_000.5


def test_names_of_rules_may_be_anything() -> None:
    name = 'gold "plus" \\ müşteri\n'
    told = samples(rules=[("", name)])
    assert value(told, "tanima_rule_matches_total", line="", rule=name) == 0


def test_the_process_is_told_of_too() -> None:
    assert {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds"} <= {
        name for name, _ in samples()
    }
