"""What Prometheus is told: every name and label stands in METRICS."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from proxy.breaker import State
from proxy.figures import BOUNDS, Figures, Histogram
from proxy.gauges import Gauges
from proxy.model import OUTCOMES, Outcome, Reason, Via

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

EVENTS = ("reloaded", "reload_refused", "snapshot_failed", "bug", "erased", "invalidated", "worker_ended")
"""What is counted beside calls."""


Labels = tuple[str, ...]
Values = Iterable[tuple[Labels, float | Histogram]]


@dataclass(frozen=True, slots=True)
class Described:
    """One metric. A counter's name ends in _total where it is told, as Prometheus wants it."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    help: str
    labels: Labels
    values: Callable[[Figures, Gauges], Values]

    def family(self, figures: Figures, gauges: Gauges) -> Metric:
        """Return it with its values now."""
        values = self.values(figures, gauges)
        if self.kind == "histogram":
            histogram = HistogramMetricFamily(self.name, self.help, labels=self.labels)
            for labels, durations in values:
                assert isinstance(durations, Histogram)  # noqa: S101 - for the type checker: METRICS pairs them
                names = [*map(str, BOUNDS), "+Inf"]
                buckets = list(zip(names, map(float, accumulate(durations.counts)), strict=True))
                histogram.add_metric(labels, buckets, durations.seconds)
            return histogram
        made = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family = made(self.name, self.help, labels=self.labels)
        for labels, value in values:
            assert not isinstance(value, Histogram)  # noqa: S101 - for the type checker: only a histogram has one
            family.add_metric(labels, value)
        return family


def _one(value: float) -> Values:
    return [((), value)]


def _calls(figures: Figures, _: Gauges) -> Iterator[tuple[Labels, float]]:
    """Yield also what has not been: nobody is alerted of what begins to be with its first call."""
    for reason in Reason:
        for via in Via:
            yield (reason.value, via.value), figures.calls[reason, via]


def _states(_: Figures, gauges: Gauges) -> Iterator[tuple[Labels, float]]:
    for name, source in gauges.sources.items():
        for about, now in (("lookup", source.state), ("completing", source.completing)):
            for state in State:
                yield (name, about, state.value), float(state is now)


METRICS = (
    Described("gauge", "tanima_build_info", "1, with the version.", ("version",), lambda _, g: [((g.version,), 1)]),
    Described("counter", "tanima_calls", "Answered requests of the switch.", ("reason", "via"), _calls),
    Described(
        "histogram",
        "tanima_call_seconds",
        "From a request to its answer.",
        (),
        lambda f, _: [((), f.durations)],
    ),
    Described(
        "counter", "tanima_calls_late", "Answers more than 0.2 s after the deadline.", (), lambda f, _: _one(f.late)
    ),
    Described("gauge", "tanima_deadline_seconds", "switch.deadline.", (), lambda _, g: _one(g.deadline)),
    Described(
        "counter",
        "tanima_rule_matches",
        "Calls that a rule has decided; `line` is empty outside [[lines]].",
        ("line", "rule"),
        lambda f, g: [(rule, f.rules[rule]) for rule in g.rules],
    ),
    Described(
        "counter",
        "tanima_answers_heard",
        "What came of questions to callers.",
        ("outcome",),
        lambda f, _: [((outcome.value,), f.heard[outcome]) for outcome in Outcome],
    ),
    Described(
        "counter",
        "tanima_source_answers",
        "What sources have said, also those that were not asked.",
        ("source", "outcome"),
        lambda f, g: [((name, outcome), f.of(name).outcomes[outcome]) for name in g.sources for outcome in OUTCOMES],
    ),
    Described(
        "histogram",
        "tanima_source_seconds",
        "From the question to a source to its answer, with all attempts.",
        ("source",),
        lambda f, g: [((name,), f.of(name).durations) for name in g.sources],
    ),
    Described(
        "gauge",
        "tanima_source_state",
        "1 for the state that a source is in; `about` is lookup, or completing for steps and maps.",
        ("source", "about", "state"),
        _states,
    ),
    Described(
        "gauge",
        "tanima_source_attempts_under_way",
        "Attempts that have not ended, also those that nobody waits for any more.",
        ("source",),
        lambda _, g: [((name,), source.under_way) for name, source in g.sources.items()],
    ),
    Described(
        "gauge",
        "tanima_source_attempts_max",
        "concurrency.",
        ("source",),
        lambda _, g: [((name,), source.most) for name, source in g.sources.items()],
    ),
    Described("gauge", "tanima_flights", "Numbers that are being looked up.", (), lambda _, g: _one(g.flights)),
    Described("gauge", "tanima_cache_entries", "Numbers in the cache.", (), lambda _, g: _one(g.cached)),
    Described("gauge", "tanima_cache_entries_max", "cache.size.", (), lambda _, g: _one(g.cache_size)),
    Described(
        "gauge", "tanima_dialogues", "Calls that are remembered between questions.", (), lambda _, g: _one(g.dialogues)
    ),
    Described(
        "gauge",
        "tanima_connections",
        "Open connections; `listener` is switch or admin.",
        ("listener",),
        lambda _, g: [((name,), count) for name, count in g.connections.items()],
    ),
    Described(
        "gauge",
        "tanima_connections_max",
        "Connections that the switch may have.",
        (),
        lambda _, g: _one(g.connections_most),
    ),
    Described("gauge", "tanima_journal_entries", "Calls in the journal.", (), lambda _, g: _one(g.journal)),
    Described(
        "counter",
        "tanima_events",
        f"What happens beside calls: {', '.join(EVENTS)}.",
        ("event",),
        lambda f, _: [((event,), f.events[event]) for event in EVENTS],
    ),
    Described(
        "gauge",
        "tanima_configuration_refused",
        "1 while the file holds another configuration than the one that counts, which was not taken.",
        (),
        lambda _, g: _one(g.is_refused),
    ),
    Described(
        "gauge",
        "tanima_configuration_timestamp_seconds",
        "When the configuration that counts was taken.",
        (),
        lambda _, g: _one(g.configured_at),
    ),
    Described(
        "gauge",
        "tanima_snapshot_timestamp_seconds",
        "When the snapshot was last known to be as the cache; not there before that, and without one.",
        (),
        lambda _, g: [] if g.snapshot_at is None else _one(g.snapshot_at),
    ),
)


class _Told(Collector):
    def __init__(self, figures: Figures, gauges: Gauges) -> None:
        self._figures = figures
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        for described in METRICS:
            yield described.family(self._figures, self._gauges)


def exposition(figures: Figures, gauges: Gauges) -> bytes:
    """Return all metrics, and those of the process, as Prometheus' text of the CONTENT_TYPE."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(figures, gauges))
    ProcessCollector(registry=registry)
    return generate_latest(registry)
