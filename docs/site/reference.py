"""Makes docs/configuration.md out of the settings themselves: `python docs/site/reference.py --write`."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from enum import Enum
from importlib.metadata import entry_points
from inspect import cleandoc, signature
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, PlainValidator, SecretStr
from pydantic.fields import FieldInfo

from proxy.config.described import description_of
from proxy.config.settings import Settings

PAGE = Path(__file__).resolve().parents[1] / "configuration.md"

INTRODUCTION = """\
# Configuration

Every setting, out of the code that reads them: this page is made, not written, and a test compares the two.
[config.example.toml](../config.example.toml) has the same in the order of a call, and
[the README](../README.md#configuration) the smallest one that does something.

"""

RULES = """
## How to read it

* **Environment**: what stands in a single table can be given as a variable, which comes before the TOML:
  `TANIMA_SWITCH__DEADLINE=1` for `deadline` in `[switch]`. `${NAME}` in any text is taken from the environment.
* **Secrets**: each secret `x` may be given as `x_file`: a file, relative to the folder of the TOML, that only the
  server can read.
* **Seconds** everywhere. What is misspelt is refused, with the name that was probably meant; `tanima check` tells all
  at once.
* **Each has an anchor**: `configuration.md#switch.deadline`.
"""

MORE: Mapping[str, str] = {
    "switch": "[when to change what](operation.md#settings)",
    "switch.dialect": "[both forms](dialogue.md#both-forms-on-one-url)",
    "switch.service_url": "[several servers](dialogue.md#repetitions-restarts-several-servers)",
    "switch.deadline": "[measure it](probe.md)",
    "switch.access": "[who may ask](operation.md#who-may-ask), [security](security.md#who-may-ask)",
    "switch.access.trusted_proxies": "[a TLS server in front](operation.md#a-tls-server-in-front)",
    "routing": "[the way of a call](../README.md#the-way-of-a-call)",
    "routing.phrase": "[how a call is put through](dialogue.md#how-a-call-is-put-through)",
    "rules": "[a cookbook](rules.md), [all conditions](../README.md#rules)",
    "rules.target": "[targets](../README.md#targets)",
    "rules.called": "[lines](dialogue.md#lines)",
    "rules.ask": "[steps](dialogue.md#steps)",
    "rules.phrase": "[how a call is put through](dialogue.md#how-a-call-is-put-through)",
    "rules.caller": "[all conditions](../README.md#rules), [withheld and foreign callers](rules.md#withheld-numbers)",
    "tables": "[an extension for each agent](rules.md#the-extension-of-an-agent)",
    "lines": "[lines](dialogue.md#lines), [a line of its own](rules.md#a-line-of-its-own)",
    "steps": "[steps](dialogue.md#steps), [what an answer leads to](dialogue.md#what-an-answer-leads-to)",
    "dialogue": "[guessing](dialogue.md#guessing), [when to change what](operation.md#settings)",
    "hours": "[office hours](rules.md#office-hours-and-holidays)",
    "lookup": "[adapters](../README.md#adapters)",
    "cache": "[when to change what](operation.md#settings), [an outage](operation.md#an-outage-by-the-second)",
    "cache.snapshot": "[snapshot](operation.md#snapshot)",
    "cache.snapshot_key": "[rotating it](operation.md#snapshot)",
    "sources": "[in short](../README.md#adapters), [when to change what](operation.md#settings)",
    "sources.adapter": "[write one](adapters.md)",
    "sources.by": "[dialogues](dialogue.md#steps)",
    "admin": "[when to change what](operation.md#settings), [the console](console.md), [monitoring](monitoring.md)",
    "admin.token": "[who sees what](security.md#who-sees-what)",
    "admin.push_token": "[CRM pushes](monitoring.md#crm-pushes)",
    "static": "[in short](../README.md#static-contacts-from-the-toml)",
    "sql": "[the sql adapter](sql.md)",
    "sql.url": "[connecting](sql.md#connecting)",
    "sql.statement": "[statements](sql.md#statements)",
    "sql.statements": "[statements](sql.md#statements)",
    "sql.literals": "[names that vary](sql.md#names-that-vary-and-procedures)",
    "sql.procedures": "[procedures](sql.md#names-that-vary-and-procedures)",
    "rest": "[the rest adapter](rest.md)",
    "rest.url": "[requests](rest.md#requests)",
    "rest.record": "[reading answers](rest.md#reading-answers)",
    "rest.spellings": "[searching by every spelling](rest.md#searching-by-every-spelling)",
    "rest.each": "[placeholders](rest.md#placeholders)",
    "rest.customer_number": "[asking by a customer number](rest.md#asking-by-a-customer-number)",
    "rest.oauth2": "[logging in](rest.md#logging-in)",
    "rest.login": "[logging in](rest.md#logging-in)",
    "rest.basic": "[logging in](rest.md#logging-in)",
    "rest.header": "[logging in](rest.md#logging-in)",
    "rest.steps": "[asking further](rest.md#asking-further-steps-and-maps)",
    "rest.maps": "[asking further](rest.md#asking-further-steps-and-maps)",
    "rest.throttle": "[manners](rest.md#manners)",
    "rest.rate": "[manners](rest.md#manners)",
    "rest.tls": "[manners](rest.md#manners)",
}
"""Where a section or a setting is told of at length."""

ADAPTERS = ("static", "sql", "rest")

SHORT: Mapping[str, str] = {
    "user/N, ": "a [target](../README.md#targets)",
    "such as items[0]": "JMESPath, such as `items[0].name`",
}
"""What is said in the place of something long that is allowed, by how that begins."""

NAMES: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    date: "a date",
    SecretStr: "a text that is never shown",
    Any: "any value",
}

BOUNDS = {"gt": "above {}", "ge": "at least {}", "lt": "below {}", "le": "at most {}"}


class Undocumented(Exception):
    """A setting or a section has no description, which is its line in the reference."""


def page(settings: type[BaseModel] = Settings) -> str:
    """Return the whole reference. Raises Undocumented."""
    found = [*sections(settings)]
    for adapter in ADAPTERS:
        (announced,) = entry_points(group="tanima.adapters", name=adapter)
        found += [(adapter, announced.load().Config), *sections(announced.load().Config, f"{adapter}.")]
    places: dict[type[BaseModel], str] = {}
    for path, model in found:
        places.setdefault(model, path)
    contents = ["- [How to read it](#how-to-read-it)"]
    contents += [f"- [{_heading(path)}](#{anchor(_heading(path))})" for path in places.values()]
    top = ["| section | |", "|---|---|", *(_top(settings, name, places) for name in settings.model_fields)]
    parts = [INTRODUCTION + "\n".join(contents) + "\n" + RULES, "\n".join(top) + "\n"]
    return "\n".join([*parts, *(_section(path, model, places) for model, path in places.items())])


def sections(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the sections below one, each before those that are in it."""
    for name, field in model.model_fields.items():
        if (below := _model_in(field.annotation)) is not None:
            path = prefix + (field.alias or name)
            yield path, below
            yield from sections(below, f"{path}.")


def anchor(heading: str) -> str:
    """Return by what a heading is linked to, on a code host and on the site."""
    return "".join(c for c in heading.lower() if c.isalnum() or c in "-_ ").replace(" ", "-")


def _heading(path: str) -> str:
    adapter, _, rest = path.partition(".")
    return f"The {adapter} adapter{rest and ': '}{rest}" if adapter in ADAPTERS else path


def _top(settings: type[BaseModel], name: str, places: Mapping[type[BaseModel], str]) -> str:
    model = _model_in(settings.model_fields[name].annotation)
    shown = f"[{name}](#{anchor(_heading(name))})" if model in places else f'<a id="{name}"></a>`{name}`'
    return f"| {shown} | {_described(name, name, settings)} |"


def _section(path: str, model: type[BaseModel], places: Mapping[type[BaseModel], str]) -> str:
    text = model.__dict__.get("__doc__")
    if not text:
        raise Undocumented(f"{path}: the class {model.__name__} has no docstring, which begins its section")
    lines = [f"## {_heading(path)}", "", cleandoc(text)]
    if more := MORE.get(path):
        lines += ["", f"More: {more}."]
    lines += ["", "| setting | allowed | left out | means |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        key = f"{path}.{field.alias or name}"
        below = _model_in(field.annotation)
        allowed = (
            _table(field.annotation, places[below]) if below else _escaped(words(field.annotation, field.metadata))
        )
        cells = [f'<a id="{key}"></a>`{field.alias or name}`', allowed, left_out(field), _described(key, name, model)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _described(key: str, name: str, model: type[BaseModel]) -> str:
    text = description_of(name, model)
    if not text:
        raise Undocumented(f"{key} has no description: write one below it, as a docstring, or into its Field")
    more = MORE.get(key) if _model_in(model.model_fields[name].annotation) is None else None
    return _escaped(" ".join(text.split())) + (f": {more}" if more else "")


def _table(annotation: Any, path: str) -> str:  # noqa: ANN401 - an annotation
    kinds = {get_origin(each) for each in (annotation, *get_args(annotation))}
    kind = "a list of tables" if list in kinds else "tables by name" if dict in kinds else "a table"
    return f"{kind}: [{path}](#{anchor(_heading(path))})"


def words(annotation: Any, metadata: Sequence[Any] = ()) -> str:  # noqa: ANN401 - an annotation
    """Say what may be written, as whoever writes something else is told."""
    kind, inner = get_origin(annotation), [each for each in get_args(annotation) if each is not NoneType]
    if kind is Annotated or (kind in {Union, UnionType} and len(inner) == 1):
        return words(inner[0], [*metadata, *inner[1:]])
    if told := _told_when_wrong(annotation, metadata):
        return told
    if kind in {list, tuple, dict}:
        whole, each = ("a table", words(inner[1])) if kind is dict else ("a list", words(inner[0]))
        return {"a text": f"{whole} of texts", "any value": f"{whole} of any values"}.get(
            each, f"{whole}; each: {each}"
        )
    if kind is Literal:
        return ", ".join(map(str, inner))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(str(each.value) for each in annotation)
    return ", ".join([NAMES.get(annotation) or f"a {annotation.__name__}", *_bounds(metadata)])


def _told_when_wrong(annotation: Any, metadata: Sequence[Any]) -> str:  # noqa: ANN401 - an annotation
    """Return what the last reader of a value says is allowed; empty when none says so."""
    text = SecretStr("\0") if annotation is SecretStr else "\0"
    for validator in metadata:
        read: Callable[[Any], object] | None = getattr(validator, "func", None)
        if isinstance(validator, (PlainValidator, AfterValidator)) and read and len(signature(read).parameters) == 1:
            for wrong in (text, object()) if isinstance(validator, PlainValidator) else (text,):
                with suppress(TypeError):
                    try:
                        read(wrong)
                    except ValueError as exc:
                        told = str(exc).rpartition(" - allowed: ")[2]
                        return next((short for begins, short in SHORT.items() if told.startswith(begins)), told)
    return ""


def _bounds(metadata: Sequence[Any]) -> Iterator[str]:
    flat = [each for one in metadata for each in (one.metadata if isinstance(one, FieldInfo) else [one])]
    for name, phrase in BOUNDS.items():
        yield from (phrase.format(getattr(each, name)) for each in flat if getattr(each, name, None) is not None)
    for each in flat:
        if getattr(each, "min_length", None):
            yield "not empty"
        if getattr(each, "max_length", None):
            yield f"at most {each.max_length} characters"


def left_out(field: FieldInfo) -> str:
    """Say what holds when a setting is left out, as it would be written."""
    if field.is_required():
        return "**must be given**"
    if _model_in(field.annotation) is not None:
        return ""
    return _escaped(_written(field.get_default(call_default_factory=True)))


def _written(value: Any) -> str:  # noqa: ANN401 - any default
    match value:
        case None | [] | () | "":
            written = ""
        case {} if not value:
            written = ""
        case bool():
            written = f"`{str(value).lower()}`"
        case int() | float():
            written = f"{value:g}" if isinstance(value, float) else str(value)
        case Enum():
            written = f"`{value.value}`"
        case (str(host), int(port)):
            written = f"`{host}:{port}`"
        case frozenset() if value == frozenset(range(7)):
            written = "every day"
        case frozenset() | list():
            written = ", ".join(map(_written, value))
        case _:
            written = f"`{getattr(value, 'text', getattr(value, 'template', value))}`"
    return written


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("*.", "\\*.")


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - an annotation
    """Return the section that an annotation such as `list[RuleSettings] | None` is about."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)


if __name__ == "__main__":
    made = page()
    if "--write" in sys.argv:
        PAGE.write_text(made, encoding="utf-8")
    else:
        sys.stdout.write(made)
