"""The last calls: which are kept, for how long, and what is told of them."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from datetime import time as time_of_day
from zoneinfo import ZoneInfo

import pytest

from proxy.actions import Transfer
from proxy.adapter import Contact
from proxy.entry import Entry as CacheEntry
from proxy.entry import pack
from proxy.journal import Answered, Given, Journal, Repeated
from proxy.model import Call, Heard, Outcome, Reason, Via
from proxy.phone import Caller, parse_number
from proxy.routing import Decision, Knowledge, Routing
from proxy.rules import Rule, Situation, Standing
from proxy.rules.hours import Hours
from proxy.rules.situation import During
from proxy.rules.template import TargetTemplate
from proxy.target import Target
from tests.unit.fakes import AHMET, NUMBER, OTHER_NUMBER, call

QUEUE = Target("queue", "200")
RULE = Rule("all", TargetTemplate.parse("queue/201"))
ROUTING = Routing(QUEUE, QUEUE, QUEUE, QUEUE, (RULE,))


def answered(
    caller: Caller = NUMBER,
    reason: Reason = Reason.NO_RULE,
    via: Via = Via.CRM,
    contact: Contact | None = AHMET,
    heard: Outcome | None = None,
) -> Answered:
    rang = call(caller)
    standing = Standing.KNOWN if contact else Standing.UNKNOWN
    knowledge = Knowledge(Situation(rang, standing, contact), Reason.NO_RULE, via)
    return Answered(rang, Decision(Transfer(QUEUE), reason, via, heard=heard, knowledge=knowledge), 0.01, ROUTING)


def repeated(rule: Rule | None = RULE, line: str = "") -> Repeated:
    """Return an answer that is given again: to the rule's target, or to [routing]'s."""
    routing = replace(ROUTING, line=line)
    kept = pack(CacheEntry(AHMET, 1.0, 2.0))
    return Repeated(NUMBER, kept, routing, rule, Reason.RULE if rule else Reason.NO_RULE, "musteri-tanima")


def numbers(journal: Journal) -> list[int]:
    return [entry.number for entry in journal.entries()]


def test_the_latest_come_first_whatever_sort_they_are_of() -> None:
    journal = Journal()
    for reason in (Reason.RULE, Reason.CRM_FAILED, Reason.REFUSED, Reason.UNKNOWN_CALLER, Reason.BUG):
        journal.add(answered(reason=reason))
    assert numbers(journal) == [5, 4, 3, 2, 1]
    assert len(journal) == 5
    wanted = journal.entries(lambda each: each.decision.reason is Reason.REFUSED)
    assert [entry.number for entry in wanted] == [3]


def test_failures_outlive_what_went_well_and_a_flood_of_the_refused_drives_out_neither() -> None:
    journal = Journal(kept=10)
    journal.add(answered(reason=Reason.CRM_FAILED))
    journal.add(answered(reason=Reason.RULE))
    for _ in range(1000):
        journal.add(answered(reason=Reason.REFUSED))
    assert numbers(journal)[-2:] == [2, 1]
    for _ in range(10):
        journal.add(answered(reason=Reason.RULE))
    assert numbers(journal)[-1:] == [1], "the good call is gone, the failure is not"
    assert len(journal) == 21


@pytest.mark.parametrize(
    ("given", "sort"),
    [
        (answered(reason=Reason.RULE), "good"),
        (answered(reason=Reason.BAD_NUMBER), "good"),
        (answered(reason=Reason.RULE, via=Via.STALE), "failed"),
        (answered(reason=Reason.CRM_FAILED), "failed"),
        (answered(reason=Reason.OVERLOAD), "failed"),
        (answered(reason=Reason.BUG), "failed"),
        (answered(reason=Reason.NO_ANSWER, heard=Outcome.FAILED), "failed"),
        (answered(reason=Reason.NO_ANSWER, heard=Outcome.NOT_FOUND), "good"),
        (answered(reason=Reason.REFUSED), "refused"),
    ],
)
def test_what_was_rescued_from_a_failure_counts_as_one(given: Answered, sort: str) -> None:
    assert given.sort == sort


def test_one_is_found_by_its_number_while_it_is_there() -> None:
    journal = Journal(kept=2)
    for caller in (NUMBER, OTHER_NUMBER, NUMBER):
        journal.add(answered(caller))
    assert journal.get(1) is None
    entry = journal.get(2)
    assert entry is not None
    assert entry.answered.call is not None
    assert entry.answered.call.caller == OTHER_NUMBER


def test_what_it_was_decided_by_is_explained_by_the_rules_of_then() -> None:
    explanation = answered().explanation()
    assert explanation is not None
    assert [(each.rule, each.outcome) for each in explanation.considered] == [("all", "matched")]
    assert explanation.knowledge.situation.contact is AHMET


def test_what_was_decided_by_nothing_is_not_explained() -> None:
    bare = Answered(None, Decision(Transfer(QUEUE), Reason.REFUSED), 0.01, ROUTING)
    assert bare.explanation() is None
    assert replace(answered(), routing=None).explanation() is None


# ---------------------------------------------------------------------------------------- erasing


def test_calls_of_an_erased_number_are_gone_and_so_are_those_of_a_contact_that_has_it() -> None:
    journal = Journal()
    journal.add(answered(NUMBER, contact=None))
    journal.add(answered(OTHER_NUMBER, contact=None))
    journal.add(answered(OTHER_NUMBER, contact=Contact("Ahmet Yılmaz", numbers=("0532 111 22 33", "0530 123 45 67"))))
    journal.add(answered(OTHER_NUMBER, contact=Contact("Ayşe Demir", numbers=("0532 111 22 33",))))
    journal.add(Answered(None, Decision(Transfer(QUEUE), Reason.REFUSED), 0.01))
    journal.forget(NUMBER)
    assert numbers(journal) == [5, 4, 2]


@pytest.mark.parametrize(
    ("step", "heard", "is_kept"),
    [
        (1, Heard(), True),
        (2, Heard(), False),
        (1, Heard(keyed=(("customer_no", "12345"),)), False),
        (1, Heard(said="Ahmet Yılmaz"), False),
    ],
)
def test_calls_in_which_somebody_may_have_been_named_go_with_any_number(
    step: int, heard: Heard, *, is_kept: bool
) -> None:
    given = answered(OTHER_NUMBER)
    assert given.call is not None
    journal = Journal()
    journal.add(replace(given, call=replace(given.call, step=step, heard=heard)))
    journal.forget(NUMBER)
    assert len(journal) == is_kept


def test_a_call_that_rang_before_an_erase_and_is_answered_after_it_is_not_kept() -> None:
    journal = Journal()
    journal.forget(parse_number("05329998877", "TR"))
    journal.add(replace(answered(), seconds=0.5))
    assert len(journal) == 0
    journal.add(replace(answered(), seconds=0.0))
    assert len(journal) == 1


def test_a_call_that_was_answered_before_an_erase_and_is_told_of_after_it_is_not_kept() -> None:
    journal, waiting = Journal(), replace(answered(), seconds=0.0)
    journal.forget(NUMBER)
    journal.add(waiting)
    assert len(journal) == 0


def test_a_clock_that_is_set_back_after_an_erase_keeps_no_call_out() -> None:
    journal = Journal()
    journal.forget(NUMBER)
    journal.add(replace(answered(), seconds=0.0, at=datetime(2020, 1, 1, tzinfo=UTC)))
    assert len(journal) == 1


def test_calls_of_a_contact_that_has_the_number_in_a_field_are_gone_too() -> None:
    journal = Journal()
    journal.add(answered(OTHER_NUMBER, contact=Contact("Ahmet Yılmaz", {"mobile": "0530 123 45 67", "vip": True})))
    journal.forget(NUMBER)
    assert len(journal) == 0


@pytest.mark.parametrize(
    ("reason", "rule", "tried"),
    [
        (Reason.RULE, "all", [("first", False), ("all", True)]),
        (Reason.NO_RULE, "", [("first", False), ("all", False), ("last", False)]),
        (Reason.CRM_FAILED, "", [("first", False), ("all", False), ("last", False)]),
        (Reason.ASKED, "all", [("first", False), ("all", True)]),
        (Reason.ASKED, "", []),
        (Reason.ANSWERED, "", []),
        (Reason.NO_ANSWER, "", []),
        (Reason.REFUSED, "", []),
    ],
)
def test_rules_are_told_of_where_they_were_tried(reason: Reason, rule: str, tried: list[tuple[str, bool]]) -> None:
    given = answered(reason=reason)
    all_of_them = tuple(replace(ROUTING.rules[0], name=name) for name in ("first", "all", "last"))
    given = replace(given, decision=replace(given.decision, rule=rule), routing=replace(ROUTING, rules=all_of_them))
    assert given.tried() == tried
    explanation = given.explanation()
    assert explanation is not None
    assert bool(explanation.considered) == bool(tried)
    assert replace(given, routing=None).tried() == []


def test_a_line_of_a_call_tells_no_number_and_no_name() -> None:
    told = replace(answered(), call=Call(NUMBER, datetime.now(UTC), called=OTHER_NUMBER)).told()
    assert told["caller"] == "+90********67"
    assert told["called"] == "+90********33"
    assert "Ahmet" not in str(told)


def test_calls_that_were_answered_as_before_are_kept_with_their_own_times() -> None:
    journal = Journal()
    first = answered(via=Via.CACHE)
    journal.add(first)
    journal.add_repeated([Given(repeated(), 0.0002), Given(repeated(), 0.0003)], time.monotonic())
    journal.add(answered(reason=Reason.CRM_FAILED))
    assert numbers(journal) == [4, 3, 2, 1]
    entry = journal.get(3)
    assert entry is not None
    again = entry.answered
    assert (again.seconds, again.dialect, again.sort) == (0.0003, "musteri-tanima", "good")
    assert again.call is not None
    assert again.call.at == again.at > first.at
    journal.add_repeated([Given(repeated(), 0.0002)], time.monotonic() - 3600)
    latest = journal.get(5)
    assert latest is not None
    assert 3599 < (datetime.now(UTC) - latest.answered.at).total_seconds() < 3700, "not when it was told of"
    assert again.decision == Decision(Transfer(Target("queue", "201")), Reason.RULE, Via.CACHE, "all")
    explanation = again.explanation()
    assert explanation is not None
    assert explanation.knowledge.situation.contact == AHMET
    assert [each.outcome for each in explanation.considered] == ["matched"]


def test_one_is_told_as_it_was_given_though_the_hours_of_its_rule_have_ended_meanwhile() -> None:
    hours = Hours("office", frozenset(range(7)), time_of_day(9), time_of_day(18), ZoneInfo("UTC"))
    given = repeated(replace(RULE, conditions=(During((hours,)),)))
    for at in (datetime(2026, 11, 23, 17, 59, tzinfo=UTC), datetime(2026, 11, 23, 18, 0, tzinfo=UTC)):
        decision = given.answered(0.0001, at).decision
        assert decision == Decision(Transfer(Target("queue", "201")), Reason.RULE, Via.CACHE, "all")


def test_one_that_no_rule_matched_is_told_as_such() -> None:
    told = repeated(None, "sales").answered(0.1, datetime.now(UTC)).decision
    assert told == Decision(Transfer(QUEUE, "Ahmet Yılmaz"), Reason.NO_RULE, Via.CACHE, line="sales")


def test_none_that_were_answered_before_an_erase_are_kept() -> None:
    journal = Journal()
    since = time.monotonic()
    journal.forget(NUMBER)
    journal.add_repeated([Given(repeated(), 0.0002)], since)
    assert len(journal) == 0
    journal.add_repeated([Given(repeated(), 0.0002)], time.monotonic())
    journal.forget(OTHER_NUMBER)
    assert len(journal) == 1
    journal.forget(NUMBER)
    assert len(journal) == 0


def test_one_of_a_contact_that_has_the_number_goes_with_it() -> None:
    for contact in (Contact("Ayşe", numbers=("0532 111 22 33",)), Contact("Ayşe", {"mobile": OTHER_NUMBER.national})):
        journal = Journal()
        given = replace(repeated(), kept=pack(CacheEntry(contact, 1.0, 2.0)))
        nobody = replace(repeated(), kept=pack(CacheEntry(None, 1.0, 2.0)))
        journal.add_repeated([Given(given, 0.0002), Given(nobody, 0.0002)], time.monotonic())
        journal.forget(OTHER_NUMBER)
        assert numbers(journal) == [2]
