"""Looks at a database as it is now, for `tanima check --live`."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from adapters.sql.connections import Answer, Connections, Values
from adapters.sql.errors import WRONG_VALUE, words_of
from adapters.sql.plans import advice, scanned
from adapters.sql.rows import fields_in, folded, has_numbers, tells_of
from adapters.sql.statement import Statement
from proxy.adapter import AdapterError, Inspection, Key, PhoneNumber, Unavailable

NOBODYS = "-1"
"""What stands for a contact's field: a key that no table has, and that can be a text or a number."""


async def inspect(
    connections: Connections, kind: str, statements: Mapping[str, Statement], nobodys: Key, forms: Values
) -> Inspection:
    """Run the statements, each by the option that it stands in, for a key that nobody has, with its `forms`.

    Raises AdapterError when the database does not answer or lets nobody in.
    """
    await connections.ping()
    fields: set[str] = set()
    needs: set[str] = set()
    problems: list[str] = []
    notes: list[str] = []
    all_ran = True
    seconds = 0.0
    for option, statement in statements.items():
        needs |= statement.names.difference(forms, fields)
        values = {name: forms.get(name, NOBODYS) for name in statement.names}
        started = time.perf_counter()
        try:
            answer = await connections.run(statement.clause, values)
            took = time.perf_counter() - started
            seconds += took
            tables = await scanned(connections, kind, statement, values)
        except Unavailable:
            raise
        except AdapterError as exc:
            all_ran = False
            if str(exc) == WRONG_VALUE[1] and needs:
                notes.append(f"{option}: cannot be tried without a value that a contact has ({words_of(exc)})")
            else:
                problems.append(f"{option}: {exc} ({words_of(exc)}) - allowed: what this database can answer")
            continue
        fields |= fields_in(answer.columns)
        problems += [f"{option}: {problem}" for problem in _problems(statement, answer, nobodys)]
        notes.append(f"{option}: took {took * 1000:.0f} ms")
        notes += [f"{option}: {note}" for note in _notes(answer, nobodys) if statement.names <= forms.keys()]
        notes += [f"{option}: {advice(kind, table, statement)}" for table in tables]
    return Inspection(frozenset(fields) if all_ran else None, frozenset(needs), problems, notes, seconds)


def _problems(statement: Statement, answer: Answer, nobodys: Key) -> Sequence[str]:
    problems = [
        f"returns two columns called {name} - allowed: each name once, such as by AS"
        for name, count in Counter(map(folded, answer.columns)).items()
        if count > 1
    ]
    if statement.finds_candidates and not has_numbers(answer.columns):
        problems.append("compares digits, but returns no numbers to check - allowed: the compared columns AS number")
    elif answer.is_cut or (answer.rows and not tells_of(nobodys, answer.columns)):
        problems.append("finds somebody for a number that nobody has - allowed: a WHERE with the caller's number")
    return problems


def _notes(answer: Answer, nobodys: Key) -> Sequence[str]:
    if tells_of(nobodys, answer.columns):
        return []
    column = "number" if isinstance(nobodys, PhoneNumber) else "customer_number"
    return [f"returns no column called {column}, so nobody checks whether a row has the caller's"]
