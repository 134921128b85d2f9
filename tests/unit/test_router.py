import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from proxy.actions import Transfer
from proxy.adapter import Adapter, Contact
from proxy.cache import ContactCache
from proxy.detached import detach
from proxy.dialects.musteri_tanima import MusteriTanima
from proxy.directory import Directory, Lifetimes
from proxy.errors import AdapterError, Unavailable
from proxy.matching import Several
from proxy.model import Reason, Via
from proxy.phone import Caller, Extension, Unreadable, Withheld
from proxy.router import CallRouter
from proxy.routing import Decision, Routing
from proxy.rules import Considered, Rule, Situation, Standing
from proxy.rules.comparison import Comparison
from proxy.rules.greeting import Greeting
from proxy.rules.manner import Manner
from proxy.rules.situation import CallerIs, FieldIs
from proxy.rules.template import TargetTemplate
from proxy.sources import Source, Sources
from proxy.target import Target
from tests.unit.fakes import (
    AHMET,
    NUMBER,
    After,
    Bugs,
    FakeAdapter,
    FakeClock,
    Stubborn,
    call,
    in_virtual_time,
    now,
    transfer_of,
    upstream,
)

DEFAULT, UNKNOWN, WITHHELD, INTERNAL = (Target("queue", number) for number in ("200", "201", "202", "203"))
NAMED = Manner(greeting=Greeting("{name}"))
GOLD = Rule("gold", TargetTemplate.parse("queue/210"), (FieldIs("tier", Comparison.parse("gold")),), manner=NAMED)
DOWN = Unavailable("down")


def router(
    *answers: object,
    rules: tuple[Rule, ...] = (),
    greeting: str = "{name}",
    adapter: Adapter | None = None,
    several: Several = Several.FIRST,
) -> tuple[CallRouter, Bugs, FakeClock]:
    bugs, clock = Bugs(), FakeClock()
    sources = Sources([Source(upstream(adapter or FakeAdapter(*answers), bugs=bugs), several)])
    routing = Routing(DEFAULT, UNKNOWN, WITHHELD, INTERNAL, rules, Manner(greeting=Greeting(greeting)))
    return CallRouter(routing, Directory(sources, ContactCache(10), Lifetimes(), clock), 1.5, bugs), bugs, clock


@in_virtual_time
async def test_a_known_caller_goes_where_the_rule_says_and_is_greeted() -> None:
    routes, _, _ = router(AHMET, rules=(GOLD,))
    decision = await routes.route(call())
    assert decision == Decision(Transfer(Target("queue", "210"), "Ahmet Yılmaz"), Reason.RULE, Via.CRM, "gold")
    assert (await routes.route(call())).via is Via.CACHE


@in_virtual_time
async def test_a_known_caller_for_whom_there_is_no_rule_gets_the_default_and_is_greeted() -> None:
    routes, _, _ = router(Contact("Ayşe"), rules=(GOLD,))
    assert await routes.route(call()) == Decision(Transfer(DEFAULT, "Ayşe"), Reason.NO_RULE, Via.CRM)


@in_virtual_time
async def test_a_caller_whom_the_crm_does_not_know_goes_where_unknown_ones_go() -> None:
    routes, _, _ = router(None, rules=(GOLD,))
    assert await routes.route(call()) == Decision(Transfer(UNKNOWN), Reason.UNKNOWN_CALLER, Via.CRM)


@pytest.mark.parametrize(
    ("caller", "decision"),
    [
        (Withheld(), Decision(Transfer(WITHHELD), Reason.WITHHELD)),
        (Extension("1003"), Decision(Transfer(INTERNAL), Reason.INTERNAL_CALLER)),
        (Extension("112"), Decision(Transfer(INTERNAL), Reason.INTERNAL_CALLER)),
        (Unreadable("why"), Decision(Transfer(DEFAULT), Reason.BAD_NUMBER)),
    ],
)
@in_virtual_time
async def test_whoever_has_no_phone_number_is_not_asked_for(caller: Caller, decision: Decision) -> None:
    adapter = FakeAdapter(AHMET)
    routes, _, _ = router(rules=(GOLD,), adapter=adapter)
    assert await routes.route(call(caller)) == decision
    assert adapter.asked == []


@pytest.mark.parametrize("failure", [DOWN, AdapterError("refused"), KeyError("x"), asyncio.CancelledError(), 42])
@in_virtual_time
async def test_a_failed_lookup_gets_the_default(failure: object) -> None:
    routes, _, _ = router(failure, rules=(GOLD,))
    assert await routes.route(call()) == Decision(Transfer(DEFAULT), Reason.CRM_FAILED)


@pytest.mark.parametrize("answer", [After(60, AHMET), Stubborn(60, AHMET)])
@in_virtual_time
async def test_a_slow_crm_costs_the_deadline_and_no_more(answer: After) -> None:
    slow = FakeAdapter(answer)
    bugs = Bugs()
    sources = Sources([Source(upstream(slow, bugs=bugs)), Source(upstream(slow, bugs=bugs))])
    routing = Routing(DEFAULT, UNKNOWN, WITHHELD, INTERNAL)
    routes = CallRouter(routing, Directory(sources, ContactCache(10), Lifetimes(), FakeClock()), 1.5, bugs)
    assert await routes.route(call()) == Decision(Transfer(DEFAULT), Reason.CRM_FAILED)
    assert now() == 1001.5


@in_virtual_time
async def test_a_failed_lookup_is_answered_from_what_was_known_before() -> None:
    routes, _, clock = router(AHMET, DOWN, rules=(GOLD,))
    await routes.route(call())
    clock.now += 300
    expected = Decision(Transfer(Target("queue", "210"), "Ahmet Yılmaz"), Reason.RULE, Via.STALE, "gold")
    assert await routes.route(call()) == expected


@pytest.mark.parametrize(
    ("answer", "caller", "standing"),
    [
        (None, NUMBER, Standing.UNKNOWN),
        (DOWN, NUMBER, Standing.UNCLEAR),
        (None, Unreadable("why"), Standing.UNCLEAR),
        (None, Withheld(), Standing.WITHHELD),
        (None, Extension("1003"), Standing.INTERNAL),
        (AHMET, NUMBER, Standing.KNOWN),
    ],
)
@in_virtual_time
async def test_a_rule_can_be_for_callers_of_every_standing(answer: object, caller: Caller, standing: Standing) -> None:
    rules = tuple(
        Rule(other, TargetTemplate.parse(f"user/{i}"), (CallerIs(frozenset({other})),))
        for i, other in enumerate(Standing)
    )
    routes, _, _ = router(answer, rules=rules)
    decision = await routes.route(call(caller))
    assert (decision.reason, decision.rule) == (Reason.RULE, standing)


@pytest.mark.parametrize(
    ("standings", "rule"),
    [(("known", "several", "unknown"), "several"), (("known", "unknown", "several"), "unknown"), (("known",), "")],
)
@in_virtual_time
async def test_of_whom_the_crm_has_several_is_one_kind_of_unknown_callers(standings: Sequence[str], rule: str) -> None:
    rules = tuple(
        Rule(each, TargetTemplate.parse("queue/1"), (CallerIs(frozenset({Standing(each)})),)) for each in standings
    )
    twins = FakeAdapter([Contact("Ahmet"), Contact("Ayşe")])
    routes, _, _ = router(adapter=twins, rules=rules, several=Several.UNKNOWN)
    learnt = await routes.learn(call())
    assert (learnt.situation.standing, learnt.otherwise) == (Standing.SEVERAL, Reason.UNKNOWN_CALLER)
    for via in (Via.CACHE, Via.CACHE):
        decision = await routes.route(call())
        expected = (Reason.RULE, via, rule) if rule else (Reason.UNKNOWN_CALLER, via, "")
        assert (decision.reason, decision.via, decision.rule) == expected
    assert len(twins.asked) == 1


@in_virtual_time
async def test_a_rule_may_greet_in_its_own_way_or_not_at_all() -> None:
    own = Rule("own", TargetTemplate.parse("queue/1"), manner=Manner(greeting=Greeting("Sayın {name}")))
    routes, _, _ = router(AHMET, rules=(own,), greeting="{tier}")
    assert transfer_of(await routes.route(call())).name == "Sayın Ahmet Yılmaz"
    silent = Rule("silent", TargetTemplate.parse("queue/1"), manner=Manner(greeting=Greeting("")))
    routes, _, _ = router(AHMET, rules=(silent,))
    assert transfer_of(await routes.route(call())).name == ""
    routes, _, _ = router(AHMET, greeting="{tier}")
    assert transfer_of(await routes.route(call())).name == "gold"


@in_virtual_time
async def test_nobody_is_greeted_who_is_not_known() -> None:
    routes, _, _ = router(None, rules=(GOLD,), greeting="Hoş geldiniz")
    assert transfer_of(await routes.route(call())).name == ""
    welcome = Manner(greeting=Greeting("Hoş geldiniz"))
    routes, _, _ = router(None, rules=(Rule("all", TargetTemplate.parse("queue/1"), manner=welcome),))
    assert await routes.route(call()) == Decision(Transfer(Target("queue", "1")), Reason.RULE, Via.CRM, "all")


@in_virtual_time
async def test_a_bug_on_the_way_gets_the_default_and_is_reported() -> None:
    class Broken:
        def holds(self, situation: Situation) -> bool:
            raise ZeroDivisionError

        def why_not(self, situation: Situation) -> str:
            return ""

    routes, bugs, _ = router(AHMET, rules=(Rule("broken", TargetTemplate.parse("queue/1"), (Broken(),)),))
    assert await routes.route(call()) == Decision(Transfer(DEFAULT), Reason.BUG)
    assert [(where, type(exc)) for where, exc in bugs.reported] == [("router", ZeroDivisionError)]
    with pytest.raises(ZeroDivisionError):
        routes.explain(call(), await routes.learn(call()))


@in_virtual_time
async def test_a_caller_of_no_known_kind_is_a_bug_and_gets_the_default() -> None:
    nonsense: Any = "05301234567"
    routes, bugs, _ = router(AHMET)
    assert await routes.route(call(nonsense)) == Decision(Transfer(DEFAULT), Reason.BUG)
    assert [where for where, _ in bugs.reported] == ["router"]


@in_virtual_time
async def test_a_bug_in_an_adapter_is_reported_under_its_sources_name() -> None:
    routes, bugs, _ = router(KeyError("phone"))
    await routes.route(call())
    assert [(where, type(exc)) for where, exc in bugs.reported] == [("crm", KeyError)]


@in_virtual_time
async def test_a_caller_who_hangs_up_is_not_held() -> None:
    routes, _, _ = router(After(1, AHMET))
    routed = detach(routes.route(call()))
    await asyncio.sleep(0.5)
    routed.cancel()
    with pytest.raises(asyncio.CancelledError):
        await routed
    assert now() == 1000.5


@in_virtual_time
async def test_an_explanation_tells_the_whole_way_and_decides_as_route_does() -> None:
    routes, _, _ = router(
        Contact("Ayşe", {"tier": "silver"}), rules=(GOLD, Rule("rest", TargetTemplate.parse("queue/1"), manner=NAMED))
    )
    explanation = routes.explain(call(), await routes.learn(call()))
    assert explanation.knowledge.situation.standing is Standing.KNOWN
    assert explanation.knowledge.via is Via.CRM
    assert explanation.considered == [
        Considered("gold", "did not match", 'tier is "silver", wanted "gold"'),
        Considered("rest", "matched"),
    ]
    assert explanation.decision == Decision(Transfer(Target("queue", "1"), "Ayşe"), Reason.RULE, Via.CRM, "rest")


@pytest.mark.parametrize(
    ("answer", "caller", "failure"),
    [(DOWN, NUMBER, "down"), (None, Unreadable("is nonsense"), "is nonsense"), (None, NUMBER, "")],
)
@in_virtual_time
async def test_an_explanation_says_why_nothing_could_be_learnt(answer: object, caller: Caller, failure: str) -> None:
    routes, _, _ = router(answer)
    knowledge = routes.explain(call(caller), await routes.learn(call(caller))).knowledge
    assert failure in knowledge.failure
    assert bool(knowledge.failure) is bool(failure)


def test_the_fall_back_is_the_default() -> None:
    routes, _, _ = router()
    assert routes.fall_back(Reason.REFUSED) == Decision(Transfer(DEFAULT), Reason.REFUSED)


@pytest.mark.parametrize(
    ("reason", "target"),
    [
        (Reason.UNKNOWN_CALLER, UNKNOWN),
        (Reason.WITHHELD, WITHHELD),
        (Reason.INTERNAL_CALLER, INTERNAL),
        (Reason.NO_RULE, DEFAULT),
        (Reason.BAD_NUMBER, DEFAULT),
        (Reason.CRM_FAILED, DEFAULT),
    ],
)
def test_each_reason_has_its_target(reason: Reason, target: Target) -> None:
    assert Routing(DEFAULT, UNKNOWN, WITHHELD, INTERNAL).target_for(reason) == target


@in_virtual_time
async def test_the_example_of_the_contract_comes_out_word_for_word() -> None:
    ahmet = Rule("gold", TargetTemplate.parse("queue/201"), (FieldIs("tier", Comparison.parse("gold")),), manner=NAMED)
    routes, _, _ = router(AHMET, rules=(ahmet,))
    dialect = MusteriTanima()
    asked = dialect.parse({"telefon": "05301234567"}, call().at)
    assert json.loads(dialect.render(await routes.route(asked))) == {"name": "Ahmet Yılmaz", "target": "queue/201"}
