"""Several statements in order, lists of numbers, and rows that only look like the caller's."""

from pathlib import Path

import pytest

from adapters.sql import SqlAdapter, SqlConfig
from proxy.adapter import AdapterError, Contact
from proxy.testing import phone
from tests.adapters.sql_crm import fill

AYSE, FOREIGN = phone("0532 111 22 33"), phone("+49 532 111 22 33")
CUSTOMERS = "SELECT name, phone AS number, 'customer' AS kind FROM customers WHERE {caller_in(phone)}"
PERSONS = "SELECT name, phone AS number, 'person' AS kind FROM persons WHERE phone IN :numbers"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    fill(
        tmp_path / "crm.db",
        "CREATE TABLE customers (name TEXT, phone TEXT)",
        "CREATE TABLE persons (name TEXT, phone TEXT)",
        "INSERT INTO customers VALUES ('Ayşe', '(532) 111-22-33'), ('Abroad', '+49 532 111 22 33')",
        "INSERT INTO persons VALUES ('Ayşe again', '05321112233'), ('Kurt', '00495321112233')",
        "INSERT INTO persons VALUES ('Veli', '+905321112244')",
    )
    return tmp_path


async def found(folder: Path, number: str, *statements: str) -> list[str]:
    adapter = SqlAdapter(
        SqlConfig.model_validate(
            {"url": "sqlite+aiosqlite:///crm.db", "statements": list(statements)},
            context={"folder": str(folder), "role": "find"},
        )
    )
    await adapter.open()
    try:
        key = phone(number)
        return [contact.name for contact in await adapter.lookup(key) if any(map(key.is_in, contact.numbers))]
    finally:
        await adapter.close()


async def test_the_first_statement_that_finds_the_caller_is_the_last_one_asked(folder: Path) -> None:
    would_fail = "SELECT name AS number FROM nobody WHERE name = :digits"
    assert await found(folder, "0532 111 22 33", CUSTOMERS, would_fail) == ["Ayşe"]
    with pytest.raises(AdapterError):
        await found(folder, "0532 111 22 44", CUSTOMERS, would_fail)


async def test_rows_of_somebody_else_do_not_keep_the_next_statement_from_being_asked(folder: Path) -> None:
    fill(folder / "crm.db", "DELETE FROM customers WHERE name = 'Abroad'")
    # the last ten digits of both numbers are the same, so the first statement has a candidate
    assert await found(folder, "+49 532 111 22 33", CUSTOMERS, PERSONS) == ["Kurt"]


async def test_a_clean_column_is_compared_with_all_forms(folder: Path) -> None:
    assert await found(folder, "0532 111 22 44", CUSTOMERS, PERSONS) == ["Veli"]
    assert await found(folder, "0532 111 22 55", CUSTOMERS, PERSONS) == []


async def test_a_number_from_abroad_is_not_the_one_at_home(folder: Path) -> None:
    assert await found(folder, "+49 532 111 22 33", CUSTOMERS) == ["Abroad"]
    assert await found(folder, "0532 111 22 33", CUSTOMERS) == ["Ayşe"]


async def test_enriching_statements_are_all_run_and_see_what_those_before_have_added(folder: Path) -> None:
    fill(
        folder / "crm.db",
        "CREATE TABLE owners (code TEXT, team TEXT)",
        "CREATE TABLE teams (Team TEXT, Extension INTEGER)",
        "INSERT INTO owners VALUES ('7', 'north')",
        "INSERT INTO teams VALUES ('north', 700)",
    )
    adapter = SqlAdapter(
        SqlConfig.model_validate(
            {
                "url": "sqlite+aiosqlite:///crm.db",
                "statements": [
                    "SELECT team FROM owners WHERE code = :owner_id",
                    "SELECT Extension FROM teams WHERE team = :team",
                    "SELECT 1 AS unasked FROM teams WHERE team = :nothing",
                ],
            },
            context={"folder": str(folder), "role": "enrich"},
        )
    )
    await adapter.open()
    enriched = await adapter.enrich(Contact("Ayşe", {"owner_id": 7}))
    await adapter.close()
    assert dict(enriched.fields) == {"owner_id": 7, "team": "north", "extension": 700}
