"""The examples in the reference of the rest adapter become what it says."""

import json
import re
import tomllib
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.rest import RestConfig
from adapters.rest.answer import Answer, Reading
from adapters.rest.filters import ESCAPING, PLAIN, filter_of
from adapters.rest.sections import NUMBER, NUMBERS, REST_FORMS, Answered
from adapters.rest.template import filled_header, filled_json, read_template
from proxy.adapter import AdapterError, Contact, Scalar
from tests.adapters.rest_crm import AYSE
from tests.readme.pages import blocks, spans, tables
from tests.readme.rest_page import LOGIN, PAGE, SECTIONS, completed, number, searched, toml, words

FILTERED: Mapping[str, tuple[str | list[str], str]] = {
    "mask('(###) ### ## ##')": ("5321112233", "(532) 111 22 33"),
    "last(7)": ("5321112233", "1112233"),
    "join(\"','\")": (["0532", "+90532"], "0532','+90532"),
    "odata": ("O'Neill", "O''Neill"),
    "soql": ("O'Neill \"\\", "O\\'Neill \\\"\\\\"),
    "sosl": ("O'Neill-(x)", "O\\'Neill\\-\\(x\\)"),
    "like": ("5%_", "5\\%\\_"),
    "regex": ("+90 (x)", "\\+90 \\(x\\)"),
    "json": ('"ç"\n', '\\"\\u00e7\\"\\n'),
    "url": ("a b/&", "a%20b%2F%26"),
    "base64": ("ali:x", "YWxpOng="),
    "md5": ("x", "9dd4e461268c8034f5c8564e155c67a6"),
}
"""What each filter makes of what"""

RENDERED = {
    "{a + ':' + b}": "x:y",
    "'%{owner | like | soql}%'": """'%O\\'Neill \\"100\\\\%\\"%'""",
    "\"name = '{owner | odata | json}'\"": """"name = 'O''Neill \\"100%\\"'\"""",
    "FIND {{subscriber}} IN PHONE FIELDS": "FIND {5321112233} IN PHONE FIELDS",
    "{'{word}'}": "{word}",
    "Phone IN ('{numbers | soql | join(\"','\")}')": "Phone IN ('+905321112233','05321112233')",
    "mobile eq '{numbers | join(\"' or mobile eq '\")}'": "mobile eq '+905321112233' or mobile eq '05321112233'",
    "{digits | last(10)}": "5321112233",
    "{digits | last(10) | mask('%#%#%#%#%#%#%#%#%#%#')}": "%5%3%2%1%1%1%2%2%3%3",
}
"""What each template in the text becomes"""

FOUND: Mapping[str, list[tuple[object, Scalar]]] = {
    "name = \"[first_name, last_name][?@] | join(' ', @)\"": [
        ({"first_name": "Ali", "last_name": "Kaya"}, "Ali Kaya"),
        ({"first_name": None, "last_name": "Kaya"}, "Kaya"),
    ],
    "([first, last][?@] | join(' ', @)) || title": [
        ({"first": "Ali", "title": "Dr"}, "Ali"),
        ({"title": "Dr"}, "Dr"),
    ],
    "!(message.name)": [({"message": {}}, True), ({"message": {"name": "Ali"}}, False)],
    r'"\"type@OData.Community.Display.V1.FormattedValue\""': [
        ({"type@OData.Community.Display.V1.FormattedValue": "Gold", "type": 1}, "Gold")
    ],
    '"email || `null`"': [({"email": False}, None), ({"email": "a@b"}, "a@b")],
    '"user_id[1]"': [({"user_id": False}, None), ({"user_id": [5, "Ali"]}, "Ali")],
}
"""What each expression in the text finds in which record"""

LEFT_OUT = 'record = "contacts[?phone]"'


# ---------------------------------------------------------------------------------------- placeholders


def test_the_table_of_placeholders_has_their_values(tmp_path: Path) -> None:
    head, *rows = next(tables(SECTIONS["Placeholders"]))
    callers = [number(spans(cell)[0]) for cell in head[1:]]
    values = {spans(row[0])[0].strip("{}"): [spans(cell)[0] if spans(cell) else "" for cell in row[1:]] for row in rows}
    assert list(values) == [*REST_FORMS, NUMBER, NUMBERS]
    for place, caller in enumerate(callers):
        body = {"method": "POST", "body": {name: f"{{{name}}}" for name in REST_FORMS}}
        (request,) = searched(completed("", body, tmp_path), caller.e164)
        expected = {name: values[name][place] for name in REST_FORMS}
        assert json.loads(request.partition("\n\n")[2]) == expected
    without_blanks = [f"{{{name}}}" for name in REST_FORMS if " " not in values[name][0]]
    assert RestConfig.model_fields["spellings"].default == without_blanks


def test_the_table_of_filters_has_all_filters_and_no_other() -> None:
    _, (_, *rows) = tables(SECTIONS["Placeholders"])
    written = [span for row in rows for span in spans(row[0])]
    assert written == list(FILTERED)
    assert {span.partition("(")[0] for span in written} == {*PLAIN, "mask", "last", "join"}
    for span, (value, changed) in FILTERED.items():
        assert read_template(f"{{v | {span}}}").filled({"v": value}, str) == changed
    assert filter_of("mask", "'(###)'")("5321112233") == "5321112233"
    assert filter_of("last", "2")(["0532", "90532"]) == ["32"]


def test_the_filters_that_make_a_value_safe_between_quotes_are_told() -> None:
    told = re.search(r"between `'` it is (.*?), between `\"` it is (.*?), and (.*?) serve both", words(PAGE))
    assert told is not None
    safe = {
        name: quotes for group, quotes in zip(told.groups(), ("'", '"', "'\""), strict=True) for name in spans(group)
    }
    assert safe == ESCAPING


def test_every_template_in_the_text_becomes_what_is_expected() -> None:
    text = SECTIONS["Placeholders"] + SECTIONS["Searching by every spelling"]
    shown = {span for span in spans(text) if "{" in span and not re.fullmatch(r"\{\w+\}|\w+ = .*", span)}
    assert shown == set(RENDERED)
    values: Mapping[str, str | list[str]] = {
        "a": "x",
        "b": "y",
        "owner": 'O\'Neill "100%"',
        "subscriber": "5321112233",
        "digits": "905321112233",
        "numbers": ["+905321112233", "05321112233"],
    }
    for template, rendered in RENDERED.items():
        assert read_template(template).filled(values, str) == rendered
    a_list = next(span for span in spans(text) if span.startswith("values = "))
    assert json.loads(filled_json(tomllib.loads(a_list), values)) == {"values": values["numbers"]}


# ---------------------------------------------------------------------------------------- requests


def test_the_request_is_sent_as_it_is_told(tmp_path: Path) -> None:
    (request,) = searched(completed("Requests", toml("Requests"), tmp_path), "0532 111 22 33")
    line, *_, body = request.splitlines()
    query = next(span for span in spans(SECTIONS["Requests"]) if "%7B" in span).removesuffix("...")
    assert line.partition("?")[2].startswith(query)
    assert json.loads(body) == {"where": [{"field": "phone", "value": "905321112233"}], "exact": True}


def test_the_combinations_of_each_are_asked_in_the_order_that_is_told(tmp_path: Path) -> None:
    heading = "Searching by every spelling"
    told = re.search(r": here (.*?)\. ", words(SECTIONS[heading]))
    assert told is not None
    order: list[tuple[str, str]] = []
    for part in told[1].removesuffix(".").replace(" in all spellings", "").split(", then "):
        module, _, field = part.rpartition("by ")
        order.append((module.strip() or order[-1][0], field))
    options = toml(heading)
    urls = [request.split("\n")[0] for request in searched(completed(heading, options, tmp_path), "0532 111 22 33")]
    asked = re.findall(r"/api/(\w+)\?(\w+)=(\S+)", "\n".join(urls))
    assert [(module, field) for module, field, _ in asked] == [each for each in order for _ in options["spellings"]]
    assert len({spelling for *_, spelling in asked}) == len(options["spellings"])
    abroad = searched(completed(heading, options, tmp_path), "+49 30 89680211")
    assert len(abroad) == len(order) * 3, "one is written twice, and the mask does not fit"


def test_pages_are_asked_one_by_one_and_the_last_fails_when_there_are_more(tmp_path: Path) -> None:
    block = next(block for block in blocks(PAGE) if block.mark == "pages")
    config = completed("", tomllib.loads(block.text)["sources"]["options"], tmp_path)
    urls = [request.split("\n")[0] for request in searched(config, "0532 111 22 33")]
    assert [url.partition("?")[2] for url in urls] == [f"end=2233&per_page=20&page={page}" for page in (1, 2, 3)]
    reading = Reading(Answered(error=config.error), {})
    for page, pages in ((1, 4), (3, 3), (3, 4)):
        answer = Answer(200, {}, json.dumps({"page": page, "pages": pages}).encode())
        with pytest.raises(AdapterError) if pages > page == 3 else nullcontext():
            assert reading.answer(answer) is not None


def test_a_log_in_is_sent_as_it_is_told(tmp_path: Path) -> None:
    config = completed(LOGIN, toml(LOGIN), tmp_path)
    sent = filled_header(toml(LOGIN)["headers"]["Authorization"], {"user": "ali", "uid": 7, "session": "x"})
    assert sent == "Session YWxpOjc6eA=="
    assert config.given() == {"user", "password", "uid", "session"}


# ---------------------------------------------------------------------------------------- answers


def expression(span: str) -> str:
    """Return the expression of an example: `name = "..."`, a text in quotes, or itself."""
    if span.startswith('"'):
        span = f"x = {span}"
    return next(iter(tomllib.loads(span).values())) if re.match(r"\w+ = ", span) else span


def test_every_expression_in_the_text_finds_what_it_is_for() -> None:
    text = SECTIONS["Reading answers"].rpartition("|\n\n")[2]
    written = {span for span in spans(text) if not re.fullmatch(r"[\w|]+", span)}
    assert written == {*FOUND, LEFT_OUT}
    for span, cases in FOUND.items():
        reading = Reading(Answered(), {"found": expression(span), "is_there": "`true`"})
        for record, found in cases:
            assert reading.contacts(record, AYSE) == [Contact("", {"found": found, "is_there": True})], span


def test_records_without_a_number_are_left_out_as_it_is_told() -> None:
    answer = {"contacts": [{"name": "Ali"}, {"name": "Veli", "phone": "0532 111 22 33"}]}
    reading = Reading(Answered(record=expression(LEFT_OUT)), {}, name="name", numbers="phone")
    assert reading.contacts(answer, AYSE) == [Contact("Veli", {}, ("0532 111 22 33",))]
    assert reading.contacts({"contacts": [{"name": "Ali"}]}, AYSE) == []


def test_parentheses_are_needed_where_it_is_told() -> None:
    with_parentheses = next(span for span in FOUND if span.startswith("(["))
    without = with_parentheses[1:].replace("))", ")")
    reading = Reading(Answered(), {"found": without, "is_there": "`true`"})
    assert reading.contacts({"title": "Dr"}, AYSE) == [Contact("", {"found": None, "is_there": True})]
    negated = {"url": "https://crm.example.com/{e164}", "name": "name", "unknown": "!message.name"}
    with pytest.raises(ValidationError, match=re.escape("allowed: !(message.name)")):
        RestConfig.model_validate(negated, context={"role": "find"})
    reading = Reading(Answered(unknown="!(message.name)"), {})
    assert reading.answer(Answer(200, {}, b'{"message": {}}')) is None
    assert reading.answer(Answer(200, {}, b'{"message": {"name": "Ali"}}')) is not None
