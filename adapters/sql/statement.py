"""Reads the operator's SQL: one SELECT, whose placeholders are bound and never pasted into it."""

import re
from collections.abc import Collection

from sqlalchemy import String, TextClause, bindparam, text

_PLACEHOLDER = re.compile(r"(?<![:\w\\]):\w")
_CAST = re.compile(r"(?<![:\w\\]):(\w+)::")
_NO_SQL = re.compile(
    r"""--[^\n]* | /\*.*?\*/                        # comments
    | '(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*`     # texts and quoted names
    | \$([A-Za-z_]\w*|)\$.*?\$\1\$                 # PostgreSQL's other way to write a text
    """,
    re.VERBOSE | re.DOTALL,
)


def check_statement(statement: str) -> None:
    """Raise ValueError for anything but one SELECT (or WITH) with its placeholders outside of quotes."""
    for quoted in _NO_SQL.finditer(statement):
        if _PLACEHOLDER.search(quoted[0]):
            raise ValueError(
                "has a placeholder in quotes or a comment - allowed: a bare :name; in a text \\: for a colon"
            )
    bare = _NO_SQL.sub(" ", statement).strip().removesuffix(";")
    if re.search(r"['\"`]", bare):
        raise ValueError("has a quote that does not end - allowed: one SELECT")
    if ";" in bare:
        raise ValueError("has a second statement - allowed: one SELECT")
    if not re.match(r"(select|with)\b", bare, re.IGNORECASE):
        raise ValueError("does not begin with SELECT or WITH - allowed: one SELECT")
    if cast := _CAST.search(bare):
        raise ValueError(f"has :{cast[1]}:: in it - allowed: CAST(:{cast[1]} AS type)")


def placeholders(statement: str) -> frozenset[str]:
    """Return the names of the placeholders."""
    return frozenset(text(statement).compile().params)


def prepared(statement: str, names: Collection[str]) -> TextClause:
    """Return the statement for SQLAlchemy. Every placeholder is a text, so that what it is does not vary by contact."""
    clause = text(statement.strip().removesuffix(";"))
    return clause.bindparams(*(bindparam(name, type_=String()) for name in names))
