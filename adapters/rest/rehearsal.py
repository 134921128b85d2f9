"""Shows the requests of a lookup without sending them, and without what is secret in them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapters.rest.access import OAuth2
from adapters.rest.filters import Shown
from adapters.rest.oauth2 import OAuth2Login
from adapters.rest.options import RestConfig
from adapters.rest.requests import Prepared, Request, RequestOptions, SecretTree, plain
from adapters.rest.sections import TOKEN, Step
from adapters.rest.template import Placeholder, Value, Values, read_template
from adapters.rest.transport import Recorded
from proxy.adapter import Rehearsed, SecretStr, as_text

HIDDEN = Shown("***")

_MASK = "__hidden__"
"""The name of a placeholder that stands in a template for what is not shown"""

_SECRET_NAME = re.compile(r"(?i)key|token|secret|passw|pwd|auth|session|signature|cookie|credential|webhook")
"""Parameters, headers and JSON keys whose literal values are not shown."""

_SCHEME = re.compile(r"(?:Basic|Bearer|Token) ")
_WORD_BEFORE_A_SECRET = re.compile(r"[A-Za-z-]+ ")
_CODE_IN_A_PATH = re.compile(r"(?<=/)(?=[\w-]*[0-9])(?=[\w-]*[A-Za-z])[\w-]{12,}(?=/|$)", re.ASCII)
"""A part of a path that is no word: there are CRMs that want their keys there."""

_HEAD_BEFORE_ANOTHER = re.compile(rb"HTTP/[0-9][^\n]*\n(?:[^\r\n][^\n]*\n)*\r?\n(?=HTTP/[0-9])")
"""Of `100 Continue`, of a proxy, of a redirect that was followed"""


def last_answer(recording: bytes) -> bytes:
    """Return the last of the answers that curl -i prints, where there are several for one request."""
    while (head := _HEAD_BEFORE_ANOTHER.match(recording)) is not None:
        recording = recording[head.end() :]
    return recording


def rehearsed(config: RestConfig, forms: Values, searches: Sequence[Values]) -> list[Rehearsed]:
    """Return all requests. `searches` has the values of each search; `forms` those of the number alone."""
    return list(_requests(config, forms, searches))


def _requests(config: RestConfig, forms: Values, searches: Sequence[Values]) -> Iterator[Rehearsed]:
    origin = config.origin() or "https://<base_url>"
    known: dict[str, Value] = dict.fromkeys([*config.secrets, _MASK], HIDDEN)
    headers = {name: _SCHEME.match(value) for name, value in config.authorization().items()}
    shown = {name: f"{scheme[0] if scheme else ''}{HIDDEN}" for name, scheme in headers.items()}
    if config.oauth2 is not None:
        known[TOKEN] = HIDDEN
        login = OAuth2Login(_without_secrets(config.oauth2), Recorded(()))
        shown = {} if config.sends_token_itself() else dict(login.headers(HIDDEN))
        yield Rehearsed("log-in, when there is no token", _of_oauth2(login.request(HIDDEN)))
    for request in config.login.requests if config.login is not None else []:
        yield Rehearsed("log-in, when there is none", _filled(request, origin, known, {}))
        known |= {name: Shown(f"<{name}>") for name in request.values}
    for number, values in enumerate(searches, 1):
        what = "search" if len(searches) == 1 else f"search {number} of at most {len(searches)}"
        yield Rehearsed(what, _filled(config, origin, {**values, **known}, shown))
    for step in config.steps:
        yield Rehearsed(_about(step), _filled(config.inherited(step), origin, {**forms, **known}, shown))
    for name, each in config.maps.items():
        what = f"map {name}, read ahead every {each.refresh:g} s"
        yield Rehearsed(what, _filled(config.inherited(each), origin, known, shown))


def _filled(options: RequestOptions, origin: str, values: Values, headers: Mapping[str, str]) -> str:
    unknown = {name: Shown(f"<{name}>") for name in options.placeholders() - values.keys()}
    update = {part: _masked(getattr(options, part)) for part in ("query", "headers", "body", "form")}
    masked = options.model_copy(update={**update, "url": SecretStr(_masked_url(plain(options.url)))})
    return _text(Prepared(masked).filled(origin, {**values, **unknown}, headers))


def _about(step: Step) -> str:
    return f"step {step.step}{f', when {step.when}' if step.when else ''}"


def _without_secrets(options: OAuth2) -> OAuth2:
    names = ("client_secret", "refresh_token", "password")
    hidden = {name: SecretStr(HIDDEN) for name in names if getattr(options, name) is not None}
    parameters = {
        name: SecretStr(HIDDEN) if _SECRET_NAME.search(name) else value for name, value in options.parameters.items()
    }
    url = _masked_url(plain(options.token_url)).replace(f"{{{_MASK}}}", HIDDEN)
    return options.model_copy(update={**hidden, "parameters": parameters, "token_url": SecretStr(url)})


def _of_oauth2(request: Request) -> str:
    headers = {name: "Basic ***" if name == "Authorization" else value for name, value in request.headers.items()}
    return _text(replace(request, headers=headers)).replace("%2A%2A%2A", HIDDEN)


def _masked(node: Any, name: str = "") -> Any:  # noqa: ANN401 - any part of the options
    """Return a part of the options without the values that are secrets by their names, or by those round them."""
    if isinstance(node, SecretTree):
        return SecretTree(_masked(node.content, name))
    if isinstance(node, Mapping):
        return {key: _masked(value, f"{name} {key}") for key, value in node.items()}
    if isinstance(node, list):
        return [_masked(value, name) for value in node]
    value = plain(node)
    if value is None or isinstance(value, bool) or not _SECRET_NAME.search(name):
        return node
    text = _masked_text(as_text(value))
    return SecretStr(text) if isinstance(node, SecretStr) else text


def _masked_url(url: str) -> str:
    address, mark, query = url.partition("?")
    pairs = [pair.partition("=") for pair in query.split("&")]
    shown = [name + sign + (_masked_text(value) if _SECRET_NAME.search(name) else value) for name, sign, value in pairs]
    scheme, slashes, rest = address.rpartition("://")
    return scheme + slashes + _CODE_IN_A_PATH.sub(f"{{{_MASK}}}", rest) + mark + "&".join(shown)


def _masked_text(template: str) -> str:
    """Return a template with its placeholders, and without what else is in it but for the name of a scheme."""
    pieces = [piece for piece in read_template(template).pieces if piece]
    return "".join(
        _shown(piece, is_before_a_secret=place == 0 and len(pieces) > 1) for place, piece in enumerate(pieces)
    )


def _shown(piece: str | Placeholder, *, is_before_a_secret: bool) -> str:
    mask = f"{{{_MASK}}}"
    if isinstance(piece, Placeholder):
        tells = any(character.isalnum() for term in piece.terms if term.startswith("'") for character in term)
        return mask if tells else piece.written
    if is_before_a_secret and _WORD_BEFORE_A_SECRET.fullmatch(piece):
        return piece
    scheme = _SCHEME.match(piece)
    return f"{scheme[0]}{mask}" if scheme else mask


def _text(request: Request) -> str:
    lines = [f"{request.method} {request.url}", *(f"{name}: {value}" for name, value in request.headers.items())]
    body = ["", request.body.decode()] if request.body is not None else []
    return "\n".join([*lines, *body])
