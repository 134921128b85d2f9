"""A server that does nothing but note what an operator asks for, and says what it is told to."""

from dataclasses import dataclass, field

from proxy.breaker import State
from proxy.figures import Figures
from proxy.gauges import Gauges, OneSource
from proxy.journal import Journal
from proxy.phone import PhoneNumber
from proxy.web.operated import Cached, Erased, Question, Shown, Tested

GAUGES = Gauges(
    version="1.2.3",
    deadline=1.5,
    sources={"crm": OneSource(State.CLOSED, State.CLOSED, 0, 100)},
    rules=[("", "gold")],
    flights=0,
    cached=7,
    cache_size=50_000,
    dialogues=0,
    connections={"switch": 2, "admin": 1},
    connections_most=2000,
    journal=0,
    configured_at=1_795_000_000.0,
    snapshot_at=None,
    is_refused=False,
)


@dataclass
class FakeOperated:
    """`answer` is what becomes of an erase; if that is an error, also of a change."""

    answer: Erased | Exception = field(default_factory=lambda: Erased(was_known=True, snapshot=True))
    numbers: list[PhoneNumber] = field(default_factory=list)
    """That were erased"""
    invalidated: list[PhoneNumber | None] = field(default_factory=list)
    figures: Figures = field(default_factory=Figures)
    journal: Journal = field(default_factory=Journal)
    state: Gauges = GAUGES
    region: str = "TR"
    time: float = 1000.0

    def now(self) -> float:
        return self.time

    def gauges(self) -> Gauges:
        return self.state

    def shown(self) -> Shown:
        return Shown("config.toml", {})

    async def cached(self, number: PhoneNumber) -> Cached | None:
        raise NotImplementedError(str(number))

    async def erase(self, number: PhoneNumber) -> Erased:
        self.numbers.append(number)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def invalidate(self, number: PhoneNumber | None) -> int:
        self.invalidated.append(number)
        if isinstance(self.answer, Exception):
            raise self.answer
        return 3

    async def test(self, question: Question) -> Tested:
        raise NotImplementedError(str(question))
