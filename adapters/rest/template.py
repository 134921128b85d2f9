"""Fills placeholders such as {e164} into a request, each time so that a value cannot become anything else."""

import json
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote

from proxy.adapter import AdapterError, Scalar, as_text

PLACEHOLDER = re.compile(r"\{\s*([A-Za-z_]\w*)\s*\}")
"""Other braces stand for themselves, as in the JSON that some CRMs want in a query parameter."""

_ALLOWED_IN_URL = "%:/?[]@!$&'()*+,;="
"""What the operator may write into a URL to mean what it means there."""

Values = Mapping[str, Scalar]


def names_in(template: object) -> set[str]:
    """Return the placeholders in a text, or in all texts of a table or list."""
    if isinstance(template, str):
        return set(PLACEHOLDER.findall(template))
    if isinstance(template, Mapping):
        return set().union(*map(names_in, template.values()))
    if isinstance(template, Sequence):
        return set().union(*map(names_in, template))
    return set()


def filled_path(template: str, query: Mapping[str, str], values: Values) -> str:
    """Return path and query, percent-encoded. Raises AdapterError when a value would lead to another path."""
    pieces = PLACEHOLDER.split(template)  # text, name, text, name, ..., text
    pieces[::2] = [quote(piece, safe=_ALLOWED_IN_URL) for piece in pieces[::2]]
    pieces[1::2] = [_encoded(as_text(values[name])) for name in pieces[1::2]]
    path = "".join(pieces)
    if not path.startswith("/"):
        path = "/" + path
    if not {".", ".."}.isdisjoint(re.split(r"[/\\]", unquote(path.partition("?")[0]))):
        raise AdapterError("a value would change the path of the request")
    added = "&".join(f"{_encoded(name)}={_encoded(filled_text(text, values))}" for name, text in query.items())
    if not added:
        return path
    return path + ("&" if "?" in path else "?") + added


def filled_header(template: str, values: Values) -> str:
    """Return a header's value. Raises AdapterError when it has line breaks or the like."""
    text = filled_text(template, values)
    if not text.isprintable():
        raise AdapterError("a field of the contact has characters that a header must not have")
    return text


def filled_body(template: object, values: Values) -> bytes:
    """Return a body of JSON. A text that is one placeholder and nothing else becomes what the field is."""
    return json.dumps(_filled(template, values)).encode()


def filled_text(template: str, values: Values) -> str:
    """Return a text with its placeholders filled, and nothing encoded."""
    return PLACEHOLDER.sub(lambda found: as_text(values[found[1]]), template)


def _filled(node: object, values: Values) -> object:
    if isinstance(node, str):
        alone = PLACEHOLDER.fullmatch(node)
        return values[alone[1]] if alone else filled_text(node, values)
    if isinstance(node, Mapping):
        return {name: _filled(value, values) for name, value in node.items()}
    if isinstance(node, Sequence):
        return [_filled(value, values) for value in node]
    return node


def _encoded(value: str) -> str:
    return quote(value, safe="", errors="replace")
