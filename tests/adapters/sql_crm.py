"""Ways to a database for the tests."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from adapters.sql import SqlAdapter, SqlConfig
from proxy.testing import phone

AYSE = phone("0530 123 45 67")


def config(url: str, statement: str, role: str | None = None, folder: Path = Path(), **options: Any) -> SqlConfig:
    context = {"folder": str(folder)} | ({"role": role} if role else {})
    return SqlConfig.model_validate({"url": url, "statement": statement, **options}, context=context)


@asynccontextmanager
async def opened(*args: Any, **named: Any) -> AsyncIterator[SqlAdapter]:
    adapter = SqlAdapter(config(*args, **named))
    await adapter.open()
    try:
        yield adapter
    finally:
        await adapter.close()


def fill(file: Path, *statements: str) -> None:
    connection = sqlite3.connect(file)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
