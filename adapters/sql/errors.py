"""What the errors of databases mean: trouble that may pass, or something that the operator must mend."""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ssl import SSLCertVerificationError

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from proxy.adapter import AdapterError, Unavailable

Meaning = tuple[type[AdapterError], str]

LOST: Meaning = (Unavailable, "the connection to the database was lost")
LOCKED: Meaning = (Unavailable, "the database is locked")
TOO_LONG: Meaning = (Unavailable, "the database took too long")
BROKEN_OFF: Meaning = (Unavailable, "the database broke the statement off")
BUSY: Meaning = (Unavailable, "all connections to the database are busy")
FULL: Meaning = (Unavailable, "the database has no room for another connection")
STOPPING: Meaning = (Unavailable, "the database is starting or stopping")
UNREACHABLE: Meaning = (Unavailable, "the database cannot be reached")
CHANGED: Meaning = (Unavailable, "the table was changed meanwhile")
REFUSED: Meaning = (AdapterError, "the database refuses our user or password")
LET_IN_NOBODY: Meaning = (AdapterError, "the server refuses our user or password, or has no database of this name")
NO_TRUST: Meaning = (AdapterError, "the server's certificate is not the one that is trusted")
NO_DATABASE: Meaning = (AdapterError, "the server has no database of this name")
NO_RIGHT: Meaning = (AdapterError, "the database user has no right to read what the statement reads")
NO_TABLE: Meaning = (AdapterError, "the statement names a table that does not exist")
NO_COLUMN: Meaning = (AdapterError, "the statement names a column that does not exist")
NO_SUCH: Meaning = (AdapterError, "the statement is wrong, or names a table or column that does not exist")
NOT_UNDERSTOOD: Meaning = (AdapterError, "the database does not understand the statement")
WRONG_VALUE: Meaning = (AdapterError, "a value is none of the type that the statement compares it with")
WRONG_CHARACTER: Meaning = (AdapterError, "a value has a character that the database cannot have")
WRONG_TYPE: Meaning = (
    AdapterError,
    "the statement compares different types; a placeholder is a text, use CAST(:name AS type)",
)
WRITES: Meaning = (AdapterError, "the statement would write, and this connection only reads")
NO_OPTION: Meaning = (AdapterError, "driver_options has something that the driver does not take")
NO_PLACE: Meaning = (AdapterError, "the answer has a value for which Python has no place; CAST it to a text")
NO_DRIVER: Meaning = (AdapterError, "the ODBC driver that is named is not installed")

BY_SQLSTATE: Mapping[str, Meaning] = {
    "01000": NO_DRIVER,
    "08": LOST,
    "08001": UNREACHABLE,
    "22": WRONG_VALUE,
    "22021": WRONG_CHARACTER,
    "25006": WRITES,
    "28": REFUSED,
    "3D": NO_DATABASE,
    "40": BROKEN_OFF,
    "42501": NO_RIGHT,
    "42703": NO_COLUMN,
    "42883": WRONG_TYPE,
    "42P01": NO_TABLE,
    "42S02": NO_TABLE,
    "42S22": NO_COLUMN,
    "42": NOT_UNDERSTOOD,
    "53": FULL,
    "55P03": LOCKED,
    "57014": TOO_LONG,
    "57": STOPPING,
    "58": (Unavailable, "the database has trouble with its own system"),
    "HY000": LOST,
    "HY008": BROKEN_OFF,
    "HYT": TOO_LONG,
    "IM": NO_DRIVER,
}
"""PostgreSQL and ODBC, by the longest beginning of their code."""

BY_SQL_SERVER_NUMBER: Mapping[int, Meaning] = {
    229: NO_RIGHT,
    230: NO_RIGHT,
    916: NO_RIGHT,
    1205: BROKEN_OFF,
    1222: LOCKED,
    4060: NO_DATABASE,
    8180: NOT_UNDERSTOOD,
    18456: LET_IN_NOBODY,
    20003: TOO_LONG,
    20004: LOST,
    20006: LOST,
    20009: UNREACHABLE,
    20017: LOST,
    20047: LOST,
}
"""SQL Server's and FreeTDS's own numbers, in parentheses in the message, which tell more than their SQLSTATE."""

BY_MYSQL_NUMBER: Mapping[int, Meaning] = {
    1040: FULL,
    1044: REFUSED,
    1045: REFUSED,
    1049: NO_DATABASE,
    1053: STOPPING,
    1054: NO_COLUMN,
    1142: NO_RIGHT,
    1143: NO_RIGHT,
    1146: NO_TABLE,
    1203: FULL,
    1205: LOCKED,
    1213: BROKEN_OFF,
    1226: FULL,
    1290: WRITES,
    1317: BROKEN_OFF,
    1370: NO_RIGHT,
    1412: CHANGED,
    1615: CHANGED,
    1698: REFUSED,
    1792: WRITES,
    1927: LOST,
    1969: TOO_LONG,
    2003: UNREACHABLE,
    2006: LOST,
    2013: LOST,
    3024: TOO_LONG,
}
"""MariaDB and MySQL. Further ones below 2000 are the statement's."""

BY_SQLITE_CODE: Mapping[int, Meaning] = {
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_PROTOCOL: LOCKED,
    sqlite3.SQLITE_CANTOPEN: (Unavailable, "the database file is missing or cannot be opened"),
    sqlite3.SQLITE_IOERR: (Unavailable, "the database file cannot be read"),
    sqlite3.SQLITE_INTERRUPT: TOO_LONG,
    sqlite3.SQLITE_NOMEM: (Unavailable, "there is no memory for the statement"),
    sqlite3.SQLITE_ERROR: NO_SUCH,
    sqlite3.SQLITE_NOTADB: (AdapterError, "the file is no SQLite database"),
    sqlite3.SQLITE_CORRUPT: (AdapterError, "the database file is damaged"),
    sqlite3.SQLITE_READONLY: WRITES,
}

BY_ORACLE_CODE: Mapping[str, Meaning] = {
    "ORA-00018": FULL,
    "ORA-00020": FULL,
    "ORA-00054": LOCKED,
    "ORA-00904": NO_COLUMN,
    "ORA-00942": NO_TABLE,
    "ORA-01013": BROKEN_OFF,
    "ORA-01017": REFUSED,
    "ORA-01031": NO_RIGHT,
    "ORA-01033": STOPPING,
    "ORA-01034": STOPPING,
    "ORA-01045": REFUSED,
    "ORA-01089": STOPPING,
    "ORA-01456": WRITES,
    "ORA-01722": WRONG_VALUE,
    "ORA-12514": NO_DATABASE,
    "ORA-14551": WRITES,
    "ORA-28000": REFUSED,
    "ORA-28001": REFUSED,
    "ORA-009": NOT_UNDERSTOOD,
    "DPY-4011": LOST,
    "DPY-4024": TOO_LONG,
    "DPY-6001": NO_DATABASE,
    "DPY-6003": NO_DATABASE,
}
"""Oracle, by the longest beginning of its code."""

BY_TYPE: tuple[tuple[type[Exception], Meaning], ...] = (
    (PoolTimeoutError, BUSY),
    (TimeoutError, TOO_LONG),
    (OSError, UNREACHABLE),
    (OperationalError, (Unavailable, "the database cannot be asked")),
    (InterfaceError, LOST),
    (SQLAlchemyError, (AdapterError, "the database does not answer the statement")),
)
"""For all that has no code, the first that fits."""

LAST_OF_THE_SERVERS = 2000
"""MySQL's numbers below are from the server, and about the statement; those above are from the driver."""


@contextmanager
def translated() -> Iterator[None]:
    """Raise what SQLAlchemy and its drivers raise as an AdapterError."""
    try:
        yield
    except (SQLAlchemyError, OSError) as exc:
        error, message = _meaning(exc)
        raise error(message) from exc
    except TypeError as exc:
        if "unexpected keyword argument" not in str(exc):
            raise
        raise AdapterError(NO_OPTION[1]) from exc
    except (ValueError, OverflowError) as exc:  # such as a date before Christ
        raise AdapterError(NO_PLACE[1]) from exc


def words_of(error: AdapterError) -> str:
    """Return what the database itself said, in one line; it may hold values, so it is not for logs."""
    cause = error.__cause__
    original = cause.orig if isinstance(cause, DBAPIError) else cause
    said = original.args[-1] if original is not None and original.args else original
    return " ".join(str(said or "").split())


def _meaning(exc: Exception) -> Meaning:
    original = exc.orig if isinstance(exc, DBAPIError) and exc.orig is not None else exc
    if isinstance(original, SSLCertVerificationError) or isinstance(original.__cause__, SSLCertVerificationError):
        return NO_TRUST
    if isinstance(exc, DBAPIError) and exc.orig is not None:
        for read in (_of_mysql, _of_sqlite, _of_oracle, _of_sql_server, _by_sqlstate):
            if meaning := read(exc.orig):
                return meaning
        if exc.connection_invalidated:
            return LOST
    return next(meaning for kind, meaning in BY_TYPE if isinstance(exc, kind))


def _of_mysql(error: BaseException) -> Meaning | None:
    number = error.args[0] if error.args else None
    if not isinstance(number, int):
        return None
    return BY_MYSQL_NUMBER.get(number) or (NOT_UNDERSTOOD if number < LAST_OF_THE_SERVERS else None)


def _of_sqlite(error: BaseException) -> Meaning | None:
    code: int = getattr(error, "sqlite_errorcode", 0)
    return BY_SQLITE_CODE.get(code & 0xFF)  # the upper bits only tell more of the same


def _of_oracle(error: BaseException) -> Meaning | None:
    code = getattr(error.args[0], "full_code", "") if error.args else ""
    return _by_beginning(code, BY_ORACLE_CODE)


def _of_sql_server(error: BaseException) -> Meaning | None:
    numbers = re.findall(r"\((\d+)\)", str(error.args[1])) if len(error.args) > 1 else []
    return next((BY_SQL_SERVER_NUMBER[int(n)] for n in numbers if int(n) in BY_SQL_SERVER_NUMBER), None)


def _by_sqlstate(error: BaseException) -> Meaning | None:
    if type(error).__name__ == "InvalidCachedStatementError":  # SQLAlchemy's, for asyncpg
        return CHANGED
    code = getattr(error, "sqlstate", None) or (error.args[0] if error.args else "")
    return _by_beginning(code, BY_SQLSTATE) if isinstance(code, str) and re.fullmatch(r"\w{5}", code) else None


def _by_beginning(code: str, meanings: Mapping[str, Meaning]) -> Meaning | None:
    beginnings = (code[:length] for length in range(len(code), 1, -1))
    return next((meanings[beginning] for beginning in beginnings if beginning in meanings), None)
