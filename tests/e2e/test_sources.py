"""Any CRM gives the same answers: only the sources in the TOML differ."""

from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.testing import HttpCrm, phone
from tests.e2e.conftest import Serve
from tests.e2e.people import (
    EXPECTED,
    PEOPLE,
    answer_of_the_crm,
    head,
    make_sqlite,
    postgres_options,
    postgres_statements,
    rest_options,
    source,
    sqlite_options,
    static_options,
)
from tests.e2e.running import call
from tests.servers import Postgres

LIMITS = "timeout = 7"

SPELLINGS = (
    "05325550001",
    "5325550001",
    "+905325550001",
    "905325550001",
    "00905325550001",
    "0532 555 00 01",
    "+90 (532) 555-00-01",
    "+90 532 555 00 01",
    "0(532)5550001",
    "0532-555-00-01",
    "0532.555.00.01",
    "0532/555 00 01",
    "00 90 532 555 00 01",
    " 05325550001 ",
    " 905325550001",
    "0905325550001",
    "90 532 555 00 01",
)


async def test_all_spellings_of_a_number_make_one_lookup(serve: Serve, figure: Callable[[str], None]) -> None:
    async with HttpCrm(answer_of_the_crm) as crm:
        with serve(head() + source("rest", rest_options(crm.url), LIMITS)) as serving:
            for spelling in SPELLINGS:
                assert (await call(serving, spelling)).said == EXPECTED[PEOPLE[0].number], spelling
            assert [request.query["phone"] for request in crm.requests] == ["+905325550001"]
            await call(serving, PEOPLE[1].number)
            assert len(crm.requests) == 2, "another number is another lookup"
    figure(f"{len(SPELLINGS)} spellings of one number: 1 lookup")


async def test_not_a_customer_is_remembered_too(serve: Serve) -> None:
    async with HttpCrm(answer_of_the_crm) as crm:
        with serve(head() + source("rest", rest_options(crm.url), LIMITS)) as serving:
            for _ in range(5):
                assert (await call(serving, "05325559999")).said == {"target": "queue/202"}
            assert len(crm.requests) == 1


async def test_withheld_internal_and_unreadable_callers_are_not_looked_up(serve: Serve) -> None:
    async with HttpCrm(answer_of_the_crm) as crm:
        with serve(head() + source("rest", rest_options(crm.url), LIMITS)) as serving:
            for caller in ("", None, "anonymous", "1003", "112", "155", "no number", "0530", "9" * 40):
                assert (await call(serving, caller)).status == 200
            assert crm.requests == []


@pytest.mark.parametrize("kind", ["static list", "SQLite file", "PostgreSQL table", "REST CRM"])
async def test_every_kind_of_source_gives_the_same_answers(
    serve: Serve, postgres: Postgres, tmp_path: Path, kind: str
) -> None:
    async with HttpCrm(answer_of_the_crm) as crm:
        if kind == "static list":
            sources = source("static", static_options())
        elif kind == "SQLite file":
            make_sqlite(tmp_path / "crm.sqlite")
            sources = source("sql", sqlite_options(tmp_path / "crm.sqlite"), LIMITS)
        elif kind == "PostgreSQL table":
            postgres.sql(postgres_statements())
            sources = source("sql", postgres_options(postgres.url()), LIMITS)
        else:
            sources = source("rest", rest_options(crm.url), LIMITS)
        with serve(head() + sources) as serving:
            heard = {number: (await call(serving, number)).said for number in EXPECTED}
            again = {number: (await call(serving, number)).said for number in EXPECTED}
    assert heard == EXPECTED
    assert again == EXPECTED, "out of the cache too"


async def test_the_second_source_is_asked_when_the_first_does_not_know_or_fails(serve: Serve, tmp_path: Path) -> None:
    make_sqlite(tmp_path / "crm.sqlite")
    async with HttpCrm(lambda _: {"items": []}) as crm:
        first = source("rest", rest_options(crm.url), LIMITS).replace('name = "crm"', 'name = "first"')
        toml = head() + "[cache]\nttl = 0.01\nnegative_ttl = 0.01\nstale = 0\n" + first
        with serve(toml + source("sql", sqlite_options(tmp_path / "crm.sqlite"), LIMITS)) as serving:
            assert (await call(serving, PEOPLE[0].number)).said == EXPECTED[PEOPLE[0].number]
            assert (await call(serving, "05325559999")).said == {"target": "queue/202"}
            await crm.stop()
            assert (await call(serving, PEOPLE[1].number)).said == EXPECTED[PEOPLE[1].number]
            assert (await call(serving, "05325559998")).said == {"target": "queue/200"}, "nobody can tell"


async def test_an_enriching_source_adds_what_a_rule_needs(serve: Serve, tmp_path: Path) -> None:
    make_sqlite(tmp_path / "crm.sqlite")
    found = {"items": [{"title": "Örnek Şahıs Bir", "phones": ["05325550001"], "owner": phone("05325550002").e164}]}
    async with HttpCrm(lambda _: found) as crm:
        crm_options = rest_options(crm.url).replace('extension = "extension"', 'owner = "owner"')
        statement = "SELECT extension FROM people WHERE e164 = :owner"
        options = f'url = "sqlite+aiosqlite:///{tmp_path / "crm.sqlite"}"\nstatement = "{statement}"'
        enriching = source("sql", options, LIMITS + '\nrole = "enrich"').replace('"crm"', '"agents"')
        with serve(head() + source("rest", crm_options, LIMITS) + enriching) as serving:
            heard = await call(serving, "05325550001")
    assert heard.said == {"name": "Örnek Şahıs Bir", "target": "user/1002"}


async def test_a_stale_contact_is_answered_when_the_crm_has_died(serve: Serve) -> None:
    async with HttpCrm(answer_of_the_crm) as crm:
        toml = head() + "[cache]\nttl = 0.05\nnegative_ttl = 0.05\n" + source("rest", rest_options(crm.url), LIMITS)
        with serve(toml) as serving:
            assert (await call(serving, PEOPLE[0].number)).said == EXPECTED[PEOPLE[0].number]
            assert (await call(serving, "05325559999")).said == {"target": "queue/202"}
            await crm.stop()
            await serving.line("call", 2)
            for count in range(3, 100):
                assert (await call(serving, PEOPLE[0].number)).said == EXPECTED[PEOPLE[0].number]
                if (await serving.line("call", count))["via"] == "stale":
                    break
            else:
                raise AssertionError("the contact is never stale")
            assert (await call(serving, "05325559999")).said == {"target": "queue/200"}, "that is no contact to keep"
