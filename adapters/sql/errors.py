"""What the errors of databases mean: trouble that may pass, or something that the operator must mend."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from proxy.adapter import AdapterError, Unavailable

Meaning = tuple[type[AdapterError], str]

BY_SQLSTATE: Mapping[str, Meaning] = {
    "08": (Unavailable, "the connection to the database was lost"),
    "22": (AdapterError, "a value is none of the type that the statement compares it with"),
    "25006": (AdapterError, "the statement would write, and this connection only reads"),
    "28": (AdapterError, "the database refuses our user or password"),
    "3D": (AdapterError, "the server has no database of this name"),
    "40": (Unavailable, "the database broke the statement off"),
    "42501": (AdapterError, "the database user has no right to read what the statement reads"),
    "42703": (AdapterError, "the statement names a column that does not exist"),
    "42883": (AdapterError, "the statement compares different types; a placeholder is a text, use CAST(:name AS type)"),
    "42P01": (AdapterError, "the statement names a table that does not exist"),
    "42": (AdapterError, "the database does not understand the statement"),
    "53": (Unavailable, "the database has no room for another connection"),
    "55P03": (Unavailable, "the database is locked"),
    "57014": (Unavailable, "the database took too long"),
    "57": (Unavailable, "the database is starting or stopping"),
    "58": (Unavailable, "the database has trouble with its own system"),
}
"""PostgreSQL, by the longest beginning of its code."""

BY_SQLITE_CODE: Mapping[int, Meaning] = {
    sqlite3.SQLITE_BUSY: (Unavailable, "the database is locked"),
    sqlite3.SQLITE_LOCKED: (Unavailable, "the database is locked"),
    sqlite3.SQLITE_CANTOPEN: (Unavailable, "the database file is missing or cannot be opened"),
    sqlite3.SQLITE_IOERR: (Unavailable, "the database file cannot be read"),
    sqlite3.SQLITE_PROTOCOL: (Unavailable, "the database is locked"),
    sqlite3.SQLITE_INTERRUPT: (Unavailable, "the statement was broken off"),
    sqlite3.SQLITE_NOMEM: (Unavailable, "there is no memory for the statement"),
    sqlite3.SQLITE_ERROR: (AdapterError, "the statement is wrong, or names a table or column that does not exist"),
    sqlite3.SQLITE_NOTADB: (AdapterError, "the file is no SQLite database"),
    sqlite3.SQLITE_CORRUPT: (AdapterError, "the database file is damaged"),
    sqlite3.SQLITE_READONLY: (AdapterError, "the statement would write, and this connection only reads"),
}

BY_TYPE: tuple[tuple[type[Exception], Meaning], ...] = (
    (TimeoutError, (Unavailable, "the database took too long")),
    (OSError, (Unavailable, "the database cannot be reached")),
    (OperationalError, (Unavailable, "the database cannot be asked")),
    (InterfaceError, (Unavailable, "the connection to the database was lost")),
    (SQLAlchemyError, (AdapterError, "the database does not answer the statement")),
)
"""For all that has no code, the first that fits."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise what SQLAlchemy and its drivers raise as an AdapterError."""
    try:
        yield
    except (SQLAlchemyError, OSError) as exc:
        error, message = _meaning(exc)
        raise error(message) from exc


def _meaning(exc: Exception) -> Meaning:
    if isinstance(exc, DBAPIError):
        original: BaseException | None = exc.orig
        if exc.connection_invalidated:
            return BY_SQLSTATE["08"]
        if isinstance(original, AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError):
            return Unavailable, "the table was changed meanwhile"
        sqlstate = getattr(original, "sqlstate", None) or ""
        for length in (5, 2):
            if sqlstate[:length] in BY_SQLSTATE:
                return BY_SQLSTATE[sqlstate[:length]]
        code = getattr(original, "sqlite_errorcode", 0) & 0xFF  # the upper bits only tell more of the same
        if code in BY_SQLITE_CODE:
            return BY_SQLITE_CODE[code]
    return next(meaning for kind, meaning in BY_TYPE if isinstance(exc, kind))
