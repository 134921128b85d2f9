"""What the site needs to read pages that are written for a code host: links out of this folder, anchors, tables."""

import posixpath
import re
import unicodedata
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]

OUTSIDE = {
    "README.md": "readme.md",
    "README.tr.md": "readme.tr.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "license.txt",
    "config.example.toml": "config.example.toml",
}
"""Files beside this folder that pages link to, and what they are called on the site."""

_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<=\]\()([^)#:]+)(?=[)#])")
_ROW = re.compile(r"^\|.*\|$", re.MULTILINE)
_SPAN = re.compile(r"`[^`]+`")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make anchors as code hosts do."""
    config.mdx_configs["toc"] = {"slugify": slug, "permalink": False}
    return config


def slug(heading: str, separator: str) -> str:
    """Return by what a heading is linked to."""
    kept = (c for c in heading.lower() if c.isalnum() or c in "-_ " or unicodedata.category(c).startswith("M"))
    return "".join(kept).replace(" ", separator)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take up what lies beside this folder."""
    for name, called in OUTSIDE.items():
        files.append(File.generated(config, called, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:  # noqa: ANN401 - what else a hook is given
    """Lead links to where their files are on the site, and take bars between backticks as they are meant."""
    written = next((name for name, called in OUTSIDE.items() if called == page.file.src_uri), "")
    folder = posixpath.dirname(written or f"docs/{page.file.src_uri}")
    parts = _FENCED.split(markdown)
    parts[::2] = [_ROW.sub(_bars, _LINK.sub(lambda link: _led(link[0], folder), part)) for part in parts[::2]]
    return "".join(parts)


def _led(link: str, folder: str) -> str:
    """Return a link from the site's top folder, where all pages are."""
    path = posixpath.normpath(posixpath.join(folder, link))
    return OUTSIDE.get(path, path.removeprefix("docs/"))


def _bars(row: re.Match[str]) -> str:
    return _SPAN.sub(lambda span: span[0].replace("\\|", "|"), row[0])
