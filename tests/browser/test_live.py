"""What an operator sees on the page of a real server when its CRM dies, without touching anything."""

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from proxy.testing import HttpCrm
from proxy.testing.behaviours import answers
from tests.e2e.people import EXPECTED, PEOPLE, answer_of_the_crm, head, rest_options, source
from tests.e2e.running import Serving, call
from tests.servers import free_port, until_open

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_crm_that_dies_is_seen_within_seconds_and_so_is_that_it_is_back(page: Page, tmp_path: Path) -> None:
    port, gold = free_port(), PEOPLE[0].number
    limits = "timeout = 10\nattempts = 1\nbreaker_failures = 3\nbreaker_pause = 0.5"
    file = tmp_path / "config.toml"
    async with HttpCrm(answer_of_the_crm) as crm:
        admin = f'\n[admin]\nlisten = "127.0.0.1:{port}"\n'
        file.write_text(head(more=admin) + source("rest", rest_options(crm.url), limits), encoding="utf-8")
        arguments = ["serve", "--config", str(file), "--listen", "127.0.0.1:0"]
        with Serving(arguments, tmp_path / "log") as serving:
            assert (await call(serving, gold)).said == EXPECTED[gold]
            await asyncio.to_thread(until_open, port)
            await page.goto(f"http://127.0.0.1:{port}/")
            headline = page.locator("#headline")
            await expect(headline).to_have_text(re.compile("All sources answer"))
            crm.behaviour = answers(503)
            for index in range(4):
                await call(serving, f"0533 555 01 {index:02}")
            await expect(headline).to_have_text(re.compile("crm (is|was) left alone"))
            await expect(headline).to_contain_text("the CRM is out of service (503)")
            await expect(page.locator("#moving")).to_contain_text("CRM failed")
            crm.behaviour = None
            for index in range(20):
                await call(serving, f"0533 555 02 {index:02}")
                await page.wait_for_timeout(100)
            await expect(headline).not_to_have_text(re.compile("crm (is|was) left alone"))
            await page.get_by_role("link", name="Test a number").click()
            await page.get_by_label("Number of the caller").fill(gold)
            await page.get_by_role("button", name="Test", exact=True).click()
            await expect(page.locator("#result")).to_contain_text("queue/201")
            await expect(page.locator("#result")).to_contain_text("Örnek Şahıs Bir")
