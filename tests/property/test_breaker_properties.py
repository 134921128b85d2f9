"""Whatever happens in whatever order: a breaker lets nobody through while it is open, and one while it tries."""

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from proxy.breaker import REFILL, RESERVE, Breaker, Permit, RetryBudget, State
from proxy.errors import CircuitOpen
from tests.lengths import at_length

FAILURES, PAUSE = 3, 5.0


class Breaking(RuleBasedStateMachine):
    """A breaker beside the simplest account of what it must do."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(FAILURES, PAUSE)
        self.now = 0.0
        self.out: list[Permit] = []
        self.trying: Permit | None = None
        self.row = 0
        self.open_until: float | None = None
        self.rests_until = -1.0
        self.valid: set[int] = set()

    @rule(seconds=st.floats(0, 7))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def somebody_calls(self) -> None:
        may = self.now >= self.rests_until and (
            self.open_until is None or (self.now >= self.open_until and self.trying is None)
        )
        try:
            permit = self.breaker.enter(self.now)
        except CircuitOpen:
            assert not may
            return
        assert may
        self.out.append(permit)
        if self.open_until is not None:
            self.trying = permit
        self.valid.add(id(permit))

    @precondition(lambda self: self.out)
    @rule(data=st.data(), verdict=st.sampled_from(["succeeded", "failed", "given_up", "throttled"]))
    def an_attempt_ends(self, data: st.DataObject, verdict: str) -> None:
        permit = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        counts = id(permit) in self.valid and (self.open_until is None or permit is self.trying)
        if verdict == "succeeded":
            assert self.breaker.succeeded(permit) == (counts and self.open_until is not None)
            if counts:
                self._changes(None) if self.open_until is not None else None
                self.row = 0
        elif verdict == "failed":
            self.breaker.failed(permit, self.now)
            if counts:
                self.row += 1
                if self.open_until is not None or self.row >= FAILURES:
                    self._changes(self.now + PAUSE)
        elif verdict == "given_up":
            self.breaker.given_up(permit)
            self.trying = None if permit is self.trying else self.trying
        else:
            self.breaker.given_up(permit)
            self.breaker.rest(2, self.now)
            self.rests_until = max(self.rests_until, self.now + 2)
            self.trying = None if permit is self.trying else self.trying

    def _changes(self, open_until: float | None) -> None:
        self.open_until = open_until
        self.trying = None
        self.valid.clear()

    @invariant()
    def its_state_is_what_it_does(self) -> None:
        state = self.breaker.state(self.now)
        if self.now < self.rests_until:
            assert state is State.THROTTLED
        elif self.open_until is None:
            assert state is State.CLOSED
        else:
            assert state is (State.OPEN if self.now < self.open_until else State.HALF_OPEN)


TestBreaking = Breaking.TestCase
TestBreaking.settings = settings(max_examples=at_length(300, otherwise=100), stateful_step_count=60, deadline=None)


@given(
    share=st.floats(0, 2),
    steps=st.lists(st.tuples(st.floats(0, 10), st.integers(0, 5), st.integers(0, 10)), max_size=60),
)
def test_second_attempts_stay_a_part_of_all_lookups(share: float, steps: list[tuple[float, int, int]]) -> None:
    budget, now, lookups, granted = RetryBudget(share), 0.0, 0, 0
    for seconds, more_lookups, wanted in steps:
        now += seconds
        for _ in range(more_lookups):
            budget.deposit()
        lookups += more_lookups
        granted += sum(budget.withdraw(now) for _ in range(wanted))
    assert granted <= RESERVE + share * lookups + now * REFILL + 1e-6
    assert share > 0 or granted == 0
