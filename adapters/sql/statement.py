"""Reads the operator's SQL: one SELECT, whose placeholders are bound and never pasted into it.

What stands in braces is put in when the configuration is read: a name from `literals`, such as the firm's number in
`LG_{firm}_CLCARD`, or one of the expressions of `adapters.sql.spellings`, such as `{caller_in(phone, mobile)}`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import BindParameter, String, TextClause, Unicode, bindparam, text
from sqlalchemy.types import TypeEngine

from adapters.placeholders import CUSTOMER_NUMBER, NUMBER_FORMS
from adapters.sql.spellings import FIRST_TEN, IN_ORDER, LAST_TEN, SPELLINGS, Spellings
from proxy.adapter import By

NUMBERS = "numbers"
"""The placeholder for all forms of the number, as a list"""

FORMS = (*NUMBER_FORMS, NUMBERS, IN_ORDER, FIRST_TEN, LAST_TEN)
"""What a placeholder may be when a contact is looked for by a phone number."""

CALLER_IN, CALLER_AT_ENDS = "caller_in", "caller_at_ends"

FUNCTIONS = (CALLER_IN, CALLER_AT_ENDS, FIRST_TEN, LAST_TEN)
"""What may stand in braces with columns behind it"""

_PLACEHOLDER = re.compile(r"(?<![:\w\\]):\w")
_CAST = re.compile(r"(?<![:\w\\]):(\w+)::")
_QUOTED = r"""/\*.*?\*/ | '(?:[^']|'')*' | "(?:[^"]|"")*" | `(?:[^`]|``)*`"""
_COMMENT = r"--[^\n]*"
_IN_BRACKETS = r"\[(?:[^\]]|\]\])*\]"
_MYSQL_COMMENTS = r"--(?=\s|$)[^\n]* | \#[^\n]*"  # two dashes alone are two minuses there
_IN_DOLLARS = r"(?<![\w$])\$((?:[A-Za-z_]\w*)?)\$.*?\$\1\$"
_NO_SQL = {
    kind: re.compile(" | ".join(parts), re.VERBOSE | re.DOTALL)
    for kind, parts in {
        "sqlite": (_QUOTED, _COMMENT, _IN_BRACKETS),
        "postgresql": (_QUOTED, _COMMENT, _IN_DOLLARS),
        "mariadb": (_QUOTED, _MYSQL_COMMENTS),
        "mysql": (_QUOTED, _MYSQL_COMMENTS),
        "mssql": (_QUOTED, _COMMENT, _IN_BRACKETS),
        "oracle": (_QUOTED, _COMMENT),
    }.items()
}
"""Comments, texts and quoted names of each kind of database: what looks like SQL in them is none."""

_WRITES = r"""(?<![\w.@#$]) (?:[0-9][0-9.]*)?          # SQL Server reads 1DELETE as two words
    (update|delete|merge|into|drop|alter|create|grant|revoke|exec|execute|call|set_config
      | (?:insert|truncate)(?!\s*\() %s              # which are functions too
    )(?![\w$#])"""
_WRITES_ANYWHERE = re.compile(_WRITES.replace("%s", ""), re.IGNORECASE | re.VERBOSE)
_WRITES_IN_SQL_SERVER = re.compile(
    _WRITES.replace(
        "%s",
        "|set|declare|deny|shutdown|kill|backup|restore|dbcc|disable|reconfigure|waitfor|bulk|writetext|updatetext"
        "|openquery|openrowset|opendatasource",
    ),
    re.IGNORECASE | re.VERBOSE,
)
"""Words that no reading statement has. Some databases take a second statement without a semicolon before it."""

_IN_LIST = re.compile(r"(?<=[\s)])in\s*\(?\s*:numbers\b(?!\s*,)(\s*\))?", re.IGNORECASE)
_PROCEDURE = re.compile(r"(exec|execute|call)\b", re.IGNORECASE)
_NUMBER_COLUMN = re.compile(r"\bnumber(_?[0-9]+)?\b|\*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that can be run."""

    clause: TextClause
    names: frozenset[str]
    """Of the placeholders"""
    keys: tuple[str, ...] = ()
    """The expressions for the first and the last ten digits of its columns: what indexes are made of"""
    is_procedure: bool = False
    """Whether it runs a procedure"""

    @property
    def by(self) -> By:
        """What it looks a caller up by; each statement by one of them."""
        return By.CUSTOMER_NUMBER if CUSTOMER_NUMBER in self.names else By.PHONE_NUMBER

    @property
    def finds_candidates(self) -> bool:
        """Whether each row must carry numbers to check, as it may be somebody else's."""
        return not self.names.isdisjoint({IN_ORDER, FIRST_TEN, LAST_TEN})


@dataclass(frozen=True, slots=True)
class Macro:
    """`{name(...)}` or `{name}` at a place of a statement."""

    start: int
    end: int
    name: str
    numbers: tuple[tuple[str, ...], ...] | None
    """Its arguments: the columns, or several that together hold one number; None when it has no parentheses"""


def read_statement(
    written: str, *, kind: str, literals: Mapping[str, str], country_code: str, procedures: bool = False
) -> Statement:
    """Return what the operator wrote as a statement for a kind of database.

    `procedures` allows EXEC and CALL. Raises ValueError for anything but one SELECT (or WITH) with its
    placeholders outside of quotes, and for braces that name nothing.
    """
    sql = re.sub(r"\{(\w+)\}", lambda match: literals.get(match[1], match[0]), written.lstrip("\ufeff")).strip()
    mask = masked(sql, kind)
    macros = list(macros_in(sql, mask))
    for macro in macros:
        _check_macro(macro, literals)
    _check_quotes(sql, mask, kind)
    _check(mask, kind, procedures=procedures)
    keys: list[str] = []
    for macro in reversed(macros):
        expansion = _expanded(macro, SPELLINGS[kind], country_code, keys)
        sql = sql[: macro.start] + expansion + sql[macro.end :]
    sql = _IN_LIST.sub("IN :numbers", sql.rstrip("; \t\r\n"))
    if re.search(r"(?<!IN )(?<![\w\\]):numbers\b", sql):
        raise ValueError("has :numbers in another place than behind IN - allowed: column IN :numbers")
    names = frozenset(text(sql).compile().params)
    statement = Statement(
        text(sql).bindparams(*(_parameter(name, kind) for name in names)),
        names,
        tuple(keys),
        is_procedure=_PROCEDURE.match(mask.strip()) is not None,
    )
    without_comments = re.sub(rf"{_COMMENT}|/\*.*?\*/", " ", written, flags=re.DOTALL)
    if statement.finds_candidates and not statement.is_procedure and not _NUMBER_COLUMN.search(without_comments):
        raise ValueError(
            f"compares digits and has no column called number - allowed: SELECT ..., phone AS number ... WHERE "
            f"{{{CALLER_IN}(phone)}}"
        )
    return statement


def masked(sql: str, kind: str) -> str:
    """Return a text of the same length with blanks in the place of comments, texts and quoted names."""

    def blank(match: re.Match[str]) -> str:
        return " " * len(match[0])

    return _NO_SQL[kind].sub(blank, sql)


def macros_in(sql: str, mask: str) -> Iterator[Macro]:
    """Yield what stands in braces outside of quotes. Raises ValueError for a brace that does not end."""
    end = 0
    while (start := mask.find("{", end)) >= 0:
        end = mask.find("}", start) + 1
        if not end:
            raise ValueError("has a brace that does not end - allowed: {name} or {caller_in(column)}")
        call = re.compile(r"\{\s*(\w*)\s*\((.*)\)\s*\}", re.DOTALL).fullmatch(mask, start, end)
        if call is None:
            yield Macro(start, end, sql[start + 1 : end - 1].strip(), None)
            continue
        spans = _split(mask, *call.span(2), ",")
        numbers = tuple(tuple(sql[slice(*part)].strip() for part in _split(mask, *span, "+")) for span in spans)
        yield Macro(start, end, call[1], numbers)


def _check_macro(macro: Macro, literals: Mapping[str, str]) -> None:
    functions = ", ".join(f"{{{name}(column)}}" for name in FUNCTIONS)
    if macro.numbers is None:
        named = "".join(f"{{{name}}}, " for name in literals)
        raise ValueError(f"has {{{macro.name}}}, which is not in literals - allowed: {named}{functions}")
    if macro.name not in FUNCTIONS:
        raise ValueError(f"has {{{macro.name}(...)}} - allowed: {functions}")
    if not all(part for number in macro.numbers for part in number):
        raise ValueError(f"has {{{macro.name}(...)}} without a column in it - allowed: a column, or area + number")
    if macro.name in {FIRST_TEN, LAST_TEN} and len(macro.numbers) != 1:
        raise ValueError(f"has {{{macro.name}(...)}} with several columns - allowed: one, or area + number")


def _check(mask: str, kind: str, *, procedures: bool) -> None:
    bare = mask.strip().rstrip("; \t\r\n")
    if ";" in bare:
        raise ValueError("has a second statement - allowed: one SELECT")
    if _PROCEDURE.match(bare):
        if not procedures:
            raise ValueError("runs a procedure, which may write - allowed: one SELECT; this with procedures = true")
        bare = bare.split(maxsplit=1)[-1]
    elif not re.match(r"[(\s]*(select|with)\b", bare, re.IGNORECASE):
        raise ValueError("does not begin with SELECT or WITH - allowed: one SELECT")
    if writes := (_WRITES_IN_SQL_SERVER if kind == "mssql" else _WRITES_ANYWHERE).search(bare):
        told = f"has {writes[1].upper()} in it - allowed: one SELECT, which only reads"
        raise ValueError(f"{told}; a column of that name in quotes")
    if cast := _CAST.search(bare):
        raise ValueError(f"has :{cast[1]}:: in it - allowed: CAST(:{cast[1]} AS type)")


def _check_quotes(sql: str, mask: str, kind: str) -> None:
    for quoted in _NO_SQL[kind].finditer(sql):
        if _PLACEHOLDER.search(quoted[0]):
            raise ValueError(
                "has a placeholder in quotes or a comment - allowed: a bare :name; in a text \\: for a colon"
            )
        if quoted[0].startswith(("/*!", "/*M!")):
            raise ValueError("has a comment that MySQL runs - allowed: one SELECT")
    if kind in {"postgresql", "mariadb", "mysql"} and re.search(r"\\['\"`]", sql):  # an escape, or not, by a setting
        raise ValueError("has a backslash before a quote - allowed: two quotes, for one in a text")
    if re.search(r"['\"`]|/\*|\*/", mask):
        raise ValueError("has a quote or a comment that does not end - allowed: one SELECT")


def _expanded(macro: Macro, spellings: Spellings, country_code: str, keys: list[str]) -> str:
    """Return what stands in the place of a macro, and add the expressions in it to `keys`."""
    numbers = macro.numbers or ()
    for text_ in map(spellings.joined, numbers):
        if macro.name != LAST_TEN:
            keys.append(spellings.first_ten(text_, country_code))
        if macro.name != FIRST_TEN:
            keys.append(spellings.last_ten(text_))
    if macro.name == CALLER_IN:
        return spellings.caller_in(numbers)
    return spellings.caller_at_ends(numbers, country_code) if macro.name == CALLER_AT_ENDS else keys[-1]


def _split(mask: str, start: int, end: int, at: str) -> list[tuple[int, int]]:
    """Return where the parts of `mask[start:end]` begin and end: between those places of `at` in no brackets."""
    parts, depth = [], 0
    for position in range(start, end):
        depth += (mask[position] in "([") - (mask[position] in ")]")
        if mask[position] == at and depth == 0:
            parts.append((start, position))
            start = position + 1
    return [*parts, (start, end)]


def _parameter(name: str, kind: str) -> BindParameter[str]:
    """Return a placeholder. Each is a text, so that what it is does not vary by contact."""
    # SQL Server uses no index of a VARCHAR column for an NVARCHAR value; a contact's field may have any letter.
    is_national: bool = kind == "mssql" and name not in {*FORMS, CUSTOMER_NUMBER}
    text_type: TypeEngine[str] = Unicode() if is_national else String()
    return bindparam(name, type_=text_type, expanding=name == NUMBERS)
