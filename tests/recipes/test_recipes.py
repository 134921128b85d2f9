"""Every recipe for a database is a whole configuration, tells what is sure about it, and compares whole numbers."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import sqlglot

from adapters.sql.rows import fields_in, folded
from adapters.sql.statement import Statement, read_statement
from proxy.cli.init import recipes
from proxy.cli.main import main
from tests.recipes.asked import sql_of_the_user

NAMES = ("logo", "mikro", "nebim", "netsis", "table", "whmcs", "wordpress")
SQL_SERVER = ("logo", "mikro", "nebim", "netsis")
DIALECTS = {"mssql": "tsql", "mariadb": "mysql", "sqlite": "sqlite"}
SECTIONS = ("the schema", "CONFIRMED", "CHECK ON SITE", "only reads", "how fast it is", "traps")


def text_of(recipe: str) -> str:
    return recipes()[recipe].read_text(encoding="utf-8")


def sources_of(recipe: str) -> list[dict[str, Any]]:
    sources: list[dict[str, Any]] = tomllib.loads(text_of(recipe))["sources"]
    return sources


def statements_of(source: dict[str, Any]) -> list[Statement]:
    options = source["options"]
    return [
        read_statement(written, kind=options["kind"], literals=options.get("literals", {}), country_code="90")
        for written in options.get("statements") or [options["statement"]]
    ]


def all_statements() -> list[Any]:
    return [
        pytest.param(source["options"]["kind"], source.get("role", "find"), statement, id=f"{name} {number}")
        for name in NAMES
        for number, (source, statement) in enumerate(
            ((source, statement) for source in sources_of(name) for statement in statements_of(source)), 1
        )
    ]


def columns_of(kind: str, statement: Statement) -> list[str]:
    parsed = sqlglot.parse_one(statement.clause.text, read=DIALECTS[kind])
    assert isinstance(parsed, sqlglot.exp.Query)
    return [folded(column) for column in parsed.named_selects]


def test_these_recipes_ask_databases() -> None:
    assert tuple(name for name in recipes() if {s["adapter"] for s in sources_of(name)} == {"sql"}) == NAMES


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.odbc] if name in SQL_SERVER else []) for name in NAMES]
)
def test_a_recipe_that_was_just_written_is_a_good_configuration(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.toml"
    (tmp_path / "crm.password").write_text("made up\n", encoding="ascii")
    assert main(["init", "--recipe", name, str(file)]) == 0
    assert file.read_text(encoding="utf-8") == text_of(name)
    capsys.readouterr()
    assert main(["check", "--config", str(file)]) == 0
    assert capsys.readouterr().out.startswith(f"{file}: good. Sources: ")


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_begins_with_what_it_is_for_and_what_is_sure(name: str) -> None:
    lines = text_of(name).splitlines()
    introduction = lines[: lines.index("[switch]")]
    assert len(lines[0].removeprefix("# ")) > 30
    assert all(line.startswith("#") or not line for line in introduction)
    headings = [match[1] for line in introduction if (match := re.fullmatch(r"# -{20,} (.+)", line))]
    assert [heading for heading in headings if heading.endswith(SECTIONS)] == headings
    assert [next(s for s in SECTIONS if heading.endswith(s)) for heading in headings] == list(SECTIONS)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_has_what_a_deployment_needs(name: str) -> None:
    tree = tomllib.loads(text_of(name))
    assert {"switch", "sources", "rules", "hours", "routing"} <= set(tree)
    assert {"default", "unknown"} <= {*tree["switch"], *tree["routing"]}
    assert any("caller" in rule and rule.get("outside") == "office" for rule in tree["rules"])
    assert set(tree["rules"][-1]) == {"name", "target"}  # for all other customers


@pytest.mark.parametrize("name", NAMES)
def test_lines_are_short_enough_to_be_read_and_have_no_tabs(name: str) -> None:
    assert [
        line for line in text_of(name).splitlines() if len(line) > 120 or "\t" in line or line != line.rstrip()
    ] == []


@pytest.mark.parametrize("name", NAMES)
def test_all_sources_together_are_done_before_the_switch_stops_waiting(name: str) -> None:
    tree = tomllib.loads(text_of(name))
    seconds = [source.get("timeout", 0.6) * source.get("attempts", 2) for source in tree["sources"]]
    assert sum(seconds) < tree["switch"].get("deadline", 1.5)


@pytest.mark.parametrize("name", SQL_SERVER)
def test_every_source_on_one_sql_server_is_reached_in_the_same_way(name: str) -> None:
    place = ("kind", "host", "database", "user", "password_file", "driver_options", "literals")
    places = [{key: source["options"].get(key) for key in place} for source in sources_of(name)]
    assert all(each == places[0] for each in places)
    assert places[0]["kind"] == "mssql"


@pytest.mark.parametrize(("kind", "role", "statement"), all_statements())
def test_every_statement_is_sql_of_its_database(kind: str, role: str, statement: Statement) -> None:
    assert len(sqlglot.parse(statement.clause.text, read=DIALECTS[kind])) == 1


@pytest.mark.parametrize(("kind", "role", "statement"), all_statements())
def test_every_statement_that_finds_candidates_also_returns_numbers(kind: str, role: str, statement: Statement) -> None:
    columns = columns_of(kind, statement)
    assert len(set(columns)) == len(columns)
    assert statement.finds_candidates is (role == "find")
    assert ({"id", "name", "number"} <= set(columns)) is (role == "find")


@pytest.mark.parametrize("name", NAMES)
def test_the_statements_of_a_source_return_the_same_fields(name: str) -> None:
    for source in sources_of(name):
        kind = source["options"]["kind"]
        fields = [fields_in(columns_of(kind, statement)) for statement in statements_of(source)]
        assert all(each == fields[0] for each in fields)


@pytest.mark.parametrize("name", NAMES)
def test_rules_and_enriching_sources_name_only_fields_that_there_are(name: str) -> None:
    tree = tomllib.loads(text_of(name))
    fields = {"name", "id"}
    for source in tree["sources"]:
        for statement in statements_of(source):
            if source.get("role") == "enrich":
                assert statement.names <= fields
            fields |= fields_in(columns_of(source["options"]["kind"], statement))
    for rule in tree["rules"]:
        in_target = {match.strip() for match in re.findall(r"\{([^|}]+)", rule["target"])}
        assert {*rule.get("when", {}), *in_target} <= fields


@pytest.mark.parametrize("name", SQL_SERVER)
def test_texts_are_joined_by_concat_on_sql_server(name: str) -> None:
    written = [
        text
        for source in sources_of(name)
        for text in source["options"].get("statements") or [source["options"]["statement"]]
    ]
    outside = [re.sub(r"\{[^}]*\}|'[^']*'", "", text) for text in written]
    assert [text for text in outside if "+" in text or "||" in text] == []
    assert all(text.count("WITH (NOLOCK)") == len(re.findall(r"\b(?:FROM|JOIN)\b", text)) for text in outside)


@pytest.mark.parametrize("name", NAMES)
def test_the_user_may_read_exactly_the_tables_that_are_read(name: str) -> None:
    granted = {
        match[1]
        for statement in sql_of_the_user(name)
        if (match := re.match(r"GRANT SELECT (?:\([^)]*\) )?ON (?:\w+\.)?(\w+) TO tanima\b", statement))
    }
    read = {
        table.name
        for source in sources_of(name)
        for statement in statements_of(source)
        for table in sqlglot.parse_one(statement.clause.text, read=DIALECTS[source["options"]["kind"]]).find_all(
            sqlglot.exp.Table
        )
    }
    assert granted == read
