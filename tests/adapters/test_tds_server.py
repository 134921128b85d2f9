import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.tds_server import TdsServer
from tests.tsql import MESSAGES

pyodbc = pytest.importorskip("pyodbc", exc_type=ImportError)

TURKISH = "ğüşıöçİ ĞÜŞIÖÇi"


@pytest.fixture
def server(sql_server: TdsServer) -> TdsServer:
    """Start a server with a table."""
    sql_server.database.execute("CREATE TABLE people (digits TEXT, id INTEGER, name TEXT, balance REAL)")
    rows = [(f"90530{n:07}", n, f"{TURKISH} {n}", n / 4) for n in range(200)]
    sql_server.database.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", rows)
    return sql_server


def connected(server: TdsServer, **wrong: str) -> Any:
    options = {"UID": "reader", "PWD": "secret", "Database": "crm", "TDS_Version": "7.4", **wrong}
    login = ";".join(f"{name}={value}" for name, value in options.items())
    return pyodbc.connect(
        f"Driver={server.driver()};Server=127.0.0.1,{server.port};{login}", autocommit=True, timeout=5
    )


def rows(connection: Any, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(statement, *values)]


class TestPyodbc:
    @pytest.fixture
    def connection(self, server: TdsServer) -> Iterator[Any]:
        connection = connected(server)
        connection.timeout = 5
        yield connection
        connection.close()

    def test_values_come_back_as_they_went(self, connection: Any) -> None:
        values = (TURKISH, 7, -(2**40), 0.25, None, "", "x" * 5000, True, b"\x00\xff")
        marks = ", ".join("?" for _ in values)
        assert rows(connection, f"SELECT {marks}", *values) == [values]

    def test_rows_are_found(self, connection: Any, server: TdsServer) -> None:
        statement = "SELECT TOP (5) [name], id, balance, NULL AS x FROM dbo.people WITH (NOLOCK) WHERE digits = ?"
        assert rows(connection, statement, "905300000002") == [(f"{TURKISH} 2", 2, 0.5, None)]
        assert server.statements[-1] == statement.replace("?", "@P1")
        assert len(rows(connection, "SELECT * FROM people")) == 200
        assert len(rows(connection, "SELECT TOP 7 * FROM people;")) == 7
        assert rows(connection, "SELECT id FROM people WHERE name = N'it''s dbo.x'") == []

    def test_expressions_have_no_name(self, connection: Any) -> None:
        description = connection.execute("SELECT LEN('x'), 1 AS one, name AS [full name] FROM people").description
        assert [column[0] for column in description] == ["", "one", "full name"]

    @pytest.mark.parametrize(
        ("statement", "sqlstate", "numbers"),
        [
            ("SELECT nickname FROM people WHERE id = ?", "42S22", (207, 207)),
            ("SELECT * FROM nobody WHERE id = ?", "42S02", (208, 208)),
            ("SELECT name FORM people WHERE id = ?", "42000", (102, 8180)),
            ("SELECT nonsense(?)", "42000", (195, 8180)),
            ("SELECT LEFT('x', ?)", "42000", (537, 537)),
            ("SELECT 'locked' WHERE 1 = ?", "42000", (1222, 1222)),
            ("SELECT 'deadlocked' WHERE 1 = ?", "42000", (1205, 1205)),
            ("SELECT 'forbidden' WHERE 1 = ?", "42000", (229, 229)),
        ],
    )
    def test_errors_have_the_servers_numbers(
        self,
        connection: Any,
        server: TdsServer,
        statement: str,
        sqlstate: str,
        numbers: tuple[int, int],
    ) -> None:
        """With parameters, there may be a second error. FreeTDS gives the severest first, pyodbc gives no other."""
        server.errors |= {"'locked'": 1222, "'deadlocked'": 1205, "'forbidden'": 229}
        with pytest.raises(pyodbc.ProgrammingError, match=rf"\({numbers[0]}\)") as caught:
            rows(connection, statement.replace("?", "-1"))
        assert caught.value.args[0] == sqlstate
        with pytest.raises(pyodbc.ProgrammingError, match=rf"\({numbers[1]}\)") as caught:
            rows(connection, statement, -1)
        assert caught.value.args[0] == sqlstate
        assert rows(connection, "SELECT 1") == [(1,)]

    @pytest.mark.parametrize("wrong", [{"PWD": "wrong"}, {"UID": "nobody"}, {"Database": "nowhere"}])
    def test_a_wrong_login_is_refused(self, server: TdsServer, wrong: dict[str, str]) -> None:
        with pytest.raises(pyodbc.ProgrammingError, match=r"Login failed for user '\w+'. \(18456\)"):
            connected(server, **wrong)

    def test_settings_are_kept(self, connection: Any, server: TdsServer) -> None:
        connection.execute("SET LOCK_TIMEOUT 500; SET NOCOUNT ON")
        connection.execute("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
        assert server.settings == [
            "SET LOCK_TIMEOUT 500",
            "SET NOCOUNT ON",
            "SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
        ]
        assert rows(connection, "SET TEXTSIZE 100 SELECT 1") == [(1,)]

    def test_a_long_statement_is_broken_off(self, connection: Any, server: TdsServer) -> None:
        server.delays["slow"] = 30
        connection.timeout = 1
        with pytest.raises(pyodbc.OperationalError, match="HYT00"):
            rows(connection, "SELECT 'slow' WHERE 1 = ?", 1)
        assert server.broken_off == 1
        cursor = connection.cursor()
        connection.timeout = 20

        def cancel_when_it_runs() -> None:
            while sum("'slow'" in statement for statement in server.statements) < 2:
                time.sleep(0.01)  # the statement is on its way
            cursor.cancel()

        threading.Thread(target=cancel_when_it_runs, daemon=True).start()
        with pytest.raises(pyodbc.Error, match="HY008"):
            cursor.execute("SELECT 'slow' WHERE 1 = ?", 1)
        assert server.broken_off == 2
        assert rows(connection, "SELECT 1") == [(1,)]

    def test_transactions_are_accepted(self, connection: Any) -> None:
        connection.autocommit = False
        for end in (connection.commit, connection.rollback):
            assert rows(connection, "SELECT ?", 1) == [(1,)]
            end()

    @pytest.mark.parametrize(
        ("expression", "result"),
        [
            ("PATINDEX('%[^0-9]%', '0530-x')", 5),
            ("PATINDEX('%[1-9]%', '00530')", 3),
            ("PATINDEX('a_', 'ab')", 1),
            ("PATINDEX('%b', 'abc')", 0),
            ("PATINDEX('%I%', 'xı')", 2),
            ("PATINDEX('%x%', NULL)", None),
            ("'5a' LIKE '[0-9]%[^b]'", 1),
            ("SUBSTRING('abc', 0, 3)", "ab"),
            ("SUBSTRING('abc', -5, 3)", ""),
            ("SUBSTRING('abc', 2, 9)", "bc"),
            ("CONCAT(LEFT('abc', 2), RIGHT('abc', 2), NULL, 7)", "abbc7"),
            ("RIGHT('abc', 0)", ""),
            ("LEN(' ab  ')", 3),
            ("REVERSE('abc')", "cba"),
            ("CHARINDEX('B', 'abab')", 2),
            ("CHARINDEX('b', 'abab', 3)", 4),
            ("CHARINDEX('x', 'abab')", 0),
            ("REPLACE('aBcb', 'B', '')", "ac"),
            ("REPLACE('abc', NULL, '')", None),
            ("STUFF('abc', 2, 1, 'xyz')", "axyzc"),
            ("STUFF('abc', 4, 1, 'x')", None),
            ("LTRIM(RTRIM('  a '))", "a"),
            ("ISNULL(NULL, 'x')", "x"),
            ("NCHAR(305)", "ı"),
            ("CHAR(221)", "İ"),
            ("TRANSLATE('(530) 1-2', '()-', '   ')", " 530  1 2"),
            ("CAST(905301234567 AS varchar(20))", "905301234567"),
            ("CAST('x' AS nvarchar(max))", "x"),
            ("CONCAT('', 5301234567.0)", "5.30123e+009"),
        ],
    )
    def test_functions_do_what_microsoft_documents(self, connection: Any, expression: str, result: object) -> None:
        assert rows(connection, f"SELECT {expression} AS x") == [(result,)]

    def test_it_goes_down_and_comes_back(self, connection: Any, server: TdsServer) -> None:
        server.go_down()
        with pytest.raises(pyodbc.Error):
            rows(connection, "SELECT 1")
        with pytest.raises(pyodbc.OperationalError, match="08S01"):
            connected(server)
        server.come_back()
        again = connected(server)
        assert rows(again, "SELECT 1") == [(1,)]
        again.close()

    def test_errors_have_texts(self) -> None:
        assert all(text.format("x") for _, text in MESSAGES.values())
