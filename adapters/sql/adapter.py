"""Asks a database with the operator's own SELECT."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from adapters.placeholders import contact_values, number_values, refuse_none, refuse_wrong_names
from adapters.sql.connections import Connections, Row
from adapters.sql.databases import check_url, make_engine
from adapters.sql.rows import contact_of, contacts_of
from adapters.sql.statement import check_statement, placeholders, prepared
from proxy.adapter import Adapter, AdapterConfig, Contact, PhoneNumber, Scalar, SecretStr, as_text


class SqlConfig(AdapterConfig):
    """The options. The role `find` needs placeholders such as `:e164`, the role `enrich` fields of the contact."""

    url: SecretStr = Field(description="sqlite+aiosqlite:///crm.db or postgresql+asyncpg://user@host/database")
    password: SecretStr | None = Field(default=None, description="Of the database user, when it is not in the URL")
    statement: str = Field(description="One SELECT, with placeholders such as :e164, :national or, to enrich, :owner")
    pool_size: int = Field(default=5, ge=1, le=100, description="Connections, at most")
    _folder: Path = PrivateAttr(default=Path())

    @field_validator("url")
    @classmethod
    def _url_can_be_used(cls, url: SecretStr) -> SecretStr:
        check_url(url.get_secret_value())
        return url

    @field_validator("statement")
    @classmethod
    def _statement_is_safe(cls, statement: str, info: ValidationInfo) -> str:
        check_statement(statement)
        names = placeholders(statement)
        refuse_wrong_names(names, info, ":%s")
        refuse_none(names, info, ":%s")
        return statement

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - pydantic's signature
        """Keep the TOML's folder, to which the path of an SQLite file is relative."""
        self._folder = Path((context or {}).get("folder", "."))

    def make_engine(self) -> AsyncEngine:
        """Return a new connection pool, not yet connected."""
        password = self.password.get_secret_value() if self.password else None
        return make_engine(self.url.get_secret_value(), password, self._folder, self.pool_size)


class SqlAdapter(Adapter):
    """Runs one prepared SELECT for each lookup."""

    Config = SqlConfig

    def __init__(self, config: SqlConfig) -> None:
        self._config = config
        self._names = placeholders(config.statement)
        self._statement = prepared(config.statement, self._names)
        self._connections: Connections | None = None

    async def open(self) -> None:
        self._connections = Connections(self._config.make_engine(), self._config.pool_size)

    async def lookup(self, key: PhoneNumber) -> list[Contact]:
        """Return a contact for each row. Raises AdapterError."""
        return contacts_of(await self._rows(self._statement, number_values(key, self._names)))

    async def enrich(self, contact: Contact) -> Contact:
        """Return the contact with the columns of the first row as fields. Raises AdapterError."""
        values = contact_values(contact, self._names)
        rows = await self._rows(self._statement, values) if values is not None else []
        return contact.with_fields(contact_of(rows[0]).fields) if rows else contact

    async def ping(self) -> None:
        """Return when the database answers. Raises AdapterError."""
        await self._rows(text("SELECT 1"), {})

    async def close(self) -> None:
        if self._connections is not None:
            await self._connections.close()

    async def _rows(self, statement: TextClause, values: Mapping[str, Scalar]) -> list[Row]:
        if self._connections is None:
            raise RuntimeError("asked before it was opened")
        return await self._connections.rows(statement, {name: as_text(value) for name, value in values.items()})
