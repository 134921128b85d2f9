"""What is counted, and how the last half hour is told."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from proxy.figures import BOUNDS, LATEST, SLOT, SLOTS, Figures, Histogram, Repetitions, quantile_of
from proxy.journal import Given
from proxy.model import Asked, Outcome, Reason, Via
from tests.unit.test_journal import answered, repeated


def test_a_call_is_counted_by_what_became_of_it() -> None:
    figures = Figures()
    for given in (
        answered(reason=Reason.RULE, via=Via.CACHE),
        answered(reason=Reason.RULE, via=Via.CACHE),
        answered(reason=Reason.NO_ANSWER, via=Via.NONE, heard=Outcome.NOT_FOUND),
    ):
        figures.count_call(given, 1.5, 100)
    assert figures.calls == {(Reason.RULE, Via.CACHE): 2, (Reason.NO_ANSWER, Via.NONE): 1}
    assert figures.heard == {Outcome.NOT_FOUND: 1}
    assert sum(figures.durations.counts) == 3
    assert figures.rules == {}
    given = answered(reason=Reason.RULE)
    figures.count_call(replace(given, decision=replace(given.decision, rule="gold", line="sales")), 1.5, 100)
    assert figures.rules == {("sales", "gold"): 1}


def test_what_comes_after_the_last_moment_is_late() -> None:
    figures = Figures()
    for seconds in (0.1, 1.5, 1.51, 9):
        figures.count_call(replace(answered(), seconds=seconds), 1.5, 100)
    assert figures.late == 2


def test_a_duration_on_a_bound_belongs_below_it() -> None:
    histogram = Histogram()
    for seconds in (0.0005, 0.001, 0.0011, 99):
        histogram.add(seconds)
    assert histogram.counts[:2] == [2, 1]
    assert histogram.counts[-1] == 1
    assert histogram.seconds == pytest.approx(99.0026)


def test_a_quantile_lies_within_the_bounds_of_its_place() -> None:
    histogram = Histogram()
    assert quantile_of(histogram.counts, 0.5) is None
    for _ in range(99):
        histogram.add(0.004)
    histogram.add(0.9)
    assert 0.0025 < (quantile_of(histogram.counts, 0.5) or 0) <= 0.005
    assert 0.0025 < (quantile_of(histogram.counts, 0.99) or 0) <= 0.005
    assert 0.75 < (quantile_of(histogram.counts, 1.0) or 0) <= 1.0
    histogram.add(99)
    assert quantile_of(histogram.counts, 1.0) == BOUNDS[-1], "nobody knows how far beyond"
    fast = Histogram()
    fast.add(0.0001)
    assert 0 < (quantile_of(fast.counts, 0.5) or 0) <= BOUNDS[0]


def test_slots_are_of_a_few_seconds_and_the_oldest_go() -> None:
    figures = Figures()
    for second in range(int(SLOT * (SLOTS + 10))):
        figures.count_call(answered(), 1.5, second)
    assert len(figures.slots) == SLOTS
    assert figures.slots[0].began == 10 * SLOT
    assert sum(figures.slots[0].reasons.values()) == SLOT


def test_slots_since_a_moment_are_one() -> None:
    figures = Figures()
    for moment, seconds, via in ((100, 0.1, Via.CACHE), (107, 0.2, Via.CRM), (108, 0.4, Via.CRM)):
        figures.count_call(replace(answered(via=via), seconds=seconds), 1.5, moment)
    whole = figures.since(105)
    assert whole.vias == {Via.CRM: 2}
    assert whole.reasons == {Reason.NO_RULE: 2}
    assert whole.slowest == 0.4
    assert sum(whole.durations.counts) == 2
    assert whole.durations.seconds == pytest.approx(0.6)
    assert figures.since(1000).reasons == {}


def test_of_a_source_the_last_answers_and_the_last_error_are_known() -> None:
    figures = Figures()
    assert figures.of("crm").quantile(0.5) is None
    for number in range(LATEST + 100):
        figures.count_source(Asked("crm", "found", number / 1000), 10)
    figures.count_source(Asked("crm", "failed", 9, "no answer within 9 s"), 20)
    figures.count_source(Asked("crm", "not asked", 0, "not asked: 10 attempts in a row have failed"), 21)
    figures.count_source(Asked("other", "incomplete", 1, "the owner: HTTP 500"), 22)
    crm = figures.of("crm")
    assert crm.outcomes == {"found": LATEST + 100, "failed": 1, "not asked": 1}
    assert len(crm.latest) == LATEST
    assert crm.quantile(0.5) == pytest.approx(0.351)
    assert crm.quantile(1.0) == 9
    assert (crm.error, crm.error_at) == ("no answer within 9 s", 20)
    assert figures.of("other").error == "the owner: HTTP 500"


def test_since_when_a_source_is_left_alone_is_known_until_it_is_asked_again() -> None:
    figures = Figures()
    figures.note_guarded("crm", "HTTP 500", 10)
    figures.note_guarded("crm", "HTTP 503", 15)
    assert (figures.of("crm").left_alone, figures.of("crm").left_alone_at) == ("HTTP 503", 10)
    figures.note_guarded("crm", "", 20)
    assert (figures.of("crm").left_alone, figures.of("crm").left_alone_at) == ("", 20)


def test_calls_that_are_answered_as_before_count_like_others() -> None:
    one_by_one, at_once, repetitions = Figures(), Figures(), Repetitions()
    given = [Given(repeated(line="sales"), 0.0002), Given(repeated(None), 0.03), Given(repeated(line="sales"), 0.0004)]
    for each, seconds, _ in given:
        one_by_one.count_call(each.answered(seconds, datetime.now(UTC)), 1.5, 100)
    repetitions.add(given)
    at_once.count_repetitions(repetitions, 100)
    for figures in (one_by_one, at_once):
        assert figures.calls == {(Reason.RULE, Via.CACHE): 2, (Reason.NO_RULE, Via.CACHE): 1}
        assert figures.rules == {("sales", "all"): 2}
        assert figures.durations.counts == repetitions.durations.counts
        assert figures.durations.seconds == pytest.approx(0.0306)
        (slot,) = figures.slots
        assert (slot.reasons, slot.vias) == ({Reason.RULE: 2, Reason.NO_RULE: 1}, {Via.CACHE: 3})
        assert (slot.slowest, sum(slot.durations.counts)) == (0.03, 3)
