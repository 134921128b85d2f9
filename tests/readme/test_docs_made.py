"""The pages that are made out of the code are what the code makes now, and nothing in them is without a description."""

import re
import tomllib
from typing import Annotated

import pytest
from pydantic import BaseModel, Field

from adapters.rest import RestConfig
from adapters.sql import SqlAdapter
from docs.site import recipes, reference
from proxy.cli.init import recipes as installed
from proxy.config.section import Section
from proxy.config.settings import AccessSettings, CacheSettings, Settings, SwitchSettings
from tests.readme.pages import ROOT, headings, read, sections, spans, tables

REFERENCE = read("docs/configuration.md")
RECIPES = read("docs/recipes.md")


def rows(heading: str) -> dict[str, list[str]]:
    ((_, *body),) = tables(sections(REFERENCE)[heading])
    return {spans(row[0])[0]: row[1:] for row in body}


# ---------------------------------------------------------------------------------------- reference


def test_the_reference_says_what_the_settings_say() -> None:
    made = reference.page()
    assert made == REFERENCE, "docs/configuration.md is not what the settings say: make reference, and commit it"


class _Documented(Section):
    """`[documented]`: a section."""

    known: int = 1
    """What it is"""


class _Bare(Section):
    """`[bare]`: a section."""

    unknown: int = 1


class _Nameless(Section):
    told: int = 1
    """What it is"""


@pytest.mark.parametrize(
    ("below", "sentence"),
    [
        (_Bare, r"^section\.unknown has no description: write one below it"),
        (_Nameless, r"^section: the class _Nameless has no docstring"),
    ],
)
def test_a_setting_without_a_description_fails_the_build(below: type[BaseModel], sentence: str) -> None:
    def settings(model: type[BaseModel]) -> type[BaseModel]:
        class Whole(Section):
            section: model = Field(description="A section")  # type: ignore[valid-type]

        return Whole

    assert "| What it is |" in reference.page(settings(_Documented))
    with pytest.raises(reference.Undocumented, match=sentence):
        reference.page(settings(below))


def test_a_section_that_is_named_nowhere_is_found() -> None:
    class Whole(Section):
        inner: Annotated[dict[str, list[_Documented]] | None, Field(description="A section")] = None

    assert 'id="inner.known"' in reference.page(Whole)


def test_every_setting_has_an_anchor_and_no_two_have_the_same() -> None:
    anchors = re.findall(r'<a id="([\w.]+)"></a>', REFERENCE)
    assert len(anchors) == len(set(anchors))
    wanted = {f"switch.{name}" for name in SwitchSettings.model_fields}
    wanted |= {f"switch.access.{name}" for name in AccessSettings.model_fields}
    wanted |= {f"cache.{name}" for name in CacheSettings.model_fields}
    wanted |= {f"rest.{name}" for name in RestConfig.model_fields}
    wanted |= {f"sql.{name}" for name in SqlAdapter.Config.model_fields}
    assert wanted | {"tables", "hours.from", "rules.caller.kind", "lines.rules", "static.contacts"} <= set(anchors)
    assert set(Settings.model_fields) <= {*anchors, *headings(REFERENCE, "##")}


def test_every_page_that_tells_more_is_told_of() -> None:
    paths = {path for path, _ in reference.sections(Settings)} | {*reference.ADAPTERS}
    anchors = set(re.findall(r'<a id="([\w.]+)"></a>', REFERENCE))
    assert set(reference.MORE) <= paths | anchors | {f"rest.{path}" for path, _ in reference.sections(RestConfig)}
    assert [link for link in reference.MORE.values() if link not in REFERENCE] == []
    assert [path for path in paths if path not in reference.MORE and f"\n## {path}\n" in REFERENCE] == []


@pytest.mark.parametrize(
    ("heading", "name", "allowed", "left_out"),
    [
        ("switch", "listen", "HOST:PORT, such as 127.0.0.1:8080", "`127.0.0.1:8080`"),
        ("switch", "deadline", "a number, above 0, at most 30", "1.5"),
        ("switch", "default", "a [target](../README.md#targets)", "**must be given**"),
        ("switch", "dialect", "auto, musteri-tanima, santral-programlama", "`auto`"),
        ("switch.access", "tokens", "a list; each: a secret of at least 16 characters", ""),
        ("rules", "name", "a text, not empty, at most 80 characters", "**must be given**"),
        ("rules", "recording", "true or false", ""),
        ("hours", "days", "such as mon-fri, sat or mon,wed,fri", "every day"),
        ("hours", "zone", "an IANA name, such as Europe/Istanbul", "`Europe/Istanbul`"),
        ("sources", "by", "phone_number, customer_number, or a list of both", "`phone_number`"),
        ("sources", "several", "first, unknown, newest", "`first`"),
        ("The rest adapter", "steps", "a list of tables: [rest.steps](#the-rest-adapter-steps)", ""),
        ("The rest adapter", "name", "JMESPath, such as `items[0].name`", ""),
        ("The rest adapter: throttle", "status", "a list; each: a whole number", "429"),
        ("The sql adapter", "procedures", "true or false", "`false`"),
    ],
)
def test_what_is_allowed_is_said_in_words(heading: str, name: str, allowed: str, left_out: str) -> None:
    assert rows(heading)[name][:2] == [allowed, left_out]


# ---------------------------------------------------------------------------------------- recipes


def test_the_page_of_recipes_says_what_the_recipes_say() -> None:
    made = recipes.page(RECIPES)
    assert made == RECIPES, "docs/recipes.md is not what the recipes say: make reference, and commit it"


def test_every_recipe_that_is_installed_has_its_line() -> None:
    listed = [spans(row[0])[0] for head, *body in tables(RECIPES) if head[0] == "recipe" for row in body]
    assert sorted(listed) == sorted(installed())


def test_what_a_recipe_tells_is_in_every_one() -> None:
    ((_, *body),) = tables(sections(RECIPES)["What a recipe tells"])
    for recipe in installed().values():
        introduction = recipe.read_text(encoding="utf-8").partition("\n[switch]")[0]
        for headline, _ in body:
            choices = [choice.strip().removeprefix("a user who ") for choice in headline.split(",")]
            assert any(re.search(rf"^# -{{20,}} .*{choice}", introduction, re.MULTILINE) for choice in choices)


def test_a_recipe_for_a_database_names_the_extra_that_is_installed_for_it() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = {span for words in recipes.EXTRAS.values() for span in spans(words)}
    assert named <= set(extras)
    for head, *body in tables(RECIPES):
        for row in body if "extra" in head else ():
            assert {*spans(row[2])} <= named
            text = installed()[spans(row[0])[0]].read_text(encoding="utf-8")
            assert all(f"tanima[{extra}]" in text for extra in spans(row[2]))
