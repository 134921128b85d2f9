"""What one setting demands of another."""

from typing import Any

import pytest

from proxy.config.crosscheck import crosscheck
from proxy.config.values import TOKEN_PARAMETER
from proxy.web import access

GOOD = {
    "switch": {"default": "queue/200", "region": "TR"},
    "routing": {"unknown": "queue/202"},
    "tables": {"extensions": {"ayse": "1003"}, "branches": {}},
    "hours": {"office": {}, "night": {}},
    "rules": [
        {
            "name": "own",
            "target": "user/{owner | extensions}",
            "during": "office",
            "outside": ["night"],
            "called": ["1003", "05301234567"],
        },
        {"name": "out", "target": "external/05321234567"},
    ],
    "sources": [{"name": "crm"}, {"name": "agents", "role": "enrich"}],
}


def told(**sections: Any) -> list[str]:
    return crosscheck({**GOOD, **sections})


def test_a_good_tree_has_no_problem() -> None:
    assert told() == []


@pytest.mark.parametrize(
    "sections",
    [
        {"switch": 5},
        {"switch": {"default": 5, "region": 5}},
        {"rules": 5},
        {"rules": ["gold", {"target": "user/{"}, {"target": 5, "during": 5, "called": [5]}]},
        {"tables": "x", "rules": []},
        {"hours": [], "rules": []},
        {"sources": {}},
        {"sources": ["crm"]},
        {"sources": []},
        {"routing": []},
    ],
)
def test_what_is_reported_elsewhere_is_not_reported_twice(sections: dict[str, Any]) -> None:
    assert told(**sections) == []


def test_an_empty_tree_has_nothing_to_check() -> None:
    assert crosscheck({}) == []


def test_names_stand_once() -> None:
    assert told(
        sources=[{"name": "crm"}, {"name": "crm"}, {"name": "crm"}, {}], rules=[{"name": "a"}, {"name": "b"}]
    ) == ["sources.crm: stands 3 times - allowed: each name once"]


def test_somebody_has_to_find() -> None:
    assert told(sources=[{"role": "enrich"}, {"role": "enrich"}]) == [
        "sources: has only enriching sources - allowed: at least one that finds"
    ]


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        (
            "tts/tr-TR/Merhaba",
            "is a tts/ target, which musteri-tanima cannot always say - allowed: any other target",
        ),
        ("external/09001234567", "leads to a premium number - allowed: other phone numbers"),
        ("external/123", "leads to a number that "),
    ],
)
def test_a_target_that_the_grammar_allows_may_be_refused_wherever_it_stands(target: str, problem: str) -> None:
    dialect = {"dialect": "musteri-tanima"}
    (of_switch,) = told(switch={"default": target, **dialect})
    (of_routing,) = told(routing={"withheld": target}, switch=dialect)
    (of_rule,) = told(rules=[{"name": "x", "target": target}], switch=dialect)
    assert of_switch.startswith(f"switch.default: {problem}")
    assert of_routing.startswith(f"routing.withheld: {problem}")
    assert of_rule.startswith(f"rules.x.target: {problem}")


def test_a_text_can_be_spoken_wherever_the_switch_asks_in_the_dialect_that_has_it_or_a_rule_can_be_passed_over() -> (
    None
):
    text = "tts/tr-TR/Merhaba"
    elsewhere: dict[str, Any] = {"routing": {"withheld": text}, "rules": [{"name": "x", "target": text}]}
    assert told(switch={"default": text, "dialect": "santral-programlama"}, **elsewhere) == []
    for dialect in ({}, {"dialect": "auto"}):
        assert told(switch=dialect, **elsewhere) == []
        assert told(switch={"default": text, **dialect}) == [
            "switch.default: is a tts/ target, which auto cannot always say - allowed: any other target"
        ]


def test_numbers_are_read_in_the_switchs_region() -> None:
    rules = [{"name": "x", "called": "030 123456", "target": "external/030123456"}]
    assert told(switch={"region": "DE"}, rules=rules) == []
    assert len(told(rules=rules)) == 2


def test_names_must_lead_somewhere() -> None:
    rules = [{"name": "x", "during": ["office", "ofice"], "outside": "nite", "target": "user/{a | tab}"}]
    assert told(rules=rules) == [
        "rules.x.target: names 'tab', which is not in tables - allowed: extensions, branches",
        "rules.x.during: names 'ofice', which is not in hours - allowed: office, night",
        "rules.x.outside: names 'nite', which is not in hours - allowed: office, night",
    ]


def test_names_of_a_section_that_is_not_there_say_what_to_write() -> None:
    rules = [{"name": "x", "during": "office", "target": "queue/1"}]
    for hours in (None, 5):
        assert told(rules=rules, hours=hours) == [
            "rules.x.during: names 'office', which is not in hours - allowed: none, as there is no [hours.office]"
        ]


@pytest.mark.parametrize("number", ["santral", "", "anonymous", "0530123"])
def test_what_cannot_be_dialled_is_refused(number: str) -> None:
    (line,) = told(rules=[{"name": "x", "called": ["1003", number], "target": "queue/1"}])
    assert line == f"rules.x.called: {number!r} cannot be dialled - allowed: phone numbers and extensions"


A_TOKEN = ["0123456789abcdef"]


def test_the_number_and_the_token_are_looked_for_in_two_parameters() -> None:
    for tokens in (A_TOKEN, A_TOKEN[0]):
        assert told(switch={"default": "queue/200", "parameter": "token", "access": {"tokens": tokens}}) == [
            "switch.parameter: is where the token is looked for - allowed: another name, or no switch.access.tokens"
        ]
    assert told(switch={"parameter": "Token", "access": {"tokens": A_TOKEN}}) == []
    assert told(switch={"access": {"tokens": A_TOKEN}}) == []
    assert told(switch={"parameter": "token"}) == []
    withouts: tuple[object, ...] = (5, {}, {"tokens": []})
    for without in withouts:
        assert told(switch={"parameter": "token", "access": without}) == []


def test_the_parameter_is_the_one_that_is_looked_at() -> None:
    assert TOKEN_PARAMETER == access.TOKEN_PARAMETER


@pytest.mark.parametrize(
    ("of_switch", "of_admin"),
    [
        (None, "127.0.0.1:8080"),
        (None, "localhost:8080"),
        (None, "0.0.0.0:8080"),
        ("0.0.0.0:9090", "127.0.0.1:9090"),
        ("127.0.0.1:9090", "127.0.0.1:9090"),
        ("[::1]:9090", "[::]:9090"),
        ("switch.example.com:9090", "switch.example.com:9090"),
        ("switch.example.com:9090", "0.0.0.0:9090"),
    ],
)
def test_the_switch_and_the_operator_have_two_addresses(of_switch: str | None, of_admin: str) -> None:
    switch = {"listen": of_switch} if of_switch else {}
    assert told(switch=switch, admin={"listen": of_admin}) == [
        "admin.listen: is where the switch is answered (switch.listen) - allowed: another port"
    ]


@pytest.mark.parametrize(
    ("of_switch", "of_admin"),
    [
        (None, None),
        (None, "127.0.0.1:8081"),
        ("127.0.0.1:9090", None),
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.0.0.1:9090", "127.0.0.2:9090"),
        ("127.0.0.1:9090", "[::1]:9090"),
        ("127.0.0.1:9090", "[::]:9090"),
        ("8080", "127.0.0.1:8080"),
        (5, "127.0.0.1:8080"),
        ("127.0.0.1:8080", "8080"),
        ("127.0.0.1:8080", 5),
    ],
)
def test_two_addresses_are_two_and_what_is_none_is_told_elsewhere(of_switch: object, of_admin: object) -> None:
    switch = {"listen": of_switch} if of_switch else {}
    assert told(switch=switch, admin={"listen": of_admin} if of_admin else 5) == []
