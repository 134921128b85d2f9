"""How often somebody may do something: a bucket of tokens for each. Pure; the caller brings the time, in seconds."""

from collections import OrderedDict
from collections.abc import Hashable
from ipaddress import IPv4Address, IPv6Address

BUCKETS = 10_000
"""Of whom so many are remembered; then the one that has been quiet longest is forgotten, and so begins anew."""

_HOST_BITS = 64
"""Bits of an IPv6 address that whoever has a network may choose as he likes"""


class Limiter:
    """Lets each do something `burst` times at once, and `rate` times a second over time.

    Who is refused does not have to wait any longer for that.
    """

    def __init__(self, rate: float, burst: int, size: int = BUCKETS) -> None:
        self.rate = rate
        self.burst = burst
        self._size = size
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        """Tokens left, and when; the one that has been quiet longest comes first"""

    def __len__(self) -> int:
        return len(self._buckets)

    def admit(self, who: Hashable, now: float) -> bool:
        """Take a token out of somebody's bucket, and tell whether there was one."""
        tokens, since = self._buckets.get(who, (self.burst, now))
        tokens = min(self.burst, tokens + max(0.0, now - since) * self.rate)
        admitted = tokens >= 1
        self._buckets[who] = (tokens - admitted, now)
        self._buckets.move_to_end(who)
        if len(self._buckets) > self._size:
            self._buckets.popitem(last=False)
        return admitted

    def give_back(self, who: Hashable) -> None:
        """Put a token back that was taken for nothing."""
        if who in self._buckets:
            tokens, since = self._buckets[who]
            self._buckets[who] = (min(self.burst, tokens + 1), since)


def network_of(address: IPv4Address | IPv6Address) -> Hashable:
    """Return as whom an address counts: an IPv6 address as the /64 it is in."""
    # networks are below zero, so that they are no IPv4 addresses
    return int(address) if isinstance(address, IPv4Address) else ~(int(address) >> _HOST_BITS)
