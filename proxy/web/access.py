"""Who may ask: by address, by token, and not too often. Pure; the caller brings the time, in monotonic seconds.

Networks come first, then tokens, and the bucket last: only who has brought a right token takes one out of his address'
bucket. Otherwise anybody behind the same address (a proxy, a shared line) could use up the switch's. Wrong tokens need
no bucket of their own: they cause no lookup, the answer is the same for each, and 16 characters are not guessed.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from itertools import repeat
from operator import contains
from typing import Protocol

from proxy.limiter import Limiter, network_of

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

TOKEN_PARAMETER = "token"  # noqa: S105 - a parameter's name
TOKEN_HEADER = "X-Token"  # noqa: S105 - a header's name

_ADDRESS = re.compile(
    r"\[(?P<in_brackets>[^\[\]]+)\](?::[0-9]{1,5})?|(?P<with_port>[0-9.]+):[0-9]{1,5}|(?P<bare>[^\[\]]+)"
)
_MAPPED_BITS = 96
"""Leading bits of an IPv6 address that is an IPv4 one"""


class Headers(Protocol):
    """Headers of a request; names in any case."""

    def get(self, key: str, default: str, /) -> str:
        """Return the first value of a name."""

    def getall(self, key: str, default: list[str], /) -> list[str]:
        """Return all values of a name."""


class Query(Protocol):
    """The decoded query of a request."""

    def get(self, key: str, default: str, /) -> str:
        """Return the first value of a name."""


class Access:
    """Who may ask, and everybody when nothing is given.

    `allow` are the networks that may ask, `tokens` the secrets one of which must be brought, and `trusted_proxies` the
    networks of those whose X-Forwarded-For is believed.
    """

    def __init__(
        self,
        *,
        tokens: Iterable[str] = (),
        allow: Iterable[Network] = (),
        trusted_proxies: Iterable[Network] = (),
        limiter: Limiter | None = None,
    ) -> None:
        self._tokens = [token.encode() for token in tokens]
        self._allow = [*map(_as_ipv4_network, allow)]
        self._trusted = [*map(_as_ipv4_network, trusted_proxies)]
        self._limiter = limiter
        self.is_open = not self._tokens and not self._allow and limiter is None
        """Whether everybody may ask whatever he brings"""

    def is_question(self, path: str, wanted: str) -> bool:
        """Tell whether a decoded path is the switch's own; a token may stand before it."""
        return path == wanted or (bool(self._tokens) and path.endswith(wanted))

    def admits(self, peer: str | None, before: str, query: Query, headers: Headers, now: float) -> bool:
        """Tell whether a request may be answered from the CRM. `before` is what stands before the switch's path."""
        client = None
        if self._allow or self._limiter is not None:
            client = self.client(peer, headers)
            if client is None or (self._allow and not _is_in(client, self._allow)):
                return False
        if self._tokens and not is_right(_brought(before, query, headers), self._tokens):
            return False
        return self._limiter is None or client is None or self._limiter.admit(network_of(client), now)

    def bucket(self, peer: str | None, headers: Headers) -> tuple[Limiter, Hashable] | None:
        """Return what a call of somebody is taken out of; None where that is nothing."""
        client = None if self._limiter is None else self.client(peer, headers)
        return (self._limiter, network_of(client)) if self._limiter and client else None

    def client(self, peer: str | None, headers: Headers) -> Address | None:
        """Return who asks: the peer, or whom the trusted proxies name. None when that cannot be read."""
        client = read_address(peer or "")
        if client is None or not self._trusted or not _is_in(client, self._trusted):
            return client
        lines = headers.getall("X-Forwarded-For", [])
        for hop in reversed(",".join(lines).split(",") if lines else []):
            client = read_address(hop)
            if client is None or not _is_in(client, self._trusted):
                break
        return client


def is_right(brought: Iterable[str], tokens: Iterable[bytes]) -> bool:
    """Compare in a time that does not tell how much of a token was right, or which one it was."""
    right = False
    for text in filter(None, brought):  # no token is empty
        candidate = text.encode("utf-8", "surrogatepass")
        for token in tokens:
            right |= hmac.compare_digest(candidate, token)
    return right


@lru_cache(1000)
def read_address(text: str) -> Address | None:
    """Read an address, with a port behind it or without. None when it is none."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None:
        return None
    try:
        address = ip_address(match[match.lastgroup or 0].partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _as_ipv4_network(network: Network) -> Network:
    """Return the IPv4 network that an IPv6 one stands for, as addresses are read that way too."""
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(map(contains, networks, repeat(address)))


def _brought(before: str, query: Query, headers: Headers) -> Iterator[str]:
    """Yield what may be a token, from each place where one may stand."""
    yield before.removeprefix("/")
    yield query.get(TOKEN_PARAMETER, "")
    yield from brought_in(headers)


def brought_in(headers: Headers) -> Iterator[str]:
    """Yield what may be a token, from the headers in which one may stand."""
    yield headers.get(TOKEN_HEADER, "")
    authorization = headers.get("Authorization", "")
    if not authorization:
        return
    scheme, _, credentials = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        yield credentials.strip()
    elif scheme.lower() == "basic":
        user, password = _user_and_password(credentials.strip())
        yield password or user


def _user_and_password(credentials: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, ValueError):
        return "", ""
    user, _, password = text.partition(":")
    return user, password
