"""One browser for all tests, and a console for it to look at."""

import importlib.util
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from proxy.web.admin import AdminListener
from tests.conftest import leave_out
from tests.operated import SampleOperated, answered, half_an_hour
from tests.unit.web.listening import ListenerServer

TOKEN = "made-up-token-of-the-operator"

PATIENCE = 30_000
"""Milliseconds until a test gives up on a page"""

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class Site:
    """A server to look at: one console that has no token, and one that has."""

    url: str
    guarded_url: str
    ring: Callable[[], Awaitable[None]]
    """Let a call be answered"""


@dataclass
class Seen:
    """What went wrong, or somewhere else, while pages were looked at."""

    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def watch(self, page: Page) -> None:
        page.on("console", lambda message: self._told(message.type, message.text))
        page.on("pageerror", lambda error: self._told("error", str(error)))
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))

    def _told(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Start a browser."""
    expect.set_options(timeout=PATIENCE)
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        leave_out("no chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site() -> AsyncIterator[Site]:
    """Serve consoles over half an hour of calls."""
    operated = SampleOperated()
    half_an_hour(operated)
    operated.figures.of("crm").error_at -= 100  # so that nothing gets better while a test looks on

    async def ring() -> None:
        operated.answer(answered())

    servers = [serving(operated, None), serving(operated, TOKEN)]
    for server in servers:
        await server.start_server()
    url, guarded_url = (str(server.make_url("/")).rstrip("/") for server in servers)
    yield Site(url, guarded_url, ring)
    for server in servers:
        await server.close()


def serving(operated: SampleOperated, token: str | None) -> ListenerServer:
    return ListenerServer(AdminListener(operated, token, None, bug))


def bug(where: str, exc: BaseException) -> NoReturn:
    raise AssertionError(f"a bug in {where}") from exc


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser) -> AsyncIterator[Page]:
    """Open a page of an English browser on a desk."""
    context = await opened(chromium)
    page = await context.new_page()
    yield page
    await context.close()


async def opened(chromium: Browser, **wishes: Any) -> BrowserContext:
    """Return a browser without cookies."""
    wishes = {"viewport": {"width": 1200, "height": 800}, "locale": "en-GB"} | wishes
    context = await chromium.new_context(**wishes)
    context.set_default_timeout(PATIENCE)
    return context


def axe() -> str:
    """Return the program that finds what is in the way of people who do not see, or hear, or use a mouse."""
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        leave_out("no axe-playwright-python")
    return (Path(found.origin).parent / "axe.min.js").read_text("utf-8")


async def violations(page: Page) -> list[str]:
    """Return what is seriously in somebody's way on a page."""
    await page.evaluate(axe())
    found = await page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:150]} {node['failureSummary']}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


async def overhang(page: Page) -> int:
    """Return by how many pixels a page is wider than its window."""
    return int(await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
