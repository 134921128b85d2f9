"""The adapter with a real ODBC driver, which speaks to a stand-in for SQL Server."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapters.sql import SqlAdapter, SqlConfig
from proxy.adapter import AdapterError, Contact, Unavailable
from proxy.testing import AdapterContract, CrmUnderTest, phone
from tests.tds_server import TdsServer

AYSE = phone("0530 123 45 01")
KNOWN = {f"0530 123 45 {n:02}": f"Müşteri {n}" for n in range(30)}
CUSTOMERS = {f"{100 + n}": f"Müşteri {n}" for n in range(30)}
STATEMENT = "SELECT name, tier, phone AS number FROM people WITH (NOLOCK) WHERE {caller_in(phone)}"
BY_CUSTOMER_NUMBER = (
    "SELECT name, tier, no AS customer_number FROM people WITH (NOLOCK) WHERE no = "
    "CAST(RIGHT(:customer_number, 18) AS bigint)"
)


def filled(server: TdsServer) -> None:
    server.database.execute("CREATE TABLE IF NOT EXISTS people (name TEXT, tier TEXT, phone TEXT, no INTEGER)")
    server.database.execute("DELETE FROM people")
    server.database.executemany(
        "INSERT INTO people VALUES (?, 'gold', ?, ?)",
        [(name, phone, int(no)) for (phone, name), no in zip(KNOWN.items(), CUSTOMERS, strict=True)],
    )


@asynccontextmanager
async def opened(url: str, statement: str = STATEMENT, **options: Any) -> AsyncIterator[SqlAdapter]:
    adapter = SqlAdapter(SqlConfig.model_validate({"url": url, "statement": statement, **options}))
    await adapter.open()
    try:
        yield adapter
    finally:
        await adapter.close()


class SqlServerCrm(CrmUnderTest):
    known = KNOWN
    unknown = ("0531 123 45 67", "+49 30 89680211")
    known_customers = CUSTOMERS
    unknown_customers = ("130", "9" * 20)

    def __init__(self, server: TdsServer) -> None:
        self._server = server
        self._url = server.url()

    def adapter(self) -> SqlAdapter:
        return SqlAdapter(SqlConfig.model_validate({"url": self._url, "statements": [STATEMENT, BY_CUSTOMER_NUMBER]}))

    async def go_down(self) -> None:
        await asyncio.to_thread(self._server.go_down)

    async def hang(self) -> None:
        self._server.freeze()

    async def answer_garbage(self) -> None:
        self._server.errors["people"] = 208

    async def refuse(self) -> None:
        self._url = self._server.url(password="wrong")

    async def come_back(self) -> None:
        self._server.errors.clear()
        self._server.thaw()
        await asyncio.to_thread(self._server.come_back)


@pytest.fixture
def server(sql_server: TdsServer) -> TdsServer:
    filled(sql_server)
    return sql_server


class TestSqlServer(AdapterContract):
    crm_class = SqlServerCrm

    @pytest.fixture
    async def crm(self, server: TdsServer) -> AsyncIterator[CrmUnderTest]:
        crm = SqlServerCrm(server)
        yield crm
        await crm.come_back()


async def test_a_session_has_limits_and_reads_without_a_transaction(server: TdsServer) -> None:
    async with opened(server.url()) as adapter:
        await adapter.lookup(AYSE)
    assert [setting.upper() for setting in server.settings] == ["SET LOCK_TIMEOUT 5000", "SET ROWCOUNT 101"]
    assert not any("TRAN" in statement.upper() for statement in server.statements if "people" in statement)


async def test_a_field_of_a_contact_may_have_any_letter(server: TdsServer) -> None:
    server.database.execute("CREATE TABLE agents (login TEXT, extension INTEGER)")
    server.database.execute("INSERT INTO agents VALUES ('ğüşıöçİ', 1003)")
    async with opened(server.url(), "SELECT extension FROM agents WHERE login = :owner") as adapter:
        enriched = await adapter.enrich(Contact("Ayşe", {"owner": "ğüşıöçİ"}))
        assert enriched.value("extension") == 1003
        for hostile in ("7' OR '1'='1", "x'; DROP TABLE agents; --"):
            assert (await adapter.enrich(Contact("Ayşe", {"owner": hostile}))).value("extension") is None
        assert (await adapter.enrich(Contact("Ayşe", {"owner": "ğüşıöçİ"}))).value("extension") == 1003


@pytest.mark.parametrize(
    ("number", "kind", "message"),
    [
        (208, AdapterError, "names a table that does not exist"),
        (207, AdapterError, "names a column that does not exist"),
        (229, AdapterError, "has no right to read"),
        (1222, Unavailable, "is locked"),
        (1205, Unavailable, "broke the statement off"),
    ],
)
async def test_an_error_of_the_server_means_what_it_says(
    server: TdsServer, number: int, kind: type[AdapterError], message: str
) -> None:
    async with opened(server.url()) as adapter:
        server.errors["people"] = number
        with pytest.raises(AdapterError, match=message) as caught:
            await adapter.lookup(AYSE)
        assert type(caught.value) is kind
        server.errors.clear()
        assert [contact.name for contact in await adapter.lookup(AYSE)] == ["Müşteri 1"]


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"user": "nobody"}, {"database": "nowhere"}])
async def test_a_wrong_login_is_the_operators_to_mend(server: TdsServer, wrong: dict[str, str]) -> None:
    async with opened(server.url(**wrong)) as adapter:
        with pytest.raises(AdapterError, match="refuses our user or password, or has no database") as caught:
            await adapter.lookup(AYSE)
    assert not isinstance(caught.value, Unavailable)


async def test_a_killed_connection_is_replaced(server: TdsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.sql.connections.AT_ONCE", 10)
    async with opened(server.url()) as adapter:
        await adapter.lookup(AYSE)
        await asyncio.to_thread(server.kill_connections)
        assert [contact.name for contact in await adapter.lookup(AYSE)] == ["Müşteri 1"]


async def test_a_slow_statement_is_ended_and_leaves_its_connection_usable(
    server: TdsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(server.url(), pool_size=1) as adapter:
        monkeypatch.setattr("adapters.sql.databases.PATIENCE", 2)  # of statements; to log in may take as long as ever
        await adapter.lookup(AYSE)
        server.delays["people"] = 30
        with pytest.raises(Unavailable, match="took too long"):
            await adapter.lookup(AYSE)
        assert server.broken_off == 1
        server.delays.clear()
        assert [contact.name for contact in await adapter.lookup(AYSE)] == ["Müşteri 1"]


async def test_hung_threads_are_its_own_and_hold_up_neither_the_loop_nor_others(
    server: TdsServer,
) -> None:
    async with opened(server.url(), pool_size=3) as adapter:
        await adapter.lookup(AYSE)
        server.freeze()
        hanging = [asyncio.ensure_future(adapter.lookup(AYSE)) for _ in range(20)]
        started = time.monotonic()
        await asyncio.sleep(0.2)
        await asyncio.to_thread(lambda: None)  # as the resolution of names does
        assert time.monotonic() - started < 4
        assert sum(thread.name.startswith("sql_") for thread in threading.enumerate()) <= 6
        for lookup in hanging:
            lookup.cancel()
        await asyncio.wait(hanging)
        server.thaw()
        assert [contact.name for contact in await adapter.lookup(AYSE)] == ["Müşteri 1"]


async def test_its_threads_end_with_it(server: TdsServer) -> None:
    async with opened(server.url()) as adapter:
        await asyncio.gather(*(adapter.lookup(AYSE) for _ in range(10)))
        assert any(thread.name.startswith("sql_") for thread in threading.enumerate())
    for _ in range(500):
        if not any(thread.name.startswith("sql_") for thread in threading.enumerate()):
            break
        await asyncio.sleep(0.02)
    assert not any(thread.name.startswith("sql_") for thread in threading.enumerate())
