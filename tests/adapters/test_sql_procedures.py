"""Stored procedures, where the operator allows them."""

import pytest

from adapters.sql import SqlAdapter, SqlConfig
from proxy.adapter import AdapterError
from proxy.cli.live import number_that_nobody_has
from tests.adapters.sql_crm import AYSE
from tests.servers import Mariadb
from tests.tds_server import TdsServer

PROCEDURES = (
    "DROP PROCEDURE IF EXISTS find_caller",
    """CREATE PROCEDURE find_caller(digits VARCHAR(20))
    SELECT name, phone AS number FROM callers WHERE phone = digits ORDER BY name""",
    "DROP PROCEDURE IF EXISTS count_caller",
    "CREATE PROCEDURE count_caller(digits VARCHAR(20)) INSERT INTO callers VALUES ('x', digits)",
)


def adapter_of(url: str, statement: str) -> SqlAdapter:
    options = {"url": url, "statement": statement, "procedures": True}
    return SqlAdapter(SqlConfig.model_validate(options, context={"role": "find"}))


async def test_one_that_reads_is_asked_like_a_select(mariadb: Mariadb) -> None:
    mariadb.sql("DROP TABLE IF EXISTS callers; CREATE TABLE callers (name VARCHAR(20), phone VARCHAR(20))")
    mariadb.sql("INSERT INTO callers VALUES ('Ayşe', '905301234567')")
    for statement in PROCEDURES:
        mariadb.sql(statement)
    adapter = adapter_of(mariadb.url(), "CALL find_caller(:digits)")
    await adapter.open()
    for _ in range(20):
        assert [contact.name for contact in await adapter.lookup(AYSE)] == ["Ayşe"]
        assert await adapter.lookup(number_that_nobody_has("TR")) == []
    assert not (await adapter.inspect(number_that_nobody_has("TR"))).problems
    await adapter.close()


async def test_one_that_writes_is_refused_by_the_session(mariadb: Mariadb) -> None:
    mariadb.sql("CREATE TABLE IF NOT EXISTS callers (name VARCHAR(20), phone VARCHAR(20))")
    for statement in PROCEDURES:
        mariadb.sql(statement)
    adapter = adapter_of(mariadb.url(), "CALL count_caller(:digits)")
    await adapter.open()
    with pytest.raises(AdapterError, match="the statement would write, and this connection only reads"):
        await adapter.lookup(AYSE)
    await adapter.close()


async def test_sql_server_gets_it_as_it_is_written(sql_server: TdsServer) -> None:
    sql_server.errors["find_caller"] = 229
    adapter = adapter_of(sql_server.url(), "EXEC dbo.find_caller @digits = :digits")
    await adapter.open()
    with pytest.raises(AdapterError, match="has no right to read"):
        await adapter.lookup(AYSE)
    await adapter.close()
    assert any("EXEC" in statement and "find_caller @digits = @P1" in statement for statement in sql_server.statements)
