"""Turns pydantic's errors into the operator's lines: `key: what is wrong - what is allowed`."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from proxy.config.described import description_of

Path = tuple[str | int, ...]

LARGEST_SHOWN = 1e15
"""A number beyond this is not repeated to the operator."""

_ABOUT_NUMBERS = frozenset(
    {
        "greater_than",
        "greater_than_equal",
        "less_than",
        "less_than_equal",
        "finite_number",
        "int_from_float",
        "int_type",
    }
)
"""Errors of what is a number by its kind: only there is a number shown, elsewhere it may be a password."""

_OF_A_KEY = "[key]"
"""What pydantic puts behind a key of a table when the key itself is wrong."""

_NAMED = frozenset({"rules", "sources", "lines"})
"""Lists whose places are known by their names. Others may hold a customer's name, which no message has."""

_TYPE_NAMES: Sequence[tuple[type | tuple[type, ...], str]] = (
    (bool, "true/false"),
    (str, "a text"),
    ((int, float), "a number"),
    (Mapping, "a table"),
    (list, "a list"),
)

_ALLOWED: Mapping[str, str] = {
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "string_too_long": "a text of at most {max_length} characters",
    "string_pattern_mismatch": "a text that matches {pattern}",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "too_short": "at least {min_length}",
    "too_long": "at most {max_length}",
    "greater_than": "above {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "below {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "date_type": "a date, such as 2026-12-31",
    "date_parsing": "a date, such as 2026-12-31",
    "date_from_datetime_parsing": "a date, such as 2026-12-31",
}


def sentences(exc: ValidationError, tree: Mapping[str, Any], model: type[BaseModel], prefix: Path = ()) -> list[str]:
    """Return one line for each error. `tree` is the whole configuration; `prefix` leads to what was validated."""
    return [
        f"{key_of((*prefix, *error['loc']), tree)}: {_sentence(error, model)}"
        for error in exc.errors(include_url=False)
    ]


def key_of(path: Path, tree: Mapping[str, Any]) -> str:
    """Return how an operator finds a place: `sources.crm.options.url`, with names for places in lists."""
    words: list[str] = []
    node: Any = tree
    for step in path:
        if step == _OF_A_KEY:
            continue
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            node = None
        in_a_list = isinstance(step, int) and isinstance(node, Mapping) and path[0] in _NAMED
        has_name = in_a_list and words[-1] in _NAMED and len(words) in {1, 3}
        name = node.get("name") if has_name else None
        words.append(name if isinstance(name, str) and name else str(step + 1 if isinstance(step, int) else step))
    return ".".join(words)


def _sentence(error: ErrorDetails, model: type[BaseModel]) -> str:
    kind = error["type"]
    if kind in {"value_error", "assertion_error"}:
        message = str(error["ctx"]["error"])
        return message if " - allowed: " in message else f"is refused ({message}) - allowed: see the adapter's options"
    if kind == "extra_forbidden":
        return _not_a_setting(str(error["loc"][-1]), _model_at(model, error["loc"][:-1]))
    if kind == "missing":
        return f"is missing - allowed: {_wanted(str(error['loc'][-1]), _model_at(model, error['loc'][:-1]))}"
    bounds = {name: f"{bound:g}" if isinstance(bound, float) else bound for name, bound in error.get("ctx", {}).items()}
    allowed = _ALLOWED[kind].format_map(bounds) if kind in _ALLOWED else error["msg"]
    return f"{_what_is_there(error)} - allowed: {allowed}"


def _what_is_there(error: ErrorDetails) -> str:
    """Say what was found, without the content of texts: it may be a secret, except where a word was to be chosen."""
    kind, value = error["type"], error["input"]
    if isinstance(value, str) and kind in {"literal_error", "enum"}:
        return f"is {value!r:.40}"
    if isinstance(value, (int, float)) and not isinstance(value, bool) and kind in _ABOUT_NUMBERS:
        return f"is {value}" if abs(value) < LARGEST_SHOWN else "is a number beyond all bounds"
    if kind.startswith(("too_", "string_too_")):
        return f"has a length of {len(value)}"
    return "is " + next((name for types, name in _TYPE_NAMES if isinstance(value, types)), "something else")


def _wanted(name: str, model: type[BaseModel] | None) -> str:
    for field_name, field in (model.model_fields if model else {}).items():
        if model and (field.alias or field_name) == name and (text := description_of(field_name, model)):
            first, rest = text[0], text[1:]
            return (first if rest[:1].isupper() else first.lower()) + rest
    return "a value"


def _not_a_setting(name: str, model: type[BaseModel] | None) -> str:
    names = [field.alias or name for name, field in model.model_fields.items()] if model else []
    if not names:
        return "is not a setting - allowed: none here"
    near = get_close_matches(name, names, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"is not a setting{hint} - allowed: {', '.join(names)}"


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """Return the section at a place below `model`; steps into lists and tables stay in the same section."""
    section: type[BaseModel] | None = model
    for step in path:
        if section is None:
            return None
        fields = {field.alias or name: field for name, field in section.model_fields.items()}
        if isinstance(step, str) and step in fields:
            section = _section_in(fields[step].annotation)
    return section


def _section_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - an annotation can be anything
    """Return the section that an annotation such as `list[RuleSettings] | None` is about."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_section_in, get_args(annotation))), None)
