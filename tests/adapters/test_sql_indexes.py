"""The indexes that docs/sql.md tells, and what they are for."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlglot

from adapters.sql.connections import Connections
from adapters.sql.plans import scanned
from adapters.sql.spellings import SPELLINGS
from adapters.sql.statement import Statement
from tests.adapters.customers import Asked, Customers, documented, statement_for
from tests.adapters.spelled import ONE, TWO, fields, numbers
from tests.adapters.sql_crm import config
from tests.lengths import at_length

STARTED = ("sqlite", "postgresql", "mariadb")
LARGE = at_length(300_000, otherwise=100_000)
ENOUGH_LOOKUPS = LARGE // 100
STRANGERS = at_length(10_000, otherwise=2000)


def generated(kind: str) -> str:
    """Return the same statements, made of the expressions that statements get."""
    text = SPELLINGS[kind].joined(["phone"])
    first, last = SPELLINGS[kind].first_ten(text, "90"), SPELLINGS[kind].last_ten(text)
    brackets = "(({}))" if kind in {"postgresql", "mysql"} else "({})"
    indexes = [
        f"CREATE INDEX customers_phone_{name}_ten ON customers {brackets};".format(expression)
        for name, expression in (("first", first), ("last", last))
    ]
    columns = {
        "mariadb": f"""ALTER TABLE customers
            ADD phone_first_ten VARCHAR(10) AS ({first}) INVISIBLE,
            ADD phone_last_ten VARCHAR(10) AS ({last}) INVISIBLE,
            ADD INDEX (phone_first_ten), ADD INDEX (phone_last_ten);""",
        "mssql": f"""ALTER TABLE customers ADD phone_first_ten AS {first} PERSISTED;
            ALTER TABLE customers ADD phone_last_ten AS {last} PERSISTED;
            CREATE INDEX customers_phone_first_ten ON customers (phone_first_ten);
            CREATE INDEX customers_phone_last_ten ON customers (phone_last_ten);""",
    }
    return columns.get(kind, "\n".join(indexes))


@pytest.fixture(params=STARTED)
def customers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Customers]:
    servers = {"postgresql": "postgres", "mariadb": "mariadb"}
    server = request.getfixturevalue(servers[request.param]) if request.param in servers else None
    table = Customers(request.param, tmp_path, server)
    yield table
    table.run("DROP TABLE customers;")


@pytest.mark.parametrize("kind", SPELLINGS)
def test_the_documented_index_is_of_the_expressions_that_statements_have(kind: str) -> None:
    assert documented(kind).split() == generated(kind).split()


@pytest.mark.parametrize(
    ("kind", "dialect"), [("mssql", "tsql"), ("oracle", "oracle"), ("mysql", "mysql"), ("postgresql", "postgres")]
)
def test_the_documented_index_is_understood(kind: str, dialect: str) -> None:
    parsed = [statement for statement in sqlglot.parse(documented(kind), dialect=dialect) if statement]
    assert len(parsed) >= 2
    assert not [statement for statement in parsed if isinstance(statement, sqlglot.exp.Command)]


async def tables_read_as_a_whole(customers: Customers) -> list[str]:
    options = config(customers.url, statement_for(customers.kind), "find")
    (statement,) = options.read_statements()
    connections = Connections(options.make_engine(), 1)
    values = values_for(statement)
    tables = list(await scanned(connections, customers.kind, statement, values))
    await connections.close()
    return tables


def values_for(statement: Statement) -> dict[str, str]:
    return dict.fromkeys(statement.names, "5321112233")


async def test_with_the_index_the_table_is_not_read_as_a_whole(customers: Customers) -> None:
    customers.fill((n, field.text) for n, field in enumerate(fields(numbers(1000, seed=4))))
    if customers.kind != "mariadb":  # where the statement needs the columns
        assert await tables_read_as_a_whole(customers) == ["customers"]
    customers.run(documented(customers.kind))
    assert await tables_read_as_a_whole(customers) == []


async def test_with_the_index_the_table_can_be_written_as_before(customers: Customers) -> None:
    customers.run(documented(customers.kind))
    customers.run(
        "INSERT INTO customers VALUES (1, '0532 111 22 33', NULL, NULL, NULL), (2, NULL, NULL, NULL, NULL);"
        "INSERT INTO customers (id, phone) VALUES (3, '(0533) 111 22 33 / 0212 555 10 10'), (4, '0544 111 22 33');"
        "UPDATE customers SET phone = 'Tel: 0541 111 22 33 (iş)' WHERE id = 2;"
        "DELETE FROM customers WHERE id = 4;"
    )
    async with customers.asked(statement_for(customers.kind)) as crm:
        assert await crm.who("0532 111 22 33") == {1}
        assert await crm.who("0541 111 22 33") == {2}
        assert await crm.who("0533 111 22 33") == await crm.who("0212 555 10 10") == {3}
        assert await crm.who("0544 111 22 33") == set()


async def at_once(crm: Asked, callers: list[str]) -> list[set[int]]:
    """Return who each caller can be, asked for a few at a time."""
    found: list[set[int]] = []
    for start in range(0, len(callers), 20):
        found += await asyncio.gather(*map(crm.who, callers[start : start + 20]))
    return found


@pytest.mark.parametrize("customers", ["postgresql", "mariadb"], indirect=True)
async def test_in_a_large_table_everybody_is_found_and_nobody_else(customers: Customers) -> None:
    tens = numbers(2 * LARGE, seed=5)
    rows = list(fields(tens))[:LARGE]
    assert len(rows) == LARGE
    customers.fill((n, field.text) for n, field in enumerate(rows))
    customers.run(documented(customers.kind) + "ANALYZE TABLE customers;" * (customers.kind == "mariadb"))
    sample = range(0, LARGE, LARGE // ENOUGH_LOOKUPS - 1)
    assert len(sample) >= ENOUGH_LOOKUPS
    assert {rows[n].spelling for n in sample} == {*ONE, *TWO}
    known = set(tens)
    strangers = [ten for ten in numbers(2 * STRANGERS, seed=6) if ten not in known][:STRANGERS]
    assert len(strangers) == STRANGERS
    started = time.monotonic()
    async with customers.asked(statement_for(customers.kind)) as crm:
        held = [(number, {n}) for n in sample for number in rows[n].numbers]
        found = await at_once(crm, [number for number, _ in held])
        assert [number for (number, who), seen in zip(held, found, strict=True) if seen != who] == []
        assert not any(await at_once(crm, [f"+90{ten}" for ten in strangers]))
    assert time.monotonic() - started < 60
