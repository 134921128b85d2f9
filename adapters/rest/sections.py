"""The tables within the options of a source with the adapter `rest`."""

import ssl
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from adapters.placeholders import NUMBER_FORMS, by_of, refuse_none, refuse_wrong_names
from adapters.rest.access import Login, OAuth2
from adapters.rest.requests import Expression, RequestOptions, Text
from adapters.rest.template import names_in
from proxy.adapter import AdapterConfig, By, SecretStr

NEVER_UNKNOWN = frozenset({401, 403, 408, 429})
"""Statuses that always mean trouble."""

REST_FORMS = (*NUMBER_FORMS, "spaced", "spaced_international")

NUMBER = "number"
"""Stands for each of the spellings, with a request for each."""
NUMBERS = "numbers"
"""Stands for all of the spellings at once."""
TOKEN = "access_token"  # noqa: S105 - the name of a placeholder


def _is_name(name: str) -> str:
    if not (name.isascii() and name.isidentifier()):
        raise ValueError("is no name - allowed: letters, digits and _, such as api_key")
    return name


def _can_mean_unknown(statuses: list[int]) -> list[int]:
    for status in statuses:
        if status in NEVER_UNKNOWN or status not in range(400, 500):
            raise ValueError(f"has {status}, which is trouble or success - allowed: 400, 404, 410, 422 and the like")
    return statuses


Name = Annotated[str, AfterValidator(_is_name)]
UnknownStatus = Annotated[list[int], AfterValidator(_can_mean_unknown)]


class Answered(AdapterConfig):
    """How an answer is read."""

    record: Expression = Field(
        default="@", description="Where the record, or the list of records, stands in the answer"
    )
    error: Expression | None = Field(default=None, description="In the answer: what is there only when the CRM failed")
    unknown: Expression | None = Field(
        default=None, description="In the answer: what is there only when the CRM does not know the caller"
    )
    unknown_status: UnknownStatus = Field(default=[], description="Statuses that say: not known, such as 404")


class Step(RequestOptions, Answered):
    """A further request about the contact that was found, such as for its owner's extension."""

    step: str = Field(min_length=1, description="What it is called")
    when: Expression | None = Field(default=None, description="In the contact: what is there only when to ask")
    required: bool = Field(default=False, description="Whether the contact is of no use without it")
    ttl: float = Field(default=0, ge=0, le=86400, description="Seconds for which an answer is kept, for all contacts")
    name: Expression | None = Field(default=None, description="In the record: whom the switch greets")
    fields: dict[str, Expression] = Field(min_length=1, description="In the record: what the rules ask about")


class Map(RequestOptions):
    """A list that is read ahead of all calls, and again every so often: from agents to their extensions."""

    of: str = Field(description="The field of the contact that is looked up in it")
    record: Expression = Field(default="@", description="Where the list stands in the answer")
    error: Expression | None = Field(default=None, description="In the answer: what is there only when the CRM failed")
    key: Expression = Field(description="In each record: what the field of the contact is compared with")
    value: Expression = Field(description="In each record: what the contact gets")
    refresh: float = Field(default=900, ge=10, description="Seconds after which it is read again")


class Throttle(AdapterConfig):
    """How the CRM asks for fewer requests."""

    status: list[int] = Field(default=[429], description="Statuses that say so")
    when: Expression | None = Field(default=None, description="In the answer: what is there only then")
    header: str = Field(default="Retry-After", description="The header with the seconds to wait")
    seconds: Expression | None = Field(default=None, description="In the answer: the seconds, where no header has them")
    rest: float = Field(default=1, gt=0, le=3600, description="Seconds to wait when the CRM does not say")


class Rate(AdapterConfig):
    """At most so many requests in so many seconds."""

    requests: int = Field(ge=1, description="How many")
    seconds: float = Field(default=1, gt=0, description="In how long")


class Tls(AdapterConfig):
    """A certificate authority of one's own, and a certificate to show."""

    ca: str | None = Field(default=None, description="File of certificates (PEM) that are trusted")
    certificate: str | None = Field(default=None, description="File of the certificate (PEM) that is shown to the CRM")
    key: str | None = Field(default=None, description="File of its key (PEM), if that is not in the same file")

    @field_validator("ca", "certificate", "key")
    @classmethod
    def _stands_beside_the_toml(cls, file: str | None, info: ValidationInfo) -> str | None:
        path = Path((info.context or {}).get("folder", "."), file or "")
        if file and path.exists() and not (path.is_file() or path.is_dir()):  # a pipe might be read for ever
            raise ValueError("is no file - allowed: readable files of PEM, without a password")
        return file and str(path)

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        if self.key is not None and self.certificate is None:
            raise ValueError("key is given without certificate - allowed: both, or certificate alone")
        self.context()
        return self

    def context(self) -> ssl.SSLContext:
        """Return what connections are made with. Raises ValueError when a file cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) and not isinstance(exc, ssl.SSLError) else "no such PEM"
            raise ValueError(f"cannot be used ({reason}) - allowed: readable files of PEM, without a password") from exc
        return context


class Vocabulary(AdapterConfig):
    """What the templates of a source may name, beside the number's forms."""

    secrets: dict[Name, SecretStr] = Field(default={}, description="Placeholders whose values are never shown")
    each: dict[Name, Annotated[list[Text], Field(min_length=1)]] = Field(
        default={}, description="Placeholders with several values: there is a request for each"
    )
    spellings: list[str] = Field(
        default=["{" + form + "}" for form in NUMBER_FORMS],
        min_length=1,
        description="How the CRM may have written the number: {number} is each of them, {numbers} all at once",
    )
    oauth2: OAuth2 | None = Field(default=None, description="An access token that is renewed")
    login: Login | None = Field(default=None, description="Requests that log in before the first lookup")
    logged_out: Expression | None = Field(
        default=None, description="In an answer: what is there only when the log-in has ended, beside status 401"
    )

    @field_validator("secrets")
    @classmethod
    def _secrets_are_not_empty(cls, secrets: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, secret in secrets.items():
            if not secret.get_secret_value():
                raise ValueError(f"has nothing in {name!r} - allowed: a text")
        return secrets

    @field_validator("spellings")
    @classmethod
    def _spellings_are_of_the_number(cls, spellings: list[str], info: ValidationInfo) -> list[str]:
        if By.PHONE_NUMBER not in by_of(info):
            raise ValueError("are those of a telephone number, by which this source is not asked - allowed: none")
        for spelling in spellings:
            names = names_in(spelling)
            refuse_none(names, info, "{%s}")
            refuse_wrong_names(names, info, "{%s}", REST_FORMS)
        return spellings
