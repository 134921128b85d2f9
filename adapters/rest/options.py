"""The options of a source with the adapter `rest`, and what is wrong with them."""

import base64
from collections.abc import Mapping
from math import prod
from typing import Any, Self, TypeVar

from pydantic import Field, ValidationInfo, field_validator, model_validator

from adapters.placeholders import CUSTOMER_NUMBER, by_of, forms_for, refuse_none, refuse_wrong_names
from adapters.rest.access import Basic, SecretHeader, refuse_unfilled
from adapters.rest.manners import LONGEST_WAIT
from adapters.rest.requests import Expression, RequestOptions, plain, stands_in_text, unescaped, with_fixed_host
from adapters.rest.sections import (
    NUMBER,
    NUMBERS,
    REST_FORMS,
    TOKEN,
    Answered,
    Map,
    Name,
    Rate,
    Step,
    Throttle,
    Tls,
    Vocabulary,
)
from adapters.rest.template import names_in
from adapters.rest.urls import is_relative, origin_of, split_url
from proxy.adapter import SecretStr

MOST_REQUESTS = 40
"""For one lookup: all spellings of a number with all values of `each`."""

Further = TypeVar("Further", bound=RequestOptions)

_FORMS = (*REST_FORMS, NUMBER, NUMBERS)
_TAKEN = frozenset({*_FORMS, CUSTOMER_NUMBER, TOKEN})

_GIVING = frozenset({"secrets", "each", "login", "oauth2"})
"""The options that make placeholders; where one of them is wrong, nobody can tell which there are."""


class RestConfig(RequestOptions, Answered, Vocabulary):
    """The options. Texts of the request may hold {e164} and the other forms, or to enrich {any field}."""

    at_once: int = Field(default=1, ge=1, le=10, description="Requests of one lookup that are under way at once")
    bearer: SecretStr | None = Field(default=None, description="Token for Authorization: Bearer")
    basic: Basic | None = Field(default=None, description="User and password for Authorization: Basic")
    header: SecretHeader | None = Field(default=None, description="A header with a key, such as X-Api-Key")
    name: Expression | None = Field(default=None, description="In the record: whom the switch greets")
    id: Expression | None = Field(default=None, description="In the record: the CRM's own key")
    numbers: Expression | None = Field(
        default=None, description="In the record: its numbers; a record without is no match"
    )
    customer_number: Expression | None = Field(
        default=None, description="In the record: the number that the customer knows"
    )
    fields: dict[str, Expression] = Field(default={}, description="In the record: what the rules ask about")
    steps: list[Step] = Field(default=[], description="Further requests about the contact that was found")
    maps: dict[Name, Map] = Field(default={}, description="Lists that are read ahead; each adds the field of its name")
    throttle: Throttle = Field(default=Throttle(), description="How the CRM says that requests are too many")
    rate: Rate | None = Field(default=None, description="At most so many requests in so many seconds")
    connections: int = Field(default=20, ge=1, le=1000, description="To the CRM at the most")
    tls: Tls | None = Field(default=None, description="Certificates that are trusted, and one to show")
    proxy: SecretStr | None = Field(default=None, description="URL of an HTTP proxy on the way to the CRM")
    ping_url: SecretStr | None = Field(default=None, description="Asked to see whether the CRM lives; on the same host")

    @field_validator("url")
    @classmethod
    def _host_is_known(cls, url: SecretStr, info: ValidationInfo) -> SecretStr:
        oauth2 = info.data.get("oauth2")
        comes_with_token = oauth2 is not None and oauth2.base_url is not None
        if "oauth2" in info.data and comes_with_token != is_relative(url.get_secret_value()):
            if comes_with_token:
                raise ValueError(
                    "names a host, which comes with the token (base_url) - allowed: a path such as /contacts"
                )
            split_url(url.get_secret_value())
        return url

    @field_validator("ping_url")
    @classmethod
    def _is_the_same_for_all_callers(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if url is not None:
            known = _given(info.data) - set(info.data.get("each") or {})
            _refuse("", names_in(plain(with_fixed_host(url))) - known, known)
        return url

    @field_validator("proxy")
    @classmethod
    def _is_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            text = url.get_secret_value()
            scheme, _, rest = text.partition("://")
            try:
                split_url(f"{scheme}://{rest.rpartition('@')[2]}" if text.isprintable() else text)
            except ValueError as exc:
                raise ValueError("is no URL of a proxy - allowed: such as http://proxy.example.com:3128") from exc
        return url

    @field_validator("url", "query", "headers", "body", "form")
    @classmethod
    def _placeholders_are_known(cls, template: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - of several fields
        if info.data.keys() >= _GIVING:
            given = _given(info.data)
            refuse_wrong_names(names_in(plain(template)), info, "{%s}", _FORMS, given)
        return template

    @field_validator("each", "secrets", "maps")
    @classmethod
    def _names_are_free(cls, named: dict[str, Any]) -> dict[str, Any]:
        if taken := set(named) & _TAKEN:
            raise ValueError(f"has {min(taken)!r}, which is taken - allowed: any other name")
        return named

    @field_validator("steps")
    @classmethod
    def _steps_know_what_they_name(cls, steps: list[Step], info: ValidationInfo) -> list[Step]:
        data = info.data
        if (info.context or {}).get("role") == "enrich" or not data.keys() >= {*_GIVING, CUSTOMER_NUMBER, "fields"}:
            return steps
        known = {*forms_for(info, REST_FORMS), *(_given(data) - set(data.get("each") or {}))}
        known |= {*data["fields"], *_about_itself(data)}
        for step in steps:
            _refuse(f"{step.step!r}", step.placeholders() - known, known)
            known |= set(step.fields)
        return steps

    @field_validator("maps")
    @classmethod
    def _maps_are_the_same_for_all_callers(cls, maps: dict[str, Map], info: ValidationInfo) -> dict[str, Map]:
        if not info.data.keys() >= {*_GIVING, CUSTOMER_NUMBER, "fields", "steps"}:
            return maps
        known = _given(info.data) - set(info.data.get("each") or {})
        fields = {*(info.data.get("fields") or {}), *_about_itself(info.data)}
        fields |= {name for step in info.data.get("steps") or [] for name in step.fields}
        for name, each in maps.items():
            _refuse(f"{name!r}", each.placeholders() - known, known)
            if each.of not in fields and (info.context or {}).get("role") != "enrich":
                allowed = ", ".join(sorted(fields))
                raise ValueError(f"{name!r} is of {each.of!r:.40}, which is no field - allowed: {allowed}")
            fields.add(name)
        return maps

    @field_validator("login")
    @classmethod
    def _login_knows_what_it_names(cls, login: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - Login or None
        known = set(info.data.get("secrets") or {})
        for request in login.requests if login and "secrets" in info.data and not info.data.get("oauth2") else []:
            _refuse("a request", request.placeholders() - known, known)
            if taken := set(request.values) & _TAKEN:
                raise ValueError(f"values has {min(taken)!r}, which is taken - allowed: any other name")
            known |= set(request.values)
        return login

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> Self:
        by, only_enriches = by_of(info), (info.context or {}).get("role") == "enrich"
        if len(by) > 1 and not only_enriches:
            told = f"a request is for one kind of number, and by has {' and '.join(sorted(by))}"
            raise ValueError(f"{told} - allowed: one of them, and another source for the other")
        refuse_none(self.placeholders() - self.given() - set(self.each), info, "{%s}")
        if sum(way is not None for way in (self.bearer, self.basic, self.header, self.oauth2)) > 1:
            raise ValueError("bearer, basic, header and oauth2 are several ways to log in - allowed: one of them")
        refuse_unfilled(self.secrets, self.bearer, self.header)
        if self.oauth2 is not None and self.login is not None:
            raise ValueError("oauth2 and login are two ways to log in - allowed: one of them")
        if not all(map(str.isprintable, self.authorization().values())):
            raise ValueError("a secret has a line break or the like - allowed: printable characters")
        self._fields_have_names_of_their_own()
        self._headers_are_set_once()
        self._hosts_are_the_same()
        self._values_cannot_end_a_text({*_FORMS} if only_enriches else {*_FORMS, *forms_for(info, ())})
        self._spellings_and_each_are_used_well()
        if only_enriches:
            self._only_adds_fields()
        elif not (self.name or self.id or self.fields):
            raise ValueError("says nothing about a contact - allowed: at least one of name, id and fields")
        return self

    def _fields_have_names_of_their_own(self) -> None:
        """Refuse a field that a step could not name: the log-in's user, say, would be asked about in its place."""
        names = {*self.fields, *(name for step in self.steps for name in step.fields)}
        if taken := names & {*_TAKEN, *self.given()}:
            raise ValueError(f"fields has {min(taken)!r}, which is taken - allowed: any other name")

    def _spellings_and_each_are_used_well(self) -> None:
        if unused := set(self.each) - self.placeholders():
            raise ValueError(f"each has {min(unused)!r}, which is in no placeholder of the search - allowed: only such")
        if "spellings" in self.model_fields_set and not self.placeholders() & {NUMBER, NUMBERS}:
            raise ValueError("spellings are in no placeholder - allowed: {number} for each, or {numbers} for all")
        for part, template in self.parts().items():
            if stands_in_text(NUMBERS, template, is_json=part == "body"):
                raise ValueError(
                    f"{part} has {{{NUMBERS}}} in a text, and it is a list - allowed: alone in JSON, "
                    "or {numbers | join(',')}"
                )
        most = MOST_REQUESTS
        if self.rate is not None and self.rate.seconds > LONGEST_WAIT:
            most = min(most, self.rate.requests)
        if (needed := self.requests_for_each_lookup()) > most:
            why = "" if most == MOST_REQUESTS else ", as rate lets through"
            raise ValueError(f"each and spellings make {needed} requests for one lookup - allowed: at most {most}{why}")

    def _only_adds_fields(self) -> None:
        if not self.fields or self.name or self.id or self.numbers or self.customer_number:
            told = "an enriching source only adds fields"
            raise ValueError(f"{told} - allowed: fields, without name, id, numbers and customer_number")
        if self.each:
            raise ValueError("an enriching source sends one request - allowed: no each")

    def _headers_are_set_once(self) -> None:
        ours = set(self.authorization())
        if self.oauth2 is not None and not self.sends_token_itself():
            ours.add(self.oauth2.header.lower())
        for request in (self, *self.steps, *self.maps.values()):
            if twice := ours & {name.lower() for name in request.headers}:
                raise ValueError(f"headers has {twice.pop()}, which is set already - allowed: one of both")

    def _hosts_are_the_same(self) -> None:
        """Refuse what would send the source's credentials elsewhere."""
        if self.ping_url is not None and origin_of(self.ping_url.get_secret_value()) not in {None, self.origin()}:
            raise ValueError("ping_url is on another host than url - allowed: the same host and port")
        others = [*self.steps, *self.maps.values(), *(self.login.requests if self.login else [])]
        if any(other.origin() not in {None, self.origin()} for other in others):
            raise ValueError("steps, maps and login name another host than url - allowed: the same, or only a path")

    def _values_cannot_end_a_text(self, digits: set[str]) -> None:
        """Refuse a value between quotes that it could end; those of the names in `digits` cannot."""
        free = {*self.fields, *(name for step in self.steps for name in step.fields), "id", "name"}
        for request in (self, *self.steps):
            names = free | (request.placeholders() - digits - self.given() - set(self.each))
            for part, template in request.parts().items():
                for name in unescaped(template, names):
                    raise ValueError(
                        f"{part} has {{{name}}} between quotes, and a quote in its value would end them - "
                        f"allowed: as the last filter odata between ', json between \", or soql, sosl, url"
                    )

    def given(self) -> set[str]:
        """Return the names of the values that are the same for all callers, and of `each`."""
        return _given({name: getattr(self, name) for name in ("secrets", "each", "login", "oauth2")})

    def requests_for_each_lookup(self) -> int:
        """Return how many requests a lookup sends at the most, without its steps."""
        return prod(map(len, self.each.values())) * (len(self.spellings) if NUMBER in self.placeholders() else 1)

    def inherited(self, request: Further) -> Further:
        """Return a step or a map with those of the source's headers that are the same for all callers."""
        known, own = self.given() - set(self.each), {name.lower() for name in request.headers}
        more = {
            name: text
            for name, text in self.headers.items()
            if name.lower() not in own and names_in(plain(text)) <= known
        }
        return request.model_copy(update={"headers": {**more, **request.headers}})

    def names_of_fields(self) -> frozenset[str]:
        """Return the names of all fields that a contact gets."""
        return frozenset({*self.fields, *(name for step in self.steps for name in step.fields), *self.maps})

    def for_replay(self) -> "RestConfig":
        """Return the options for answers that were recorded: one request after another, and nobody logs in."""
        given = (name for name in self.given() if name not in self.each)
        return self.model_copy(update={"at_once": 1, "secrets": dict.fromkeys(given, SecretStr("***"))})

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

    def sends_token_itself(self) -> bool:
        """Tell whether the access token stands in a template, and so in no header."""
        return any(TOKEN in request.placeholders() for request in (self, *self.steps, *self.maps.values()))


def _given(data: Mapping[str, Any]) -> set[str]:
    """Return the names of the values that are the same for all callers, from the options that are read already."""
    login, oauth2 = data.get("login"), data.get("oauth2")
    logged_in = {name for request in (login.requests if login else []) for name in request.values}
    return {*(data.get("secrets") or {}), *(data.get("each") or {}), *logged_in, *({TOKEN} if oauth2 else ())}


def _about_itself(data: Mapping[str, Any]) -> set[str]:
    """Return what a contact has beside its fields that may be asked about, from the options that are read already."""
    return {"id", "name", *([CUSTOMER_NUMBER] if data.get(CUSTOMER_NUMBER) else ())}


def _refuse(what: str, wrong: set[str], known: set[str]) -> None:
    if wrong:
        allowed = ", ".join(f"{{{name}}}" for name in sorted(known)) or "no placeholder"
        told = f"{what} names {{{min(wrong)}}}, which is not known there - allowed: {allowed}"
        raise ValueError(told.strip())
