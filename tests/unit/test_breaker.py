"""When a source may be asked, at given times."""

import pytest

from proxy.breaker import LONGEST_REST, REFILL, RESERVE, Breaker, RetryBudget, State
from proxy.errors import CircuitOpen


def opened(failures: int = 3, pause: float = 5.0, at: float = 0.0) -> Breaker:
    """Return a breaker that has opened at a time."""
    breaker = Breaker(failures, pause)
    for _ in range(failures):
        breaker.failed(breaker.enter(at), at)
    return breaker


def test_it_opens_with_the_last_of_the_failures_in_a_row() -> None:
    breaker = Breaker(3, 5)
    for _ in range(2):
        breaker.failed(breaker.enter(0), 0)
        assert breaker.state(0) is State.CLOSED
    breaker.failed(breaker.enter(0), 0)
    assert breaker.state(0) is State.OPEN


def test_an_answer_in_between_begins_the_row_anew() -> None:
    breaker = Breaker(3, 5)
    for _ in range(10):
        for _ in range(2):
            breaker.failed(breaker.enter(0), 0)
        breaker.succeeded(breaker.enter(0))
    assert breaker.state(0) is State.CLOSED


def test_what_is_open_lets_nobody_through_and_tells_for_how_long() -> None:
    breaker = opened(at=100)
    with pytest.raises(CircuitOpen, match="3 attempts in a row have failed") as caught:
        breaker.enter(102)
    assert caught.value.retry_after == 3


def test_after_the_pause_one_attempt_may_try_and_the_others_wait_for_it() -> None:
    breaker = opened()
    assert breaker.state(5) is State.HALF_OPEN
    breaker.enter(5)
    for _ in range(1000):
        with pytest.raises(CircuitOpen) as caught:
            breaker.enter(6)
        assert caught.value.retry_after == 0


def test_an_attempt_that_is_given_up_after_its_verdict_changes_nothing() -> None:
    breaker = opened()
    permit = breaker.enter(5)
    breaker.failed(permit, 5)
    trying = breaker.enter(10)
    breaker.given_up(permit)
    with pytest.raises(CircuitOpen):
        breaker.enter(10)
    assert breaker.succeeded(trying)
    breaker.given_up(trying)
    assert breaker.state(10) is State.CLOSED


def test_the_attempt_that_succeeds_closes_it() -> None:
    breaker = opened()
    assert breaker.succeeded(breaker.enter(5))
    assert breaker.state(5) is State.CLOSED
    assert not breaker.succeeded(breaker.enter(5)), "it is closed already"
    breaker.failed(breaker.enter(5), 5)
    assert breaker.state(5) is State.CLOSED, "the row begins anew"


def test_the_attempt_that_fails_opens_it_for_another_pause() -> None:
    breaker = opened()
    breaker.failed(breaker.enter(5), 6)
    assert breaker.state(10.9) is State.OPEN
    assert breaker.state(11) is State.HALF_OPEN


def test_an_attempt_that_is_broken_off_gives_its_leave_to_the_next() -> None:
    breaker = opened()
    breaker.given_up(breaker.enter(5))
    breaker.succeeded(breaker.enter(5))
    assert breaker.state(5) is State.CLOSED


def test_attempts_from_before_it_opened_have_no_say() -> None:
    breaker = Breaker(2, 5)
    late = [breaker.enter(0) for _ in range(5)]
    for permit in late[:2]:
        breaker.failed(permit, 0)
    assert not breaker.succeeded(late[2])
    breaker.failed(late[3], 4)
    breaker.given_up(late[4])
    assert breaker.state(4.9) is State.OPEN
    trying = breaker.enter(5)
    breaker.given_up(late[4])
    with pytest.raises(CircuitOpen):
        breaker.enter(5)
    breaker.succeeded(trying)
    breaker.failed(late[3], 5)
    breaker.failed(breaker.enter(5), 5)
    assert breaker.state(5) is State.CLOSED


def test_a_crm_that_asks_for_it_is_left_alone_until_then() -> None:
    breaker = Breaker(3, 5)
    breaker.rest(30, 0)
    assert breaker.state(29.9) is State.THROTTLED
    with pytest.raises(CircuitOpen, match="left alone") as caught:
        breaker.enter(10)
    assert caught.value.retry_after == 20
    assert breaker.state(30) is State.CLOSED
    breaker.enter(30)


def test_a_shorter_wish_does_not_shorten_a_longer_one() -> None:
    breaker = Breaker(3, 5)
    breaker.rest(30, 0)
    breaker.rest(1, 0)
    assert breaker.state(29) is State.THROTTLED


def test_no_crm_is_left_alone_for_days() -> None:
    breaker = Breaker(3, 5)
    breaker.rest(1e9, 0)
    assert breaker.state(LONGEST_REST) is State.CLOSED


def test_an_attempt_to_close_it_that_is_throttled_leaves_the_next_attempt_to_another() -> None:
    breaker = opened()
    breaker.given_up(breaker.enter(5))
    breaker.rest(2, 5)
    assert breaker.state(6) is State.THROTTLED
    assert breaker.state(7) is State.HALF_OPEN
    breaker.succeeded(breaker.enter(7))
    assert breaker.state(7) is State.CLOSED


def test_a_quiet_source_has_a_reserve() -> None:
    budget = RetryBudget(0.2)
    assert [budget.withdraw(0) for _ in range(int(RESERVE) + 1)] == [True] * int(RESERVE) + [False]


def test_each_lookup_adds_its_share() -> None:
    budget = RetryBudget(0.25)
    while budget.withdraw(0):
        pass
    granted = 0
    for _ in range(400):
        budget.deposit()
        granted += budget.withdraw(0)
    assert granted == 100


def test_time_fills_the_reserve_and_no_more() -> None:
    budget = RetryBudget(0.2)
    while budget.withdraw(0):
        pass
    assert not budget.withdraw(0.9 / REFILL)
    assert budget.withdraw(1.1 / REFILL)
    assert sum(budget.withdraw(1e6) for _ in range(100)) == RESERVE


def test_lookups_do_not_fill_it_beyond_the_reserve() -> None:
    budget = RetryBudget(1)
    for _ in range(1000):
        budget.deposit()
    assert sum(budget.withdraw(0) for _ in range(100)) == RESERVE


def test_without_a_share_there_is_none_at_all() -> None:
    budget = RetryBudget(0)
    budget.deposit()
    assert not budget.withdraw(1e6)
