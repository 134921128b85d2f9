"""A stand-in for Microsoft SQL Server, to which real ODBC drivers connect."""

import asyncio
import re
import sqlite3
import struct
import threading
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from tests import tds
from tests.tsql import Database, SqlServerError, Value

PROCEDURES = {10: "sp_executesql", 11: "sp_prepare", 12: "sp_execute", 13: "sp_prepexec", 15: "sp_unprepare"}

NOT_PREPARED = {102, 174, 195, 207, 208, 209}
"""Errors that are found before a statement runs"""

LENGTHS = re.compile(r"sp_datatype_info\w* (-?\d+)")
LONGEST = {12: ("varchar", 8000), -9: ("nvarchar", 4000), -3: ("varbinary", 8000), 93: ("datetime", 23)}
"""By their numbers in ODBC, the types for which pyodbc asks at each login, and their greatest lengths"""

SETTING = re.compile(
    r"\s*(SET\s+(?:TRANSACTION\s+ISOLATION\s+LEVEL\s+\w+(?:\s+\w+)?|\w+\s+[\w-]+))\s*;?", re.IGNORECASE
)


class TdsServer:
    """Speaks TDS 7.2 to 7.4 without TLS on a port of its own, and runs the statements in an SQLite database.

    The only login is `reader` with the password `secret` for the database `crm`. tests/tsql.py tells which T-SQL
    there is. All methods may be called from any thread.
    """

    statements: list[str]
    """What was run, the parameters as @P1, @P2... With what SQLAlchemy asks of a new engine's first connection"""
    settings: list[str]
    """The SET statements"""
    errors: dict[str, int]
    """Put in here: part of a statement, and the number of SQL Server's error with which such statements end"""
    delays: dict[str, float]
    """Put in here: part of a statement, and seconds that such statements take. The client may break them off"""
    broken_off: int
    """Statements that were broken off"""

    def __init__(self) -> None:
        self.statements, self.settings, self.errors, self.delays, self.broken_off = [], [], {}, {}, 0
        self.tsql = Database()
        self.port = 0
        self.thawed = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="TDS server")
        self._listener: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    @classmethod
    def driver(cls) -> Path | None:
        """Return the file of an installed FreeTDS."""
        patterns = ("lib/*/odbc/libtdsodbc.so", "lib*/libtdsodbc.so*")  # Debian's, others'
        return next((file for pattern in patterns for file in Path("/usr").glob(pattern)), None)

    @property
    def database(self) -> sqlite3.Connection:
        """The database, to be filled by any thread. It commits each statement."""
        return self.tsql.connection

    def url(self, user: str = "reader", password: str = "secret", database: str = "crm") -> str:  # noqa: S107 - a made-up password
        """Return the URL for SQLAlchemy."""
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        options = f"driver={quote(str(self.driver()), safe='')}&TDS_Version=7.4"
        return f"mssql+aioodbc://{login}@127.0.0.1:{self.port}/{database}?{options}"

    def __enter__(self) -> Self:
        self._thread.start()
        self.thaw()
        self.come_back()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.database.close()

    def come_back(self) -> None:
        """Listen, on the same port as before."""

        async def listen() -> None:
            self._listener = await asyncio.start_server(self._accepted, "127.0.0.1", self.port)
            self.port = self._listener.sockets[0].getsockname()[1]

        if self._listener is None:
            self._wait_for(listen())

    def go_down(self) -> None:
        """Refuse connections, and cut those that there are."""

        async def close() -> None:
            if self._listener is not None:
                self._listener.close()
                self._listener = None
                await asyncio.sleep(0.01)  # those that have just been accepted become sessions

        self._wait_for(close())
        self.kill_connections()

    def kill_connections(self) -> None:
        """Cut all connections."""

        async def cancel() -> None:
            sessions = self._sessions.copy()
            for session in sessions:
                session.cancel()
            if sessions:
                await asyncio.wait(sessions)

        self._wait_for(cancel())

    def freeze(self) -> None:
        """Go on accepting connections, but answer nothing."""
        self._loop.call_soon_threadsafe(self.thawed.clear)

    def thaw(self) -> None:
        """Go on answering, also what was asked meanwhile."""
        self._loop.call_soon_threadsafe(self.thawed.set)

    def _wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.ensure_future(Session(self, reader, writer).run())
        self._sessions.add(session)
        session.add_done_callback(self._sessions.discard)


class Session:
    """One client's connection."""

    def __init__(self, server: TdsServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._prepared: dict[int, str] = {}
        self._delay = 0.0
        self._is_welcome = True

    async def run(self) -> None:
        """Answer until the client leaves. The next message is awaited at once, as it may break off the one before."""
        message = asyncio.ensure_future(self._read())
        try:
            while True:
                kind, body = await message
                message = asyncio.ensure_future(self._read())
                answer = self._answer(kind, body)
                delay, self._delay = self._delay, 0.0
                if delay and (await asyncio.wait({message}, timeout=delay))[0]:
                    self._server.broken_off += 1
                    continue
                await self._server.thawed.wait()
                self._writer.write(tds.packets(answer))
                await self._writer.drain()
                if not self._is_welcome:
                    break
        except (OSError, EOFError):
            pass  # it has left
        except asyncio.CancelledError:
            self._writer.transport.abort()
            raise
        finally:
            message.cancel()
            await asyncio.gather(message, return_exceptions=True)
            self._writer.close()

    async def _read(self) -> tuple[int, bytes]:
        body, is_last = b"", False
        while not is_last:
            kind, is_last, length = struct.unpack(">B?H4x", await self._reader.readexactly(8))
            body += await self._reader.readexactly(length - 8)
        return kind, body

    def _answer(self, kind: int, body: bytes) -> bytes:
        message = tds.Fields(body)
        if kind == tds.PRELOGIN:
            return tds.prelogin()
        if kind == tds.LOGIN:
            return self._log_in(message)
        if kind == tds.ATTENTION:
            return tds.done(tds.DONE, tds.ATTENDED)
        message.take(struct.unpack("<I", body[:4])[0])  # headers about transactions and notifications
        if kind == tds.TRANSACTION:
            return tds.transaction(message.number(2))
        try:
            return self._batch(message.take().decode("utf-16-le")) if kind == tds.BATCH else self._call(message)
        except SqlServerError as exc:
            errors = [exc, SqlServerError(8180)] if kind == tds.RPC and exc.number in NOT_PREPARED else [exc]
            return b"".join(map(tds.error, errors)) + tds.done(
                tds.DONE if kind == tds.BATCH else tds.DONEPROC, tds.FAILED
            )

    def _log_in(self, login: tds.Fields) -> bytes:
        user, database = (login.login_field(place).decode("utf-16-le") for place in (40, 68))
        errors = []
        if database not in {"", "crm"}:
            errors.append(SqlServerError(4060, database))
        if errors or (user, tds.password_of(login.login_field(44))) != ("reader", "secret"):
            errors.append(SqlServerError(18456, user))
        if errors:
            self._is_welcome = False
            return b"".join(map(tds.error, errors)) + tds.done(tds.DONE, tds.FAILED)
        login.take(4)
        return tds.logged_in(login.take(4), "crm")

    def _batch(self, text: str) -> bytes:
        while setting := SETTING.match(text):
            self._server.settings.append(setting[1])
            text = text[setting.end() :]
        if found := LENGTHS.match(text):
            name, length = LONGEST[int(found[1])]
            columns = ("TYPE_NAME", "DATA_TYPE", "PRECISION")
            return tds.result_set(columns, [(name, int(found[1]), length)]) + tds.done(tds.DONE, tds.COUNTED, 1)
        return self._run(text, [], tds.DONE) if text.strip() else tds.done(tds.DONE)

    def _call(self, message: tds.Fields) -> bytes:
        """Run a remote procedure: one of those for statements with parameters."""
        length = message.number(2)
        name = PROCEDURES[message.number(2)] if length == 0xFFFF else message.take(length * 2).decode("utf-16-le")
        message.take(2)
        values: list[Value] = []
        while message:
            message.text()  # its name: FreeTDS gives none
            message.take(1)
            values.append(message.value())
        match name, values:
            case "sp_executesql", [str(statement), *rest]:
                answer = self._run(statement, rest[1:], tds.DONEINPROC)
            case "sp_prepexec", [_, _, str(statement), *rest]:
                answer = self._run(statement, rest, tds.DONEINPROC) + self._prepare(statement)
            case "sp_prepare", [_, _, str(statement), *_]:
                answer = self._prepare(statement)
            case "sp_execute", [int(handle), *rest] if handle in self._prepared:
                answer = self._run(self._prepared[handle], rest, tds.DONEINPROC)
            case "sp_unprepare", [int(handle)] if handle in self._prepared:
                del self._prepared[handle]
                answer = b""
            case (("sp_execute" | "sp_unprepare"), [handle, *_]):
                raise SqlServerError(8179, handle)
            case _:
                raise SqlServerError(2812, name)
        return answer + tds.return_status() + tds.done(tds.DONEPROC)

    def _prepare(self, statement: str) -> bytes:
        handle = max(self._prepared, default=0) + 1
        self._prepared[handle] = statement
        return tds.handle(handle)

    def _run(self, statement: str, values: Sequence[Value], end: int) -> bytes:
        self._server.statements.append(statement)
        delays = self._server.delays.copy()
        self._delay = max((seconds for part, seconds in delays.items() if part in statement), default=0.0)
        for part, number in self._server.errors.copy().items():
            if part in statement:
                raise SqlServerError(number, part)
        names, rows, count = self._server.tsql.run(statement, {f"P{at}": value for at, value in enumerate(values, 1)})
        return (tds.result_set(names, rows) if names else b"") + tds.done(end, tds.COUNTED, count)
