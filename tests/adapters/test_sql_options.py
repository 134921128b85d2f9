import re
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy.pool import QueuePool

from adapters.sql import SqlAdapter, SqlConfig
from proxy.adapter import AdapterError, Unavailable
from tests.adapters.sql_crm import AYSE, config
from tests.servers import free_port
from tests.tds_server import TdsServer

URL = "sqlite+aiosqlite:///crm.db"
ODBC = pytest.param("mssql", marks=pytest.mark.odbc)


class TestOptions:
    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT 1 FROM t WHERE a = :digits",
            "  with x as (select 1) select * from x where a = :e164 ;  ",
            "-- who calls\nSELECT ';' FROM t WHERE a = :digits",
            "SELECT 'it''s 10:30', \"odd;column\" FROM t WHERE a = :national /* ; */",
            "SELECT a::text FROM t WHERE a = :international",
            r"SELECT 'a \:b' FROM t WHERE a = :digits",
        ],
    )
    def test_one_select_is_taken(self, statement: str) -> None:
        config(URL, statement, "find")

    @pytest.mark.parametrize(
        ("statement", "message"),
        [
            ("DELETE FROM t WHERE a = :digits", "does not begin with SELECT or WITH"),
            ("selection :digits", "does not begin with SELECT or WITH"),
            ("", "does not begin with SELECT or WITH"),
            ("SELECT 1 WHERE a = :digits; DELETE FROM t", "has a second statement"),
            ("SELECT 1 WHERE a = ':digits'", "has a placeholder in quotes or a comment"),
            ("SELECT 1 WHERE a LIKE '%:digits'", "has a placeholder in quotes or a comment"),
            ('SELECT ":digits"', "has a placeholder in quotes or a comment"),
            ("SELECT 1 -- :digits", "has a placeholder in quotes or a comment"),
            ("SELECT 1 /* :digits */", "has a placeholder in quotes or a comment"),
            ("SELECT 'a WHERE a = :digits", "has a quote or a comment that does not end"),
            ("SELECT 1 WHERE a = :digits::bigint", "has :digits:: in it - allowed: CAST(:digits AS type)"),
            ("SELECT 1", "names nothing to look for - allowed: one of :e164, :digits, :national, :subscriber, :intern"),
            ("SELECT 1 WHERE a = :nummer", ":nummer is no form of the caller's number - allowed: :e164, :digits"),
        ],
    )
    def test_anything_else_is_refused(self, statement: str, message: str) -> None:
        with pytest.raises(ValueError, match=re.escape(message)):
            config(URL, statement, "find")

    def test_an_enriching_source_gets_fields_and_no_numbers(self) -> None:
        config(URL, "SELECT 1 WHERE a = :owner", "enrich")
        with pytest.raises(
            ValueError, match=":digits is not known to an enriching source - allowed: the contact's fields"
        ):
            config(URL, "SELECT 1 WHERE a = :digits", "enrich")
        with pytest.raises(ValueError, match="names nothing to look for - allowed: a field of the contact"):
            config(URL, "SELECT 1", "enrich")

    def test_placeholders_are_taken_as_they_come_where_no_role_is_known(self) -> None:
        config(URL, "SELECT 1 WHERE a = :owner AND b = :digits")

    @pytest.mark.parametrize(
        ("url", "message"),
        [
            ("crm.db", "is no URL of a database - allowed: sqlite"),
            ("postgresql+asyncpg://user@host:port/crm", "is no URL of a database"),
            ("postgresql://user:hidden@host/crm", "names a database or a driver that is not supported"),
            ("sqlite:///crm.db", "names a database or a driver that is not supported"),
            ("oracle+nonsense://host/crm", "names a database or a driver that is not supported"),
            ("sqlite+aiosqlite://", "names no plain file"),
            ("sqlite+aiosqlite:///:memory:", "names no plain file"),
            ("sqlite+aiosqlite:///file:crm.db?uri=true&mode=rwc", "names no plain file"),
            ("sqlite+aiosqlite:///crm.db?mode=rwc", "names no plain file"),
        ],
    )
    def test_urls_of_other_things_are_refused(self, url: str, message: str) -> None:
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            config(url, "SELECT 1 WHERE a = :digits")
        assert "hidden" not in str(caught.value)

    @pytest.mark.parametrize(
        ("url", "module", "install"),
        [
            ("postgresql+asyncpg://user@host/crm", "asyncpg", "pip install 'tanima[postgresql]'"),
            ("mariadb+aiomysql://user@host/crm", "aiomysql", "pip install 'tanima[mariadb]'"),
            ("mysql+aiomysql://user@host/crm", "aiomysql", "pip install 'tanima[mysql]'"),
            ("mssql+pyodbc://user@host/crm", "pyodbc", "pip install 'tanima[mssql]' and unixODBC (libodbc2)"),
            ("mssql+aioodbc://user@host/crm", "pyodbc", "pip install 'tanima[mssql]' and unixODBC (libodbc2)"),
            ("oracle+oracledb_async://user@host/?service_name=crm", "oracledb", "pip install 'tanima[oracle]'"),
        ],
    )
    def test_a_missing_driver_is_named_by_its_extra(
        self, monkeypatch: pytest.MonkeyPatch, url: str, module: str, install: str
    ) -> None:
        monkeypatch.setitem(sys.modules, module, None)
        told = re.escape(f"needs a driver that is not installed - allowed: after {install}")
        with pytest.raises(ValueError, match=told):
            config(url, "SELECT 1 WHERE a = :digits")
        parts = {"kind": url.partition("+")[0], "host": "host", "database": "crm"}
        with pytest.raises(ValueError, match=told):
            SqlConfig.model_validate({**parts, "statement": "SELECT 1 WHERE a = :digits"})

    def test_the_password_is_not_shown_and_can_come_from_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "password").write_text("hidden\n", encoding="ascii")
        options = config(
            "postgresql+asyncpg://u@h/crm", "SELECT 1 WHERE a = :digits", folder=tmp_path, password_file="password"
        )
        assert "hidden" not in repr(options)
        assert options.make_engine().url.password == "hidden"


class TestParts:
    PLACE: ClassVar[dict[str, Any]] = {"host": "db.example.com", "database": "crm", "user": "reader"}

    @pytest.mark.parametrize(
        ("kind", "further", "url"),
        [
            ("postgresql", {}, "postgresql+asyncpg://reader:p%40ss%2Fw%3Ard@db.example.com/crm"),
            ("mariadb", {"port": 3307}, "mariadb+aiomysql://reader:p%40ss%2Fw%3Ard@db.example.com:3307/crm"),
            ("mysql", {}, "mysql+aiomysql://reader:p%40ss%2Fw%3Ard@db.example.com/crm"),
            pytest.param(
                "mssql",
                {"driver_options": {"driver": "FreeTDS", "TrustServerCertificate": "yes"}},
                "mssql+pyodbc://reader:p%40ss%2Fw%3Ard@db.example.com/crm?TrustServerCertificate=yes&driver=FreeTDS",
                marks=pytest.mark.odbc,
            ),
            ("oracle", {}, "oracle+oracledb_async://reader:p%40ss%2Fw%3Ard@db.example.com?service_name=crm"),
        ],
    )
    def test_they_make_the_url_and_the_password_may_have_any_sign(
        self, kind: str, further: dict[str, Any], url: str, tmp_path: Path
    ) -> None:
        (tmp_path / "password").write_text("p@ss/w:rd\n", encoding="ascii")
        options = SqlConfig.model_validate(
            {
                "kind": kind,
                **self.PLACE,
                **further,
                "password_file": "password",
                "statement": "SELECT 1 WHERE a = :e164",
            },
            context={"folder": str(tmp_path)},
        )
        assert options._whole_url().render_as_string(hide_password=False) == url

    def test_sqlite_needs_only_the_file(self, tmp_path: Path) -> None:
        options = SqlConfig.model_validate(
            {"kind": "sqlite", "database": "crm.db", "statement": "SELECT 1 WHERE a = :e164"},
            context={"folder": str(tmp_path)},
        )
        assert options.make_engine().url.database == f"file:{tmp_path / 'crm.db'}"

    @pytest.mark.odbc
    def test_sql_server_has_a_usual_driver(self) -> None:
        options = SqlConfig.model_validate({"kind": "mssql", **self.PLACE, "statement": "SELECT 1 WHERE a = :e164"})
        assert options.make_engine().url.query["driver"] == "ODBC Driver 18 for SQL Server"

    @pytest.mark.parametrize("kind", ["postgresql", "mariadb", "mysql", ODBC, "oracle", "sqlite"])
    def test_every_kind_has_a_small_pool_that_is_renewed_and_shows_no_values(self, kind: str) -> None:
        place = {"database": "crm.db"} if kind == "sqlite" else self.PLACE
        options = SqlConfig.model_validate(
            {"kind": kind, **place, "statement": "SELECT 1 WHERE a = :e164", "pool_size": 3}
        )
        engine = options.make_engine()
        assert engine.hide_parameters
        pool = engine.pool
        assert isinstance(pool, QueuePool)
        assert (pool.size(), pool._max_overflow) == (3, 0)
        assert pool._recycle == (10 if kind == "sqlite" else 1800)

    @pytest.mark.parametrize("kind", ["postgresql", "mariadb", "mysql", ODBC, "oracle"])
    async def test_a_server_that_is_not_there_is_unavailable(self, kind: str) -> None:
        driver = TdsServer.driver() if kind == "mssql" else None
        further = {"driver_options": {"driver": str(driver), "TDS_Version": "7.4"}} if driver else {}
        options = SqlConfig.model_validate(
            {
                "kind": kind,
                **self.PLACE,
                "host": "127.0.0.1",
                "port": free_port(),
                "password": "x",
                **further,
                "statement": "SELECT 1 WHERE a = :e164",
            }
        )
        adapter = SqlAdapter(options)
        await adapter.open()
        with pytest.raises(Unavailable):
            await adapter.lookup(AYSE)
        await adapter.close()

    def test_sqlite_takes_no_password(self, tmp_path: Path) -> None:
        for place in ({"kind": "sqlite", "database": "crm.db"}, {"url": URL}):
            with pytest.raises(
                ValueError, match="is nothing that SQLite knows - allowed: none, the file's rights decide"
            ):
                SqlConfig.model_validate({**place, "password": "x", "statement": "SELECT 1 WHERE a = :e164"})

    @pytest.mark.parametrize(
        "options", [{"foo": "bar"}, {"statement_timeout": "1"}, {"prepared_statement_cache_size": "x"}]
    )
    async def test_an_option_that_the_driver_does_not_take_is_the_operators_to_mend(
        self, options: dict[str, str]
    ) -> None:
        config = {
            "kind": "postgresql",
            **self.PLACE,
            "driver_options": options,
            "statement": "SELECT 1 WHERE a = :e164",
        }
        adapter = SqlAdapter(SqlConfig.model_validate(config))
        await adapter.open()
        with pytest.raises(AdapterError, match="driver_options has something that the driver does not take") as caught:
            await adapter.lookup(AYSE)
        assert not isinstance(caught.value, Unavailable)
        await adapter.close()
