"""What is a placeholder, what looks like one, and what it becomes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.rest.template import filled_header, filled_json, filled_pairs, filled_path, names_in, read_template
from proxy.adapter import AdapterError

VALUES: dict[str, Any] = {
    "a": "x",
    "b": "y z",
    "_c1": "1",
    "number": "0530",
    "numbers": ["+90530", "0530"],
    "whole": 5,
    "part": 1.5,
    "yes": True,
    "nothing": None,
    "long": "0123456789",
}


def filled(template: str) -> str:
    return read_template(template).filled(VALUES, str)


# ---------------------------------------------------------------------------------------- the grammar


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("{a}", "x"),
        ("{ a }", "x"),
        ("{\ta\n}", "x"),
        ("{a}{b}", "xy z"),
        ("-{_c1}-", "-1-"),
        ("{a + b}", "xy z"),
        ("{a+b+a}", "xy zx"),
        ("{a + ':' + b}", "x:y z"),
        ("{'a' + a}", "ax"),
        ("{'' + a}", "x"),
        ("{'a + b' + a}", "a + bx"),
        ("{'{x}'}", "{x}"),
        ("{'{a}'}{a}", "{a}x"),
        ("{'}}' + a + '{{'}", "}}x{{"),
        ("{'|' + a | base64}", "fHg="),
        ("{a|base64}", "eA=="),
        ("{ a | base64 | url }", "eA%3D%3D"),
        ("{a + b | md5}", "05b60cd413f50b8960e4133096b4c07f"),
        ("{long | last(3)}", "789"),
        ("{long | last( 3 ) }", "789"),
        ("{long | mask('(###) ### ## ##')}", "(012) 345 67 89"),
        ('{long | mask("#### \' ######")}', "0123 ' 456789"),
        ("{long | mask('#|#)}##########') | last(2)}", "89"),
        ("{numbers}", "+90530,0530"),
        ("{numbers | join(';')}", "+90530;0530"),
        ("{numbers | join('')}", "+905300530"),
        ("""'{numbers | soql | join("','")}'""", "'+90530','0530'"),
        ("{numbers | last(4) | join('|')}", "0530"),
        ("{whole}{part}{yes}{nothing}", "51.5true"),
    ],
)
def test_a_placeholder_is_names_and_texts_and_then_filters(template: str, text: str) -> None:
    assert filled(template) == text


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{ }",
        "{{}}",
        "{1}",
        "{a b}",
        "{a.b}",
        "{a-b}",
        "{a:b}",
        "{a, b}",
        '{"a": 1}',
        '{"a": {"b": "c"}}',
        "{'a': 'b'}",
        "{ü}",
        "{a",
        "a}",
        "}{",
        "{1,3}",
        "[0-9]{3}",
        "{'it''s'}",
        "query { users(first: 1) { name } }",
    ],
)
def test_other_braces_stand_for_themselves(text: str) -> None:
    if text == "query { users(first: 1) { name } }":
        assert names_in(text) == {"name"}, "a word alone between braces is one, which the options then refuse"
        return
    assert filled(text) == text
    assert names_in(text) == set()


def test_braces_round_a_placeholder_stand_for_themselves() -> None:
    assert filled("FIND {{a}} IN PHONE FIELDS") == "FIND {x} IN PHONE FIELDS"
    assert filled('{"a": {"b": "{a}", "c": [{whole}]}}') == '{"a": {"b": "x", "c": [5]}}'
    assert filled("query { users(phone: \"{a}\") {'{ name }'} }") == 'query { users(phone: "x") { name } }'


@pytest.mark.parametrize(
    "template",
    [
        "{a |}",
        "{a | }",
        "{a +}",
        "{a + }",
        "{a | last(3) b}",
        "{a | mask('###'}",
        "{a | mask('###)}",
        "{a | mask(###)}",
        "{a | join(',' ';')}",
        "{a || base64}",
        "{a + 5}",
        "{a + b.c}",
        "{a | last(-1)}",
        "{a + 'x}",
        "{'x' + a | }",
        "{'x' | last(}",
        "{a |",
        "x {a} {a + } {b}",
    ],
)
def test_what_was_meant_as_a_placeholder_and_is_none_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"^has \{.*, which cannot be read - allowed: \{name\}, \{name \+ 'text'\}, "):
        read_template(template)


@pytest.mark.parametrize(
    "written",
    [
        "upper",
        "last",
        "last()",
        "last(0)",
        "last('3')",
        "mask",
        "mask('')",
        "mask('x')",
        "mask(3)",
        "join",
        "join(3)",
        "base64()x",
        "base64('x')",
        "md5(3)",
        "odata('')",
        "Odata",
    ],
)
def test_a_filter_that_is_none_or_is_written_wrong_is_refused(written: str) -> None:
    message = (
        "which cannot be read - " if written.endswith("x") else "which is none or is not written so - allowed: base64, "
    )
    with pytest.raises(ValueError, match=message):
        read_template(f"{{a | {written}}}")


def test_a_filter_that_takes_nothing_may_have_empty_parentheses() -> None:
    assert filled("{a | base64()}") == "eA=="


def test_a_long_mistake_is_told_in_short() -> None:
    with pytest.raises(ValueError, match="has ") as caught:
        read_template("{a | " + "x" * 10_000)
    assert len(str(caught.value)) < 250


@given(st.text(), st.text(alphabet="ab{}|+'\" (#)\\"))
def test_any_text_is_taken_apart_or_refused(plain: str, odd: str) -> None:
    for text in (plain, odd, odd + "{a}" + plain):
        try:
            template = read_template(text)
        except ValueError as exc:
            assert " - allowed: " in str(exc)  # noqa: PT017 - either way is good
            continue
        written = "".join(piece if isinstance(piece, str) else piece.written for piece in template.pieces)
        assert written == text
        assert names_in(text) == {name for each in template.placeholders for name in each.names}


@given(st.text())
def test_a_value_is_never_read_as_a_template(value: str) -> None:
    values = {"a": value}
    assert read_template("{a}{a}").filled(values, str) == value + value
    assert json.loads(filled_json({"k": "{a}", "l": ["-{a}"]}, values)) == {"k": value, "l": ["-" + value]}


# ---------------------------------------------------------------------------------------- where it stands


@pytest.mark.parametrize(
    ("leaf", "value"),
    [
        ("{whole}", 5),
        ("{part}", 1.5),
        ("{yes}", True),
        ("{nothing}", None),
        ("{numbers}", ["+90530", "0530"]),
        ("{numbers | last(3)}", ["530"]),
        ("{whole | last(3)}", "5"),
        ("{whole + ''}", "5"),
        ("{whole}!", "5!"),
        ("{whole}{whole}", "55"),
        ("{numbers | join(' ')}", "+90530 0530"),
        ("{'{whole}'}", "{whole}"),
        (7, 7),
        (None, None),
    ],
)
def test_a_leaf_of_json_that_is_one_placeholder_has_the_values_type(leaf: object, value: object) -> None:
    said = json.loads(filled_json({"deep": [leaf], "{a}": "{a}"}, VALUES))
    assert said == {"deep": [value], "{a}": "x"}
    assert type(said["deep"][0]) is type(value)


def test_json_within_a_query_or_a_form_is_encoded_as_a_whole() -> None:
    pairs = {"f[a]": {"x": "{b}", "n": "{whole}"}, "l": ["{numbers}"], "p": "{b}&=", "{a}": "1"}
    assert filled_pairs(pairs, VALUES) == (
        "f%5Ba%5D=%7B%22x%22%3A%22y%20z%22%2C%22n%22%3A5%7D&l=%5B%5B%22%2B90530%22%2C%220530%22%5D%5D"
        "&p=y%20z%26%3D&%7Ba%7D=1"
    )


def test_a_header_takes_no_line_breaks() -> None:
    assert filled_header("Token {a + ':' + b | base64}", VALUES) == "Token eDp5IHo="
    for value in ("a\r\nX: y", "a\nb", "\x00", "\x7f"):
        with pytest.raises(AdapterError, match="characters that a header must not have"):
            filled_header("{v}", {"v": value})


@pytest.mark.parametrize("value", ["..", "../x", "x/..", "x/../y", "a\\..\\b", "/..", "."])
def test_a_path_is_the_one_that_was_written(value: str) -> None:
    with pytest.raises(AdapterError, match="a value would change the path of the request"):
        filled_path("/users/{v}", {}, {"v": value})
    assert filled_path("/users", {"q": "{v}"}, {"v": value}).startswith("/users?q=")
    assert filled_path("/users?q={v}", {}, {"v": value}).startswith("/users?q=")
