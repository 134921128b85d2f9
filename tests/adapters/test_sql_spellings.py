import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import sqlglot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.sql.spellings import FIRST_TEN, LAST_TEN, SPELLINGS, keys_of
from proxy.errors import InvalidNumber
from proxy.phone import parse_number
from proxy.testing import phone
from tests.adapters.customers import AT_ENDS, BY_CALLER_IN, DOCUMENTATION, Asked, Customers
from tests.adapters.spelled import fields, numbers, unusual_fields
from tests.adapters.sql_crm import opened
from tests.servers import Postgres
from tests.tds_server import TdsServer
from tests.tsql import Database

SPELLED = (*fields(numbers(400, seed=1)), *unusual_fields())
"""Each spelling at least twice"""

ALL = frozenset(SPELLINGS)
MISSED = (
    ("0533 222 33 44, 0532 111 22 33, 0212 555 10 10", "0532 111 22 33", ALL),
    ("2. no: 0532 111 22 33 dahili 12", "0532 111 22 33", ALL),
    ("444 0 123 / 11", "444 0 123", ALL),
    ("0532\u2014111\u201422\u201433", "0532 111 22 33", frozenset({"sqlite", "mssql"})),
    ("444 0 123 (iş)", "444 0 123", frozenset({"mssql"})),
)
"""What docs/sql.md tells not to be found at the ends of a field, the number in it, and in which kinds of databases"""

Keys = list[tuple[str, str]]


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def customers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Customers]:
    servers = {"postgresql": "postgres", "mariadb": "mariadb"}
    server = request.getfixturevalue(servers[request.param]) if request.param in servers else None
    table = Customers(request.param, tmp_path, server)
    yield table
    table.run("DROP TABLE customers;")


def is_valid(number: str) -> bool:
    try:
        parse_number(number, "TR")
    except InvalidNumber:
        return False
    return True


@st.composite
def spelled_at_random(draw: st.DrawFn, ten: str) -> str:
    separators = st.sampled_from(["", "", "", " ", "  ", "-", ".", "/", "(", ")", "\u00a0", "\t", "\u2013", "_", " - "])
    country = draw(st.sampled_from(["", "0", "90", "+90", "0090", "090", "+90 0", "00 90 (0)"]))
    before = draw(st.sampled_from(["", "", " ", "Tel: ", "GSM:", "İş Tel. (", "Ayşe Hanım, "]))
    behind = draw(st.sampled_from(["", "", " ", " (is)", " dahili 12", " ext. 5", ") Ayşe Hanım", " x1234"]))
    return before + country + "".join(draw(separators) + digit for digit in ten) + behind


class TestLookup:
    @pytest.mark.parametrize("statement", [BY_CALLER_IN, AT_ENDS])
    async def test_every_spelling_of_a_number_is_found(self, customers: Customers, statement: str) -> None:
        customers.fill(enumerate(field.text for field in SPELLED))
        holders = defaultdict(set)
        for n, field in enumerate(SPELLED):
            for number in field.numbers:
                holders[number].add(n)
        async with customers.asked(statement) as crm:
            assert {number: await crm.who(number) for number in holders} == holders

    async def test_neighbours_are_nobody(self, customers: Customers) -> None:
        customers.fill(
            enumerate(["0532 111 22 33", "0532 111 22 33 / 0216 555 10 10", "+90 (532) 111-22-33 dahili 12"])
        )
        caller = "5321112233"
        one_digit_off = [
            caller[:n] + digit + caller[n + 1 :] for n in range(10) for digit in "0123456789" if digit != caller[n]
        ]
        same_end = ("0533 111 22 33", "0212 111 22 33", "0541 111 22 33", "0216 444 01 23")
        from_abroad = (
            "+49 532 111 22 33",
            "+49 216 5551010",
            "+44 532 111 2233",
            "+1 532 111 2233",
            "+7 532 111 22 33",
        )
        async with customers.asked() as crm:
            assert await crm.who("0532 111 22 33") == {0, 1, 2}
            for number in (*same_end, *from_abroad, *one_digit_off):
                if is_valid(number):
                    assert await crm.who(number) == set(), number

    async def test_a_foreigner_in_the_crm_is_no_caller_at_home(self, customers: Customers) -> None:
        customers.fill(enumerate(["+49 532 111 22 33", "0049 532 1112233 (is)", "495321112233", "49 532/111 22 33"]))
        async with customers.asked() as crm:
            assert await crm.who("0532 111 22 33") == set()
            assert await crm.who("+49 532 111 22 33") == {0, 1, 2, 3}

    @pytest.mark.parametrize("function", ["caller_in", "caller_at_ends"])
    async def test_a_number_in_several_columns_is_found(self, customers: Customers, function: str) -> None:
        split = [
            (None, "532", "1112233"),
            (None, "0532", "111 22 33"),
            (None, "(0532)", "111-22-33 dahili 12"),
            (None, None, "0532 111 22 33"),
            ("", "", "5321112233"),
            (None, "0532 111 22 33", None),
            ("90", "532", "111 22 33"),
            ("090", "532", "1112233"),
            ("+90", "0532", "1112233"),
            ("0090", "", "532 111 22 33"),
            ("49", "532", "1112233"),
            (None, "533", "1112233"),
            (None, None, None),
        ]
        customers.fill((n, None, *parts) for n, parts in enumerate(split))
        number = {
            "mariadb": "CONCAT_WS('', country, area, local)",
            "postgresql": "CONCAT(country, area, local)",
            "sqlite": "COALESCE(country, '') || COALESCE(area, '') || COALESCE(local, '')",
        }
        statement = (
            f"SELECT id, {number[customers.kind]} AS number FROM customers WHERE {{{function}(country + area + local)}}"
        )
        async with customers.asked(statement) as crm:
            assert await crm.who("0532 111 22 33") == set(range(10))
            assert await crm.who("+49 532 111 22 33") == {10}

    async def test_several_columns_are_looked_through(self, customers: Customers) -> None:
        customers.fill([(1, "0532 111 22 33", None, None, "0212 555 10 10"), (2, None, None, None, "(532) 1112233")])
        statement = "SELECT id, phone AS number, local AS number2 FROM customers WHERE {caller_in(phone, local)}"
        async with customers.asked(statement) as crm:
            assert await crm.who("0532 111 22 33") == {1, 2}
            assert await crm.who("0212 555 10 10") == {1}

    @pytest.mark.parametrize("statement", [BY_CALLER_IN, AT_ENDS])
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    async def test_a_number_is_found_however_it_is_spelled(
        self, customers: Customers, statement: str, data: st.DataObject
    ) -> None:
        tens = data.draw(st.lists(st.sampled_from(numbers(500, seed=2)), min_size=2, max_size=30, unique=True))
        *held, other = tens
        customers.fill(enumerate(data.draw(spelled_at_random(ten)) for ten in held))
        async with customers.asked(statement) as crm:
            assert [await crm.who(f"0{ten}") for ten in held] == [{n} for n in range(len(held))]
            assert await crm.who(f"0{other}") == set()

    async def test_what_is_documented_as_missed_at_the_ends_is_missed_there_only(self, customers: Customers) -> None:
        customers.fill(enumerate(text for text, _, _ in MISSED))
        async with customers.asked(AT_ENDS) as at_ends, customers.asked() as anywhere:
            for n, (_, number, kinds) in enumerate(MISSED):
                assert (n in await at_ends.who(number)) == (customers.kind not in kinds)
                assert n in await anywhere.who(number)


class TestOtherDatabases:
    """What the databases that cannot be started here make of a field, by what is documented of their functions."""

    @pytest.mark.parametrize("kind", ["mssql", "oracle"])
    def test_every_spelling_of_a_number_is_found(self, kind: str) -> None:
        found = zip(SPELLED, KEYS_IN[kind]([field.text for field in SPELLED]), strict=True)
        assert [field for field, keys in found if not all(is_found(number, keys) for number in field.numbers)] == []

    @pytest.mark.parametrize("kind", ["mssql", "oracle"])
    def test_what_is_documented_as_missed_is_missed(self, kind: str) -> None:
        found = zip(MISSED, KEYS_IN[kind]([text for text, _, _ in MISSED]), strict=True)
        assert [missed for missed, keys in found if is_found(missed[1], keys) == (kind in missed[2])] == []

    def test_what_is_missed_is_documented(self) -> None:
        told = DOCUMENTATION.read_text(encoding="utf-8")
        assert [text for text, _, _ in MISSED if f"`{text}`" not in told] == []

    def test_oracle_has_the_keys_of_postgresql(self, postgres: Postgres, tmp_path: Path) -> None:
        texts = [field.text for field in SPELLED]
        table = Customers("postgresql", tmp_path, postgres)
        table.fill(enumerate(texts))
        first, last = keys_of_phone("postgresql")
        found = postgres.sql(f"SELECT {first} || ' ' || {last} FROM customers ORDER BY id")
        table.run("DROP TABLE customers;")
        assert found.splitlines() == [" ".join(keys) for keys in keys_in_oracle(texts)]

    def test_mysql_has_the_expressions_of_mariadb(self) -> None:
        mysql, mariadb = (SPELLINGS[kind].caller_at_ends([["a"], ["b", "c"]], "90") for kind in ("mysql", "mariadb"))
        assert mysql == mariadb

    @pytest.mark.parametrize(("kind", "dialect"), [("mssql", "tsql"), ("oracle", "oracle"), ("mysql", "mysql")])
    def test_the_conditions_are_understood(self, kind: str, dialect: str) -> None:
        numbers = [["phone"], ["area", "local"]]
        for condition in (SPELLINGS[kind].caller_in(numbers), SPELLINGS[kind].caller_at_ends(numbers, "90")):
            parsed = sqlglot.parse_one(f"SELECT id FROM customers WHERE {condition}", dialect=dialect)
            assert not list(parsed.find_all(sqlglot.exp.Command))

    @pytest.mark.parametrize("statement", [BY_CALLER_IN, AT_ENDS])
    async def test_sql_server_is_asked_all_the_way(self, sql_server: TdsServer, statement: str) -> None:
        texts = ["+90 (532) 111-22-33 dahili 12", "Tel: 0216 555 10 10 / 532 111 22 33", "0049 532 111 22 33", None]
        sql_server.database.execute("CREATE TABLE customers (id INTEGER, phone TEXT COLLATE Turkish_CI_AS)")
        sql_server.database.executemany("INSERT INTO customers VALUES (?, ?)", enumerate(texts))
        async with opened(sql_server.url(), statement, "find") as adapter:
            crm = Asked(adapter)
            assert await crm.who("0532 111 22 33") == {0, 1}
            assert await crm.who("0216 555 10 10") == {1}
            assert await crm.who("+49 532 111 22 33") == {2}


def is_found(number: str, keys: tuple[str, str]) -> bool:
    wanted = keys_of(phone(number))
    return keys[0] == wanted[FIRST_TEN] or keys[1] == wanted[LAST_TEN]


def keys_of_phone(kind: str) -> tuple[str, str]:
    spellings = SPELLINGS[kind]
    text = spellings.joined(["phone"])
    return spellings.first_ten(text, "90"), spellings.last_ten(text)


def keys_in_sqlite(texts: Iterable[str]) -> Keys:
    connection = sqlite3.connect(":memory:")
    query = "SELECT {}, {} FROM (SELECT ? AS phone)".format(*keys_of_phone("sqlite"))
    return [connection.execute(query, (text,)).fetchone() for text in texts]


def keys_in_oracle(texts: Iterable[str]) -> Keys:
    """Oracle's TRANSLATE removes the letters that have no counterpart."""

    def translate(text: str, letters: str, others: str) -> str:
        places = ((each, letters.find(each)) for each in text)
        return "".join(each if place < 0 else others[place : place + 1] for each, place in places)

    connection = sqlite3.connect(":memory:")
    connection.create_function("TRANSLATE", 3, translate)
    connection.create_function("LEAST", 2, min)
    query = "SELECT {}, {} FROM (SELECT ? AS phone)".format(*keys_of_phone("oracle"))
    return [connection.execute(query, (text,)).fetchone() for text in texts]


def keys_in_sql_server(texts: Iterable[str]) -> Keys:
    database = Database()
    query = "SELECT {}, {} FROM (SELECT @text AS phone) AS field".format(*keys_of_phone("mssql"))
    rows = [database.run(query, {"text": text})[1][0] for text in texts]
    return [(str(first), str(last)) for first, last in rows]


KEYS_IN: dict[str, Callable[[Iterable[str]], Keys]] = {
    "sqlite": keys_in_sqlite,
    "oracle": keys_in_oracle,
    "mssql": keys_in_sql_server,
}
