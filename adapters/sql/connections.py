"""Runs statements on a few connections, and each one to its end."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.sql.databases import MOST_ROWS, PATIENCE
from adapters.sql.errors import translated
from proxy.adapter import Unavailable

LAST_STATEMENTS = 0.4
"""Seconds that statements under way get to end when the connections are closed."""

LAST_WORDS = 0.02
"""Seconds that aiosqlite's threads get to tell the loop that they have ended; nobody can wait for it."""

Row = Mapping[str, Any]
Values = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement returned."""

    columns: Sequence[str]
    rows: Sequence[Row]
    """At most MOST_ROWS"""
    is_cut: bool = False
    """Whether there were more"""


class Connections:
    """At most `size` connections, made when they are needed.

    Whoever waits for a statement may leave at any time; the statement goes on. Breaking it off would cost its
    connection, and a database that has become slow would have to log in everybody anew on top of that. Only where
    driver and database let the time pass in which they should have ended it themselves, it is broken off here.
    """

    def __init__(self, engine: AsyncEngine, size: int) -> None:
        self._engine = engine
        self._free = asyncio.Semaphore(size)
        self._running: set[asyncio.Task[Answer]] = set()

    async def run(self, statement: TextClause, values: Values) -> Answer:
        """Return what a statement finds. Raises AdapterError."""
        try:
            await asyncio.wait_for(self._free.acquire(), PATIENCE)  # those who leave here have not begun a statement
        except TimeoutError as exc:
            raise Unavailable("all connections to the database are busy") from exc
        running = asyncio.ensure_future(self._run(statement, values))
        self._running.add(running)
        running.add_done_callback(self._ended)
        too_late = asyncio.get_running_loop().call_later(PATIENCE + 1, running.cancel)
        running.add_done_callback(lambda _: too_late.cancel())
        return await asyncio.shield(running)

    async def ping(self) -> None:
        """Return when the database answers. Raises AdapterError."""
        await self.run(text("SELECT 1 FROM DUAL" if self._engine.dialect.name == "oracle" else "SELECT 1"), {})

    async def explain(
        self, how: str, statement: TextClause, values: Values, setting: str = "SELECT 1"
    ) -> Sequence[Row]:
        """Return how the database goes about a statement, on a connection of its own. Raises AdapterError."""
        with translated():
            async with self._engine.connect() as connection:
                await connection.execute(text(setting))
                explained = text(how + statement.text).bindparams(*statement._bindparams.values())  # noqa: SLF001
                rows: list[Row] = [row._asdict() for row in await connection.execute(explained, values)]
                await connection.invalidate()
        return rows

    async def close(self) -> None:
        """Close the connections, when what runs on them has ended."""
        for _ in range(2):
            if self._running:
                await asyncio.wait(self._running, timeout=LAST_STATEMENTS)
            for late in self._running:
                late.cancel()
        await self._engine.dispose()
        await asyncio.sleep(LAST_WORDS)

    def _ended(self, running: "asyncio.Task[Answer]") -> None:
        self._running.discard(running)
        self._free.release()

    async def _run(self, statement: TextClause, values: Values) -> Answer:
        try:
            with translated():
                return await self._answer(statement, values)
        except asyncio.CancelledError as exc:  # whoever asked has left long ago, or is the one who closes
            raise Unavailable("the database took too long") from exc

    async def _answer(self, statement: TextClause, values: Values) -> Answer:
        async with self._engine.connect() as connection:
            try:
                result = await connection.execute(statement, values)
            except (SQLAlchemyError, OSError):
                # It may wait for a silent server still, or have a file open that has been replaced.
                await connection.invalidate()
                raise
            rows: list[Row] = [row._asdict() for row in result.fetchmany(MOST_ROWS + 1)]
            columns = tuple(result.keys())
        return Answer(columns, rows[:MOST_ROWS], is_cut=len(rows) > MOST_ROWS)
