"""A recipe as `tanima init` writes it, set to a server of the tests; and one call, by `tanima route`."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from proxy.cli.init import recipes
from proxy.cli.main import main
from tests.servers import DatabaseServer

OPEN = "2026-11-24T14:00+03:00"
CLOSED = "2026-11-24T22:00+03:00"

CALLS = ("05321110001", "5321110001", "+905321110001", "905321110001", "0090 532 111 00 01", "+90 (532) 111-00-01")
"""One number, as switches send it"""

SPELLINGS = (
    "0532 111 22 33",
    "(532)1112233",
    "+90 532 111 22 33",
    "90-532-111-2233",
    "05321112233 (is)",
    "0532 111 22 33 dahili 12",
    "0212 555 10 10 / 0532 111 22 33",
    "0532.111.22.33 - 0533 444 55 66",
)
"""The same number, as people write it into a CRM"""

CALLER = "05321112233"
ABROAD = "+495321112233"
"""A German number with the same last ten digits"""

NOBODY = "05550000000"


def written(recipe: str, folder: Path, settings: Mapping[str, str]) -> Path:
    """Write a recipe with other values for some settings, each in TOML, and the password that it reads from a file.

    There is time for everything: what the recipe says of that is tried in test_recipes.py.
    """
    file = folder / "config.toml"
    assert main(["init", "--recipe", recipe, str(file)]) == 0
    text = re.sub(r"^timeout *=.*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = re.sub(r"^(\[\[sources\]\].*)$", r"\1\ntimeout = 28", text, flags=re.MULTILINE)
    file.write_text(re.sub(r"^\[switch\]$", "[switch]\ndeadline = 30", text, flags=re.MULTILINE), encoding="utf-8")
    (folder / "crm.password").write_text("secret\n", encoding="ascii")
    change(file, settings)
    return file


def change(file: Path, settings: Mapping[str, str]) -> None:
    """Give settings other values, in TOML, wherever they stand."""
    text = file.read_text(encoding="utf-8")
    for name, value in settings.items():
        lines = [f"{name} = {value}" if re.match(rf"{name} *=", line) else line for line in text.split("\n")]
        assert "\n".join(lines) != text, f"there is no {name}"
        text = "\n".join(lines)
    file.write_text(text, encoding="utf-8")


def place_of(server: DatabaseServer, database: str) -> dict[str, str]:
    """Return the settings that lead to a database on a server of the tests, as the user of the recipe."""
    return {"host": f'"127.0.0.1"\nport = {server.port}', "database": f'"{database}"'}


def sql_of_the_user(recipe: str, **others: str) -> list[str]:
    """Return the statements by which a recipe makes its user, with other texts in the place of some of its own."""
    section = re.search(
        r"^# -+ [^\n]* only reads\n(.*?)^# ---", recipes()[recipe].read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert section is not None
    sql = " ".join(line.removeprefix("#     ").strip() for line in section[1].splitlines() if line.startswith("#     "))
    for text, other in {"...": "secret", "10.0.0.%": "127.0.0.1", **others}.items():
        sql = sql.replace(text, other)
    return [statement.strip() for statement in sql.split(";") if statement.strip()]


@dataclass(frozen=True)
class Asked:
    """Asks a deployment about calls."""

    file: Path
    capsys: pytest.CaptureFixture[str]

    def about(self, number: str, at: str = OPEN) -> Mapping[str, Any]:
        """Return what `tanima route` tells of a call from a number."""
        self.capsys.readouterr()
        assert main(["route", number, "--config", str(self.file), "--at", at, "--json"]) == 0
        told: Mapping[str, Any] = json.loads(self.capsys.readouterr().out)
        assert told["bugs"] == []
        assert told["failure"] is None
        return told

    def name_and_target(self, number: str, at: str = OPEN) -> tuple[str | None, str]:
        """Return whom the switch greets, and where the call goes."""
        answer = self.about(number, at)["answers"]["musteri-tanima"]
        return answer.get("name"), answer["target"]

    def field(self, number: str, name: str) -> Any:
        contact = self.about(number)["contact"]
        return None if contact is None else contact["fields"][name]

    def live(self) -> Sequence[str]:
        """Return what `tanima check --live` prints. It must find nothing wrong."""
        self.capsys.readouterr()
        code = main(["check", "--live", "--config", str(self.file)])
        lines = self.capsys.readouterr().out.splitlines()
        assert code == 0, lines
        return lines
