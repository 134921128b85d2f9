"""What an operator sees of a server, and does with it."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proxy import logs
from proxy.adapter import Contact, CustomerNumber
from proxy.breaker import State
from proxy.config import Configuration
from proxy.deployment import Deployment, snapshot_of
from proxy.errors import Unavailable
from proxy.journal import Answered, Given
from proxy.keeping import Keeper
from proxy.model import Reason, Via
from proxy.observing import Watch
from proxy.operating import Operation
from proxy.phone import Extension, Unreadable, _callers, _read, parse_number
from proxy.snapshot import SnapshotError
from proxy.web.operated import Question
from tests.unit.deployed import configured
from tests.unit.fakes import AHMET, MONDAY_NOON, NUMBER, FakeAdapter, call
from tests.unit.talking import AYSE, CustomerBook, talkative
from tests.unit.test_journal import answered, repeated

RULES = [
    {"name": "gold", "when": {"tier": "gold"}, "target": "queue/201"},
    {"name": "rest", "target": "queue/203"},
    {"name": "never", "when": {"tier": "silver"}, "target": "queue/204"},
]
OTHER = Contact("Ahmet Yılmaz", {"tier": "silver"}, id="7")


@pytest.fixture(autouse=True)
def lines(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...]]]:
    """Return what is written to the log."""
    lines: list[tuple[str, tuple[Any, ...]]] = []
    for name in ("calls_answered", "calls_repeated", "source_asked", "source_guarded", "erased", "invalidated", "bug",
                 "snapshot_failed", "reloaded", "reload_refused", "worker_ended"):  # fmt: skip

        def write(*told: Any, name: str = name, **_: Any) -> None:
            lines.append((name, told))

        monkeypatch.setattr(logs, name, write)
    return lines


class Run:
    """A deployment as a server has it."""

    def __init__(self, configuration: Configuration) -> None:
        self.watch = Watch(lambda: configuration.settings.switch.deadline)
        self.deployment = Deployment(configuration, self.watch.observers())
        self.keeper = Keeper(snapshot_of(configuration), lambda: self.deployment.directory.cache)
        self.operation = Operation(self.deployment, self.watch, self.keeper)

    async def answer(self) -> Answered:
        rang = call(NUMBER)
        router = self.deployment.router
        answered = Answered(rang, await router.route(rang), 0.01, router.routing_of(rang))
        self.watch.calls_answered([answered])
        return answered

    async def untouched(self) -> tuple[Any, ...]:
        """Return all that a test call must leave as it is."""
        figures, upstream = self.operation.figures, self.deployment.upstreams["crm"]
        entry = await self.operation.cached(NUMBER)
        return (
            len(self.deployment.directory.cache), entry and entry.contact, self.deployment.directory.cache.changes,
            figures.calls.copy(), {name: source.outcomes.copy() for name, source in figures.sources.items()},
            len(self.operation.journal), upstream.states(), len(self.deployment.dialogues.memory),
        )  # fmt: skip


# ---------------------------------------------------------------------------------------- a test call


async def test_a_number_is_explained_without_a_trace() -> None:
    run = Run(configured(FakeAdapter(AHMET), rules=RULES))
    before = await run.untouched()
    tested = await run.operation.test(Question("0530 123 45 67", at=MONDAY_NOON))
    assert await run.untouched() == before
    assert tested.caller == NUMBER
    assert (tested.cached, tested.from_cache) == (None, None)
    assert [(each.rule, each.outcome) for each in tested.explanation.considered] == [
        ("gold", "matched"), ("rest", "not tried"), ("never", "not tried"),
    ]  # fmt: skip
    (asked,) = tested.explanation.knowledge.asked
    assert (asked.source, asked.outcome) == ("crm", "found")
    assert tested.began <= asked.began <= tested.began + tested.seconds
    assert tested.answers == {
        "santral-programlama": '{"transfer": {"greet_name": "Ahmet Yılmaz", "lang": "tr-TR", "target": "queue/201"}}',
        "musteri-tanima": '{"name": "Ahmet Yılmaz", "target": "queue/201"}',
    }


async def test_a_crm_that_fails_is_explained_and_no_breaker_counts_it() -> None:
    adapter = FakeAdapter(Unavailable("HTTP 500"))
    run = Run(configured(adapter, rules=RULES))
    before = await run.untouched()
    for _ in range(30):
        tested = await run.operation.test(Question("05301234567"))
    assert await run.untouched() == before
    assert run.deployment.upstreams["crm"].states() == (State.CLOSED, State.CLOSED)
    assert len(adapter.asked) == 30
    assert tested.explanation.knowledge.failure == "HTTP 500"
    assert tested.explanation.decision.reason is Reason.CRM_FAILED


async def test_what_the_cache_answers_is_told_beside_what_the_crm_says_now() -> None:
    run = Run(configured(FakeAdapter(AHMET, OTHER), rules=RULES))
    await run.answer()
    before = await run.untouched()
    tested = await run.operation.test(Question("05301234567"))
    assert await run.untouched() == before
    assert tested.cached is not None
    assert (tested.cached.contact, tested.cached.ambiguous) == (AHMET, False)
    assert 299 < tested.cached.fresh_for <= 300
    assert 86699 < tested.cached.stale_for <= 86700
    assert tested.from_cache is not None
    assert (tested.from_cache.decision.rule, tested.from_cache.decision.via) == ("gold", Via.CACHE)
    assert tested.explanation.decision.rule == "rest"


async def test_that_nobody_is_known_may_be_what_the_cache_has() -> None:
    run = Run(configured(FakeAdapter(None, AHMET), rules=RULES))
    await run.answer()
    tested = await run.operation.test(Question("05301234567"))
    assert tested.cached is not None
    assert tested.cached.contact is None
    assert tested.from_cache is not None
    assert tested.from_cache.decision.reason is Reason.UNKNOWN_CALLER


async def test_if_wanted_the_cache_has_the_answer_from_then_on() -> None:
    run = Run(configured(FakeAdapter(AHMET, OTHER), rules=RULES))
    await run.answer()
    tested = await run.operation.test(Question("05301234567", renew=True))
    assert tested.cached is not None
    assert tested.cached.contact == AHMET
    assert tested.explanation.knowledge.situation.contact is OTHER
    known = await run.operation.cached(NUMBER)
    assert known is not None
    assert known.contact == OTHER
    assert run.operation.figures.of("crm").outcomes == {"found": 2}


@pytest.mark.parametrize(
    ("text", "caller"),
    [
        ("1003", Extension("1003")),
        ("nonsense", Unreadable("has other characters than digits, a leading plus and separators")),
    ],
)
async def test_what_is_no_number_is_explained_too(text: str, caller: object) -> None:
    run = Run(configured(FakeAdapter(AHMET)))
    for renew in (False, True):
        tested = await run.operation.test(Question(text, renew=renew))
        assert tested.caller == caller
        assert tested.explanation.knowledge.asked == ()


async def test_one_that_was_dialled_and_one_that_was_keyed_count() -> None:
    run = Run(talkative(lines=[{"name": "sales", "called": "02125551010", "default": "queue/204"}]))
    tested = await run.operation.test(Question("05559998877", called="0212 555 10 10", key=CustomerNumber("777")))
    assert tested.explanation.knowledge.situation.contact is AYSE
    assert tested.explanation.decision.line == "sales"
    assert tested.explanation.decision.rule == "own agent"
    assert tested.from_cache is None
    assert list(tested.answers) == ["santral-programlama"], "the other form has no keyed numbers"


async def test_a_bug_in_an_adapter_is_told_and_not_logged(lines: list[tuple[str, tuple[Any, ...]]]) -> None:
    run = Run(configured(FakeAdapter(RuntimeError("no such column"))))
    tested = await run.operation.test(Question("05301234567"))
    assert tested.bugs == ["crm: RuntimeError"], "its text may hold anything"
    assert lines == []


# ---------------------------------------------------------------------------------------- erasing, invalidating


async def test_an_erased_number_is_in_no_journal_either() -> None:
    run = Run(configured(FakeAdapter(AHMET)))
    await run.answer()
    assert len(run.operation.journal) == 1
    assert (await run.operation.erase(NUMBER)).was_known
    assert len(run.operation.journal) == 0
    assert await run.operation.cached(NUMBER) is None
    assert run.operation.figures.events["erased"] == 1


async def test_an_erased_number_is_not_known_as_it_was_read_either() -> None:
    run = Run(configured(FakeAdapter(replace(AHMET, numbers=("0530 123 45 67", "0532 111 22 33")))))
    await run.answer()
    run.watch.calls_answered([answered(contact=Contact("Ayşe", numbers=("0532 111 22 34 / 0530 123 45 67",)))])
    await run.operation.erase(parse_number("0530 123 45 67", "TR"))
    assert (_read.cache_info().currsize, len(_callers)) == (0, 0)


async def test_a_change_is_counted_and_what_adapters_keep_is_dropped(lines: list[tuple[str, tuple[Any, ...]]]) -> None:
    class Keeping(FakeAdapter):
        dropped = 0

        def forget(self, _: object) -> None:
            self.dropped += 1

    adapter = Keeping(AHMET)
    run = Run(configured(adapter))
    await run.answer()
    lines.clear()
    assert await run.operation.invalidate(NUMBER) == 1
    assert adapter.dropped == 1
    assert await run.operation.invalidate(None) == 1
    assert adapter.dropped == 2
    known = await run.operation.cached(NUMBER)
    assert known is not None
    assert known.fresh_for <= 0
    assert run.operation.figures.events["invalidated"] == 2
    assert lines == [("invalidated", (1,)), ("invalidated", (1,))]


async def test_a_dialogue_goes_on_after_a_change() -> None:
    run = Run(talkative(CustomerBook()))
    await run.deployment.router.route(replace(call(NUMBER), call_id="a", can_be_asked=True))
    for number in (NUMBER, None):
        await run.operation.invalidate(number)
    assert len(run.deployment.dialogues.memory) == 1


async def test_tests_are_one_lookup_at_a_time() -> None:
    class Counting(FakeAdapter):
        under_way = most = 0

        async def lookup(self, key: Any) -> Any:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await asyncio.sleep(0.01)
            self.under_way -= 1
            return await super().lookup(key)

    adapter = Counting(AHMET)
    run = Run(configured(adapter))
    await asyncio.gather(*(run.operation.test(Question("05301234567")) for _ in range(5)))
    assert (len(adapter.asked), adapter.most) == (5, 1)


async def test_with_a_keyed_number_the_cache_is_left_alone() -> None:
    run = Run(talkative(CustomerBook()))
    await run.answer()
    before = await run.untouched()
    await run.operation.test(Question("05301234567", key=CustomerNumber("777"), renew=True))
    assert await run.untouched() == before


# ---------------------------------------------------------------------------------------- how everything is


async def test_how_everything_is_now() -> None:
    run = Run(configured(FakeAdapter(AHMET), rules=RULES))
    await run.answer()
    gauges = run.operation.gauges()
    assert gauges.deadline == 1.5
    crm = gauges.sources["crm"]
    assert (len(gauges.sources), crm.state, crm.under_way, crm.most) == (1, State.CLOSED, 0, 100)
    assert gauges.rules == [("", "gold"), ("", "rest"), ("", "never")]
    assert (gauges.cached, gauges.cache_size, gauges.flights, gauges.dialogues, gauges.journal) == (1, 50000, 0, 0, 1)
    assert (gauges.connections, gauges.connections_most, gauges.snapshot_at) == ({}, 0, None)
    assert not gauges.is_refused
    assert run.operation.region == "TR"
    assert run.operation.now() > 0


async def test_common_rules_are_told_of_for_each_line_that_has_none_of_its_own() -> None:
    lines = [
        {"name": "shop", "called": "02125551010"},
        {"name": "sales", "called": "02125551011", "rules": [{"name": "own", "target": "queue/205"}]},
    ]
    run = Run(configured(FakeAdapter(AHMET), rules=RULES[:1], lines=lines))
    assert run.operation.gauges().rules == [("", "gold"), ("shop", "gold"), ("sales", "own")]


async def test_the_configuration_that_counts_is_shown_also_after_another() -> None:
    run = Run(configured(FakeAdapter(AHMET), rules=RULES))
    shown = run.operation.shown()
    assert [(rule.line, rule.name, rule.goal, rule.never) for rule in shown.rules] == [
        ("", "gold", "queue/201", ""), ("", "rest", "queue/203", ""), ("", "never", "queue/204", "rest"),
    ]  # fmt: skip
    assert shown.rules[0].conditions == {"when": {"tier": "gold"}}
    other = Deployment(replace(configured(FakeAdapter(None)), warnings=("careful",), notes=("look",)))
    run.operation.change(other)
    assert run.operation.shown().rules == []
    assert list(run.operation.shown().notes) == ["careful", "look"]


async def test_calls_that_are_answered_as_before_are_written_counted_and_kept(
    lines: list[tuple[str, tuple[Any, ...]]],
) -> None:
    watch, given = Watch(lambda: 1.5), [Given(repeated(), 0.0002)] * 3
    watch.calls_repeated(given, time.monotonic())
    assert [(name, arguments) for name, arguments in lines] == [("calls_repeated", (given,))]
    assert watch.figures.calls == {(Reason.RULE, Via.CACHE): 3}
    assert len(watch.journal) == 3


async def test_what_happens_beside_calls_is_counted_and_written(lines: list[tuple[str, tuple[Any, ...]]]) -> None:
    watch = Watch(lambda: 1.5)
    watch.reloaded(1, 2)
    watch.reload_refused(["switch.default: is missing"])
    watch.reload_refused([])
    watch.snapshot_failed(SnapshotError("no room"))
    watch.bug("crm", RuntimeError())
    watch.worker_ended(1, -9, 0.1)
    counted = {"reloaded": 1, "reload_refused": 2, "snapshot_failed": 1, "bug": 1, "worker_ended": 1}
    assert watch.figures.events == counted
    names = [name for name, _ in lines]
    assert names == ["reloaded", "reload_refused", "snapshot_failed", "bug", "worker_ended"], (
        "the same problems are told once"
    )


async def test_a_source_that_is_left_alone_is_known_for_it(tmp_path: Path) -> None:
    run = Run(
        configured(
            FakeAdapter(Unavailable("HTTP 503", 30.0)),
            cache={"snapshot": str(tmp_path / "cache.json"), "snapshot_key": "made-up-made-up-made-up"},
        )
    )
    await run.answer()
    assert run.operation.figures.of("crm").left_alone == "HTTP 503"
    assert run.operation.gauges().sources["crm"].state is State.THROTTLED
    await run.keeper.take_up(None)  # type: ignore[arg-type]
    await run.keeper.write(anyway=True)
    assert run.operation.gauges().snapshot_at is not None
    run.keeper.let_go()
