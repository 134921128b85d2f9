"""The reference of the rest adapter names the options that there are, with the figures that they have."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.rest import RestAdapter, RestConfig
from adapters.rest.access import Basic, Login, LoginRequest, OAuth2, SecretHeader
from adapters.rest.errors import LONGEST_REST
from adapters.rest.manners import LONGEST_WAIT
from adapters.rest.options import MOST_REQUESTS
from adapters.rest.sections import Map, Rate, Step, Throttle, Tls
from adapters.rest.session import PAUSE_AFTER_REFUSAL, PAUSE_AFTER_TROUBLE
from adapters.rest.steps import LONGEST_LIST
from adapters.rest.transport import LONGEST_ANSWER
from proxy.adapter import AdapterConfig, CustomerNumber
from proxy.config import load
from proxy.keys import LONGEST_CUSTOMER_NUMBER
from tests.adapters.authority import Authority
from tests.readme.pages import blocks, run, shown_and_printed, spans, tables, write_files
from tests.readme.rest_page import LOGIN, MISSING, PAGE, SECTIONS, STEPS, completed, toml, words

HEADINGS = [heading for heading in SECTIONS if toml(heading)]

FREE = {"query", "headers", "body", "form", "secrets", "fields", "values", "parameters"}
"""Tables with names of the operator's own"""

NAMED_IN: Mapping[type[AdapterConfig], str] = {
    **dict.fromkeys((Step, Map), STEPS),
    **dict.fromkeys((Throttle, Rate, Tls), "Manners"),
    **dict.fromkeys((Basic, SecretHeader), "Logging in"),
    **dict.fromkeys((Login, LoginRequest), LOGIN),
    OAuth2: "OAuth 2",
}
"""Where the reader looks for the options of a table"""


def misspelt(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield options with one of their names misspelt, each of them once."""
    if isinstance(node, list):
        for place, each in enumerate(node):
            yield from ((key, [*node[:place], wrong, *node[place + 1 :]]) for key, wrong in misspelt(each))
    for name, value in node.items() if isinstance(node, dict) else ():
        yield name, {key: each for key, each in node.items() if key != name} | {f"{name}x": value}
        if name == "maps":
            maps = ((own, key, wrong) for own, each in value.items() for key, wrong in misspelt(each))
            yield from ((key, {**node, name: {**value, own: wrong}}) for own, key, wrong in maps)
        elif name not in FREE:
            yield from ((key, {**node, name: wrong}) for key, wrong in misspelt(value))


def keys(node: Any) -> Iterator[str]:
    for key, value in node.items() if isinstance(node, dict) else enumerate(node if isinstance(node, list) else ()):
        yield from (str(key), *keys(value))


def named(text: str) -> set[str]:
    """Return all words between backticks, and all keys of TOML blocks; `x_file` names `x` too."""
    found = {word for span in spans(text) for word in re.findall(r"\w+", span)}
    found |= {key for block in blocks(text) if block.language == "toml" for key in keys(tomllib.loads(block.text))}
    return found | {word.removesuffix("_file") for word in found}


def told(pattern: str, text: str = PAGE) -> re.Match[str]:
    """Find what the page says, wherever its lines end."""
    found = re.search(pattern, words(text))
    assert found is not None, pattern
    return found


# ---------------------------------------------------------------------------------------- options


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_toml_of_the_page_is_good(heading: str, tmp_path: Path) -> None:
    completed(heading, toml(heading), tmp_path)


@pytest.mark.parametrize("heading", HEADINGS)
def test_a_misspelt_option_in_a_toml_of_the_page_is_noticed(heading: str, tmp_path: Path) -> None:
    mistakes = list(misspelt(toml(heading)))
    assert mistakes
    for name, options in mistakes:
        with pytest.raises(ValidationError, match=rf"\b{name}x\b"):
            completed(heading, options, tmp_path)


def test_every_toml_of_the_page_is_checked() -> None:
    fragments = [block for block in blocks(PAGE) if block.language == "toml" and not block.mark]
    assert len(fragments) == len(HEADINGS) == 6
    assert {*MISSING, *NAMED_IN.values()} <= set(SECTIONS)


def test_every_option_is_named_where_it_is_looked_for() -> None:
    assert set(RestConfig.model_fields) - named(PAGE) == set()
    for options, heading in NAMED_IN.items():
        assert set(options.model_fields) - named(SECTIONS[heading]) == set(), options


def test_every_option_in_a_table_of_options_is_one(tmp_path: Path) -> None:
    Authority(tmp_path).certificate("us")
    seen = 0
    for heading, text in SECTIONS.items():
        rows = [row for head, *rows in tables(text) if head[0] == "option" for row in rows]
        for span in [span for row in rows for span in spans(row[0])]:
            seen += 1
            if "=" in span:
                completed("", tomllib.loads(span.replace('"..."', '"x"')), tmp_path)
            else:
                assert span in (OAuth2 if heading == "OAuth 2" else RestConfig).model_fields, span
    assert seen > 20


def test_what_steps_and_maps_take_is_told() -> None:
    sentence = told(r"Steps take the same options as a search: (.*?)\. Maps take all of these but the last three\.")
    taken = spans(sentence[1])
    assert set(taken) == (set(Step.model_fields) & set(RestConfig.model_fields)) - {"url", "fields"}
    assert set(taken[:-3]) == (set(Map.model_fields) & set(RestConfig.model_fields)) - {"url"}


# ---------------------------------------------------------------------------------------- figures


@pytest.mark.parametrize(
    ("sentence", "figure"),
    [
        (r"The requests are all combinations, at most (\d+):", MOST_REQUESTS),
        (r"Answers are read up to (\d+) kB", LONGEST_ANSWER / 1024),
        (r"lists for maps up to (\d+) MB", LONGEST_LIST / 1024**2),
        (r"`connections` \| at the most \((\d+)\)", RestConfig.model_fields["connections"].default),
        (r"`lifetime` \| seconds, .*? when the token ends \((\d+)\)", OAuth2.model_fields["lifetime"].default),
        (r"the list is read again, in the background; (\d+) when left out", Map.model_fields["refresh"].default),
    ],
)
def test_a_figure_is_the_one_in_the_code(sentence: str, figure: float) -> None:
    assert int(told(sentence)[1]) == figure


@pytest.mark.parametrize(
    ("sentence", "seconds"),
    [
        ("a request waits for its turn for (.*?) at the most", LONGEST_WAIT),
        ("or else `rest` seconds, and at most (.*?)\\.", LONGEST_REST),
        ("Credentials that are refused are not tried again for (.*?),", PAUSE_AFTER_REFUSAL),
        ("after other trouble there is a pause of (.*?),", PAUSE_AFTER_TROUBLE),
    ],
)
def test_a_time_is_the_one_in_the_code(sentence: str, seconds: float) -> None:
    assert {"half a second": 0.5, "a second": 1, "a minute": 60, "an hour": 3600}[told(sentence)[1]] == seconds


def test_what_holds_when_an_option_is_left_out_is_told() -> None:
    span = next(span for span in spans(SECTIONS["Manners"]) if span.startswith("throttle = "))
    shown = tomllib.loads(span)["throttle"]
    assert {name: shown[name] for name in ("status", "header", "rest")} == Throttle().model_dump(exclude_none=True)
    assert RestConfig.model_fields["method"].default == told(r'method = "POST" # (\w+) when left out')[1]
    defaults = {name: field.default for name, field in OAuth2.model_fields.items()}
    assert told(r'scheme = "Zoho-oauthtoken" # (\w+) when left out')[1] == defaults["scheme"]
    assert told(r"`header` \| where the token goes, `(\w+)` when left out")[1] == defaults["header"]
    assert told(r"`method`, `format` \| `(\w+)` with a `(\w+)` when left out").groups() == (
        defaults["method"],
        defaults["format"],
    )


# ---------------------------------------------------------------------------------------- customer numbers


def test_the_sources_by_both_kinds_of_number_are_good(tmp_path: Path) -> None:
    text = SECTIONS["Asking by a customer number"]
    write_files(text, tmp_path)
    ((command, shown, printed),) = shown_and_printed(text, tmp_path)
    assert printed == shown, command
    _, source = load(tmp_path / "customers.toml").sources
    assert isinstance(source.adapter, RestAdapter)
    asked = [each.request.rpartition("code=")[2] for each in source.adapter.rehearse(CustomerNumber("123"))]
    assert asked == ["123", "C-123"]
    example, *keyed = told(r"`(C-\d+)` is what (\d+) and (\d+) are keyed for", text).groups()
    assert all(CustomerNumber(digits).is_in(example) for digits in keyed)
    assert int(told(r"1 to (\d+) digits", text)[1]) == LONGEST_CUSTOMER_NUMBER


# ---------------------------------------------------------------------------------------- recipes


def test_a_recipe_of_ones_own_is_made_as_it_is_told(tmp_path: Path) -> None:
    text = SECTIONS["A recipe of your own"]
    write_files(text, tmp_path)
    (tmp_path / "acme_recipes" / "__init__.py").touch()
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n", encoding="ascii")
    ((group, announced),) = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{name} = {package}" for name, package in announced.items())]
    (installed / "entry_points.txt").write_text("\n".join(lines), encoding="ascii")
    ran = list(shown_and_printed(text, tmp_path, PYTHONPATH=str(tmp_path)))
    assert len(ran) == 4
    for command, shown, printed in ran:
        assert printed == shown, command
    first_line = next(block.text for block in blocks(text) if block.mark.endswith("/acme.toml")).partition("\n")[0]
    listed = run("tanima init", tmp_path, PYTHONPATH=str(tmp_path))
    assert re.search(rf"^  acme +{re.escape(first_line.removeprefix('# '))}$", listed, re.MULTILINE)
    assert re.search(r"^  hubspot ", listed, re.MULTILINE)
