"""The cookbook: each recipe is a good configuration, and calls get what its table says."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from proxy.cli.ask import explain_call
from proxy.config import Configuration, load
from proxy.config.routes import RuleSettings
from proxy.keys import CustomerNumber
from proxy.rules.comparison import OPERATORS
from proxy.rules.situation import Standing
from tests.readme.pages import blocks, headings, read, sections, spans, tables

PAGE = read("docs/rules.md")
SECTIONS = sections(PAGE)
BASE = next(block.text for block in blocks(PAGE) if block.mark == "file: base.toml")
RECIPES = headings(PAGE, "##")[2:]
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONDAY = datetime(2026, 11, 23, tzinfo=ZoneInfo("Europe/Istanbul"))
NUMBERS = {each["name"]: each["numbers"][0] for each in tomllib.loads(BASE)["sources"][0]["options"]["contacts"]}


def recipe(heading: str) -> str:
    (found,) = [block.text for block in blocks(SECTIONS[heading]) if block.language == "toml"]
    return found


def calls(heading: str) -> list[dict[str, str]]:
    ((head, *body),) = tables(SECTIONS[heading])
    return [dict(zip(head, row, strict=True)) for row in body]


def ringing(when: str) -> datetime:
    day, _, clock = (when or "Mon 14:00").partition(" ")
    date = (MONDAY + timedelta(days=DAYS.index(day))).date() if day in DAYS else day
    return datetime.fromisoformat(f"{date}T{clock}").replace(tzinfo=MONDAY.tzinfo)


def values(node: Any) -> Iterator[str]:
    for each in node.values() if isinstance(node, Mapping) else ():
        yield from values(each) if isinstance(each, Mapping) else [str(each)]


async def explained(configuration: Configuration, call: Mapping[str, str]) -> Any:
    who = NUMBERS.get(call["who calls"]) or spans(call["who calls"])[0]
    dialled, keyed = ("".join(spans(call.get(column, ""))) for column in ("dials", "keys"))
    key = CustomerNumber(keyed) if keyed else None
    found = await explain_call(configuration, who, dialled or None, ringing(call.get("when", "")), key)
    return json.loads(found.as_json())


@pytest.mark.parametrize("heading", RECIPES)
async def test_calls_get_what_the_table_says(heading: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"{BASE}\n{recipe(heading)}", encoding="utf-8")
    configuration = load(file)
    assert calls(heading)
    for call in calls(heading):
        told = await explained(configuration, call)
        place, *said = spans(call["gets"])
        assert place in {told["decision"]["target"], told["decision"]["step"]}, (call, told["rules"])
        assert set(said) <= {*values(told["answers"]["santral-programlama"])}, call


@pytest.mark.parametrize("heading", RECIPES)
def test_every_rule_of_a_recipe_decides_a_call_of_its_table(heading: str) -> None:
    written = tomllib.loads(recipe(heading))
    rules = [*written.get("rules", []), *(rule for line in written.get("lines", []) for rule in line.get("rules", []))]
    got = [place for call in calls(heading) for place in spans(call["gets"])]
    for rule in rules:
        target = rule["target"]
        assert any(place == target or ("{" in target and place.startswith(target.partition("{")[0])) for place in got)


def test_every_condition_is_shown_somewhere() -> None:
    shown = {key for heading in RECIPES for rule in tomllib.loads(recipe(heading)).get("rules", []) for key in rule}
    assert {"when", "called", "caller", "during", "outside", "ask", "target", "greeting", "language"} <= shown
    assert shown <= set(RuleSettings.model_fields)
    assert len([operator for operator in OPERATORS if f"{operator} =" in PAGE]) >= 5
    assert [kind for kind in Standing if f"`{kind}`" not in PAGE and f'"{kind}"' not in PAGE] == ["several", "internal"]


def test_there_is_a_recipe_for_what_companies_want() -> None:
    assert len(RECIPES) >= 15
