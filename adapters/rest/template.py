"""Fills placeholders such as {e164} into a request, each time so that a value cannot become anything else.

A placeholder is a name; or several names and 'texts' joined by +; and then filters, each after a |:

    {e164}   {subscriber | mask('(###) ### ## ##')}   {numbers | soql | join("','")}   {user + ':' + key | base64}

Other braces stand for themselves, as in the JSON that some CRMs want in a query parameter; `{'{x}'}` is {x}.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, unquote

from adapters.rest.filters import Filter, Shown, filter_of
from proxy.adapter import AdapterError, Scalar, as_text

_TERM = r"(?:[A-Za-z_]\w*|'[^']*')"
_ARGUMENT = r"(?:\d+|'[^']*'|\"[^\"]*\")"
_FILTER = rf"\|\s*(\w+)\s*(?:\(\s*({_ARGUMENT}?)\s*\))?\s*"
_PLACEHOLDER = re.compile(
    rf"\{{\s*(?P<terms>{_TERM}(?:\s*\+\s*{_TERM})*)\s*(?P<filters>(?:\|\s*\w+\s*(?:\(\s*{_ARGUMENT}?\s*\))?\s*)*)\}}",
    re.ASCII,
)
_BROKEN = re.compile(rf"\{{\s*{_TERM}\s*[|+][^{{}}]*\}}?", re.ASCII)
"""What was surely meant as a placeholder."""

_ALLOWED_IN_URL = "%:/?[]@!$&'()*+,;="
"""What the operator may write into a URL to mean what it means there."""

Value = Scalar | list[str]
Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One placeholder of a template."""

    terms: tuple[str, ...]
    """Names, and texts in quotes"""
    filters: tuple[Filter, ...]
    written: str = field(default="", compare=False)
    """As it stands in the template"""

    @property
    def names(self) -> frozenset[str]:
        """The names in it."""
        return frozenset(term for term in self.terms if not term.startswith("'"))

    @property
    def makes_one_text(self) -> bool:
        """Whether a list among its values is joined."""
        return any(each.change is None for each in self.filters)

    def value(self, values: Values) -> Value:
        """Return what it stands for; of its own type when there is one name and nothing else."""
        if not self.filters and len(self.terms) == 1 and self.terms[0] in values:
            return values[self.terms[0]]
        parts = [term[1:-1] if term.startswith("'") else values[term] for term in self.terms]
        if len(parts) == 1 and (not self.filters or isinstance(parts[0], list)):
            value: Value = parts[0]
        else:
            value = _joined(parts)
        for change in self.filters:
            value = change(value if isinstance(value, (str, list)) else as_text(value))
        return value


@dataclass(frozen=True, slots=True)
class Template:
    """A text with placeholders, taken apart: text, placeholder, text, ..., text."""

    pieces: tuple[str | Placeholder, ...]

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """Those of its pieces that are placeholders."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Placeholder))

    @property
    def is_one_placeholder(self) -> bool:
        """Whether there is nothing but one placeholder, so that its value keeps its type in JSON."""
        return len(self.placeholders) == 1 and self.pieces[::2] == ("", "")

    def filled(self, values: Values, encode: Callable[[str], str]) -> str:
        """Return the text. `encode` is done to each value."""
        return _put_together(self.pieces, values, encode)


@lru_cache(maxsize=4096)
def read_template(text: str) -> Template:
    """Take a text apart. Raises ValueError when something in it is no placeholder and was meant as one."""
    pieces: list[str | Placeholder] = []
    end = 0
    for match in _PLACEHOLDER.finditer(text):
        pieces += [_checked(text[end : match.start()]), _placeholder(match)]
        end = match.end()
    return Template((*pieces, _checked(text[end:])))


@lru_cache(maxsize=4096)
def _read_encoded(text: str, safe: str = "") -> Template:
    """Take a text apart whose own characters are percent-encoded for a URL, but for those that are `safe`."""
    return Template(
        tuple(
            quote(piece, safe, errors="replace") if isinstance(piece, str) else piece
            for piece in read_template(text).pieces
        )
    )


def templates_in(node: object) -> Iterator[Template]:
    """Yield the templates in a text, or in all texts of a table or list."""
    if isinstance(node, str):
        yield read_template(node)
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from templates_in(value)
    elif isinstance(node, Sequence):
        for value in node:
            yield from templates_in(value)


def names_in(node: object) -> set[str]:
    """Return the names of the placeholders in a text, or in all texts of a table or list. Raises ValueError."""
    return {name for template in templates_in(node) for each in template.placeholders for name in each.names}


class Target:
    """Path and query of a request, taken apart once. Parameters that are tables or lists become JSON."""

    def __init__(self, path: str, query: Mapping[str, object]) -> None:
        first, *rest = _read_encoded(path, _ALLOWED_IN_URL).pieces
        begins = str(first) if str(first).startswith("/") else f"/{first}"
        has_query = any("?" in piece for piece in (begins, *rest) if isinstance(piece, str))
        self._pieces = (begins, *rest, *_pair_pieces(query, "&" if has_query else "?"))
        self._is_fixed = not rest or "?" in begins
        """No value stands in the path"""
        self._leads_astray = _leads_astray(begins)

    def filled(self, values: Values) -> str:
        """Return them percent-encoded. Raises AdapterError when a value would lead to another path."""
        text = _put_together(self._pieces, values, _quoted)
        if self._leads_astray if self._is_fixed else _leads_astray(text):
            raise AdapterError("a value would change the path of the request")
        return text


def filled_path(template: str, query: Mapping[str, object], values: Values) -> str:
    """Return path and query. Raises AdapterError when a value would lead to another path."""
    return Target(template, query).filled(values)


def filled_pairs(pairs: Mapping[str, object], values: Values) -> str:
    """Return names and values as in a URL's query, or in a form."""
    return _put_together([*_pair_pieces(pairs)], values, _quoted)


def filled_header(template: str, values: Values) -> str:
    """Return a header's value. Raises AdapterError when it has line breaks or the like."""
    text = read_template(template).filled(values, str)
    if not text.isprintable():
        raise AdapterError("a field of the contact has characters that a header must not have")
    return text


def filled_json(template: object, values: Values) -> str:
    """Return a table or list as JSON. A text that is one placeholder and nothing else becomes what the field is."""
    return json.dumps(_filled(template, values))


def _placeholder(match: re.Match[str]) -> Placeholder:
    filters = tuple(filter_of(name, argument or None) for name, argument in re.findall(_FILTER, match["filters"]))
    return Placeholder(tuple(re.findall(_TERM, match["terms"])), filters, match[0])


def _checked(text: str) -> str:
    if (broken := _BROKEN.search(text)) is not None:
        raise ValueError(
            f"has {broken[0]:.60}, which cannot be read - allowed: {{name}}, {{name + 'text'}}, {{name | filter}} or "
            "{name | filter('...')}"
        )
    return text


def _joined(parts: Sequence[Value]) -> str:
    texts = ["".join(part) if isinstance(part, list) else as_text(part) for part in parts]
    whole = "".join(texts)
    return Shown(whole) if any(isinstance(part, Shown) for part in parts) else whole


def _encoded(value: Value, encode: Callable[[str], str]) -> str:
    if isinstance(value, Shown):
        return value
    return encode(",".join(value) if isinstance(value, list) else as_text(value))


def _leads_astray(path: str) -> bool:
    """Tell whether a server may take a path, percent-encoded, for another one."""
    plain = unquote(path.partition("?")[0])
    parts = re.split(r"[/\\]", plain) if "." in plain else ()
    return any(part.partition(";")[0] in {".", ".."} for part in parts)  # some servers take off what is behind a ;


def _pair_pieces(pairs: Mapping[str, object], before: str = "") -> Iterator["_Piece"]:
    for name, value in pairs.items():
        yield f"{before}{_quoted(name)}="
        yield from _read_encoded(value).pieces if isinstance(value, str) else (_Json(value),)
        before = "&"


@dataclass(frozen=True, slots=True)
class _Json:
    """A table or list in a URL or a form."""

    node: object

    def value(self, values: Values) -> str:
        return json.dumps(_filled(self.node, values), separators=(",", ":"))


_Piece = str | Placeholder | _Json


def _put_together(pieces: Sequence[_Piece], values: Values, encode: Callable[[str], str]) -> str:
    return "".join([piece if isinstance(piece, str) else _encoded(piece.value(values), encode) for piece in pieces])


def _filled(node: object, values: Values) -> object:
    if isinstance(node, str):
        template = read_template(node)
        if template.is_one_placeholder:
            return template.placeholders[0].value(values)
        return template.filled(values, str)
    if isinstance(node, Mapping):
        return {name: _filled(value, values) for name, value in node.items()}
    if isinstance(node, Sequence):
        return [_filled(value, values) for value in node]
    return node


def _quoted(value: str) -> str:
    sign, rest = ("%2B", value[1:]) if value.startswith("+") else ("", value)  # as numbers do; `quote` takes long
    return sign + rest if rest.isascii() and rest.isalnum() else quote(value, safe="", errors="replace")
