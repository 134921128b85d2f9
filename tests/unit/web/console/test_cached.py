"""The page about the cache."""

from dataclasses import dataclass

import pytest

from proxy.errors import ProxyError
from proxy.web.operated import Cached
from tests.operated import AHMET, NUMBER, answered
from tests.unit.web.console.browsing import Browser

TYPED = "0530 123 45 67"


@dataclass
class Full:
    """Texts that a page must tell of what is in the cache."""

    cached: Cached
    told: tuple[str, ...]


async def test_a_number_that_is_not_there(browser: Browser) -> None:
    page = await browser.post("/cache", {"action": "look_up", "number": TYPED})
    assert "+90 530 123 45 67 The cache has nothing of this number." in page.text
    assert "Erase …" in page.text
    assert "Ask the CRM before the next answer" not in page.text


@pytest.mark.parametrize(
    "full",
    [
        Full(
            Cached(AHMET, ambiguous=False, fresh_for=200.0, stale_for=9000.0),
            (
                "Fresh for 3 min more",
                "When the CRM fails, it answers for 2 h more.",
                "name Ahmet Yılmaz",
                "the caller's",
            ),
        ),
        Full(Cached(AHMET, ambiguous=False, fresh_for=-3.0, stale_for=9000.0), ("Stale: the CRM is asked",)),
        Full(
            Cached(None, ambiguous=False, fresh_for=30.0, stale_for=0.0),
            ("The CRM has said that it does not know this number.",),
        ),
        Full(Cached(None, ambiguous=True, fresh_for=30.0, stale_for=0.0), ("The CRM has several contacts",)),
    ],
)
async def test_a_number_that_is_there(browser: Browser, full: Full) -> None:
    browser.operated.in_cache[NUMBER] = full.cached
    text = (await browser.post("/cache", {"number": TYPED})).text
    assert all(told in text for told in full.told)
    assert ("it answers for" in text) == (full.cached.stale_for > 0)


@pytest.mark.parametrize("action", ["look_up", "invalidate", "ask_erase", "erase"])
async def test_what_is_no_number(browser: Browser, action: str) -> None:
    page = await browser.post("/cache", {"action": action, "number": "12ab"})
    assert page.status == 422
    assert "This is no phone number that can be read: it has other characters" in page.text
    assert browser.operated.erased == browser.operated.invalidated == []


async def test_erasing_is_asked_about_first(browser: Browser) -> None:
    browser.operated.answer(answered())
    browser.operated.in_cache[NUMBER] = Cached(AHMET, ambiguous=False, fresh_for=200.0, stale_for=9000.0)
    asked = await browser.post("/cache", {"action": "ask_erase", "number": TYPED})
    assert "All that is known about +90 530 123 45 67 is dropped:" in asked.text
    assert "from the snapshot" in asked.text
    assert "from the journal" in asked.text
    assert browser.operated.erased == []
    done = await browser.post("/cache", {"action": "erase", "number": TYPED})
    assert browser.operated.erased == [NUMBER]
    assert "The number is erased from the cache and the journal. The snapshot has been written without it." in done.text
    assert "530" not in done.text
    browser.operated.snapshot = False
    again = await browser.post("/cache", {"action": "erase", "number": TYPED})
    assert (
        "The cache had nothing of the number; the journal has nothing of it any more. There is no snapshot."
        in again.text
    )


async def test_a_snapshot_that_cannot_be_written_is_told(browser: Browser) -> None:
    browser.operated.error = ProxyError("cache.json: no space left")
    page = await browser.post("/cache", {"action": "erase", "number": TYPED})
    assert "the snapshot could not be written: cache.json: no space left" in page.text
    assert 'class="notice bad"' in page.html


async def test_one_number_is_asked_about_again(browser: Browser) -> None:
    page = await browser.post("/cache", {"action": "invalidate", "number": TYPED})
    assert "so the CRM is asked anyway." in page.text
    browser.operated.in_cache[NUMBER] = Cached(AHMET, ambiguous=False, fresh_for=200.0, stale_for=9000.0)
    page = await browser.post("/cache", {"action": "invalidate", "number": TYPED})
    assert "The CRM is asked about this number before its next answer." in page.text
    assert browser.operated.invalidated == [NUMBER, NUMBER]


async def test_all_numbers_are_asked_about_again(browser: Browser) -> None:
    browser.operated.in_cache[NUMBER] = Cached(AHMET, ambiguous=False, fresh_for=200.0, stale_for=9000.0)
    asked = await browser.post("/cache", {"action": "ask_invalidate_all"})
    assert "see that the CRM can bear it" in asked.text
    assert browser.operated.invalidated == []
    done = await browser.post("/cache", {"action": "invalidate_all"})
    assert "The CRM is asked about all numbers before their next answer. In the cache: 1." in done.text
    assert browser.operated.invalidated == [None]
