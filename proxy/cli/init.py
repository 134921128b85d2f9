"""Writes a configuration from a recipe.

A recipe is a TOML in a package that is announced by the entry-point group `tanima.recipes`; its file's name, without
the end, is the recipe's, and its first line, a comment, tells what it is for.
"""

import argparse
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from proxy.cli.ending import fail

WRITTEN_BY_US = "token_file"
"""A file that holds secrets, and that nobody has to write."""


def recipes() -> Mapping[str, Traversable]:
    """Return the recipes of all installed packages that can be imported, by name."""
    packages = []
    for entry_point in entry_points(group="tanima.recipes"):
        with suppress(Exception):  # a stranger's package may raise anything
            packages.append(entry_point.load())
    found = (file for package in packages for file in files(package).iterdir() if file.name.endswith(".toml"))
    return dict(sorted((file.name.removesuffix(".toml"), file) for file in found))


def list_of_recipes() -> list[str]:
    """Return a line for each recipe: its name, and what it is for."""
    known = recipes()
    width = max(map(len, known), default=0)
    told = [f"  {name:{width}}  {_text(file).partition(chr(10))[0].lstrip('# ')}" for name, file in known.items()]
    return ["Recipes, for tanima init --recipe NAME:", *told]


def write_recipe(name: str, to: Path) -> list[str]:
    """Write a recipe to a file, which must not be there yet, and return what to do next. Raises ValueError."""
    known = recipes()
    if name not in known:
        raise ValueError(f"{name!r} is no recipe - allowed: {', '.join(known)}")
    recipe = _text(known[name])
    try:
        secret_files = dict.fromkeys(_secret_files(tomllib.loads(recipe)))
    except ValueError as exc:
        raise ValueError(f"the recipe {name} is not TOML ({exc}) - allowed: TOML") from exc
    try:
        with to.open("x", encoding="utf-8") as file:
            file.write(recipe)
    except FileExistsError as exc:
        raise ValueError(f"{to} is there already, and is left as it is - allowed: a new file") from exc
    except OSError as exc:
        raise ValueError(f"{to} cannot be written ({exc.strerror}) - allowed: a file in a writable folder") from exc
    secrets = [
        f"Write the secret into {to.parent / secret}, readable by nobody else (chmod 600)." for secret in secret_files
    ]
    steps = [
        f"Complete {to}: its comments tell what is sure, and what must be checked on site.",
        *secrets,
        f"tanima check --live --config {to}",
        f"tanima route NUMBER --config {to}, with the number of a customer",
    ]
    return [f"{to} is written, from the recipe {name}. Next:", *(f"  {n}. {step}" for n, step in enumerate(steps, 1))]


def _text(file: Traversable) -> str:
    return file.read_text(encoding="utf-8")


def _secret_files(node: Any) -> Iterator[str]:  # noqa: ANN401 - any TOML value
    """Yield the files that a configuration reads secrets from."""
    for key, value in node.items() if isinstance(node, Mapping) else enumerate(node if isinstance(node, list) else ()):
        if str(key).endswith("_file") and key != WRITTEN_BY_US and isinstance(value, str):
            yield value
        yield from _secret_files(value)


def run(options: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    if options.recipe is None:
        print("\n".join(list_of_recipes()))
        return 0
    try:
        print("\n".join(write_recipe(options.recipe, options.file)))
    except ValueError as exc:
        fail(str(exc))
    return 0
