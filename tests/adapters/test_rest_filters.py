"""What filters do to a value, and that they leave it no way out of the place where it stands."""

import base64
import hashlib
import json
import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.rest.filters import Filter, Shown, can_stand_between, filter_of
from tests.adapters.raw_crm import in_backslashed_quotes, in_doubled_quotes, percent, without_backslashes

SPECIAL_IN_REGEX = "\\.^$*+?()[]{}|"
SPECIAL_IN_SOSL = "?&|!{}[]()^~*:\\\"'+-"

anything = st.text() | st.text(alphabet="'\"\\%_ab\n\r\t{}[]")
digits = st.text(alphabet="0123456789", min_size=1, max_size=20)


def changed(value: str, *written: str) -> str:
    """Return what filters make of a text."""
    for each in written:
        name, _, argument = each.partition("(")
        value = str(filter_of(name, argument.removesuffix(")") or None)(value))
    return value


# ---------------------------------------------------------------------------------------- what stands between quotes


@given(anything)
def test_odata_leaves_one_literal_that_is_the_value(value: str) -> None:
    assert in_doubled_quotes(f"'{changed(value, 'odata')}'") == value


@given(anything)
def test_soql_leaves_one_literal_that_is_the_value(value: str) -> None:
    assert in_backslashed_quotes(f"'{changed(value, 'soql')}'") == value
    assert not re.search(r"[\n\r\t]", changed(value, "soql"))


@given(anything)
def test_json_leaves_one_text_that_is_the_value(value: str) -> None:
    assert json.loads(f'"{changed(value, "json")}"') == value
    assert changed(value, "json").isascii()


@given(anything)
def test_sosl_leaves_one_term_that_is_the_value(value: str) -> None:
    assert without_backslashes(changed(value, "sosl"), SPECIAL_IN_SOSL) == value


@given(anything)
def test_like_finds_only_the_value_itself(value: str) -> None:
    assert without_backslashes(changed(value, "like"), "\\%_") == value
    literal = in_backslashed_quotes(f"'{changed(value, 'like', 'soql')}'")
    assert without_backslashes(literal, "\\%_") == value


@given(anything, anything)
def test_regex_finds_only_the_value_itself(value: str, other: str) -> None:
    pattern = changed(value, "regex")
    assert re.fullmatch(pattern, value)
    assert bool(re.fullmatch(pattern, other)) == (value == other)


@given(st.text())
def test_url_leaves_no_character_that_means_something_in_a_url(value: str) -> None:
    assert changed(value, "url") == percent(value)
    assert unquote(changed(value, "url")) == value


@given(anything)
def test_nested_texts_are_made_safe_from_the_inside_to_the_outside(value: str) -> None:
    inside = json.loads(f"\"name = '{changed(value, 'odata', 'json')}'\"").removeprefix("name = ")
    assert in_doubled_quotes(inside) == value
    inside = json.loads(f"\"name = '{changed(value, 'soql', 'json')}'\"").removeprefix("name = ")
    assert in_backslashed_quotes(inside) == value
    assert json.loads(json.loads(f'"\\"{changed(value, "json", "json")}\\""')) == value


@given(anything, st.lists(st.sampled_from(["odata", "json", "soql", "like", "regex", "last(3)", "url", "base64"])))
def test_what_is_said_to_be_safe_between_quotes_is(value: str, written: list[str]) -> None:
    filters = [filter_of(each.partition("(")[0], "3" if "(" in each else None) for each in written]
    text = changed(value, *written)
    if can_stand_between(["'"], filters):
        read = in_doubled_quotes if written[-1] == "odata" else in_backslashed_quotes
        read(f"'{text}'")
    if can_stand_between(['"'], filters):
        in_backslashed_quotes("'" + text.translate(str.maketrans("'\"", "\"'")) + "'")
    assert can_stand_between([], filters)
    assert not can_stand_between(["'", '"', "'", '"'] * 3, filters[:2])


@pytest.mark.parametrize(
    ("quotes", "filters", "is_safe"),
    [
        ("'", "odata", True),
        ("'", "soql", True),
        ("'", "json", False),
        ('"', "json", True),
        ('"', "odata", False),
        ("'", "like", False),
        ("'", "like soql", True),
        ("'", "soql like", False),
        ("'", "soql json", False),
        ("\"'", "soql json", True),
        ("\"'", "json soql", False),
        ("\"'", "soql", False),
        ("'", "", False),
        ("", "", True),
    ],
)
def test_the_last_filter_counts_for_the_outermost_quotes(quotes: str, filters: str, *, is_safe: bool) -> None:
    assert can_stand_between(list(quotes), [filter_of(name, None) for name in filters.split()]) is is_safe


def test_joining_after_a_filter_undoes_nothing() -> None:
    joined = [filter_of("soql", None), filter_of("join", "\"','\"")]
    assert can_stand_between(["'"], joined)


# ---------------------------------------------------------------------------------------- the others


@given(st.text())
def test_base64_and_md5_are_what_their_names_say(value: str) -> None:
    assert base64.b64decode(changed(value, "base64"), validate=True).decode() == value
    assert changed(value, "md5") == hashlib.md5(value.encode()).hexdigest()  # noqa: S324 - no security


@given(digits, st.text(alphabet="# ()-+", min_size=1))
def test_a_mask_takes_all_digits_or_leaves_the_number_as_it_is(number: str, mask: str) -> None:
    if "#" not in mask:
        with pytest.raises(ValueError, match="mask"):
            filter_of("mask", f"'{mask}'")
        return
    masked = changed(number, f"mask('{mask}')")
    if mask.count("#") == len(number):
        assert "".join(filter(str.isdigit, masked)) == number
        assert len(masked) == len(mask)
    else:
        assert masked == number


@pytest.mark.parametrize(
    "value", ["", "+905301234567", "53012345 7", "٥٣٠١٢٣٤٥٦٧", "abcdefghij", "５３０１２３４５６７"]
)
def test_a_mask_is_for_digits_only(value: str) -> None:
    assert changed(value, "mask('##########')") == value


def test_a_list_loses_what_a_mask_does_not_fit_and_what_it_has_twice() -> None:
    mask = filter_of("mask", "'### ####'")
    assert mask(["5301234", "05301234567", "5301234", "+905301"]) == ["530 1234"]
    assert mask(["1"]) == []
    assert filter_of("last", "4")(["05301234", "5301234", "x"]) == ["1234", "x"]


@given(st.text(), st.integers(min_value=1, max_value=100))
def test_last_leaves_the_end(value: str, count: int) -> None:
    last = changed(value, f"last({count})")
    assert value.endswith(last)
    assert len(last) == min(count, len(value))


@given(st.lists(st.text()), st.text(alphabet="',; |"))
def test_join_makes_one_text_of_a_list_and_leaves_texts_alone(values: list[str], separator: str) -> None:
    join = filter_of("join", f'"{separator}"')
    assert join(values) == separator.join(values)
    assert join("a,b") == "a,b"


@pytest.mark.parametrize("name", ["base64", "json", "like", "md5", "odata", "regex", "soql", "sosl", "url"])
def test_what_stands_for_a_secret_is_changed_by_nothing(name: str) -> None:
    shown = Shown("***'%")
    assert filter_of(name, None)(shown) is shown
    assert filter_of("last", "1")(shown) is shown


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("last", "0"),
        ("last", None),
        ("last", "'1'"),
        ("mask", "'x'"),
        ("mask", "5"),
        ("join", "5"),
        ("soql", "5"),
        ("", None),
        ("x" * 500, None),
    ],
)
def test_what_is_no_filter_is_refused_with_those_that_are(name: str, argument: str | None) -> None:
    with pytest.raises(ValueError, match=r"odata, regex, soql, sosl, url, join\('\.\.\.'\), last\(N\), mask") as caught:
        filter_of(name, argument)
    assert len(str(caught.value)) < 250


def test_a_filter_says_which_quotes_it_keeps() -> None:
    assert {name: filter_of(name, None).kept_quotes for name in ("odata", "json", "like")} == {
        "odata": "'",
        "json": '"',
        "like": "",
    }
    assert Filter("join", None).kept_quotes == ""
