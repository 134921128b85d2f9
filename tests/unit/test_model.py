import dataclasses
from dataclasses import replace
from enum import Enum
from typing import Any

import pytest

from proxy.actions import Transfer
from proxy.entry import Entry, pack, unpack
from proxy.model import MOST_NUMBERS, Call, Contact, Heard, Reason, Scalar, Via, as_contacts, as_text
from proxy.routing import Decision
from proxy.target import Target
from tests.unit.fakes import MONDAY_NOON, NUMBER, transfer_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("", ""),
        ("gold", "gold"),
        (True, "true"),
        (False, "false"),
        (1003, "1003"),
        (1003.0, "1003"),
        (-0.0, "0"),
        (1.5, "1.5"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
    ],
)
def test_a_field_reads_as_text_the_way_a_person_writes_it(value: Scalar, text: str) -> None:
    assert as_text(value) == text


def test_a_contact_takes_scalars_of_every_kind() -> None:
    fields: dict[str, Scalar] = {"a": "x", "b": 1, "c": 1.5, "d": True, "e": None}
    assert dict(Contact(fields=fields).fields) == fields


@pytest.mark.parametrize(("value", "kind"), [([], "list"), ({}, "dict"), (b"x", "bytes"), (object(), "object")])
def test_a_contact_refuses_fields_that_are_no_scalars(value: Any, kind: str) -> None:
    with pytest.raises(TypeError, match=f"field 'tags' is a {kind}, not text, number, true/false or None"):
        Contact(fields={"tags": value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_finite_number_counts_as_empty(value: float) -> None:
    assert Contact(fields={"balance": value}).value("balance") is None


def test_half_characters_are_replaced_and_all_others_kept() -> None:
    contact = Contact("Ahmet \ud800", {"city": "\udfffİzmir \U0001f600"}, ("0532\ud800",), "\ud800", "7\ud800")
    assert (contact.name, contact.id, contact.numbers) == ("Ahmet ?", "?", ("0532?",))
    assert contact.customer_number == "7?"
    assert contact.value("city") == "?İzmir \U0001f600"


def test_a_contact_does_not_change_when_the_adapter_goes_on_using_its_dict() -> None:
    fields: dict[str, Scalar] = {"tier": "gold"}
    contact = Contact("Ahmet", fields)
    fields["tier"] = "silver"
    assert contact.value("tier") == "gold"
    with pytest.raises(TypeError):
        contact.fields["tier"] = "silver"  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        contact.name = "Mehmet"  # type: ignore[misc]


def test_name_id_and_all_numbers_become_text() -> None:
    loose: Any = Contact
    contact = loose(name=None, id=7, customer_number=123.0, numbers=[5321112233, 5321112233.0, "", None, "0532"])
    assert (contact.name, contact.id, contact.customer_number) == ("", "7", "123")
    assert loose(customer_number=None).customer_number == ""
    assert contact.numbers == ("5321112233", "5321112233", "0532")


@pytest.mark.parametrize(
    ("contact", "field", "value"),
    [
        (Contact("Ahmet", {"tier": "gold"}), "tier", "gold"),
        (Contact("Ahmet"), "tier", None),
        (Contact("Ahmet"), "name", "Ahmet"),
        (Contact("Ahmet", {"name": "Bay A."}), "name", "Bay A."),
        (Contact("Ahmet", {"name": None}), "name", "Ahmet"),
        (Contact(), "name", None),
        (Contact(id="7"), "id", "7"),
        (Contact(id="7", fields={"id": 8}), "id", 8),
        (Contact(), "id", None),
        (Contact(fields={"vip": False}), "vip", False),
        (Contact(customer_number="C-00123"), "customer_number", "C-00123"),
        (Contact(customer_number="C-00123", fields={"customer_number": 7}), "customer_number", 7),
        (Contact(), "customer_number", None),
        (Contact(numbers=("0532",)), "numbers", None),
    ],
)
def test_name_id_and_customer_number_can_be_asked_for_like_fields(contact: Contact, field: str, value: Scalar) -> None:
    assert contact.value(field) == value


def test_more_fields_fill_gaps_and_change_nothing_that_is_known() -> None:
    contact = Contact("Ahmet", {"tier": "gold", "owner": None, "vip": False}, ("0532",), "7")
    richer = contact.with_fields({"tier": "silver", "owner": "ayse", "vip": True, "extension": 1003})
    assert dict(richer.fields) == {"tier": "gold", "owner": "ayse", "vip": False, "extension": 1003}
    assert (richer.name, richer.numbers, richer.id) == ("Ahmet", ("0532",), "7")
    assert replace(contact, customer_number="5").with_fields({"customer_number": "6"}).customer_number == "5"
    assert dict(contact.fields) == {"tier": "gold", "owner": None, "vip": False}


def test_contacts_with_the_same_content_are_equal() -> None:
    assert Contact("A", {"x": 1}) == Contact("A", {"x": 1})
    assert Contact("A", {"x": 1}) != Contact("A", {"x": 2})


def test_an_adapter_may_return_one_contact_several_or_none() -> None:
    one, two = Contact("A"), Contact("B")

    assert as_contacts(None) == ()
    assert as_contacts(one) == (one,)
    assert as_contacts([one, two]) == (one, two)
    assert as_contacts(()) == ()


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([Contact("A"), None], "lookup returned a NoneType among its contacts"),
        ([{"name": "A"}], "lookup returned a dict among its contacts"),
        ("Ahmet", "lookup returned a str, not a contact"),
        ({"name": "A"}, "lookup returned a dict, not a contact"),
        (b"Ahmet", "lookup returned a bytes, not a contact"),
        ("", "lookup returned a str, not a contact"),
        ({}, "lookup returned a dict, not a contact"),
        (42, "lookup returned a int, not a contact"),
        (True, "lookup returned a bool, not a contact"),
        (iter([Contact("A")]), "lookup returned a list_iterator, not a contact"),
    ],
)
def test_an_adapter_may_return_nothing_else(found: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        as_contacts(found)


def test_one_text_is_no_sequence_of_numbers() -> None:
    with pytest.raises(TypeError, match="numbers is a text"):
        Contact("A", numbers="0530 123 45 67")  # type: ignore[arg-type]


def test_what_neither_utf_8_nor_json_can_hold_is_cleaned() -> None:
    contact = Contact("A\ud800", {"a": float("nan"), "b": float("inf"), "c": 10**5000, "d": "x\udfff"}, ("1\ud800",))
    assert (contact.name, contact.numbers) == ("A?", ("1?",))
    assert dict(contact.fields) == {"a": None, "b": None, "c": None, "d": "x?"}


class Tier(str, Enum):  # noqa: UP042 - a member of a StrEnum is its text to `str`, and one of this is `Tier.GOLD`
    GOLD = "gold"
    SILVER = "gümüş"


class Level(int, Enum):
    TOP = 5


class Share(float, Enum):
    HALF = 0.5


def test_members_of_an_enum_are_plain_values_from_the_first_call_on() -> None:
    fields: dict[str, Scalar] = {"a": Tier.GOLD, "b": Tier.SILVER, "c": Level.TOP, "d": Share.HALF, "e": True}
    contact = Contact(Tier.GOLD, fields, (Tier.GOLD,), Tier.GOLD, Tier.GOLD)
    assert [as_text(value) for value in contact.fields.values()] == ["gold", "gümüş", "5", "0.5", "true"]
    assert [contact.name, *contact.numbers, contact.id, contact.customer_number] == ["gold"] * 4
    kept = unpack(pack(Entry(contact, 1, 2))).contact
    assert kept is not None
    assert [as_text(value) for value in kept.fields.values()] == ["gold", "gümüş", "5", "0.5", "true"]


def test_an_empty_field_can_be_filled_by_another_source() -> None:
    assert Contact("A", {"owner": ""}).with_fields({"owner": "x"}).value("owner") == "x"
    assert Contact("A", {"owner": "y"}).with_fields({"owner": "x"}).value("owner") == "y"


def test_a_decision_names_nobody_and_no_rule_by_itself() -> None:
    decision = Decision(Transfer(Target("queue", "200")), Reason.CRM_FAILED)
    assert (decision.via, transfer_of(decision).name, decision.rule) == (Via.NONE, "", "")
    assert (decision.step, decision.heard) == ("", None)


def test_reasons_and_vias_read_as_their_words() -> None:
    assert f"{Reason.NO_RULE} {Via.STALE}" == "no_rule stale"


def test_of_a_contacts_numbers_so_many_are_kept_as_it_can_honestly_have() -> None:
    numbers = [str(n) for n in range(10_000)]
    assert Contact(numbers=tuple(numbers)).numbers == tuple(numbers[:MOST_NUMBERS])
    assert Contact(numbers=("",) * 1000 + ("0532",)).numbers == ("0532",)  # with none it would pass for anybody's


def test_a_call_is_the_first_question_and_nobody_can_be_asked_unless_the_dialect_says_otherwise() -> None:
    ringing = Call(NUMBER, MONDAY_NOON)
    assert (ringing.called, ringing.call_id, ringing.step) == (None, "", 1)
    assert (ringing.heard, ringing.can_be_asked) == (Heard((), None, failed=False), False)
