"""What `tanima check --live` says about sources that are there, and about those that are not."""

from collections.abc import Sequence
from typing import Any

import pytest

from proxy.adapter import Contact, CustomerNumber, Inspection, Key, PhoneNumber, Unavailable
from proxy.cli import live
from proxy.cli.live import inspect_sources, number_that_nobody_has
from tests.unit.deployed import configured
from tests.unit.fakes import AHMET, FakeAdapter, Stubborn

ANSWERS = "allowed: a CRM that answers"
TOLD = "allowed: customer_number, id, name"


class FakeInspectable(FakeAdapter):
    """An adapter that has looked at its CRM."""

    def __init__(self, *seen: Inspection | Exception) -> None:
        super().__init__(None)
        self.seen = seen
        self.asked_for: list[Key] = []

    async def inspect(self, key: Key) -> Inspection:
        self.asked_for.append(key)
        seen = self.seen[len(self.asked_for) - 1]
        if isinstance(seen, Exception):
            raise seen
        return seen


def with_fields(*names: str, needs: Sequence[str] = (), **named: Any) -> FakeInspectable:
    return FakeInspectable(Inspection(frozenset(names), frozenset(needs), **named))


def without_times(lines: Sequence[str]) -> list[str]:
    return [line.partition(" (")[0] if line.endswith("ms)") else line for line in lines]


async def test_sources_that_fit_are_told_with_the_time_they_took() -> None:
    adapter = with_fields("tier", notes=["statement: took 3 ms"])
    lines, fits = await inspect_sources(configured(adapter))
    assert fits
    assert lines[0].startswith("sources.crm: answers (")
    assert without_times(lines) == ["sources.crm: answers", "sources.crm.options.statement: took 3 ms"]
    assert [key.digits for key in adapter.asked_for] == ["901000000001"]


async def test_problems_come_last_and_by_the_key_of_their_option() -> None:
    adapter = with_fields("tier", problems=["statement: is odd - allowed: an even one"])
    lines, fits = await inspect_sources(configured(adapter, with_fields()))
    assert not fits
    assert without_times(lines) == [
        "sources.crm: answers",
        "sources.crm2: answers",
        "sources.crm.options.statement: is odd - allowed: an even one",
    ]


async def test_a_lookup_that_takes_longer_than_it_may_is_a_problem() -> None:
    lines, fits = await inspect_sources(configured(with_fields("tier", seconds=1.234), with_fields(seconds=0.9)))
    assert not fits
    assert without_times(lines) == [
        "sources.crm: answers",
        "sources.crm2: answers",
        "sources.crm.timeout: is 1, and a lookup took 1.23 s - allowed: a longer one, or a faster lookup",
    ]


@pytest.mark.parametrize(
    ("trouble", "line"),
    [
        (Unavailable("the CRM does not answer"), "sources.crm: the CRM does not answer - allowed: a CRM that answers"),
        (ValueError("oops"), "sources.crm: a bug in the adapter (ValueError: oops) - allowed: none"),
    ],
)
async def test_a_source_that_fails_is_a_problem_and_does_not_hide_the_next(trouble: Exception, line: str) -> None:
    lines, fits = await inspect_sources(configured(FakeInspectable(trouble), with_fields()))
    assert not fits
    assert without_times(lines) == ["sources.crm2: answers", line]


async def test_a_source_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LONGEST_LOOK", 0.05)
    hanging = Stubborn(0.2)

    class Hanging(FakeAdapter):
        async def inspect(self, key: PhoneNumber) -> Inspection:
            await hanging.wait()
            raise AssertionError

    lines, fits = await inspect_sources(configured(Hanging(None)))
    assert not fits
    assert lines[0].startswith("sources.crm: ")


async def test_an_adapter_that_cannot_look_is_asked_for_a_number_that_nobody_has() -> None:
    adapter = FakeAdapter(None)
    lines, fits = await inspect_sources(configured(adapter))
    assert fits
    assert without_times(lines) == ["sources.crm: answers"]
    lines, fits = await inspect_sources(configured(FakeAdapter(Contact("Everybody"))))
    assert not fits
    assert lines == [
        "sources.crm: finds somebody without numbers for a number that nobody has - allowed: a CRM that answers"
    ]
    lines, fits = await inspect_sources(configured(FakeAdapter(Contact("Neighbour", numbers=("0530 123 45 67",)))))
    assert fits


class TestCustomerNumbers:
    ZERO = CustomerNumber("0000000000")
    BOTH = ("phone_number", "customer_number")

    async def test_a_source_that_is_asked_by_both_is_looked_at_by_both(self) -> None:
        by_phone = Inspection(
            frozenset({"tier"}), notes=["a: good to know", "b: seen twice"], problems=["c: is wrong - allowed: right"]
        )
        by_customer = Inspection(
            frozenset({"balance"}),
            frozenset({"owner"}),
            ["d: is wrong too - allowed: right"],
            ["b: seen twice"],
            seconds=1.5,
        )
        adapter = FakeInspectable(by_phone, by_customer)
        rules = [{"name": "x", "when": {"tier": "1", "balance": "1"}, "target": "queue/201"}]
        lines, _ = await inspect_sources(configured(adapter, by=self.BOTH, rules=rules))
        assert adapter.asked_for == [number_that_nobody_has("TR"), self.ZERO]
        assert without_times(lines) == [
            "sources.crm: answers",
            "sources.crm.options.a: good to know",
            "sources.crm.options.b: seen twice",
            "sources.crm.timeout: is 1, and a lookup took 1.50 s - allowed: a longer one, or a faster lookup",
            "sources.crm.options.c: is wrong - allowed: right",
            "sources.crm.options.d: is wrong too - allowed: right",
            "sources.crm.options: needs the field owner, which no source has - allowed: customer_number, id, name",
        ]

    async def test_its_fields_are_not_known_when_it_cannot_tell_them_for_one_kind(self) -> None:
        adapter = FakeInspectable(Inspection(frozenset()), Inspection(None))
        rules = [{"name": "x", "when": {"tier": "1"}, "target": "queue/201"}]
        assert (await inspect_sources(configured(adapter, by=self.BOTH, rules=rules)))[1]

    async def test_a_source_that_is_asked_by_customer_numbers_is_looked_at_by_zero(self) -> None:
        adapter = with_fields()
        enriching = with_fields()
        await inspect_sources(configured(adapter, enriching, by=self.BOTH[1:], roles=("find", "enrich")))
        assert adapter.asked_for == [self.ZERO]
        assert enriching.asked_for == [number_that_nobody_has("TR")], "it is asked by nothing but contacts"

    async def test_an_adapter_that_cannot_look_must_not_find_anybody_for_zero(self) -> None:
        lines, fits = await inspect_sources(configured(FakeAdapter(None, Contact("Everybody")), by=self.BOTH))
        assert not fits
        assert lines == [
            f"sources.crm: finds somebody without a customer number for a number that nobody has - {ANSWERS}"
        ]
        adapter = FakeAdapter(Contact("Neighbour", customer_number="12"))
        assert (await inspect_sources(configured(adapter, by=self.BOTH[1:])))[1]


async def test_an_enriching_adapter_that_cannot_look_is_not_asked() -> None:
    adapter = FakeAdapter(AHMET)
    lines, fits = await inspect_sources(configured(with_fields(), adapter, roles=("find", "enrich")))
    assert fits
    assert without_times(lines) == ["sources.crm: answers", "sources.crm2: answers"]


class TestFields:
    RULES = (
        {"name": "gold", "when": {"Tier": "gold", "name": "x"}, "target": "queue/201", "greeting": "{title} {id}"},
        {"name": "own", "target": "user/{extension}"},
    )

    async def test_fields_that_are_named_and_that_no_source_has_are_told_by_their_setting(self) -> None:
        configuration = configured(
            with_fields("tier", "owner"), rules=self.RULES, routing={"greeting": "{first_name} {owner}"}
        )
        lines, fits = await inspect_sources(configuration)
        assert not fits
        there = "allowed: customer_number, id, name, owner, tier"
        assert lines[1:] == [
            f"routing.greeting: needs the field first_name, which no source has - {there}",
            f"rules.gold.when: needs the field Tier, which no source has (did you mean tier?) - {there}",
            f"rules.gold.greeting: needs the field title, which no source has (did you mean tier?) - {there}",
            f"rules.own.target: needs the field extension, which no source has - {there}",
        ]

    async def test_any_source_may_have_them(self) -> None:
        configuration = configured(
            with_fields("Tier", "title"),
            with_fields("extension", needs=["title"]),
            roles=("find", "enrich"),
            rules=self.RULES,
        )
        assert (await inspect_sources(configuration))[1]

    async def test_an_enriching_source_cannot_have_what_it_needs_itself(self) -> None:
        configuration = configured(with_fields("tier"), with_fields("owner", needs=["owner"]), roles=("find", "enrich"))
        lines, _ = await inspect_sources(configuration)
        assert lines[2:] == [f"sources.crm2.options: needs the field owner, which no source has - {TOLD}, tier"]

    @pytest.mark.parametrize("cannot_tell", [FakeAdapter(None), FakeInspectable(Inspection(None))])
    async def test_nothing_is_said_when_a_source_cannot_tell_its_fields(self, cannot_tell: FakeAdapter) -> None:
        configuration = configured(with_fields("tier"), cannot_tell, rules=self.RULES)
        assert (await inspect_sources(configuration))[1]

    async def test_the_field_that_tells_the_newest_must_be_there_too(self) -> None:
        configuration = configured(with_fields("tier"))
        source = configuration.settings.sources[0].model_copy(update={"newest_by": "changed"})
        settings = configuration.settings.model_copy(update={"sources": [source]})
        lines, _ = await inspect_sources(type(configuration)(settings, configuration.sources))
        assert lines[1:] == [f"sources.crm.newest_by: needs the field changed, which no source has - {TOLD}, tier"]

    async def test_what_is_said_on_any_line_may_name_fields_and_what_a_step_keeps_is_one(self) -> None:
        steps = {"order_no": {"phrase": "Sipariş?", "keep": "order"}}
        manner = {"phrase": {"tr-TR": "{order} {x}", "en-US": "{y}"}, "language": "{country}"}
        lines = [
            {"name": "sales", "called": "1001", "routing": {"greeting": "{z} {order}"}},
            {
                "name": "service",
                "called": "1002",
                "rules": [{"name": "own", "when": {"a": 1, "order": 1}, "target": "user/{b}", "language": "{c}"}],
            },
        ]
        rules = [{"name": "ask", "ask": "order_no", **manner}]
        configuration = configured(with_fields("tier"), steps=steps, routing=manner, rules=rules, lines=lines)
        told, fits = await inspect_sources(configuration)
        assert not fits
        there = "allowed: customer_number, id, name, order, tier"
        assert [line.partition(", which no source has")[0] for line in told[1:]] == [
            "routing.phrase: needs the field x",
            "routing.phrase: needs the field y",
            "routing.language: needs the field country",
            "lines.sales.routing.greeting: needs the field z",
            "rules.ask.phrase: needs the field x",
            "rules.ask.phrase: needs the field y",
            "rules.ask.language: needs the field country",
            "lines.service.rules.own.when: needs the field a",
            "lines.service.rules.own.target: needs the field b",
            "lines.service.rules.own.language: needs the field c",
        ]
        assert all(line.endswith(there) for line in told[1:])


def test_the_number_that_nobody_has_is_one_of_the_home_region() -> None:
    number = number_that_nobody_has("DE")
    assert (number.e164, number.national, number.country) == ("+491000000001", "01000000001", "DE")
