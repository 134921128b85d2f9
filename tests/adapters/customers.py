"""A table of customers with messy phone columns, in any kind of database that can be started here."""

import re
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from adapters.sql import SqlAdapter
from proxy.matching import holders
from proxy.testing import phone
from tests.adapters.sql_crm import opened
from tests.servers import DatabaseServer

COLUMNS = ("id", "phone", "country", "area", "local")
TABLE = f"""
DROP TABLE IF EXISTS customers;
CREATE TABLE customers ({COLUMNS[0]} INTEGER PRIMARY KEY, phone VARCHAR(100), country VARCHAR(30), area VARCHAR(30),
    local VARCHAR(30));
"""
BY_CALLER_IN = "SELECT id, phone AS number FROM customers WHERE {caller_in(phone)}"
AT_ENDS = "SELECT id, phone AS number FROM customers WHERE {caller_at_ends(phone)}"
BY_COLUMNS = (
    "SELECT id, phone AS number FROM customers WHERE (phone_first_ten = :first_ten OR phone_last_ten = :last_ten)"
)
"""Where the keys are columns of their own."""

DOCUMENTATION = Path(__file__).parents[2] / "docs/sql.md"


def documented(kind: str) -> str:
    """Return the statements that make the index."""
    text = DOCUMENTATION.read_text(encoding="utf-8")
    found = re.search(rf"<!-- index: {kind} -->\n+```sql\n(.*?)```", text, re.DOTALL)
    if found is None:
        raise LookupError(kind)
    return found[1]


def statement_for(kind: str) -> str:
    """Return the statement that uses the documented index."""
    return BY_COLUMNS if kind == "mariadb" else AT_ENDS


class Customers:
    """The table. A row is a tuple with the values of COLUMNS, or of the first of them."""

    def __init__(self, kind: str, folder: Path, server: DatabaseServer | None = None) -> None:
        self.kind = kind
        self._file = folder / "customers.db"
        self._rows = folder / "rows"
        self._server = server
        self.url = server.url() if server else f"sqlite+aiosqlite:///{self._file}"
        self.run(TABLE)

    def run(self, statements: str) -> None:
        """Run statements that end with semicolons."""
        if self._server:
            self._server.sql(statements)
            return
        connection = sqlite3.connect(self._file)
        connection.executescript(statements)
        connection.close()

    def fill(self, rows: Iterable[tuple[object, ...]]) -> None:
        """Put rows into the table, in the place of those that are there."""
        self.run("DELETE FROM customers;")
        lines = ["\t".join(map(_in_file, (*row, *[None] * len(COLUMNS))[: len(COLUMNS)])) for row in rows]
        self._rows.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        if self.kind == "postgresql":
            self.run(f"\\copy customers FROM '{self._rows}'")
        elif self.kind == "mariadb":
            self.run(f"LOAD DATA LOCAL INFILE '{self._rows}' INTO TABLE customers CHARACTER SET utf8mb4;")
        else:
            connection = sqlite3.connect(self._file)
            marks = ", ".join("?" for _ in COLUMNS)
            values = ([_of_file(value) for value in line.split("\t")] for line in lines)
            connection.executemany(f"INSERT INTO customers VALUES ({marks})", values)
            connection.commit()
            connection.close()

    @asynccontextmanager
    async def asked(self, statement: str = BY_CALLER_IN) -> AsyncIterator["Asked"]:
        """Yield an opened adapter with a statement."""
        async with opened(self.url, statement, "find") as adapter:
            yield Asked(adapter)


class Asked:
    """An adapter, and what the proxy makes of its answers."""

    def __init__(self, adapter: SqlAdapter) -> None:
        self._adapter = adapter

    async def who(self, number: str) -> set[int]:
        """Return the ids of the customers who can have a number."""
        caller = phone(number)
        return {int(contact.id) for contact in holders(await self._adapter.lookup(caller), caller)}


def _in_file(value: object) -> str:
    return "\\N" if value is None else str(value).replace("\\", "\\\\").replace("\t", "\\t")


def _of_file(value: str) -> str | None:
    return None if value == "\\N" else value.replace("\\t", "\t").replace("\\\\", "\\")
