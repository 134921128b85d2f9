"""The options of a source that asks a database."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import phonenumbers
from pydantic import AfterValidator, Field, PrivateAttr, ValidationInfo, field_validator
from sqlalchemy import URL, Engine, make_url

from adapters.placeholders import CUSTOMER_NUMBER, by_of, refuse_none, refuse_wrong_names
from adapters.sql.databases import check_driver, check_file, check_options, drivername, kind_of, make_engine, read_url
from adapters.sql.statement import FORMS, Statement, read_statement
from proxy.adapter import AdapterConfig, By, Key, PhoneNumber, SecretStr

PLACE = "Where the database is, when there is no url"

UNKNOWN_KIND = "mssql"
"""Which kind's names may be quoted in the most ways: what is wrong with a statement is told beside a wrong url."""


def _folder(context: Any) -> Path:  # noqa: ANN401 - pydantic's
    return Path((context or {}).get("folder", "."))


def _role(context: Any) -> str | None:  # noqa: ANN401 - pydantic's
    role: str | None = (context or {}).get("role")
    return role


def _country_code(context: Any) -> str:  # noqa: ANN401 - pydantic's
    return str(phonenumbers.country_code_for_region((context or {}).get("region", "TR")))


def _check_literal(literal: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]{1,64}", literal):
        raise ValueError("is no part of a table's name - allowed: letters A to Z, digits and _")
    return literal


def _read(written: str, info: ValidationInfo) -> Statement:
    url: SecretStr | None = info.data.get("url")
    return read_statement(
        written,
        kind=kind_of(make_url(url.get_secret_value())) if url else info.data.get("kind") or UNKNOWN_KIND,
        literals=info.data["literals"],
        country_code=_country_code(info.context),
        procedures=info.data.get("procedures", False),
    )


def _check_statement(written: str, info: ValidationInfo) -> str:
    if "literals" not in info.data:  # told already; what is in braces cannot be known
        return written
    statement = _read(written, info)
    refuse_wrong_names(statement.names, info, ":%s", FORMS)
    refuse_none(statement.names, info, ":%s")
    others = statement.names - {CUSTOMER_NUMBER}
    if _role(info.context) == "find" and CUSTOMER_NUMBER in statement.names and others:
        told = f"has :{CUSTOMER_NUMBER} beside :{min(others)}, and nobody is looked for by both"
        raise ValueError(f"{told} - allowed: one of them, and statements for the other")
    return written


class SqlConfig(AdapterConfig):
    """The options. The role `find` needs placeholders such as `:e164`, the role `enrich` fields of the contact."""

    url: SecretStr | None = Field(
        default=None, description="sqlite+aiosqlite:///crm.db, or kind+driver://user@host/name"
    )
    kind: Literal["sqlite", "postgresql", "mariadb", "mysql", "mssql", "oracle"] | None = Field(
        default=None, validate_default=True, description="The kind of database, when there is no url"
    )
    host: str | None = Field(default=None, min_length=1, validate_default=True, description=PLACE)
    port: int | None = Field(default=None, ge=1, le=65535, description=PLACE)
    database: str | None = Field(
        default=None, min_length=1, validate_default=True, description="Its name; SQLite's file"
    )
    user: str | None = Field(default=None, min_length=1, description="Who logs in, when there is no url")
    driver_options: dict[str, str] = Field(
        default={}, description="What else the driver is to know: { ssl = 'require' }"
    )
    password: SecretStr | None = Field(default=None, description="Of the database user, when it is not in the url")
    literals: dict[str, Annotated[str, AfterValidator(_check_literal)]] = Field(
        default={}, description="What {name} means in a statement, such as a firm's number in the name of a table"
    )
    procedures: bool = Field(default=False, description="Whether a statement may run a procedure, which may write")
    statement: Annotated[str, AfterValidator(_check_statement)] | None = Field(
        default=None, description="One SELECT, with placeholders such as :e164, :national or, to enrich, :owner"
    )
    statements: list[Annotated[str, AfterValidator(_check_statement)]] = Field(
        default=[], max_length=10, validate_default=True, description="Several, in order"
    )
    pool_size: int = Field(default=5, ge=1, le=100, description="Connections, at most")
    _folder: Path = PrivateAttr(default=Path())
    _country_code: str = PrivateAttr(default="90")
    _only_enriches: bool = PrivateAttr(default=False)

    @field_validator("url")
    @classmethod
    def _url_can_be_used(cls, url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if url is not None:
            read_url(url.get_secret_value(), _folder(info.context))
        return url

    @field_validator("kind")
    @classmethod
    def _kind_can_be_used(cls, kind: str | None, info: ValidationInfo) -> str | None:
        if "url" in info.data and (kind is None) == (info.data["url"] is None):
            told = "is given beside url" if kind else "is missing, and so is url"
            raise ValueError(f"{told} - allowed: url, or kind with host, database and user")
        if kind is not None:
            check_driver(kind)
        return kind

    @field_validator("host", "port", "database", "user", "driver_options")
    @classmethod
    def _place_fits(cls, value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - of any of them
        kind = info.data.get("kind")
        if value and info.data.get("url") is not None:
            raise ValueError("is given beside url - allowed: in the url, or with kind in its place")
        if value and kind == "sqlite" and info.field_name != "database":
            raise ValueError("is nothing that SQLite knows - allowed: kind and database")
        if not value and kind and info.field_name == "database":
            raise ValueError("is missing - allowed: the database's name, or SQLite's file")
        if not value and kind not in {None, "sqlite"} and info.field_name == "host":
            raise ValueError("is missing - allowed: the server's name")
        if value and kind == "sqlite":
            check_file(value, {})
        if info.field_name == "driver_options":
            check_options(kind, value, _folder(info.context))
        return value

    @field_validator("password")
    @classmethod
    def _password_is_of_use(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        url: SecretStr | None = info.data.get("url")
        if password and (info.data.get("kind") == "sqlite" or (url and url.get_secret_value().startswith("sqlite"))):
            raise ValueError("is nothing that SQLite knows - allowed: none, the file's rights decide")
        return password

    @field_validator("statements")
    @classmethod
    def _there_is_one(cls, statements: list[str], info: ValidationInfo) -> list[str]:
        if "statement" in info.data and (not statements) == (info.data["statement"] is None):
            told = "is given beside statement" if statements else "is missing, and so is statement"
            raise ValueError(f"{told} - allowed: one of them")
        if _role(info.context) == "find" and info.data.keys() >= {"literals", "statement"}:
            kinds = {_read(written, info).by for written in statements or [info.data["statement"]]}
            if missing := by_of(info) - kinds:
                raise ValueError(f"has none for {min(missing)}, which is in by - allowed: one at least for each")
        return statements

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - pydantic's signature
        """Keep what else is known of the source, such as the folder to which the path of an SQLite file is relative."""
        self._folder = _folder(context)
        self._country_code = _country_code(context)
        self._only_enriches = _role(context) == "enrich"

    def kind_of_database(self) -> str:
        """Return a key of `adapters.sql.databases.DATABASES`."""
        return kind_of(self._whole_url())

    def make_engine(self) -> Engine:
        """Return a new connection pool, not yet connected."""
        return make_engine(self._whole_url(), self._folder, self.pool_size)

    def asks(self, statement: Statement, key: Key) -> bool:
        """Tell whether a statement is run for such a key; in an enriching source all are, whatever they name."""
        return self._only_enriches or (statement.by is By.PHONE_NUMBER) == isinstance(key, PhoneNumber)

    def read_statements(self) -> list[Statement]:
        """Return the statements, ready to be run."""
        return [
            read_statement(
                written,
                kind=self.kind_of_database(),
                literals=self.literals,
                country_code=self._country_code,
                procedures=self.procedures,
            )
            for written in self.statements or filter(None, [self.statement])
        ]

    def _whole_url(self) -> URL:
        password = self.password.get_secret_value() if self.password else None
        if self.url is not None:
            url = make_url(self.url.get_secret_value())
            return url if password is None else url.set(password=password)
        kind = self.kind or ""
        query, name = dict(self.driver_options), self.database
        if kind == "oracle":  # where the name behind the slash is that of an instance, which hardly anybody means
            query, name = {"service_name": name or ""} | query, None
        return URL.create(drivername(kind), self.user, password, self.host, self.port, name, query)
