"""Made-up callers, the four places in which they are kept, and what must not be found in a log."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from proxy.testing import Request, phone


@dataclass(frozen=True)
class Person:
    """Somebody who calls."""

    number: str
    """As each CRM has it"""
    name: str
    tier: str
    extension: str = ""


PEOPLE = (
    Person("0532 555 00 01", "Örnek Şahıs Bir", "gold"),
    Person("+90 (532) 555-00-02", "Örnek Şahıs İki", "silver", "1002"),
    Person("5325550003", "Örnek Şahıs Üç", ""),
    Person("+49 30 5550004", "Jürgen Beispiel", "gold"),
    Person("0212 555 00 05", "Iğdır Örnek A.Ş.", "platinum", "1005"),
    Person("444 0 555", "Deneme Çağrı Merkezi", "silver"),
)

STRANGER = "05325559999"
"""A valid number that nobody knows"""

EXPECTED = {
    "0532 555 00 01": {"name": "Örnek Şahıs Bir", "target": "queue/201"},
    "+90 (532) 555-00-02": {"name": "Örnek Şahıs İki", "target": "user/1002"},
    "5325550003": {"name": "Örnek Şahıs Üç", "target": "queue/200"},
    "+49 30 5550004": {"name": "Jürgen Beispiel", "target": "queue/201"},
    "0212 555 00 05": {"name": "Iğdır Örnek A.Ş.", "target": "queue/201"},
    "444 0 555": {"name": "Deneme Çağrı Merkezi", "target": "queue/200"},
    STRANGER: {"target": "queue/202"},
    "1003": {"target": "group/700"},
    "": {"target": "ivr/10"},
    "no number": {"target": "queue/200"},
}

TOKEN = "s3cr3t-token-of-the-crm"
PASSWORD = "s3cr3t-password-of-the-crm"
SECRETS = (TOKEN, PASSWORD)


def head(*, deadline: float = 15, more: str = "") -> str:
    """Return a TOML without its sources. There is time for everything, unless the test is about time."""
    return f"""
[switch]
deadline = {deadline}
default = "queue/200"

[routing]
unknown = "queue/202"
withheld = "ivr/10"
internal = "group/700"

[[rules]]
name = "gold"
when = {{ tier = ["gold", "platinum"] }}
target = "queue/201"

[[rules]]
name = "own agent"
when = {{ extension = {{ present = true }} }}
target = "user/{{extension}}"
{more}
"""


FAULTS_RULE = """
[[rules]]
name = "from Germany, and nobody can tell"
caller = { kind = "anyone", country = "DE" }
target = "queue/203"
"""


def source(adapter: str, options: str, limits: str = "timeout = 10\nattempts = 1") -> str:
    return f'\n[[sources]]\nname = "crm"\nadapter = "{adapter}"\n{limits}\n[sources.options]\n{options}\n'


def static_options() -> str:
    tables = []
    for person in PEOPLE:
        fields = {"tier": person.tier, "extension": person.extension}
        inside = ", ".join(f'{name} = "{value}"' for name, value in fields.items() if value)
        tables.append(f'{{ numbers = ["{person.number}"], name = "{person.name}", fields = {{ {inside} }} }}')
    return "contacts = [\n" + ",\n".join(tables) + "\n]"


COLUMNS = "e164 TEXT PRIMARY KEY, name TEXT, phone TEXT, tier TEXT, extension TEXT"

STATEMENT = """statement = "SELECT name, phone AS number, tier, extension FROM people WHERE e164 = :e164" """


def rows() -> list[tuple[str, str, str, str | None, str | None]]:
    return [
        (phone(person.number).e164, person.name, person.number, person.tier or None, person.extension or None)
        for person in PEOPLE
    ]


def make_sqlite(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute(f"CREATE TABLE people ({COLUMNS})")
        database.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?)", rows())
        database.commit()


def sqlite_options(file: Path) -> str:
    return f'url = "sqlite+aiosqlite:///{file}"\n{STATEMENT}'


def postgres_statements() -> str:
    """Return the SQL that makes the same table on PostgreSQL."""
    values = ", ".join(
        "(" + ", ".join("NULL" if value is None else "'" + value.replace("'", "''") + "'" for value in row) + ")"
        for row in rows()
    )
    return f"DROP TABLE IF EXISTS people; CREATE TABLE people ({COLUMNS}); INSERT INTO people VALUES {values}"


def postgres_options(url: str) -> str:
    return f'url = "{url}"\npassword = "{PASSWORD}"\n{STATEMENT}'


def rest_options(url: str) -> str:
    return f"""url = "{url}/contacts"
query = {{ phone = "{{e164}}", key = "{TOKEN}" }}
bearer = "{TOKEN}"
record = "items"
name = "title"
numbers = "phones"
fields = {{ tier = "tier", extension = "extension" }}
"""


def answer_of_the_crm(request: Request) -> object:
    """Answer as a REST CRM with these people does."""
    found = [person for person in PEOPLE if phone(person.number).e164 == request.query.get("phone")]
    return {
        "items": [
            {
                "title": person.name,
                "phones": [person.number],
                "tier": person.tier,
                "extension": person.extension or None,
            }
            for person in found
        ]
    }


def body_of_the_crm(number: str) -> bytes:
    """Return the body that `answer_of_the_crm` gives for one number."""
    request = Request("GET", f"/contacts?phone=%2B{phone(number).digits}", {}, b"")
    return json.dumps(answer_of_the_crm(request)).encode()
