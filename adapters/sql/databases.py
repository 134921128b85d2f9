"""The databases that can be asked, and how each is made to only read and never to hang."""

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from proxy.adapter import AdapterError

PATIENCE = 5
"""Seconds for which a database may be silent. The proxy waits far shorter; this ends what it has left behind."""

MOST_ROWS = 100
"""A statement that finds more for one number does not compare whole numbers."""

OLDEST_CONNECTION = 1800
"""Seconds after which a connection is made anew: firewalls forget idle ones."""

OLDEST_FILE = 10
"""The same for SQLite, where a connection keeps reading the old file when an export has replaced it."""

STEPS = 10_000
"""Of SQLite's machine, between two looks at the clock; well below a millisecond."""

ODBC_DRIVER = "ODBC Driver 18 for SQL Server"
"""The driver for SQL Server, where the operator names no other."""

Arguments = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Database:
    """One kind of database, and the driver that speaks to it."""

    drivers: tuple[str, ...]
    """Names that a URL may have; the first is the one that is used"""
    example: str
    """Of a URL"""
    extra: str
    """The extra of this distribution that installs its driver"""
    arguments: Callable[[URL, Path], tuple[URL, Arguments]]
    """Takes the operator's URL and the TOML's folder; returns the driver's URL and arguments"""
    prepare: Callable[[Engine, Arguments], None] = lambda _, __: None
    """Sees to each new connection of an engine that was made with these arguments"""
    also: str = ""
    """What the driver needs beside the extra"""
    oldest: Callable[[], int] = lambda: OLDEST_CONNECTION
    """Seconds after which a connection is made anew"""


def _sqlite(url: URL, folder: Path) -> tuple[URL, Arguments]:
    """Open the file read-only: otherwise a misspelt name would make a new, empty database.

    By sqlite3 itself: aiosqlite goes to a thread and back four times for each statement.
    """
    file = (folder / (url.database or "")).resolve()
    url = url.set(drivername="sqlite+pysqlite")
    return url.set(database=f"file:{quote(str(file))}", query={"mode": "ro", "uri": "true"}), {"timeout": 0.5}


def _limit_sqlite(engine: Engine, _arguments: Arguments) -> None:
    """Break statements off that take longer than PATIENCE; SQLite has no such setting."""

    def connected(connection: Any, record: Any) -> None:  # noqa: ANN401 - SQLAlchemy's and the driver's
        ends = record.info["ends"] = [float("inf")]
        connection.set_progress_handler(lambda: time.monotonic() > ends[0], STEPS)

    def begins(connection: Any, *_: object) -> None:  # noqa: ANN401 - SQLAlchemy's
        connection.info["ends"][0] = time.monotonic() + PATIENCE

    event.listen(engine, "connect", connected)
    event.listen(engine, "before_cursor_execute", begins)


def _postgresql(url: URL, _folder: Path) -> tuple[URL, Arguments]:
    settings = {
        "application_name": "tanima",
        "default_transaction_read_only": "on",
        "statement_timeout": str(PATIENCE * 1000),
    }
    # The server's own limit comes first: it leaves the connection usable.
    return url, {"timeout": PATIENCE, "command_timeout": PATIENCE + 0.5, "server_settings": settings}


def _mysql(url: URL, folder: Path) -> tuple[URL, Arguments]:
    arguments: Arguments = {"connect_timeout": PATIENCE, "charset": "utf8mb4", "program_name": "tanima"}
    if mode := url.query.get("ssl"):
        authority = url.query.get("ssl_ca")
        arguments["ssl"] = _tls(str(mode), str(folder / str(authority)) if authority else None)
    return url.difference_update_query(["ssl", "ssl_ca"]), arguments


def _tls(mode: str, authority: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority)
    if mode == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _take_one_statement_at_a_time(connection: Any) -> None:  # noqa: ANN401 - aiomysql's
    """Switch off what aiomysql always switches on: several statements in one text."""
    await connection._execute_command(0x1B, b"\x01\x00")  # noqa: SLF001 - COM_SET_OPTION, for which it has no method
    await connection._read_packet()  # noqa: SLF001 - the server's answer to it


def _limit_mysql(engine: Engine, arguments: Arguments) -> None:
    event.listen(engine, "connect", lambda connection, _: connection.run_async(_take_one_statement_at_a_time))
    # MariaDB and MySQL each read the comment that is meant for it.
    limits = f"/*M! , max_statement_time={PATIENCE} */ /*!50708 , max_execution_time={PATIENCE * 1000} */"
    _run_on_connect(
        engine,
        "SET SESSION TRANSACTION READ ONLY",
        f"SET SESSION sql_select_limit={MOST_ROWS + 1}, lock_wait_timeout={PATIENCE} {limits}",
    )

    def connected(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's
        cursor = connection.cursor()
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        _, cipher = cursor.fetchone()
        if not cipher:  # where the server cannot encrypt, the driver goes on without
            connection.close()
            raise AdapterError("the server does not encrypt, which the option ssl demands")
        cursor.close()

    if "ssl" in arguments:
        event.listen(engine, "connect", connected)


def _sql_server(url: URL, _folder: Path) -> tuple[URL, Arguments]:
    if not {"driver", "odbc_connect"} & set(map(str.lower, url.query)):
        url = url.update_query_dict({"driver": ODBC_DRIVER})
    return url, {"timeout": PATIENCE}  # of the login


def _limit_sql_server(engine: Engine, _arguments: Arguments) -> None:
    def connected(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's
        connection.timeout = PATIENCE  # of statements

    def fails(context: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        if context.original_exception.args[:1] in {("HY000",), ("01000",)}:  # so FreeTDS calls a connection that is cut
            context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False  # one slow statement says nothing about other connections

    event.listen(engine, "connect", connected)
    event.listen(engine, "handle_error", fails)
    _run_on_connect(engine, f"SET LOCK_TIMEOUT {PATIENCE * 1000}", f"SET ROWCOUNT {MOST_ROWS + 1}")


def _oracle(url: URL, _folder: Path) -> tuple[URL, Arguments]:
    return url, {"tcp_connect_timeout": PATIENCE}


def _limit_oracle(engine: Engine, _arguments: Arguments) -> None:
    def connected(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's
        connection.driver_connection.call_timeout = PATIENCE * 1000

    event.listen(engine, "connect", connected)


def _run_on_connect(engine: Engine, *statements: str) -> None:
    def connected(connection: Any, _record: object) -> None:  # noqa: ANN401 - SQLAlchemy's
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()

    event.listen(engine, "connect", connected)


def _mysql_named(kind: str) -> Database:
    return Database(("aiomysql",), f"{kind}+aiomysql://user@host/database", kind, _mysql, _limit_mysql)


DATABASES: Mapping[str, Database] = {
    "sqlite": Database(
        ("aiosqlite",),
        "sqlite+aiosqlite:///crm.db",
        "",
        _sqlite,
        _limit_sqlite,
        oldest=lambda: OLDEST_FILE,
    ),
    "postgresql": Database(("asyncpg",), "postgresql+asyncpg://user@host/database", "postgresql", _postgresql),
    "mariadb": _mysql_named("mariadb"),
    "mysql": _mysql_named("mysql"),
    # aioodbc is pyodbc in threads too, but closes connections under running statements. Microsoft's driver crashed.
    "mssql": Database(
        ("pyodbc", "aioodbc"),
        "mssql+aioodbc://user@host/database",
        "mssql",
        _sql_server,
        _limit_sql_server,
        also=" and unixODBC (libodbc2)",
    ),
    "oracle": Database(
        ("oracledb_async",), "oracle+oracledb_async://user@host/?service_name=name", "oracle", _oracle, _limit_oracle
    ),
}
"""By the kind of database. SQL Server and Oracle have no session that only reads: there the user's rights decide."""


def kind_of(url: URL) -> str:
    """Return the kind of database, a key of DATABASES."""
    return url.get_backend_name()


def drivername(kind: str) -> str:
    """Return what a URL begins with."""
    return f"{kind}+{DATABASES[kind].drivers[0]}"


def read_url(text: str, folder: Path) -> URL:
    """Return a URL of a database that can be asked. Raises ValueError, also when its driver is not installed."""
    examples = " or ".join(database.example for database in DATABASES.values())
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as exc:
        raise ValueError(f"is no URL of a database - allowed: {examples}") from exc
    kind = url.get_backend_name()
    if kind not in DATABASES or url.get_driver_name() not in DATABASES[kind].drivers:
        raise ValueError(f"names a database or a driver that is not supported - allowed: {examples}")
    check_driver(kind)
    if kind == "sqlite":
        check_file(url.database or "", url.query)
    check_options(kind, url.query, folder)
    return url


def check_driver(kind: str) -> None:
    """Raise ValueError when the driver for a kind of database is not installed."""
    database = DATABASES[kind]
    try:
        URL.create(drivername(kind)).get_dialect().import_dbapi()
    except ImportError as exc:
        extra = f"[{database.extra}]" if database.extra else ""
        install = f"pip install 'tanima{extra}'{database.also}"
        raise ValueError(f"needs a driver that is not installed - allowed: after {install}") from exc


def check_file(name: str, query: Mapping[str, Any]) -> None:
    """Raise ValueError when `name` is no plain file that SQLite can open."""
    if not name or name.startswith((":memory:", "file:")) or query:
        raise ValueError("names no plain file - allowed: a file such as crm.db, relative to the TOML's folder")


def check_options(kind: str | None, options: Mapping[str, Any], folder: Path) -> None:
    """Raise ValueError for an option of the driver that we read ourselves, and that has no meaning."""
    authority = options.get("ssl_ca") if kind in {"mariadb", "mysql"} else None
    if authority and not (folder / authority).is_file():
        raise ValueError(
            "has an ssl_ca that is no file - allowed: a file with certificates, relative to the TOML's folder"
        )
    mode = options.get("ssl") if kind in {"mariadb", "mysql"} else None
    if mode not in {None, "require", "verify-full"}:
        raise ValueError(
            "has an ssl that means nothing - allowed: require, or verify-full, to which ssl_ca may be added"
        )


def make_engine(url: URL, folder: Path, pool_size: int) -> Engine:
    """Return the connection pool, which connects when it is first asked; unless its dialect is async, it blocks."""
    kind = kind_of(url)
    database = DATABASES[kind]
    url, arguments = database.arguments(url.set(drivername=drivername(kind)), folder)
    settings: Arguments = {
        "connect_args": arguments,
        "isolation_level": "AUTOCOMMIT",  # one SELECT needs no transaction, which would cost two more round trips
        "skip_autocommit_rollback": True,
        "hide_parameters": True,  # numbers stay out of errors
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": PATIENCE,
        "pool_recycle": database.oldest(),
    }
    engine = create_engine(url, **settings)
    database.prepare(engine, arguments)
    return engine
