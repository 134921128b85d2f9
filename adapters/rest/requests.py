"""One request as the TOML writes it: the search, a step behind it, a log-in, a map."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

import jmespath
import jmespath.functions
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from adapters.rest.filters import can_stand_between
from adapters.rest.template import (
    Target,
    Values,
    filled_header,
    filled_json,
    filled_pairs,
    filled_path,
    names_in,
    read_template,
    templates_in,
)
from adapters.rest.urls import is_relative, origin_of, split_url
from proxy.adapter import AdapterConfig, AdapterError, SecretStr, as_text

_QUOTE = re.compile(r"\\*['\"]")
"""With a backslash before it, it stands in a text that is itself between quotes."""
FUNCTIONS: Mapping[str, Any] = jmespath.functions.Functions.FUNCTION_TABLE
_NEGATED_PATH = re.compile(r"!([A-Za-z_]\w*)\.(\w+)")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OUR_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-length", "content-type", "host", "transfer-encoding"}
)


def _compiles(expression: str) -> str:
    try:
        parsed = jmespath.compile(expression).parsed
    except JMESPathError as exc:
        raise ValueError(
            'is no JMESPath expression - allowed: such as items[0].name, with odd keys in quotes: "a.b".name'
        ) from exc
    for name, count in _calls_in(parsed):
        if name not in FUNCTIONS:
            raise ValueError(f"uses the function {name}(), which is none - allowed: {', '.join(sorted(FUNCTIONS))}")
        signature = FUNCTIONS[name]["signature"]
        if count != len(signature) and not (count > len(signature) and signature[-1].get("variadic")):
            raise ValueError(f"gives {name}() {count} values - allowed: {len(signature)}")
    if (negated := _NEGATED_PATH.search(expression)) is not None:
        raise ValueError(
            f"has {negated[0]}, of which JMESPath negates {negated[1]} alone - allowed: !({negated[1]}.{negated[2]})"
        )
    return expression


def _calls_in(node: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the functions that an expression calls, with how many values each gets."""
    if node["type"] == "function_expression":
        yield node["value"], len(node["children"])
    for child in node["children"]:
        if isinstance(child, dict) and "type" in child:
            yield from _calls_in(child)


def _can_be_set(header: str) -> str:
    if not _HEADER_NAME.fullmatch(header) or header.lower() in _OUR_HEADERS:
        raise ValueError(f"names {header!r:.40}, which cannot be set - allowed: the CRM's headers, such as X-Api-Key")
    return header


def _is_readable(template: SecretStr) -> SecretStr:
    names_in(template.get_secret_value())
    return template


def _hidden(value: object) -> "SecretStr | SecretTree":
    """Hide a text, or all texts in a table or list; true and 5 are the texts `true` and `5` where they stand alone."""
    names_in(value)
    if isinstance(value, (dict, list)):
        _refuse_what_json_lacks(value)
        return SecretTree(value)
    if isinstance(value, (str, int, float)):
        return SecretStr(as_text(value))
    raise ValueError("is no value of a parameter - allowed: a text, a number, true/false, or a table or list for JSON")


def _refuse_what_json_lacks(value: object) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as exc:
        raise ValueError("has a value that JSON has not - allowed: texts, numbers, true/false, tables, lists") from exc


@dataclass(frozen=True, slots=True)
class SecretTree:
    """A table or list for JSON, which is not shown: there are CRMs that want their keys in it."""

    content: Any = field(repr=False)


HeaderName = Annotated[str, AfterValidator(_can_be_set)]
Expression = Annotated[str, AfterValidator(_compiles)]
Text = Annotated[
    SecretStr,
    BeforeValidator(lambda value: as_text(value) if isinstance(value, (int, float)) else value),
    AfterValidator(_is_readable),
]
"""A text, number or true/false. Parameters and headers are secrets, as there are CRMs that want their keys in them."""

Parameter = Annotated[Any, BeforeValidator(_hidden)]
"""The same, or a table or list that is sent as JSON."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be sent."""

    method: str
    url: str
    """Encoded"""
    headers: Mapping[str, str]
    body: bytes | None = None


class RequestOptions(AdapterConfig):
    """What is sent. Its texts are templates."""

    method: Literal["GET", "POST"] = Field(default="GET", description="How it is sent; body and form go with POST")
    url: SecretStr = Field(description="http or https, placeholders in path and query only")
    query: dict[str, Parameter] = Field(
        default={}, description="Parameters that are added to the URL, encoded; tables and lists as JSON"
    )
    headers: dict[str, Text] = Field(default={}, description="Headers that are added to the request")
    body: Any = Field(default=None, repr=False, description="Sent as JSON, with POST")
    form: dict[str, Parameter] | None = Field(
        default=None, description="Sent as an HTML form is, with POST; tables and lists in it as JSON"
    )

    @field_validator("url")
    @classmethod
    def _host_is_fixed(cls, url: SecretStr) -> SecretStr:
        return with_fixed_host(url)

    @field_validator("headers")
    @classmethod
    def _headers_are_ours_to_set(cls, headers: dict[str, Text]) -> dict[str, Text]:
        for name, value in headers.items():
            _can_be_set(name)
            if not value.get_secret_value().isprintable():
                raise ValueError(f"has a line break or the like in {name} - allowed: printable characters")
        return headers

    @field_validator("body")
    @classmethod
    def _body_is_json(cls, body: Any) -> Any:  # noqa: ANN401 - a table or a list
        if body is not None and not isinstance(body, (dict, list)):
            raise ValueError("is neither a table nor a list - allowed: a table or a list, which is sent as JSON")
        _refuse_what_json_lacks(body)
        names_in(body)
        return body

    @model_validator(mode="after")
    def _body_goes_with_post(self) -> Self:
        if self.body is not None and self.form is not None:
            raise ValueError("body and form are both given - allowed: one of them")
        for name in ("body", "form"):
            if getattr(self, name) is not None and self.method != "POST":
                raise ValueError(f'{name} is given with method GET - allowed: method = "POST"')
        return self

    def parts(self) -> Mapping[str, object]:
        """Return the parts that have templates in them, by the option's name."""
        return {
            "url": plain(self.url),
            "query": plain(self.query),
            "headers": plain(self.headers),
            "body": self.body,
            "form": plain(self.form),
        }

    def placeholders(self) -> set[str]:
        """Return the names of all placeholders in the request."""
        return names_in(list(self.parts().values()))

    def origin(self) -> str | None:
        """Return scheme, host and port; None when the URL is only a path."""
        return origin_of(self.url.get_secret_value())


class Prepared:
    """A request of the options, taken apart once, to be filled for each caller."""

    def __init__(self, options: RequestOptions) -> None:
        url = options.url.get_secret_value()
        self.names = options.placeholders()
        self._method = options.method
        self._origin = options.origin()
        self._target = Target(url if self._origin is None else split_url(url)[1], plain(options.query))
        self._headers = plain(options.headers)
        self._body, self._form = options.body, plain(options.form)

    def filled(self, origin: str, values: Values, headers: Mapping[str, str]) -> Request:
        """Return the request. `origin` is for a URL that has none. Raises AdapterError when a value cannot be sent."""
        sent = {name: filled_header(text, values) for name, text in self._headers.items()} | dict(headers)
        body: bytes | None = None
        if self._body is not None:
            body, sent["Content-Type"] = filled_json(self._body, values).encode(), "application/json"
        elif self._form is not None:
            body = filled_pairs(self._form, values).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        return Request(self._method, (self._origin or origin) + self._target.filled(values), sent, body)


def with_fixed_host(url: SecretStr) -> SecretStr:
    """Return a URL whose host and path are fixed, whatever is filled in. Raises ValueError for another."""
    text = url.get_secret_value()
    if text != text.strip():
        raise ValueError("has blanks round it - allowed: such as https://crm.example.com/contacts/{e164}")
    path = text if is_relative(text) else split_url(text)[1]
    try:
        filled_path(path, {}, dict.fromkeys(names_in(path), "0"))
    except AdapterError as exc:
        raise ValueError("has a path with . or .. in it - allowed: a path without") from exc
    return url


def plain(options: Any) -> Any:  # noqa: ANN401 - any part of the options
    """Return a part of the options with what its secrets hide."""
    if isinstance(options, SecretStr):
        return options.get_secret_value()
    if isinstance(options, SecretTree):
        return options.content
    if isinstance(options, dict):
        return {name: plain(value) for name, value in options.items()}
    return options


def unescaped(node: object, free: Collection[str]) -> Iterator[str]:
    """Yield the names of values that stand between quotes in a text, where a quote in the value would end them.

    `free` are the names of values that may hold anything.
    """
    for template in templates_in(node):
        before = ""
        for piece in template.pieces:
            if isinstance(piece, str):
                before += piece
                continue
            for term in piece.terms:
                if term.startswith("'"):
                    before += term[1:-1]
                elif term in free and not can_stand_between(_open_quotes(before), piece.filters):
                    yield term


def stands_in_text(name: str, part: object, *, is_json: bool = False) -> bool:
    """Tell whether a list, such as that of all spellings, is put into a text. In JSON it may stand alone as a list."""
    if isinstance(part, Mapping):
        return any(stands_in_text(name, each, is_json=is_json or not isinstance(each, str)) for each in part.values())
    if isinstance(part, list):
        return any(stands_in_text(name, each, is_json=True) for each in part)
    template = read_template(part) if isinstance(part, str) else None
    if template is None or (is_json and template.is_one_placeholder):
        return False
    return any(name in each.names and not each.makes_one_text for each in template.placeholders)


def _open_quotes(text: str) -> list[str]:
    """Return the quotes that a text begins and does not end, the outermost first."""
    begun: list[str] = []
    for quote in _QUOTE.findall(text):
        begun = begun[: begun.index(quote)] if quote in begun else [*begun, quote]
    return [quote[-1] for quote in begun]
