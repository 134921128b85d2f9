"""Whatever comes in and whatever an adapter does, a valid target goes out; and meaning 7."""

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.cache import ContactCache
from proxy.dialects.musteri_tanima import MusteriTanima
from proxy.directory import Directory, Lifetimes
from proxy.model import Reason, Via
from proxy.phone import PhoneNumber, parse_caller
from proxy.router import CallRouter
from proxy.routing import Decision, Routing
from proxy.rules import Rule
from proxy.rules.greeting import Greeting
from proxy.rules.manner import Manner
from proxy.sources import Source, Sources
from proxy.target import Target
from proxy.upstream import Limits
from tests.lengths import at_length
from tests.property.strategies import (
    ANYTHING,
    CONTACTS,
    ERRORS,
    GREETINGS,
    NONSENSE,
    any_text,
    foreign_numbers,
    home_numbers,
    rule_lists,
)
from tests.property.test_greeting_properties import assert_can_be_spoken
from tests.unit.fakes import (
    MONDAY_NOON,
    Bugs,
    FakeAdapter,
    FakeEnricher,
    call,
    in_virtual_time,
    now,
    transfer_of,
    upstream,
)

DEADLINE = 1.5
LIMITS = Limits(timeout=1, attempts=2, wait_initial=0, wait_max=0, wait_jitter=0)
DEFAULT, UNKNOWN, WITHHELD, INTERNAL = (Target("queue", number) for number in ("200", "201", "202", "203"))
TARGET = re.compile(r"(user|group|queue|ivr|voicemail)/[0-9]{1,6}|hangup/busy|external/05321234567", re.ASCII)
"""All that the rules of these tests can lead to"""


def router(
    finding: list[FakeAdapter],
    enriching: list[FakeEnricher],
    rules: tuple[Rule, ...] = (),
    greeting: Greeting = Greeting("{name}"),  # noqa: B008 - frozen
    *,
    parallel: bool = False,
) -> CallRouter:
    bugs = Bugs()
    sources = Sources(
        [Source(upstream(adapter, LIMITS, bugs)) for adapter in finding],
        [upstream(adapter, LIMITS, bugs) for adapter in enriching],
        parallel=parallel,
    )
    routing = Routing(DEFAULT, UNKNOWN, WITHHELD, INTERNAL, rules, Manner(greeting=greeting))
    return CallRouter(routing, Directory(sources, ContactCache(10), Lifetimes(), now), DEADLINE, bugs)


def assert_can_be_sent(decision: Decision) -> None:
    assert isinstance(decision, Decision)
    transfer = transfer_of(decision)
    assert Target.parse(str(transfer.target)) == transfer.target
    assert TARGET.fullmatch(str(transfer.target))
    answer = json.loads(MusteriTanima().render(decision).decode("utf-8"))
    assert answer["target"] == str(transfer.target)
    assert answer.get("name", "") == transfer.name
    assert set(answer) <= {"name", "target"}
    assert "name" not in answer or answer["name"]
    assert_can_be_spoken(transfer.name)


@settings(max_examples=at_length(300, otherwise=150))
@given(
    finding=st.lists(st.lists(ANYTHING, min_size=1, max_size=3), max_size=2),
    enriching=st.lists(st.lists(ANYTHING, min_size=1, max_size=2), max_size=1),
    rules=rule_lists(),
    greeting=GREETINGS,
    parallel=st.booleans(),
)
@in_virtual_time
async def test_whatever_an_adapter_does_the_switch_gets_a_valid_target_in_time(
    *,
    finding: list[list[object]],
    enriching: list[list[object]],
    rules: tuple[Rule, ...],
    greeting: Greeting,
    parallel: bool,
) -> None:
    adapters = [FakeAdapter(*answers) for answers in finding]
    routes = router(adapters, [FakeEnricher(*answers) for answers in enriching], rules, greeting, parallel=parallel)
    for _ in range(2):
        rang = now()
        decision = await routes.route(call())
        assert_can_be_sent(decision)
        assert now() <= rang + DEADLINE


@given(st.one_of(any_text(), st.text("0123456789+ -", max_size=20)), rule_lists())
@in_virtual_time
async def test_whatever_the_switch_sends_it_gets_a_valid_target(text: str, rules: tuple[Rule, ...]) -> None:
    routes = router([FakeAdapter(None)], [], rules)
    for query in ({"telefon": text}, {text: text}, {}):
        assert_can_be_sent(await routes.route(MusteriTanima().parse(query, MONDAY_NOON)))


NO_NUMBERS = st.one_of(
    st.none(),
    any_text(),
    st.sampled_from(
        ["", " ", "anonymous", "Gizli", "112", "+90112", "0090155", "110", "911", "+1911", "1003", "0530ABCDEFG"]
    ),
    st.from_regex(r"\A(\+|00|0|90|\+90|)[0-9]{1,6}\Z"),
    st.text("٠١٢٣٤٥٦٧٨٩", min_size=10, max_size=12),
)


@given(text=NO_NUMBERS, rules=rule_lists(), explained=st.booleans())
@in_virtual_time
async def test_callers_without_a_phone_number_never_reach_a_crm(
    *, text: str | None, rules: tuple[Rule, ...], explained: bool
) -> None:
    adapter = FakeAdapter(None)
    caller = parse_caller(text, "TR")
    routes = router([adapter], [FakeEnricher(None)], rules)
    ringing = call(caller)
    if explained:
        decision = routes.explain(ringing, await routes.learn(ringing)).decision
    else:
        decision = await routes.route(ringing)
    if isinstance(caller, PhoneNumber):
        assert adapter.asked == [caller]
    else:
        assert adapter.asked == []
        assert decision.via is Via.NONE
        assert transfer_of(decision).name == ""
        assert decision.reason in {Reason.RULE, Reason.WITHHELD, Reason.INTERNAL_CALLER, Reason.BAD_NUMBER}


@given(st.one_of(home_numbers(), foreign_numbers()))
@in_virtual_time
async def test_all_spellings_of_a_number_make_one_lookup(number: PhoneNumber) -> None:
    adapter = FakeAdapter(None)
    routes = router([adapter], [])
    for text in (number.e164, number.international, number.national, " " + number.digits):
        await routes.route(call(parse_caller(text, "TR")))
    assert adapter.asked == [number]


@given(rule_lists(), st.lists(CONTACTS | NONSENSE | ERRORS, min_size=1, max_size=1))
@in_virtual_time
async def test_an_explanation_decides_as_the_call_was_decided(rules: tuple[Rule, ...], answers: list[object]) -> None:
    decided = await router([FakeAdapter(*answers)], [], rules).route(call())
    if decided.reason is not Reason.BUG:
        routes = router([FakeAdapter(*answers)], [], rules)
        assert routes.explain(call(), await routes.learn(call())).decision == decided
