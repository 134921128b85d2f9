"""Expressions find what JMESPath's own interpreter finds, whatever they are searched in."""

from collections.abc import Callable
from typing import Any

import jmespath
from hypothesis import example, given
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from adapters.rest.paths import search_of

NAMES = ("a", "b")
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 2), st.sampled_from(["", "a", "x y"])),
    lambda node: st.one_of(st.lists(node, max_size=3), st.dictionaries(st.sampled_from(NAMES), node, max_size=2)),
    max_leaves=12,
)

EXPRESSIONS = (
    "a",
    "@",
    "a.b",
    "a.b.a",
    "a[0]",
    "a[-1].b",
    "a[1][-2]",
    "[0]",
    "[-3]",
    "[]",
    "a[]",
    "a[].b",
    "a[].b[]",
    "a[*].b",
    "a[*].b[0]",
    "[*][0]",
    "a | [0]",
    "a[].b | [0]",
    "a.*",
    "*.b | [0]",
    "a[?b == 'a'].b | [0]",
    "a[0:2]",
    "a || b",
    "a && b",
    "!a",
    "`7`",
    "'x'",
    "[a, b]",
    "[a[].b, 'x']",
    "{a: b}",
    "join(' ', [a, b])",
    "join(a, b)",
    "join(' ', a[].b)",
    "join(' ', [a.b, 'x'])",
    "not_null(a, b)",
    "sort_by(a, &b)",
    "a[].b | join('/', @)",
)


def outcome(find: Callable[[Any], object], node: object) -> object:
    """Return what is found as it is written, as 1 and true are equal; or what is raised instead."""
    try:
        return repr(find(node))
    except (JMESPathError, TypeError) as exc:
        return type(exc).__name__


SEARCHES = [(each, search_of(each), jmespath.compile(each).search) for each in EXPRESSIONS]


@given(JSON)
@example({"a": [{"b": "x"}, {"b": None}, {"b": ["y"]}, [{"b": 1}], "z"], "b": "x"})
@example({"a": [{"b": "x"}, {"b": "y"}], "b": 1})
@example({"a": "x", "b": "y"})
@example({"a": ", ", "b": ["x", "y"]})
@example({"a": {"b": "x"}, "b": {"a": "x"}})
@example({"a": 1, "b": ["x", "y"]})
@example([[1, 2], [3], {"b": 4}])
def test_an_expression_finds_what_the_interpreter_finds(node: object) -> None:
    for expression, ours, theirs in SEARCHES:
        assert outcome(ours, node) == outcome(theirs, node), expression
