"""Sources, rules and settings, as they are shown."""

import time
from typing import Any

import pytest

from proxy.model import Asked
from proxy.web.console.configured import in_toml, in_words, tables
from proxy.web.console.words import WORDS
from proxy.web.operated import RuleShown, Shown
from tests.operated import SECTIONS, WRITTEN, answered
from tests.unit.web.console.browsing import Browser


async def test_sources(browser: Browser) -> None:
    browser.operated.answer(answered())
    browser.operated.figures.count_source(Asked("crm", "failed", 0.6, "HTTP 503"), browser.operated.now() - 130)
    text = (await browser.get("/sources")).text
    assert "crm is asked closed Answers since the start found 1 failed 1" in text
    assert "adapter rest role looks numbers up timeout 0.6 attempts 2 concurrency 100" in text
    assert "Last error : HTTP 503 · 2 min ago" in text.replace("error:", "error :")
    assert "role adds fields to a contact" in text


async def test_a_source_that_is_not_in_the_configuration_any_more(browser: Browser) -> None:
    browser.operated.shown_now = Shown("config.toml", {})
    text = (await browser.get("/sources")).text
    assert "crm is asked closed Answers since the start none yet" in text
    assert "adapter" not in text


async def test_rules(browser: Browser) -> None:
    browser.operated.answer(answered())
    text = (await browser.get("/rules")).text
    for told in (
        'gold matched: 1 caller known callers tier is "gold" or "platinum" balance is below 10000 → queue/201',
        "own agent matched: 0 caller known callers owner is not empty time during office → user/{extension}",
        "It can never match: the rule before it matches them all",
        "Line export from abroad matched: 0 caller known callers or unknown callers country of the number DE or AT",
        "Notes of tanima check the table branches is used by no rule",
    ):
        assert told in text


async def test_a_rule_for_all_has_the_matches_of_lines_that_have_none_of_their_own(browser: Browser) -> None:
    rules = [RuleShown("", "gold", {}, "queue/201", heirs=("shop", "export"))]
    browser.operated.shown_now = Shown("config.toml", {}, rules=rules)
    browser.operated.figures.rules.update({("", "gold"): 1, ("shop", "gold"): 2, ("other", "gold"): 4})
    assert "gold matched: 3 caller" in (await browser.get("/rules")).text
    assert rules[0].counted == [("", "gold"), ("shop", "gold"), ("export", "gold")]


async def test_without_rules(browser: Browser) -> None:
    browser.operated.shown_now = Shown("config.toml", {})
    text = (await browser.get("/rules")).text
    assert "There are no rules: every known caller goes to switch.default." in text
    assert "Notes" not in text


@pytest.mark.parametrize(
    ("conditions", "english", "turkish"),
    [
        ({"when": {"tier": "gold"}}, ("tier", 'is "gold"'), ("tier", '"gold"')),
        (
            {"when": {"age": {"above": 1, "at_most": 9}}},
            ("age", "is above 1 and is at most 9"),
            ("age", "1 üstünde ve en çok 9"),
        ),
        ({"when": {"age": {"at_least": 2}}}, ("age", "is at least 2"), ("age", "en az 2")),
        ({"when": {"x": {"present": False}}}, ("x", "is empty"), ("x", "boş")),
        ({"when": {"x": {"not": ["a", "b"]}}}, ("x", 'not: is "a" or "b"'), ("x", 'şu değil: "a" veya "b"')),
        ({"when": {"x": {"matches": "a+"}}}, ("x", 'matches "a+"'), ("x", '"a+" kalıbına uyan')),
        ({"when": {"x": {"equals_ignoring_case": "a"}}}, ("x", 'is "a", ignoring case'), None),
        ({"when": {"x": {"odd": 1}}}, ("x", "odd"), None),
        ({"called": ["0850 532 12 34"]}, ("dialled number", "0850 532 12 34"), None),
        (
            {"outside": ["office", "lunch"]},
            ("time", "outside office or lunch"),
            ("zaman", "office veya lunch saatleri dışında"),
        ),
        (
            {"caller": {"kind": "odd", "type": ["voip", "odd"]}},
            ("type of the number", "internet telephony number or odd"),
            None,
        ),
    ],
)
def test_conditions_in_words(
    conditions: dict[str, Any], english: tuple[str, str], turkish: tuple[str, str] | None
) -> None:
    assert list(in_words(conditions, WORDS["en"]))[-1] == english
    if turkish:
        assert list(in_words(conditions, WORDS["tr"]))[-1] == turkish


async def test_configuration(browser: Browser) -> None:
    page = await browser.get("/configuration")
    assert "/etc/tanima/config.toml" in page.text
    assert 'default "queue/200"' in page.text
    assert "deadline 1.5 left out" in page.text
    assert "not set: service_url" in page.text
    assert "[switch.access]" in page.text
    assert "[sources.options]" in page.text
    assert 'tokens ["***"]' in page.text


def test_tables_of_a_toml() -> None:
    sections = {**SECTIONS, "lookup": True, "hours": {}}
    headings = [table.heading for table in tables(sections, WRITTEN)]
    assert headings == [
        "[switch]",
        "[switch.access]",
        "[cache]",
        "[[sources]]",
        "[sources.options]",
        "[[sources]]",
        "[sources.options]",
        "[[rules]]",
        "",
        "[hours]",
    ]
    options = next(table for table in tables(sections, WRITTEN) if table.heading == "[sources.options]")
    settings = {setting.key: (setting.value, setting.is_written) for setting in options.settings}
    assert settings["query"] == ('{ phone = "{e164}", limit = "5" }', True)
    rule = next(table for table in tables(sections, WRITTEN) if table.heading == "[[rules]]")
    assert [(setting.key, setting.is_written) for setting in rule.settings] == [
        ("name", True),
        ("when", True),
        ("target", True),
    ]
    switch = next(tables(sections, WRITTEN))
    assert switch.unset == ["service_url"]


def test_a_thousand_rules_are_shown_at_once() -> None:
    rules = [{"name": f"{n}", "when": {"tier": f"{n}"}, "target": "queue/201"} for n in range(1000)]
    written = frozenset(f"rules.{n}.{key}" for n in range(1000) for key in ("name", "when.tier", "target"))
    began = time.process_time()
    shown = list(tables({"rules": rules}, written))
    assert time.process_time() - began < 0.5
    assert len(shown) == 1000
    assert all(setting.is_written for table in shown for setting in table.settings)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (1.5, "1.5"),
        ({}, "{}"),
        ({"a": 1, "b": None}, "{ a = 1 }"),
        (["a", 2], '["a", 2]'),
        (list(range(22)), f"[{', '.join(map(str, range(20)))}, … 22]"),
        ([{"name": "x", "numbers": ["0532 111 22 33"]}], '[{ name = "x", numbers = ["•••• ••• •• 33"] }]'),
        ({"numbers": "phones[].number"}, '{ numbers = "phones[].number" }'),
        ('say "a\\b"', '"say \\"a\\\\b\\""'),
        ("a\nb", '"""\na\nb\n"""'),
    ],
)
def test_values_as_in_a_toml(value: object, text: str) -> None:
    assert in_toml(value) == text
