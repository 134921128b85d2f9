"""Finds numbers in messy phone columns, in two ways; both find candidates, whose numbers are checked afterwards.

The thorough way: the caller's digits, in their order, with anything between them: `LIKE '%5%3%2%...'`. It finds the
number wherever it stands and however it is written, reads the whole table for it, and is cheap for each row.

The fast way: a field such as `+90 (532) 111-22-33 / 0533 444 55 66` begins with one number and ends with another, so
two keys find it: its first ten digits, without zeros and the home country's code before them, and its last ten. They
are made of functions that each database takes for indexes or for computed columns. Ten digits are a whole number in
Turkey, and enough to find few candidates elsewhere.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from proxy.adapter import PhoneNumber

IN_ORDER, FIRST_TEN, LAST_TEN = "in_order", "first_ten", "last_ten"
"""The placeholders: a pattern for LIKE, and what the keys are compared with."""

_SEPARATORS = (" ", "-", "(", ")", "/", ".", "+", "[", "]", "_")
_LETTERS = "abcçdefgğhıijklmnoöpqrsştuüvwxyz"
_NO_DIGITS = _LETTERS + "".join({"i": "Iİ", "ı": ""}.get(letter, letter.upper()) for letter in _LETTERS) + ":;,#*"


@dataclass(frozen=True, slots=True)
class Spellings:
    """How one kind of database computes the keys. `parts` are the columns that together hold one number."""

    joined: Callable[[Sequence[str]], str]
    """The text of several columns, one after another; an empty one counts as nothing"""
    first_ten: Callable[[str, str], str]
    """Takes a text and the home country's code"""
    last_ten: Callable[[str], str]
    bound: str = ":%s"
    """How a placeholder is written so that the column's index is used"""
    like: str = "%s LIKE :in_order"
    """How a text is compared with the pattern"""

    def caller_in(self, numbers: Sequence[Sequence[str]]) -> str:
        """Return the thorough condition: one of the numbers, each in one or several columns, may be the caller's."""
        return f"({' OR '.join(self.like % self.joined(parts) for parts in numbers)})"

    def caller_at_ends(self, numbers: Sequence[Sequence[str]], country_code: str) -> str:
        """Return the fast condition: a column begins or ends with what may be the caller's number."""
        first, last = self.bound % FIRST_TEN, self.bound % LAST_TEN
        comparisons = [
            comparison
            for text in map(self.joined, numbers)
            for comparison in (f"{self.first_ten(text, country_code)} = {first}", f"{self.last_ten(text)} = {last}")
        ]
        return f"({' OR '.join(comparisons)})"


def keys_of(number: PhoneNumber) -> dict[str, str]:
    """Return what the placeholders stand for."""
    comes_from_abroad = number.subscriber.startswith("00")
    begins = number.digits if comes_from_abroad else number.subscriber
    return {IN_ORDER: f"%{'%'.join(begins)}%", FIRST_TEN: begins[:10], LAST_TEN: number.digits[-10:]}


def _replaced(text: str, replacements: Sequence[tuple[str, str]]) -> str:
    for old, new in replacements:
        text = f"replace({text}, '{old}', '{new}')"
    return text


def _without_separators(text: str, characters: Sequence[str]) -> str:
    """Return a text without separators; `characters` make the tab, the no-break space and the dash."""
    bare = _replaced(text, [(separator, "") for separator in _SEPARATORS])
    for character in characters:
        bare = f"replace({bare}, {character}, '')"
    return bare


def _without_prefix(text: str, country_code: str) -> str:
    """Return what is behind the mark `^` with which `text` begins, without zeros and the country's code after it.

    Two zeros are enough: each further function brings a statement nearer to the depth that SQLite can read.
    """
    zero = ("^0", "^")
    return f"substr({_replaced(text, [zero, zero, ('^' + country_code, '^'), zero])}, 2, 10)"


def _of_postgresql() -> Spellings:
    def digits(text: str) -> str:
        return f"regexp_replace({text}, '[^0-9]', '', 'g')"

    def joined(parts: Sequence[str]) -> str:
        if len(parts) == 1:
            return f"CAST({parts[0]} AS text)"
        return "(" + " || ".join(f"COALESCE(CAST({part} AS text), '')" for part in parts) + ")"

    return Spellings(
        joined,
        lambda text, code: f"substr(regexp_replace({digits(text)}, '^0*({code})?0*', ''), 1, 10)",
        lambda text: f"right({digits(text)}, 10)",
    )


def _of_mysql() -> Spellings:
    def digits(text: str) -> str:
        return f"REGEXP_REPLACE({text}, '[^0-9]', '')"

    return Spellings(
        lambda parts: parts[0] if len(parts) == 1 else f"CONCAT_WS('', {', '.join(parts)})",
        lambda text, code: f"LEFT(REGEXP_REPLACE({digits(text)}, '^0*({code})?0*', ''), 10)",
        lambda text: f"RIGHT({digits(text)}, 10)",
    )


def _of_oracle() -> Spellings:
    def digits(text: str) -> str:  # Oracle takes no regular expression for an index
        return f"TRANSLATE({text}, '0123456789' || {text}, '0123456789')"

    return Spellings(
        lambda parts: parts[0] if len(parts) == 1 else f"({' || '.join(parts)})",
        lambda text, code: f"SUBSTR(LTRIM(REPLACE('^' || LTRIM({digits(text)}, '0'), '^{code}', ''), '^0'), 1, 10)",
        lambda text: f"SUBSTR({digits(text)}, -LEAST(10, LENGTH({digits(text)})))",
    )


def _of_sqlite() -> Spellings:
    def joined(parts: Sequence[str]) -> str:
        return parts[0] if len(parts) == 1 else "(" + " || ".join(f"COALESCE({part}, '')" for part in parts) + ")"

    def bare(text: str) -> str:
        return f"trim({_without_separators(text, ('char(9)', 'char(160)', 'char(8211)'))}, '{_NO_DIGITS}')"

    return Spellings(
        joined,
        lambda text, code: _without_prefix(f"'^' || {bare(text)}", code),
        lambda text: f"substr({bare(text)}, -10)",
    )


def _of_sql_server() -> Spellings:
    def bare(text: str) -> str:
        # Compared byte by byte, which is many times faster than by a language's rules; and as NVARCHAR, as no index
        # may depend on how the letters of one code page become those of another.
        text = f"CAST({text} AS nvarchar(200)) COLLATE Latin1_General_BIN2"
        return _without_separators(text, ("NCHAR(9)", "NCHAR(160)", "NCHAR(8211)"))

    def from_first_digit(text: str, length: int) -> str:
        return f"SUBSTRING({text}, PATINDEX('%[0-9]%', CONCAT({text}, '0')), {length})"

    def first_ten(text: str, code: str) -> str:
        begins = f"CONCAT('^', {from_first_digit(bare(text), 20)})"
        return f"CAST({_without_prefix(begins, code).replace('substr(', 'SUBSTRING(')} AS varchar(10))"

    def last_ten(text: str) -> str:
        return f"CAST(REVERSE({from_first_digit(f'REVERSE({bare(text)})', 10)}) AS varchar(10))"

    return Spellings(
        lambda parts: parts[0] if len(parts) == 1 else f"CONCAT({', '.join(parts)})",
        first_ten,
        last_ten,
        bound="CAST(:%s AS varchar(10))",
        like="CAST(%s AS nvarchar(200)) COLLATE Latin1_General_BIN2 LIKE :in_order",
    )


SPELLINGS: Mapping[str, Spellings] = {
    "sqlite": _of_sqlite(),
    "postgresql": _of_postgresql(),
    "mariadb": _of_mysql(),
    "mysql": _of_mysql(),
    "mssql": _of_sql_server(),
    "oracle": _of_oracle(),
}
"""By the kind of database."""
