"""The reference of the rest adapter, and its examples made whole."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from adapters.rest import RestAdapter, RestConfig
from proxy.adapter import PhoneNumber
from proxy.phone import parse_caller
from tests.readme.pages import blocks, read, sections

PAGE = read("docs/rest.md")
SECTIONS = sections(PAGE)
STEPS, LOGIN = "Asking further: steps and maps", "A log-in of the CRM's own"

MISSING: Mapping[str, Mapping[str, Any]] = {
    "OAuth 2": {"url": "/crm/{e164}"},
    LOGIN: {"secrets": {"user": "ali", "password": "x"}},
}
"""The least that the block below a heading lacks, beside `url` and `name`"""


def number(text: str) -> PhoneNumber:
    caller = parse_caller(text, "TR")
    assert isinstance(caller, PhoneNumber)
    return caller


def words(text: str) -> str:
    return " ".join(text.split())


def toml(heading: str) -> dict[str, Any]:
    """Return the options in all blocks below a heading."""
    merged: dict[str, Any] = {}
    for block in blocks(SECTIONS[heading]):
        if block.language == "toml" and not block.mark:
            merged |= tomllib.loads(block.text)["sources"]["options"]
    return merged


def secret_files(node: Any) -> Iterator[str]:
    for key, value in node.items() if isinstance(node, dict) else enumerate(node if isinstance(node, list) else ()):
        if str(key).endswith("_file") and key != "token_file":
            yield value
        yield from secret_files(value)


def completed(heading: str, options: Mapping[str, Any], folder: Path) -> RestConfig:
    """Read options of the page, with the least that they lack."""
    for file in secret_files(options):
        (folder / file).write_text("x", encoding="ascii")
    given = {"url": "https://crm.example.com/{e164}", "name": "name", **MISSING.get(heading, {}), **options}
    return RestConfig.model_validate(given, context={"role": "find", "folder": str(folder)})


def searched(config: RestConfig, text: str) -> list[str]:
    return [each.request for each in RestAdapter(config).rehearse(number(text))]
