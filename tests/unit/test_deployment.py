"""The parts put together."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from proxy import deployment as module
from proxy.config.plain import routing_of
from proxy.deployment import Deployment, Observers, fingerprint
from proxy.keys import By, CustomerNumber
from proxy.model import Asked, Contact, Reason
from proxy.phone import PhoneNumber, parse_caller
from proxy.routing import Decision
from proxy.rules import Standing
from proxy.rules.greeting import Greeting
from proxy.rules.situation import CallerIs, Dialled, During, FieldIs, FromCountry, NumberTypeIs, Outside
from tests.unit.deployed import configured
from tests.unit.fakes import (
    AHMET,
    GERMAN,
    MONDAY_NOON,
    NUMBER,
    OTHER_NUMBER,
    After,
    Bugs,
    FakeAdapter,
    FakeClock,
    FakeEnricher,
    Lifelong,
    Stubborn,
    call,
    known,
    transfer_of,
)
from tests.unit.talking import AYSE, CustomerBook, Talk, talkative

OFFICE = {"days": "mon-fri", "from": "09:00", "to": "18:00", "holidays": "TR", "closed": [date(2026, 11, 24)]}


class Unopenable(FakeAdapter):
    """An adapter with bugs at both ends of its life."""

    async def open(self) -> None:
        raise RuntimeError("cannot open")

    async def close(self) -> None:
        raise RuntimeError("cannot close")


class Slow(FakeAdapter):
    """An adapter that never finishes opening or closing, whoever cancels it."""

    async def open(self) -> None:
        await Stubborn(0.3).wait()

    async def close(self) -> None:
        await Stubborn(0.3).wait()


class Hanging(FakeAdapter):
    """An adapter whose open never ends."""

    async def open(self) -> None:
        await asyncio.Event().wait()


class CutShort(FakeAdapter):
    """An adapter that cancels itself."""

    async def open(self) -> None:
        raise asyncio.CancelledError


class Careless(FakeAdapter):
    """An adapter whose open is no coroutine."""

    def open(self) -> None:  # type: ignore[override]
        pass


async def test_adapters_that_hang_or_fail_in_open_are_waited_for_together_and_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "OPENING", 0.05)
    told: list[tuple[str, str]] = []
    adapters = [Hanging(None), Careless(None), CutShort(None), Lifelong(None)]
    deployment = Deployment(
        configured(*adapters), Observers(bug=lambda where, exc: told.append((where, type(exc).__name__)))
    )
    started = asyncio.get_running_loop().time()
    async with deployment:
        assert asyncio.get_running_loop().time() - started < 0.15
    assert told == [("crm", "DeadlineExceeded"), ("crm2", "TypeError"), ("crm3", "Unavailable")]
    assert isinstance(adapters[3], Lifelong)
    assert adapters[3].life == ["open", "close"]


async def test_an_adapter_is_not_asked_before_it_has_been_opened_though_calls_are_answered() -> None:
    opened = asyncio.Event()

    class Opening(FakeAdapter):
        async def open(self) -> None:
            await opened.wait()

    asked: list[Asked] = []
    adapter = Opening(AHMET)
    deployment = Deployment(configured(adapter, cache={"recheck": 0}), Observers(source=asked.append))
    await deployment.open(deployment.upstreams.values(), 0.01)
    assert (await route(deployment)).reason is Reason.CRM_FAILED
    assert adapter.asked == []
    assert [(one.outcome, one.note) for one in asked] == [("not asked", "not asked: it is still being opened")]
    opened.set()
    await asyncio.sleep(0)
    assert transfer_of(await route(deployment)).name == "Ahmet Yılmaz"


# ---------------------------------------------------------------------------------------- routing_of


def test_targets_that_are_left_out_are_the_default() -> None:
    routing = routing_of(configured(FakeAdapter()).settings)
    assert {str(target) for target in (routing.unknown, routing.withheld, routing.internal)} == {"queue/200"}


def test_targets_that_are_given_are_taken() -> None:
    given = {"unknown": "queue/202", "withheld": "ivr/10", "internal": "group/700", "greeting": "{first_name}"}
    routing = routing_of(configured(FakeAdapter(), routing=given).settings)
    assert [str(target) for target in (routing.unknown, routing.withheld, routing.internal)] == [
        "queue/202",
        "ivr/10",
        "group/700",
    ]
    assert routing.manner.greeting == Greeting("{first_name}")


def test_a_rule_has_all_the_conditions_that_the_toml_has() -> None:
    rule = {
        "name": "all",
        "when": {"tier": "gold", "balance": {"below": 5}},
        "called": ["0212 555 10 10", "1003"],
        "caller": {"kind": "known", "country": ["TR", "DE"], "type": "mobile"},
        "during": "office",
        "outside": ["night"],
        "target": "user/{owner | extensions}",
        "greeting": "Sayın {name}",
    }
    sections: dict[str, Any] = {
        "rules": [rule],
        "hours": {"office": OFFICE, "night": {"from": "22:00", "to": "06:00"}},
        "tables": {"extensions": {"ayse": "1003"}},
    }
    (built,) = routing_of(configured(FakeAdapter(), **sections).settings).rules
    kind, tier, balance, called, country, number_type, during, outside = built.conditions
    assert kind == CallerIs(frozenset({Standing.KNOWN}))
    assert isinstance(tier, FieldIs)
    assert isinstance(balance, FieldIs)
    assert (tier.field_name, balance.field_name) == ("tier", "balance")
    assert called == Dialled((parse_caller("02125551010", "TR"), parse_caller("1003", "TR")))
    assert country == FromCountry(frozenset({"TR", "DE"}))
    assert number_type == NumberTypeIs(frozenset({"mobile"}))
    assert isinstance(during, During)
    assert isinstance(outside, Outside)
    assert [hours.name for hours in (*during.hours, *outside.hours)] == ["office", "night"]
    assert built.target is not None
    assert str(built.target.render(known(Contact("x", {"owner": "ayse"})), built.tables)) == "user/1003"
    assert built.manner.greeting == Greeting("Sayın {name}")


def test_hours_are_closed_on_holidays_and_on_the_days_that_are_listed() -> None:
    sections: dict[str, Any] = {
        "rules": [{"name": "open", "during": "office", "target": "queue/201"}],
        "hours": {"office": OFFICE},
    }
    (rule,) = routing_of(configured(FakeAdapter(), **sections).settings).rules
    during = rule.conditions[-1]
    assert isinstance(during, During)
    (office,) = during.hours

    def is_open(month: int, day: int) -> bool:
        return office.contain(datetime(2026, month, day, 9, 30, tzinfo=UTC))

    assert is_open(11, 23)
    assert not is_open(11, 24), "listed as closed"
    assert not is_open(10, 29), "the Republic's day"
    assert not is_open(11, 22), "a Sunday"


def test_a_rule_without_conditions_is_for_all_known_callers() -> None:
    rule = {"name": "all", "target": "queue/201"}
    (built,) = routing_of(configured(FakeAdapter(), rules=[rule]).settings).rules
    assert built.conditions == (CallerIs(frozenset({Standing.KNOWN})),)
    assert built.manner.greeting == Greeting("{name}")
    assert built.ask == ""


def test_a_rule_without_a_greeting_greets_as_routing_does() -> None:
    rules = [{"name": "all", "target": "queue/201"}, {"name": "silent", "target": "queue/202", "greeting": ""}]
    routing = routing_of(configured(FakeAdapter(), rules=rules, routing={"greeting": "{first_name}"}).settings)
    assert [rule.manner.greeting for rule in routing.rules] == [Greeting("{first_name}"), Greeting("")]


# ---------------------------------------------------------------------------------------- Deployment


async def route(deployment: Deployment) -> Decision:
    return await deployment.router.route(call(NUMBER, MONDAY_NOON))


async def test_a_call_goes_through_all_parts() -> None:
    finding, enriching = FakeAdapter(AHMET), FakeEnricher(Contact("", {"extension": "1003"}))
    rules = [{"name": "own", "target": "user/{extension}"}]
    asked: list[Asked] = []
    configuration = configured(finding, enriching, roles=("find", "enrich"), rules=rules)
    async with Deployment(configuration, Observers(source=asked.append)) as deployment:
        decision = await route(deployment)
    assert (str(transfer_of(decision).target), decision.reason, transfer_of(decision).name) == (
        "user/1003",
        Reason.RULE,
        "Ahmet Yılmaz",
    )
    assert [(one.source, one.outcome) for one in asked] == [("crm", "found"), ("crm2", "enriched")]


async def test_sources_are_asked_at_the_same_time_when_the_toml_says_so() -> None:
    first, second = FakeAdapter(After(0.05, None)), FakeAdapter(After(0.05, AHMET))
    async with Deployment(configured(first, second, lookup={"parallel": True})) as deployment:
        routing = asyncio.ensure_future(route(deployment))
        for _ in range(50):
            await asyncio.sleep(0)
        assert (len(first.asked), len(second.asked)) == (1, 1)
        assert transfer_of(await routing).name == "Ahmet Yılmaz"


async def test_a_cached_answer_lives_as_long_as_the_toml_says(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter, clock = FakeAdapter(AHMET), FakeClock()
    monkeypatch.setattr("proxy.deployment.time", SimpleNamespace(monotonic=clock))
    async with Deployment(configured(adapter, cache={"ttl": 30})) as deployment:
        await route(deployment)
        clock.now += 29
        await route(deployment)
        assert len(adapter.asked) == 1
        clock.now += 2
        await route(deployment)
        assert len(adapter.asked) == 2


async def test_adapters_are_opened_and_closed_once() -> None:
    adapters = [Lifelong(None), Lifelong(AHMET)]
    async with Deployment(configured(*adapters)) as deployment:
        assert [adapter.life for adapter in adapters] == [["open"], ["open"]]
        await route(deployment)
    assert [adapter.life for adapter in adapters] == [["open", "close"], ["open", "close"]]


async def test_an_adapter_with_bugs_at_both_ends_keeps_no_other_from_answering() -> None:
    bugs, good = Bugs(), Lifelong(AHMET)
    async with Deployment(configured(Unopenable(None), good), Observers(bug=bugs)) as deployment:
        assert transfer_of(await route(deployment)).name == "Ahmet Yılmaz"
    assert [(where, str(exc)) for where, exc in bugs.reported] == [("crm", "cannot open"), ("crm", "cannot close")]
    assert good.life == ["open", "close"]


async def test_an_adapter_that_tries_to_end_the_process_at_both_ends_keeps_no_other_from_answering() -> None:
    class Exiting(FakeAdapter):
        async def open(self) -> None:
            raise SystemExit(3)

        async def close(self) -> None:
            raise SystemExit(3)

    bugs, good = Bugs(), Lifelong(AHMET)
    async with Deployment(configured(Exiting(None), good), Observers(bug=bugs)) as deployment:
        assert transfer_of(await route(deployment)).name == "Ahmet Yılmaz"
    assert [(where, type(exc.__cause__)) for where, exc in bugs.reported] == [("crm", SystemExit)] * 2
    assert good.life == ["open", "close"]


async def test_an_adapter_that_hangs_at_both_ends_keeps_no_other_from_answering(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "OPENING", 0.05)
    monkeypatch.setattr(module, "CLOSING", 0.05)
    bugs, good = Bugs(), Lifelong(AHMET)
    started = asyncio.get_running_loop().time()
    async with Deployment(configured(Slow(None), good), Observers(bug=bugs)) as deployment:
        assert transfer_of(await route(deployment)).name == "Ahmet Yılmaz"
    assert asyncio.get_running_loop().time() - started < 0.3
    assert [where for where, _ in bugs.reported] == ["crm", "crm"]
    assert good.life == ["open", "close"]


async def test_lookups_that_still_run_are_ended_before_their_adapter_is_closed() -> None:
    ended_at_close: list[int] = []
    slow = After(60, AHMET)

    class Closing(FakeAdapter):
        async def close(self) -> None:
            ended_at_close.append(slow.cancelled)

    async with Deployment(configured(Closing(slow), switch={"default": "queue/200", "deadline": 0.02})) as deployment:
        assert (await route(deployment)).reason is Reason.CRM_FAILED
    assert ended_at_close == [1]


async def test_a_successor_goes_on_with_the_sources_that_are_set_up_alike() -> None:
    first, second = Lifelong(AHMET), Lifelong(None)
    async with Deployment(configured(first, second)) as old:
        await route(old)
        unused, changed = Lifelong(None), Lifelong(None)
        configuration = configured(unused, changed, timeouts=(1, 2))
        new = Deployment(configuration, predecessor=old)
        assert new.upstreams["crm"] is old.upstreams["crm"]
        assert new.upstreams["crm2"] is not old.upstreams["crm2"]
        assert new.upstreams["crm2"].adapter is changed
        assert unused.life == []


async def test_a_successor_knows_what_its_predecessor_knew_and_asks_by_its_own_limits() -> None:
    first, changed = Lifelong(AHMET), Lifelong(Contact("Other"))
    async with Deployment(configured(first)) as old:
        await route(old)
        new = Deployment(configured(changed, timeouts=(2,), cache={"ttl": 7, "size": 10}), predecessor=old)
        new.take_over()
        assert transfer_of(await route(new)).name == "Ahmet Yılmaz"
        new.forget(NUMBER)
        assert transfer_of(await route(new)).name == "Other"


@pytest.mark.parametrize(
    ("options", "more"),
    [({"url": "https://other.example.com"}, {}), ({}, {"switch": {"default": "queue/200", "region": "DE"}})],
    ids=["other options", "other region"],
)
async def test_what_other_sources_knew_is_not_taken_over(options: dict[str, str], more: dict[str, Any]) -> None:
    first, other = Lifelong(AHMET), Lifelong(None)
    async with Deployment(configured(first)) as old:
        await route(old)
        new = Deployment(configured(other, options=options, **more), predecessor=old)
        new.take_over()
        assert len(new.directory.cache) == 0
        assert len(old.directory.cache) == 1


async def test_forgetting_reaches_the_cache_and_the_adapters() -> None:
    class Keeping(Lifelong):
        def forget(self, number: PhoneNumber) -> None:
            self.life.append(f"forget {number.e164}")

    adapter = Keeping(AHMET)
    async with Deployment(configured(adapter, FakeAdapter(None))) as deployment:
        await route(deployment)
        assert deployment.forget(NUMBER)
        assert not deployment.forget(NUMBER)
    assert adapter.life == ["open", f"forget {NUMBER.e164}", f"forget {NUMBER.e164}", "close"]


# ---------------------------------------------------------------------------------------- how the switch asks

SWITCH = {"default": "queue/200"}


@pytest.mark.parametrize(
    ("dialect", "names"),
    [
        (None, ["santral-programlama", "musteri-tanima"]),
        ("auto", ["santral-programlama", "musteri-tanima"]),
        ("musteri-tanima", ["musteri-tanima"]),
        ("santral-programlama", ["santral-programlama"]),
    ],
)
def test_the_switch_may_ask_in_the_dialects_that_the_toml_has(dialect: str | None, names: list[str]) -> None:
    switch = {**SWITCH, **({"dialect": dialect} if dialect else {})}
    deployment = Deployment(configured(FakeAdapter(), switch=switch))
    assert [form.name for form in deployment.dialects] == names
    answering = deployment.answering
    assert [*answering.defaults] == names
    defaults = {
        "musteri-tanima": b'{"target": "queue/200"}',
        "santral-programlama": b'{"transfer": {"target": "queue/200"}}',
    }
    assert answering.defaults == {name: defaults[name] for name in names}


def test_the_dialects_have_the_region_and_the_parameter_that_the_toml_has() -> None:
    switch = {**SWITCH, "parameter": "numara", "region": "DE"}
    new, old = Deployment(configured(FakeAdapter(), switch=switch)).dialects
    assert new.parse({"cli": "030 89680211"}, MONDAY_NOON).caller == GERMAN
    assert old.parse({"numara": "030 89680211"}, MONDAY_NOON).caller == GERMAN


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"telefon": "05301234567"}, "musteri-tanima"),
        ({}, "musteri-tanima"),
        ({"token": "x"}, "musteri-tanima"),
        ({"cli": "05301234567"}, "santral-programlama"),
        ({"uuid": "x", "cli": "05301234567", "cld": "1003", "step": "1"}, "santral-programlama"),
        ({"step": "2"}, "santral-programlama"),
        ({"telefon": "05301234567", "uuid": "x"}, "musteri-tanima"),
        ({"telefon": "05301234567", "step": "1", "cld": "1"}, "musteri-tanima"),
        ({"telefon": "05301234567", "cli": "05301234567"}, "santral-programlama"),
    ],
)
def test_a_question_tells_its_dialect_by_its_parameters(query: dict[str, str], name: str) -> None:
    assert Deployment(configured(FakeAdapter())).answering.dialect_of(query).name == name


@pytest.mark.parametrize("dialect", ["musteri-tanima", "santral-programlama"])
def test_where_there_is_one_dialect_every_question_is_of_it(dialect: str) -> None:
    answering = Deployment(configured(FakeAdapter(), switch={**SWITCH, "dialect": dialect})).answering
    for query in ({}, {"telefon": "05301234567"}, {"cli": "05301234567"}):
        assert answering.dialect_of(query).name == dialect


# ---------------------------------------------------------------------------------------- dialogues


def test_what_callers_may_be_asked_is_what_the_toml_has() -> None:
    url = "https://tanima.example.com/musteri.json"
    bounds = {"max_steps": 3, "guesses": 4, "guesses_within": 8}
    dialogues = Deployment(talkative(switch={**SWITCH, "service_url": url}, dialogue=bounds)).dialogues
    assert [*dialogues.steps] == ["customer_no"]
    assert (dialogues.max_steps, dialogues.service_url) == (3, url)
    assert (dialogues.guesses.rate, dialogues.guesses.burst) == (0.5, 4)
    assert Deployment(configured(FakeAdapter())).dialogues.service_url == ""


async def test_a_call_goes_on_after_a_reload_and_guesses_stay_counted() -> None:
    async with Deployment(talkative()) as old:
        talk = Talk(old)
        await talk.next()
        old.dialogues.guesses.admit("somebody", 0)
        new = Deployment(talkative(routing={"unknown": "queue/209"}), predecessor=old)
        new.take_over()
        assert new.dialogues.memory is old.dialogues.memory
        assert new.dialogues.guesses is old.dialogues.guesses
        talk.deployment = new
        assert await talk.next(customer_no="777") == {
            "transfer": {"greet_name": "Ayşe Demir", "lang": "tr-TR", "target": "user/1005"}
        }


@pytest.mark.parametrize("bounds", [{"guesses": 6}, {"guesses_within": 60}])
def test_guesses_are_counted_anew_when_their_bounds_are_others(bounds: dict[str, int]) -> None:
    old = Deployment(talkative())
    new = Deployment(talkative(dialogue=bounds), predecessor=old)
    assert new.dialogues.guesses is not old.dialogues.guesses
    assert new.dialogues.memory is old.dialogues.memory


async def test_forgetting_a_number_forgets_what_is_remembered_of_calls() -> None:
    async with Deployment(talkative()) as deployment:
        talk = Talk(deployment)
        await talk.next()
        assert len(deployment.dialogues.memory) == 1
        deployment.forget(OTHER_NUMBER)
        assert len(deployment.dialogues.memory) == 0
        assert "transfer" in await talk.next(customer_no="777"), "the name under which it comes tells what it is"


# ---------------------------------------------------------------------------------------- sources by kinds of number


async def test_a_source_is_asked_by_what_the_toml_says() -> None:
    book = CustomerBook()
    async with Deployment(talkative(book)) as deployment:
        assert (await deployment.directory.find(CustomerNumber("777"), 1)).contact == AYSE
    assert book.asked == [CustomerNumber("777")]
    alone = FakeAdapter(AHMET)
    async with Deployment(configured(alone)) as deployment:
        assert (await deployment.directory.find(CustomerNumber("777"), 1)).contact is None
    assert alone.asked == []


def test_contacts_of_sources_that_are_asked_by_something_else_are_others() -> None:
    plain = configured(FakeAdapter())

    def asked_by(*kinds: By) -> str:
        (source,) = plain.settings.sources
        settings = plain.settings.model_copy(update={"sources": [source.model_copy(update={"by": frozenset(kinds)})]})
        return fingerprint(replace(plain, settings=settings))

    assert asked_by(By.PHONE_NUMBER) == fingerprint(plain)
    assert len({asked_by(By.PHONE_NUMBER), asked_by(By.CUSTOMER_NUMBER), asked_by(*By)}) == 3
    assert asked_by(By.PHONE_NUMBER, By.CUSTOMER_NUMBER) == asked_by(By.CUSTOMER_NUMBER, By.PHONE_NUMBER)


# ---------------------------------------------------------------------------------------- apart


async def test_one_that_is_apart_asks_by_the_same_adapters_and_leaves_everything_else_alone() -> None:
    adapter = FakeAdapter(AHMET)
    observed: list[Asked] = []
    async with Deployment(configured(adapter), Observers(source=observed.append)) as deployment:
        apart = deployment.apart(Observers())
        knowledge = await apart.router.learn(call(NUMBER))
        assert knowledge.situation.contact is AHMET
        assert adapter.asked == [NUMBER]
        assert observed == []
        assert len(deployment.directory.cache) == 0
        assert deployment.upstreams["crm"] is not apart.upstreams["crm"]


async def test_after_a_reload_it_asks_by_the_adapters_that_run() -> None:
    running, unopened = FakeAdapter(AHMET), FakeAdapter(None)
    before = Deployment(configured(running))
    after = Deployment(configured(unopened), None, before)
    assert (await after.apart(Observers()).router.learn(call(NUMBER))).situation.contact is AHMET
    assert unopened.asked == []
