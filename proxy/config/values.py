"""How single values of the TOML are read: into what the proxy works with, or a ValueError that says why not."""

import re
import tomllib
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import phonenumbers
from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, SecretStr, ValidationInfo

from proxy.addresses import is_loopback
from proxy.keys import By
from proxy.phone.spelling import NUMBER_TYPES
from proxy.rules.greeting import Greeting
from proxy.rules.situation import Standing
from proxy.target import LANGUAGES, Target

T = TypeVar("T")
W = TypeVar("W", bound=StrEnum)

TOKEN_PARAMETER = "token"  # noqa: S105 - a parameter's name
"""Where the switch may bring its token"""

SHORTEST_SECRET = 16
"""Characters of a secret that nobody can guess by trying."""

A_SECRET = f"a secret of at least {SHORTEST_SECRET} characters"


def read_by(parse: Callable[[str], T]) -> PlainValidator:
    """Return a validator that has a text read by `parse`, which raises ValueError."""

    def read(value: object) -> T:
        if not isinstance(value, str):
            raise ValueError("is no text - allowed: a text in quotes")
        return parse(value)

    return PlainValidator(read)


class FromEnvironment(str):
    """A text out of the environment, which has no numbers: where a TOML would have one, it is read as one."""

    __slots__ = ()


class AsText:
    """Marks a field that is written as a text, also in the environment, where lists and tables are JSON."""


def _as_literal(value: object) -> object:
    if isinstance(value, FromEnvironment):
        with suppress(ValueError):
            return tomllib.loads(f"value = {value}")["value"]
    return value


def as_list(value: object) -> object:
    """Let one text stand for a list of one."""
    return [value] if isinstance(value, str) else value


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """Read an address or a network, such as `192.0.2.0/24`. Raises ValueError."""
    try:
        network = ip_network(text, strict=False)
    except ValueError as exc:
        raise ValueError("is not a network - allowed: such as 192.0.2.7 or 192.0.2.0/24") from exc
    address = text.partition("/")[0]
    if ip_address(address) != network.network_address:
        raise ValueError(f"is an address inside of a network - allowed: {network} for all of it, or {address} alone")
    return network


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < SHORTEST_SECRET:
        raise ValueError(f"is too short - allowed: {A_SECRET}")
    return secret


def is_below_ttl(seconds: float, info: ValidationInfo) -> float:
    """Check `cache.refresh_ahead`. Raises ValueError."""
    ttl = info.data.get("ttl")
    if ttl is not None and seconds >= ttl:
        raise ValueError(f"is not below ttl - allowed: below {ttl:g}, such as {ttl / 10:g}")
    return seconds


def fits_snapshot(key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
    """Check that `cache.snapshot_key` is there when it is needed. Raises ValueError."""
    if key is None and info.data.get("snapshot"):
        raise ValueError(f"is missing, and snapshot is encrypted with it - allowed: {A_SECRET}")
    if key is not None and info.data.get("snapshot", "") is None:
        raise ValueError("is given without snapshot - allowed: both or neither")
    return key


def fits_listen(token: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
    """Check that `admin.token` is there when it is needed. Raises ValueError."""
    if "listen" not in info.data:  # something is wrong with it
        return token
    listen = info.data["listen"]
    if token is None and listen is not None and not is_loopback(listen[0]):
        raise ValueError(f"is missing, and other machines reach listen - allowed: {A_SECRET}; or 127.0.0.1 there")
    if token is not None and listen is None:
        raise ValueError("is given without listen - allowed: both or neither")
    return token


def is_for_pushes_alone(push_token: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
    """Check that who may only tell of changes is not taken for the operator. Raises ValueError."""
    if push_token is not None and push_token == info.data.get("token"):
        raise ValueError("is the operator's token too - allowed: another secret, or none")
    return push_token


def parse_path(text: str) -> str:
    """Read the path of a URL, such as `/musteri.json`. Raises ValueError."""
    if not re.fullmatch(r"/[A-Za-z0-9._~/-]*", text):
        raise ValueError("is not a path - allowed: / and then letters, digits and . _ ~ / -")
    return text


def parse_region(text: str) -> str:
    """Read a country, such as `TR`. Raises ValueError."""
    if text not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError("is not a region - allowed: an ISO 3166 code in capitals, such as TR")
    return text


def parse_zone(text: str) -> ZoneInfo:
    """Read a time zone, such as `Europe/Istanbul`. Raises ValueError."""
    try:
        return ZoneInfo(text)
    except (OSError, ValueError, KeyError) as exc:
        raise ValueError("is not a time zone - allowed: an IANA name, such as Europe/Istanbul") from exc


def parse_number_type(text: str) -> str:
    """Read a type of number, such as `mobile`. Raises ValueError."""
    if text not in NUMBER_TYPES.values():
        raise ValueError(f"is not a type of number - allowed: {', '.join(sorted(NUMBER_TYPES.values()))}")
    return text


def parse_kinds(value: object) -> frozenset[Standing]:
    """Read which callers a rule is for: a kind, a list of kinds, or `anyone`. Raises ValueError."""
    words = as_list(value)
    if words == ["anyone"]:
        return frozenset(Standing)
    return _words_of(
        Standing, words, f"is not a kind of caller - allowed: {', '.join(Standing)}, a list of them, or anyone"
    )


def parse_by(value: object) -> frozenset[By]:
    """Read what a source is asked by: a word or a list of them. Raises ValueError."""
    return _words_of(By, as_list(value), f"is nothing to ask by - allowed: {', '.join(By)}, or a list of both")


def _words_of(kinds: type[W], words: object, otherwise: str) -> frozenset[W]:
    if not isinstance(words, list) or not words or not all(word in list(kinds) for word in words):
        raise ValueError(otherwise)
    return frozenset(map(kinds, words))


Number = Annotated[float, Field(strict=True, allow_inf_nan=False), BeforeValidator(_as_literal)]
WholeNumber = Annotated[int, Field(strict=True), BeforeValidator(_as_literal)]
YesOrNo = Annotated[bool, Field(strict=True), BeforeValidator(_as_literal)]
Seconds = Annotated[Number, Field(gt=0, le=86400 * 365)]
TargetSetting = Annotated[Target, read_by(Target.parse)]
GreetingSetting = Annotated[Greeting, read_by(Greeting)]
LongSecret = Annotated[SecretStr, AfterValidator(_long_enough)]
Networks = tuple[Annotated[IPv4Network | IPv6Network, read_by(parse_network)], ...]
Names = Annotated[list[str], Field(min_length=1)]


def _as_table_value(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _parse_table_value(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,6}", text) and text not in LANGUAGES:
        raise ValueError(f"is nothing that a table has - allowed: 1 to 6 digits, or {', '.join(LANGUAGES)}")
    return text


def is_service_url(url: SecretStr) -> SecretStr:
    """Check `switch.service_url`. Raises ValueError."""
    if not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+(/[\x21\x23-\x7e]*)?", url.get_secret_value()):
        raise ValueError("is not a URL - allowed: such as https://tanima.example.com/musteri.json")
    return url


TableValue = Annotated[str, read_by(_parse_table_value), BeforeValidator(_as_table_value)]
