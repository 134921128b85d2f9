"""What the two READMEs show is run, and what they list is complete."""

import inspect
import re
import sys
from pathlib import Path

import pytest

from adapters.rest import RestAdapter
from adapters.sql import SqlAdapter
from adapters.static import StaticAdapter
from proxy.config.routes import CallerSettings, RuleSettings
from proxy.config.settings import AccessSettings, AdminSettings, SourceSettings
from proxy.demo import TRIALS
from proxy.model import Reason, Via
from proxy.rules.comparison import OPERATORS
from proxy.rules.situation import Standing
from proxy.target import NUMBERED
from proxy.testing import faults
from proxy.testing.tcp_link import Fault
from tests.readme.pages import ROOT, blocks, commands, read, run, shown_and_printed, spans, tables, write_files

READMES = ("README.md", "README.tr.md")


@pytest.fixture(params=READMES)
def readme(request: pytest.FixtureRequest) -> str:
    return read(request.param)


def test_every_command_shown_prints_what_is_shown(tmp_path: Path) -> None:
    readme = read(READMES[0])  # the other one shows the same blocks
    write_files(readme, tmp_path)
    ran = list(shown_and_printed(readme, tmp_path))
    assert len(ran) >= 4
    for command, shown, printed in ran:
        assert printed == shown, command


def test_the_adapter_to_copy_passes_the_contract(tmp_path: Path) -> None:
    readme = read(READMES[0])
    write_files(readme, tmp_path)
    printed = run(f"{sys.executable} -m pytest -q -p no:cacheprovider test_phonebook.py", tmp_path)
    assert re.search(r"^\d\d+ passed in", printed, re.MULTILINE), printed
    assert "skipped" not in printed


def test_the_faults_that_an_adapter_can_be_tried_with_are_listed(readme: str) -> None:
    there = {name for name, thing in vars(faults).items() if isinstance(thing, Fault)}
    there |= {name for name, thing in vars(faults).items() if name[0] != "_" and inspect.isfunction(thing)}
    assert len(there) == 8
    assert there <= {span.partition("(")[0] for span in spans(readme)}


def test_the_adapter_to_copy_is_short(readme: str) -> None:
    adapter = next(block.text for block in blocks(readme) if block.mark == "file: phonebook.py")
    assert len([line for line in adapter.splitlines() if line.strip()]) <= 35


@pytest.mark.parametrize("page", [*READMES, "docs/sql.md"])
def test_each_statement_returns_all_numbers_that_it_looks_for(page: str) -> None:
    told = "".join(block.text for block in blocks(read(page)))
    statements = [each for each in re.split(r"\bSELECT\b", told) if "{caller_in(" in each]
    assert statements
    for statement in statements:
        (looked_for,) = re.findall(r"\{caller_in\((.*)\)\}", statement)
        assert len(re.findall(r" AS number\d*\b", statement)) == len(looked_for.split(", ")), statement


def test_the_first_screen_shows_an_answer_of_the_demo(readme: str) -> None:
    command, answer = next(commands(next(block.text for block in blocks(readme) if "curl" in block.text)))
    number, expected, _ = TRIALS[0]
    assert command == f"curl 'http://127.0.0.1:8080/musteri.json?telefon={number}'"
    assert answer.strip() == expected
    assert "make run" in readme.partition("## ")[0]
    assert "make test" in readme.partition("## ")[0]


def test_everything_that_can_be_written_in_a_toml_is_listed(readme: str) -> None:
    wanted = {*OPERATORS, *Standing, *NUMBERED, *CallerSettings.model_fields, *RuleSettings.model_fields} - {"name"}
    for section in (SourceSettings, AccessSettings, AdminSettings):
        wanted |= set(section.model_fields) - {"token"}
    for adapter in (StaticAdapter, SqlAdapter, RestAdapter):
        wanted |= set(adapter.Config.model_fields)
    assert [word for word in sorted(wanted) if word not in readme] == []


def test_every_command_line_command_is_listed(readme: str) -> None:
    told = re.findall(r"^ +(\w+)  +\w", run("tanima --help", ROOT).partition("COMMAND\n")[2], re.MULTILINE)
    assert {"serve", "init", "route"} < set(told)
    assert [command for command in told if f"`tanima {command}" not in readme] == []


def test_every_limit_of_a_source_is_told_with_what_it_is_when_it_is_left_out(readme: str) -> None:
    options = next(
        body for head, *body in tables(readme) if head[0] in {"option", "seçenek"} and "`name`" in body[0][0]
    )
    told = {name: text.replace("0,", "0.") for names, text in options for name in spans(names)}
    assert set(told) == set(SourceSettings.model_fields) - {"wait_initial", "wait_max", "wait_jitter", "options"}
    for name in ("timeout", "attempts", "concurrency", "breaker_failures", "breaker_pause", "retry_budget"):
        default = SourceSettings.model_fields[name].default
        assert re.search(rf"\({default}\b", told[name]), name


def test_every_reason_and_every_via_is_told(readme: str) -> None:
    for word, values in (("reason", Reason), ("via", Via)):
        body = next(body for head, *body in tables(readme) if head[0] == f"`{word}`")
        assert {span for row in body for span in spans(row[0])} == set(values)


def test_every_place_of_a_token_is_told(readme: str) -> None:
    told = set(spans(readme))
    assert told >= {"/TOKEN/musteri.json", "token=TOKEN", "X-Token: TOKEN", "Authorization: Bearer TOKEN"}
    assert "Authorization: Basic" in told


def test_every_module_is_told_of_under_development(readme: str) -> None:
    told = {span for _, *body in tables(readme) for row in body for span in spans(row[0]) if span.startswith("proxy/")}
    assert [path for path in told if not (ROOT / path).exists()] == []
    folders = {path for path in told if path.endswith("/")}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "proxy").rglob("*.py") if path.name != "__init__.py"}
    assert [path for path in sorted(modules - told) if not path.startswith(tuple(folders))] == []


def test_both_languages_have_the_same_tables_and_headings() -> None:
    english, turkish = ([[spans(row[0]) for row in body] for _, *body in tables(read(name))] for name in READMES)
    assert english == turkish


def test_both_languages_show_the_same_blocks() -> None:
    english, turkish = ([b for b in blocks(read(name)) if b.mark] for name in READMES)
    assert english == turkish
