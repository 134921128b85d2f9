import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.sql import SqlAdapter, SqlConfig
from proxy.testing import AdapterContract, CrmUnderTest
from tests.servers import DatabaseServer, Mariadb, Postgres

KNOWN = {f"0530 123 45 {n:02}": f"Müşteri {n}" for n in range(30)}
CUSTOMERS = {f"00{100 + n}": f"Müşteri {n}" for n in range(30)}
TABLE = "CREATE TABLE people (digits VARCHAR(20) PRIMARY KEY, code VARCHAR(20), name TEXT, tier TEXT)"
ROWS = [
    ("90" + "".join(number.split())[1:], code, name, "gold")
    for (number, name), code in zip(KNOWN.items(), CUSTOMERS, strict=True)
]
STATEMENTS = (
    "SELECT name, tier, digits AS number FROM people WHERE digits = :digits",
    "SELECT name, tier, code AS customer_number FROM people WHERE code = :customer_number",
)


class SqlCrm(CrmUnderTest):
    known = KNOWN
    unknown = ("0531 123 45 67", "+49 30 89680211")
    known_customers = CUSTOMERS
    unknown_customers = ("00130", "9" * 20)
    url = ""

    def adapter(self) -> SqlAdapter:
        return SqlAdapter(SqlConfig.model_validate({"url": self.url, "statements": STATEMENTS}))


class SqliteCrm(SqlCrm):
    def __init__(self, folder: Path) -> None:
        self._file = folder / "crm.db"
        self._away = folder / "away.db"
        self._lock: sqlite3.Connection | None = None
        self.url = f"sqlite+aiosqlite:///{self._file}"
        with sqlite3.connect(self._file) as connection:
            connection.execute(TABLE)
            connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", ROWS)
        connection.close()

    async def hang(self) -> None:
        self._lock = sqlite3.connect(self._file, isolation_level=None)
        self._lock.execute("BEGIN EXCLUSIVE")

    async def answer_garbage(self) -> None:
        self._file.rename(self._away)
        self._file.write_bytes(b"<html>" * 1000)

    async def come_back(self) -> None:
        if self._away.exists():
            self._away.replace(self._file)
        await self.stop()

    async def stop(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


class MissingSqliteCrm(SqliteCrm):
    """Its file is missing at times, as while an export replaces it."""

    async def go_down(self) -> None:
        self._file.rename(self._away)


class ServerCrm(SqlCrm):
    """A table on a database server."""

    def __init__(self, server: DatabaseServer) -> None:
        self._server = server
        self.url = server.url()

    async def start(self) -> None:
        values = ", ".join(f"('{digits}', '{code}', '{name}', '{tier}')" for digits, code, name, tier in ROWS)
        self._server.sql(f"DROP TABLE IF EXISTS people; {TABLE}; INSERT INTO people VALUES {values}")

    async def go_down(self) -> None:
        await asyncio.to_thread(self._server.stop)

    async def hang(self) -> None:
        self._server.freeze()

    async def answer_garbage(self) -> None:
        self._server.sql("ALTER TABLE people RENAME TO elsewhere")

    async def refuse(self) -> None:
        self.url = self._server.url(user="locked_out")

    async def come_back(self) -> None:
        self._server.thaw()
        await asyncio.to_thread(self._server.start)
        self._server.sql("ALTER TABLE IF EXISTS elsewhere RENAME TO people")

    async def stop(self) -> None:
        await self.come_back()


class TestSqlite(AdapterContract):
    crm_class = SqliteCrm

    @pytest.fixture
    async def crm(self, tmp_path: Path) -> AsyncIterator[CrmUnderTest]:
        crm = SqliteCrm(tmp_path)
        yield crm
        await crm.stop()


class TestSqliteWhoseFileIsMissing(AdapterContract):
    crm_class = MissingSqliteCrm

    @pytest.fixture
    async def crm(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CrmUnderTest]:
        monkeypatch.setattr("adapters.sql.databases.OLDEST_FILE", 0)  # open connections do not notice
        crm = MissingSqliteCrm(tmp_path)
        yield crm
        await crm.stop()


class TestPostgres(AdapterContract):
    crm_class = ServerCrm

    @pytest.fixture
    async def crm(self, postgres: Postgres) -> AsyncIterator[CrmUnderTest]:
        crm = ServerCrm(postgres)
        await crm.start()
        yield crm
        await crm.stop()


class TestMariadb(AdapterContract):
    crm_class = ServerCrm

    @pytest.fixture
    async def crm(self, mariadb: Mariadb) -> AsyncIterator[CrmUnderTest]:
        crm = ServerCrm(mariadb)
        await crm.start()
        yield crm
        await crm.stop()
