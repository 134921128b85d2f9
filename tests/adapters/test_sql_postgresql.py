import asyncio
from collections.abc import Iterator

import pytest

from proxy.adapter import AdapterError, Unavailable
from proxy.detached import detach
from tests.adapters.sql_crm import AYSE, opened
from tests.servers import Postgres


class TestPostgres:
    @pytest.fixture
    def url(self, postgres: Postgres) -> Iterator[str]:
        postgres.sql(
            "DROP TABLE IF EXISTS people; CREATE TABLE people (digits TEXT, id BIGINT, name CHAR(20), balance NUMERIC,"
            " since DATE, key UUID, is_vip BOOL, tags TEXT[]);"
            "INSERT INTO people VALUES ('905301234567', 7, 'Ayşe Yılmaz', 12.50, '2020-01-31',"
            " '00000000-0000-0000-0000-000000000001', true, '{a,b}');"
            "DROP ROLE IF EXISTS reader, locked_out;"
            "CREATE OR REPLACE FUNCTION count_call(text) RETURNS text LANGUAGE sql AS"
            " 'DELETE FROM people WHERE digits = $1; SELECT $1';"
            "CREATE ROLE reader LOGIN; CREATE ROLE locked_out LOGIN PASSWORD 'right'"
        )
        yield postgres.url()
        postgres.thaw()
        postgres.start()

    async def test_types_of_its_own_become_plain(self, url: str) -> None:
        statement = "SELECT *, digits AS number FROM people WHERE digits = :digits"
        async with opened(url, statement, "find") as adapter:
            (contact,) = await adapter.lookup(AYSE)
        assert (contact.name, contact.id, contact.numbers) == ("Ayşe Yılmaz", "7", ("905301234567",))
        assert dict(contact.fields) == {
            "digits": "905301234567",
            "balance": 12.5,
            "since": "2020-01-31",
            "key": "00000000-0000-0000-0000-000000000001",
            "is_vip": True,
            "tags": "['a', 'b']",
        }

    @pytest.mark.parametrize(
        ("statement", "message"),
        [
            ("SELECT name FROM nobody WHERE a = :digits", "the statement names a table that does not exist"),
            ("SELECT nothing FROM people WHERE digits = :digits", "the statement names a column that does not exist"),
            ("SELECT name FROM people WHERE id = :digits", "use CAST"),
            ("SELECT name FROM people WHERE CAST(:e164 || 'x' AS bigint) = id", "a value is none of the type"),
            ("SELECT name people WHERE digits := :digits", "the database does not understand the statement"),
            ("SELECT count_call(:digits)", "the statement would write, and this connection only reads"),
        ],
    )
    async def test_a_wrong_statement_is_the_operators_to_mend(self, url: str, statement: str, message: str) -> None:
        async with opened(url, statement, "find") as adapter:
            with pytest.raises(AdapterError, match=message) as caught:
                await adapter.lookup(AYSE)
        assert not isinstance(caught.value, Unavailable)

    async def test_a_value_for_which_python_has_no_place_is_told(self, url: str) -> None:
        for odd in ("DATE '0044-03-15 BC'", "TIMESTAMP '20000-01-01'"):
            async with opened(url, f"SELECT {odd} AS since WHERE '' <> :digits", "find") as adapter:
                with pytest.raises(AdapterError, match="has a value for which Python has no place; CAST it to a text"):
                    await adapter.lookup(AYSE)

    async def test_a_cast_compares_a_number_column(self, url: str) -> None:
        statement = "SELECT name FROM people WHERE id + 905301234560 = CAST(:digits AS bigint)"
        async with opened(url, statement, "find") as adapter:
            assert [contact.name for contact in await adapter.lookup(AYSE)] == ["Ayşe Yılmaz"]

    async def test_a_user_without_rights_is_the_operators_to_mend(self, url: str, postgres: Postgres) -> None:
        async with opened(postgres.url("reader"), "SELECT name FROM people WHERE digits = :digits") as adapter:
            with pytest.raises(AdapterError, match="has no right to read") as caught:
                await adapter.lookup(AYSE)
        assert not isinstance(caught.value, Unavailable)

    @pytest.mark.parametrize(
        ("login", "message"),
        [
            (("locked_out", "postgres"), "refuses our user or password"),
            (("nobody", "postgres"), "refuses our user or password"),
            (("postgres", "nowhere"), "has no database of this name"),
        ],
    )
    async def test_a_wrong_login_is_the_operators_to_mend(
        self, url: str, postgres: Postgres, login: tuple[str, str], message: str
    ) -> None:
        async with opened(postgres.url(*login), "SELECT :digits", password="wrong") as adapter:
            with pytest.raises(AdapterError, match=message) as caught:
                await adapter.lookup(AYSE)
        assert not isinstance(caught.value, Unavailable)

    async def test_the_right_password_logs_in(self, url: str, postgres: Postgres) -> None:
        async with opened(postgres.url("locked_out"), "SELECT :digits", password="right") as adapter:
            await adapter.ping()

    async def test_a_statement_that_takes_too_long_is_ended_by_the_server(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("adapters.sql.databases.PATIENCE", 0.2)
        async with opened(url, "SELECT pg_sleep(20), :digits AS x") as adapter:
            with pytest.raises(Unavailable, match="the database took too long"):
                await adapter.lookup(AYSE)

    async def test_a_connection_that_the_server_has_ended_is_replaced(
        self, url: str, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("adapters.sql.connections.AT_ONCE", 10)
        async with opened(url, "SELECT name FROM people WHERE digits = :digits") as adapter:
            await adapter.lookup(AYSE)
            postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tanima'")
            assert len(await adapter.lookup(AYSE)) == 1

    async def test_a_changed_table_is_no_reason_to_give_up(self, url: str, postgres: Postgres) -> None:
        async with opened(url, "SELECT * FROM people WHERE digits = :digits") as adapter:
            await adapter.lookup(AYSE)
            postgres.sql("ALTER TABLE people ADD COLUMN more TEXT DEFAULT 'x'")
            try:
                (contact,) = await adapter.lookup(AYSE)
            except Unavailable:
                (contact,) = await adapter.lookup(AYSE)
            assert contact.value("more") == "x"

    async def test_a_statement_that_has_begun_keeps_its_connection_and_its_place(self, url: str) -> None:
        async with opened(url, "SELECT pg_sleep(0.3), pg_backend_pid() AS pid, :digits AS x", pool_size=1) as adapter:
            (first,) = await adapter.lookup(AYSE)
            left = detach(adapter.lookup(AYSE))
            await asyncio.sleep(0.05)
            waiting = detach(adapter.lookup(AYSE))
            await asyncio.sleep(0.05)
            left.cancel()
            waiting.cancel()
            await asyncio.wait({left, waiting}, timeout=0.1)
            assert left.cancelled()
            assert waiting.cancelled()
            (second,) = await adapter.lookup(AYSE)
            assert second.value("pid") == first.value("pid")

    async def test_closing_waits_for_statements_but_not_for_ever(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("adapters.sql.connections.LAST_STATEMENTS", 0.1)
        async with opened(url, "SELECT pg_sleep(20), :digits AS x") as adapter:
            lookup = detach(adapter.lookup(AYSE))
            await asyncio.sleep(0.2)
        with pytest.raises(Unavailable, match="the database took too long"):
            await lookup
