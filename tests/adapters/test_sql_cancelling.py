import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.sql import SqlAdapter
from proxy.adapter import Unavailable
from proxy.detached import detach
from proxy.testing import phone
from tests.adapters.sql_crm import fill, opened
from tests.lengths import at_length
from tests.servers import Mariadb, Postgres
from tests.tds_server import TdsServer

KEYS = tuple(phone(f"0530 123 {n:04}") for n in range(50))
CALLERS = 20
LOOKUPS = at_length(20_000, otherwise=4000)


class Callers:
    """Some callers at once who look up one number after another, and often lose patience.

    Now and then a statement is broken off too, wherever it is, as the adapter does with one that hangs: that costs its
    connection, so that others are in the midst of logging in.
    """

    def __init__(self, adapter: SqlAdapter, broken_off: float) -> None:
        self._adapter = adapter
        self._broken_off = broken_off
        self._chance = random.Random(1)  # noqa: S311 - no secret
        self.answers = 0
        self.breaks = 0
        self.failures = 0

    async def ask(self, lookups: int) -> None:
        """Make so many lookups, and see that whoever gets an answer gets his own."""
        await asyncio.gather(*(self._ask_as_one(lookups // CALLERS) for _ in range(CALLERS)))

    async def _ask_as_one(self, lookups: int) -> None:
        for _ in range(lookups):
            key = self._chance.choice(KEYS)
            lookup = detach(self._adapter.lookup(key))
            if self._chance.random() < 0.5:
                await self._wait(lookup)
                lookup.cancel()
            elif self._chance.random() < self._broken_off:
                await self._wait(lookup)
                self._break_off()
            await asyncio.wait({lookup})
            if lookup.cancelled():
                continue
            try:
                assert [contact.name for contact in lookup.result()] == [key.digits]
                self.answers += 1
            except Unavailable:
                self.failures += 1

    async def _wait(self, lookup: "asyncio.Task[object]") -> None:
        await asyncio.wait({lookup}, timeout=self._chance.random() * 0.003)

    def _break_off(self) -> None:
        assert self._adapter._connections is not None
        if running := [*self._adapter._connections._running]:
            self.breaks += self._chance.choice(running).cancel()


class TestCancelling:
    """Every answer belongs to its own number, however many lookups were broken off before it."""

    @pytest.fixture(params=["sqlite", "postgres", "mariadb", "sql_server"])
    def url(self, request: pytest.FixtureRequest, tmp_path: Path) -> str:
        if request.param == "sqlite":
            fill(tmp_path / "crm.db", "CREATE TABLE t (a)")
            return f"sqlite+aiosqlite:///{tmp_path / 'crm.db'}"
        server: Postgres | Mariadb | TdsServer = request.getfixturevalue(request.param)
        return server.url()

    @pytest.fixture
    async def adapter(self, url: str) -> AsyncIterator[SqlAdapter]:
        async with opened(url, "SELECT :digits AS name", "find") as adapter:
            yield adapter

    async def test_callers_who_leave_take_nobody_s_answer_with_them(self, adapter: SqlAdapter) -> None:
        callers = Callers(adapter, broken_off=0.05)
        await callers.ask(LOOKUPS)
        assert callers.answers > LOOKUPS * 0.45
        assert callers.failures <= callers.breaks
        assert callers.breaks > LOOKUPS * 0.003

    async def test_so_it_is_where_each_lookup_logs_in_anew(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("adapters.sql.databases.OLDEST_CONNECTION", 0)
        monkeypatch.setattr("adapters.sql.databases.OLDEST_FILE", 0)
        async with opened(url, "SELECT :digits AS name", "find") as adapter:
            callers = Callers(adapter, broken_off=0.3)
            await callers.ask(1000)
        assert callers.answers > 300
        assert callers.failures <= callers.breaks
