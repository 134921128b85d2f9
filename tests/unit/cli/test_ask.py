"""Asking the sources for a person at a terminal."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from proxy.adapter import AdapterError, Contact, CustomerNumber, Unavailable
from proxy.cli.ask import ask_sources, explain_call
from proxy.model import Reason
from proxy.phone import Extension, PhoneNumber
from tests.unit.deployed import configured
from tests.unit.fakes import AHMET, FakeAdapter, Stubborn
from tests.unit.talking import AYSE, RULES, STRANGER, CustomerBook, talkative

NIGHT = {"night": {"from": "22:00", "to": "06:00", "zone": "Europe/Berlin"}}


class FakePingable(FakeAdapter):
    """An adapter that can be asked whether it is there."""

    def __init__(self, trouble: Exception | Stubborn | None = None) -> None:
        super().__init__(AHMET)
        self.trouble = trouble

    async def ping(self) -> None:
        if isinstance(self.trouble, Exception):
            raise self.trouble
        if self.trouble is not None:
            await self.trouble.wait()


async def test_a_call_is_decided_as_the_server_would() -> None:
    rules = [{"name": "gold", "when": {"tier": "gold"}, "target": "queue/201"}]
    told = await explain_call(configured(FakeAdapter(AHMET), rules=rules), "0530 123 45 67", None, None)
    assert told.answers == {
        "santral-programlama": '{"transfer": {"greet_name": "Ahmet Yılmaz", "lang": "tr-TR", "target": "queue/201"}}',
        "musteri-tanima": '{"name": "Ahmet Yılmaz", "target": "queue/201"}',
    }
    assert told.explanation.decision.rule == "gold"
    assert [(asked.source, asked.outcome) for asked in told.asked] == [("crm", "found")]
    assert (told.number, told.sources, told.bugs) == ("0530 123 45 67", ["crm"], [])
    assert told.seconds > 0


@pytest.mark.parametrize("dialect", ["santral-programlama", "musteri-tanima"])
async def test_only_the_dialects_are_told_in_which_the_switch_may_ask(dialect: str) -> None:
    switch = {"default": "queue/200", "dialect": dialect}
    told = await explain_call(configured(FakeAdapter(AHMET), switch=switch), "05301234567", None, None)
    assert list(told.answers) == [dialect]


async def test_what_the_caller_may_be_asked_is_told_with_what_becomes_of_the_call_in_the_other_dialect() -> None:
    told = await explain_call(talkative(), STRANGER, None, None)
    asked = json.loads(told.answers["santral-programlama"])
    assert asked["prompt"]["param_name"] == "customer_no"
    assert json.loads(told.answers["musteri-tanima"]) == {"target": "queue/202"}
    assert (told.explanation.decision.step, told.explanation.decision.reason) == ("customer_no", Reason.ASKED)


async def test_a_number_that_was_keyed_is_looked_up_in_the_place_of_the_callers() -> None:
    book = CustomerBook()
    told = await explain_call(talkative(book), STRANGER, None, None, CustomerNumber("777"))
    assert book.asked == [CustomerNumber("777")]
    assert told.key == CustomerNumber("777")
    assert told.explanation.knowledge.situation.contact == AYSE
    answer = {"transfer": {"greet_name": "Ayşe Demir", "lang": "tr-TR", "target": "user/1005"}}
    assert {name: json.loads(body) for name, body in told.answers.items()} == {"santral-programlama": answer}


async def test_what_becomes_of_a_keyed_number_is_told_without_asking_for_it_again() -> None:
    rules = [{"name": "all", "caller": {"kind": "anyone"}, "ask": "customer_no"}, *RULES[1:]]
    for digits, target in (("777", "user/1005"), ("12345", "queue/202")):
        told = await explain_call(talkative(rules=rules), STRANGER, None, None, CustomerNumber(digits))
        assert json.loads(told.answers["santral-programlama"])["transfer"]["target"] == target


async def test_where_only_the_old_form_is_spoken_a_keyed_number_is_explained_in_it() -> None:
    switch = {"default": "queue/200", "dialect": "musteri-tanima"}
    told = await explain_call(talkative(switch=switch), STRANGER, None, None, CustomerNumber("777"))
    assert json.loads(told.answers["musteri-tanima"]) == {"name": "Ayşe Demir", "target": "user/1005"}


async def test_the_dialled_number_is_read_like_the_callers() -> None:
    configuration = configured(FakeAdapter(None))
    told = await explain_call(configuration, "05301234567", "0212 555 10 10", None)
    called = told.explanation.knowledge.situation.call.called
    assert isinstance(called, PhoneNumber)
    assert called.e164 == "+902125551010"
    told = await explain_call(configuration, "05301234567", "1003", None)
    assert told.explanation.knowledge.situation.call.called == Extension("1003")


async def test_a_time_without_zone_is_meant_in_that_of_the_named_hours() -> None:
    told = await explain_call(
        configured(FakeAdapter(None), hours=NIGHT),
        "1003",
        None,
        datetime(2026, 11, 23, 14, 0),  # noqa: DTZ001
    )
    assert told.explanation.knowledge.situation.call.at == datetime(
        2026, 11, 23, 14, 0, tzinfo=ZoneInfo("Europe/Berlin")
    )


async def test_a_time_without_zone_is_that_of_the_machine_when_there_are_no_hours() -> None:
    told = await explain_call(configured(FakeAdapter(None)), "1003", None, datetime(2026, 11, 23, 14, 0))  # noqa: DTZ001
    at = told.explanation.knowledge.situation.call.at
    assert at.tzinfo is not None
    assert at.replace(tzinfo=None) == datetime(2026, 11, 23, 14, 0)  # noqa: DTZ001


async def test_a_time_with_a_zone_is_taken_as_it_is() -> None:
    moment = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
    told = await explain_call(configured(FakeAdapter(None), hours=NIGHT), "1003", None, moment)
    assert told.explanation.knowledge.situation.call.at.tzinfo is UTC


async def test_without_a_time_it_rings_now() -> None:
    before = datetime.now(UTC)
    told = await explain_call(configured(FakeAdapter(None)), "1003", None, None)
    assert before <= told.explanation.knowledge.situation.call.at <= datetime.now(UTC)


async def test_an_adapters_bug_is_shown_with_its_text() -> None:
    told = await explain_call(configured(FakeAdapter(KeyError("tier"))), "05301234567", None, None)
    assert told.bugs == ["crm: KeyError: 'tier'"]
    assert told.explanation.decision.reason is Reason.CRM_FAILED


async def test_each_source_has_a_line() -> None:
    silent = FakePingable(Stubborn(0.3))
    configuration = configured(
        FakePingable(),
        FakeAdapter(Contact("x")),
        FakePingable(Unavailable("the CRM is out of service")),
        FakePingable(AdapterError("the CRM refuses our credentials")),
        FakePingable(ZeroDivisionError("division by zero")),
    )
    lines, all_answer = await ask_sources(configuration)
    assert [line.rpartition(" (")[0] for line in lines if "ms)" in line] == [
        "crm: answers",
        "crm3: does not answer: the CRM is out of service",
        "crm4: does not answer: the CRM refuses our credentials",
        "crm5: a bug in the adapter: ZeroDivisionError: division by zero",
    ]
    assert lines[1] == "crm2: cannot be asked without a number"
    assert not all_answer
    assert silent.asked == []


@pytest.mark.parametrize(
    ("trouble", "all_answer"), [(None, True), (Unavailable("away"), False), (RuntimeError("bug"), False)]
)
async def test_all_answer_only_when_each_does(trouble: Exception | None, *, all_answer: bool) -> None:
    configuration = configured(FakePingable(), FakeAdapter(None), FakePingable(trouble))
    assert (await ask_sources(configuration))[1] is all_answer
