"""Makes the tables of docs/recipes.md out of the recipes themselves: `python docs/site/recipes.py --write`."""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from proxy.cli.init import WRITTEN_BY_US, recipes

PAGE = Path(__file__).resolve().parents[1] / "recipes.md"

EXTRAS = {"mssql": "`mssql`", "mariadb": "`mariadb`, or `mysql`"}
"""What is installed beside tanıma for a kind of database."""

_MADE = re.compile(r"(?<=<!-- made: )(\w+)( -->\n)(?:\|.*\n)*")


def page(written: str) -> str:
    """Return the page with the tables that the recipes make."""
    return _MADE.sub(lambda mark: mark[1] + mark[2] + "\n".join(_table(mark[1])) + "\n", written)


def _table(adapter: str) -> Iterator[str]:
    extra, line = (" extra |", "---|") if adapter == "sql" else ("", "")
    yield f"| recipe | for |{extra} secrets | its rules use |"
    yield f"|---|---|{line}---|---|"
    for name, file in recipes().items():
        text = file.read_text(encoding="utf-8")
        tree = tomllib.loads(text)
        if adapter not in {source["adapter"] for source in tree["sources"]}:
            continue
        kinds = {source["options"].get("kind", "") for source in tree["sources"]}
        extras = [", ".join(filter(None, map(EXTRAS.get, sorted(kinds)))) or "none"] if adapter == "sql" else []
        secrets = [*dict.fromkeys([*_secret_files(tree), *re.findall(r"^[^#\n]*\$\{(\w+)\}", text, re.MULTILINE)])]
        cells = [f"`{name}`", text.partition("\n")[0].removeprefix("# "), *extras, _spans(secrets), _spans(_used(tree))]
        yield f"| {' | '.join(cells)} |"


def _used(tree: Mapping[str, Any]) -> list[str]:
    """Return the fields that a recipe's rules ask about, or make a target of."""
    found: dict[str, None] = {}
    for rule in tree["rules"]:
        found |= dict.fromkeys([*rule.get("when", {}), *re.findall(r"\{(\w+)", rule.get("target", ""))])
    return [*found]


def _spans(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words) or "none"


def _secret_files(node: Any) -> Iterator[str]:  # noqa: ANN401 - any TOML value
    for key, value in node.items() if isinstance(node, Mapping) else enumerate(node if isinstance(node, list) else ()):
        if str(key).endswith("_file") and key != WRITTEN_BY_US and isinstance(value, str):
            yield value
        yield from _secret_files(value)


if __name__ == "__main__":
    made = page(PAGE.read_text(encoding="utf-8"))
    if "--write" in sys.argv:
        PAGE.write_text(made, encoding="utf-8")
    else:
        sys.stdout.write(made)
