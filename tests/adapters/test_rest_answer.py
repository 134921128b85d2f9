"""What is read from the CRM's answer."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.rest import RestConfig
from adapters.rest.answer import Answer, Reading, parsed
from proxy.adapter import AdapterError, Contact
from tests.adapters.rest_crm import AYSE


def contacts(answer: object, **options: Any) -> list[Contact]:
    config = RestConfig.model_validate({"url": "http://crm/{e164}", **options})
    reading = Reading(config, config.fields, name=config.name, key=config.id, numbers=config.numbers)
    return reading.contacts(answer, AYSE)


RECORD = {
    "first": "Ayşe",
    "last": None,
    "phones": [{"n": "0530"}, {"n": 5321112233}, {"n": None}, {"n": False}],
    "id": 7,
}


def test_a_record_may_be_the_whole_answer_or_a_part_of_it() -> None:
    assert contacts({"name": "Ayşe"}, name="name") == [Contact("Ayşe")]
    assert contacts([{"name": "Ayşe"}, {"name": "Ali"}], name="name") == [Contact("Ayşe"), Contact("Ali")]
    assert contacts({"data": {"0": {"name": "Ayşe"}}}, record="data.*", name="name") == [Contact("Ayşe")]
    assert contacts({"items": [{"name": "Ayşe"}]}, record="items[0]", name="name") == [Contact("Ayşe")]


def test_numbers_may_be_texts_or_numbers_and_one_or_several() -> None:
    assert contacts(RECORD, name="first", numbers="phones[].n")[0].numbers == ("0530", "5321112233")
    assert contacts(RECORD, name="first", numbers="phones[0].n")[0].numbers == ("0530",)
    assert contacts({"name": "Ayşe", "n": 905301234567.0}, name="name", numbers="n")[0].numbers == ("905301234567",)


def test_a_record_without_numbers_is_nobody_when_numbers_are_to_be_read() -> None:
    answer = [{"name": "A"}, {"name": "B", "n": []}, {"name": "C", "n": False}, {"name": "D", "n": "0530"}]
    assert [contact.name for contact in contacts(answer, name="name", numbers="n")] == ["D"]


def test_an_expression_that_does_not_fit_finds_nothing() -> None:
    fields = {"x": "abs(first)", "y": "id.a"}
    (contact,) = contacts(RECORD, name="join(' ', [first, last])", id="id", fields=fields)
    assert contact == Contact("", {"x": None, "y": None}, (), "7")
    assert contacts(RECORD, name="join(' ', [first, last][?@])")[0].name == "Ayşe"


def test_a_record_expression_that_does_not_fit_is_a_failure() -> None:
    with pytest.raises(AdapterError, match="does not fit the option record"):
        contacts(RECORD, record="abs(first)", name="name")


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("gold", "gold"),
        (3, 3),
        (1.5, 1.5),
        (True, True),
        (False, False),
        (None, None),
        ([7, "Ali"], None),
        ({"a": 1}, None),
        (float("inf"), None),
        ("\ud800x", "?x"),
    ],
)
def test_fields_are_plain(value: object, field: object) -> None:
    (contact,) = contacts({"name": "Ayşe", "x": value}, name="name", fields={"x": "x"})
    assert contact.fields["x"] == field
    assert type(contact.fields["x"]) is type(field)


@pytest.mark.parametrize("name", [False, None, [], {}, ""])
def test_a_name_that_is_none_is_empty(name: object) -> None:
    assert contacts({"name": name, "id": 7}, name="name", id="id") == [Contact(id="7")]


def test_a_byte_order_mark_is_no_reason_to_give_up() -> None:
    assert parsed(b"\xef\xbb\xbf{}") == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["items", "name", "n", "x"]) | st.text(), inner),
)


@given(JSON)
def test_whatever_the_answer_it_is_contacts_or_a_failure(answer: object) -> None:
    try:
        found = contacts(answer, record="items", name="name", numbers="n[]", fields={"x": "x"}, id="x")
    except AdapterError:
        return
    assert all(contact.numbers for contact in found)


@given(st.binary())
def test_whatever_the_body_it_is_json_or_a_failure(body: bytes) -> None:
    with suppress(AdapterError):
        parsed(body)


@pytest.mark.parametrize(
    "expression", ["x[?a > `1`] | [0].a", "contains(x, a)", "max_by(x, &a).a", "sum(x[].a)", "ceil(n)"]
)
def test_values_that_an_expression_was_not_written_for_are_no_bug(expression: str) -> None:
    record = {"name": "Ayşe", "x": [{"a": "text"}, {"a": 1}], "a": {}, "n": 1e999}
    (contact,) = contacts(record, name="name", fields={"x": expression})
    assert contact.name == "Ayşe"
    with suppress(AdapterError):
        contacts(record, record=expression, name="name")


@pytest.mark.parametrize(
    ("content_type", "charset"),
    [
        ("application/json", "utf-8"),
        ("application/json; charset=utf-8", "utf-8-sig"),
        ("application/json;charset=ISO-8859-9", "iso-8859-9"),
        ('text/html; charset="windows-1254"', "windows-1254"),
    ],
)
def test_an_answer_is_read_in_the_charset_that_it_names(content_type: str, charset: str) -> None:
    answer = Answer(200, {"content-type": content_type}, '{"name": "Şükrü Çağ"}'.encode(charset))
    assert answer.said == {"name": "Şükrü Çağ"}


@pytest.mark.parametrize("charset", ["none-such", "utf-7x", "idna", "ascii"])
def test_a_charset_that_does_not_fit_is_a_failure(charset: str) -> None:
    answer = Answer(200, {"content-type": f"application/json; charset={charset}"}, '{"name": "Ş"}'.encode())
    assert answer.said is None
    with pytest.raises(AdapterError, match="is not JSON"):
        answer.parsed()
