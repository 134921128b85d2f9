"""A sample CRM of made-up customers, with phone numbers as messy as real ones, and what to try with it."""

import csv
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

TRIALS = (
    ("05301234567", '{"name": "Ahmet Yılmaz", "target": "queue/201"}', "a gold customer"),
    ("+90 530 123 45 67", '{"name": "Ahmet Yılmaz", "target": "queue/201"}', "the same one, spelled differently"),
    ("5351112233", '{"name": "Sınama Müşteri 5", "target": "queue/204"}', "a customer in arrears"),
    ("00493089680211", '{"name": "Deneme Müşteri 7", "target": "queue/203"}', "a customer from Germany"),
    ("05559999999", '{"target": "queue/202"}', "not a customer"),
    ("1003", '{"target": "group/700"}', "an extension"),
    ("", '{"target": "ivr/10"}', "a withheld number"),
    ("no number at all", '{"target": "queue/200"}', "nonsense: the default"),
)
"""What the switch may ask, and what it hears: `telefon`, the answer, and who that is."""

CONSOLE = "http://127.0.0.1:9090/"
"""Where the sample's TOML has the operator's address"""

DIALOGUE = (
    (
        "uuid=1&cli=05559999999&cld=08505321234&step=1",
        (
            '{"prompt": {"phrase": "Lütfen müşteri numaranızı tuşlayın.", "lang": "tr-TR", "min_digits": "5", '
            '"max_digits": "5", "retry_count": "1", "param_name": "customer_no"}}'
        ),
        "not a customer, in the switch's present-day form: he is asked",
    ),
    (
        "uuid=1&cli=05559999999&cld=08505321234&step=2&customer_no=10002&error=",
        '{"transfer": {"greet_name": "Numune Müşteri 2", "lang": "tr-TR", "target": "queue/201"}}',
        "and has keyed the number of a platinum customer",
    ),
)
"""The same in a dialogue: the query, the answer, and what that is."""


@contextmanager
def demo_files() -> Iterator[Path]:
    """Lay the sample CRM and its TOML into a temporary folder; yield the TOML's path."""
    with tempfile.TemporaryDirectory(prefix="tanima-demo-") as name:
        folder = Path(name)
        with closing(sqlite3.connect(folder / "customers.sqlite")) as database:
            _fill(
                database,
                "customers",
                "id INTEGER PRIMARY KEY, customer_number, "
                "first_name, last_name, company, tier, owner, balance REAL, phone",
            )
            _fill(database, "agents", "login PRIMARY KEY, extension")
            database.commit()
        config = folder / "config.toml"
        config.write_bytes((files(__name__) / "config.toml").read_bytes())
        yield config


def what_to_try(url: str, config: Path, command: str = "tanima") -> str:
    """Return commands for another terminal, each with what comes back. `command` is how tanima is called."""
    width = max(len(quote(number)) for number, _, _ in TRIALS)
    lines = [
        f"curl '{url}/musteri.json?telefon={quote(number)}'{'':<{width - len(quote(number))}}  # {who}\n    {answer}"
        for number, answer, who in TRIALS
    ]
    lines += [f"curl '{url}/musteri.json?{query}'  # {what}\n    {answer}" for query, answer, what in DIALOGUE]
    return "\n".join(
        [
            "",
            "The sample CRM is being asked. Try in another terminal:",
            "",
            *lines,
            "",
            "Why did that caller land there?",
            "",
            f"{command} route 05301234567 --config {config}",
            f"{command} route 05331112233 --config {config} --at 2026-11-24T10:00",
            "",
            "Be the caller of a call, and key 10002:",
            "",
            f"{command} call 05559999999 --config {config}",
            "",
            "See what has become of your calls, in a browser:",
            "",
            CONSOLE,
            "",
            "Ctrl-C ends it.",
        ]
    )


def _fill(database: sqlite3.Connection, table: str, columns: str) -> None:
    header, *rows = csv.reader((files(__name__) / f"{table}.csv").read_text(encoding="utf-8").splitlines())
    database.execute(f"CREATE TABLE {table} ({columns})")
    marks = ", ".join("?" for _ in header)
    database.executemany(f"INSERT INTO {table} VALUES ({marks})", [[cell or None for cell in row] for row in rows])  # noqa: S608 - our own names
