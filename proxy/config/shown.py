"""The configuration that counts, for a person: as it was written, filled up with what was left out, without secrets."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from pydantic import BaseModel, SecretStr

from proxy.config.doubts import secrets_in
from proxy.config.load import Configuration
from proxy.config.masks import MASK, shown, without_secret
from proxy.config.plain import lines_of, routing_of
from proxy.config.routes import MannerSettings, RuleSettings
from proxy.rules import Rule, overshadowed

Path = tuple[str, ...]

OPTIONS = ("sources", "name", "options")
"""Path of what an adapter wants to know"""


class Shown:
    """Settings as plain tables, lists and scalars, and the keys that were written, as `switch.default`."""

    def __init__(self, configuration: Configuration) -> None:
        models = [configuration.settings, *(source.options for source in configuration.sources)]
        self._secrets = {secret for model in models for secret in secrets_in(model)}
        self._ours = {each.settings.name for each in configuration.sources if _is_ours(each.options)}
        self._written: set[str] = set()
        sections = self._table(configuration.settings, configuration.written, ())
        for table, written, source in zip(
            sections["sources"], configuration.written.get("sources", []), configuration.sources, strict=False
        ):
            options = written.get("options", {})
            table["options"] = self._table(source.options, options, ("sources", source.settings.name, "options"))
        self.sections: Mapping[str, Any] = sections
        self.written = frozenset(self._written)

    def _table(self, model: BaseModel, written: Mapping[str, Any], path: Path) -> dict[str, Any]:
        table: dict[str, Any] = {}
        for name, value in model:
            if name in written:
                table[name] = self._as_written(value, written[name], (*path, name))
            elif f"{name}_file" not in written:
                table[name] = self._plain(value, (*path, name))
        more = {name: value for name, value in written.items() if name not in table}
        self._written |= {".".join((*path, name)) for name in more}
        return table | {name: self._masked(value, (*path, name)) for name, value in more.items()}

    def _as_written(self, value: Any, written: Any, path: Path) -> Any:  # noqa: ANN401 - any TOML value
        if isinstance(value, BaseModel) and isinstance(written, Mapping):
            return self._table(value, written, path)
        if isinstance(value, Mapping) and isinstance(written, Mapping):
            return {key: self._as_written(value.get(key), below, (*path, str(key))) for key, below in written.items()}
        is_list_of_tables = isinstance(value, list) and value and isinstance(value[0], BaseModel)
        if is_list_of_tables and isinstance(written, list) and "options" not in path:  # those may be thousands
            pairs = zip(value, written, strict=False)
            return [self._as_written(one, below, (*path, str(getattr(one, "name", "")))) for one, below in pairs]
        self._written.add(".".join(path))
        return self._masked(written, path)

    def _plain(self, value: Any, path: Path) -> Any:  # noqa: ANN401 - any value
        """Return what is left out as it would be written."""
        match value:
            case BaseModel():
                plain: Any = self._table(value, {}, path)
            case SecretStr():
                plain = MASK
            case Mapping():
                plain = {str(key): self._plain(below, (*path, str(key))) for key, below in value.items()}
            case set() | frozenset():
                plain = sorted(str(self._plain(each, path)) for each in value)
            case (str(host), int(port)):
                plain = f"{host}:{port}"
            case list() | tuple():
                plain = [self._plain(each, path) for each in value]
            case Enum():
                plain = value.value
            case _:
                text = value if _is_scalar(value) else str(getattr(value, "text", getattr(value, "template", value)))
                plain = self._text(text, path) if isinstance(text, str) else text
        return plain

    def _masked(self, value: Any, path: Path) -> Any:  # noqa: ANN401 - any TOML value
        if isinstance(value, Mapping):
            return {str(key): self._masked(below, (*path, str(key))) for key, below in value.items()}
        if isinstance(value, list):
            return [self._masked(below, path) for below in value]
        if isinstance(value, str):
            return without_secret(value) if value in self._secrets else self._text(value, path)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            text = self._text(str(value), path)
            return value if text == str(value) else text
        return value if _is_scalar(value) else str(value)

    def _text(self, text: str, path: Path) -> str:
        """Return what may be shown of a text; below a source, what is above it counts from its options on."""
        is_of_a_source = path[:1] == ("sources",) and len(path) > len(OPTIONS)
        keys = path[len(OPTIONS) :] if is_of_a_source else ()
        return shown(str(text), keys, is_ours=is_of_a_source and path[1] in self._ours)


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))


def _is_ours(options: BaseModel) -> bool:
    return type(options).__module__.split(".")[0] == "adapters"


def rules_of(configuration: Configuration) -> Iterator[tuple[str, Rule, Mapping[str, Any], str]]:
    """Yield the rules in force, with the name of their line, their conditions as written, and why one never matches."""
    settings, written = configuration.settings, configuration.written
    yield from _rules_of("", routing_of(settings).rules, written.get("rules", []))
    of_lines = {routing.line: routing for routing in lines_of(settings).values()}
    for line, table in zip(settings.lines, written.get("lines", []), strict=False):
        if line.rules is not None:
            yield from _rules_of(line.name, of_lines[line.name].rules, table["rules"])


def heirs_of(line: str, configuration: Configuration) -> tuple[str, ...]:
    """Return the lines for which those rules count too: of those of no line, all that have none of their own."""
    return () if line else tuple(each.name for each in configuration.settings.lines if each.rules is None)


def _rules_of(line: str, rules: Sequence[Rule], written: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    never = overshadowed(rules)
    for rule, table in zip(rules, written, strict=True):
        yield line, rule, {key: table[key] for key in table if key in CONDITIONS}, never.get(rule.name, "")


CONDITIONS = RuleSettings.model_fields.keys() - MannerSettings.model_fields.keys() - {"name", "ask", "target"}
