"""The page about adapters: its example passes the contract, does what is shown, and its tables are complete."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from aiohttp import ClientSession

from proxy import adapter
from proxy.testing import HttpCrm, Request
from proxy.testing.under_test import ABILITIES
from tests.readme.pages import (
    blocks,
    commands,
    printed_here,
    read,
    run,
    same_each_time,
    sections,
    spans,
    tables,
    write_files,
)

PAGE = read("docs/adapters.md")
SECTIONS = sections(PAGE)


def module(name: str) -> ModuleType:
    """Return a file of the page as a module."""
    text = next(block.text for block in blocks(PAGE) if block.mark == f"file: {name}.py")
    made = ModuleType(name)
    exec(compile(text, f"docs/adapters.md: {name}.py", "exec"), vars(made))  # noqa: S102 - our own page
    return made


with pytest.MonkeyPatch.context() as patched:
    patched.setitem(sys.modules, "crm_export", module("crm_export"))
    under_test = module("test_crm_export")


class TestExport(under_test.TestExport):  # type: ignore[name-defined,misc]
    """The contract, as the page has it run."""


def test_every_command_shown_prints_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_files(PAGE, tmp_path)
    monkeypatch.chdir(tmp_path)
    shown = [each for block in blocks(PAGE) if block.mark == "run" for each in commands(block.text)]
    assert len(shown) == 2
    for command, output in shown:
        assert printed_here(command, capsys) == same_each_time(output), command


def test_tests_of_ones_own_stand_beside_those_of_the_contract(tmp_path: Path) -> None:
    write_files(read("README.md"), tmp_path)
    under_test = tmp_path / "test_phonebook.py"
    own = next(block.text for block in blocks(PAGE) if block.mark == "own tests")
    under_test.write_text(under_test.read_text(encoding="utf-8") + own, encoding="utf-8")
    printed = run(f"{sys.executable} -m pytest -q -p no:cacheprovider -k overloaded test_phonebook.py", tmp_path)
    assert re.search(r"^1 passed", printed, re.MULTILINE), printed


def answering(answer: object) -> HttpCrm:
    return HttpCrm(lambda _: answer)


async def test_an_answer_is_sent_as_it_is_told() -> None:
    asked, *returned = next(table[1:] for table in tables(SECTIONS["Its tests"]))
    there = {name for name in dir(Request) if not name.startswith("_")}
    assert {span.removesuffix("()") for span in spans(asked[1])} == there
    assert [spans(row[0]) for row in returned] == [["bytes"], ["None"], []]
    for answer, status, sent in (
        (b"<ad/>", 200, b"<ad/>"),
        (None, 404, b"null"),
        ({"ad": "Ali"}, 200, b'{"ad": "Ali"}'),
    ):
        async with answering(answer) as crm, ClientSession() as http, http.get(crm.url) as got:
            assert (got.status, await got.read()) == (status, sent)


def test_every_ability_is_told() -> None:
    ((_, *body),) = tables(SECTIONS["Abilities"])
    told = {span for row in body for span in spans(row[0])}
    protocols = [
        each
        for each in vars(adapter).values()
        if getattr(each, "_is_protocol", False) and each.__module__ == adapter.__name__
    ]
    there = {name for each in protocols for name in vars(each) if not name.startswith("_")}
    assert told == there >= set(ABILITIES)


def test_what_can_be_raised_is_told() -> None:
    told = " ".join(spans(SECTIONS["What to return, what to raise"]))
    assert issubclass(adapter.Unavailable, adapter.AdapterError)
    assert {"Unavailable", "AdapterError", "None", "Contact"} <= set(re.findall(r"\w+", told))
    assert adapter.Unavailable("x", retry_after=30).retry_after == int(re.findall(r"retry_after=(\d+)", told)[0])
