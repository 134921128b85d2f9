"""What the page about the console says."""

import re
import tomllib

from proxy.config.settings import AdminSettings
from proxy.web.console.rendering import NAVIGATION
from proxy.web.console.sessions import GUESSES, GUESSES_A_SECOND, LASTS
from proxy.web.console.words import WORDS
from tests.readme.pages import blocks, read, spans, tables

PAGE = read("docs/console.md")
TEXT = " ".join(PAGE.split())


def test_every_page_is_told_in_its_order() -> None:
    ((_, *rows),) = tables(PAGE)
    assert [(name, *spans(at)) for name, at, _ in rows] == [(name, path) for path, name in NAVIGATION]


def test_the_example_is_one() -> None:
    (block,) = [block for block in blocks(PAGE) if block.language == "toml"]
    admin = AdminSettings(**tomllib.loads(block.text)["admin"])
    assert admin.listen == ("127.0.0.1", 9090)
    assert "http://127.0.0.1:9090/" in PAGE


def test_what_it_says_of_logging_in_is_so() -> None:
    assert f"lasts for {LASTS // 3600} hours" in TEXT
    assert GUESSES == 5
    assert re.search(r"Five wrong tokens from one address, and then one every ten seconds", TEXT)
    assert 1 / GUESSES_A_SECOND == 10


def test_it_is_in_the_languages_that_there_are() -> None:
    assert set(WORDS) == {"en", "tr"}
    assert "in English and in Turkish" in TEXT
