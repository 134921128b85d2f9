"""What dialogues, lines and languages demand of other settings."""

from typing import Any

import pytest

from proxy.config.crosscheck import crosscheck

STEP = {"phrase": "Tuşlayın.", "keep": "order"}
NO_LANGUAGES = "which is not in tables - allowed: extensions"


def told(**sections: Any) -> list[str]:
    tree = {
        "switch": {"default": "queue/200"},
        "tables": {"extensions": {}},
        "sources": [{"name": "crm"}],
        "steps": {"order": STEP, "menu": {"choose": {"1": "order", "2": "queue/1", "3": "fax"}, "then": "menu"}},
        **sections,
    }
    return crosscheck(tree)


def rule(**settings: Any) -> list[Any]:
    return [{"name": "gold", "target": "queue/1", **settings}]


def line(**settings: Any) -> list[Any]:
    return [{"name": "export", "called": "1001", **settings}]


@pytest.mark.parametrize(
    ("sections", "problems"),
    [
        ({}, []),
        ({"rules": rule(ask="order")}, []),
        ({"rules": rule(ask="nr")}, ["rules.gold.ask: names 'nr', which is not in steps - allowed: order, menu"]),
        ({"rules": rule(language="{a | extensions}")}, []),
        ({"rules": rule(language="{a | b}")}, [f"rules.gold.language: names 'b', {NO_LANGUAGES}"]),
        ({"rules": rule(language="Deutsch")}, []),
        ({"rules": rule(language=5)}, []),
        ({"routing": {"language": "{a | b}"}}, [f"routing.language: names 'b', {NO_LANGUAGES}"]),
        ({"routing": 5}, []),
        ({"lines": line(routing={"language": "{a|b}"})}, [f"lines.export.routing.language: names 'b', {NO_LANGUAGES}"]),
        ({"steps": {"order": {**STEP, "language": "{a|b}"}}}, [f"steps.order.language: names 'b', {NO_LANGUAGES}"]),
        ({"steps": 5}, []),
        ({"steps": {"order": 5}}, []),
        ({"steps": {"order": {**STEP, "choose": 5, "then": 5}}}, []),
        ({"steps": {"order": {**STEP, "then": "Queue", "keep": ["y"]}}}, []),
        ({"steps": {"order": {**STEP, "keep": {}}}, "rules": rule(caller={"kind": "unknown"})}, []),
        ({"switch": {"default": "queue/200", "parameter": ["cli"]}}, []),
        (
            {"steps": {"order": {**STEP, "then": "menu", "otherwise": "external/09001234567"}}},
            [
                "steps.order.otherwise: leads to a premium number - allowed: other phone numbers",
                "steps.order.then: names 'menu', which is not in steps - allowed: order",
            ],
        ),
        ({"steps": {"order": {**STEP, "choose": {"default": "tts/tr-TR/Merhaba"}}}}, []),
        (
            {"steps": {"no": {"look_up": "customer_number"}}},
            ["steps.no.look_up: is customer_number, by which no source is asked - allowed: a source with it"],
        ),
        ({"steps": {"no": {"look_up": "phone_number"}}}, []),
        (
            {"steps": {"no": {"look_up": "phone_number"}}, "sources": [{"name": "crm", "by": ["customer_number"]}]},
            ["steps.no.look_up: is phone_number, by which no source is asked - allowed: a source with it"],
        ),
        (
            {
                "steps": {"no": {"look_up": "customer_number"}},
                "sources": [{"name": "crm"}, {"name": "other", "role": "enrich", "by": "customer_number"}],
            },
            [
                "sources.other.by: has no effect in a source that enriches - allowed: none there",
                "steps.no.look_up: is customer_number, by which no source is asked - allowed: a source with it",
            ],
        ),
        ({"steps": {"no": {"look_up": "x"}}}, []),
    ],
)
def test_steps_and_languages_lead_somewhere(sections: dict[str, Any], problems: list[str]) -> None:
    assert told(**sections) == problems


LOOKS = 'which only known callers have - allowed: caller.kind = "known" alone, or what a step keeps'


@pytest.mark.parametrize(
    ("settings", "problems"),
    [
        ({"when": {"tier": "gold"}}, []),
        ({"when": {"tier": "gold"}, "caller": {"kind": ["known"]}}, []),
        ({"when": {"tier": "gold"}, "caller": 5}, []),
        ({"ask": "Foo Bar"}, []),
        ({"when": 5, "caller": {"kind": "unknown"}}, []),
        ({"target": 5, "caller": {"kind": "unknown"}}, []),
        ({"target": "user/{", "caller": {"kind": "unknown"}}, []),
        ({"when": {"order": "1"}, "target": "user/{order}", "caller": {"kind": "unknown"}}, []),
        ({"when": {"tier": "gold"}, "caller": {"kind": "unknown"}}, [f"rules.gold: looks at 'tier', {LOOKS}"]),
        ({"target": "user/{tier}", "caller": {"kind": "anyone"}}, [f"rules.gold: looks at 'tier', {LOOKS}"]),
        ({"when": {"tier": "x"}, "caller": {"kind": ["known", "unknown"]}}, [f"rules.gold: looks at 'tier', {LOOKS}"]),
    ],
)
def test_rules_for_callers_without_a_contact_look_at_what_was_keyed(
    settings: dict[str, Any], problems: list[str]
) -> None:
    assert told(rules=rule(**settings)) == problems


@pytest.mark.parametrize(
    ("lines", "problems"),
    [
        (5, []),
        ([5], []),
        (line(), []),
        (line(called=5), []),
        (line(called=["1001", "1002"]), []),
        (line(called=["x", ""]), ["x", ""]),
        (line(called=["1001", "1001"]), ["lines.export.called: has a number of lines.export - allowed: each once"]),
        (line(rules=rule() * 2), ["lines.export.rules.gold: stands 2 times - allowed: each name once"]),
        (line(default="tts/tr-TR/a"), ["lines.export.default: is a tts/ target, which auto cannot always say"]),
    ],
)
def test_a_line_has_numbers_that_no_other_line_has(lines: Any, problems: list[str]) -> None:
    found = told(lines=lines)
    if problems == ["x", ""]:
        problems = [
            f"lines.export.called: {number!r} cannot be dialled - allowed: phone numbers and extensions"
            for number in problems
        ]
    assert [each.partition(" - allowed: any")[0] for each in found] == problems


def test_two_lines_with_one_number_are_told_of() -> None:
    lines: list[dict[str, Any]] = [
        {"name": "export", "called": "0850 532 12 34"},
        {"name": "press", "called": ["+90 850 532 12 34"]},
    ]
    assert told(lines=lines) == ["lines.press.called: has a number of lines.export - allowed: each once"]
    lines[1]["name"] = "export"
    assert "lines.export: stands 2 times - allowed: each name once" in told(lines=lines)


@pytest.mark.parametrize(
    ("switch", "has_problem"),
    [
        ({"parameter": "cli"}, True),
        ({"parameter": "step", "dialect": "auto"}, True),
        ({"parameter": "cli", "dialect": "musteri-tanima"}, False),
        ({"parameter": "numara"}, False),
    ],
)
def test_the_parameter_of_one_form_is_none_of_the_other(switch: dict[str, str], *, has_problem: bool) -> None:
    found = told(switch={"default": "queue/200", **switch})
    assert [each.partition(":")[0] for each in found] == ["switch.parameter"] * has_problem


@pytest.mark.parametrize(
    ("dialect", "places"),
    [
        ("auto", ["switch.default"]),
        ("musteri-tanima", ["switch.default", "routing.unknown", "rules.gold.target"]),
        ("santral-programlama", []),
    ],
)
def test_what_a_dialect_cannot_say_is_refused_where_it_must_be_said(dialect: str, places: list[str]) -> None:
    speech = "tts/tr-TR/Merhaba"
    switch = {"default": speech, "dialect": dialect}
    found = told(switch=switch, routing={"unknown": speech}, rules=rule(target=speech))
    assert [each.partition(":")[0] for each in found] == places
