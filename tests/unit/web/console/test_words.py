"""Both languages say everything, and numbers as they are written there."""

import ast
import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from string import Formatter

import pytest
from aiohttp.test_utils import make_mocked_request

from proxy.breaker import State
from proxy.model import FAILED_OPEN, OUTCOMES, Outcome, Reason, Via
from proxy.phone.spelling import NUMBER_TYPES
from proxy.rules import Standing
from proxy.web import console
from proxy.web.console import configured, plots, rendering, words
from proxy.web.console.words import WORDS, language_for

FOLDER = Path(console.__file__).parent
TURKISH = tomllib.loads((FOLDER / "turkish.toml").read_text("utf-8"))


def said_in_templates() -> Iterator[str]:
    for file in FOLDER.glob("pages/*.html"):
        yield from re.findall(r'\bsay\(\s*"((?:[^"\\]|\\.)*)"', file.read_text("utf-8"))


def said_in_code() -> Iterator[str]:
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "say":
                text = node.args[0]
                if isinstance(text, ast.Constant):
                    yield str(text.value)


def said_by_words_of_the_machine() -> Iterator[str]:
    for table in (*words.TABLES, *configured.TEXTS):
        yield from table.values()
    yield from (label for _, label, _ in plots.FAMILIES)
    yield from (label for _, label in rendering.NAVIGATION)


def test_all_is_said_in_turkish_too_and_nothing_else() -> None:
    said = {*said_in_templates(), *said_in_code(), *said_by_words_of_the_machine()}
    assert said - TURKISH.keys() == set()
    assert TURKISH.keys() - said == set()


def test_templates_say_nothing_by_themselves() -> None:
    allowed = {"p50", "/", "p99", "tanıma", "→", "·", "–", ":", "adapter", "role", "numbers", "0", ",", "•"}
    for file in FOLDER.glob("pages/*.html"):
        text = re.sub(r"\{[{%#].*?[}%#]\}|<!.*?>", "\n", file.read_text("utf-8"), flags=re.DOTALL)
        text = re.sub(r"<[^>]*>", "\n", text)
        told = {word for line in text.splitlines() for word in line.split()}
        assert told <= allowed, file.name


def test_both_languages_have_the_same_values() -> None:
    def values(text: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(text) if name is not None}

    for english, turkish in TURKISH.items():
        assert values(english) == values(turkish), english


@pytest.mark.parametrize(
    ("table", "machine"),
    [
        (words.REASONS, Reason),
        (words.BECAUSE, Reason),
        (words.VIAS, Via),
        (words.VIA_SENTENCES, Via),
        (words.HEARD, Outcome),
        (words.STATES, State),
        (words.OUTCOMES, OUTCOMES),
        (words.STANDINGS, Standing),
        (words.KINDS, [*Standing, "anyone"]),
        (words.NUMBER_TYPES, NUMBER_TYPES.values()),
    ],
)
def test_there_is_a_word_for_each_of_the_machine(table: dict[str, str], machine: list[str]) -> None:
    assert list(map(str, table)) == list(map(str, machine)) or set(table) == set(machine)


def test_every_reason_is_plotted() -> None:
    plotted = [reason for _, _, reasons in plots.FAMILIES for reason in reasons]
    assert sorted(plotted) == sorted(Reason)
    assert set(plots.FAMILIES[-1][2]) == FAILED_OPEN


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("en", ["12,345.6", "97.3%", "–", "100%", "4.2 ms", "187 ms", "1.52 s", "–"]),
        ("tr", ["12.345,6", "%97,3", "–", "%100", "4,2 ms", "187 ms", "1,52 sn", "–"]),
    ],
)
def test_numbers(language: str, written: list[str]) -> None:
    said = WORDS[language]
    shares = [said.share(973, 1000), said.share(0, 0), said.share(5, 5)]
    spans = [said.span(seconds) for seconds in (0.0042, 0.187, 1.52, None)]
    assert [said.number(12345.6, 1), *shares, *spans] == written


@pytest.mark.parametrize(
    ("seconds", "english", "turkish"),
    [
        (-1, "0 s ago", "0 sn önce"),
        (12.4, "12 s ago", "12 sn önce"),
        (179, "2 min ago", "2 dk önce"),
        (7200, "2 h ago", "2 sa önce"),
        (200_000, "2 d ago", "2 gün önce"),
    ],
)
def test_ages(seconds: float, english: str, turkish: str) -> None:
    assert WORDS["en"].ago(seconds) == english
    assert WORDS["tr"].ago(seconds) == turkish


@pytest.mark.parametrize(
    ("path", "cookie", "accepts", "language"),
    [
        ("/", "", "", "en"),
        ("/", "", "tr-TR,tr;q=0.9,en;q=0.8", "tr"),
        ("/", "", "de, en;q=0.3, tr;q=0.7", "tr"),
        ("/", "", "en;q=0.9,tr;q=oops", "en"),
        ("/", "", "de,fr", "en"),
        ("/", "tr", "en", "tr"),
        ("/", "xx", "tr", "tr"),
        ("/?lang=en", "tr", "tr", "en"),
        ("/?lang=xx", "tr", "en", "tr"),
    ],
)
def test_which_language(path: str, cookie: str, accepts: str, language: str) -> None:
    request = make_mocked_request("GET", path, headers={"Cookie": f"tanima_lang={cookie}", "Accept-Language": accepts})
    assert language_for(request) == language


def test_moments_are_those_of_the_server() -> None:
    assert words.moment(datetime(2026, 11, 28, 20, 22, 53, 999999).astimezone()) == "2026-11-28 20:22:53"
