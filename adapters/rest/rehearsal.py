"""Shows the requests of a lookup without sending them, and without what is secret in them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapters.rest.filters import Shown
from adapters.rest.oauth2 import OAuth2Login
from adapters.rest.options import RestConfig
from adapters.rest.requests import Prepared, Request, RequestOptions, SecretTree, plain
from adapters.rest.sections import TOKEN, Step
from adapters.rest.template import Value, Values, names_in
from adapters.rest.transport import Recorded
from proxy.adapter import Rehearsed, SecretStr

HIDDEN = Shown("***")

_SECRET_NAME = re.compile(r"(?i)key|token|secret|passw|auth|session|signature|cookie")
"""Parameters, headers and JSON keys whose literal values are not shown."""


def rehearsed(config: RestConfig, forms: Values, searches: Sequence[Values]) -> list[Rehearsed]:
    """Return all requests. `searches` has the values of each search; `forms` those of the number alone."""
    return list(_requests(config, forms, searches))


def _requests(config: RestConfig, forms: Values, searches: Sequence[Values]) -> Iterator[Rehearsed]:
    origin = config.origin() or "https://<base_url>"
    known: dict[str, Value] = dict.fromkeys(config.secrets, HIDDEN)
    headers = {name: HIDDEN.join(_scheme_of(value)) for name, value in config.authorization().items()}
    if config.oauth2 is not None:
        known[TOKEN] = HIDDEN
        masked = config.oauth2.model_copy(update=_masked(config.oauth2.__dict__))
        oauth2 = OAuth2Login(masked, Recorded(()))
        headers = {} if config.sends_token_itself() else dict(oauth2.headers(HIDDEN))
        yield Rehearsed("log-in, when there is no token", _text(oauth2.request(HIDDEN)))
    for request in config.login.requests if config.login is not None else []:
        yield Rehearsed("log-in, when there is none", _filled(request, origin, known, {}))
        known |= {name: Shown(f"<{name}>") for name in request.values}
    for number, values in enumerate(searches, 1):
        what = "search" if len(searches) == 1 else f"search {number} of at most {len(searches)}"
        yield Rehearsed(what, _filled(config, origin, {**values, **known}, headers))
    for step in config.steps:
        yield Rehearsed(_about(step), _filled(step, origin, {**forms, **known}, headers))
    for name, each in config.maps.items():
        what = f"map {name}, read ahead every {each.refresh:g} s"
        yield Rehearsed(what, _filled(each, origin, known, headers))


def _filled(options: RequestOptions, origin: str, values: Values, headers: Mapping[str, str]) -> str:
    names = options.placeholders()
    unknown = {name: Shown(f"<{name}>") for name in names - values.keys()}
    masked = options.model_copy(
        update={part: _masked(getattr(options, part)) for part in ("query", "headers", "body", "form")}
    )
    return _text(Prepared(masked).filled(origin, {**values, **unknown}, headers))


def _about(step: Step) -> str:
    return f"step {step.step}{f', when {step.when}' if step.when else ''}"


def _scheme_of(value: str) -> tuple[str, str]:
    """Return what may be shown before and behind a secret in a header."""
    scheme, blank, _ = value.partition(" ")
    return (scheme + blank, "") if blank and scheme in {"Basic", "Bearer"} else ("", "")


def _masked(node: Any, name: str = "") -> Any:  # noqa: ANN401 - any part of the options
    """Return a part of the options without the texts that are secrets by their kind, or by their name."""
    if isinstance(node, SecretTree):
        return SecretTree(_masked(node.content, name))
    if isinstance(node, Mapping):
        return {key: _masked(value, str(key)) for key, value in node.items()}
    if isinstance(node, list):
        return [_masked(value, name) for value in node]
    text = plain(node)
    if isinstance(text, str) and _SECRET_NAME.search(name) and not names_in(text):
        return SecretStr(HIDDEN) if isinstance(node, SecretStr) else HIDDEN
    return node


def _text(request: Request) -> str:
    lines = [f"{request.method} {request.url}", *(f"{name}: {value}" for name, value in request.headers.items())]
    body = ["", request.body.decode()] if request.body is not None else []
    return "\n".join([*lines, *body])
