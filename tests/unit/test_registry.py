"""Adapters are found by the name of an entry point, or by module and class."""

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from adapters.static import StaticAdapter
from proxy import registry
from proxy.registry import find_adapter, installed


@pytest.fixture(autouse=True)
def import_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what a test has imported."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refused(name: str, folder: Path = Path("/nowhere")) -> str:
    with pytest.raises(ValueError, match=" - allowed: ") as caught:
        find_adapter(name, folder)
    return str(caught.value)


def register(monkeypatch: pytest.MonkeyPatch, **paths: str) -> None:
    """Have only these entry points in the group of adapters."""

    def entry_points(*, group: str) -> EntryPoints:
        return EntryPoints(EntryPoint(name, path, group) for name, path in paths.items())

    monkeypatch.setattr(registry, "entry_points", entry_points)


def test_the_built_in_adapters_are_installed_like_everybodys() -> None:
    assert {"static", "sql", "rest"} <= set(installed())
    assert find_adapter("static", Path("/nowhere")) is StaticAdapter


def test_a_name_that_is_not_installed_is_answered_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, zoo="adapters.static:StaticAdapter", abc="adapters.static:StaticAdapter")
    assert refused("sap") == "is not an installed adapter - allowed: abc, zoo, or package.module:Class"


def test_an_installed_adapter_that_cannot_be_imported_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, broken="no_such_package.adapter:Crm")
    why = refused("broken")
    assert why.startswith("cannot be loaded (No module named 'no_such_package')")


def test_a_name_that_two_packages_announce_is_refused_with_both(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [EntryPoint("shop", path, "tanima.adapters") for path in ("ours:Shop", "adapters.static:StaticAdapter")]
    monkeypatch.setattr(registry, "entry_points", lambda *, group: EntryPoints(both).select(group=group))
    told = "is announced for adapters.static:StaticAdapter and ours:Shop - allowed: one of these, in its place"
    assert refused("shop") == told


def test_an_entry_point_that_leads_to_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, path="pathlib:Path")
    assert refused("path") == "is not an adapter - allowed: a subclass of proxy.adapter.Adapter"


def test_a_class_is_found_by_its_module() -> None:
    assert find_adapter("adapters.static:StaticAdapter", Path("/nowhere")) is StaticAdapter


def test_a_module_may_stand_beside_the_toml(tmp_path: Path) -> None:
    (tmp_path / "found_beside.py").write_text("from adapters.static import StaticAdapter as Ours\n", encoding="utf-8")
    assert find_adapter("found_beside:Ours", tmp_path) is StaticAdapter
    assert find_adapter("found_beside:Ours", tmp_path) is StaticAdapter
    assert sys.path.count(str(tmp_path)) == 1


def test_a_module_beside_the_toml_does_not_replace_an_installed_one(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise RuntimeError('imported')\n", encoding="utf-8")
    assert refused("json:loads", tmp_path) == "is not an adapter - allowed: a subclass of proxy.adapter.Adapter"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("no_such_module:Crm", "cannot be loaded (No module named 'no_such_module')"),
        ("adapters.static:Nobody", "cannot be loaded (module 'adapters.static' has no attribute 'Nobody')"),
        ("adapters.static:", "cannot be loaded ("),
        (":StaticAdapter", "cannot be loaded ("),
        ("pathlib:Path", "is not an adapter"),
        ("pathlib:PurePath.name", "cannot be loaded ("),
        ("json:loads", "is not an adapter"),
    ],
)
def test_what_leads_to_no_adapter_is_refused(name: str, why: str) -> None:
    assert refused(name).startswith(why)


def test_a_module_that_fails_while_it_is_imported_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fails_at_import.py").write_text("raise RuntimeError('no licence')\n", encoding="utf-8")
    assert refused("fails_at_import:Crm", tmp_path).startswith("cannot be loaded (no licence)")
    (tmp_path / "no_python.py").write_text("def (", encoding="utf-8")
    assert refused("no_python:Crm", tmp_path).startswith("cannot be loaded (invalid syntax")


def test_a_class_whose_config_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "of_no_config.py").write_text(
        "from adapters.static import StaticAdapter\n\nclass Crm(StaticAdapter):\n    Config = dict\n", encoding="utf-8"
    )
    assert refused("of_no_config:Crm", tmp_path).startswith("has a Config that is none - allowed: ")


UNFINISHED = """
from adapters.static import StaticAdapter
from proxy.adapter import Adapter

class Nothing(Adapter):
    pass

class Built(Adapter):
    def __init__(self, config):
        pass

class Alone(StaticAdapter):
    def __init__(self):
        pass
"""


@pytest.mark.parametrize(
    ("adapter", "why"),
    [
        ("Nothing", "lacks __init__ and lookup - allowed: a class with both __init__ and lookup"),
        ("Built", "lacks lookup - allowed: a class with both __init__ and lookup"),
        ("Alone", "has an __init__ that takes something else - allowed: __init__(self, config)"),
    ],
)
def test_a_class_that_is_not_finished_is_told_what_it_lacks(tmp_path: Path, adapter: str, why: str) -> None:
    (tmp_path / "unfinished.py").write_text(UNFINISHED, encoding="utf-8")
    assert refused(f"unfinished:{adapter}", tmp_path) == why


def test_a_module_that_wants_to_end_the_process_does_not(tmp_path: Path) -> None:
    (tmp_path / "of_an_exit.py").write_text("import sys\n\nsys.exit(3)\n", encoding="utf-8")
    assert refused("of_an_exit:Crm", tmp_path).startswith("cannot be loaded (3) - allowed: ")
