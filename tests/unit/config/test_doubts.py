"""Files with secrets that everybody can read are warned about; sources that take longer than a call waits are noted."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from proxy.cli import main
from proxy.config import load

SECRET = "s3cr3t-parola-of-16"

MODULE = """
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict
from proxy.adapter import Adapter, AdapterConfig, By, SecretStr


class Login(AdapterConfig):
    user: str = ""
    password: SecretStr | None = None


class Options(AdapterConfig):
    model_config = ConfigDict(extra="allow")
    url: SecretStr | None = None
    ping_url: SecretStr | None = None
    proxy: SecretStr | None = None
    password: SecretStr | None = None
    empty: SecretStr = SecretStr("")
    query: dict[str, Annotated[SecretStr, AfterValidator(lambda text: text)]] = {}
    each: dict[str, list[Annotated[SecretStr, AfterValidator(lambda text: text)]]] = {}
    secrets: dict[str, SecretStr] = {}
    several: list[SecretStr] = []
    login: Login = Login()
    steps: list[Login] = []


class Crm(Adapter):
    Config = Options

    def __init__(self, config):
        pass

    async def lookup(self, key):
        return None
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.upper().startswith("TANIMA_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CRM_TOKEN", SECRET)
    monkeypatch.setattr(sys, "path", [*sys.path])


def written(folder: Path, options: str = "", *sections: str, mode: int = 0o644) -> Path:
    """Write a TOML with such options of a source, and such further sections."""
    (folder / "of_a_doubts_test.py").write_text(MODULE, encoding="utf-8")
    file = folder / "config.toml"
    source = '[[sources]]\nname = "crm"\nadapter = "of_a_doubts_test:Crm"\n'
    file.write_text(
        "\n".join(['[switch]\ndefault = "queue/200"', *sections, source, "[sources.options]", options]),
        encoding="utf-8",
    )
    file.chmod(mode)
    return file


def told(file: Path) -> list[str]:
    return [f"{file} can be read by everybody on this machine, and holds a secret - better: chmod 600"]


IN_SECTIONS = [
    f'[switch.access]\ntokens = ["0123456789abcdef", "{SECRET}"]',
    f'[switch.access]\ntokens = "{SECRET}"',
    f'[cache]\nsnapshot = "cache"\nsnapshot_key = "{SECRET}"',
    f'[admin]\nlisten = "127.0.0.1:9090"\ntoken = "{SECRET}"',
]

IN_OPTIONS = [
    f'password = "{SECRET}"',
    f'login.password = "{SECRET}"',
    f'steps = [{{ user = "x" }}, {{ password = "{SECRET}" }}]',
    f'secrets.webhook = "{SECRET}"',
    f'secrets.shop = "{SECRET}"',
    f'several = ["{SECRET}"]',
    f'query = {{ limit = "5", api_key = "{SECRET}" }}',
    f'query = {{ X-Auth = "{SECRET}" }}',
    f'each.access_token = ["{SECRET}"]',
    f'url = "postgresql+asyncpg://reader:{SECRET}@db.example.com/crm"',
    f'url = "https://crm.example.com/contacts?limit=5&access_token={SECRET}"',
    f'url = "/contacts?key={SECRET}"',
    f'url = "https://crm.example.com/rest/1/{SECRET}/crm.contact.list"',
    f'url = "https://crm.example.com/rest/{SECRET}?phone={{e164}}"',
    f'password = "{SECRET} {{e164}}"',
    f'url = "mssql+aioodbc:///?odbc_connect=UID%3Dreader%3BPWD%3D{SECRET}"',
    f'ping_url = "https://crm.example.com/ping?apikey={SECRET}"',
    f'proxy = "http://us:{SECRET}@proxy.example.com:3128"',
]

NO_SECRETS = [
    "",
    'url = "https://crm.example.com/api/v2/contacts"',
    'url = "https://crm.example.com:8443/api/contacts/{e164}?limit=5&sort=name"',
    'url = "https://crm.example.com/contacts?key={key}"\nsecrets.key = "${CRM_TOKEN}"',
    'url = "/contacts"',
    'url = "https://crm-production-1/contacts"',
    'url = "postgresql+asyncpg://reader@db.example.com:5432/production_crm_2"',
    'url = "sqlite+aiosqlite:///customers.sqlite"',
    'proxy = "http://proxy.example.com:3128"',
    'query = { phone = "{e164}", limit = "5" }',
    'query = { Authorization = "Bearer {key}" }',
    'each.status = ["open", "closed"]',
    'login.user = "reader"',
    'password = ""',
    'password = "${CRM_TOKEN}"',
    'several = ["${CRM_TOKEN}"]\nsecrets.shop = "${CRM_TOKEN}"\nquery.key = "${CRM_TOKEN}"',
    'url = "https://crm.example.com/contacts?key=${CRM_TOKEN}"',
    'an_option_beyond = "x"',
]


@pytest.mark.parametrize("section", IN_SECTIONS)
def test_a_secret_of_a_section_in_a_toml_that_everybody_can_read_is_warned_about(tmp_path: Path, section: str) -> None:
    file = written(tmp_path, "", section)
    assert [*load(file).warnings] == told(file)


@pytest.mark.parametrize("options", IN_OPTIONS)
def test_a_secret_of_a_source_in_a_toml_that_everybody_can_read_is_warned_about(tmp_path: Path, options: str) -> None:
    file = written(tmp_path, options)
    assert [*load(file).warnings] == told(file)


@pytest.mark.parametrize("options", NO_SECRETS)
def test_a_toml_without_secrets_may_be_read_by_everybody(tmp_path: Path, options: str) -> None:
    assert load(written(tmp_path, options)).warnings == ()


@pytest.mark.parametrize("section", [section.replace(SECRET, "${CRM_TOKEN}") for section in IN_SECTIONS[1:]])
def test_secrets_out_of_the_environment_are_in_nobodys_file(tmp_path: Path, section: str) -> None:
    assert load(written(tmp_path, "", section)).warnings == ()


def test_what_the_environment_sets_is_in_nobodys_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANIMA_ADMIN__TOKEN", SECRET)
    configuration = load(written(tmp_path, "", '[admin]\nlisten = "127.0.0.1:9090"'))
    assert configuration.settings.admin.token is not None
    assert configuration.warnings == ()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o400])
def test_a_toml_that_others_cannot_read_may_hold_secrets(tmp_path: Path, mode: int) -> None:
    assert load(written(tmp_path, IN_OPTIONS[0], *IN_SECTIONS[1:], mode=mode)).warnings == ()


FILES: Mapping[str, tuple[str, str]] = {
    "tokens": ("", '[switch.access]\ntokens_file = "a.secret"'),
    "snapshot_key": ("", '[cache]\nsnapshot = "cache"\nsnapshot_key_file = "a.secret"'),
    "admin.token": ("", '[admin]\nlisten = "127.0.0.1:9090"\ntoken_file = "a.secret"'),
    "password": ('password_file = "a.secret"', ""),
    "login.password": ('login.password_file = "a.secret"', ""),
    "secrets.shop": ('secrets.shop_file = "a.secret"', ""),
}


@pytest.mark.parametrize("place", FILES)
def test_a_secret_file_that_everybody_can_read_is_warned_about(tmp_path: Path, place: str) -> None:
    secret = tmp_path / "a.secret"
    secret.write_text(SECRET, encoding="utf-8")
    secret.chmod(0o600)
    file = written(tmp_path, *FILES[place])
    assert load(file).warnings == ()
    secret.chmod(0o644)
    assert [*load(file).warnings] == told(secret)


def test_each_file_is_warned_about_once_and_the_toml_first(tmp_path: Path) -> None:
    secret = tmp_path / "a.secret"
    secret.write_text(SECRET, encoding="utf-8")
    secret.chmod(0o644)
    of_source, of_section = FILES["password"][0], FILES["admin.token"][1]
    file = written(tmp_path, of_source, of_section, '[switch.access]\ntokens = "0123456789abcdef"')
    assert [*load(file).warnings] == told(file) + told(secret)


def test_no_warning_tells_a_secret(tmp_path: Path) -> None:
    file = written(tmp_path, IN_OPTIONS[0], IN_SECTIONS[0])
    assert SECRET not in "".join(load(file).warnings)


def test_check_prints_warnings_and_notes_after_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, IN_OPTIONS[0], "deadline = 1")
    assert main(["check", "--config", str(file)]) == 0
    good, warning, note = capsys.readouterr().out.splitlines()
    assert good == f"{file}: good. Sources: 1, rules: 0."
    assert [warning] == [f"warning: {text}" for text in told(file)]
    assert note.startswith("note: sources may take 1.3 s together, more than switch.deadline (1): ")


# ---------------------------------------------------------------------------------------- notes


def sources(*of_each: str) -> str:
    return "\n".join(
        f'[[sources]]\nname = "{number}"\nadapter = "of_a_doubts_test:{adapter}"\n{lines}'
        for number, lines in enumerate(of_each)
        for adapter in ["Enriching" if "enrich" in lines else "Crm"]
    )


def noted(folder: Path, switch: str, *of_each: str, lookup: str = "", more: str = "") -> list[str]:
    (folder / "of_a_doubts_test.py").write_text(
        f"{MODULE}    asked_by = frozenset(By)\n\n\nclass Enriching(Crm):\n"
        "    async def enrich(self, contact):\n        return contact\n",
        encoding="utf-8",
    )
    sys.modules.pop("of_a_doubts_test", None)
    file = folder / "config.toml"
    file.write_text(
        f'[switch]\ndefault = "queue/200"\n{switch}\n[lookup]\n{lookup}\n{sources(*of_each)}\n{more}', encoding="utf-8"
    )
    return [*load(file).notes]


ENRICHING = 'role = "enrich"'
ONCE = "attempts = 1"


def test_one_source_at_its_defaults_is_not_noted(tmp_path: Path) -> None:
    assert noted(tmp_path, "", "") == []


def test_what_just_fits_is_not_noted(tmp_path: Path) -> None:
    assert noted(tmp_path, "deadline = 1.3", "") == []
    assert noted(tmp_path, "deadline = 1.2", ONCE, f"{ONCE}\n{ENRICHING}") == []
    assert len(noted(tmp_path, "deadline = 1.29", "")) == 1


def test_sources_that_take_longer_together_than_a_call_waits_are_noted(tmp_path: Path) -> None:
    expected = (
        "sources may take 2.6 s together, more than switch.deadline (1.5): a call does not wait for the rest - "
        "better: fewer attempts, shorter timeouts, lookup.parallel or a longer deadline"
    )
    assert noted(tmp_path, "", "", "") == [expected]


def test_what_is_asked_at_once_anyway_is_not_advised(tmp_path: Path) -> None:
    expected = (
        "sources may take 2.6 s together, more than switch.deadline (1.5): a call does not wait for the rest - "
        "better: fewer attempts, shorter timeouts or a longer deadline"
    )
    assert noted(tmp_path, "", "", ENRICHING) == [expected]
    assert noted(tmp_path, "", ONCE, "", ENRICHING, lookup="parallel = true") == [expected]


def test_of_sources_that_are_asked_at_once_the_longest_counts(tmp_path: Path) -> None:
    assert noted(tmp_path, "", "", "", "", lookup="parallel = true") == []
    (line,) = noted(tmp_path, "", ONCE, "timeout = 1", ONCE, lookup="parallel = true")
    assert line.startswith("sources may take 2.1 s together, ")


def test_sources_for_other_kinds_of_number_are_not_asked_together(tmp_path: Path) -> None:
    by_customer_number, by_both = 'by = "customer_number"', 'by = ["phone_number", "customer_number"]'
    assert noted(tmp_path, "", "", by_customer_number) == []
    assert len(noted(tmp_path, "", by_customer_number)) == 1, "nobody is known by the number he calls from"
    for others in (["", by_both], [by_customer_number, by_both]):
        (line,) = noted(tmp_path, "", *others)
        assert line.startswith("sources may take 2.6 s together, ")
        assert "lookup.parallel" in line
    assert noted(tmp_path, "", by_both, by_customer_number, lookup="parallel = true") == []


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        ("attempts = 1\ntimeout = 3", "3"),
        ("attempts = 2\ntimeout = 1", "2.1"),
        ("attempts = 3\ntimeout = 1", "3.25"),
        ("attempts = 4\ntimeout = 1\nwait_max = 0.1", "4.3"),
        ("attempts = 4\ntimeout = 1\nwait_jitter = 0", "4.35"),
        ("attempts = 10\ntimeout = 1\nwait_initial = 0\nwait_jitter = 0", "10"),
    ],
)
def test_attempts_and_the_waits_between_them_count(tmp_path: Path, limits: str, seconds: str) -> None:
    (line,) = noted(tmp_path, "", limits)
    assert line.startswith(f"sources may take {seconds} s together, ")


# ---------------------------------------------------------------------------------------- what a dialect cannot say

SAID = """
[routing]
unknown = "tts/tr-TR/Kapalıyız"
internal = "queue/200"
language = "en-US"
recording = false

[steps.menu]
phrase = { tr-TR = "Satış için bir" }
choose = { 1 = "queue/200" }

[[lines]]
name = "sales"
called = "1001"
[lines.routing]
phrase = "Merhaba"
[[lines.rules]]
name = "plain"
target = "queue/200"
announcement_to_caller = 7

[[rules]]
name = "plain"
when = { tier = "gold" }
target = "queue/201"
greeting = "{name}"
[[rules]]
name = "asked"
ask = "menu"
called = "1002"
announcement_to_callee = 8
[[rules]]
name = "spoken"
target = "tts/tr-TR/Merhaba"
"""


@pytest.mark.parametrize("dialect", ["", 'dialect = "auto"'])
def test_what_the_old_form_has_no_words_for_is_noted_where_it_may_be_asked_in(tmp_path: Path, dialect: str) -> None:
    (line,) = noted(tmp_path, dialect, "", more=SAID)
    told, _, left_out = line.partition(": ")
    assert told == "a switch that asks in the form of musteri-tanima is not told"
    assert left_out.split(", ") == [
        "lines.sales",
        "steps.menu",
        "routing.language",
        "routing.recording",
        "lines.sales.routing.phrase",
        "rules.asked.announcement_to_callee",
        "lines.sales.rules.plain.announcement_to_caller",
        "rules.asked.ask",
        "rules.asked.called",
        "rules.spoken.target",
        "routing.unknown",
    ]


def test_nothing_of_that_is_noted_where_the_switch_asks_in_the_new_form_alone(tmp_path: Path) -> None:
    assert noted(tmp_path, 'dialect = "santral-programlama"', "", more=SAID) == []


@pytest.mark.parametrize(
    ("url", "token", "told"),
    [
        ("https://example.com/musteri.json", "", []),
        ("https://example.com/a/musteri.json", "", []),
        (
            "https://example.com/other.json",
            "",
            ["switch.service_url does not end in switch.path (/musteri.json), so that this server answers the default"],
        ),
        (f"https://example.com/{SECRET}/musteri.json", SECRET, []),
        (f"https://example.com/musteri.json?token={SECRET}", SECRET, []),
        (
            "https://example.com/musteri.json?a=b",
            SECRET,
            ["switch.service_url has none of switch.access.tokens: what is keyed is refused if the switch brings none"],
        ),
    ],
)
def test_a_service_url_at_which_nothing_would_be_understood_is_noted(
    tmp_path: Path, url: str, token: str, told: list[str]
) -> None:
    access = f'access = {{ tokens = ["{token}"] }}' if token else ""
    assert noted(tmp_path, f'dialect = "santral-programlama"\nservice_url = "{url}"\n{access}', "") == told


def test_steps_to_which_nothing_leads_are_noted(tmp_path: Path) -> None:
    step = 'announcement = 5\nkeep = "x"\n'
    more = (
        '[[rules]]\nname = "all"\nask = "a"\n'
        f'[steps.a]\nannouncement = 5\nchoose = {{ 1 = "b", 2 = "queue/1" }}\notherwise = "c"\n'
        f'[steps.b]\n{step}then = "d"\n[steps.c]\n{step}[steps.d]\n{step}[steps.e]\n{step}'
    )
    told = "is never asked: nothing leads to it within dialogue.max_steps"
    assert noted(tmp_path, 'dialect = "santral-programlama"', "", more=more) == [f"steps.e {told} (5) questions"]
    fewer = f"[dialogue]\nmax_steps = 2\n{more}"
    assert noted(tmp_path, 'dialect = "santral-programlama"', "", more=fewer) == [
        f"steps.d {told} (2) questions",
        f"steps.e {told} (2) questions",
    ]


def test_it_is_noted_when_nobody_is_known_by_his_number(tmp_path: Path) -> None:
    told = "no source is asked by phone_number: every caller is unknown before he keys something"
    assert noted(tmp_path, "", 'by = "customer_number"') == [told]


@pytest.mark.parametrize(
    ("languages", "is_noted"),
    [
        ("", False),
        ('[routing]\nlanguage = "en-US"\n', False),
        ('[routing]\nlanguage = "{language}"\n', True),
        ('[[rules]]\nname = "x"\ntarget = "queue/1"\nlanguage = "en-US"\n', True),
        ('[routing]\nlanguage = "en-US"\n[[rules]]\nname = "x"\ntarget = "queue/1"\nlanguage = "en-US"\n', False),
        ('[[lines]]\nname = "x"\ncalled = "1001"\nrouting = { language = "ar-XA" }\n', True),
    ],
)
def test_a_text_that_would_be_spoken_in_several_languages_is_noted(
    tmp_path: Path, languages: str, *, is_noted: bool
) -> None:
    steps = (
        '[[rules]]\nname = "all"\nask = "a"\n'
        '[steps.a]\nphrase = "Tuşlayın."\nphrase_again = "Yine."\nkeep = "x"\nthen = "b"\n'
        '[steps.b]\nphrase = "Tuşlayın."\nlanguage = "tr-TR"\nkeep = "y"\nthen = "c"\n'
        '[steps.c]\nphrase = { tr-TR = "Tuşlayın." }\nkeep = "z"\n'
    )
    told = noted(tmp_path, 'dialect = "santral-programlama"', "", more=languages + steps)
    parts = ("phrase", "phrase_again") if is_noted else ()
    better = "is one text, and would be spoken in several languages - better: a table"
    assert [line for line in told if better in line] == [f"steps.a.{part} {better}" for part in parts]


def test_a_rule_for_a_line_that_has_rules_of_its_own_is_noted(tmp_path: Path) -> None:
    more = (
        '[[rules]]\nname = "dead"\ncalled = "0850 532 12 34"\ntarget = "queue/1"\n'
        '[[rules]]\nname = "alive"\ncalled = ["0850 532 12 34", "1009"]\ntarget = "queue/1"\n'
        '[[rules]]\nname = "shared"\ncalled = "1002"\ntarget = "queue/1"\n'
        '[[lines]]\nname = "a"\ncalled = "0850 532 12 34"\nrules = []\n'
        '[[lines]]\nname = "b"\ncalled = "1002"\n'
    )
    told = "rules.dead.called is a line's, which has rules of its own: it is never tried there"
    assert noted(tmp_path, 'dialect = "santral-programlama"', "", more=more) == [told]
