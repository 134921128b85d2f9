"""The databases that can be asked, and how each is made to only read and never to hang."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

SQLITE = "sqlite+aiosqlite"

PATIENCE = 5.0
"""Seconds for which a database may be silent. The proxy waits far shorter; this ends what it has left behind."""

OLDEST_CONNECTION = 1800
"""Seconds after which a connection is made anew: firewalls forget idle ones."""

OLDEST_FILE = 10
"""The same for SQLite, where a connection keeps reading the old file when an export has replaced it."""


@dataclass(frozen=True, slots=True)
class Database:
    """One kind of database."""

    example: str
    """A URL of it"""
    extra: str
    """The extra of this distribution that installs its driver"""
    connection: Callable[[URL, Path], tuple[URL, dict[str, Any]]]
    """Takes the operator's URL and the TOML's folder; returns the driver's URL and arguments"""


def _sqlite(url: URL, folder: Path) -> tuple[URL, dict[str, Any]]:
    """Open the file read-only: otherwise a misspelt name would make a new, empty database."""
    file = (folder / (url.database or "")).resolve()
    return url.set(database=f"file:{quote(str(file))}", query={"mode": "ro", "uri": "true"}), {"timeout": 0.5}


def _postgresql(url: URL, _folder: Path) -> tuple[URL, dict[str, Any]]:
    settings = {
        "application_name": "tanima",
        "default_transaction_read_only": "on",
        "statement_timeout": f"{PATIENCE * 1000:.0f}",
    }
    # The server's own limit comes first: it leaves the connection usable.
    return url, {"timeout": PATIENCE, "command_timeout": PATIENCE + 0.5, "server_settings": settings}


DATABASES: Mapping[str, Database] = {
    SQLITE: Database("sqlite+aiosqlite:///crm.db", "", _sqlite),
    "postgresql+asyncpg": Database("postgresql+asyncpg://user@host/database", "postgresql", _postgresql),
}


def check_url(text: str) -> None:
    """Raise ValueError when `text` is no URL of a database that can be asked, or its driver is not installed."""
    examples = " or ".join(database.example for database in DATABASES.values())
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as exc:
        raise ValueError(f"is no URL of a database - allowed: {examples}") from exc
    database = DATABASES.get(url.drivername)
    if database is None:
        raise ValueError(f"names a database or a driver that is not supported - allowed: {examples}")
    try:
        url.get_dialect().import_dbapi()
    except ImportError as exc:
        extra = f"[{database.extra}]" if database.extra else ""
        raise ValueError(f"needs a driver that is not installed - allowed: after pip install 'tanima{extra}'") from exc
    if url.drivername == SQLITE:
        _check_file(url)


def _check_file(url: URL) -> None:
    name = url.database or ":memory:"
    if name.startswith((":memory:", "file:")) or url.query:
        raise ValueError("names no plain file - allowed: sqlite+aiosqlite:///crm.db, relative to the TOML's folder")


def make_engine(text: str, password: str | None, folder: Path, pool_size: int) -> AsyncEngine:
    """Return the connection pool, which connects when it is first asked."""
    url = make_url(text)
    if password is not None:
        url = url.set(password=password)
    url, arguments = DATABASES[url.drivername].connection(url, folder)
    return create_async_engine(
        url,
        connect_args=arguments,
        isolation_level="AUTOCOMMIT",  # one SELECT needs no transaction, which would cost two more round trips
        skip_autocommit_rollback=True,
        hide_parameters=True,  # numbers stay out of errors
        pool_size=pool_size,
        max_overflow=0,
        pool_recycle=OLDEST_FILE if url.drivername == SQLITE else OLDEST_CONNECTION,
    )
