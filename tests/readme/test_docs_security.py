"""The pages about security and upgrades: their figures, settings and tests are those that there are."""

import ast
import re
import tomllib
from collections.abc import Mapping

import pytest
from pydantic import BaseModel

from adapters.rest.transport import LONGEST_ANSWER
from adapters.sql.databases import MOST_ROWS, PATIENCE
from proxy.adapter import SecretStr
from proxy.config.dialogue import DialogueSettings
from proxy.config.settings import AccessSettings, AdminSettings, CacheSettings, Settings, SwitchSettings
from proxy.config.values import SHORTEST_SECRET
from proxy.dialogue.memory import CALLS, KEPT_FOR
from proxy.journal import KEPT, Journal
from proxy.phone import parse_number
from proxy.snapshot.sealed_file import FORMAT, VERSION
from proxy.web.console.sessions import LASTS
from tests.readme.pages import ROOT, read, sections, spans, tables

PAGE = read("docs/security.md")
SECTIONS = sections(PAGE)
UPGRADE = read("docs/upgrade.md")
INDEX = read("docs/index.md")

NAMED: Mapping[str, type[BaseModel]] = {
    "switch": SwitchSettings,
    "cache": CacheSettings,
    "dialogue": DialogueSettings,
    "admin": AdminSettings,
}


def rows(heading: str) -> list[list[str]]:
    return [row for _, *body in tables(SECTIONS[heading]) for row in body]


# ---------------------------------------------------------------------------------------- security


@pytest.mark.parametrize("heading", ["What is kept", "Who sees what", "What an attacker gets"])
def test_every_claim_names_tests_that_there_are(heading: str) -> None:
    for *_, what, tried in rows(heading):
        for path in spans(tried):
            tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
            assert any(getattr(node, "name", "").startswith("test_") for node in ast.walk(tree)), path
        assert tried or "systemd" in what


def test_every_setting_is_one() -> None:
    named = {span for span in spans(PAGE) if re.fullmatch(r"(switch|cache|dialogue|admin)\.\w+", span)}
    assert len(named) > 10
    there = {f"{section}.{name}" for section, model in NAMED.items() for name in model.model_fields}
    assert named - there == set()


def test_what_is_kept_is_kept_so_long() -> None:
    text = SECTIONS["What is kept"]
    told = {name: float(figure) for name, figure in re.findall(r"`(\w+\.\w+)` \((\d+)(?: s)?\)", text)}
    assert told == {
        "cache.ttl": CacheSettings.model_fields["ttl"].default,
        "cache.stale": CacheSettings.model_fields["stale"].default,
        "cache.negative_ttl": CacheSettings.model_fields["negative_ttl"].default,
        "cache.size": CacheSettings.model_fields["size"].default,
        "dialogue.guesses_within": DialogueSettings.model_fields["guesses_within"].default,
    }
    assert f"the last {KEPT} of each of three sorts (good, failed, refused)" in text
    assert set(Journal()._entries) == {"good", "failed", "refused"}
    assert f"{KEPT_FOR / 60:.0f} minutes after the last question; the last {CALLS:,} calls" in text
    assert "for five minutes, and in an outage for a day and five minutes" in text
    assert CacheSettings().ttl == 5 * 60
    assert CacheSettings().stale == 24 * 3600


def test_what_is_read_of_an_answer_is_bounded_as_it_is_told() -> None:
    bounds = f"at most {LONGEST_ANSWER // 1024} kB are read, {MOST_ROWS} rows, {PATIENCE} s for a statement"
    assert bounds in SECTIONS["What an attacker gets"]


def test_a_session_of_the_console_is_bounded_as_it_is_told() -> None:
    assert f"a session of {LASTS // 3600} hours" in SECTIONS["Who sees what"]


def test_a_masked_number_looks_as_it_is_told() -> None:
    (masked,) = {span for span in spans(PAGE) if span.startswith("+90")}
    assert masked == str(parse_number("0530 123 45 67", "TR"))


def test_every_secret_of_the_settings_is_told_of() -> None:
    found: set[str] = set()
    for section in (AccessSettings, SwitchSettings, CacheSettings, AdminSettings):
        for name, field in section.model_fields.items():
            if SecretStr.__name__ in str(field.annotation):
                found.add(name)
    told = {span.removesuffix("_file") for span in spans(SECTIONS["Secrets"])}
    assert found - {"service_url"} <= told
    assert f"below {SHORTEST_SECRET} characters" in PAGE


# ---------------------------------------------------------------------------------------- upgrade, index


def test_the_figures_of_an_upgrade_are_those_of_this_version() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    assert f"/opt/tanima-{project['version']}" in UPGRADE
    assert f"Python | {project['requires-python'].removeprefix('>=')} and later" in UPGRADE
    assert f"`version` {VERSION} in its first line" in UPGRADE
    assert FORMAT == "tanima cache"
    assert ".ci/constraints.txt" in UPGRADE
    assert (ROOT / ".ci" / "constraints.txt").is_file()


def test_every_heading_of_the_changelog_is_one_that_is_explained() -> None:
    ((_, *body),) = tables(sections(UPGRADE)["Reading the changelog"])
    explained = [row[0] for row in body]
    assert explained == ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    assert {*re.findall(r"^### (.+)$", read("CHANGELOG.md"), re.MULTILINE)} <= set(explained)


def test_the_index_leads_to_every_page() -> None:
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert [page for page in sorted(pages) if f"]({page})" not in INDEX] == []
    assert Settings.model_config["extra"] == "forbid"  # an older version refuses what it does not know
