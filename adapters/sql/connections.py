"""Runs statements on a few connections, and each one to its end."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, TextClause, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.util import greenlet_spawn

from adapters.sql.databases import MOST_ROWS, PATIENCE
from adapters.sql.errors import BUSY, TOO_LONG, translated
from proxy.adapter import Unavailable

LAST_STATEMENTS = 0.4
"""Seconds that statements under way get to end when the connections are closed."""

AT_ONCE = 0.5
"""Seconds within which a statement fails on a connection that was cut while it was idle."""

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


Work = Callable[[Connection], Answer]


class Connections:
    """At most `size` connections, made when they are needed.

    Whoever waits for a statement may leave at any time; the statement goes on. Breaking it off would cost its
    connection, and a database that has become slow would have to log in everybody anew on top of that. Only where
    driver and database let the time pass in which they should have ended it themselves, it is broken off here.

    A driver that blocks has threads of its own, so that hung ones keep nobody else waiting. What such a thread has
    begun it ends, whoever has left: to close a connection under a running statement crashes some drivers.
    """

    def __init__(self, engine: Engine, size: int) -> None:
        self._engine = engine
        self._threads = None if engine.dialect.is_async else ThreadPoolExecutor(2 * size, "sql")
        self._free = asyncio.Semaphore(size)
        self._running: set[asyncio.Task[Answer]] = set()

    async def run(self, statement: TextClause, values: Values) -> Answer:
        """Return what a statement finds. Raises AdapterError."""
        if self._free.locked():
            try:
                await asyncio.wait_for(self._free.acquire(), PATIENCE)  # who leaves here has not begun a statement
            except TimeoutError as exc:
                raise Unavailable(BUSY[1]) from exc
        else:
            await self._free.acquire()
        running = asyncio.ensure_future(self._run(partial(_answer, statement, values)))
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
        """Return how the database goes about a statement; its connection is not used again. Raises AdapterError."""
        parameters = statement._bindparams.values()  # noqa: SLF001 - with their types, which SQLAlchemy shows nowhere else
        explained = text(how + statement.text).bindparams(*parameters)
        return (await self._run(partial(_explanation, setting, explained, values))).rows

    async def close(self) -> None:
        """Close the connections, when what runs on them has ended."""
        for _ in range(2):
            if self._running:
                await asyncio.wait(self._running, timeout=LAST_STATEMENTS)
            for late in self._running:
                late.cancel()
        if self._threads is None:
            await greenlet_spawn(self._engine.dispose)
        else:
            closing = asyncio.get_running_loop().run_in_executor(self._threads, self._engine.dispose)
            await asyncio.wait({closing}, timeout=LAST_STATEMENTS)
            self._threads.shutdown(wait=False)

    def _ended(self, running: "asyncio.Task[Answer]") -> None:
        self._running.discard(running)
        self._free.release()
        if not running.cancelled():
            running.exception()  # told, where somebody waits for it; else asyncio would log it

    async def _run(self, work: Work) -> Answer:
        try:
            with translated():
                return await self._done(work)
        except asyncio.CancelledError as exc:  # whoever asked has left long ago, or is the one who closes
            raise Unavailable(TOO_LONG[1]) from exc

    async def _done(self, work: Work) -> Answer:
        if self._threads is None:  # what SQLAlchemy's AsyncEngine does, without its sessions and all that maps objects
            return await greenlet_spawn(_on_a_connection, self._engine, work)
        return await asyncio.get_running_loop().run_in_executor(self._threads, _on_a_connection, self._engine, work)


def _on_a_connection(engine: Engine, work: Work) -> Answer:
    """Do something on a connection; once more on another when the one that was kept turns out to be cut.

    To ask each of them whether it is still there, before each statement, would cost as much as most statements.
    """
    while True:
        began = time.monotonic()
        with engine.connect() as connection:
            was_kept = connection.info.setdefault("since", began) != began
            try:
                return work(connection)
            except DBAPIError as exc:
                if not (was_kept and exc.connection_invalidated and time.monotonic() - began < AT_ONCE):
                    raise


def _answer(statement: TextClause, values: Values, connection: Connection) -> Answer:
    try:
        result = connection.execute(statement, values)
        rows: list[Row] = [row._asdict() for row in result.fetchmany(MOST_ROWS + 1)]
    except (SQLAlchemyError, OSError, ValueError, OverflowError, asyncio.CancelledError):
        connection.invalidate()  # it may wait for a silent server still, or have a file open that has been replaced
        raise
    return Answer(tuple(result.keys()), rows[:MOST_ROWS], is_cut=len(rows) > MOST_ROWS)


def _explanation(setting: str, statement: TextClause, values: Values, connection: Connection) -> Answer:
    connection.execute(text(setting))
    answer = _answer(statement, values, connection)
    connection.invalidate()  # the setting was for this only
    return answer
