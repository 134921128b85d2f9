"""What does not keep a configuration from being used, and is wrong: secrets that everybody can read."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

from proxy.secret_files import is_readable_by_everybody

SECRET_WORD = r"(?i:key|token|secret|passw|pwd|auth|session|signature|cookie|credential|webhook)"  # noqa: S105 - no secret

SECRET_NAME = re.compile(SECRET_WORD)
"""Parameters and headers that are secrets, whatever else an adapter hides."""

_SECRET_IN_A_URL = re.compile(
    r"://[^/?#@]*:[^/?#@]+@"  # user:password@
    rf"|\?.*{SECRET_WORD}[^=&%{{]*(?:=|%3[dD])[^&%{{]"  # ?key=...
    r"|^https?://[^/]+/(?:.*/)?(?=[\w-]*[0-9])(?=[\w-]*[A-Za-z])[\w-]{12,}(?:[/?#]|$)",  # a code, as of a webhook
    re.ASCII,
)

_NO_SECRET = frozenset({str, int, float, bool, type(None)})
"""What most values are: they are looked through in no time."""

_PLACEHOLDER = re.compile(r"\{[^{}]*\}")


def warnings(file: Path, written: Any, models: Iterable[BaseModel], secret_files: Iterable[Path]) -> Iterator[str]:  # noqa: ANN401 - any TOML value
    """Yield a line for each file that holds a secret and that everybody can read.

    `written` is the TOML before names are replaced in it, and `models` are the settings as they have been read.
    """
    literals = {*texts_in(written)} - {""}
    secrets = {secret for model in models for secret in secrets_in(model)}
    with_secrets = [file] if secrets & literals else []
    for each in dict.fromkeys([*with_secrets, *secret_files]):
        if is_readable_by_everybody(each):
            yield f"{each} can be read by everybody on this machine, and holds a secret - better: chmod 600"


def texts_in(node: Any) -> Iterator[str]:  # noqa: ANN401 - any value
    """Yield the texts at any depth of tables and lists."""
    if isinstance(node, str):
        yield str(node)
    for below in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ():
        yield from texts_in(below)


def secrets_in(model: BaseModel) -> Iterator[str]:
    """Yield the secrets at any depth of a model."""
    for name, value in model:
        field = type(model).model_fields.get(name)
        is_table_of_secrets = field is not None and SecretStr in get_args(field.annotation)[1:]
        yield from _secrets_at(name, value, declared=is_table_of_secrets or not isinstance(value, Mapping))


def _secrets_at(name: str, node: object, *, declared: bool) -> Iterator[str]:
    if type(node) in _NO_SECRET:
        return
    if isinstance(node, SecretStr):
        text = node.get_secret_value()
        if "://" in text or name.endswith("url"):
            is_secret = bool(_SECRET_IN_A_URL.search(text))
        else:
            rest = _PLACEHOLDER.sub("", text)
            is_secret = bool(rest) if declared else rest == text and bool(SECRET_NAME.search(name))
        if is_secret:
            yield text
    elif isinstance(node, BaseModel):
        yield from secrets_in(node)
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from _secrets_at(str(key), value, declared=declared)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for value in node:
            yield from _secrets_at(name, value, declared=declared)
