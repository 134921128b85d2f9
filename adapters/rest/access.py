"""How a source logs in, as the TOML writes it."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from adapters.rest.requests import Expression, HeaderName, RequestOptions, Text, plain
from adapters.rest.template import names_in
from adapters.rest.tokens import content_of
from adapters.rest.urls import split_url
from proxy.adapter import AdapterConfig, SecretStr

HOSTS = re.compile(r"(?:\*\.)?[\w-]+(?:\.[\w-]+)+|localhost")


class Basic(AdapterConfig):
    """A user and a password, sent with each request."""

    user: str = Field(description="Who logs in")
    password: SecretStr = Field(description="His password")


class SecretHeader(AdapterConfig):
    """A header of the CRM's own, with a key."""

    name: HeaderName = Field(description="The header's name, such as X-Api-Key")
    value: SecretStr = Field(description="The key that stands in it")


class OAuth2(AdapterConfig):
    """An access token, asked for when there is none and renewed before it ends, one for all callers."""

    grant: Literal["client_credentials", "refresh_token", "password"] = Field(
        description="What is shown to get a token: the client's secret, a longer-lived token, or a user's password"
    )
    token_url: SecretStr = Field(description="http or https, where tokens are given")
    method: Literal["POST", "GET"] = Field(default="POST", description="How a token is asked for")
    format: Literal["form", "json"] = Field(default="form", description="How what is sent with a POST is written")
    client_id: str = Field(description="By what the CRM knows this program")
    client_secret: SecretStr | None = Field(default=None, description="The secret that belongs to client_id")
    client_auth: Literal["body", "basic"] = Field(
        default="body", description="Where client_id and client_secret are sent"
    )
    refresh_token: SecretStr | None = Field(default=None, description="The first one; later ones are in token_file")
    user: str | None = Field(default=None, description='Who logs in, with grant = "password"')
    password: SecretStr | None = Field(default=None, description='His password, with grant = "password"')
    parameters: dict[str, Text] = Field(default={}, description="Sent with them: scope, redirect_uri and the like")
    token_file: str | None = Field(default=None, description="Where tokens are kept; a file that is made and replaced")
    lifetime: float = Field(default=3600, gt=0, description="Seconds, when the CRM does not say how long a token lives")
    header: HeaderName = Field(default="Authorization", description="Where the token goes")
    scheme: str = Field(default="Bearer", description="Before the token in the header")
    base_url: Expression | None = Field(
        default=None, description="In the answer with the token: scheme and host of the API"
    )
    base_url_hosts: list[str] = Field(default=[], description="Hosts that base_url may name, such as *.example.com")

    @field_validator("token_url")
    @classmethod
    def _is_url(cls, url: SecretStr) -> SecretStr:
        if "{" in url.get_secret_value():
            raise ValueError("has a placeholder - allowed: a URL without")
        split_url(url.get_secret_value())
        return url

    @field_validator("parameters")
    @classmethod
    def _are_plain(cls, parameters: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if names := names_in(plain(parameters)):
            raise ValueError(f"has the placeholder {{{min(names)}}} - allowed: texts without, nothing is known there")
        return parameters

    @field_validator("base_url_hosts")
    @classmethod
    def _are_hosts(cls, hosts: list[str]) -> list[str]:
        for host in hosts:
            if not HOSTS.fullmatch(host):
                raise ValueError(
                    f"has {host!r:.60}, which is no host - allowed: such as api.example.com or *.example.com"
                )
        return hosts

    @field_validator("scheme")
    @classmethod
    def _is_printable(cls, scheme: str) -> str:
        if not scheme.isprintable():
            raise ValueError("has a line break or the like - allowed: a word such as Bearer, or nothing")
        return scheme

    @field_validator("token_file")
    @classmethod
    def _can_be_written(cls, file: str | None, info: ValidationInfo) -> str | None:
        if file is None:
            return None
        path = Path((info.context or {}).get("folder", "."), file).resolve()
        if not os.access(path.parent, os.W_OK) or path.is_dir():  # the file itself is replaced, not written to
            raise ValueError("cannot be written - allowed: a file in a folder that can be written to")
        if path.exists() and not path.is_file():
            raise ValueError("is no file - allowed: a file that is made here")
        if path.exists() and os.access(path, os.R_OK) and content_of(path, 1) not in {b"", b"{"}:
            raise ValueError("is there and holds no tokens, which it is for - allowed: a file that is made here")
        return str(path)

    @model_validator(mode="after")
    def _has_what_the_grant_needs(self) -> Self:
        needed = {
            "client_credentials": ("client_secret",),
            "refresh_token": ("refresh_token", "token_file"),
            "password": ("user", "password"),
        }[self.grant]
        for name in needed:
            if getattr(self, name) is None:
                raise ValueError(f'{name} is missing - allowed: with grant = "{self.grant}" it is needed')
        if self.client_auth == "basic" and self.client_secret is None:
            raise ValueError('client_secret is missing - allowed: with client_auth = "basic" it is needed')
        if (self.base_url is None) != (not self.base_url_hosts):
            raise ValueError("base_url and base_url_hosts go together - allowed: both, or neither of them")
        return self


class LoginRequest(RequestOptions):
    """One request of a log-in."""

    values: dict[str, Expression] = Field(
        default={}, description="In the answer: what later requests have as placeholders"
    )
    error: Expression | None = Field(default=None, description="In the answer: what is there only when it failed")


class Login(AdapterConfig):
    """Requests that are sent, in order, before the first lookup, and again when the log-in has ended."""

    requests: list[LoginRequest] = Field(min_length=1, description="What is sent, in order")
    lifetime: float | None = Field(default=None, gt=0, description="Seconds for which it is good; until refused")


def refuse_unfilled(secrets: Iterable[str], bearer: SecretStr | None, header: SecretHeader | None) -> None:
    """Refuse a placeholder in what is sent as it stands: the CRM would get the braces, and refuse them."""
    texts = [text.get_secret_value() for text in (bearer, header.value if header else None) if text is not None]
    for name in secrets:
        if any(f"{{{name}}}" in text for text in texts):
            raise ValueError(f"bearer or header has {{{name}}}, which is filled in elsewhere - allowed: in headers")
