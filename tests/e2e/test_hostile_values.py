"""What callers and records try to say to a database is only ever compared with what is in it."""

import json
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest

from tests.e2e.conftest import Serve
from tests.e2e.people import EXPECTED, PEOPLE, head, source
from tests.e2e.running import Serving, answers_in, call, send
from tests.troubled import KINDS, filled

KNOWN = PEOPLE[0].number
NUMBERS = (
    "7' OR '1'='1",
    f"{KNOWN}' OR '1'='1",
    f"{KNOWN}'; DROP TABLE people; --",
    f"{KNOWN}\x00",
    "\x00",
    "5" * 10_000,
    f"{KNOWN}{'0' * 10_000}",
)
OWNERS = ("7' OR '1'='1", "+905325550002' OR '1'='1", "+905325550002\x00", "\x00", "5" * 10_000)
RECORDS = {f"0532 555 01 {place:02}": owner for place, owner in enumerate((*OWNERS, "+905325550002"))}
ENRICHING = """
[[sources]]
name = "agents"
adapter = "sql"
role = "enrich"
[sources.options]
"""


def contacts() -> str:
    """Return the options of a list of contacts whose field `owner` is another one's number, or hostile."""
    tables = ", ".join(
        f'{{ numbers = ["{number}"], name = "Deneme", fields = {{ owner = {json.dumps(owner)} }} }}'
        for number, owner in RECORDS.items()
    )
    return f"contacts = [{tables}]"


@pytest.fixture(scope="module")
def serving(
    serve: Serve, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """Serve with a list, a database to find callers in, and a database that adds the owner's extension."""
    database = filled(request.param, request, tmp_path_factory.mktemp("database"))
    options = database.options()
    adding = options.replace(database.statement, "SELECT extension FROM people WHERE e164 = :owner")
    listed = source("static", contacts()).replace('"crm"', '"list"')
    with serve(head() + listed + source("sql", options) + ENRICHING + adding) as serving:
        yield serving


@pytest.mark.parametrize("serving", KINDS, indirect=True)
@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: ascii(number[:30]))
async def test_a_hostile_number_is_nobody_s(serving: Serving, number: str) -> None:
    requests = [f"GET /musteri.json?telefon={spelt} HTTP/1.0\r\n\r\n" for spelt in (number, quote(number))]
    for request in requests:
        ((status, _, body),) = answers_in(send(serving.port, request.encode()))
        assert (status, json.loads(body)) == (200, {"target": "queue/200"})
    assert (await call(serving, KNOWN)).said == EXPECTED[KNOWN]


@pytest.mark.parametrize("serving", KINDS, indirect=True)
async def test_a_hostile_field_finds_no_row_and_costs_no_call(
    serving: Serving, request: pytest.FixtureRequest, figure: Callable[[str], None]
) -> None:
    heard = [await call(serving, number) for number in RECORDS]
    assert {one.status for one in heard} == {200}
    hostile, owned = {"name": "Deneme", "target": "queue/200"}, {"name": "Deneme", "target": "user/1002"}
    assert [one.said for one in heard] == [hostile] * len(OWNERS) + [owned]
    told = {line["error"] for line in serving.lines("source_failed")}
    assert told <= {"a value has a character that the database cannot have"}
    slowest = max(one.seconds for one in heard)
    name = request.node.callspec.params["serving"].name
    figure(f"{name}, {len(OWNERS)} hostile fields: no row; slowest {slowest * 1000:.0f} ms; told: {sorted(told)}")
