"""The configuration as a person is shown it."""

import json
import sys
from pathlib import Path

import pytest

from proxy.config import load
from proxy.config.masks import MASK
from proxy.config.shown import Shown, heirs_of, rules_of

SECRET = "made-up-token-of-the-switch"

TOML = f"""
[switch]
default = "queue/200"
deadline = 1
[switch.access]
tokens = ["{SECRET}"]
[routing]
unknown = "queue/202"
[cache]
snapshot = "cache.json"
snapshot_key_file = "snapshot.key"
[admin]
listen = "127.0.0.1:9090"
token = "${{OPERATOR_TOKEN}}"
[tables.agents]
"ayse.demir" = "1003"
[hours.office]
days = "mon-fri"
from = "09:00"
to = "18:00"
[[rules]]
name = "gold"
when = {{ tier = "gold" }}
during = "office"
target = "queue/201"
[[rules]]
name = "gold too"
caller = {{ kind = "known" }}
when = {{ tier = "gold" }}
during = ["office"]
target = "user/1001"
[[lines]]
name = "sales"
called = "02125551010"
[[lines.rules]]
name = "strangers"
caller = {{ kind = "unknown" }}
ask = "customer_no"
[[lines]]
name = "as all"
called = "02125551011"
[steps.customer_no]
phrase = "Tuşlayın."
keep = "order"
[[sources]]
name = "crm"
adapter = "rest"
[sources.options]
url = "https://crm.example.com/api/contacts"
query = {{ phone = "{{e164}}" }}
headers = {{ "X-Api-Key" = "made-up-api-key-of-the-crm", "X-Back" = "x://user:made-up-password@[::1" }}
record = "items[0]"
name = "name"
numbers = "phones"
[[sources]]
name = "agents"
adapter = "sql"
role = "enrich"
[sources.options]
url = "postgresql+asyncpg://reader:made-up-password@db.example.com:5433/pbx"
statement = "SELECT extension AS owner_extension FROM agents WHERE login = :owner"
"""


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shown:
    return Shown(load(written(tmp_path, monkeypatch)))


def written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPERATOR_TOKEN", "made-up-token-of-the-operator")
    monkeypatch.setenv("TANIMA_CACHE__TTL", "120")
    (folder / "snapshot.key").write_text("made-up-key-of-a-snapshot", encoding="utf-8")
    (folder / "config.toml").write_text(TOML, encoding="utf-8")
    return folder / "config.toml"


def test_what_was_written_is_shown_as_it_was(shown: Shown) -> None:
    sections = shown.sections
    assert sections["switch"]["default"] == "queue/200"
    assert sections["routing"]["unknown"] == "queue/202"
    assert sections["admin"]["listen"] == "127.0.0.1:9090"
    assert sections["hours"]["office"] == {
        **sections["hours"]["office"], "days": "mon-fri", "from": "09:00", "to": "18:00",
    }  # fmt: skip
    assert sections["tables"]["agents"] == {"ayse.demir": "1003"}
    assert sections["rules"][1]["during"] == ["office"]
    assert sections["lines"][0]["rules"][0]["ask"] == "customer_no"
    assert sections["steps"]["customer_no"]["keep"] == "order"
    assert sections["cache"]["ttl"] == "120", "as the environment has it"


def test_what_was_left_out_is_shown_as_it_counts_and_can_be_told_from_it(shown: Shown) -> None:
    sections, keys = shown.sections, shown.written
    assert sections["switch"]["listen"] == "127.0.0.1:8080"
    assert sections["switch"]["path"] == "/musteri.json"
    assert sections["routing"]["greeting"] == "{name}"
    assert sections["cache"]["stale"] == 86400
    assert sections["sources"][0]["role"] == "find"
    assert sections["sources"][0]["by"] == ["phone_number"]
    assert sections["sources"][0]["options"]["method"] == "GET"
    assert {"switch.default", "switch.deadline", "cache.ttl", "admin.listen", "rules.gold.target"} <= keys
    assert {"sources.crm.options.record", "lines.sales.rules.strangers.ask", "cache.snapshot_key_file"} <= keys
    assert not {"switch.listen", "cache.stale", "sources.crm.role", "sources.crm.options.method"} & keys


def test_no_secret_is_shown_wherever_it_stands(shown: Shown) -> None:
    text = repr(shown.sections)
    assert "made-up" not in text
    assert shown.sections["switch"]["access"]["tokens"] == [MASK]
    assert shown.sections["admin"]["token"] == "${OPERATOR_TOKEN}", "where it comes from is none"
    assert shown.sections["cache"]["snapshot_key_file"] == "snapshot.key"
    assert "snapshot_key" not in shown.sections["cache"]
    options = shown.sections["sources"][0]["options"]
    assert options["headers"] == {"X-Api-Key": MASK, "X-Back": MASK}
    assert options["url"] == "https://crm.example.com/api/contacts"
    assert shown.sections["sources"][1]["options"]["url"] == f"postgresql+asyncpg://db.example.com:5433/{MASK}"


OWN = """
from pydantic import AnyUrl
from proxy.adapter import Adapter, AdapterConfig, SecretStr


class Options(AdapterConfig):
    password: str = ""
    pin: int = 0
    auth_pin: int = 0
    renew_tokens: bool = False
    braces: SecretStr | None = None
    kept: SecretStr = SecretStr("made-up")
    headers: dict[str, str] = {}
    dsn: str = "postgres://us:made-up-password@db.example.com/x"
    other: AnyUrl = AnyUrl("https://us:made-up-password@crm.example.com/x")
    sets: dict[str, dict[str, str]] = {"auth": {"pair": "made-up-pair"}, "more": {"tenant": "acme"}}


class Crm(Adapter):
    Config = Options

    def __init__(self, config):
        pass

    async def lookup(self, key):
        return None
"""

SOURCES = """
[switch]
default = "queue/200"
[[sources]]
name = "token of ours"
adapter = "of_a_test_of_shown:Crm"
[sources.options]
password = "made-up-password"
pin = 7
auth_pin = 4711
renew_tokens = true
braces = "made-up {x} braces"
headers = { Authorization = "Bearer made-up", Accept = "text/xml" }
[[sources]]
name = "list"
adapter = "static"
[[sources.options.contacts]]
name = "Ayşe"
numbers = ["0530 123 45 67"]
fields = { mobile = 905301234567, tier = "gold", points = 12 }
"""


def test_no_secret_of_an_own_adapter_is_shown_whatever_it_is_declared_as(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "of_a_test_of_shown.py").write_text(OWN, encoding="utf-8")
    (tmp_path / "config.toml").write_text(SOURCES, encoding="utf-8")
    own, listed = (table["options"] for table in Shown(load(tmp_path / "config.toml")).sections["sources"])
    assert own == {
        "password": MASK,
        "pin": 7,
        "auth_pin": MASK,
        "renew_tokens": True,
        "braces": MASK,
        "kept": MASK,
        "headers": {"Authorization": MASK, "Accept": "text/xml"},
        "dsn": f"postgres://db.example.com/{MASK}",
        "other": f"https://crm.example.com/{MASK}",
        "sets": {"auth": {"pair": MASK}, "more": {"tenant": "acme"}},
    }
    (contact,) = listed["contacts"]
    assert contact["numbers"] == ["•••• ••• •• 67"]
    assert contact["fields"] == {"mobile": "••••••••••67", "tier": "gold", "points": 12}


def test_no_secret_out_of_the_environment_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    source = {"name": "crm", "adapter": "of_a_test_of_shown:Crm", "options": {"password": "made-up-password"}}
    monkeypatch.setenv("TANIMA_SOURCES", json.dumps([source]))
    (tmp_path / "of_a_test_of_shown.py").write_text(OWN, encoding="utf-8")
    (tmp_path / "config.toml").write_text('[switch]\ndefault = "queue/200"\n', encoding="utf-8")
    assert "made-up" not in repr(Shown(load(tmp_path / "config.toml")).sections)


def test_rules_are_told_with_their_conditions_and_why_one_never_matches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [*rules_of(load(written(tmp_path, monkeypatch)))]
    assert [(line, rule.name, rule.goal_in_words(), never) for line, rule, _, never in told] == [
        ("", "gold", "queue/201", ""),
        ("", "gold too", "user/1001", "gold"),
        ("sales", "strangers", "ask customer_no", ""),
    ]
    assert told[1][2] == {"caller": {"kind": "known"}, "when": {"tier": "gold"}, "during": ["office"]}


def test_lines_without_rules_of_their_own_have_those_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = load(written(tmp_path, monkeypatch))
    assert heirs_of("", configuration) == ("as all",)
    assert heirs_of("sales", configuration) == ()
