"""How a database goes about a statement: which tables it reads as a whole, and which index would spare it that."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import TextClause

from adapters.sql.connections import Connections, Values
from adapters.sql.statement import Statement

_TABLE_PREFIX = re.compile(r"(?<![\w'])[A-Za-z_]\w*\.(?=[A-Za-z_\"`\[])")


async def scanned(connections: Connections, kind: str, statement: TextClause, values: Values) -> Sequence[str]:
    """Return the tables that the statement reads row by row for want of an index; none where nobody can tell.

    Raises AdapterError.
    """
    match kind:
        case "sqlite":
            rows = await connections.explain("EXPLAIN QUERY PLAN ", statement, values)
            found = [re.fullmatch(r"SCAN (?:TABLE )?(\w+)( AS \w+)?", str(row["detail"])) for row in rows]
            names = [match[1] for match in found if match and match[1] != "CONSTANT"]
        case "postgresql":
            # The planner reads small tables as a whole even when there is an index, unless it is told not to.
            rows = await connections.explain("EXPLAIN (FORMAT JSON) ", statement, values, "SET enable_seqscan = off")
            plan = rows[0]["QUERY PLAN"]
            names = list(_sequential(json.loads(plan) if isinstance(plan, str) else plan))
        case "mariadb" | "mysql":
            rows = await connections.explain("EXPLAIN ", statement, values)
            names = [str(row["table"]) for row in rows if row["type"] == "ALL" and row["possible_keys"] is None]
        case _:  # SQL Server wants a permission for it, Oracle a table to write to
            names = []
    return sorted({_table_of(name, statement.text) for name in names if not name.startswith("<")})


def index_for(kind: str, table: str, statement: Statement) -> str:
    """Return what makes the statement fast: a sentence, or lines with the SQL."""
    keys = [_TABLE_PREFIX.sub("", key) for key in statement.keys]
    index = f"tanima_{re.sub(r'[^0-9A-Za-z]+', '_', table)}"
    if not keys:
        return " an index on the column that it compares"
    if kind == "mariadb":  # which uses no index of an expression, only of a column
        added = [
            f"ALTER TABLE {table} ADD tanima_{place} VARCHAR(10) AS ({key}) INVISIBLE, ADD INDEX (tanima_{place})"
            for place, key in enumerate(keys, 1)
        ]
        return _lines([*added, "SELECT ... WHERE tanima_1 = :first_ten OR tanima_2 = :last_ten"])
    expression = "(%s)" if kind in {"sqlite", "oracle"} else "((%s))"
    return _lines([f"CREATE INDEX {index}_{place} ON {table} {expression % key}" for place, key in enumerate(keys, 1)])


def _lines(statements: Sequence[str]) -> str:
    return ":" + "".join(f"\n    {statement};" for statement in statements)


def _sequential(node: Any) -> Iterator[str]:  # noqa: ANN401 - a plan is JSON
    """Yield the tables in a plan of PostgreSQL's that are read from their beginning to their end."""
    for child in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ():
        yield from _sequential(child)
    if isinstance(node, Mapping) and node.get("Node Type") == "Seq Scan":
        yield str(node["Relation Name"])


def _table_of(name: str, sql: str) -> str:
    """Return the table that `name` stands for in a statement, where it is only an alias."""
    found = re.search(rf"\b(?:from|join)\s+([\w.]+)\s+(?:as\s+)?{re.escape(name)}\b", sql, re.IGNORECASE)
    return found[1] if found else name
