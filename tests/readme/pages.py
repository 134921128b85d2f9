"""What stands in the README and in the reference: headings, blocks, links, and words between backticks."""

import os
import re
import shlex
import subprocess
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from proxy.cli.main import main
from tests.e2e.running import QUICK_START

ROOT = Path(__file__).resolve().parents[2]

_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_LINK = re.compile(r"\]\(([^)]+)\)")
_DURATIONS = re.compile(r" *[0-9]+\.[0-9]+ ?m?s\b| \([0-9]+ ms\)")
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


@dataclass(frozen=True)
class Block:
    """A fenced block, with what the comment before it says is to be done with it."""

    mark: str
    text: str
    language: str = ""


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    return [Block(match["mark"] or "", match["text"], match["language"]) for match in _BLOCK.finditer(page)]


def prose(page: str) -> str:
    """Return what stands outside fenced blocks."""
    return _BLOCK.sub("", page)


def spans(page: str) -> list[str]:
    """Return what stands between backticks, in the text and in tables."""
    return [span.strip() if ticks != "`" else span for ticks, span in _SPAN.findall(prose(page))]


def tables(page: str) -> Iterator[list[list[str]]]:
    """Yield each table as rows of cells, the head first. A `|` that stands between backticks is none of the table's."""
    for table in re.findall(r"(?:^\|.*\|\n)+", prose(page), re.MULTILINE):
        masked = [_SPAN.sub(lambda span: span[0].replace("|", "\0"), line) for line in table.splitlines()]
        rows = [[cell.strip().replace("\0", "|") for cell in line.split("|")[1:-1]] for line in masked]
        yield [rows[0], *rows[2:]]


def headings(page: str, levels: str = "######") -> list[str]:
    return [heading for marks, heading in _HEADING.findall(prose(page)) if marks in levels]


def sections(page: str) -> Mapping[str, str]:
    """Return what stands below each heading, up to the next."""
    hidden = _BLOCK.sub(lambda block: block[0].replace("#", "\0"), page)
    _, *parts = _HEADING.split(hidden)
    return {heading: text.replace("\0", "#") for heading, text in zip(parts[1::3], parts[2::3], strict=True)}


def anchor(heading: str) -> str:
    """Return by what a heading is linked to, as GitHub makes it."""
    kept = (c for c in heading.lower() if c.isalnum() or c in "-_ " or unicodedata.category(c).startswith("M"))
    return "".join(kept).replace(" ", "-")


def links(page: str) -> list[str]:
    return _LINK.findall(prose(page))


def write_files(page: str, folder: Path) -> None:
    """Write the blocks that are files, as the comments before them say."""
    for block in blocks(page):
        if block.mark.startswith("file: "):
            file = folder / block.mark.removeprefix("file: ")
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.text, encoding="utf-8")


def shown_and_printed(page: str, folder: Path, **environment: str) -> Iterator[tuple[str, str, str]]:
    """Run each command that is shown, and yield it with the output that is shown and the one that it prints."""
    for block in blocks(page):
        for command, output in commands(block.text) if block.mark == "run" else ():
            yield command, same_each_time(output), same_each_time(run(command, folder, **environment))


def same_each_time(output: str) -> str:
    """Return what a command prints without the times that it took, and without the ids that it made up."""
    return _UUID.sub("U", _DURATIONS.sub(" N", output))


def printed_here(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run `tanima ...` without a process of its own, which must end well, and return what it prints."""
    program, *arguments = shlex.split(command)
    assert program == "tanima"
    assert main(arguments) == 0, capsys.readouterr()
    return same_each_time(capsys.readouterr().out)


def commands(console: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with the output that is shown below it."""
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def run(command: str, folder: Path, **others: str) -> str:
    """Run a command as in a terminal, and return what it prints."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, **QUICK_START, "PATH": path, "COLUMNS": "80"}
    environment.pop("CI", None)
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment | others,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout
