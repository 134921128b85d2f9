"""Writing a configuration from a recipe."""

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from proxy.cli import init
from proxy.cli.main import main

RECIPE = """# A list of made-up customers
[switch]
default = "queue/200"

[[sources]]
name = "list"
adapter = "static"
options = { contacts = [], password_file = "crm.password", oauth2 = { token_file = "crm.token" } }

[[sources]]
name = "more"
adapter = "static"
options = { contacts = [], password_file = "crm.password" }
"""


@pytest.fixture(autouse=True)
def _recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    package = tmp_path / "somebodys_recipes"
    package.mkdir()
    (package / "__init__.py").write_text("", encoding="ascii")
    (package / "list.toml").write_text(RECIPE, encoding="utf-8")
    (package / "a_crm.toml").write_text("# Another CRM\n", encoding="utf-8")
    (package / "notes.txt").write_text("", encoding="ascii")
    monkeypatch.syspath_prepend(str(tmp_path))
    announced = EntryPoint("mine", "somebodys_recipes", "tanima.recipes")
    monkeypatch.setattr(init, "entry_points", lambda *, group: [announced] if group == "tanima.recipes" else [])
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("somebodys_recipes", None)


def test_the_recipes_of_all_packages_are_listed_with_what_they_are_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Recipes, for tanima init --recipe NAME:",
        "  a_crm  Another CRM",
        "  list   A list of made-up customers",
    ]


def test_a_recipe_is_written_and_the_next_steps_are_told_without_files_that_we_write(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["init", "--recipe", "list"]) == 0
    assert Path("config.toml").read_text(encoding="utf-8") == RECIPE
    assert capsys.readouterr().out.splitlines() == [
        "config.toml is written, from the recipe list. Next:",
        "  1. Complete config.toml: its comments tell what is sure, and what must be checked on site.",
        "  2. Write the secret into crm.password, readable by nobody else (chmod 600).",
        "  3. tanima check --live --config config.toml",
        "  4. tanima route NUMBER --config config.toml, with the number of a customer",
    ]


def test_a_file_that_is_there_is_left_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.toml").write_text("mine", encoding="ascii")
    with pytest.raises(SystemExit) as left:
        main(["init", "--recipe", "list", "mine.toml"])
    assert left.value.code == 1
    assert Path("mine.toml").read_text(encoding="ascii") == "mine"
    told = "tanima: mine.toml is there already, and is left as it is - allowed: a new file\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--recipe", "nothing"], "'nothing' is no recipe - allowed: a_crm, list"),
        (["--recipe", "list", "nowhere/x.toml"], "nowhere/x.toml cannot be written (No such file or directory)"),
    ],
)
def test_what_cannot_be_written_is_said(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["init", *arguments])
    assert told in capsys.readouterr().err
    assert not Path("config.toml").exists()


def test_a_package_that_cannot_be_imported_hides_no_other_ones_recipes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("no_such_package", "somebodys_recipes")
    announced = [EntryPoint(name, name, "tanima.recipes") for name in names]
    monkeypatch.setattr(init, "entry_points", lambda *, group: announced)
    assert main(["init"]) == 0
    assert "a_crm" in capsys.readouterr().out


def test_a_recipe_that_is_not_toml_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "somebodys_recipes" / "broken.toml").write_text("# Broken\n[switch\n", encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["init", "--recipe", "broken"])
    assert "the recipe broken is not TOML" in capsys.readouterr().err
    assert not (tmp_path / "config.toml").exists()
