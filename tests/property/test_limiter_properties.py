"""Never more than burst + rate * t, in no window of any history; and the table does not grow."""

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from proxy.limiter import Limiter, network_of

NEARLY = 1e-6
"""What sums of seconds lose"""

PAUSES = st.lists(st.one_of(st.just(0.0), st.floats(0, 0.1), st.floats(0, 10_000)), max_size=80)


@given(
    pauses=PAUSES,
    rate=st.floats(0.01, 1000),
    burst=st.integers(1, 20),
    begin=st.floats(0, 1e7),
)
def test_no_window_has_more_than_the_burst_and_what_the_rate_gives_in_it(
    pauses: list[float], rate: float, burst: int, begin: float
) -> None:
    limiter = Limiter(rate, burst)
    now, admitted = begin, []
    for pause in pauses:
        now += pause
        if limiter.admit(IPv4Address("192.0.2.1"), now):
            admitted.append(now)
    for first, since in enumerate(admitted):
        for last in range(first, len(admitted)):
            assert last - first + 1 <= burst + rate * (admitted[last] - since) + NEARLY


@given(pauses=PAUSES, rate=st.floats(0.01, 1000), burst=st.integers(1, 20))
def test_who_keeps_to_the_rate_is_never_refused(pauses: list[float], rate: float, burst: int) -> None:
    limiter = Limiter(rate, burst)
    now = 0.0
    for pause in pauses:
        now += pause + 1 / rate * (1 + NEARLY)
        assert limiter.admit(IPv4Address("192.0.2.1"), now)


ADDRESSES = st.one_of(
    st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address), st.just(IPv6Address(0))
)


@given(asking=st.lists(ADDRESSES, max_size=100), size=st.integers(1, 10))
def test_no_more_addresses_are_remembered_than_there_is_room_for(
    asking: list[IPv4Address | IPv6Address], size: int
) -> None:
    limiter = Limiter(1, 1, size)
    for address in asking:
        limiter.admit(network_of(address), 0.0)
        assert len(limiter) <= size


@given(st.lists(ADDRESSES, max_size=100))
def test_nobody_is_refused_for_what_others_do(asking: list[IPv4Address | IPv6Address]) -> None:
    limiter = Limiter(1, 1)
    networks = [str(address) if isinstance(address, IPv4Address) else int(address) >> 64 for address in asking]
    for place, address in enumerate(asking):
        assert limiter.admit(network_of(address), 0.0) is (networks[place] not in networks[:place])
