"""The page about dialogues: its deployment is run, and its tables are complete and true."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from proxy.config import load
from proxy.config.dialogue import MOST_QUESTIONS, DialogueSettings, StepSettings
from proxy.config.routes import LineSettings, MannerSettings, RoutingSettings
from proxy.config.settings import SwitchSettings
from proxy.dialects.musteri_tanima import MusteriTanima
from proxy.dialects.santral_programlama import SantralProgramlama
from proxy.dialogue.memory import CALLS, KEPT_FOR
from proxy.model import Outcome
from proxy.rules.manner import LONGEST_VALUE
from proxy.target import LANGUAGES, LONGEST_PHRASE
from tests.readme.pages import blocks, headings, links, read, sections, shown_and_printed, spans, tables, write_files

PAGE = read("docs/dialogue.md")
SECTIONS = sections(PAGE)


def rows(heading: str) -> Iterator[list[str]]:
    for _, *body in tables(SECTIONS[heading]):
        yield from body


def told(heading: str) -> dict[str, str]:
    return {name: row[1] for row in rows(heading) for name in spans(row[0])}


def default(model: type[BaseModel], name: str) -> Any:
    return model.model_fields[name].get_default()


def test_the_example_is_good_and_its_call_goes_as_it_is_shown(tmp_path: Path) -> None:
    write_files(PAGE, tmp_path)
    ran = list(shown_and_printed(PAGE, tmp_path))
    assert len(ran) == 2
    for command, shown, printed in ran:
        assert printed == shown, command


def test_every_setting_of_a_step_is_told_with_what_it_is_when_it_is_left_out() -> None:
    steps = told("Steps")
    assert {name for name in steps if "." not in name} == set(StepSettings.model_fields)
    assert steps["retries"] == str(default(StepSettings, "retries"))
    assert steps["attempts"] == str(default(StepSettings, "attempts"))
    dialogue = {name.removeprefix("dialogue.") for name in steps if name.startswith("dialogue.")}
    assert dialogue == set(DialogueSettings.model_fields)
    for name in dialogue:
        assert steps[f"dialogue.{name}"] == f"{default(DialogueSettings, name):g}"
    assert "switch.service_url" in steps
    assert f"{MOST_QUESTIONS} or less" in PAGE


def test_everything_that_may_come_of_a_question_is_told() -> None:
    assert set(told("What an answer leads to")) == set(Outcome)


def test_every_setting_of_how_a_call_is_put_through_is_told() -> None:
    manner = told("How a call is put through")
    assert set(manner) == set(MannerSettings.model_fields)
    assert manner["greeting"] == f"`{default(RoutingSettings, 'greeting').template}`"
    assert manner["language"] == f"`{LANGUAGES[0]}`"


def test_every_setting_of_a_line_is_told() -> None:
    assert set(told("Lines")) == set(LineSettings.model_fields)


def test_both_dialects_are_told_by_their_names() -> None:
    names = set(spans(SECTIONS["Both forms on one URL"]))
    assert {MusteriTanima().name, SantralProgramlama().name} <= names
    assert default(SwitchSettings, "dialect") == "auto"


@pytest.mark.parametrize(
    ("sentence", "figure"),
    [
        (r"The ([\d,]+) calls that asked last are remembered", CALLS),
        (r"for (\d+) minutes after their last question", KEPT_FOR / 60),
        (r"a text that the switch speaks \((\d+) characters\)", LONGEST_PHRASE),
        (r"longer than (\d+) characters or a placeholder", LONGEST_VALUE),
    ],
)
def test_a_figure_is_the_one_in_the_code(sentence: str, figure: float) -> None:
    found = re.search(sentence, " ".join(PAGE.split()))
    assert found is not None
    assert float(found[1].replace(",", "")) == figure


def test_the_line_that_is_shown_can_be_used(tmp_path: Path) -> None:
    example = next(block.text for block in blocks(PAGE) if block.mark == "file: dialogue.toml")
    line = next(block.text for block in blocks(SECTIONS["Lines"]) if block.language == "toml")
    file = tmp_path / "config.toml"
    file.write_text(f"{example}\n{line}", encoding="utf-8")
    (export,) = load(file).settings.lines
    assert export.name == "export"
    assert [rule.name for rule in export.rules or ()] == ["own agent abroad"]
    assert tomllib.loads(line)["lines"][0]["called"] == export.called


def test_the_contents_are_the_headings() -> None:
    contents = links(PAGE.partition("## ")[0])
    assert len(contents) == len(headings(PAGE, "##")) - 1
