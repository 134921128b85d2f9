"""Asks a database with the operator's own SELECTs."""

from collections.abc import Sequence
from textwrap import dedent

from sqlalchemy.exc import SQLAlchemyError

from adapters.holding import can_be_the_callers, is_held
from adapters.placeholders import NUMBER_FORMS, contact_values, key_values
from adapters.sql.connections import Answer, Connections, Values
from adapters.sql.databases import MOST_ROWS
from adapters.sql.errors import NO_OPTION
from adapters.sql.inspection import inspect
from adapters.sql.options import SqlConfig
from adapters.sql.rows import contact_of, contacts_of, has_numbers
from adapters.sql.spellings import keys_of
from adapters.sql.statement import NUMBERS, Statement
from proxy.adapter import Adapter, AdapterError, By, Contact, Inspection, Key, PhoneNumber, Rehearsed, as_text


class SqlAdapter(Adapter):
    """Runs prepared SELECTs for each lookup, one after another."""

    Config = SqlConfig
    asked_by = frozenset(By)

    def __init__(self, config: SqlConfig) -> None:
        self._config = config
        self._statements = config.read_statements()
        self._asked: dict[type[Key], list[tuple[int, Statement]]] = {}
        self._connections: Connections | None = None
        self._trouble = ""

    async def open(self) -> None:
        try:
            engine = self._config.make_engine()
        except (SQLAlchemyError, TypeError, ValueError):
            self._trouble = NO_OPTION[1]
        else:
            self._connections = Connections(engine, self._config.pool_size)

    async def lookup(self, key: Key) -> list[Contact]:
        """Return a contact for each row, up to the first statement that finds the caller. Raises AdapterError."""
        values = values_of(key)
        found: list[Contact] = []
        statements = [statement for _, statement in self._asked_about(key)]
        for statement in statements:
            answer = await self._run(statement, values)
            contacts = contacts_of(answer.rows, key)
            found += contacts
            if answer.is_cut and not is_held(key, contacts):  # as without a WHERE: nobody knows what else there is
                raise AdapterError(f"the statement finds more than {MOST_ROWS} rows for one caller")
            if statement is statements[-1] or can_be_the_callers(key, contacts):
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

    async def inspect(self, key: Key) -> Inspection:
        """Run each statement for a key that nobody has, and look at how the database goes about it."""
        is_one = self._config.statement is not None
        statements = {
            "statement" if is_one else f"statements.{place}": statement for place, statement in self._asked_about(key)
        }
        return await inspect(self._opened(), self._config.kind_of_database(), statements, key, values_of(key))

    def rehearse(self, key: Key) -> list[Rehearsed]:
        """Return the statements with what is bound to their placeholders, without running them."""
        values = values_of(key)
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
            for place, statement in self._asked_about(key)
        ]

    async def close(self) -> None:
        if self._connections is not None:
            await self._connections.close()

    def _asked_about(self, key: Key) -> list[tuple[int, Statement]]:
        """Return the statements that are run for such a key, in order, each with its place among all."""
        asked = self._asked.get(type(key))
        if asked is None:
            places = enumerate(self._statements, 1)
            asked = self._asked[type(key)] = [each for each in places if self._config.asks(each[1], key)]
        return asked

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


def values_of(key: Key) -> dict[str, str | Sequence[str]]:
    """Return what the placeholders stand for when a contact is looked for."""
    forms = {name: as_text(value) for name, value in key_values(key, NUMBER_FORMS).items()}
    if not isinstance(key, PhoneNumber):
        return {**forms}
    return {**forms, **keys_of(key), NUMBERS: list(dict.fromkeys(forms.values()))}
