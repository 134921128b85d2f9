"""What `inspect` sees in real databases: columns, problems, tables that are read as a whole, and the index for it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.sql import SqlAdapter, SqlConfig
from proxy.adapter import AdapterError, Inspection, Unavailable
from proxy.cli.live import number_that_nobody_has
from tests.adapters.sql_crm import fill
from tests.servers import LOCKED_OUT, Mariadb, Postgres, free_port

UNION = """
SELECT phone AS number FROM customers WHERE {caller_in(phone)}
UNION ALL SELECT login FROM agents WHERE {caller_in(login)}
"""
NOBODY = number_that_nobody_has("TR")
TABLES = (
    "CREATE TABLE customers (id INTEGER PRIMARY KEY, phone VARCHAR(40), owner VARCHAR(20), Tier VARCHAR(20))",
    "CREATE TABLE agents (login VARCHAR(20) PRIMARY KEY, extension INTEGER)",
    "INSERT INTO customers VALUES (1, '0530 123 45 67', 'ali', 'gold')",
)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def options(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    if kind == "sqlite":
        fill(tmp_path / "crm.db", *TABLES)
        yield {"url": f"sqlite+aiosqlite:///{tmp_path / 'crm.db'}"}
        return
    server: Postgres | Mariadb = request.getfixturevalue("postgres" if kind == "postgresql" else kind)
    server.sql("; ".join(TABLES))
    yield {"url": server.url()}
    server.sql("DROP TABLE customers, agents")


@pytest.fixture
def run_sql(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], object]:
    if kind == "sqlite":
        return lambda statement: fill(tmp_path / "crm.db", statement)
    server: Postgres | Mariadb = request.getfixturevalue("postgres" if kind == "postgresql" else kind)
    return server.sql


async def inspected(options: dict[str, Any], *statements: str, role: str = "find", **further: Any) -> Inspection:
    given = {"statement": statements[0]} if len(statements) == 1 else {"statements": list(statements)}
    adapter = SqlAdapter(SqlConfig.model_validate({**options, **given, **further}, context={"role": role}))
    await adapter.open()
    try:
        return await adapter.inspect(NOBODY)
    finally:
        await adapter.close()


def without_times(notes: object) -> list[str]:
    return [re.sub(r"took \d+ ms", "took N ms", note) for note in notes]  # type: ignore[attr-defined]


async def test_a_statement_that_fits_has_fields_and_no_problems(options: dict[str, Any]) -> None:
    seen = await inspected(
        options, "SELECT id, phone AS NUMBER, owner, Tier FROM customers WHERE id = CAST(:digits AS DECIMAL)"
    )
    assert (seen.fields, seen.needs, list(seen.problems)) == (frozenset({"owner", "tier"}), frozenset(), [])
    assert without_times(seen.notes)[0] == "statement: took N ms"


async def test_all_statements_are_looked_at(options: dict[str, Any], kind: str) -> None:
    seen = await inspected(
        options,
        "SELECT phone AS number, tyer FROM customers WHERE phone IN :numbers",
        "SELECT phone AS number, tier FROM customers WHERE phone IN :numbers",
        "SELECT phone AS number FROM contacts WHERE phone IN :numbers",
    )
    first, second = seen.problems
    assert first.startswith("statements.1: the statement ")
    assert "tyer" in first
    assert second.startswith("statements.3: the statement ")
    assert "contacts" in second
    if kind != "sqlite":
        assert "names a column that does not exist" in first
        assert "names a table that does not exist" in second
    assert seen.fields is None


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        (
            "SELECT 1 AS tier, 2 AS TIER, phone AS number FROM customers WHERE phone = :digits",
            "returns two columns called tier",
        ),
        ("SELECT *, 1 AS n FROM customers WHERE phone = :last_ten", "compares digits, but returns no numbers to check"),
        ("SELECT tier FROM customers WHERE phone <> :digits", "finds somebody for a number that nobody has"),
    ],
)
async def test_what_would_find_the_wrong_person_is_a_problem(
    options: dict[str, Any], kind: str, statement: str, problem: str
) -> None:
    if kind == "mariadb":
        statement = statement.replace("*, 1 AS n", "customers.*, 1 AS n")
    (seen,) = (await inspected(options, statement)).problems
    assert seen.startswith(f"statement: {problem}")
    assert " - allowed: " in seen


async def test_rows_without_numbers_are_noted(options: dict[str, Any]) -> None:
    seen = await inspected(options, "SELECT tier FROM customers WHERE id = CAST(:digits AS DECIMAL)")
    assert "statement: returns no column called number, so nobody checks whether a row has the caller's" in seen.notes


async def test_an_enriching_statement_needs_its_placeholders(options: dict[str, Any]) -> None:
    statements = (
        "SELECT extension AS ext FROM agents WHERE login = :owner",
        "SELECT 1 AS last FROM customers WHERE id = CAST(:ext AS DECIMAL) OR owner = :team",
    )
    seen = await inspected(options, *statements, role="enrich")
    assert (seen.fields, seen.needs) == (frozenset({"ext", "last"}), frozenset({"owner", "team"}))


async def test_a_table_that_is_read_as_a_whole_is_noted_with_what_makes_it_fast(
    options: dict[str, Any], kind: str, run_sql: Callable[[str], object]
) -> None:
    statement = (
        "SELECT c.phone AS number, tier, extension FROM customers c JOIN agents ON login = c.owner"
        " WHERE {caller_in(c.phone)}"
    )
    seen = await inspected(options, statement)
    (note,) = [note for note in seen.notes if "reads all of customers" in note]
    told, *better = note.splitlines()
    compared = "{caller_at_ends(...)}"
    if kind == "mariadb":
        compared = "(tanima_customers_1 = :first_ten OR tanima_customers_2 = :last_ten)"
    assert told == (
        "statement: reads all of customers for each call, which is slow when it is large; faster with "
        f"{compared} in the place of {{caller_in(...)}}, and:"
    )
    for line in better:
        run_sql(line)
    seen = await inspected(options, statement.replace("{caller_in(c.phone)}", compared.replace("...", "c.phone")))
    assert not [note for note in seen.notes if "reads all of customers" in note]


async def test_only_the_table_of_the_columns_gets_their_index(options: dict[str, Any]) -> None:
    statement = "SELECT c.phone AS number FROM agents a JOIN customers c ON 1 = 1 WHERE {caller_at_ends(c.phone)}"
    notes = {note.split(" for each")[0]: note for note in (await inspected(options, statement)).notes}
    assert "ON agents" not in str(notes)
    assert "TABLE agents" not in str(notes)
    assert "\n    " in notes["statement: reads all of customers"]
    if other := notes.get("statement: reads all of agents"):
        assert "faster with an index on what is compared or joined (docs/sql.md" in other


@pytest.mark.parametrize(
    "statement",
    [
        'SELECT "c".phone AS number FROM customers "c" WHERE {caller_in("c".phone)}',
        'SELECT phone AS number FROM "customers" WHERE {caller_in(phone)}',
        "SELECT phone AS number FROM customers, agents WHERE {caller_in(phone)}",
        "SELECT phone AS number FROM customers JOIN agents ON owner = login WHERE {caller_in(phone)}",
        UNION,
        "SELECT phone AS number FROM (SELECT phone FROM customers) AS c WHERE {caller_in(c.phone)}",
    ],
)
async def test_where_it_is_not_plain_whose_columns_they_are_no_sql_is_printed(
    options: dict[str, Any], kind: str, statement: str
) -> None:
    notes = (await inspected(options, statement.replace('"', "`") if kind == "mariadb" else statement)).notes
    assert any("faster with an index on what is compared or joined (docs/sql.md" in note for note in notes)
    assert not any("CREATE INDEX" in note or "ALTER TABLE" in note for note in notes)


async def test_a_table_without_a_plain_index_is_noted_too(
    options: dict[str, Any], run_sql: Callable[[str], object]
) -> None:
    statement = "SELECT phone AS number FROM customers WHERE phone IN :numbers"
    told = (
        "statement: reads all of customers for each call, which is slow when it is large; faster with an index on what"
    )
    assert any(note.startswith(told) for note in (await inspected(options, statement)).notes)
    run_sql("CREATE INDEX by_phone ON customers (phone)")
    assert without_times((await inspected(options, statement)).notes) == ["statement: took N ms"]


async def test_a_database_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await inspected({"url": f"postgresql+asyncpg://a@127.0.0.1:{free_port()}/b"}, "SELECT 1 WHERE 'a' = :digits")
    with pytest.raises(Unavailable):
        await inspected({"url": f"mariadb+aiomysql://a@127.0.0.1:{free_port()}/b"}, "SELECT 1 WHERE 'a' = :digits")
    with pytest.raises(Unavailable):
        await inspected({"url": "sqlite+aiosqlite:///nowhere.db"}, "SELECT 1 WHERE 'a' = :digits")


async def test_a_value_that_only_a_contact_can_have_is_no_problem(postgres: Postgres) -> None:
    seen = await inspected({"url": postgres.url()}, "SELECT 1 AS x WHERE CAST(:key AS uuid) IS NULL", role="enrich")
    assert not seen.problems
    assert "cannot be tried without a value that a contact has" in seen.notes[0]


async def test_a_refused_login_is_the_operators_to_mend(postgres: Postgres) -> None:
    postgres.sql(LOCKED_OUT)
    with pytest.raises(AdapterError, match="refuses our user or password") as caught:
        await inspected({"url": postgres.url("locked_out"), "password": "wrong"}, "SELECT 1 WHERE 'a' = :digits")
    assert not isinstance(caught.value, Unavailable)
