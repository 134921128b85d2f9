"""How a database goes about a statement: which tables it reads as a whole, and which index would spare it that."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapters.sql.connections import Connections, Values
from adapters.sql.spellings import IN_ORDER
from adapters.sql.statement import Statement
from proxy.adapter import By

_PREFIX = re.compile(r"(?<![\w'])([A-Za-z_]\w*)\.(?=[A-Za-z_\"`\[])")
"""The table that a column is named with"""


async def scanned(connections: Connections, kind: str, statement: Statement, values: Values) -> Sequence[str]:
    """Return what the statement calls the tables that it reads row by row; none where nobody can tell.

    Raises AdapterError.
    """
    clause = statement.clause
    if statement.is_procedure:
        return []
    match kind:
        case "sqlite":
            rows = await connections.explain("EXPLAIN QUERY PLAN ", clause, values)
            found = [re.fullmatch(r"SCAN (?:TABLE )?(.+?)( AS \w+)?", str(row["detail"])) for row in rows]
            names = [match[1] for match in found if match and not re.search(r"CONSTANT ROW| USING |^\(", match[1])]
        case "postgresql":
            # The planner reads small tables as a whole even when there is an index, unless it is told not to.
            rows = await connections.explain("EXPLAIN (FORMAT JSON) ", clause, values, "SET enable_seqscan = off")
            plan = rows[0]["QUERY PLAN"]
            names = list(_sequential(json.loads(plan) if isinstance(plan, str) else plan))
        case "mariadb" | "mysql":
            rows = await connections.explain("EXPLAIN ", clause, values)
            names = [str(row["table"]) for row in rows if row["type"] == "ALL" and row["possible_keys"] is None]
        case _:  # SQL Server wants a permission for it, Oracle a table to write to
            names = []
    return sorted({name for name in names if not name.startswith("<")})


def advice(kind: str, name: str, statement: Statement) -> str:
    """Return what makes reading a table faster, in words and lines of SQL. `name` is what the statement calls it."""
    table = _table_of(name, statement.clause.text)
    keys = dict.fromkeys(key for key in statement.keys if table and _is_of(key, name, statement.clause.text))
    told = f"reads all of {table or name} for each call, which is slow when it is large; faster with"
    if not keys or table is None:
        which = " (docs/sql.md tells which, for {caller_in(...)})" if statement.by is By.PHONE_NUMBER else ""
        return f"{told} an index on what is compared or joined{which}"
    index = f"tanima_{re.sub(r'[^0-9A-Za-z]+', '_', table)}"
    bare = {f"{index}_{place}": _PREFIX.sub("", key) for place, key in enumerate(keys, 1)}
    compared = "{caller_at_ends(...)}"
    if kind == "mariadb":  # which uses no index of an expression, only of a column
        made = [
            f"ALTER TABLE {table} ADD {column} VARCHAR(10) AS ({key}) INVISIBLE, ADD INDEX ({column})"
            for column, key in bare.items()
        ]
        conditions = (
            f"{column} = {':last_ten' if key.startswith('RIGHT') else ':first_ten'}" for column, key in bare.items()
        )
        compared = f"({' OR '.join(conditions)})"
    else:
        expression = "(%s)" if kind in {"sqlite", "oracle"} else "((%s))"
        made = [f"CREATE INDEX {column} ON {table} {expression % key}" for column, key in bare.items()]
    instead = f" {compared} in the place of {{caller_in(...)}}, and" if IN_ORDER in statement.names else ""
    return f"{told}{instead}:" + "".join(f"\n    {line};" for line in made)


def _sequential(node: Any) -> Iterator[str]:  # noqa: ANN401 - a plan is JSON
    """Yield the tables in a plan of PostgreSQL's that are read from their beginning to their end."""
    for child in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ():
        yield from _sequential(child)
    if isinstance(node, Mapping) and node.get("Node Type") == "Seq Scan":
        yield str(node["Alias"])


def _table_of(name: str, sql: str) -> str | None:
    """Return a table as the statement writes it, with its schema; None when that is not plain to see."""
    if re.search(r"\bunion\b", sql, re.IGNORECASE):
        return None
    named = r"\b(?:from|join)\s+([A-Za-z_][\w.]*)(?![\w.]|\s*[\"`.\[])(?:\s+(?:as\s+)?(\w+))?"
    for table, alias in re.findall(named, sql, re.IGNORECASE):
        if table.isascii() and name.lower() in {alias.lower(), table.rpartition(".")[2].lower()}:
            return str(table)
    return None


def _is_of(key: str, name: str, sql: str) -> bool:
    """Tell whether an expression is surely made of a table's columns: all named with it, or there is no other."""
    if re.search(r"[\"`\]]\s*\.", key):
        return False
    prefixes = {prefix.lower() for prefix in _PREFIX.findall(key)}
    is_alone = len(re.findall(r"\bfrom\b|\bjoin\b", sql, re.IGNORECASE)) == 1 and not re.search(
        r"\bfrom\s+[\w.]+(\s+(as\s+)?\w+)?\s*,", sql, re.IGNORECASE
    )
    return prefixes == {name.lower()} or (not prefixes and is_alone)
