"""The operator's manual, and the deployments that its examples are about."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.e2e.running import Serving
from tests.readme.pages import ROOT, blocks, commands, read, run, sections, tables
from tests.unit.test_journal import answered

PAGE = read("docs/operation.md")
SECTIONS = sections(PAGE)

REST = """
[routing]
unknown = "queue/202"
[[rules]]
name = "gold"
when = { tier = "gold" }
target = "queue/201"
[[sources]]
name = "list"
adapter = "static"
[sources.options]
contacts = [{ numbers = ["0530 123 45 67"], name = "Ahmet Yılmaz", fields = { tier = "gold" } }]
[switch]
default = "queue/200"
"""
"""What the fragments of the page lack"""


def tomls(heading: str) -> list[str]:
    return [block.text for block in blocks(SECTIONS[heading]) if block.language == "toml"]


def marked(mark: str) -> str:
    return next(block.text for block in blocks(PAGE) if block.mark == mark)


def rows(heading: str) -> list[list[str]]:
    return [row for _, *body in tables(SECTIONS[heading]) for row in body]


def shown(mark: str, folder: Path, port: int, **environment: str) -> Iterator[tuple[str, str, str]]:
    """Run each command below a mark against a server at a port, and yield it with what is shown and printed."""
    for command, output in commands(marked(mark)):
        there = command.replace("127.0.0.1:8080", f"127.0.0.1:{port}")
        yield command, output.strip(), run(there, folder, **environment).strip()


def secret_files(node: Any) -> Iterator[str]:
    for key, value in node.items() if isinstance(node, dict) else ():
        if key.endswith("_file"):
            yield value
        yield from secret_files(value)


def deployed(folder: Path, *fragments: str) -> Path:
    """Write a configuration out of fragments of the page, with its secret files as the page has them made."""
    text = "\n".join(fragments) + REST
    makers = {name: command for command, name in re.findall(r"(openssl rand -hex \d+ > ([\w.]+); chmod 600 \2)", PAGE)}
    for name in secret_files(tomllib.loads(text)):
        run(makers.get(name, makers["snapshot.key"].replace("snapshot.key", name)), folder)
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    return file


def serving(file: Path) -> Serving:
    log = file.parent / f"{len([*file.parent.glob('*.log')])}.log"
    return Serving(["serve", "--config", str(file), "--listen", "127.0.0.1:0"], log)


def written_events() -> dict[str, tuple[str, set[str]]]:
    """Return each event that is logged, with its level and its fields, out of the source."""
    tree = ast.parse((ROOT / "proxy" / "logs" / "__init__.py").read_text(encoding="utf-8"))
    found: dict[str, tuple[str, set[str]]] = {}
    for function in [node for node in tree.body if isinstance(node, ast.FunctionDef)]:
        texts: dict[str, list[str]] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                branches = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else []
                texts[node.targets[0].id] = [str(each.value) for each in branches if isinstance(each, ast.Constant)]
        for node in ast.walk(function):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level), args=[first], keywords=keys):
                    events = [first.value] if isinstance(first, ast.Constant) else texts[ast.unparse(first)]
                    fields = {str(key.arg) for key in keys if key.arg is not None}
                    if len(fields) < len(keys):  # what a call tells of itself
                        fields |= answered().told().keys()
                    if "exc_info" in fields:
                        fields = fields - {"exc_info"} | {"exception", "traceback"}
                    found |= {str(event): (level, fields) for event in events}
    return found
