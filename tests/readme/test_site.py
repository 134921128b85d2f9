"""The site: it is built without a complaint, loads nothing from elsewhere, and shows everything as it is meant."""

import logging
import re
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

from tests.readme.pages import ROOT, anchor, blocks, headings, read

CONFIG = ROOT / "docs" / "site" / "mkdocs.yml"
PAGES = {path.stem: f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
OUTSIDE = {"readme": "README.md", "readme.tr": "README.tr.md", "changelog": "CHANGELOG.md"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it as `make docs` does: a link or an anchor that leads nowhere is an error."""
    folder = tmp_path_factory.mktemp("site")
    config = load_config(str(CONFIG), site_dir=str(folder))
    assert config.strict
    told: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("mkdocs").addHandler(handler)
    try:
        build(config)
    finally:
        logging.getLogger("mkdocs").removeHandler(handler)
        assert told == []
    return folder


def html(site: Path, name: str) -> str:
    return (site / f"{name}.html").read_text(encoding="utf-8").partition('role="main"')[2]


def test_every_page_is_there_and_so_are_those_beside_the_folder(site: Path) -> None:
    assert {path.stem for path in site.glob("*.html")} == {*PAGES, *OUTSIDE, "404"}
    assert (site / "config.example.toml").read_text(encoding="utf-8") == read("config.example.toml")


def test_nothing_that_nobody_should_read_is_there(site: Path) -> None:
    there = {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}
    assert {name for name in there if name.startswith(("site/", "deploy/secrets"))} == {"site/extra.css"}
    assert {"deploy/Dockerfile", "deploy/compose.yaml", "monitoring/alerts.yml"} <= there


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)="([^"]*)"', page)
        assert loaded
        assert [url for url in loaded if re.match(r"(?:[a-z]+:)?//", url)] == [], path.name
    for path in site.rglob("*.css"):
        urls = re.findall(r"url\(['\"]?([^)'\"]+)|@import", path.read_text(encoding="utf-8"))
        assert [url for url in urls if re.match(r"(?:https?:)?//", url)] == [], path.name


def test_every_heading_has_the_anchor_that_it_has_on_a_code_host(site: Path) -> None:
    for name, page in (PAGES | OUTSIDE).items():
        ids = re.findall(r'<h[1-6] id="([^"]+)"', html(site, name))
        wanted = [anchor(heading) for heading in headings(read(page)) if anchor(heading)]
        assert [re.sub(r"_\d+$", "", each) for each in ids][: len(wanted)] == wanted, page


def test_every_block_and_every_table_is_shown_as_one(site: Path) -> None:
    for name, page in (PAGES | OUTSIDE).items():
        shown = html(site, name)
        assert shown.count("<pre>") == len(blocks(read(page))), page
        text = re.sub(r"<(pre|code)\b.*?</\1>", "", shown, flags=re.DOTALL)
        assert not re.search(r"```|\]\(|\*\*|^\|", text, re.MULTILINE), page
        assert not re.search(r"<p>[^<]*\n(?:[*-]|\d+\.) ", text), page
        assert "\\|" not in "".join(re.findall(r"<td>.*?</td>", shown)), page


def test_links_between_pages_are_links_within_the_site(site: Path) -> None:
    for name in PAGES | OUTSIDE:
        paths = [path for path in re.findall(r'href="([^"#]+)[^"]*"', html(site, name)) if "//" not in path]
        assert [path for path in paths if not (site / path).is_file()] == [], name
