"""`tanima check --live` on set-ups that are broken, each in its own way, as an operator runs it."""

from pathlib import Path

import pytest

from tests.adapters.sql_crm import fill
from tests.e2e.running import run
from tests.servers import LOCKED_OUT, Mariadb, Postgres, free_port

TABLES = (
    "DROP TABLE IF EXISTS live_customers",
    "DROP TABLE IF EXISTS live_agents",
    "CREATE TABLE live_customers (id INTEGER PRIMARY KEY, phone VARCHAR(40), owner VARCHAR(20), tier VARCHAR(20))",
    "CREATE TABLE live_agents (login VARCHAR(20) PRIMARY KEY, extension INTEGER)",
    "INSERT INTO live_customers VALUES (1, '0530 123 45 67', 'ali', 'gold')",
)
FIND = "SELECT id, phone AS number, owner, tier FROM live_customers WHERE {caller_in(phone)}"
ENRICH = "SELECT extension FROM live_agents WHERE login = :owner"


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        fill(tmp_path / "crm.db", *TABLES)
        return "sqlite+aiosqlite:///crm.db"
    server: Postgres | Mariadb = request.getfixturevalue("mariadb" if request.param == "mariadb" else "postgres")
    server.sql("; ".join(TABLES))
    return server.url()


async def checked(
    folder: Path, url: str, *, find: str = FIND, enrich: str = ENRICH, password: str = "", field: str = "tier"
) -> tuple[int, list[str]]:
    """Run the command; return its exit code and what it prints behind the first line."""
    (folder / "config.toml").write_text(
        f"""
[switch]
default = "queue/200"

[[rules]]
name = "gold"
when = {{ {field} = "gold" }}
target = "queue/201"

[[rules]]
name = "own agent"
target = "user/{{extension}}"

[[sources]]
name = "crm"
adapter = "sql"
timeout = 15
[sources.options]
url = "{url}"
{f'password = "{password}"' if password else ""}
statement = "{find}"

[[sources]]
name = "agents"
adapter = "sql"
role = "enrich"
timeout = 15
[sources.options]
url = "{url}"
{f'password = "{password}"' if password else ""}
statement = "{enrich}"
""",
        encoding="utf-8",
    )
    (folder / "config.toml").chmod(0o600)
    ran = await run("check", "--live", cwd=folder)
    assert ran.err == ""
    first, note, *others = ran.out.splitlines()
    assert first == "config.toml: good. Sources: 2, rules: 2."
    assert note.startswith("note: sources may take ")
    return ran.code, others


def the_one(lines: list[str], start: str) -> str:
    """Return the one line that begins so."""
    (line,) = [line for line in lines if line.startswith(start)]
    return line


async def test_a_set_up_that_fits(tmp_path: Path, url: str) -> None:
    code, lines = await checked(tmp_path, url)
    assert code == 0
    assert the_one(lines, "sources.crm: ").startswith("sources.crm: answers (")
    assert the_one(lines, "sources.crm.options.statement: took ").endswith(" ms")
    assert "reads all of live_customers for each call" in the_one(lines, "sources.crm.options.statement: reads")
    assert the_one(lines, "sources.agents.options.statement: took ")


async def test_a_missing_table(tmp_path: Path, url: str) -> None:
    code, lines = await checked(tmp_path, url, find=FIND.replace("live_customers", "live_clients"))
    assert code == 1
    problem = the_one(lines, "sources.crm.options.statement: ")
    assert "names a table" in problem
    assert "live_clients" in problem


async def test_a_missing_column(tmp_path: Path, url: str) -> None:
    code, lines = await checked(tmp_path, url, enrich=ENRICH.replace("extension", "extention"))
    assert code == 1
    problem = the_one(lines, "sources.agents.options.statement: ")
    assert "column" in problem
    assert "extention" in problem


async def test_a_field_that_no_column_carries(tmp_path: Path, url: str) -> None:
    enrich = "SELECT extension AS ext FROM live_agents WHERE login = :boss"
    code, lines = await checked(tmp_path, url, field="Tier", enrich=enrich)
    there = "allowed: customer_number, ext, id, name, owner, tier"
    assert code == 1
    assert the_one(lines, "rules.gold.when: ") == (
        f"rules.gold.when: needs the field Tier, which no source has (did you mean tier?) - {there}"
    )
    assert the_one(lines, "rules.own agent.target: needs the field extension, which no source has")
    assert the_one(lines, "sources.agents.options: ") == (
        f"sources.agents.options: needs the field boss, which no source has - {there.replace(' ext,', '')}"
    )


async def test_a_statement_that_finds_everybody(tmp_path: Path, url: str) -> None:
    code, lines = await checked(tmp_path, url, find="SELECT owner, tier FROM live_customers WHERE :digits <> ''")
    assert code == 1
    told = "finds somebody for a number that nobody has - allowed: a WHERE with the caller's number"
    assert the_one(lines, "sources.crm.options.statement: finds") == f"sources.crm.options.statement: {told}"


async def test_a_statement_whose_rows_carry_no_numbers(tmp_path: Path, url: str) -> None:
    code, lines = await checked(tmp_path, url, find=FIND.replace("id, phone AS number, owner, tier", "*"))
    assert code == 1
    assert the_one(lines, "sources.crm.options.statement: compares digits, but returns no numbers to check")


@pytest.mark.parametrize("kind", ["postgresql+asyncpg", "mariadb+aiomysql", "sqlite+aiosqlite"])
async def test_a_database_that_is_not_there(tmp_path: Path, kind: str) -> None:
    url = f"{kind}:///nothing.db" if "sqlite" in kind else f"{kind}://reader@127.0.0.1:{free_port()}/crm"
    code, lines = await checked(tmp_path, url)
    assert code == 1
    assert [line.partition(":")[0] for line in lines] == ["sources.crm", "sources.agents"]
    for line in lines:
        assert ("cannot be reached" in line) or ("missing or cannot be opened" in line), line
        assert line.endswith(" - allowed: a CRM that answers")


async def test_a_login_that_is_refused(tmp_path: Path, postgres: Postgres, mariadb: Mariadb) -> None:
    postgres.sql(LOCKED_OUT)
    for server in (postgres, mariadb):
        code, lines = await checked(tmp_path, server.url("locked_out"), password="wrong")
        assert code == 1
        assert lines == [
            f"sources.{name}: the database refuses our user or password - allowed: a CRM that answers"
            for name in ("crm", "agents")
        ]
