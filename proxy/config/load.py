"""Reads a deployment's TOML and the environment, and reports everything that is wrong with them at once."""

import os
import re
import stat
import tomllib
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from proxy.adapter import Adapter, AdapterConfig, By, Enriching
from proxy.config.crosscheck import crosscheck
from proxy.config.doubts import texts_in, warnings
from proxy.config.notes import notes
from proxy.config.sentences import Path, key_of, sentences
from proxy.config.settings import Settings, SourceSettings, SwitchSettings
from proxy.config.values import SHORTEST_SECRET, parse_by
from proxy.errors import ConfigError
from proxy.registry import find_adapter
from proxy.secret_files import read_secret_file

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

_SECRETS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("switch", "access"), "tokens"),
    (("cache",), "snapshot_key"),
    (("admin",), "token"),
    (("admin",), "push_token"),
)
"""Sections, and the secrets in them that may stand in files. Those of adapters are their own to read."""

PREFIX = "TANIMA_"
"""Of variables that set something"""

_UNREAD = "?" * SHORTEST_SECRET

Tree = dict[str, Any]
"""Settings as plain tables, lists and scalars."""


@dataclass(frozen=True, slots=True)
class ConfiguredSource:
    """A source whose adapter was found, and built from its options."""

    settings: SourceSettings
    adapter: Adapter
    options: AdapterConfig = field(default=AdapterConfig(), repr=False)
    """As the adapter has read them, with its secrets"""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A deployment that can be run."""

    settings: Settings
    sources: tuple[ConfiguredSource, ...]
    from_environment: frozenset[str] = field(default=frozenset(), repr=False)
    """What ${NAME} stood for, and what the environment says about sources: not to be printed"""
    folder: FilePath = FilePath()
    """To which the files that it names are relative"""
    warnings: tuple[str, ...] = ()
    """What does not keep it from being used, and is wrong"""
    notes: tuple[str, ...] = ()
    """What may be meant as it is"""
    file: FilePath = FilePath()
    written: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The TOML and the environment as they are, before anything is read out of files or variables that they name"""


def load(file: FilePath, content: bytes | None = None) -> Configuration:
    """Read and check a TOML file, or the `content` that it had. Raises ConfigError with all problems."""
    problems: list[str] = []
    folder = FilePath(os.path.realpath(file)).parent  # resolve() fails at links that lead in a circle
    secret_files: list[FilePath | None] = []
    written = _parsed(file, content)
    environment = _from_environment(problems)
    given = _merged(written, environment)
    tree = _merged(_interpolated(written, problems), environment)
    secret_files += _read_secret_files(tree, folder, problems)
    settings: Settings | None = None
    try:
        settings = Settings(**tree)
    except ValidationError as exc:
        problems += sentences(exc, tree, Settings)
    problems += crosscheck(tree)
    context = {"folder": str(folder), "region": _region(tree), "secret_files": secret_files}
    find = cache(find_adapter)  # which reads about every installed package
    adapters = [_build_adapter(tree, index, find, context, problems) for index in _sources_to_build(tree)]
    if settings is None or problems:
        raise ConfigError([" ".join(problem.split()) for problem in problems])  # one line each, whatever is in them
    built = [adapter for adapter in adapters if adapter is not None]
    named = {os.environ.get(name, "") for name in _VARIABLE.findall(repr(written))}
    from_environment = frozenset({*named, *texts_in(environment.get("sources"))} - {""})
    sources = tuple(ConfiguredSource(one, *parts) for one, parts in zip(settings.sources, built, strict=True))
    models = [settings, *(source.options for source in sources)]
    told = tuple(warnings(file, written, models, filter(None, secret_files)))
    return Configuration(settings, sources, from_environment, folder, told, tuple(notes(settings)), file, given)


def _read_secret_files(tree: Tree, folder: FilePath, problems: list[str]) -> Iterator[FilePath | None]:
    """Put secrets that stand in files into their places in the sections of our own."""
    for path, name in _SECRETS:
        table: Any = tree
        for key in path:
            table = table.get(key) if isinstance(table, dict) else None
        if not isinstance(table, dict):
            continue
        file = None
        try:
            file = read_secret_file(table, name, folder)
        except ValueError as exc:
            problems.append(f"{key_of(path, tree)}: {exc}")
            del table[f"{name}_file"]
            table.setdefault(name, _UNREAD)  # so that it is not told to be missing, too
        if file is not None and name == "tokens":
            table[name] = table[name].split()
        yield file


def _parsed(file: FilePath, content: bytes | None) -> Tree:
    try:
        if content is None and not _comes_to_its_end(file):
            raise ConfigError([f"{file}: is no file - allowed: a readable TOML file"])
        text = (file.read_bytes() if content is None else content).decode("utf-8-sig")
        return tomllib.loads(text.replace("\r\n", "\n").replace("\r", "\n"))
    except OSError as exc:
        raise ConfigError([f"{file}: cannot be read ({exc.strerror}) - allowed: a readable TOML file"]) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError([f"{file}: is not UTF-8 text - allowed: a TOML file"]) from exc
    except (ValueError, RecursionError) as exc:  # also for numbers of 5000 digits
        raise ConfigError([f"{file}: is not TOML ({exc}) - allowed: TOML"]) from exc


def _comes_to_its_end(file: FilePath) -> bool:
    """Tell whether a file can be read without waiting for somebody: a file, or the shell's pipe from a command.

    The latter is what /dev/stdin and <(command) are. It has no name in any folder, so nobody can come to write
    to it later, and a server that reads it once more finds it empty.
    """
    mode = file.stat().st_mode
    return stat.S_ISREG(mode) or (stat.S_ISFIFO(mode) and file.resolve().name.startswith("pipe:["))


def _from_environment(problems: list[str]) -> Tree:
    """Return what the environment sets: TANIMA_SWITCH__DEADLINE is switch.deadline."""
    ours = [variable for variable in os.environ if variable.upper().startswith(PREFIX)]
    if not ours:
        return {}
    from proxy.config.environment import set_by_environment  # noqa: PLC0415 - loads 20 modules for few

    sections = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    allowed = f"{', '.join(sorted(sections))}, and __KEY behind it"
    problems += [
        f"{variable}: is not a setting - allowed: {allowed}"
        for variable in ours
        if variable.startswith(PREFIX) and variable.split("__")[0].upper() not in sections
    ]
    return set_by_environment(PREFIX, problems)


def _merged(tree: Tree, over: Tree) -> Tree:
    merged = dict(tree)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _interpolated(tree: Tree, problems: list[str]) -> Tree:
    """Return the settings with ${NAME} in their texts replaced from the environment."""

    def replaced(node: Any, path: Path) -> Any:  # noqa: ANN401 - any TOML value
        if isinstance(node, dict):
            return {key: replaced(value, (*path, key)) for key, value in node.items()}
        if isinstance(node, list):
            return [replaced(value, (*path, index)) for index, value in enumerate(node)]
        if not isinstance(node, str):
            return node
        missing = sorted({*_VARIABLE.findall(node)} - os.environ.keys())
        told = "which the environment lacks - allowed: a variable that is set"
        problems.extend(f"{key_of(path, tree)}: names ${{{name}}}, {told}" for name in missing)
        return _VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), node)

    return {key: replaced(value, (key,)) for key, value in tree.items()}


def _sources_to_build(tree: Tree) -> Iterator[int]:
    """Yield the places of those sources whose adapter can be looked for, whatever else is wrong."""
    sources = tree.get("sources")
    for index, source in enumerate(sources if isinstance(sources, list) else []):
        table = source if isinstance(source, Mapping) else {}
        if isinstance(table.get("adapter"), str) and table["adapter"] and isinstance(table.get("options", {}), Mapping):
            yield index


def _region(tree: Tree) -> str:
    """Return the home region, as it will be when nothing is wrong with it."""
    switch = tree.get("switch")
    region = switch.get("region") if isinstance(switch, Mapping) else None
    return region if isinstance(region, str) else SwitchSettings.model_fields["region"].get_default()


def _build_adapter(
    tree: Tree,
    index: int,
    find: Callable[[str, FilePath], type[Adapter]],
    context: Mapping[str, Any],
    problems: list[str],
) -> tuple[Adapter, AdapterConfig] | None:
    """Return the adapter of one source with its options, or None and add the problems."""
    source, path = tree["sources"][index], ("sources", index)
    role = source.get("role", "find")
    try:
        adapter_class = find(source["adapter"], FilePath(context["folder"]))
    except ValueError as exc:
        problems.append(f"{key_of((*path, 'adapter'), tree)}: {source['adapter']!r} {exc}")
        return None
    by = _by_of(source)
    if wrong := by - adapter_class.asked_by:
        allowed = ", ".join(sorted(adapter_class.asked_by))
        told = f"this adapter cannot be asked by {min(wrong)} - allowed: {allowed}"
        problems.append(f"{key_of((*path, 'by'), tree)}: {told}")
    if role == "enrich" and not issubclass(adapter_class, Enriching):
        problems.append(f"{key_of((*path, 'role'), tree)}: this adapter cannot enrich - allowed: find")
    try:
        told_of = {"role": role, "by": by, **context}
        options = adapter_class.Config.model_validate(source.get("options", {}), context=told_of)
        return adapter_class(options), options
    except ValidationError as exc:
        problems += sentences(exc, tree, adapter_class.Config, (*path, "options"))
    except ValueError as exc:
        problems.append(f"{key_of((*path, 'options'), tree)}: {exc}")
    except Exception as exc:  # noqa: BLE001 - a stranger's constructor may raise anything
        reason = f"{type(exc).__name__} at {_place_of(exc, adapter_class.__module__)}"
        problems.append(f"{key_of((*path, 'adapter'), tree)}: cannot be built ({reason}) - allowed: a working adapter")
    return None


def _by_of(source: Mapping[str, Any]) -> frozenset[By]:
    """Return what a source is asked by, as it will be when nothing is wrong with it."""
    try:
        return parse_by(source["by"])
    except (KeyError, ValueError):
        return frozenset({By.PHONE_NUMBER})


def _place_of(exc: Exception, module: str) -> str:
    """Return where in a module an error came from: its text may hold anything, also a secret."""
    frames = [*traceback.walk_tb(exc.__traceback__)]
    own = [each for each in frames if each[0].f_globals.get("__name__") == module]
    frame, line = (own or frames)[-1]
    return f"{FilePath(frame.f_code.co_filename).name}:{line}"
