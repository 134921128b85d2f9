"""What does not keep a configuration from being used, and should still be told: warnings and notes."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

from proxy.config.routes import MannerSettings
from proxy.config.settings import Settings, SourceSettings
from proxy.keys import By
from proxy.secret_files import is_readable_by_everybody

_SECRET_WORD = r"(?i:key|token|secret|passw|pwd|auth|session|signature|cookie|credential|webhook)"  # noqa: S105 - words

_SECRET_NAME = re.compile(_SECRET_WORD)
"""Parameters and headers that are secrets, whatever else an adapter hides."""

_SECRET_IN_A_URL = re.compile(
    r"://[^/?#@]*:[^/?#@]+@"  # user:password@
    rf"|\?.*{_SECRET_WORD}[^=&%{{]*(?:=|%3[dD])[^&%{{]"  # ?key=...
    r"|^https?://.*/(?=[\w-]*[0-9])(?=[\w-]*[A-Za-z])[\w-]{12,}(?:/|$)",  # a code in a path, as of a webhook
    re.ASCII,
)

_ONLY_IN_DIALOGUES = ("phrase", "language", "announcement_to_caller", "announcement_to_callee", "recording")

_PLACEHOLDER = re.compile(r"\{[^{}]*\}")


def warnings(file: Path, written: Any, models: Iterable[BaseModel], secret_files: Iterable[Path]) -> Iterator[str]:  # noqa: ANN401 - any TOML value
    """Yield a line for each file that holds a secret and that everybody can read.

    `written` is the TOML before names are replaced in it, and `models` are the settings as they have been read.
    """
    literals = {*texts_in(written)} - {""}
    secrets = {secret for model in models for secret in _secrets_in(model)}
    with_secrets = [file] if secrets & literals else []
    for each in dict.fromkeys([*with_secrets, *secret_files]):
        if is_readable_by_everybody(each):
            yield f"{each} can be read by everybody on this machine, and holds a secret - better: chmod 600"


def notes(settings: Settings) -> Iterator[str]:
    """Yield a line when the sources' limits are longer than a call waits, and when a dialect cannot say everything."""
    yield from _too_long(settings)
    yield from _unsaid(settings)


def _too_long(settings: Settings) -> Iterator[str]:
    finding = [source for source in settings.sources if source.role == "find"]
    by_kind = [[_longest(source) for source in finding if kind in source.by] for kind in By]
    enriching = [_longest(source) for source in settings.sources if source.role == "enrich"]
    parallel, deadline = settings.lookup.parallel, settings.switch.deadline
    together = round(max(max(each, default=0) if parallel else sum(each) for each in by_kind) + sum(enriching), 3)
    if together > deadline:
        better = "fewer attempts, shorter timeouts" + (
            ", lookup.parallel" if max(map(len, by_kind)) > 1 and not parallel else ""
        )
        yield (
            f"sources may take {together:g} s together, more than switch.deadline ({deadline:g}): "
            f"a call does not wait for the rest - better: {better} or a longer deadline"
        )


def _unsaid(settings: Settings) -> Iterator[str]:
    """Yield a line with what is left out where the switch asks in the form of Müşteri Tanıma."""
    if settings.switch.dialect == "santral-programlama":
        return
    rules = [(f"rules.{rule.name}", rule) for rule in settings.rules]
    manners: list[tuple[str, MannerSettings]] = [("routing", settings.routing)]
    for line in settings.lines:
        manners.append((f"lines.{line.name}.routing", line.routing))
        rules += [(f"lines.{line.name}.rules.{rule.name}", rule) for rule in line.rules or ()]
    left_out = [f"lines.{line.name}" for line in settings.lines]
    left_out += [f"steps.{name}" for name in settings.steps]
    for place, manner in (*manners, *rules):
        left_out += [f"{place}.{name}" for name in _ONLY_IN_DIALOGUES if getattr(manner, name) is not None]
    for place, rule in rules:
        left_out += [f"{place}.{name}" for name in ("ask", "called") if getattr(rule, name) is not None]
        if rule.target is not None and rule.target.literal is not None and rule.target.literal.kind == "tts":
            left_out.append(f"{place}.target")
    left_out += [f"routing.{name}" for name in ("unknown", "withheld", "internal") if _speaks(settings, name)]
    if left_out:
        yield f"a switch that asks in the form of musteri-tanima is not told: {', '.join(left_out)}"


def _speaks(settings: Settings, name: str) -> bool:
    target = getattr(settings.routing, name)
    return target is not None and target.kind == "tts"


def _longest(source: SourceSettings) -> float:
    """Return how long a source may take about one number, with all its attempts and the waits between them."""
    waits = (source.wait_initial * 2.0**number + source.wait_jitter for number in range(source.attempts - 1))
    return source.attempts * source.timeout + sum(min(wait, source.wait_max) for wait in waits)


def texts_in(node: Any) -> Iterator[str]:  # noqa: ANN401 - any value
    """Yield the texts at any depth of tables and lists."""
    if isinstance(node, str):
        yield str(node)
    for below in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ():
        yield from texts_in(below)


def _secrets_in(model: BaseModel) -> Iterator[str]:
    """Yield the secrets at any depth of a model."""
    for name, value in model:
        field = type(model).model_fields.get(name)
        is_table_of_secrets = field is not None and SecretStr in get_args(field.annotation)[1:]
        yield from _secrets_at(name, value, declared=is_table_of_secrets or not isinstance(value, Mapping))


def _secrets_at(name: str, node: object, *, declared: bool) -> Iterator[str]:
    if isinstance(node, SecretStr):
        text = node.get_secret_value()
        if "://" in text or name.endswith("url"):
            is_secret = bool(_SECRET_IN_A_URL.search(text))
        else:
            is_secret = (declared or bool(_SECRET_NAME.search(name))) and not _PLACEHOLDER.search(text)
        if is_secret:
            yield text
    elif isinstance(node, BaseModel):
        yield from _secrets_in(node)
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from _secrets_at(str(key), value, declared=declared)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for value in node:
            yield from _secrets_at(name, value, declared=declared)
