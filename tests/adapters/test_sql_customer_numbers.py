"""Statements for what a caller has keyed: on real servers, in columns of any type, beside those for phone numbers."""

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.sql import SqlAdapter, SqlConfig
from proxy.adapter import AdapterError, By, Contact, CustomerNumber, Inspection, Key
from proxy.cli.live import CUSTOMER_NUMBER_THAT_NOBODY_HAS, number_that_nobody_has
from proxy.matching import holders
from tests.adapters.customers import DOCUMENTATION
from tests.adapters.sql_crm import AYSE, fill
from tests.servers import DatabaseServer

PHONE, CUSTOMER = By.PHONE_NUMBER, By.CUSTOMER_NUMBER
TABLE = """
DROP TABLE IF EXISTS keyed;
CREATE TABLE keyed (no INTEGER PRIMARY KEY, code VARCHAR(20) UNIQUE, name VARCHAR(40), phone VARCHAR(40), tier INTEGER);
INSERT INTO keyed VALUES (1234, '00123', 'Anyone', '0530 123 45 67', 1);
INSERT INTO keyed VALUES (77, 'C-00077', 'Other', NULL, 2);
"""
BY_PHONE = "SELECT no, name, phone AS number, code AS customer_number FROM keyed WHERE {caller_in(phone)}"
BY_CODE = "SELECT no, name, phone AS number, code AS customer_number FROM keyed WHERE code = :customer_number"
BY_NO = "SELECT no AS customer_number, name FROM keyed WHERE no = "
SPELLINGS = {
    "sqlite": ":customer_number",
    "mariadb": ":customer_number",
    "postgresql": "CAST(RIGHT(:customer_number, 18) AS bigint)",
}
"""How an integer column is compared"""
WITH_ZEROS = {
    "sqlite": "substr('00000000' || :customer_number, -8)",
    "mariadb": "LPAD(:customer_number, 8, '0')",
    "postgresql": "LPAD(:customer_number, 8, '0')",
}
"""How a column of eight digits is compared, zeros included"""
LONGEST = "9" * 20


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if kind == "sqlite":
        connection = sqlite3.connect(tmp_path / "crm.db")
        connection.executescript(TABLE)
        connection.close()
        return f"sqlite+aiosqlite:///{tmp_path / 'crm.db'}"
    server: DatabaseServer = request.getfixturevalue("postgres" if kind == "postgresql" else kind)
    server.sql(TABLE)
    return server.url()


@asynccontextmanager
async def asking(
    url: str, *statements: str, by: set[By] | None = None, role: str = "find"
) -> AsyncIterator[SqlAdapter]:
    context = {"role": role, "by": frozenset(by or {CUSTOMER})}
    adapter = SqlAdapter(SqlConfig.model_validate({"url": url, "statements": list(statements)}, context=context))
    await adapter.open()
    try:
        yield adapter
    finally:
        await adapter.close()


async def names(adapter: SqlAdapter, key: Key | str) -> list[str]:
    found = await adapter.lookup(CustomerNumber(key) if isinstance(key, str) else key)
    return [contact.name for contact in found]


async def inspected(url: str, key: Key, *statements: str, **named: Any) -> Inspection:
    async with asking(url, *statements, **named) as adapter:
        return await adapter.inspect(key)


# ---------------------------------------------------------------------------------------- columns


async def test_a_column_of_text_is_compared_with_what_was_keyed(url: str) -> None:
    async with asking(url, BY_CODE) as adapter:
        found = await adapter.lookup(CustomerNumber("00123"))
        assert found == [Contact("Anyone", {"no": 1234}, ("0530 123 45 67",), customer_number="00123")]
        assert await names(adapter, "123") == []
        assert await names(adapter, LONGEST) == []


async def test_a_column_of_whole_numbers_is_compared_as_it_is_documented(url: str, kind: str) -> None:
    spelling = SPELLINGS[kind]
    assert f"= {spelling}" in DOCUMENTATION.read_text(encoding="utf-8")
    async with asking(url, BY_NO + spelling) as adapter:
        assert await names(adapter, "1234") == ["Anyone"]
        assert await names(adapter, "0001234") == ["Anyone"]
        for unknown in ("1", "12345678901", LONGEST, "0"):
            assert await names(adapter, unknown) == []
    seen = await inspected(url, CUSTOMER_NUMBER_THAT_NOBODY_HAS, BY_NO + spelling)
    assert (seen.problems, [note for note in seen.notes if "took" not in note]) == ([], []), "it uses the index"


async def test_zeros_that_were_not_keyed_are_put_before_the_number_as_it_is_documented(url: str, kind: str) -> None:
    spelling = WITH_ZEROS[kind]
    assert f"code = {spelling}" in DOCUMENTATION.read_text(encoding="utf-8")
    found = BY_CODE.replace("code", "CONCAT('000', code)" if kind != "sqlite" else "'000' || code")
    async with asking(url, found.replace(":customer_number", spelling)) as adapter:
        for keyed in ("123", "00123", "00000123"):
            assert await names(adapter, keyed) == ["Anyone"]
        for longer in ("123" + "0" * 6, "12300000123"):
            found_first = await adapter.lookup(CustomerNumber(longer))
            assert holders(found_first, CustomerNumber(longer)) == [], "the proxy sees that it is another's"


async def test_postgresql_compares_no_text_with_a_whole_number(postgres: DatabaseServer) -> None:
    postgres.sql(TABLE)
    async with asking(postgres.url(), BY_NO + ":customer_number") as adapter:
        with pytest.raises(
            AdapterError, match=re.escape("compares different types; a placeholder is a text, use CAST(")
        ):
            await adapter.lookup(CustomerNumber("1234"))


async def test_a_number_too_long_for_the_type_would_be_a_failure(postgres: DatabaseServer) -> None:
    postgres.sql(TABLE)
    async with asking(postgres.url(), BY_NO + "CAST(:customer_number AS bigint)") as adapter:
        assert await names(adapter, "1234") == ["Anyone"]
        with pytest.raises(
            AdapterError, match="a value is none of the type that the statement compares it with"
        ) as caught:
            await adapter.lookup(CustomerNumber(LONGEST))
        assert LONGEST not in str(caught.value)


async def test_a_row_with_an_empty_customer_number_is_nobody(url: str) -> None:
    for empty in ("NULL", "''", "'  '"):
        async with asking(url, f"SELECT {empty} AS customer_number FROM keyed WHERE :customer_number <> ''") as adapter:
            assert await adapter.lookup(CustomerNumber("12")) == []


async def test_of_more_rows_than_are_read_one_must_hold_the_number(tmp_path: Path) -> None:
    fill(tmp_path / "crm.db", "CREATE TABLE many (no TEXT)")
    with sqlite3.connect(tmp_path / "crm.db") as connection:
        connection.executemany("INSERT INTO many VALUES (?)", [(f"C-{n}",) for n in range(1, 102)])
    connection.close()
    everything = "SELECT no AS customer_number FROM many WHERE :customer_number <> ''"
    async with asking(f"sqlite+aiosqlite:///{tmp_path / 'crm.db'}", everything) as adapter:
        assert "C-7" in {contact.customer_number for contact in await adapter.lookup(CustomerNumber("007"))}
        with pytest.raises(AdapterError, match="more than 100 rows for one caller"):
            await adapter.lookup(CustomerNumber("101"))


# ---------------------------------------------------------------------------------------- several statements


async def test_each_kind_of_number_has_statements_of_its_own(url: str) -> None:
    by_no = f"{BY_NO} CAST(:customer_number AS DECIMAL(20))"
    async with asking(url, BY_CODE, BY_PHONE, by_no, by={PHONE, CUSTOMER}) as adapter:
        assert await names(adapter, AYSE) == ["Anyone"]
        assert await names(adapter, "00123") == ["Anyone"]
        assert await names(adapter, "77") == ["Other"], "the second for customer numbers, where the first found nobody"
        told = [(each.what, each.request.splitlines()[-1]) for each in adapter.rehearse(CustomerNumber("77"))]
        assert told == [
            ("statement 1 of 3", ":customer_number = '77'"),
            ("statement 3 of 3", ":customer_number = '77'"),
        ]
        (by_phone,) = adapter.rehearse(AYSE)
        assert by_phone.what == "statement 2 of 3"


async def test_a_row_that_cannot_be_checked_ends_the_search(url: str) -> None:
    unchecked = "SELECT name FROM keyed WHERE :customer_number = '5' AND no = 77"
    async with asking(url, unchecked, BY_CODE) as adapter:
        assert await names(adapter, "5") == ["Other"]
        assert await names(adapter, "00123") == ["Anyone"]


@pytest.mark.parametrize(
    ("by", "statements", "message"),
    [
        ({CUSTOMER}, [BY_PHONE], ":in_order is for a source with another by - allowed: :customer_number"),
        (
            {CUSTOMER},
            ["SELECT 1 WHERE 'a' = :nummer"],
            ":nummer is not the customer number - allowed: :customer_number",
        ),
        ({CUSTOMER}, ["SELECT 1"], "names nothing to look for - allowed: :customer_number"),
        ({PHONE}, [BY_CODE], ":customer_number is for a source with another by - allowed: :e164, :digits"),
        (
            {PHONE, CUSTOMER},
            ["SELECT 1"],
            "one of :e164, :digits, :national, :subscriber, :international, :customer_num",
        ),
        (
            {PHONE, CUSTOMER},
            [BY_PHONE],
            "has none for customer_number, which is in by - allowed: one at least for each",
        ),
        ({PHONE, CUSTOMER}, [BY_CODE], "has none for phone_number, which is in by - allowed: one at least for each"),
        (
            {PHONE, CUSTOMER},
            ["SELECT 1 WHERE :customer_number = :e164", BY_PHONE],
            "has :customer_number beside :e164, and nobody is looked for by both - allowed: one of them",
        ),
    ],
)
def test_statements_fit_what_the_source_is_asked_by(by: set[By], statements: list[str], message: str) -> None:
    options = {"url": "sqlite+aiosqlite:///crm.db", "statements": statements}
    with pytest.raises(ValueError, match=re.escape(message)):
        SqlConfig.model_validate(options, context={"role": "find", "by": frozenset(by)})


def test_one_statement_cannot_be_for_both_kinds() -> None:
    options = {"url": "sqlite+aiosqlite:///crm.db", "statement": BY_CODE}
    SqlConfig.model_validate(options, context={"role": "find", "by": frozenset({CUSTOMER})})
    with pytest.raises(ValueError, match="has none for phone_number"):
        SqlConfig.model_validate(options, context={"role": "find", "by": frozenset({PHONE, CUSTOMER})})


async def test_in_an_enriching_source_it_is_the_contacts_own(url: str) -> None:
    by = "SELECT tier FROM keyed WHERE code = :customer_number"
    async with asking(url, by, role="enrich") as adapter:
        assert dict((await adapter.enrich(Contact(customer_number="C-00077"))).fields) == {"tier": 2}
        assert dict((await adapter.enrich(Contact("Anyone"))).fields) == {}
    seen = await inspected(url, number_that_nobody_has("TR"), by, role="enrich")
    assert (seen.fields, seen.needs, seen.problems) == (frozenset({"tier"}), frozenset({"customer_number"}), [])


# ---------------------------------------------------------------------------------------- inspection


async def test_each_kind_is_looked_at_by_its_own_statements(url: str) -> None:
    both = {PHONE, CUSTOMER}
    nowhere = "SELECT code AS customer_number FROM nowhere WHERE code = :customer_number"
    seen = await inspected(url, CUSTOMER_NUMBER_THAT_NOBODY_HAS, BY_PHONE, nowhere, BY_CODE, by=both)
    (problem,) = seen.problems
    assert problem.startswith("statements.2: ")
    assert next(note for note in seen.notes if "took" in note).startswith("statements.3: ")
    seen = await inspected(url, number_that_nobody_has("TR"), BY_PHONE, nowhere, BY_CODE, by=both)
    assert (seen.fields, seen.needs, seen.problems) == (frozenset({"no"}), frozenset(), [])


async def test_rows_that_cannot_be_checked_are_noted_and_a_problem_when_they_come_for_zero(url: str) -> None:
    seen = await inspected(url, CUSTOMER_NUMBER_THAT_NOBODY_HAS, BY_CODE.replace("code AS customer_number", "tier"))
    told = "statements.1: returns no column called customer_number, so nobody checks whether a row has the caller's"
    assert (told in seen.notes, seen.problems) == (True, [])
    everybody = "SELECT tier FROM keyed WHERE :customer_number <> ''"
    (problem,) = (await inspected(url, CUSTOMER_NUMBER_THAT_NOBODY_HAS, everybody)).problems
    assert problem.startswith("statements.1: finds somebody for a number that nobody has - allowed: ")
    checked = "SELECT code AS CUSTOMER_NUMBER FROM keyed WHERE :customer_number <> ''"
    assert (await inspected(url, CUSTOMER_NUMBER_THAT_NOBODY_HAS, checked)).problems == []
