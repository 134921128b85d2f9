"""Asks a database with the operator's own SELECTs."""

from collections.abc import Sequence
from textwrap import dedent

from sqlalchemy.exc import SQLAlchemyError

from adapters.placeholders import NUMBER_FORMS, contact_values, number_values
from adapters.sql.connections import Answer, Connections, Values
from adapters.sql.databases import MOST_ROWS
from adapters.sql.errors import NO_OPTION
from adapters.sql.inspection import inspect
from adapters.sql.options import SqlConfig
from adapters.sql.rows import contact_of, contacts_of, has_numbers
from adapters.sql.spellings import keys_of
from adapters.sql.statement import NUMBERS, Statement
from proxy.adapter import Adapter, AdapterError, Contact, Inspection, PhoneNumber, Rehearsed, as_text


class SqlAdapter(Adapter):
    """Runs prepared SELECTs for each lookup, one after another."""

    Config = SqlConfig

    def __init__(self, config: SqlConfig) -> None:
        self._config = config
        self._statements = config.read_statements()
        self._connections: Connections | None = None
        self._trouble = ""

    async def open(self) -> None:
        try:
            engine = self._config.make_engine()
        except (SQLAlchemyError, TypeError, ValueError):
            self._trouble = NO_OPTION[1]
        else:
            self._connections = Connections(engine, self._config.pool_size)

    async def lookup(self, key: PhoneNumber) -> list[Contact]:
        """Return a contact for each row, up to the first statement that finds the caller. Raises AdapterError."""
        values = values_of(key)
        found: list[Contact] = []
        for statement in self._statements:
            answer = await self._run(statement, values)
            contacts = contacts_of(answer.rows)
            found += contacts
            if answer.is_cut and not _some_hold(key, contacts):  # as without a WHERE: nobody knows what else there is
                raise AdapterError(f"the statement finds more than {MOST_ROWS} rows for one caller")
            if statement is self._statements[-1] or any(not c.numbers for c in contacts) or _some_hold(key, contacts):
                break
        return found

    async def enrich(self, contact: Contact) -> Contact:
        """Return the contact with the columns of each statement's first row as fields. Raises AdapterError."""
        for statement in self._statements:
            values = contact_values(contact, statement.names)
            if values is not None:
                answer = await self._run(statement, {name: as_text(value) for name, value in values.items()})
                contact = contact.with_fields(contact_of(answer.rows[0]).fields) if answer.rows else contact
        return contact

    async def ping(self) -> None:
        """Return when the database answers. Raises AdapterError."""
        await self._opened().ping()

    async def inspect(self, number: PhoneNumber) -> Inspection:
        """Run each statement for a number that nobody has, and look at how the database goes about it."""
        is_one = self._config.statement is not None
        statements = {
            "statement" if is_one else f"statements.{place}": statement
            for place, statement in enumerate(self._statements, 1)
        }
        return await inspect(self._opened(), self._config.kind_of_database(), statements, values_of(number))

    def rehearse(self, number: PhoneNumber) -> list[Rehearsed]:
        """Return the statements with what is bound to their placeholders, without running them."""
        values = values_of(number)
        return [
            Rehearsed(
                f"statement {place} of {len(self._statements)}",
                "\n".join(
                    [
                        dedent(statement.clause.text).strip(),
                        *(f":{name} = {values.get(name, f'<{name}>')!r}" for name in sorted(statement.names)),
                    ]
                ),
            )
            for place, statement in enumerate(self._statements, 1)
        ]

    async def close(self) -> None:
        if self._connections is not None:
            await self._connections.close()

    def _opened(self) -> Connections:
        if self._trouble:
            raise AdapterError(self._trouble)
        if self._connections is None:
            raise RuntimeError("asked before it was opened")
        return self._connections

    async def _run(self, statement: Statement, values: Values) -> Answer:
        needed = {name: values[name] for name in statement.names}
        answer = await self._opened().run(statement.clause, needed)
        if statement.finds_candidates and not has_numbers(answer.columns):
            raise AdapterError("the statement compares digits, but none of its columns is called number")
        return answer


def _some_hold(key: PhoneNumber, contacts: Sequence[Contact]) -> bool:
    return any(key.found_in(text for contact in contacts for text in contact.numbers))


def values_of(key: PhoneNumber) -> dict[str, str | Sequence[str]]:
    """Return what the placeholders stand for when a contact is looked for."""
    forms = {name: as_text(value) for name, value in number_values(key, NUMBER_FORMS).items()}
    return {**forms, **keys_of(key), NUMBERS: list(dict.fromkeys(forms.values()))}
