"""How a database goes about a statement: which tables it reads as a whole, and which index would spare it that."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import TextClause

from adapters.sql.connections import Connections, Values
from adapters.sql.spellings import IN_ORDER
from adapters.sql.statement import Statement

_PREFIX = re.compile(r"(?<![\w'])([A-Za-z_]\w*)\.(?=[A-Za-z_\"`\[])")
"""The table that a column is named with"""


@dataclass(frozen=True, slots=True, order=True)
class Scanned:
    """A table that is read row by row."""

    table: str
    alias: str
    """What the statement calls it"""


async def scanned(connections: Connections, kind: str, statement: TextClause, values: Values) -> Sequence[Scanned]:
    """Return the tables that the statement reads row by row for want of an index; none where nobody can tell.

    Raises AdapterError.
    """
    if re.match(r"(exec|execute|call)\b", statement.text, re.IGNORECASE):
        return []
    match kind:
        case "sqlite":
            rows = await connections.explain("EXPLAIN QUERY PLAN ", statement, values)
            found = [re.fullmatch(r"SCAN (?:TABLE )?(\w+)( AS \w+)?", str(row["detail"])) for row in rows]
            names = [match[1] for match in found if match and match[1] != "CONSTANT"]
        case "postgresql":
            # The planner reads small tables as a whole even when there is an index, unless it is told not to.
            rows = await connections.explain("EXPLAIN (FORMAT JSON) ", statement, values, "SET enable_seqscan = off")
            plan = rows[0]["QUERY PLAN"]
            return sorted(set(_sequential(json.loads(plan) if isinstance(plan, str) else plan)))
        case "mariadb" | "mysql":
            rows = await connections.explain("EXPLAIN ", statement, values)
            names = [str(row["table"]) for row in rows if row["type"] == "ALL" and row["possible_keys"] is None]
        case _:  # SQL Server wants a permission for it, Oracle a table to write to
            names = []
    return sorted({Scanned(_table_of(name, statement.text), name) for name in names if not name.startswith("<")})


def index_for(kind: str, read: Scanned, statement: Statement) -> str:
    """Return what makes the statement fast, in words and lines of SQL."""
    own = (key for key in statement.keys if set(_PREFIX.findall(key)) <= {read.alias, read.table})
    keys = list(dict.fromkeys(_PREFIX.sub("", key) for key in own))
    if not keys:
        return "faster with an index on the column that is compared or joined"
    name = f"tanima_{re.sub(r'[^0-9A-Za-z]+', '_', read.table)}"
    compared = "{caller_at_ends(...)}"
    if kind == "mariadb":  # which uses no index of an expression, only of a column
        made = [
            f"ALTER TABLE {read.table} ADD {name}_{place} VARCHAR(10) AS ({key}) INVISIBLE, ADD INDEX ({name}_{place})"
            for place, key in enumerate(keys, 1)
        ]
        placeholders = [":first_ten", ":last_ten"] * len(keys)
        compared = " OR ".join(f"{name}_{place} = {placeholders[place - 1]}" for place in range(1, len(keys) + 1))
    else:
        expression = "(%s)" if kind in {"sqlite", "oracle"} else "((%s))"
        made = [f"CREATE INDEX {name}_{place} ON {read.table} {expression % key}" for place, key in enumerate(keys, 1)]
    instead = f" {compared} in the place of {{caller_in(...)}}, and" if IN_ORDER in statement.names else ""
    return f"faster with{instead}:" + "".join(f"\n    {line};" for line in made)


def _sequential(node: Any) -> Iterator[Scanned]:  # noqa: ANN401 - a plan is JSON
    """Yield the tables in a plan of PostgreSQL's that are read from their beginning to their end."""
    for child in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ():
        yield from _sequential(child)
    if isinstance(node, Mapping) and node.get("Node Type") == "Seq Scan":
        yield Scanned(str(node["Relation Name"]), str(node["Alias"]))


def _table_of(name: str, sql: str) -> str:
    """Return the table that `name` stands for in a statement, where it is only an alias."""
    found = re.search(rf"(?:\bfrom|\bjoin|,)\s*([\w.]+)\s+(?:as\s+)?{re.escape(name)}\b", sql, re.IGNORECASE)
    return found[1] if found else name
