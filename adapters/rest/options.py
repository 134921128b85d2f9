"""The options of a source with the adapter `rest`, and what is wrong with them."""

import base64
import json
import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from yarl import URL

from adapters.placeholders import refuse_none, refuse_wrong_names
from adapters.rest.template import filled_path, names_in
from proxy.adapter import AdapterConfig, AdapterError, SecretStr, as_text

NEVER_UNKNOWN = frozenset({401, 403, 408, 429})
"""Statuses that always mean trouble."""

_HOST = re.compile(r"[\w.:\[\]-]+")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OUR_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-length", "content-type", "host", "transfer-encoding"}
)


def _compiles(expression: str) -> str:
    try:
        jmespath.compile(expression)
    except JMESPathError as exc:
        raise ValueError("is no JMESPath expression - allowed: such as items[0].name") from exc
    return expression


def _can_be_set(header: str) -> str:
    if not _HEADER_NAME.fullmatch(header) or header.lower() in _OUR_HEADERS:
        raise ValueError(f"names {header!r:.40}, which cannot be set - allowed: the CRM's headers, such as X-Api-Key")
    return header


HeaderName = Annotated[str, AfterValidator(_can_be_set)]
Expression = Annotated[str, AfterValidator(_compiles)]
Text = Annotated[SecretStr, BeforeValidator(lambda value: as_text(value) if isinstance(value, (int, float)) else value)]
"""A text, number or true/false. Parameters and headers are secrets, as there are CRMs that want their keys in them."""


class Basic(AdapterConfig):
    """A user and a password, sent with each request."""

    user: str
    password: SecretStr


class SecretHeader(AdapterConfig):
    """A header of the CRM's own, with a key."""

    name: HeaderName
    value: SecretStr


class RestConfig(AdapterConfig):
    """The options. Texts of the request may hold {e164} and the other forms, or to enrich {any field}."""

    method: Literal["GET", "POST"] = "GET"
    url: SecretStr = Field(description="http or https, placeholders in path and query only")
    query: dict[str, Text] = Field(default={}, description="Parameters that are added to the URL, encoded")
    headers: dict[str, Text] = Field(default={}, description="Headers that are added to the request")
    body: Any = Field(default=None, repr=False, description="Sent as JSON, with POST")
    bearer: SecretStr | None = Field(default=None, description="Token for Authorization: Bearer")
    basic: Basic | None = Field(default=None, description="User and password for Authorization: Basic")
    header: SecretHeader | None = Field(default=None, description="A header with a key, such as X-Api-Key")
    record: Expression = Field(
        default="@", description="Where the record, or the list of records, stands in the answer"
    )
    name: Expression | None = Field(default=None, description="In the record: whom the switch greets")
    id: Expression | None = Field(default=None, description="In the record: the CRM's own key")
    numbers: Expression | None = Field(
        default=None, description="In the record: its numbers; a record without is no match"
    )
    fields: dict[str, Expression] = Field(default={}, description="In the record: what the rules ask about")
    error: Expression | None = Field(default=None, description="In the answer: what is there only when the CRM failed")
    unknown_status: list[int] = Field(default=[], description="Statuses that say: not known, such as 404")
    ping_url: SecretStr | None = Field(default=None, description="Asked to see whether the CRM lives; on the same host")

    @field_validator("url", "ping_url")
    @classmethod
    def _host_is_fixed(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            _, path = split_url(url)
            try:
                filled_path(path, {}, dict.fromkeys(names_in(path), "0"))
            except AdapterError as exc:
                raise ValueError("has a path with . or .. in it - allowed: a path without") from exc
        return url

    @field_validator("url", "query", "headers", "body")
    @classmethod
    def _placeholders_are_known(cls, template: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - of several fields
        refuse_wrong_names(names_in(plain(template)), info, "{%s}")
        return template

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
        try:
            json.dumps(body, allow_nan=False)
        except (TypeError, ValueError) as exc:
            raise ValueError(
                "has a value that JSON has not - allowed: texts, numbers, true/false, tables, lists"
            ) from exc
        return body

    @field_validator("unknown_status")
    @classmethod
    def _status_can_mean_unknown(cls, statuses: list[int]) -> list[int]:
        for status in statuses:
            if status in NEVER_UNKNOWN or status not in range(400, 500):
                raise ValueError(
                    f"has {status}, which is trouble or success - allowed: 400, 404, 410, 422 and the like"
                )
        return statuses

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> Self:
        refuse_none(self.placeholders(), info, "{%s}")
        if self.body is not None and self.method != "POST":
            raise ValueError('body is given with method GET - allowed: method = "POST"')
        if sum(way is not None for way in (self.bearer, self.basic, self.header)) > 1:
            raise ValueError("bearer, basic and header are several ways to log in - allowed: one of them")
        if not all(map(str.isprintable, self.authorization().values())):
            raise ValueError("a secret has a line break or the like - allowed: printable characters")
        if twice := set(self.authorization()) & {name.lower() for name in self.headers}:
            raise ValueError(f"headers has {twice.pop()}, which is set already - allowed: one of both")
        if self.ping_url is not None and split_url(self.ping_url)[0] != split_url(self.url)[0]:
            raise ValueError("ping_url is on another host than url - allowed: the same host and port")
        if (info.context or {}).get("role") == "enrich":
            if not self.fields or self.name or self.id or self.numbers:
                raise ValueError("an enriching source only adds fields - allowed: fields, without name, id and numbers")
        elif not (self.name or self.id or self.fields):
            raise ValueError("says nothing about a contact - allowed: at least one of name, id and fields")
        return self

    def placeholders(self) -> set[str]:
        """Return the names of all placeholders in the request."""
        return names_in([plain(part) for part in (self.url, self.query, self.headers, self.body)])

    def authorization(self) -> dict[str, str]:
        """Return the header that logs in, its name in small letters; empty when there is none."""
        if self.bearer is not None:
            return {"authorization": f"Bearer {self.bearer.get_secret_value()}"}
        if self.basic is not None:
            pair = f"{self.basic.user}:{self.basic.password.get_secret_value()}"
            return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode("ascii")}
        if self.header is not None:
            return {self.header.name.lower(): self.header.value.get_secret_value()}
        return {}


def plain(options: Any) -> Any:  # noqa: ANN401 - any part of the options
    """Return a part of the options with what its secrets hide."""
    if isinstance(options, SecretStr):
        return options.get_secret_value()
    if isinstance(options, dict):
        return {name: plain(value) for name, value in options.items()}
    return options


def split_url(url: SecretStr) -> tuple[str, str]:
    """Return scheme, host and port; and all that follows. Raises ValueError when the host is not fixed."""
    text = url.get_secret_value()
    allowed = "allowed: such as https://crm.example.com/contacts/{e164}"
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or not text.isprintable() or "\\" in text:
        raise ValueError(f"is no URL of http or https - {allowed}")
    if "{" in parts.netloc:
        raise ValueError(f"has a placeholder in its host - {allowed}")
    if "@" in parts.netloc or parts.fragment:
        raise ValueError(f"has a user or a fragment - {allowed}; basic = {{ user, password }} logs in")
    if not _HOST.fullmatch(parts.netloc):
        raise ValueError(f"has a host that cannot be one - {allowed}")
    try:
        origin = str(URL(f"{parts.scheme}://{parts.netloc}").origin())
    except ValueError as exc:
        raise ValueError(f"has a host that cannot be one - {allowed}") from exc
    return origin, text[len(f"{parts.scheme}://{parts.netloc}") :]
