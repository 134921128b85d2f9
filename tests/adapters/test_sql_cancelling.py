import asyncio
import random
from pathlib import Path

from adapters.sql import SqlAdapter
from proxy.detached import detach
from proxy.testing import phone
from tests.adapters.sql_crm import fill, opened
from tests.servers import Postgres


class TestCancelling:
    """Every answer belongs to its own number, however many lookups were broken off before it."""

    KEYS = tuple(phone(f"0530 123 {n:04}") for n in range(50))

    async def ask_and_break_off(self, adapter: SqlAdapter, lookups: int) -> int:
        chance = random.Random(1)  # noqa: S311 - no secret
        answers = 0

        async def ask() -> None:
            nonlocal answers
            for _ in range(lookups // 20):
                key = chance.choice(self.KEYS)
                lookup = detach(adapter.lookup(key))
                if chance.random() < 0.5:
                    await asyncio.wait({lookup}, timeout=chance.random() * 0.002)
                    lookup.cancel()
                await asyncio.wait({lookup})
                if not lookup.cancelled():
                    assert [contact.name for contact in lookup.result()] == [key.digits]
                    answers += 1

        await asyncio.gather(*(ask() for _ in range(20)))
        return answers

    async def test_on_sqlite(self, tmp_path: Path) -> None:
        fill(tmp_path / "crm.db", "CREATE TABLE t (a)")
        async with opened("sqlite+aiosqlite:///crm.db", "SELECT :digits AS name", folder=tmp_path) as adapter:
            assert await self.ask_and_break_off(adapter, 3000) > 1000

    async def test_on_postgresql(self, postgres: Postgres) -> None:
        async with opened(postgres.url(), "SELECT :digits AS name", "find") as adapter:
            assert await self.ask_and_break_off(adapter, 3000) > 1000
