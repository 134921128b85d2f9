"""What the two READMEs show is run, and what they list is complete."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.rest import RestAdapter
from adapters.sql import SqlAdapter
from adapters.static import StaticAdapter
from proxy.config.settings import CallerSettings, RuleSettings
from proxy.demo import TRIALS
from proxy.rules.comparison import OPERATORS
from proxy.rules.situation import Standing
from proxy.target import NUMBERED

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.tr.md")
COMMANDS = ("serve", "check", "route", "sources", "demo")

_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_DURATIONS = re.compile(r" *[0-9]+\.[0-9]+ ?m?s\b")


@dataclass(frozen=True)
class Block:
    """A fenced block, with what the comment before it says is to be done with it."""

    mark: str
    text: str


@pytest.fixture(params=READMES)
def readme(request: pytest.FixtureRequest) -> str:
    return (ROOT / str(request.param)).read_text(encoding="utf-8")


def blocks(readme: str) -> list[Block]:
    return [Block(match["mark"] or "", match["text"]) for match in _BLOCK.finditer(readme)]


def commands(console: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with the output that is shown below it."""
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def run(command: str, folder: Path) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "80"}
    environment.pop("CI", None)
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return done.stdout


def test_every_command_shown_prints_what_is_shown(readme: str, tmp_path: Path) -> None:
    shown = 0
    for block in blocks(readme):
        if block.mark.startswith("file: "):
            (tmp_path / block.mark.removeprefix("file: ")).write_text(block.text, encoding="utf-8")
        if block.mark == "run":
            for command, output in commands(block.text):
                shown += 1
                assert _DURATIONS.sub(" N", run(command, tmp_path)) == _DURATIONS.sub(
                    " N", output.rstrip("\n") + "\n"
                ), command
    assert shown >= 4


def test_the_adapter_to_copy_passes_the_contract(readme: str, tmp_path: Path) -> None:
    for block in blocks(readme):
        if block.mark.startswith("file: "):
            (tmp_path / block.mark.removeprefix("file: ")).write_text(block.text, encoding="utf-8")
    printed = run(f"{sys.executable} -m pytest -q -p no:cacheprovider test_phonebook.py", tmp_path)
    assert re.search(r"^\d\d+ passed in", printed, re.MULTILINE), printed
    assert "skipped" not in printed


def test_the_adapter_to_copy_is_short(readme: str) -> None:
    adapter = next(block.text for block in blocks(readme) if block.mark == "file: phonebook.py")
    assert len([line for line in adapter.splitlines() if line.strip()]) <= 35


def test_the_first_screen_shows_an_answer_of_the_demo(readme: str) -> None:
    command, answer = next(commands(next(block.text for block in blocks(readme) if "curl" in block.text)))
    number, expected, _ = TRIALS[0]
    assert command == f"curl 'http://127.0.0.1:8080/musteri.json?telefon={number}'"
    assert answer.strip() == expected
    assert "make run" in readme.partition("## ")[0]
    assert "make test" in readme.partition("## ")[0]


def test_everything_that_can_be_written_in_a_toml_is_listed(readme: str) -> None:
    wanted = {*OPERATORS, *Standing, *NUMBERED, *CallerSettings.model_fields, *RuleSettings.model_fields} - {"name"}
    for adapter in (StaticAdapter, SqlAdapter, RestAdapter):
        wanted |= set(adapter.Config.model_fields)
    assert [word for word in sorted(wanted) if word not in readme] == []


def test_every_command_line_command_is_listed(readme: str) -> None:
    assert [command for command in COMMANDS if f"`tanima {command}" not in readme] == []
    assert re.search(r"\{([a-z,]+)\}|COMMAND", run("tanima --help", ROOT))


def test_links_within_the_repository_lead_somewhere(readme: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (ROOT / target).exists(), target


def test_both_languages_show_the_same_blocks() -> None:
    english, turkish = ([b for b in blocks((ROOT / name).read_text(encoding="utf-8")) if b.mark] for name in READMES)
    assert english == turkish
