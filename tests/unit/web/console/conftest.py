"""Consoles, and browsers before them."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from proxy.web.console import Console
from tests.operated import SampleOperated
from tests.unit.fakes import Bugs
from tests.unit.web.console.browsing import TOKEN, Browser, server_of

Open = Callable[..., Awaitable[Browser]]


@pytest.fixture
def operated() -> SampleOperated:
    return SampleOperated()


@pytest.fixture
def open_browser(aiohttp_client: Any, operated: SampleOperated, bugs: Bugs) -> Open:
    async def opened(token: str | None = None) -> Browser:
        console = Console(operated, token, bugs)
        return Browser(console, operated, await aiohttp_client(server_of(console)))

    return opened


@pytest.fixture
async def browser(open_browser: Open) -> Browser:
    """Return a browser on the machine itself, where nobody has to log in."""
    return await open_browser()


@pytest.fixture
async def guarded(open_browser: Open) -> Browser:
    """Return a browser that has to log in."""
    return await open_browser(TOKEN)
