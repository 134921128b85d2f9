from ipaddress import IPv4Address, ip_address

from proxy.limiter import Limiter, network_of

HERE = IPv4Address("192.0.2.1")
THERE = IPv4Address("192.0.2.2")


def test_the_burst_may_come_at_once_and_no_more() -> None:
    limiter = Limiter(rate=1, burst=3)
    assert [limiter.admit(HERE, 100.0) for _ in range(5)] == [True, True, True, False, False]


def test_a_bucket_fills_at_its_rate_up_to_the_burst() -> None:
    limiter = Limiter(rate=2, burst=2)
    assert [limiter.admit(HERE, 100.0) for _ in range(3)] == [True, True, False]
    assert [limiter.admit(HERE, 100.25), limiter.admit(HERE, 100.5), limiter.admit(HERE, 100.5)] == [False, True, False]
    assert [limiter.admit(HERE, 200.0) for _ in range(3)] == [True, True, False]


def test_who_is_refused_does_not_have_to_wait_longer_for_that() -> None:
    limiter = Limiter(rate=1, burst=1)
    assert limiter.admit(HERE, 100.0)
    assert not any(limiter.admit(HERE, 100.0 + tenth / 10) for tenth in range(10))
    assert limiter.admit(HERE, 101.5)


def test_each_has_a_bucket_of_its_own() -> None:
    limiter = Limiter(rate=1, burst=1)
    assert [limiter.admit(address, 100.0) for address in (HERE, THERE, HERE, THERE)] == [True, True, False, False]


def test_whoever_can_be_told_from_others_has_a_bucket() -> None:
    limiter = Limiter(rate=1, burst=1)
    asking = ["+905301234567", "withheld", 7, "+905301234567", "+905321112233"]
    assert [limiter.admit(who, 100.0) for who in asking] == [True, True, True, False, True]


def test_a_limiter_tells_its_limits() -> None:
    assert (Limiter(0.5, 3).rate, Limiter(0.5, 3).burst) == (0.5, 3)


def test_an_ipv6_address_counts_as_its_network() -> None:
    limiter = Limiter(rate=1, burst=1)
    asking = ["2001:db8::1", "2001:db8::ffff", "2001:db8:0:1::1", "::1", "0.0.0.0", "0.0.0.1"]
    assert [limiter.admit(network_of(ip_address(text)), 100.0) for text in asking] == [
        True,
        False,
        True,
        True,
        True,
        True,
    ]


def test_a_time_that_goes_back_takes_and_gives_nothing() -> None:
    limiter = Limiter(rate=1, burst=2)
    assert [limiter.admit(HERE, 100.0), limiter.admit(HERE, 50.0), limiter.admit(HERE, 50.0)] == [True, True, False]


def test_who_has_been_quiet_longest_is_forgotten_first() -> None:
    limiter = Limiter(rate=1, burst=1, size=2)
    assert limiter.admit(HERE, 100.0)
    assert limiter.admit(THERE, 100.0)
    assert not limiter.admit(HERE, 100.0)
    assert limiter.admit(IPv4Address("192.0.2.3"), 100.0)
    assert not limiter.admit(HERE, 100.0)
    assert len(limiter) == 2


def test_what_was_taken_for_nothing_is_given_back() -> None:
    limiter = Limiter(rate=1, burst=2)
    assert [limiter.admit("a", 100.0) for _ in range(3)] == [True, True, False]
    limiter.give_back("a")
    limiter.give_back("nobody")
    assert [limiter.admit("a", 100.0) for _ in range(2)] == [True, False]
    for _ in range(9):
        limiter.give_back("a")
    assert [limiter.admit("a", 100.0) for _ in range(3)] == [True, True, False]
    assert len(limiter) == 1
