"""Where adapters come from: installed packages by entry point, or `package.module:Class`."""

import importlib
import inspect
import sys
from importlib.metadata import entry_points
from pathlib import Path

from proxy.adapter import Adapter, AdapterConfig

GROUP = "tanima.adapters"
"""Entry-point group, in which the built-in adapters stand like everybody's."""


def installed() -> list[str]:
    """Return the names of the installed adapters."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def find_adapter(name: str, folder: Path) -> type[Adapter]:
    """Return the adapter's class. A module may also stand in `folder`, beside the TOML.

    Raises ValueError with a sentence that says what is allowed.
    """
    if ":" in name:
        return _checked(_load_path(name, folder))
    found = [entry for entry in entry_points(group=GROUP) if entry.name == name]
    if not found:
        raise ValueError(f"is not an installed adapter - allowed: {', '.join(installed())}, or package.module:Class")
    if len(paths := sorted({entry.value for entry in found})) > 1:
        raise ValueError(f"is announced for {' and '.join(paths)} - allowed: one of these, in its place")
    try:
        loaded = found[0].load()
    except (Exception, SystemExit) as exc:
        raise ValueError(f"cannot be loaded ({exc}) - allowed: an adapter whose packages are installed") from exc
    return _checked(loaded)


def _load_path(name: str, folder: Path) -> object:
    module_name, _, attribute = name.partition(":")
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (Exception, SystemExit) as exc:
        raise ValueError(f"cannot be loaded ({exc}) - allowed: package.module:Class, importable from {folder}") from exc


def _checked(loaded: object) -> type[Adapter]:
    if not (isinstance(loaded, type) and issubclass(loaded, Adapter)):
        raise ValueError("is not an adapter - allowed: a subclass of proxy.adapter.Adapter")
    config: object = loaded.Config
    if not (isinstance(config, type) and issubclass(config, AdapterConfig)):
        raise ValueError("has a Config that is none - allowed: a subclass of proxy.adapter.AdapterConfig")
    if lacking := sorted(loaded.__abstractmethods__):
        raise ValueError(f"lacks {' and '.join(lacking)} - allowed: a class with both __init__ and lookup")
    try:
        inspect.signature(loaded).bind(config)
    except TypeError:
        raise ValueError("has an __init__ that takes something else - allowed: __init__(self, config)") from None
    return loaded
