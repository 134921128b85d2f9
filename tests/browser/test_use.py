"""What an operator does with the pages."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import TOKEN, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_now_moves_by_itself(page: Page, site: Site) -> None:
    await page.goto(site.url)
    newest = page.locator("#moving tbody th a[href^='/calls/']").first
    before = int(str(await newest.get_attribute("href")).rpartition("/")[2])
    await site.ring()
    await expect(newest).to_have_attribute("href", f"/calls/{before + 1}")
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator("#pulse-word")).to_have_text("Paused")
    await site.ring()
    await page.wait_for_timeout(2_500)
    await expect(newest).to_have_attribute("href", f"/calls/{before + 1}")
    await page.route("**/now", lambda route: route.abort())
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator("#pulse-word")).to_have_text(
        re.compile(r"The server does not answer since \d\d:\d\d:\d\d")
    )
    await page.unroute("**/now")
    await expect(newest).to_have_attribute("href", f"/calls/{before + 2}")
    await expect(page.locator("#pulse-word")).to_have_text("Live")
    await expect(page.get_by_role("status")).to_be_empty()  # nothing that is worth being read out


async def test_calls_are_filtered_and_one_is_opened(page: Page, site: Site) -> None:
    await page.goto(f"{site.url}/calls")
    rows = page.locator("tbody tr")
    await expect(rows).to_have_count(100)
    await page.get_by_role("link", name="Older").click()
    await expect(page).to_have_url(re.compile("before="))
    await page.get_by_role("link", name="Latest").click()
    await page.get_by_label("Reason").select_option("crm_failed")
    await expect(page).to_have_url(re.compile("reason=crm_failed"))
    await page.wait_for_load_state()
    reasons = await page.locator("tbody td[data-label='Reason']").all_inner_texts()
    assert reasons
    assert {reason.strip() for reason in reasons} == {"CRM failed"}
    await rows.first.get_by_role("link").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"Call \d+"))
    await expect(page.get_by_text("Why nobody could tell:")).to_be_visible()
    bar = await page.locator(".stretch.bad rect").first.bounding_box()
    deadline = await page.locator(".stretch.bad line.deadline").bounding_box()
    assert bar is not None
    assert deadline is not None
    assert bar["width"] > 100
    assert bar["x"] + bar["width"] < deadline["x"]


async def test_a_number_is_tested(page: Page, site: Site) -> None:
    await page.goto(f"{site.url}/test")
    await expect(page.get_by_label("Number of the caller")).to_be_focused()
    await page.keyboard.type("nobody")
    await page.keyboard.press("Enter")
    field = page.get_by_label("Number of the caller")
    await expect(field).to_have_attribute("aria-invalid", "true")
    await expect(field).to_have_value("nobody")
    await field.fill("0530 123 45 67")
    await page.get_by_role("button", name="Test").click()
    result = page.locator("#result")
    await expect(result.locator(".verdict .target")).to_have_text("queue/201")
    await expect(result.get_by_text("right now a call gets user/1003")).to_be_visible()
    await expect(result.get_by_text("crm", exact=True).first).to_be_visible()
    assert page.url == f"{site.url}/test"
    await result.get_by_role("button", name="Ask the CRM before the next answer").click()
    await expect(page.get_by_role("status")).to_contain_text("The CRM is asked about this number")


async def test_a_number_is_erased_after_asking(page: Page, site: Site) -> None:
    await page.goto(f"{site.url}/cache")
    await page.get_by_label("Number", exact=True).fill("0530 555 00 01")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=2).first).to_have_text("+90 530 555 00 01")
    await page.get_by_role("button", name="Erase …").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Are you sure?")
    await page.get_by_role("link", name="Leave it").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Cache")
    await page.get_by_label("Number", exact=True).fill("0530 555 00 01")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Erase …").click()
    await page.get_by_role("button", name="Erase", exact=True).click()
    await expect(page.get_by_role("status")).to_contain_text("the journal has nothing of it any more")


async def test_logging_in_and_out(page: Page, site: Site) -> None:
    await page.goto(f"{site.guarded_url}/rules")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    await page.get_by_label("Token of the operator").fill("made-up-but-wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("This is not the token.")
    await page.get_by_label("Token of the operator").fill(TOKEN)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Rules")
    await page.goto(site.guarded_url)
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    await page.goto(site.guarded_url)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


async def test_now_leads_to_the_door_when_the_session_is_over(page: Page, site: Site) -> None:
    await page.goto(f"{site.guarded_url}/login?next=/")
    await page.get_by_label("Token of the operator").fill(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.locator("#headline")).to_be_visible()
    await page.context.clear_cookies()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


async def test_all_can_be_reached_by_keyboard(page: Page, site: Site) -> None:
    await page.goto(site.url)
    focused = page.locator(":focus")
    await page.keyboard.press("Tab")
    await expect(focused).to_have_text("Skip to the content")
    await expect(focused).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(focused).to_have_text("Pause")
    outline = await focused.evaluate("each => getComputedStyle(each).outlineStyle")
    assert outline == "solid"
    await page.goto(site.url)
    order = []
    for _ in range(9):
        await page.keyboard.press("Tab")
        order.append((await focused.inner_text()).strip())
    assert order == [
        "Skip to the content",
        "tanıma",
        "Now",
        "Calls",
        "Test a number",
        "Sources",
        "Rules",
        "Cache",
        "Configuration",
    ]


async def test_who_reads_is_not_disturbed(page: Page, site: Site) -> None:
    await page.goto(site.url)
    link = page.get_by_role("link", name="All calls that are kept")
    await link.focus()
    await site.ring()
    await page.wait_for_timeout(2_500)
    await expect(link).to_be_focused()
