"""JMESPath expressions as functions. Most are plain paths, for which its own interpreter takes four times as long."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jmespath

Search = Callable[[Any], Any]
"""Takes JSON, and returns what an expression finds in it"""

_INTERPRETER = jmespath.visitor.TreeInterpreter()
"""One for all searches: each would be one more piece of cyclic garbage."""


def search_of(expression: str) -> Search:
    """Return what an expression finds, as a function. Raises JMESPathError; the function does too."""
    return _search(jmespath.compile(expression).parsed)


def key_of(expression: str) -> str | None:
    """Return the key that an expression is, and nothing else: what `dict.get` finds, it finds. Raises JMESPathError."""
    node = jmespath.compile(expression).parsed
    return node["value"] if node["type"] == "field" else None


def _search(node: Any) -> Search:  # noqa: ANN401, PLR0911 - JMESPath's; one for each kind of node
    """Return what a node of the parsed expression finds."""
    match node["type"]:
        case "field":
            return partial(_field, node["value"])
        case "index":
            return partial(_index, node["value"])
        case "identity" | "current":
            return _itself
        case "subexpression" | "index_expression" | "pipe":
            return partial(_one_after_another, [_search(child) for child in node["children"]])
        case "flatten":
            return partial(_flat, _search(node["children"][0]))
        case "projection":
            return partial(_of_each, *map(_search, node["children"]))
        case "literal":
            return partial(_literal, node["value"])
        case "multi_select_list":
            return partial(_several, [_search(child) for child in node["children"]])
        case "function_expression" if node["value"] == "join":
            separator, texts = map(_search, node["children"])
            return partial(_joined, separator, texts, partial(_INTERPRETER.visit, node))
        case _:
            return partial(_INTERPRETER.visit, node)


def _itself(value: object) -> object:
    return value


def _field(name: str, value: object) -> Any:  # noqa: ANN401 - any JSON
    return value.get(name) if isinstance(value, dict) else None


def _index(place: int, value: object) -> Any:  # noqa: ANN401 - any JSON
    return value[place] if isinstance(value, list) and -len(value) <= place < len(value) else None


def _one_after_another(searches: list[Search], value: object) -> Any:  # noqa: ANN401 - any JSON
    for search in searches:
        value = search(value)
    return value


def _flat(search: Search, value: object) -> list[Any] | None:
    lists = search(value)
    if not isinstance(lists, list):
        return None
    return [each for some in lists for each in (some if isinstance(some, list) else [some])]


def _of_each(search: Search, then: Search, value: object) -> list[Any] | None:
    elements = search(value)
    if not isinstance(elements, list):
        return None
    return [found for each in elements if (found := then(each)) is not None]


def _literal(literal: object, _value: object) -> object:
    return literal


def _several(searches: list[Search], value: object) -> list[Any] | None:
    return None if value is None else [search(value) for search in searches]


def _joined(separator: Search, texts: Search, otherwise: Search, value: object) -> Any:  # noqa: ANN401 - any JSON
    """Return texts with something between them; other values are for the interpreter, which says what is wrong."""
    between, each = separator(value), texts(value)
    if type(between) is str and type(each) is list and all(type(one) is str for one in each):
        return between.join(each)
    return otherwise(value)
