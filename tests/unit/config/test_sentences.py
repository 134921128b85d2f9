"""pydantic's errors in the operator's words."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from typing_extensions import TypedDict  # pydantic wants it until Python 3.12

from proxy.config.sentences import key_of, sentences


class Inner(BaseModel):
    """A section below another."""

    model_config = ConfigDict(extra="forbid")

    start: int = Field(alias="from", default=0)
    """Where it begins"""
    city: str = ""


class Deepest(TypedDict):
    """A table that is no section."""

    deep: int


class Loose(TypedDict):
    """A table with a table in it."""

    deepest: Deepest


class Options(BaseModel):
    """All kinds of options."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    needed: int = 1
    text: Annotated[str, Field(min_length=2, max_length=4)] = "abc"
    items: Annotated[list[str], Field(min_length=1, max_length=2)] = ["a"]
    secret: SecretStr = SecretStr("")
    inner: Inner | None = None
    inners: list[Inner] = []
    table: dict[str, Inner] = {}
    low: Annotated[float, Field(ge=1, lt=5)] = 1
    role: Literal["find", "enrich"] = "find"
    loose: Loose = {"deepest": {"deep": 1}}
    shape: Annotated[str, Field(pattern="^a+$")] = "a"
    even: Annotated[int, Field(multiple_of=2)] = 0

    @field_validator("needed")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value == 2:
            raise ValueError("two is too even")
        if value == 4:
            raise ValueError("is even - allowed: odd numbers")
        if value == 6:
            raise AssertionError("six")
        return value

    @model_validator(mode="after")
    def _fits(self) -> "Options":
        if self.needed == 99:
            raise ValueError("does not fit - allowed: what fits")
        return self


class Empty(BaseModel):
    """No option at all."""

    model_config = ConfigDict(extra="forbid")


class Needing(BaseModel):
    """Options that have to be given."""

    url: str
    """Address of the CRM"""
    start: int = Field(alias="from")
    plain: int = Field(description="")
    deep: Inner | None = None


def told(model: type[BaseModel] = Options, **options: Any) -> list[str]:
    tree = {"sources": [{"name": "crm", "options": options}]}
    with pytest.raises(ValidationError) as caught:
        model.model_validate(options)
    return sentences(caught.value, tree, model, ("sources", 0, "options"))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"needed": "many"}, "needed: is a text - allowed: a whole number"),
        ({"needed": []}, "needed: is a list - allowed: a whole number"),
        ({"needed": {}}, "needed: is a table - allowed: a whole number"),
        ({"needed": 1.5}, "needed: is 1.5 - allowed: a whole number"),
        ({"needed": None}, "needed: is something else - allowed: a whole number"),
        ({"text": 5}, "text: is a number - allowed: a text"),
        ({"text": True}, "text: is true/false - allowed: a text"),
        ({"text": "a"}, "text: has a length of 1 - allowed: a text that is not empty"),
        ({"text": "abcde"}, "text: has a length of 5 - allowed: a text of at most 4 characters"),
        ({"items": []}, "items: has a length of 0 - allowed: at least 1"),
        ({"items": ["a", "b", "c"]}, "items: has a length of 3 - allowed: at most 2"),
        ({"items": ["a", 5]}, "items.2: is a number - allowed: a text"),
        ({"items": "a"}, "items: is a text - allowed: a list"),
        ({"secret": 5}, "secret: is a number - allowed: a text"),
        ({"inner": 5}, "inner: is a number - allowed: a table"),
        ({"inner": {"from": "x"}}, "inner.from: is a text - allowed: a whole number"),
        ({"inners": [{"name": "first", "from": 1}]}, "inners.1.name: is not a setting - allowed: from, city"),
        ({"table": {"a": {"fron": 1}}}, "table.a.fron: is not a setting (did you mean from?) - allowed: from, city"),
        ({"low": 0}, "low: is 0 - allowed: at least 1"),
        ({"low": 5.5}, "low: is 5.5 - allowed: below 5"),
        ({"low": float("nan")}, "low: is a number beyond all bounds - allowed: below 5"),
        ({"role": "lead"}, "role: is 'lead' - allowed: 'find' or 'enrich'"),
        ({"role": 5}, "role: is a number - allowed: 'find' or 'enrich'"),
        ({"role": "x" * 100}, f"role: is '{'x' * 39} - allowed: 'find' or 'enrich'"),
        ({"loose": {}}, "loose.deepest: is missing - allowed: a value"),
        ({"loose": {"deepest": {}}}, "loose.deepest.deep: is missing - allowed: a value"),
        ({"shape": "b"}, "shape: is a text - allowed: a text that matches ^a+$"),
        ({"needed": 4}, "needed: is even - allowed: odd numbers"),
        ({"needed": 2}, "needed: is refused (two is too even) - allowed: see the adapter's options"),
        ({"needed": 6}, "needed: is refused (six) - allowed: see the adapter's options"),
    ],
)
def test_each_error_is_a_key_a_fault_and_what_is_allowed(options: dict[str, Any], line: str) -> None:
    assert told(**options) == [f"sources.crm.options.{line}"]


def test_an_error_of_the_whole_is_told_at_its_place() -> None:
    assert told(needed=99) == ["sources.crm.options: does not fit - allowed: what fits"]


def test_an_error_that_has_no_words_of_ours_keeps_pydantics() -> None:
    (line,) = told(even=3)
    assert line == "sources.crm.options.even: is a number - allowed: Input should be a multiple of 2"


def test_an_unknown_key_is_answered_with_the_known_ones() -> None:
    (line,) = told(inner={"citi": "x"})
    assert line == "sources.crm.options.inner.citi: is not a setting (did you mean city?) - allowed: from, city"
    assert told(Empty, x=1) == ["sources.crm.options.x: is not a setting - allowed: none here"]


def test_what_is_missing_is_told_by_its_description() -> None:
    assert told(Needing) == [
        "sources.crm.options.url: is missing - allowed: address of the CRM",
        "sources.crm.options.from: is missing - allowed: a value",
        "sources.crm.options.plain: is missing - allowed: a value",
    ]


def test_every_error_has_its_line() -> None:
    lines = told(needed="x", text="", low=9)
    assert [line.split(":")[0].rpartition(".")[2] for line in lines] == ["needed", "text", "low"]


def test_no_text_is_repeated_but_for_words_that_were_to_be_chosen() -> None:
    lines = told(needed="s3cret", text="s3cret", items="s3cret", inner="s3cret", secret=["s3cret"], shape="s3cret")
    assert len(lines) == 6
    assert "s3cret" not in "\n".join(lines)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (("switch", "deadline"), "switch.deadline"),
        (("rules", 0, "target"), "rules.gold.target"),
        (("rules", 1), "rules.2"),
        (("rules", 2, "x"), "rules.3.x"),
        (("rules", 9, "x"), "rules.10.x"),
        (("nowhere", "x", 3), "nowhere.x.4"),
        (("switch", 0, "x"), "switch.1.x"),
        (("tables", "a b", "[key]"), "tables.a b"),
        (("lines", 0, "default"), "lines.sales.default"),
        (("lines", 0, "rules", 0, "target"), "lines.sales.rules.gold.target"),
        (("lines", 0, "rules", 1, "target"), "lines.sales.rules.2.target"),
        (("lines", 1, "rules", 0), "lines.2.rules.silver"),
        (("lines", 5, "rules", 0), "lines.6.rules.1"),
        (("lines", 0, "called", 0), "lines.sales.called.1"),
        (("steps", "menu", "choose", "1"), "steps.menu.choose.1"),
        (("steps", "rules", 0), "steps.rules.1"),
        (("sources", 0, "options", "lines", 0, "name"), "sources.crm.options.lines.1.name"),
        (("sources", 0, "options", "rules", 0), "sources.crm.options.rules.1"),
    ],
)
def test_a_place_is_named_by_names_where_there_are_any(path: tuple[str | int, ...], key: str) -> None:
    gold, silver, secret = ({"name": name} for name in ("gold", "silver", "s3cret"))
    tree = {
        "switch": 5,
        "rules": [gold, {"name": ""}, {"name": 5}],
        "lines": [{"name": "sales", "rules": [gold, {}], "called": [secret]}, {"rules": [silver]}],
        "steps": {"rules": [secret]},
        "sources": [{"name": "crm", "options": {"lines": [secret], "rules": [secret]}}],
    }
    assert key_of(path, tree) == key
