"""What the errors of drivers mean. They are the drivers' own; where a server can be had, further tests provoke them."""

import sqlite3

import oracledb
import pytest
from pymysql.err import InternalError as MysqlInternalError
from pymysql.err import OperationalError as MysqlOperationalError
from pymysql.err import ProgrammingError as MysqlProgrammingError
from sqlalchemy.exc import DBAPIError, InterfaceError, NoSuchModuleError, OperationalError, ResourceClosedError

from adapters.sql import errors
from adapters.sql.errors import translated, words_of
from proxy.adapter import AdapterError, Unavailable

pyodbc = pytest.importorskip("pyodbc", exc_type=ImportError)


def odbc(state: str, number: int | None = None, kind: type[Exception] = pyodbc.ProgrammingError) -> Exception:
    """Return an error as pyodbc raises it."""
    native = f" ({number})" if number is not None else ""
    return kind(state, f"[{state}] [FreeTDS][SQL Server]Something about 05301234567.{native} (SQLExecDirectW)")


def oracle(code: str) -> Exception:
    """Return an error as python-oracledb raises it."""
    return oracledb.DatabaseError(Described(code))


class Described:
    """What python-oracledb's errors carry."""

    def __init__(self, full_code: str) -> None:
        self.full_code = full_code

    def __str__(self) -> str:
        return f"{self.full_code}: something about 05301234567"


def meaning_of(raised: Exception, wrapper: type[DBAPIError] | None = DBAPIError) -> AdapterError:
    with pytest.raises(AdapterError) as caught, translated():
        raise raised if wrapper is None else wrapper("SELECT 1", {}, raised)
    assert "0530" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (odbc("42S02", 208), errors.NO_TABLE),
        (odbc("42S22", 207), errors.NO_COLUMN),
        (odbc("42000", 102), errors.NOT_UNDERSTOOD),
        (odbc("42000", 8180), errors.NOT_UNDERSTOOD),
        (odbc("42000", 229), errors.NO_RIGHT),
        (odbc("42000", 4060), errors.NO_DATABASE),
        (odbc("28000", 18456), errors.LET_IN_NOBODY),
        (odbc("42000", 18456), errors.LET_IN_NOBODY),
        (odbc("28000"), errors.REFUSED),
        (odbc("22018", 245), errors.WRONG_VALUE),
        (odbc("HYT00", 0, pyodbc.OperationalError), errors.TOO_LONG),
        (odbc("HYT01", 0, pyodbc.OperationalError), errors.TOO_LONG),
        (odbc("42000", 1222), errors.LOCKED),
        (odbc("40001", 1205), errors.BROKEN_OFF),
        (odbc("42000", 1205), errors.BROKEN_OFF),
        (odbc("HY008", 0, pyodbc.Error), errors.BROKEN_OFF),
        (odbc("HY000", 0, pyodbc.Error), errors.LOST),
        (odbc("08S01", 20006, pyodbc.OperationalError), errors.LOST),
        (odbc("08S01", 20009, pyodbc.OperationalError), errors.UNREACHABLE),
        (odbc("08001", 17, pyodbc.OperationalError), errors.UNREACHABLE),
        (odbc("01000", 20017, pyodbc.Error), errors.LOST),
        (odbc("01000", 0, pyodbc.Error), errors.NO_DRIVER),
        (odbc("IM002", 0, pyodbc.InterfaceError), errors.NO_DRIVER),
        (MysqlOperationalError(1045, "Access denied for user 'x'"), errors.REFUSED),
        (MysqlOperationalError(1044, "Access denied for user 'x' to database 'y'"), errors.REFUSED),
        (MysqlOperationalError(1049, "Unknown database"), errors.NO_DATABASE),
        (MysqlProgrammingError(1146, "Table 'x.y' doesn't exist"), errors.NO_TABLE),
        (MysqlOperationalError(1054, "Unknown column"), errors.NO_COLUMN),
        (MysqlProgrammingError(1064, "You have an error in your SQL syntax"), errors.NOT_UNDERSTOOD),
        (MysqlOperationalError(1305, "FUNCTION x does not exist"), errors.NOT_UNDERSTOOD),
        (MysqlOperationalError(1142, "SELECT command denied"), errors.NO_RIGHT),
        (MysqlInternalError(1792, "Cannot execute statement in a READ ONLY transaction"), errors.WRITES),
        (MysqlOperationalError(1205, "Lock wait timeout exceeded"), errors.LOCKED),
        (MysqlOperationalError(1213, "Deadlock found"), errors.BROKEN_OFF),
        (MysqlOperationalError(1969, "max_statement_time exceeded"), errors.TOO_LONG),
        (MysqlOperationalError(3024, "maximum statement execution time exceeded"), errors.TOO_LONG),
        (MysqlOperationalError(1040, "Too many connections"), errors.FULL),
        (MysqlOperationalError(1053, "Server shutdown in progress"), errors.STOPPING),
        (MysqlOperationalError(2003, "Can't connect"), errors.UNREACHABLE),
        (MysqlOperationalError(2013, "Lost connection"), errors.LOST),
        (oracle("ORA-00942"), errors.NO_TABLE),
        (oracle("ORA-00904"), errors.NO_COLUMN),
        (oracle("ORA-00933"), errors.NOT_UNDERSTOOD),
        (oracle("ORA-01017"), errors.REFUSED),
        (oracle("ORA-28000"), errors.REFUSED),
        (oracle("ORA-01031"), errors.NO_RIGHT),
        (oracle("ORA-01722"), errors.WRONG_VALUE),
        (oracle("ORA-14551"), errors.WRITES),
        (oracle("ORA-12514"), errors.NO_DATABASE),
        (oracle("ORA-01034"), errors.STOPPING),
        (oracle("DPY-4024"), errors.TOO_LONG),
        (oracle("DPY-4011"), errors.LOST),
    ],
)
def test_what_a_database_says_is_put_into_a_sentence(raised: Exception, expected: errors.Meaning) -> None:
    error = meaning_of(raised)
    assert (type(error), str(error)) == expected


@pytest.mark.parametrize(
    ("raised", "wrapper", "expected"),
    [
        (ConnectionRefusedError(111, "refused"), None, errors.UNREACHABLE),
        (TimeoutError(), None, errors.TOO_LONG),
        (oracle("DPY-6005"), OperationalError, (Unavailable, "the database cannot be asked")),
        (sqlite3.OperationalError("odd"), OperationalError, (Unavailable, "the database cannot be asked")),
        (Exception("closed"), InterfaceError, errors.LOST),
        (ResourceClosedError("no rows"), None, (AdapterError, "the database does not answer the statement")),
        (NoSuchModuleError("x"), None, (AdapterError, "the database does not answer the statement")),
    ],
)
def test_what_has_no_code_is_known_by_its_type(
    raised: Exception, wrapper: type[DBAPIError] | None, expected: errors.Meaning
) -> None:
    error = meaning_of(raised, wrapper)
    assert (type(error), str(error)) == expected


def test_a_lost_connection_is_lost_whatever_the_driver_calls_it() -> None:
    with pytest.raises(Unavailable, match="was lost"), translated():
        raise DBAPIError("SELECT 1", {}, Exception(), connection_invalidated=True)


def test_the_databases_own_words_are_one_line() -> None:
    assert words_of(meaning_of(MysqlProgrammingError(1146, "Table 'x'\n  is not there"))) == "Table 'x' is not there"
    assert words_of(meaning_of(sqlite3.OperationalError("no such table: x"))) == "no such table: x"
    assert words_of(meaning_of(TimeoutError(), None)) == ""
    assert words_of(AdapterError("ours")) == ""
