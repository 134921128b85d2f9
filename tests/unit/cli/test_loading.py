"""What a command loads: no more than it needs, so that it starts soon."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.running import clean_environment

STATIC = """
[switch]
default = "queue/200"
[[sources]]
name = "crm"
adapter = "static"
[[sources.options.contacts]]
numbers = ["0530 123 45 67"]
name = "Ahmet Yılmaz"
"""

SQL = """
[switch]
default = "queue/200"
[hours.office]
from = "09:00"
to = "18:00"
holidays = "TR"
[[sources]]
name = "crm"
adapter = "sql"
[sources.options]
url = "sqlite+aiosqlite:///crm.db"
statement = "SELECT name FROM people WHERE phone = :e164"
"""

STEPS = """
import json, sys
from proxy.cli import main
def step(*arguments):
    if arguments:
        assert main([*arguments]) == 0
    print(json.dumps([*sys.modules]))
step()
step("check", "--config", sys.argv[1])
step("check", "--config", sys.argv[2])
import proxy.cli.serve
step()
"""

CONSOLE = {"jinja2", "prometheus_client", "proxy.web.admin"}
RARE = {
    "opentelemetry",
    "cryptography",
    "regex",
    "jmespath",
    "adapters.rest",
    "pydantic_settings",
    "watchfiles",
    "proxy.workers.supervisor",
}
OTHER_COMMANDS = {f"proxy.cli.{name}" for name in ("call", "erase", "init", "journal", "live", "probe", "rehearse")}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> list[set[str]]:
    """Return what is loaded to read the command line, to check two files one after the other, and to serve them."""
    files = [tmp_path_factory.mktemp("loading") / name for name in ("static.toml", "sql.toml")]
    for file, toml in zip(files, (STATIC, SQL), strict=True):
        file.write_text(toml, encoding="utf-8")
    command = [sys.executable, "-c", STEPS, *map(str, files)]
    root = Path(__file__).parents[3]
    ran = subprocess.run(command, cwd=root, env=clean_environment(), capture_output=True, text=True, check=True)
    return [set(json.loads(line)) for line in ran.stdout.splitlines() if line.startswith("[")]


def test_the_command_line_is_read_without_what_any_command_needs(loaded: list[set[str]]) -> None:
    assert not loaded[0] & {"asyncio", "pydantic", "aiohttp", "proxy.config", "proxy.app"}


def test_a_configuration_is_checked_without_what_answers_calls(loaded: list[set[str]]) -> None:
    assert "proxy.config.load" in loaded[1]
    assert not loaded[1] & {"aiohttp", "proxy.app", "sqlalchemy", "holidays", *CONSOLE, *RARE}


def test_of_sqlalchemy_and_of_the_holidays_only_what_is_asked_for_is_loaded(loaded: list[set[str]]) -> None:
    assert {"sqlalchemy", "aiosqlite", "holidays.countries.turkey"} <= loaded[2]
    assert not loaded[2] & {"sqlalchemy.orm", "sqlalchemy.ext.asyncio", "asyncpg", "aiomysql"}
    assert [name for name in loaded[2] if name.startswith("holidays.countries")] == ["holidays.countries.turkey"]


def test_calls_are_answered_without_what_the_console_other_commands_and_rare_settings_need(
    loaded: list[set[str]],
) -> None:
    assert "proxy.app" in loaded[3]
    assert not loaded[3] & {*CONSOLE, *RARE, *OTHER_COMMANDS}
