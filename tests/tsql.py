"""T-SQL in SQLite: what Microsoft documents of its functions, and the few places where the grammars differ.

Texts are compared as the collation Turkish_CI_AS compares them: without regard to case, where `I` goes with `ı` and
`İ` with `i`. That holds inside the functions and LIKE; for `=` and ORDER BY, declare the columns of test tables so.
Types stay SQLite's: CAST(x AS varchar(3)) does not cut, and a wrong number becomes 0 instead of an error.
"""

import re
import sqlite3
from collections.abc import Callable

Value = str | int | float | bytes | None

MESSAGES = {
    102: (15, "Incorrect syntax near '{}'."),
    174: (15, "The {} function requires another number of arguments."),
    195: (15, "'{}' is not a recognized built-in function name."),
    207: (16, "Invalid column name '{}'."),
    208: (16, "Invalid object name '{}'."),
    209: (16, "Ambiguous column name '{}'."),
    229: (14, "The SELECT permission was denied on the object '{}', database 'crm', schema 'dbo'."),
    245: (16, "Conversion failed when converting the nvarchar value '{}' to data type int."),
    536: (16, "Invalid length parameter passed to the {} function."),
    537: (16, "Invalid length parameter passed to the LEFT or SUBSTRING function."),
    1205: (13, "Transaction (Process ID 51) was deadlocked and has been chosen as the deadlock victim."),
    1222: (16, "Lock request time out period exceeded."),
    2812: (16, "Could not find stored procedure '{}'."),
    4060: (11, 'Cannot open database "{}" requested by the login. The login failed.'),
    8179: (16, "Could not find prepared statement with handle {}."),
    8180: (16, "Statement(s) could not be prepared."),
    9828: (
        16,
        "The second and third arguments of the TRANSLATE built-in function must contain an equal number of letters.",
    ),
    18456: (14, "Login failed for user '{}'."),
}
"""SQL Server's errors: by number, the severity and the text."""

FROM_SQLITE = (
    (r"no such table: (?:\w+\.)?(.+)", 208),
    (r"no such column: (?:.+\.)?(.+)", 207),
    (r"ambiguous column name: (?:.+\.)?(.+)", 209),
    (r"no such function: (.+)", 195),
    (r"wrong number of arguments to function (\w+)\(\)", 174),
    (r'near "(.+)": syntax error', 102),
)


class SqlServerError(Exception):
    """An error of the server: its number, severity (10 and less is no error) and message."""

    def __init__(self, number: int, name: object = "") -> None:
        self.number = number
        self.severity, text = MESSAGES.get(number, (16, "Something is wrong with '{}'."))
        self.message = text.format(name)
        super().__init__(self.message)


class Database:
    """A shared SQLite database in memory, that is asked in T-SQL."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        if sqlite3.threadsafety != 3:
            raise RuntimeError("this SQLite may not be used by two threads")
        self.connection.executescript(
            "ATTACH ':memory:' AS sys; CREATE TABLE sys.system_views AS SELECT 'dm_exec_sessions' AS name;"
            "CREATE TABLE sys.dm_exec_sessions AS SELECT 51 AS session_id, 2 AS transaction_isolation_level"
        )
        self.connection.create_collation("Turkish_CI_AS", lambda a, b: _order(folded(a.rstrip()), folded(b.rstrip())))
        self.connection.create_collation("Latin1_General_BIN2", _order)
        self._raised: list[SqlServerError] = []
        for name, (numbers_of_arguments, function) in FUNCTIONS.items():
            for number in numbers_of_arguments:
                self.connection.create_function(name, number, self._kept(function), deterministic=True)

    def run(self, statement: str, values: dict[str, Value]) -> tuple[list[str], list[tuple[Value, ...]], int]:
        """Run one statement with its values by `@name`. Raises SqlServerError.

        Returns the columns' names (none when the statement is no query; empty for an expression without a name), the
        rows, and the number of rows that were found or changed.
        """
        self._raised.clear()
        try:
            cursor = self.connection.execute(in_sqlite(statement), values)
            rows = cursor.fetchall()
        except (sqlite3.Error, sqlite3.Warning) as exc:
            if self._raised:
                raise self._raised[0] from exc
            raise _translated(str(exc)) from exc
        names = [column[0] if _NAME.fullmatch(column[0]) else "" for column in cursor.description or ()]
        return names, rows, len(rows) if names else cursor.rowcount

    def _kept(self, function: Callable[..., Value]) -> Callable[..., Value]:
        """SQLite tells nothing of what a function has raised."""

        def call(*values: Value) -> Value:
            try:
                return function(*values)
            except SqlServerError as exc:
                self._raised.append(exc)
                raise

        return call


def _translated(message: str) -> SqlServerError:
    for pattern, number in FROM_SQLITE:
        if found := re.fullmatch(pattern, message, re.DOTALL):
            return SqlServerError(number, found[1])
    return SqlServerError(102, message)


def in_sqlite(statement: str) -> str:
    """Return T-SQL as SQLite understands it.

    N'...' is '...', `dbo.` and `WITH (NOLOCK)` go, `varchar(max)` is `varchar`, functions whose names are words of
    SQLite's grammar get quotes, @@SPID and @@TRANCOUNT are numbers, SQLAlchemy's question for comments finds none,
    and `SELECT TOP (n)` at the very beginning (nowhere else) is a LIMIT at the end.
    """
    statement = _DIFFERENT.sub(_replacement, statement.strip().rstrip(";"))
    if top := re.match(r"SELECT\s+(DISTINCT\s+)?TOP\s*\(?\s*(@?\w+)\s*\)?\s", statement, re.IGNORECASE):
        statement = f"SELECT {top[1] or ''}{statement[top.end() :]} LIMIT {top[2]}"
    return statement


_NAME = re.compile(r"(?!\d)[\w ]+")
_DIFFERENT = re.compile(
    r"""(?:\bN)?(?P<text>'(?:[^']|'')*')
    | (?P<gone>\bWITH\s*\(\s*NOLOCK\s*\) | (?:\bdbo|\[dbo\])\s*\.)
    | (?P<type>\bn?varchar)\s*\(\s*max\s*\)
    | \b(?P<function>LEFT|RIGHT|ISNULL)(?=\s*\()
    | @@(?P<number>SPID|TRANCOUNT)\b
    | (?P<comments>\bfn_listextendedproperty\s*\([^)]*\))
    """,
    re.VERBOSE | re.IGNORECASE,
)


def _replacement(found: re.Match[str]) -> str:
    if found["text"]:
        return found["text"]
    if found["type"]:
        return found["type"]
    if found["function"]:
        return f'"{found["function"]}"'
    if found["number"]:
        return "51" if found["number"].upper() == "SPID" else "0"
    return "(SELECT 1 WHERE 0)" if found["comments"] else " "


def folded(text: str) -> str:
    """Return the text in small letters, and as long as it was."""
    return text.translate({ord("I"): "ı", ord("İ"): "i"}).lower()


def like(pattern: str, *, anywhere: bool = False) -> re.Pattern[str]:
    """Return a LIKE pattern with its `%`, `_`, `[0-9]` and `[^0-9]`; `anywhere` leaves out a `%` at its beginning."""
    if anywhere:
        pattern = pattern.removeprefix("%")
    parts = re.findall(r"\[\^?[^\]]+\]|.", pattern, re.DOTALL)
    return re.compile("".join(map(_part, parts)) + r"\Z", re.DOTALL)


def _part(part: str) -> str:
    if len(part) == 1:
        return {"%": ".*", "_": "."}.get(part, re.escape(part))
    but = "^" if part[1] == "^" else ""
    letters = re.sub(r"([\\\[^&~|])", r"\\\1", part[1 + len(but) : -1])
    return f"[{but}{letters}]"


def _order(a: str, b: str) -> int:
    return (a > b) - (a < b)


def _text(value: Value) -> str:
    if isinstance(value, float):
        return re.sub(r"(e[+-])(\d\d)$", r"\g<1>0\2", f"{value:g}")
    return value.decode("cp1254") if isinstance(value, bytes) else str(value)


def _of_texts(function: Callable[..., Value]) -> Callable[..., Value]:
    """A function whose result is NULL when one of its arguments is, and whose first argument is a text."""

    def call(first: Value, *others: Value) -> Value:
        return None if first is None or None in others else function(_text(first), *others)

    return call


def _patindex(pattern: str, text: Value) -> int:
    at_once = not pattern.startswith("%")
    compiled, text = like(folded(pattern), anywhere=True), folded(_text(text))
    found = compiled.match(text) if at_once else compiled.search(text)
    return found.start() + 1 if found else 0


def _charindex(part: str, text: Value, start: int = 1) -> int:
    return folded(_text(text)).find(folded(part), max(start - 1, 0)) + 1 if part else 0


def _substring(text: str, start: int, length: int) -> str:
    if length < 0:
        raise SqlServerError(537)
    return text[max(start - 1, 0) : max(start - 1 + length, 0)]


def _right(text: str, length: int) -> str:
    if length < 0:
        raise SqlServerError(536, "RIGHT")
    return text[max(len(text) - length, 0) :]


def _replace(text: str, part: Value, new: Value) -> str:
    part, result, rest = folded(_text(part)), "", text
    while part and (at := folded(rest).find(part)) >= 0:
        result, rest = result + rest[:at] + _text(new), rest[at + len(part) :]
    return result + rest


def _stuff(text: Value, start: int | None, length: int | None, new: Value) -> str | None:
    if text is None or start is None or length is None:
        return None
    text = _text(text)
    if length < 0 or not 1 <= start <= len(text):
        return None
    return text[: start - 1] + ("" if new is None else _text(new)) + text[start - 1 + length :]


def _translate(text: str, letters: Value, others: Value) -> str:
    letters, others = folded(_text(letters)), _text(others)
    if len(letters) != len(others):
        raise SqlServerError(9828)
    return "".join(others[letters.index(folded(each))] if folded(each) in letters else each for each in text)


def _char(number: int | None) -> str | None:
    return bytes([number]).decode("cp1254", "replace") if number is not None and 0 <= number <= 255 else None


def _nchar(number: int | None) -> str | None:
    return chr(number) if number is not None and 0 <= number <= 0xFFFF else None


FUNCTIONS: dict[str, tuple[tuple[int, ...], Callable[..., Value]]] = {
    "PATINDEX": ((2,), _of_texts(_patindex)),
    "LIKE": ((2,), _of_texts(lambda pattern, text: like(folded(pattern)).match(folded(_text(text))) is not None)),
    "CHARINDEX": ((2, 3), _of_texts(_charindex)),
    "SUBSTRING": ((3,), _of_texts(_substring)),
    "LEFT": ((2,), _of_texts(lambda text, length: _substring(text, 1, length))),
    "RIGHT": ((2,), _of_texts(_right)),
    "LEN": ((1,), _of_texts(lambda text: len(text.rstrip(" ")))),
    "REVERSE": ((1,), _of_texts(lambda text: text[::-1])),
    "LTRIM": ((1,), _of_texts(lambda text: text.lstrip(" "))),
    "RTRIM": ((1,), _of_texts(lambda text: text.rstrip(" "))),
    "REPLACE": ((3,), _of_texts(_replace)),
    "TRANSLATE": ((3,), _of_texts(_translate)),
    "STUFF": ((4,), _stuff),
    "CONCAT": ((-1,), lambda *values: "".join(_text(value) for value in values if value is not None)),
    "ISNULL": ((2,), lambda value, other: other if value is None else value),
    "CHAR": ((1,), _char),
    "NCHAR": ((1,), _nchar),
    "SERVERPROPERTY": ((1,), lambda name: "15.0.4312.2" if name == "ProductVersion" else None),
    "SCHEMA_NAME": ((0,), lambda: "dbo"),
    "DB_NAME": ((0,), lambda: "crm"),
}
"""By name, the numbers of arguments and the function."""
