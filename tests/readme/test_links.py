"""Links within the repository lead somewhere, and each page's contents are its headings."""

import pytest

from tests.readme.pages import ROOT, anchor, headings, links, read

PAGES = (
    "README.md",
    "README.tr.md",
    "CHANGELOG.md",
    "docs/adapters.md",
    "docs/configuration.md",
    "docs/console.md",
    "docs/deploy.md",
    "docs/dialogue.md",
    "docs/getting-started.md",
    "docs/index.md",
    "docs/monitoring.md",
    "docs/operation.md",
    "docs/probe.md",
    "docs/recipes.md",
    "docs/rest.md",
    "docs/rules.md",
    "docs/security.md",
    "docs/speed.md",
    "docs/sql.md",
    "docs/upgrade.md",
)


def test_every_page_is_among_these() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert {str(page.relative_to(ROOT)) for page in pages} == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
def test_links_within_the_repository_lead_to_a_file_and_to_a_heading(page: str) -> None:
    inside = [link for link in links(read(page)) if ":" not in link]
    for link in inside:
        path, _, wanted = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.is_file(), link
        if wanted:
            text = target.read_text(encoding="utf-8")
            assert wanted in map(anchor, headings(text)) or f'<a id="{wanted}"></a>' in text, link
    assert len(inside) > 5 or page == "CHANGELOG.md"


@pytest.mark.parametrize("page", [page for page in PAGES if page != "CHANGELOG.md"])
def test_the_contents_at_the_top_are_all_headings_in_their_order(page: str) -> None:
    chapters = [anchor(heading) for heading in headings(read(page)) if f"\n## {heading}\n" in read(page)]
    contents = read(page).partition("\n## ")[0]
    assert [link for link in links(contents) if link.startswith("#")] == [f"#{chapter}" for chapter in chapters]
    assert len(set(chapters)) == len(chapters)
