"""How often an address may ask: a bucket of tokens for each. Pure; the caller brings the time, in monotonic seconds."""

from ipaddress import IPv4Address, IPv6Address

from cachetools import LRUCache

ADDRESSES = 10_000
"""Addresses that are remembered; then the one that has been quiet longest is forgotten, and so begins anew."""

_HOST_BITS = 64
"""Bits of an IPv6 address that whoever has a network may choose as he likes"""


class Limiter:
    """Lets each address ask `burst` times at once, and `rate` times a second over time.

    An IPv6 address counts as the /64 it is in. Who is refused does not have to wait any longer for that.
    """

    def __init__(self, rate: float, burst: int, size: int = ADDRESSES) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: LRUCache[int, tuple[float, float]] = LRUCache(size)
        """Tokens left, and when; of networks below zero, so that they are no IPv4 addresses"""

    def __len__(self) -> int:
        return len(self._buckets)

    def admit(self, address: IPv4Address | IPv6Address, now: float) -> bool:
        """Take a token out of an address' bucket, and tell whether there was one."""
        key = int(address) if isinstance(address, IPv4Address) else ~(int(address) >> _HOST_BITS)
        tokens, since = self._buckets.get(key, (self._burst, now))
        tokens = min(self._burst, tokens + max(0.0, now - since) * self._rate)
        admitted = tokens >= 1
        self._buckets[key] = (tokens - admitted, now)
        return admitted
