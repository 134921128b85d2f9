"""The page that is left open."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from proxy.breaker import State
from proxy.gauges import OneSource
from proxy.model import Asked, Via
from proxy.web.console import plots
from proxy.web.console.plots import HalfHour, Minute, Past
from proxy.web.console.words import WORDS
from tests.operated import SampleOperated, answered, failed, half_an_hour, refused
from tests.unit.web.console.browsing import Browser

ENGLISH = WORDS["en"]


async def test_all_is_well(browser: Browser) -> None:
    page = await browser.get("/")
    assert "All sources answer." in page.text
    assert "No call has been answered since the start." in page.text
    assert "Bugs" not in page.text
    assert "was not taken" not in page.text


async def test_figures_of_calls(browser: Browser) -> None:
    for via in (Via.CACHE, Via.CACHE, Via.STALE, Via.CRM):
        browser.operated.answer(answered(via=via, seconds=0.004))
    browser.operated.answer(failed(seconds=1.7))
    browser.operated.answer(refused())
    page = await browser.get("/now")
    for told in (
        "6 in half an hour",
        "From the cache 40.0% of those looked up",
        "Answered by default 16.7% 1 calls, as something failed",
        "slowest: 1.70 s",
        "Late 1 since the start; deadline 1.50 s",
        "Cache 12,345 of 50,000 numbers at the most",
        "Being looked up 3 dialogues: 1",
        "By a rule rule 4",
        "Something failed crm_failed 1",
        "CRM failed",
    ):
        assert told in page.text
    assert page.html.count('href="/calls/') == 6


async def test_the_last_minute_is_a_whole_one(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser.operated, "now", lambda: 1004.0)
    for now in (939.0, 940.0, 970.0, 999.9, 1000.0):
        browser.operated.answer(answered(), now)
    assert "Calls in the last minute 3 5 in half an hour" in (await browser.get("/now")).text


@pytest.mark.parametrize(
    ("state", "completing", "told"),
    [
        (State.OPEN, State.CLOSED, "crm is left alone since"),
        (State.THROTTLED, State.CLOSED, "crm has asked to be left alone for a while."),
        (State.HALF_OPEN, State.CLOSED, "crm was left alone; the next call tries it again."),
        (State.CLOSED, State.OPEN, "crm answers, but its steps and maps are left alone."),
    ],
)
async def test_a_source_in_trouble(browser: Browser, state: State, completing: State, told: str) -> None:
    operated = browser.operated
    operated.states["crm"] = OneSource(state, completing, 1, 100)
    operated.figures.note_guarded("crm", "no answer within 0.6 s", operated.now() - 90)
    page = await browser.get("/")
    assert told in page.text
    assert "no answer within 0.6 s" in page.text
    is_bad = state in {State.OPEN, State.THROTTLED}
    assert ("others go to queue/200" in page.text) == is_bad
    assert ('class="headline bad"' in page.html) == is_bad
    sources = (await browser.get("/sources")).text
    assert "left alone" in sources or "is tried again by the next call" in sources


async def test_a_source_of_which_nobody_has_said_why(browser: Browser) -> None:
    browser.operated.states["crm"] = OneSource(State.OPEN, State.CLOSED, 0, 100)
    assert "crm is left alone. Callers" in (await browser.get("/")).text


async def test_a_source_that_was_left_alone_before_it_was_replaced(browser: Browser) -> None:
    browser.operated.figures.note_guarded("crm", "no answer within 0.6 s", browser.operated.now() - 90)
    for path in ("/", "/sources"):
        text = (await browser.get(path)).text
        assert "since" not in text.replace("since the start", "")
        assert "no answer within 0.6 s" not in text


async def test_errors_are_shown_without_numbers(browser: Browser) -> None:
    operated = browser.operated
    operated.states["crm"] = OneSource(State.OPEN, State.CLOSED, 0, 100)
    operated.figures.note_guarded("crm", "10.0.0.20:5432 has no 05301234567", operated.now())
    operated.figures.count_source(Asked("crm", "failed", 0.6, "no +90 530 123 45 68"), operated.now())
    for path in ("/", "/sources"):
        text = (await browser.get(path)).text
        assert "10.0.0.20:5432 has no •••••••••67" in text
        assert "no +•• ••• ••• •• 68" in text
        assert "1234567" not in text


async def test_a_failure_counts_for_a_minute(browser: Browser) -> None:
    operated = browser.operated
    operated.figures.count_source(Asked("crm", "failed", 0.6, "HTTP 503"), operated.now() - 20)
    page = await browser.get("/")
    assert "crm answers, but has failed 20 s ago: HTTP 503" in page.text
    operated.figures.of("crm").error_at = operated.now() - 100
    page = await browser.get("/")
    assert "All sources answer." in page.text
    assert "HTTP 503 1 min ago" in page.text


async def test_warnings(browser: Browser) -> None:
    browser.operated.is_refused = True
    browser.operated.figures.events["bug"] = 2
    page = await browser.get("/")
    assert "The file holds another configuration, which was not taken" in page.text
    assert "Bugs since the start: 2." in page.text
    assert "tanima check tells what is wrong with it." in (await browser.get("/configuration")).text


# ---------------------------------------------------------------------------------------- plots


def clocks(monkeypatch: pytest.MonkeyPatch, wall: float) -> None:
    monkeypatch.setattr(time, "time", lambda: wall)


def test_minutes_are_those_of_the_clock_on_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    operated, past = SampleOperated(), Past()
    clocks(monkeypatch, 600_030.0)  # half a minute past the hour; the figures' clock shows 5000
    for ago in (3600, 1775, 1770, 91, 89, 31, 29, 0):
        operated.answer(answered(seconds=0.01), 5000.0 - ago)
    whole = past.half_hour(operated.figures, 5000.0)
    calls = [sum(minute.families) for minute in whole.minutes]
    assert (calls[29], calls[28], calls[27], calls[0]) == (2, 2, 1, 1)
    assert whole.calls == 6
    assert whole.began == 600_000.0 - 29 * 60


def test_what_is_remembered_of_minutes_is_what_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    operated, past = SampleOperated(), Past()
    now, wall = 5000.0, 600_000.0
    for step in range(400):
        clocks(monkeypatch, wall)
        operated.answer(answered(seconds=0.01 + step / 1000), now)
        if step % 3 == 0:
            assert past.half_hour(operated.figures, now) == Past().half_hour(operated.figures, now)
        now, wall = now + 7.3, wall + 7.3
    wall -= 1000.0  # somebody sets the clock
    clocks(monkeypatch, wall)
    assert past.half_hour(operated.figures, now) == Past().half_hour(operated.figures, now)


def test_bars() -> None:
    minutes = [Minute() for _ in range(30)]
    minutes[3].families = [6, 0, 0, 3, 1]
    drawn, grid = plots.bars(HalfHour(0.0, minutes), ENGLISH)
    assert drawn.count("<g>") == 1
    assert drawn.count("<rect") == 3
    assert [line.label for line in grid] == ["10", "5"]
    assert 'class="rule" width="2.7%" x="10.00%" y="56.0" height="72.0"' in drawn
    assert [line.label for line in plots.bars(HalfHour(0.0, [Minute()] * 30), ENGLISH)[1]] == ["1"]


@pytest.mark.parametrize(
    ("most", "above"), [(0, 1), (1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (499, 500), (501, 1000)]
)
def test_the_scale_is_round(most: int, above: int) -> None:
    assert plots._round_above(most) == above


def test_durations_stand_beside_the_deadline() -> None:
    operated = SampleOperated()
    now, at = operated.now(), datetime.now(UTC)
    for ago in (0, 60, 300):  # a lone minute, and two side by side
        operated.answer(answered(seconds=0.1, at=at - timedelta(seconds=ago)), now - ago)
    drawn = plots.durations(Past().half_hour(operated.figures, now), 1.5, ENGLISH)
    assert len(drawn.middle) == 2
    lone = drawn.middle[0].split()
    assert len(lone) == 2
    assert lone[0] == lone[1]
    assert drawn.slowest.count("<circle") == 3
    assert [line.label for line in drawn.grid] == ["1 ms", "10 ms", "100 ms", "1 s"]
    assert plots.TOP < drawn.deadline < drawn.grid[2].y
    quick = plots.durations(HalfHour(0.0, [Minute()] * 30), 0.5, ENGLISH)
    assert (quick.middle, quick.slowest) == ([], "")


def test_no_quantile_is_beyond_the_slowest() -> None:
    operated = SampleOperated()
    operated.answer(answered(seconds=0.76))  # counted between 0.75 s and 1 s
    whole = Past().half_hour(operated.figures, operated.now())
    assert whole.quantile(0.99) == whole.slowest == 0.76


def test_a_full_half_hour_is_drawn_in_a_few_milliseconds() -> None:
    operated, past = SampleOperated(), Past()
    half_an_hour(operated, 3000)
    past.half_hour(operated.figures, operated.now())
    began = time.process_time()
    whole = past.half_hour(operated.figures, operated.now())
    plots.bars(whole, ENGLISH)
    plots.durations(whole, 1.5, ENGLISH)
    assert time.process_time() - began < 0.05, "a bound that a busy machine keeps; it is about 1 ms"
