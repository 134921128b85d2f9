"""Every recipe for a REST CRM sends the documented requests, and reads the documented answers.

For each there is a file in the folder `rest`, with the requests and with cases: answers of each source, in the
order of its requests, and what becomes of the call. The recipe's EDIT lines stay as they are.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from proxy.cli.init import recipes
from proxy.cli.main import main

OPEN = "2026-11-23T14:00+03:00"
SECTIONS = ("what is asked", "CONFIRMED", "CHECK ON SITE", "that only reads", "limits", "traps")
KINDS = ("found", "not found", "several", "a neighbour", "throttled", "error")
"""Of cases; the name of a case begins with one"""

DOCUMENTED: Mapping[str, Mapping[str, Any]] = {
    file.stem: tomllib.loads(file.read_text(encoding="utf-8"))
    for file in sorted((Path(__file__).parent / "rest").glob("*.toml"))
}
CASES = [
    pytest.param(recipe, case, id=f"{recipe}: {case['name']}")
    for recipe, documented in DOCUMENTED.items()
    for case in documented["cases"]
]
each_recipe = pytest.mark.parametrize("recipe", DOCUMENTED)


def text_of(recipe: str) -> str:
    return recipes()[recipe].read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def written(recipe: str, folder: Path) -> Path:
    """Write the recipe by `tanima init`, and a made-up secret into each file that it names."""
    file = folder / "config.toml"
    assert main(["init", "--recipe", recipe, str(file)]) == 0
    for secret in re.findall(r'^\s*\w+_file\s*=\s*"([^"]+)"', text_of(recipe), re.MULTILINE):
        (folder / secret).write_text("made-up\n", encoding="ascii")
    for token in re.findall(r'^\s*token_file\s*=\s*"([^"]+)"', text_of(recipe), re.MULTILINE):
        (folder / token).unlink()
    return file


def test_every_rest_recipe_is_documented_here() -> None:
    names = {name for name in recipes() if 'adapter  = "rest"' in text_of(name) or 'adapter = "rest"' in text_of(name)}
    assert names == set(DOCUMENTED)


@each_recipe
def test_a_recipe_that_was_just_written_is_a_good_configuration(
    recipe: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(recipe, folder)
    assert file.read_text(encoding="utf-8") == text_of(recipe)
    capsys.readouterr()
    assert main(["check", "--config", str(file)]) == 0, capsys.readouterr().out


@each_recipe
def test_a_recipe_begins_with_what_it_is_for_and_what_is_sure(recipe: str) -> None:
    lines = text_of(recipe).splitlines()
    introduction = lines[: lines.index("[switch]")]
    assert len(lines[0].removeprefix("# ")) > 30
    assert all(line.startswith("#") or not line for line in introduction)
    headings = [match[1] for line in introduction if (match := re.fullmatch(r"# -{20,} (.+)", line))]
    assert [next((s for s in SECTIONS if heading.endswith(s)), heading) for heading in headings] == list(SECTIONS)
    assert [line for line in lines if len(line) > 140 or "\t" in line or line != line.rstrip()] == []


@each_recipe
def test_all_sources_together_are_done_before_the_switch_stops_waiting(recipe: str) -> None:
    tree = tomllib.loads(text_of(recipe))
    seconds = 0.0
    for source in tree["sources"]:
        goes_on = "steps" in source["options"] or "maps" in source["options"]
        seconds += source.get("timeout", 0.6) * (source.get("attempts", 2) + goes_on)
    assert seconds < tree["switch"].get("deadline", 1.5)


@each_recipe
def test_numbers_are_always_checked(recipe: str) -> None:
    for source in tomllib.loads(text_of(recipe))["sources"]:
        assert source.get("role") == "enrich" or "numbers" in source["options"]


@each_recipe
def test_the_documented_requests_are_sent(recipe: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(recipe, folder)
    capsys.readouterr()
    documented = DOCUMENTED[recipe]
    assert main(["route", documented["number"], "--config", str(file), "--dry-run"]) == 0
    _, _, requests = capsys.readouterr().out.partition("\n\n")
    assert requests.strip() == documented["requests"].strip()
    assert "made-up" not in requests


@each_recipe
def test_all_kinds_of_answers_are_documented(recipe: str) -> None:
    names = [case["name"] for case in DOCUMENTED[recipe]["cases"]]
    assert [kind for kind in KINDS if not any(name.startswith(kind) for name in names)] == []
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("recipe", "case"), CASES)
def test_a_documented_answer_is_read(
    recipe: str, case: Mapping[str, Any], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(recipe, folder)
    command = ["route", case.get("number", DOCUMENTED[recipe]["number"]), "--config", str(file), "--at", OPEN, "--json"]
    for source, answers in case["answers"].items():
        for place, answer in enumerate(answers):
            recording = folder / f"{source}-{place}"
            recording.write_text(answer.lstrip("\n"), encoding="utf-8")
            command += ["--replay", f"{source}={recording}"]
    capsys.readouterr()
    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["bugs"] == []
    notes = [asked["note"] or "" for asked in told["sources"] if asked["outcome"] in {"failed", "incomplete"}]
    assert case.get("incomplete", "") in " ".join(notes)
    assert (told["failure"] or "") == case.get("failure", "")
    assert told["decision"]["target"] == case["target"]
    contact = told["contact"] or {"fields": {}}
    expected = case.get("contact")
    assert (told["contact"] is None) is (expected is None)
    got = {"id": contact.get("id"), "name": contact.get("name"), **contact["fields"]}
    assert {name: got.get(name) for name in expected or {}} == (expected or {})
    if not case["name"].startswith(("error", "throttled")) and "incomplete" not in case:
        assert notes == []
