from typing import Any

import pytest

from adapters.sql.spellings import SPELLINGS
from adapters.sql.statement import Statement, read_statement


def read(written: str, kind: str = "postgresql", **named: Any) -> Statement:
    return read_statement(written, **{"kind": kind, "literals": {}, "country_code": "90", **named})


def sql(written: str, kind: str = "postgresql", **named: Any) -> str:
    return read(written, kind, **named).clause.text


class TestLiterals:
    def test_a_literal_is_put_in_wherever_it_stands(self) -> None:
        written = (
            """SELECT '{firm}' AS firm FROM LG_{firm}_CLCARD JOIN [LG_{firm}_{period}_X] ON 1 = 1 WHERE a = :digits"""
        )
        assert sql(written, "mssql", literals={"firm": "001", "period": "01"}) == (
            "SELECT '001' AS firm FROM LG_001_CLCARD JOIN [LG_001_01_X] ON 1 = 1 WHERE a = :digits"
        )

    @pytest.mark.parametrize("written", ["'{a,b}'", "'{\"x\": {}}'", "'{unknown}'", '"{unknown}"', "/* {unknown} */ 1"])
    def test_braces_in_texts_names_and_comments_that_are_no_literal_are_left(self, written: str) -> None:
        assert sql(f"SELECT {written} FROM t WHERE a = :digits") == f"SELECT {written} FROM t WHERE a = :digits"

    @pytest.mark.parametrize("brace", ["{unknown}", "{}", "{ fn now() }", "{firm }"])
    def test_other_braces_are_refused(self, brace: str) -> None:
        with pytest.raises(ValueError, match=r"not in literals - allowed: \{firm\}, \{caller_in\(column\)\}"):
            sql(f"SELECT {brace} FROM t WHERE a = :digits", literals={"firm": "1"})


class TestMacros:
    COLUMNS = "SELECT phone AS number FROM t WHERE "

    @pytest.mark.parametrize("kind", SPELLINGS)
    def test_caller_in_looks_for_the_digits_in_their_order(self, kind: str) -> None:
        spellings = SPELLINGS[kind]
        statement = read(self.COLUMNS + "{caller_in(phone, area + local)} AND x = 1", kind)
        compared = [spellings.like % spellings.joined(parts) for parts in (["phone"], ["area", "local"])]
        assert statement.clause.text == f"{self.COLUMNS}({' OR '.join(compared)}) AND x = 1"
        assert statement.names == {"in_order"}
        assert statement.finds_candidates

    @pytest.mark.parametrize("kind", SPELLINGS)
    def test_caller_at_ends_compares_both_keys_of_each_number(self, kind: str) -> None:
        spellings = SPELLINGS[kind]
        statement = read(self.COLUMNS + "{caller_at_ends(phone, area + local)} AND x = 1", kind)
        keys = [
            key
            for text in (spellings.joined(["phone"]), spellings.joined(["area", "local"]))
            for key in (spellings.first_ten(text, "90"), spellings.last_ten(text))
        ]
        assert list(statement.keys) == keys
        first, last = spellings.bound % "first_ten", spellings.bound % "last_ten"
        comparisons = [f"{key} = {first if place % 2 == 0 else last}" for place, key in enumerate(keys)]
        assert statement.clause.text == f"{self.COLUMNS}({' OR '.join(comparisons)}) AND x = 1"
        assert statement.names == {"first_ten", "last_ten"}
        assert statement.finds_candidates

    def test_a_key_alone_is_an_expression(self) -> None:
        statement = read(self.COLUMNS + "{last_ten( phone )} = :last_ten")
        (key,) = statement.keys
        assert statement.clause.text == f"{self.COLUMNS}{key} = :last_ten"
        assert key == "right(regexp_replace(CAST(phone AS text), '[^0-9]', '', 'g'), 10)"

    def test_the_home_countrys_code_is_the_one_that_goes(self) -> None:
        for kind in SPELLINGS:
            expanded = sql(self.COLUMNS + "{caller_at_ends(phone)}", kind, country_code="49")
            assert "49" in expanded
            assert "90" not in expanded

    def test_columns_may_be_quoted_and_be_expressions(self) -> None:
        written = self.COLUMNS + '{caller_in("GSM, No }", COALESCE(a, b), "a+b" + c)}'
        expanded = sql(written)
        for part in (
            'CAST("GSM, No }" AS text)',
            "CAST(COALESCE(a, b) AS text)",
            'CAST("a+b" AS text)',
            "CAST(c AS text)",
        ):
            assert part in expanded

    @pytest.mark.parametrize("inside", ["", "a, ", "a + ", " + a", "a, , b"])
    def test_a_missing_column_is_told(self, inside: str) -> None:
        with pytest.raises(ValueError, match="without a column in it"):
            sql(self.COLUMNS + f"{{caller_in({inside})}}")

    def test_whoever_compares_digits_must_return_numbers(self) -> None:
        for compared in ("{caller_in(phone)}", "a LIKE :in_order", "a = :first_ten", "a = :last_ten"):
            with pytest.raises(ValueError, match="compares digits and has no column called number"):
                sql(f"SELECT name FROM t WHERE {compared}")
            for column in ("phone AS number", "phone AS NUMBER2", "phone number_3", "*"):
                sql(f"SELECT {column} FROM t WHERE {compared}")

    def test_a_word_in_a_comment_is_no_column(self) -> None:
        with pytest.raises(ValueError, match="no column called number"):
            sql("SELECT name /* number */ FROM t WHERE {caller_in(phone)}")


class TestNumbers:
    @pytest.mark.parametrize("written", ["IN :numbers", "in (:numbers)", "NOT IN ( :numbers )", "IN\n  :numbers"])
    def test_a_list_stands_behind_in(self, written: str) -> None:
        statement = read(f"SELECT a FROM t WHERE a {written}")
        assert "IN :numbers" in statement.clause.text
        assert statement.clause._bindparams["numbers"].expanding

    @pytest.mark.parametrize(
        "written", ["= :numbers", "IN (:numbers, 'x')", "IN (:digits, :numbers)", "= ANY(:numbers)"]
    )
    def test_and_nowhere_else(self, written: str) -> None:
        with pytest.raises(ValueError, match="has :numbers in another place than behind IN"):
            read(f"SELECT a FROM t WHERE a {written}")


class TestReadingOnly:
    @pytest.mark.parametrize(
        "written",
        [
            "SELECT updated, is_deleted, call_count FROM calls WHERE a = :digits",
            'SELECT "update", t.delete FROM t WHERE a = :digits',
            "SELECT insert('abc', 1, 1, 'x'), truncate(balance, 0), replace(a, 'b', 'c') FROM t WHERE a = :digits",
            "SELECT 'DROP TABLE t; DELETE' FROM t WHERE a = :digits -- UPDATE",
            "SELECT @update FROM t WHERE a = :digits",
        ],
    )
    def test_words_that_only_look_like_writing_are_taken(self, written: str) -> None:
        assert sql(written, "mariadb") == written

    @pytest.mark.parametrize(
        ("written", "word"),
        [
            ("SELECT a FROM t WHERE a = :digits FOR UPDATE", "UPDATE"),
            ("SELECT a INTO b FROM t WHERE a = :digits", "INTO"),
            ("SELECT a FROM t WHERE a = :digits INTO OUTFILE '/tmp/x'", "INTO"),
            ("SELECT a FROM t WHERE a = :digits DELETE FROM t", "DELETE"),
            ("WITH x AS (SELECT 1) INSERT t SELECT * FROM x WHERE a = :digits", "INSERT"),
            ("WITH x AS (SELECT 1) MERGE t USING x ON a = :digits", "MERGE"),
            ("SELECT a FROM t WHERE a = :digits EXEC('drop table t')", "EXEC"),
            ("SELECT a FROM t WHERE a = :digits\nTRUNCATE TABLE t", "TRUNCATE"),
        ],
    )
    def test_writing_is_refused(self, written: str, word: str) -> None:
        with pytest.raises(ValueError, match=f"has {word} in it - allowed: one SELECT, which only reads"):
            sql(written, "mssql")

    @pytest.mark.parametrize("verb", ["EXEC", "execute", "CALL"])
    def test_a_procedure_is_run_only_where_that_is_allowed(self, verb: str) -> None:
        written = f"{verb} dbo.find_caller :national"
        with pytest.raises(ValueError, match="runs a procedure, which may write - allowed: one SELECT"):
            sql(written, "mssql")
        assert sql(written, "mssql", procedures=True) == written
        with pytest.raises(ValueError, match="has a second statement"):
            sql(f"{written}; SELECT 1", "mssql", procedures=True)
        with pytest.raises(ValueError, match="has DROP in it"):
            sql(f"{written} DROP TABLE t", "mssql", procedures=True)

    def test_a_procedure_need_not_name_its_columns(self) -> None:
        assert sql("EXEC dbo.find_caller :first_ten", "mssql", procedures=True)

    def test_a_quoted_name_of_sql_server_is_not_looked_into(self) -> None:
        written = "SELECT [it's; DROP --] FROM t WHERE a = :digits"
        assert sql(written, "mssql") == written

    @pytest.mark.parametrize("comment", ["/*! , secret */", "/*!50000 , secret */", "/*M! , secret */"])
    def test_a_comment_that_is_run_is_refused(self, comment: str) -> None:
        with pytest.raises(ValueError, match="has a comment that MySQL runs"):
            sql(f"SELECT a {comment} FROM t WHERE a = :digits", "mysql")


def test_only_fields_of_contacts_are_bound_as_national_text_on_sql_server() -> None:
    statement = read(
        "SELECT phone AS number FROM t WHERE a = :owner AND b = :last_ten AND c = :customer_number", "mssql"
    )
    types = {name: type(bound.type).__name__ for name, bound in statement.clause._bindparams.items()}
    assert types == {"owner": "Unicode", "last_ten": "String", "customer_number": "String"}


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("mariadb", "SELECT a FROM t WHERE a = :digits AND 1=1--1; DELETE FROM x"),
        ("mariadb", "SELECT 'a\\' , '; DELETE FROM x; -- '\n FROM t WHERE a = :digits"),
        ("mysql", "SELECT a$$ ; DELETE FROM t; SELECT a$$ FROM t WHERE p = :digits"),
        ("mariadb", "SELECT a FROM t WHERE a = :digits AND 1--1 INTO OUTFILE '/tmp/x'"),
        ("postgresql", "SELECT E'a\\'; DELETE FROM t; --' FROM t WHERE a = :digits"),
        ("postgresql", "SELECT a$x$ ; DELETE FROM t; SELECT 1 AS a$x$ FROM t WHERE a = :digits"),
        ("postgresql", "SELECT set_config('default_transaction_read_only', 'off', false) WHERE 'a' = :digits"),
        ("mssql", "SELECT 1DELETE FROM t WHERE phone = :e164"),
        ("mssql", "SELECT 1.DELETE FROM t WHERE phone = :e164"),
        ("mssql", "SELECT 1 AS a$x$ DELETE FROM t WHERE p = 1 SELECT a$x$ FROM t WHERE phone = :e164"),
        ("mssql", "SELECT a FROM t WHERE phone = :e164 SHUTDOWN"),
        ("mssql", "SELECT a FROM t WHERE phone = :e164 DENY SELECT ON t TO public"),
        ("mssql", "SELECT a FROM t WHERE phone = :e164 SET ROWCOUNT 0"),
        ("mssql", "SELECT * FROM OPENQUERY(l, 'DELETE FROM t') WHERE phone = :e164"),
        ("postgresql", "SELECT $x$ :digits $x$"),
    ],
)
def test_no_quoting_of_a_database_hides_what_would_write(kind: str, written: str) -> None:
    with pytest.raises(ValueError, match=r" - allowed: "):
        sql(written, kind)


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("mariadb", "SELECT 2--1, a FROM t # it's; a comment\n WHERE a = :digits -- it's one too"),
        ("postgresql", "SELECT $$ it's; $$, $q$ DELETE $q$ FROM t WHERE a = :digits"),
        ("sqlite", "SELECT [update], [it's] FROM t WHERE a = :digits"),
        ("mssql", "SELECT [it]]s; DELETE], col1update, t1.[set] FROM t WHERE a = :digits"),
        ("postgresql", "(SELECT a FROM t WHERE a = :digits) UNION (SELECT b FROM t)"),
        ("sqlite", "\ufeffSELECT bulk, backup FROM t WHERE a = :digits;\n;\n"),
        ("mssql", "SELECT phone AS [number] FROM t WHERE {caller_in(phone)}"),
        ("oracle", 'SELECT phone AS "number" FROM t WHERE {caller_in(phone)}'),
        ("mssql", "SELECT [number] = phone FROM t WHERE {caller_in(phone)}"),
    ],
)
def test_ordinary_statements_of_each_database_are_taken(kind: str, written: str) -> None:
    assert sql(written, kind)
