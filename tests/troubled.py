"""Databases with made-up people, to which things happen."""

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import ClassVar

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tests.e2e.people import PASSWORD, make_sqlite, postgres_statements
from tests.servers import DatabaseServer

Fault = Callable[[], AbstractAsyncContextManager[None]]

SLOW = "05325560%03d"
"""Numbers whose lookups take long"""

STATEMENT = """
SELECT name, phone AS number, tier, extension FROM people
WHERE e164 = :e164 OR (:e164 LIKE '+905325560%' AND {slow})
"""


class Database(ABC):
    """A table of people on a database. Each fault lasts as long as its context."""

    name: ClassVar[str]
    faults: ClassVar[tuple[str, ...]]
    """Names of methods"""
    slow: ClassVar[str]
    """A condition that no row meets, and that takes some seconds to find out"""
    url: str

    @property
    def statement(self) -> str:
        return STATEMENT.format(slow=self.slow)

    def options(self) -> str:
        """Return the options of a source for the TOML."""
        return f'url = "{self.url}"\npassword = "{PASSWORD}"\nstatement = """{self.statement}"""'

    def fault(self, name: str) -> AbstractAsyncContextManager[None]:
        fault: Fault = getattr(self, name)
        return fault()

    @abstractmethod
    def fill(self) -> None:
        """Make the table, and let our user in."""

    @abstractmethod
    def dropped(self) -> AbstractAsyncContextManager[None]:
        """Have no table."""

    @abstractmethod
    def locked(self) -> AbstractAsyncContextManager[None]:
        """Have somebody else lock the table."""


class SqliteFile(Database):
    """An SQLite file; nobody logs in, and no process could hang."""

    name = "SQLite"
    faults = ("dropped", "locked")
    slow = "(WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 30000000) SELECT COUNT(*) FROM r) = 0"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite+aiosqlite:///{path}"

    def options(self) -> str:
        return super().options().replace(f'password = "{PASSWORD}"\n', "")

    def fill(self) -> None:
        make_sqlite(self.path)

    @asynccontextmanager
    async def dropped(self) -> AsyncIterator[None]:
        with closing(sqlite3.connect(self.path)) as other:
            other.execute("DROP TABLE people")
        yield
        self.fill()

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield
            other.execute("ROLLBACK")


class ServersDatabase(Database):
    """A database on a server of its own, on which tanıma is the user `locked_out`."""

    faults = ("down", "frozen", "refused", "dropped", "locked")
    lock: ClassVar[str]
    count_waiting: ClassVar[str]
    """A statement that counts those of ours that wait for the lock"""

    def __init__(self, server: DatabaseServer) -> None:
        self.server = server
        self.url = server.url("locked_out")

    @abstractmethod
    def set_password(self, password: str) -> None:
        """Let our user in with this password only."""

    @abstractmethod
    def kill(self) -> None:
        """End our connections."""

    @asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        """Be not there, as after a crash."""
        self.server.stop()
        try:
            yield
        finally:
            self.server.start()

    @asynccontextmanager
    async def frozen(self) -> AsyncIterator[None]:
        """Keep connections and take new ones, and answer nothing."""
        self.server.freeze()
        try:
            yield
        finally:
            self.server.thaw()

    @asynccontextmanager
    async def refused(self) -> AsyncIterator[None]:
        """Have another password than is known to tanıma."""
        self.set_password("another")
        self.kill()
        try:
            yield
        finally:
            self.set_password(PASSWORD)

    @asynccontextmanager
    async def dropped(self) -> AsyncIterator[None]:
        self.server.sql("DROP TABLE people")
        try:
            yield
        finally:
            self.fill()

    async def wait(self, number: int) -> None:
        """Return when so many of our statements wait for the lock."""
        while int(await asyncio.to_thread(self.server.sql, self.count_waiting)) < number:
            pass

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        engine = create_async_engine(self.server.url(), poolclass=NullPool)
        async with engine.connect() as other:
            await other.execute(text(self.lock))
            yield
        await engine.dispose()


class PostgresDatabase(ServersDatabase):
    name = "PostgreSQL"
    slow = "pg_sleep(0.5) IS NULL"
    lock = "LOCK TABLE people IN ACCESS EXCLUSIVE MODE"
    count_waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE usename = 'locked_out' AND wait_event_type = 'Lock'"

    def fill(self) -> None:
        self.server.sql(
            f"{postgres_statements()}; DO $$ BEGIN CREATE ROLE locked_out; EXCEPTION WHEN duplicate_object THEN END $$;"
            f"ALTER ROLE locked_out LOGIN PASSWORD '{PASSWORD}'; GRANT SELECT ON people TO locked_out"
        )

    def set_password(self, password: str) -> None:
        self.server.sql(f"ALTER ROLE locked_out PASSWORD '{password}'")

    def kill(self) -> None:
        self.server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'locked_out'")


class MariadbDatabase(ServersDatabase):
    name = "MariaDB"
    slow = "SLEEP(0.5) = 1"
    lock = "LOCK TABLES people WRITE"
    count_waiting = (
        "SELECT COUNT(*) FROM information_schema.processlist"
        " WHERE user = 'locked_out' AND state = 'Waiting for table metadata lock'"
    )

    def fill(self) -> None:
        self.server.sql(postgres_statements().replace("e164 TEXT", "e164 VARCHAR(20)"))
        self.set_password(PASSWORD)
        self.server.sql("GRANT SELECT ON people TO locked_out@'127.0.0.1'")

    def set_password(self, password: str) -> None:
        self.server.sql(f"ALTER USER locked_out@'127.0.0.1' IDENTIFIED BY '{password}'")

    def kill(self) -> None:
        self.server.sql("KILL USER locked_out")


KINDS: tuple[type[Database], ...] = (SqliteFile, PostgresDatabase, MariadbDatabase)

SERVERS: tuple[type[ServersDatabase], ...] = (PostgresDatabase, MariadbDatabase)

FAULTS = [(kind, fault) for kind in KINDS for fault in kind.faults]


def filled(kind: type[Database], request: pytest.FixtureRequest, folder: Path) -> Database:
    """Return a database of this kind with the people in it; its server is started when it is first needed."""
    database: Database
    if issubclass(kind, SqliteFile):
        database = kind(folder / "crm.sqlite")
    elif issubclass(kind, PostgresDatabase):
        database = kind(request.getfixturevalue("postgres"))
    else:
        assert issubclass(kind, MariadbDatabase)
        database = kind(request.getfixturevalue("mariadb"))
    database.fill()
    return database
