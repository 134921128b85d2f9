"""The journal: which calls are shown, and one of them in all its steps."""

from datetime import UTC, datetime

import pytest

from proxy.journal import Answered
from proxy.model import Asked, Via
from proxy.phone import Extension, Unreadable, Withheld
from proxy.web.console.calls import ON_A_PAGE
from tests.operated import AHMET, PLAIN, answered, dialogue, failed, refused
from tests.unit.fakes import OTHER_NUMBER
from tests.unit.web.console.browsing import Browser


def fill(browser: Browser) -> None:
    for one in (
        answered(),
        answered(OTHER_NUMBER, PLAIN, Via.CACHE),
        answered(OTHER_NUMBER, None, Via.STALE),
        failed(),
        refused(),
        *dialogue(),
    ):
        browser.operated.answer(one)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [7, 6, 5, 4, 3, 2, 1]),
        ("?sort=failed", [4, 3]),
        ("?sort=refused", [5]),
        ("?reason=rule", [7, 2, 1]),
        ("?via=cache", [2]),
        ("?source=extensions", [1]),
        ("?source=crm&sort=failed", [4]),
        ("?rule=gold", [7, 1]),
        ("?target=user/", [2]),
        ("?target=+queue/201+", [7, 1]),
        ("?reason=nonsense", []),
        ("?before=3", [2, 1]),
        ("?before=nonsense", [7, 6, 5, 4, 3, 2, 1]),
        ("?before=99999999999999999999", [7, 6, 5, 4, 3, 2, 1]),
        ("?lang=en&reason=", [7, 6, 5, 4, 3, 2, 1]),
    ],
)
async def test_filters(browser: Browser, query: str, numbers: list[int]) -> None:
    fill(browser)
    page = await browser.get(f"/calls{query}")
    shown = [int(part.split('"')[0]) for part in page.html.split('href="/calls/')[1:]]
    assert shown == numbers
    assert ("No call in the journal is like that." in page.text) == (not numbers)


async def test_what_a_row_tells(browser: Browser) -> None:
    fill(browser)
    text = (await browser.get("/calls")).text
    assert "+90********67 +90********34 queue/201 Rule matched gold CRM asked crm, extensions 212 ms" in text
    assert "+90********67 queue/200 CRM failed Nothing known crm 1.25 s" in text
    assert "– queue/200 Refused Nothing known 0.4 ms" in text
    assert "asks customer_no Asked something strangers CRM asked crm 190 ms" in text


async def test_choices_stay_chosen(browser: Browser) -> None:
    page = await browser.get('/calls?reason=crm_failed&target="><script>')
    assert '<option value="crm_failed" selected>CRM failed</option>' in page.html
    assert 'value="&#34;&gt;&lt;script&gt;"' in page.html
    assert "Show all" in page.text


async def test_older_calls_are_a_page_away(browser: Browser) -> None:
    for _ in range(ON_A_PAGE + 1):
        browser.operated.answer(answered())
    first = await browser.get("/calls?via=crm")
    assert 'href="/calls?via=crm&amp;before=2"' in first.html
    assert "Latest" not in first.text
    second = await browser.get("/calls?via=crm&before=2")
    assert 'href="/calls/1"' in second.html
    assert 'href="/calls?via=crm"' in second.html
    assert "Older" not in second.text.replace("Older and later calls", "")


async def test_a_call_that_is_not_there(browser: Browser) -> None:
    page = await browser.get("/calls/12")
    assert page.status == 404
    assert "Call 12 This call is not in the journal." in page.text


# ---------------------------------------------------------------------------------------- one call


async def test_the_way_of_a_call(browser: Browser) -> None:
    browser.operated.answer(answered())
    text = (await browser.get("/calls/1")).text
    for told in (
        "queue/201 The rule “gold” matched.",
        "Reason: Rule matched rule",
        "Took: 212 ms of 1.50 s",
        "+90********67 · mobile number · TR",
        "Dialled: +90********34 · internet telephony number · TR",
        "The cache had nothing fresh, so the sources were asked.",
        "crm found 187 ms 2 contacts, of which 1 has the number",
        "extensions fields added 21 ms",
        "name Ahmet Yılmaz customer_number •••••45 tier gold balance 1250.5",
        "mobile •••• ••• •• 33 note –",
        "numbers +•• ••• ••• •• 67 the caller's •••• ••• •• 10",
        "gold matched own agent not tried blocked not tried",
    ):
        assert told in text
    assert "What the switch is told" not in text


async def test_sources_stand_on_one_axis_of_time(browser: Browser) -> None:
    browser.operated.answer(answered())  # 212 ms; the last source had answered 211 ms after the first was asked
    html = (await browser.get("/calls/1")).html
    assert '<rect x="0.13%" y="5" width="11.76%" height="12" rx="2"/>' in html  # of 1.59 s
    assert '<line class="answered" x1="13.33%"' in html
    assert '<line class="deadline" x1="94.34%"' in html


async def test_a_lookup_that_another_call_had_begun(browser: Browser) -> None:
    browser.operated.answer(answered(seconds=0.05))
    html = (await browser.get("/calls/1")).html
    assert '<rect x="0.0%" y="5" width="1.7%"' in html  # what is left of it when this call comes
    assert '<line class="answered" x1="3.14%"' in html


async def test_a_call_that_failed_and_was_late(browser: Browser) -> None:
    browser.operated.answer(failed(seconds=1.7))
    text = (await browser.get("/calls/1")).text
    assert "No source could tell in time who it is." in text
    assert "Why nobody could tell: crm: no answer within 0.6 s" in text
    assert "This took longer than the switch may be kept waiting (1.50 s)." in text
    assert "extensions not asked" in text
    assert "gold did not match is for known callers, this one is unclear" in text


async def test_a_call_is_not_judged_by_a_later_configuration(browser: Browser) -> None:
    browser.operated.configured_at = datetime.now(UTC).timestamp() + 60
    for one in (failed(seconds=1.7), answered(via=Via.CACHE), answered(seconds=0.0, said=())):
        browser.operated.answer(one)
    page = await browser.get("/calls/1")
    assert "Took: 1.70 s The caller hears" in page.text
    assert "kept waiting" not in page.text
    assert 'class="deadline"' not in page.html
    assert "extensions" not in page.text
    assert "No source was asked." in (await browser.get("/calls/2")).text
    assert "No source was asked." in (await browser.get("/calls/3")).text


async def test_why_a_rule_did_not_match_is_told_in_turkish_too(browser: Browser) -> None:
    browser.operated.answer(failed())
    page = await browser.get("/calls/1?lang=tr")
    assert "gold eşleşmedi tanınan arayanlar için; bu arayan kim olduğu bilinemeyen" in page.text
    assert 'class="why" lang="en"' not in page.html
    assert 'class="why" lang="en"' in (await browser.get("/calls/1?lang=en")).html


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (answered(via=Via.CACHE), "The cache had a fresh answer, so no source was asked."),
        (answered(via=Via.STALE), "The sources could not tell, so what the cache still had was taken."),
        (answered(contact=None), "The CRM does not know the caller."),
        (answered(Extension("1003"), None, Via.NONE), "extension 1003"),
        (answered(Withheld(), None, Via.NONE), "a withheld number"),
        (answered(Unreadable("longer than 64 characters"), None, Via.NONE), "no number: it longer than 64 characters"),
        (refused(), "There was nothing to decide by: nobody was looked up, and no rule was tried."),
        (
            answered(said=(Asked("crm", "not asked", 0.0, "not asked: 10 attempts in a row have failed", 7.0),)),
            "crm not asked –",
        ),
        (answered(said=(Asked("crm", "unknown", 0.1, began=7.0),)), "crm does not know the number 100 ms"),
        (answered(contact=AHMET, seconds=42.0), "Took: 42.00 s of 1.50 s"),
    ],
)
async def test_calls_of_all_kinds(browser: Browser, one: Answered, told: str) -> None:
    browser.operated.answer(one)
    assert told in (await browser.get("/calls/1")).text


async def test_the_steps_of_a_dialogue(browser: Browser) -> None:
    browser.operated.answer(answered())
    for one in dialogue():
        browser.operated.answer(one)
    first = await browser.get("/calls/2")
    assert "The caller is asked customer_no The rule “strangers” matched." in first.text
    assert "The caller hears: a question" in first.text
    second = await browser.get("/calls/3")
    assert "A contact was found by what was keyed." in second.text
    assert "It would have gone to the step menu, but enough was asked in this call." in second.text
    for page in (first, second):
        assert "All steps of this call" in page.text
        assert page.html.index('href="/calls/2"') < page.html.index('href="/calls/3"')
    assert "All steps of this call" not in (await browser.get("/calls/1")).text


async def test_a_dialogue_of_which_only_one_step_is_left(browser: Browser) -> None:
    browser.operated.answer(dialogue()[1])
    assert "All steps of this call" not in (await browser.get("/calls/1")).text
