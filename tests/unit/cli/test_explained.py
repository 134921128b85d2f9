"""What `tanima route` tells, for a person and for a program."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from proxy.actions import Prompt, Spoken, Transfer
from proxy.cli.explained import Explained
from proxy.keys import CustomerNumber
from proxy.model import Asked, Call, Contact, Reason, Via
from proxy.phone import parse_caller
from proxy.routing import Decision, Explanation, Knowledge
from proxy.rules import Considered, Situation, Standing
from proxy.target import Target

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=ZoneInfo("Europe/Istanbul"))
AHMET = Contact("Ahmet Yılmaz", {"tier": "gold", "balance": 1500.0, "vip": True, "owner": None}, ("0530 123",), "7")


def explained(
    number: str = "05301234567",
    *,
    contact: Contact | None = AHMET,
    called: str | None = None,
    decision: Decision | None = None,
    standing: Standing = Standing.KNOWN,
    failure: str = "",
    **more: Any,
) -> Explained:
    call = Call(parse_caller(number, "TR"), NOON, parse_caller(called, "TR") if called else None)
    chosen = decision or Decision(Transfer(Target("queue", "201"), "Ahmet Yılmaz"), Reason.RULE, Via.CRM, "gold")
    knowledge = Knowledge(Situation(call, standing, contact), Reason.NO_RULE, Via.CRM, failure)
    considered = more.pop("considered", [Considered("closed", "did not match", "it is not outside office")])
    parts: dict[str, Any] = {
        "sources": ["crm", "shop"],
        "asked": [Asked("crm", "found", 0.0123, "2 contacts, 1 with the caller's number")],
        "bugs": [],
        "answers": {"musteri-tanima": '{"name": "Ahmet Yılmaz", "target": "queue/201"}'},
        "seconds": 0.01234567,
        **more,
    }
    return Explained(number, Explanation(knowledge, considered, chosen), **parts)


def test_the_text_follows_the_way_of_the_call() -> None:
    considered = [
        Considered("closed", "did not match", "it is not outside office"),
        Considered("gold", "matched"),
        Considered("own agent", "not tried"),
    ]
    assert explained(considered=considered).as_text().splitlines() == [
        "Number    '05301234567' is +905301234567, a mobile number of TR",
        "          rings at Mon 2026-11-23 12:00 +03",
        "Sources   crm   found       12.3 ms  (2 contacts, 1 with the caller's number)",
        "          shop  not asked",
        "Contact   id       7",
        "          name     Ahmet Yılmaz",
        "          numbers  0530 123",
        "          tier     gold",
        "          balance  1500",
        "          vip      true",
        "          owner    -",
        "Rules     closed     did not match: it is not outside office",
        "          gold       matched",
        "          own agent  not tried",
        "Decision  queue/201, because the rule 'gold' matched",
        "          greeting: Ahmet Yılmaz; via crm; 12.3 ms",
        'Answer    {"name": "Ahmet Yılmaz", "target": "queue/201"}',
    ]


def test_the_json_has_the_same_in_the_same_order() -> None:
    document = json.loads(explained(called="1003").as_json())
    assert list(document) == [
        "number",
        "caller",
        "called",
        "keyed",
        "at",
        "sources",
        "failure",
        "bugs",
        "contact",
        "rules",
        "decision",
        "answers",
    ]
    assert document == {
        "number": "05301234567",
        "caller": {"kind": "number", "e164": "+905301234567", "type": "mobile", "country": "TR"},
        "called": {"kind": "extension", "number": "1003"},
        "keyed": False,
        "at": "2026-11-23T12:00:00+03:00",
        "sources": [
            {
                "source": "crm",
                "outcome": "found",
                "seconds": 0.0123,
                "note": "2 contacts, 1 with the caller's number",
            }
        ],
        "failure": None,
        "bugs": [],
        "contact": {
            "id": "7",
            "name": "Ahmet Yılmaz",
            "customer_number": None,
            "numbers": ["0530 123"],
            "fields": {"tier": "gold", "balance": 1500.0, "vip": True, "owner": None},
        },
        "rules": [{"rule": "closed", "outcome": "did not match", "why": "it is not outside office"}],
        "decision": {
            "target": "queue/201",
            "step": None,
            "name": "Ahmet Yılmaz",
            "phrase": None,
            "reason": "rule",
            "rule": "gold",
            "via": "crm",
            "seconds": 0.0123,
        },
        "answers": {"musteri-tanima": {"name": "Ahmet Yılmaz", "target": "queue/201"}},
    }
    assert "Yılmaz" in explained().as_json()


def test_what_is_not_known_is_null() -> None:
    contact = Contact("", {"tier": None})
    decision = Decision(Transfer(Target("queue", "200")), Reason.NO_RULE)
    document = json.loads(explained(contact=contact, decision=decision, asked=[Asked("crm", "found", 0.1)]).as_json())
    assert document["called"] is None
    assert document["contact"] == {
        "id": None,
        "name": None,
        "customer_number": None,
        "numbers": [],
        "fields": {"tier": None},
    }
    assert (document["decision"]["name"], document["decision"]["rule"]) == (None, None)
    assert document["sources"][0]["note"] is None


def test_nobody_found_is_said_as_none() -> None:
    nobody = explained(contact=None, considered=[], asked=[], standing=Standing.UNKNOWN)
    lines = nobody.as_text().splitlines()
    assert "Contact   none" in lines
    assert "Rules     none" in lines
    assert json.loads(nobody.as_json())["contact"] is None


@pytest.mark.parametrize(
    ("number", "words", "kind"),
    [
        ("00493089680211", "+493089680211, a landline number of DE", "number"),
        ("1003", "the extension 1003", "extension"),
        ("", "a withheld number", "withheld"),
        ("anonymous", "a withheld number", "withheld"),
        ("none at all", "no number: it ", "unreadable"),
    ],
)
def test_the_caller_is_put_into_words(number: str, words: str, kind: str) -> None:
    about = explained(number)
    assert about.as_text().splitlines()[0].startswith(f"Number    {number!r} is {words}")
    assert json.loads(about.as_json())["caller"]["kind"] == kind


def test_why_a_number_cannot_be_read_stands_in_the_json_too() -> None:
    assert json.loads(explained("none at all").as_json())["caller"]["why"]


def test_the_dialled_number_is_told_when_there_is_one() -> None:
    assert "          dialled: +902125551010, a landline number of TR" in explained(called="02125551010").as_text()


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        (Reason.NO_RULE, "a known caller, but no rule matched"),
        (Reason.UNKNOWN_CALLER, "the CRM does not know the caller"),
        (Reason.INTERNAL_CALLER, "an extension calls"),
        (Reason.WITHHELD, "the number is withheld"),
        (Reason.BAD_NUMBER, "the number cannot be read"),
        (Reason.CRM_FAILED, "the CRM could not be asked"),
        (Reason.OVERLOAD, "too many lookups are under way"),
        (Reason.ANSWERED, "an answer of the caller leads there"),
        (Reason.NO_ANSWER, "the caller has not answered well"),
    ],
)
def test_every_reason_is_put_into_words(reason: Reason, words: str) -> None:
    text = explained(decision=Decision(Transfer(Target("queue", "200")), reason)).as_text()
    assert f"Decision  queue/200, because {words}\n" in text
    assert "greeting: none; via none" in text


def test_a_failure_and_bugs_are_told() -> None:
    about = explained(
        contact=None,
        failure="the database is locked",
        decision=Decision(Transfer(Target("queue", "200")), Reason.CRM_FAILED),
        bugs=["crm: KeyError: 'x'"],
    )
    text = about.as_text()
    assert "because the CRM could not be asked (the database is locked)" in text
    assert "          bug in crm: KeyError: 'x'" in text
    document = json.loads(about.as_json())
    assert (document["failure"], document["bugs"]) == ("the database is locked", ["crm: KeyError: 'x'"])


def test_fields_of_a_contact_stand_beside_its_name_even_when_they_are_called_the_same() -> None:
    about = explained(contact=replace(AHMET, fields={"name": "A. Yılmaz"}))
    assert json.loads(about.as_json())["contact"]["fields"] == {"name": "A. Yılmaz"}


def test_what_a_terminal_would_obey_is_shown_and_keeps_to_its_line() -> None:
    hostile = replace(AHMET, name="Ahmet\n\x1b[2JYılmaz", fields={"t\u202eier": "gold\xa0"})
    told = explained(contact=hostile).as_text().splitlines()
    assert [line for line in told if "Ahmet\\" in line or "gold\\" in line] == [
        "          name     Ahmet\\n\\x1b[2JYılmaz",
        "          t\\u202eier    gold\\xa0",
    ]


def test_each_dialect_has_its_answer() -> None:
    answers = {
        "santral-programlama": '{"transfer": {"greet_name": "Ahmet Yılmaz", "lang": "tr-TR", "target": "queue/201"}}',
        "musteri-tanima": '{"name": "Ahmet Yılmaz", "target": "queue/201"}',
    }
    about = explained(answers=answers)
    assert about.as_text().splitlines()[-2:] == [
        f"Answer    santral-programlama  {answers['santral-programlama']}",
        f"          musteri-tanima       {answers['musteri-tanima']}",
    ]
    told = json.loads(about.as_json())["answers"]
    assert list(told) == ["santral-programlama", "musteri-tanima"]
    assert told["santral-programlama"]["transfer"]["greet_name"] == "Ahmet Yılmaz"


def test_a_question_to_the_caller_is_told_by_its_step() -> None:
    question = Prompt(Spoken(phrase="Müşteri numaranızı tuşlayın."), "customer_no")
    decision = Decision(question, Reason.ASKED, Via.CRM, "strangers", "customer_no")
    about = explained(contact=None, standing=Standing.UNKNOWN, decision=decision)
    assert about.as_text().splitlines()[-3:-1] == [
        "Decision  the caller is asked customer_no, because the rule 'strangers' matched",
        "          a question to the caller; via crm; 12.3 ms",
    ]
    assert json.loads(about.as_json())["decision"] == {
        "target": None,
        "step": "customer_no",
        "name": None,
        "phrase": None,
        "reason": "asked",
        "rule": "strangers",
        "via": "crm",
        "seconds": 0.0123,
    }


def test_a_phrase_stands_in_the_place_of_the_greeting() -> None:
    transfer = Transfer(Target("queue", "201"), phrase="Siparişiniz yolda.")
    about = explained(decision=Decision(transfer, Reason.RULE, Via.CRM, "gold"))
    assert "          phrase: Siparişiniz yolda.; via crm; 12.3 ms" in about.as_text().splitlines()
    decision = json.loads(about.as_json())["decision"]
    assert (decision["phrase"], decision["name"]) == ("Siparişiniz yolda.", None)


def test_that_a_number_was_keyed_is_told_and_the_number_itself_is_the_contacts() -> None:
    about = explained(contact=replace(AHMET, customer_number="C-00777"), key=CustomerNumber("98700777"))
    lines = about.as_text().splitlines()
    assert lines[1] == "          and has keyed a number, which is looked up in its place"
    assert "          customer_number  C-00777" in lines
    document = json.loads(about.as_json())
    assert document["keyed"] is True
    assert document["contact"]["customer_number"] == "C-00777"
    assert "98700777" not in about.as_text() + about.as_json()
