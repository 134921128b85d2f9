"""Runs statements on a few connections, and each one to its end."""

import asyncio
from collections.abc import Mapping
from typing import Any

from sqlalchemy import TextClause
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.sql.errors import translated
from proxy.adapter import AdapterError

MOST_ROWS = 100
"""A statement that finds more for one number does not compare whole numbers."""

LAST_STATEMENTS = 0.4
"""Seconds that statements under way get to end when the connections are closed."""

LAST_WORDS = 0.02
"""Seconds that aiosqlite's threads get to tell the loop that they have ended; nobody can wait for it."""

Row = Mapping[str, Any]


class Connections:
    """At most `size` connections, made when they are needed.

    Whoever waits for a statement may leave at any time; the statement goes on. Breaking it off would cost its
    connection, and a database that has become slow would have to log in everybody anew on top of that.
    """

    def __init__(self, engine: AsyncEngine, size: int) -> None:
        self._engine = engine
        self._free = asyncio.Semaphore(size)
        self._running: set[asyncio.Future[list[Row]]] = set()

    async def rows(self, statement: TextClause, values: Mapping[str, str]) -> list[Row]:
        """Return the rows, column by name. Raises AdapterError, also when there are more than MOST_ROWS."""
        await self._free.acquire()  # those who leave here have not begun a statement
        running = asyncio.ensure_future(self._run(statement, values))
        self._running.add(running)
        running.add_done_callback(self._ended)
        return await asyncio.shield(running)

    async def close(self) -> None:
        """Close the connections, when what runs on them has ended."""
        for _ in range(2):
            if self._running:
                await asyncio.wait(self._running, timeout=LAST_STATEMENTS)
            for late in self._running:
                late.cancel()
        await self._engine.dispose()
        await asyncio.sleep(LAST_WORDS)

    async def _run(self, statement: TextClause, values: Mapping[str, str]) -> list[Row]:
        with translated():
            async with self._engine.connect() as connection:
                try:
                    result = await connection.execute(statement, values)
                except (SQLAlchemyError, OSError):
                    # It may wait for a silent server still, or have a file open that has been replaced.
                    await connection.invalidate()
                    raise
                rows: list[Row] = [row._asdict() for row in result.fetchmany(MOST_ROWS + 1)]
        if len(rows) > MOST_ROWS:
            raise AdapterError(f"the statement finds more than {MOST_ROWS} rows for one caller")
        return rows

    def _ended(self, running: "asyncio.Future[list[Row]]") -> None:
        self._running.discard(running)
        self._free.release()
