"""A number is tested."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime

import pytest

from proxy.actions import Transfer
from proxy.keys import CustomerNumber
from proxy.model import Via
from proxy.target import Target
from proxy.web.console.way import action_in_words
from proxy.web.console.words import WORDS
from proxy.web.operated import Cached, Question
from tests.operated import AHMET, NUMBER, PLAIN, answered, dialogue
from tests.unit.web.console.browsing import Browser

SPELLED = "0530 123 45 67"
NO_TIME = "This is no time. Allowed: such as 2026-12-31T09:00, from 1970 to 2199."


async def test_what_would_become_of_a_call(browser: Browser) -> None:
    browser.operated.answer(answered())
    assert "autofocus" in (await browser.get("/test")).html
    page = await browser.post("/test", {"number": SPELLED})
    assert page.status == 200
    assert "autofocus" not in page.html
    for told in (
        "The cache had nothing of this number.",
        "queue/201 The rule “gold” matched.",
        "+90 530 123 45 67 · mobile number · TR",
        "The sources were asked for this test, whatever the cache had.",
        "crm found 187 ms",
        'musteri-tanima { "name": "Ahmet Yılmaz", "target": "queue/201" }',
        "Last calls from this number",
    ):
        assert told in page.text
    assert 'value="0530 123 45 67"' in page.html
    assert browser.operated.questions == [Question(SPELLED)]


async def test_all_that_can_be_said_of_a_call(browser: Browser) -> None:
    fields = {"number": SPELLED, "called": "0850 532 12 34", "at": "2026-12-31T09:00", "key": "0012345", "renew": "yes"}
    page = await browser.post("/test", fields)
    at = datetime(2026, 12, 31, 9, 0).astimezone()
    assert browser.operated.questions == [
        Question(SPELLED, "0850 532 12 34", at, CustomerNumber("0012345"), renew=True)
    ]
    assert "Dialled: +90 850 532 1234" in page.text
    assert "It has this one now." not in page.text, "the cache of numbers has nothing of what was keyed"
    for value in ("0850 532 12 34", "2026-12-31T09:00", "0012345"):
        assert f'value="{value}"' in page.html
    assert 'value="yes" checked' in page.html


async def test_the_cache_has_the_answer_when_it_was_to(browser: Browser) -> None:
    page = await browser.post("/test", {"number": SPELLED, "renew": "yes"})
    assert "The cache had nothing of this number. It has this one now." in page.text


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"number": "abc<b>"}, "“abc<b>” is no number that can be read: it has other characters"),
        ({"number": "1" * 70}, "longer than 64 characters"),
        ({"number": "1003", "called": "x"}, "“x” is no number that can be read"),
        ({"number": "1003", "at": "yesterday"}, NO_TIME),
        ({"number": "1003", "at": "0001-01-01T00:00"}, NO_TIME),
        ({"number": "1003", "at": "9999-12-31T23:59"}, NO_TIME),
        ({"number": "1003", "key": "12a"}, "This is no customer number. Allowed: 1 to 20 digits."),
    ],
)
async def test_what_cannot_be_read(browser: Browser, fields: dict[str, str], problem: str) -> None:
    page = await browser.post("/test", fields)
    assert page.status == 422
    assert problem in page.text
    assert "Nothing was tested" in page.text
    assert page.html.count('aria-invalid="true"') == 1
    assert browser.operated.questions == []


async def test_the_cache_has_the_same(browser: Browser) -> None:
    browser.operated.in_cache[NUMBER] = Cached(AHMET, ambiguous=False, fresh_for=200.0, stale_for=9000.0)
    text = (await browser.post("/test", {"number": SPELLED})).text
    assert "A call gets the same right now, out of the cache." in text
    assert "The cache had an answer that was fresh for 3 min more." in text
    assert "Ask the CRM before the next answer" not in text


async def test_the_cache_has_something_else(browser: Browser) -> None:
    browser.operated.in_cache[NUMBER] = Cached(PLAIN, ambiguous=False, fresh_for=200.0, stale_for=9000.0)
    page = await browser.post("/test", {"number": SPELLED})
    assert "The cache has an older answer: right now a call gets user/1003, until the CRM is asked again." in page.text
    assert "Ask the CRM before the next answer" in page.text


async def test_the_cache_would_have_the_caller_asked(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    browser.operated.in_cache[NUMBER] = Cached(PLAIN, ambiguous=False, fresh_for=200.0, stale_for=9000.0)
    tested = await browser.operated.test(Question(SPELLED))
    assert tested.from_cache is not None
    asks = replace(tested.from_cache, decision=dialogue()[0].decision)
    answer = asyncio.get_running_loop().create_future()
    answer.set_result(replace(tested, from_cache=asks))
    monkeypatch.setattr(browser.operated, "test", lambda _: answer)
    assert "right now a call gets a question, until" in (await browser.post("/test", {"number": SPELLED})).text


async def test_the_cache_has_something_stale(browser: Browser) -> None:
    browser.operated.in_cache[NUMBER] = Cached(PLAIN, ambiguous=False, fresh_for=-1.0, stale_for=9000.0)
    text = (await browser.post("/test", {"number": SPELLED})).text
    assert "The cache had a stale answer, good for 2 h more when the CRM fails." in text
    assert "right now a call gets" not in text


@pytest.mark.parametrize("bug", ["crm: KeyError", "crm: KeyError: 'Ahmet: 0530'"])
async def test_bugs_on_the_way_are_told_without_their_text(browser: Browser, bug: str) -> None:
    browser.operated.bugs = (bug,)
    text = (await browser.post("/test", {"number": SPELLED})).text
    assert "A bug: crm: KeyError Number" in " ".join(text.split())


async def test_what_the_switch_is_told_has_no_number_but_in_its_target(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested = await browser.operated.test(Question(SPELLED))
    target = Target.parse("external/02125551010")
    explanation = replace(tested.explanation, decision=replace(tested.explanation.decision, action=Transfer(target)))
    told = {"transfer": [{"target": str(target), "phrase": "Ahmet 0532\u00a0111\u00a022\u00a033", "step": 1}]}
    answers = {"santral-programlama": json.dumps(told)}
    answer = asyncio.get_running_loop().create_future()
    answer.set_result(replace(tested, explanation=explanation, answers=answers))
    monkeypatch.setattr(browser.operated, "test", lambda _: answer)
    text = (await browser.post("/test", {"number": SPELLED})).text
    assert f'"target": "{target}", "phrase": "Ahmet •••• ••• •• 33", "step": 1' in text


@pytest.mark.parametrize(("number", "told"), [("", "a withheld number"), ("1003", "extension 1003")])
async def test_callers_who_are_not_looked_up(browser: Browser, number: str, told: str) -> None:
    page = await browser.post("/test", {"number": number})
    assert told in page.text
    assert "The cache had nothing" not in page.text
    assert "Neither" not in page.text


def test_what_the_caller_hears() -> None:
    queue = Transfer(Target.parse("queue/200"))
    said = WORDS["en"]
    assert action_in_words(queue, said) == "no greeting"
    assert action_in_words(replace(queue, name="Ahmet Yılmaz"), said) == "a greeting for Ahmet Yılmaz"
    assert action_in_words(replace(queue, phrase="Hoş geldiniz."), said) == "“Hoş geldiniz.” (tr-TR)"


async def test_a_number_never_stands_in_an_address(browser: Browser) -> None:
    page = await browser.get("/test?number=05301234567")
    assert browser.operated.questions == []
    assert "05301234567" not in page.html.replace("/test?number=05301234567", "").replace("?number=05301234567", "")
    assert '<form method="post" action="/test"' in page.html
    assert Via.CRM.value not in page.text
