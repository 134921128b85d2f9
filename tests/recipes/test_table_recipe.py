"""The recipe for any table, on SQLite, PostgreSQL and MariaDB."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy.cli.init import recipes
from tests.recipes.asked import (
    ABROAD,
    CALLER,
    CALLS,
    CLOSED,
    NOBODY,
    SPELLINGS,
    Asked,
    change,
    place_of,
    sql_of_the_user,
    written,
)
from tests.servers import DatabaseServer

UNKNOWN = (None, "queue/203")
KINDS = ("sqlite", "postgresql", "mariadb")

FILLED = """
    INSERT INTO customers VALUES (1, 'Müşteri 1', '0532 111 00 01', NULL, NULL, '', 'open');
    INSERT INTO customers VALUES (3, 'Müşteri 3', '', '+90 (532) 111 00 03', 'VIP', 'P01', NULL);
    INSERT INTO customers VALUES (4, 'Müşteri 4', '05321110004', '', 'VIP', 'P01', 'closed');
    INSERT INTO customers VALUES (5, 'Müşteri 5', '5321110005', '', 'B', 'P02', '');
    INSERT INTO customers VALUES (6, 'Müşteri 6', '+49 532 1110006', '', 'B', 'P99', '');
"""
PERSONS = """
    CREATE TABLE persons (customer_id INTEGER, name VARCHAR(100), phone VARCHAR(60));
    INSERT INTO persons VALUES (5, 'Yetkili 5', '0533-111 00 05');
    INSERT INTO persons VALUES (4, 'Yetkili 4', '0533-111 00 04');
"""

Execute = Callable[[str], object]


def table_of_the_recipe() -> str:
    """Return the CREATE TABLE in the recipe's comments."""
    recipe = recipes()["table"].read_text(encoding="utf-8")
    found = re.search(r"^#     (CREATE TABLE customers.*?\);)$", recipe, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1].replace("\n#", "\n")


def chosen(file: Path, kind: str) -> None:
    """Take the comment from the settings of another kind of database, and put SQLite's into comments."""
    text = file.read_text(encoding="utf-8")
    text = re.sub(r"^(kind +=.*|database +=.*)$", r"# \1", text, flags=re.MULTILINE)
    block = re.search(rf'^# kind +=[^\n]*"{kind}".*?\n\n', text, re.MULTILINE | re.DOTALL)
    assert block is not None
    text = text.replace(block[0], re.sub(r"^# ", "", block[0], flags=re.MULTILINE))
    file.write_text(text, encoding="utf-8")


def with_persons(file: Path) -> None:
    """Take the comment from the several statements, and the one statement away."""
    text = re.sub(r'^statement = """.*?"""$', "", file.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    block = re.search(r"^# statements = \[$.*?^# \]$", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    file.write_text(text.replace(block[0], re.sub(r"^# ?", "", block[0], flags=re.MULTILINE)), encoding="utf-8")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def execute(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Execute]:
    """Make the table, and the user who is to read it."""
    if kind == "sqlite":
        connection = sqlite3.connect(tmp_path / "customers.sqlite")
        execute: Execute = connection.executescript
        execute(table_of_the_recipe() + FILLED)
        yield execute
        connection.close()
        return
    server: DatabaseServer = request.getfixturevalue("postgres" if kind == "postgresql" else kind)
    execute = server.sql
    execute(table_of_the_recipe() + FILLED + PERSONS)
    is_mariadb = kind == "mariadb"
    for statement in sql_of_the_user("table"):
        if ("@" in statement) is is_mariadb:
            execute(statement)
    yield execute
    execute("DROP TABLE customers; DROP TABLE persons")
    execute("DROP USER tanima@'127.0.0.1'" if is_mariadb else "DROP ROLE tanima")


@pytest.fixture
def asked(
    kind: str,
    execute: Execute,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Asked:
    file = written("table", tmp_path, {})
    if kind != "sqlite":
        chosen(file, kind)
        server: DatabaseServer = request.getfixturevalue("postgres" if kind == "postgresql" else kind)
        settings = place_of(server, "postgres" if kind == "postgresql" else "crm")
        if kind == "postgresql":
            settings["driver_options"] = '{ ssl = "disable" }'
        change(file, settings)
    return Asked(file, capsys)


def test_it_fits_its_table_and_tells_which_indexes_would_help(asked: Asked) -> None:
    assert len([line for line in asked.live() if "reads all of customers" in line]) == 1


def test_a_customer_is_known_however_the_switch_spells_the_number(asked: Asked) -> None:
    for call in CALLS:
        assert asked.name_and_target(call) == ("Müşteri 1", "queue/202"), call


def test_a_customer_is_known_however_the_number_is_spelled(asked: Asked, execute: Execute) -> None:
    assert asked.name_and_target(CALLER) == UNKNOWN
    for spelling in SPELLINGS:
        execute(f"INSERT INTO customers VALUES (2, 'Müşteri 2', NULL, '{spelling}', '', '', '')")
        assert asked.name_and_target(CALLER) == ("Müşteri 2", "queue/202"), spelling
        assert asked.name_and_target(ABROAD) == UNKNOWN, spelling
        execute("DELETE FROM customers WHERE id = 2")


def test_segments_and_owners_have_targets_of_their_own(asked: Asked) -> None:
    assert asked.name_and_target("05321110003") == ("Müşteri 3", "queue/201")
    assert asked.name_and_target("05321110005") == ("Müşteri 5", "user/1002")
    assert asked.name_and_target("+495321110006") == ("Müşteri 6", "queue/202")


def test_closed_customers_and_others_are_unknown(asked: Asked) -> None:
    for call in ("05321110004", "05321110006", NOBODY, "+495321110001"):
        assert asked.name_and_target(call) == UNKNOWN, call


def test_nobody_is_put_through_when_the_office_is_closed(asked: Asked) -> None:
    assert asked.name_and_target("05321110001", CLOSED) == ("Müşteri 1", "announcement/456")


def test_a_contact_person_in_a_table_of_their_own_is_greeted(asked: Asked, execute: Execute, kind: str) -> None:
    if kind == "sqlite":
        execute(PERSONS)
    else:
        execute("GRANT SELECT ON persons TO tanima" + ("@'127.0.0.1'" if kind == "mariadb" else ""))
    with_persons(asked.file)
    assert asked.name_and_target("05331110005") == ("Yetkili 5", "user/1002")
    assert asked.field("05331110005", "company") == "Müşteri 5"
    assert asked.name_and_target("05321110005") == ("Müşteri 5", "user/1002")
    assert asked.name_and_target("05331110004") == UNKNOWN


def test_a_file_that_was_imported_from_a_csv_has_the_same_shape(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All columns are texts then, also the key."""
    with sqlite3.connect(tmp_path / "customers.sqlite") as connection:
        columns = ("id", "name", "phone", "mobile", "segment", "owner", "status")
        connection.execute(f"CREATE TABLE customers ({', '.join(f'{column} TEXT' for column in columns)})")
        connection.execute("INSERT INTO customers VALUES ('1', 'Müşteri 1', '', '05321110001', '', '', '')")
    connection.close()
    asked = Asked(written("table", tmp_path, {}), capsys)
    assert asked.name_and_target("05321110001") == ("Müşteri 1", "queue/202")
