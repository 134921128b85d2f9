"""Every page, as people with all kinds of screens and eyes get it."""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import Seen, Site, opened, overhang, violations

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES = ("/", "/calls", "/test", "/sources", "/rules", "/cache", "/configuration")

PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize(
    ("wishes", "language", "is_examined"),
    [
        ({"color_scheme": "light", "locale": "en-GB"}, "en", True),
        ({"color_scheme": "dark", "locale": "tr-TR", "viewport": PHONE}, "tr", True),
        ({"color_scheme": "dark", "locale": "en-GB", "viewport": {"width": 800, "height": 600}}, "en", False),
        ({"color_scheme": "light", "locale": "tr-TR", "viewport": PHONE}, "tr", False),
    ],
)
async def test_every_page(
    chromium: Browser, site: Site, wishes: Mapping[str, Any], language: str, is_examined: object
) -> None:
    context, seen = await opened(chromium, **wishes), Seen()
    page = await context.new_page()
    seen.watch(page)
    await page.goto(f"{site.url}/calls")
    call = await page.locator("tbody th a").first.get_attribute("href")
    for path in (*PAGES, str(call)):
        await page.goto(site.url + path)
        assert await page.locator("html").get_attribute("lang") == language
        assert await overhang(page) == 0, path
        await expect(page.locator("h1")).to_have_count(1)
        headings = await page.locator("h1, h2, h3, h4").evaluate_all("found => found.map(each => +each.tagName[1])")
        steps = [below - above for above, below in pairwise(headings)]
        assert max(steps, default=0) <= 1, f"{path} leaves out a heading: {headings}"
        if is_examined:
            assert await violations(page) == [], path
    assert seen.complaints == []
    assert seen.hosts == {site.url.removeprefix("http://")}
    await context.close()


async def test_the_results_of_forms(chromium: Browser, site: Site) -> None:
    """Are as good as the pages that are only opened."""
    context, seen = await opened(chromium, viewport=PHONE), Seen()
    page = await context.new_page()
    seen.watch(page)
    await page.goto(f"{site.url}/test")
    await page.get_by_label("Number of the caller").fill("0530 123 45 67")
    await page.get_by_role("button", name="Test").click()
    await expect(page.locator("#result")).to_be_visible()
    assert await overhang(page) == 0
    assert await violations(page) == []
    await page.goto(f"{site.url}/cache")
    await page.get_by_label("Number", exact=True).fill("0530 123 45 67")
    await page.get_by_role("button", name="Look it up").click()
    await expect(page.get_by_role("heading", level=2).first).to_have_text("+90 530 123 45 67")
    await page.wait_for_load_state()
    assert await overhang(page) == 0
    assert await violations(page) == []
    await page.get_by_role("button", name="Erase …").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Are you sure?")
    await page.wait_for_load_state()
    assert await overhang(page) == 0
    assert await violations(page) == []
    await page.goto(f"{site.guarded_url}/login")
    assert await overhang(page) == 0
    assert await violations(page) == []
    assert seen.complaints == []
    await context.close()


async def test_a_language_is_chosen_and_stays(chromium: Browser, site: Site) -> None:
    context = await opened(chromium)
    page = await context.new_page()
    await page.goto(f"{site.url}/calls?reason=rule")
    await page.get_by_role("link", name="Türkçe").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Çağrılar")
    assert "reason=rule" in page.url
    await page.get_by_role("link", name="Kurallar").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Kurallar")
    await context.close()


async def test_without_scripts(chromium: Browser, site: Site) -> None:
    context = await opened(chromium, java_script_enabled=False)
    page = await context.new_page()
    await page.goto(site.url)
    await expect(page.locator("#headline")).to_be_visible()
    await expect(page.get_by_role("link", name="Reload")).to_be_visible()
    await expect(page.locator("#pause")).to_be_hidden()
    await page.goto(f"{site.url}/calls")
    await page.get_by_label("Reason").select_option("crm_failed")
    await page.get_by_role("button", name="Filter").click()
    await expect(page).to_have_url(re.compile(r"reason=crm_failed"))
    await context.close()
