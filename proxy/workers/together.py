"""What an operator can see of several workers, and do with them, as if they were one."""

from collections.abc import Sequence
from dataclasses import replace

from proxy.breaker import State
from proxy.deployment import Deployment
from proxy.gauges import Gauges, OneSource
from proxy.keeping import Keeper
from proxy.observing import Watch
from proxy.operating import Operation
from proxy.phone import PhoneNumber, forget_numbers
from proxy.web.operated import Cached, Erased, Question, Tested
from proxy.workers.crew import Crew

_FROM_GOOD_TO_BAD = (State.CLOSED, State.HALF_OPEN, State.THROTTLED, State.OPEN)


class Together(Operation):
    """Several workers, as the operator's address needs them."""

    def __init__(self, deployment: Deployment, watch: Watch, keeper: Keeper, crew: Crew) -> None:
        super().__init__(deployment, watch, keeper)
        self._crew = crew

    def gauges(self, *, with_rules: bool = True) -> Gauges:
        mine = super().gauges(with_rules=with_rules)
        theirs = self._crew.gauges()
        return summed(mine, [*theirs.values()], theirs[0].snapshot_at if 0 in theirs else None)

    async def cached(self, number: PhoneNumber) -> Cached | None:
        found: list[Cached | None] = await self._crew.ask_any("cached", number)
        return max((each for each in found if each), key=lambda each: each.fresh_for, default=None)

    async def erase(self, number: PhoneNumber) -> Erased:
        all_erased: list[Erased] = await self._crew.ask_all("erase", number)
        self.journal.forget(number)
        forget_numbers()
        erased = Erased(any(each.was_known for each in all_erased), any(each.snapshot for each in all_erased))
        self.watch.erased(was_known=erased.was_known)
        return erased

    async def invalidate(self, number: PhoneNumber | None) -> int:
        counts: list[int] = await self._crew.ask_all("invalidate", number)
        count = sum(counts) if number is None else max(counts)
        self.watch.invalidated(count, everything=number is None)
        return count

    async def test(self, question: Question) -> Tested:
        tested: Tested = await self._crew.ask_one("test", question)
        return tested


def summed(mine: Gauges, theirs: Sequence[Gauges], snapshot_at: float | None) -> Gauges:
    """Return how everything is in all workers; of a source the worst state in any counts."""
    return replace(
        mine,
        sources={
            name: _worst([each.sources[name] for each in theirs if name in each.sources]) for name in mine.sources
        },
        flights=sum(each.flights for each in theirs),
        cached=sum(each.cached for each in theirs),
        cache_size=sum(each.cache_size for each in theirs),
        dialogues=sum(each.dialogues for each in theirs),
        connections={"switch": sum(each.connections.get("switch", 0) for each in theirs), **mine.connections},
        connections_most=sum(each.connections_most for each in theirs),
        snapshot_at=snapshot_at,
    )


def _worst(sources: Sequence[OneSource]) -> OneSource:
    return OneSource(
        max((each.state for each in sources), key=_FROM_GOOD_TO_BAD.index, default=State.CLOSED),
        max((each.completing for each in sources), key=_FROM_GOOD_TO_BAD.index, default=State.CLOSED),
        sum(each.under_way for each in sources),
        sum(each.most for each in sources),
    )
