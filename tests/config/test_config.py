"""Every mistake that an operator can make in a TOML has one line that says what is allowed; a good one has none."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import date, time
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, SecretStr

from adapters.rest import RestConfig
from adapters.sql import SqlConfig
from proxy.cli import main
from proxy.config import Configuration, Settings, load
from proxy.config.described import description_of
from proxy.config.settings import AccessSettings, AdminSettings
from proxy.errors import ConfigError
from proxy.keys import By
from proxy.matching import Several
from proxy.rules import Standing
from proxy.rules.greeting import Greeting
from proxy.rules.manner import ANY, LanguageTemplate, Phrase
from proxy.rules.template import TargetTemplate
from proxy.target import Target

HERE = Path(__file__).parent
EXAMPLE = HERE.parent.parent / "config.example.toml"
INVALID = [
    pytest.param(file, marks=[pytest.mark.odbc] if 'kind = "mssql"' in file.read_text(encoding="utf-8") else [])
    for file in sorted((HERE / "invalid").glob("*.toml"))
]
VALID = sorted((HERE / "valid").glob("*.toml"))
SECRET = "s3cr3t-of-the-crm"
OF_PUSHES = "s3cr3t-of-the-crm-for-pushes"

Problem = tuple[str, str, str]


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what the tests' environment has, and what a test adds to the import path, to itself."""
    for name in [*os.environ]:
        if name.upper().startswith("TANIMA_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CRM_TENANT", "acme")
    monkeypatch.setenv("CRM_TOKEN", SECRET)
    monkeypatch.setattr(sys, "path", [*sys.path])


def expected_lines(file: Path) -> list[str]:
    text = file.read_text(encoding="utf-8").replace("{folder}", str(file.parent))
    return [line.removeprefix("#! ") for line in text.splitlines() if line.startswith("#! ")]


def named(file: Path) -> str:
    return file.stem


def problems_of(file: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(file)
    return caught.value.problems


def written(folder: Path, *, switch: str = "", source: str = 'adapter = "static"\noptions.contacts = []') -> Path:
    """Write a TOML with more lines in `[switch]`, and a source of one's own."""
    file = folder / "config.toml"
    file.write_text(
        f'[switch]\ndefault = "queue/200"\n{switch}\n\n[[sources]]\nname = "crm"\n{source}\n', encoding="utf-8"
    )
    return file


# ---------------------------------------------------------------------------------------- invalid files


@pytest.mark.parametrize("file", INVALID, ids=named)
def test_check_prints_exactly_the_lines_that_the_file_announces(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(file)]) == 2
    printed = capsys.readouterr()
    assert printed.out.splitlines() == expected_lines(file)
    assert printed.err == ""


@pytest.mark.parametrize("name", ["ten_mistakes", "no_sources", "rest_two_ways_to_log_in"])
def test_the_command_itself_prints_the_same_lines(name: str) -> None:
    file = HERE / "invalid" / f"{name}.toml"
    command = [sys.executable, "-m", "proxy.cli.main", "check", "--config", str(file)]
    command[1:3] = ["-c", "import sys; from proxy.cli import main; sys.exit(main())"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=30)
    assert done.stdout.decode().splitlines() == expected_lines(file)
    assert (done.returncode, done.stderr) == (2, b"")


@pytest.mark.parametrize("file", INVALID, ids=named)
def test_every_line_names_the_key_the_fault_and_what_is_allowed(file: Path) -> None:
    assert expected_lines(file)
    for line in expected_lines(file):
        assert re.fullmatch(r"[\w. ]+: .+ - allowed: .+", line), line


def test_ten_mistakes_make_ten_lines_about_ten_keys() -> None:
    lines = expected_lines(HERE / "invalid" / "ten_mistakes.toml")
    assert len(lines) == 10
    assert len({line.partition(":")[0] for line in lines}) == 10


def test_serve_and_route_tell_the_same_problems_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    file = HERE / "invalid" / "ten_mistakes.toml"
    for command in (["serve"], ["route", "05301234567"], ["sources"]):
        assert main([*command, "--config", str(file)]) == 2
        printed = capsys.readouterr()
        assert printed.err.splitlines() == expected_lines(file)
        assert printed.out == ""


# ---------------------------------------------------------------------------------------- files that are no TOML


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"[switch\n", "is not TOML (Expected ']' at the end of a table declaration (at line 1, column 8))"),
        (b'[switch]\ndefault = "queue/200"\ndefault = "queue/201"\n', "is not TOML (Cannot overwrite a value"),
        (b'[switch]\ndefault = "kuyruk \xfc"\n', "is not UTF-8 text"),
    ],
    ids=["syntax error", "key twice", "Latin-1"],
)
def test_a_file_that_is_no_toml_is_one_line(tmp_path: Path, content: bytes, complaint: str) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    (problem,) = problems_of(file)
    assert problem.startswith(f"{file}: {complaint}")
    assert " - allowed: " in problem


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "nowhere.toml"
    assert problems_of(file) == (f"{file}: cannot be read (No such file or directory) - allowed: a readable TOML file",)


def test_a_folder_in_place_of_the_file_is_one_line(tmp_path: Path) -> None:
    assert problems_of(tmp_path) == (f"{tmp_path}: is no file - allowed: a readable TOML file",)


# ---------------------------------------------------------------------------------------- valid files


@pytest.mark.parametrize("file", VALID, ids=named)
def test_check_says_that_a_valid_file_is_good(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--config", str(file)]) == 0
    printed = capsys.readouterr()
    tree = tomllib.loads(file.read_text(encoding="utf-8"))
    sources, rules = len(tree["sources"]), len(tree.get("rules", []))
    first, *others = printed.out.splitlines()
    assert first == f"{file}: good. Sources: {sources}, rules: {rules}."
    assert all(line.startswith("warning: ") for line in others), "as these files may be read by everybody"
    assert printed.err == ""


def test_what_is_left_out_has_its_default() -> None:
    settings = load(HERE / "valid" / "smallest.toml").settings
    assert (settings.switch.listen, settings.switch.path) == (("127.0.0.1", 8080), "/musteri.json")
    assert (settings.switch.parameter, settings.switch.region) == ("telefon", "TR")
    assert (settings.switch.deadline, str(settings.switch.default)) == (1.5, "queue/200")
    assert (settings.routing.unknown, settings.routing.withheld, settings.routing.internal) == (None, None, None)
    assert (settings.cache.ttl, settings.cache.negative_ttl) == (300, 60)
    assert (settings.cache.stale, settings.cache.size) == (86400, 50000)
    assert settings.lookup.parallel is False
    assert (settings.switch.connections, settings.switch.access, settings.admin) == (
        2000,
        AccessSettings(),
        AdminSettings(),
    )
    assert (settings.cache.refresh_ahead, settings.cache.recheck, settings.cache.snapshot_every) == (0, 5, 60)
    source = settings.sources[0]
    assert (source.concurrency, source.breaker_failures, source.breaker_pause) == (100, 10, 5)
    assert (source.role, source.several, source.timeout, source.attempts) == ("find", Several.FIRST, 0.6, 2)


def test_every_setting_is_read_as_it_stands() -> None:
    settings = load(HERE / "valid" / "every_setting.toml").settings
    assert (settings.switch.listen, settings.switch.path) == (("::1", 8081), "/kim/arayan.json")
    access = settings.switch.access
    assert (settings.switch.connections, access.rate, access.burst) == (50, 0.5, 3)
    assert [secret.get_secret_value() for secret in access.tokens] == ["made-up-token-one", "made-up-token-two"]
    assert [*map(str, access.allow)] == ["192.0.2.7/32", "198.51.100.0/24", "2001:db8::/32"]
    assert [*map(str, access.trusted_proxies)] == ["127.0.0.1/32"]
    assert (settings.switch.dialect, settings.switch.parameter) == ("santral-programlama", "numara")
    assert settings.switch.service_url == SecretStr("https://tanima.example.com/made-up-token-one/kim/arayan.json")
    assert (settings.switch.region, settings.switch.deadline) == ("DE", 2)
    assert str(settings.switch.default) == "hangup/busy"
    assert str(settings.routing.unknown) == "fax/kim@example.com"
    assert settings.routing.greeting == Greeting("{first_name} {last_name}")
    rule, everybody = settings.rules
    assert rule.when["balance"].wanted == "above 1 and below 2.5 and at least 1 and at most 2"
    assert rule.called == ["0892123456", "00902125551010"]
    assert (rule.caller.kind, rule.caller.country) == (frozenset({Standing.KNOWN}), ["DE"])
    assert (rule.during, rule.outside) == (["office", "night"], ["lunch"])
    assert rule.target == TargetTemplate.parse("user/{owner | extensions}")
    assert everybody.caller.kind == set(Standing)
    assert settings.tables["extensions"] == {"ayse.demir": "1003", "mehmet": "1004"}
    assert settings.tables["languages"] == {"TR": "tr-TR"}
    office, lunch = settings.hours["office"], settings.hours["lunch"]
    assert (office.days, office.start, office.end) == (frozenset(range(5)), time(9), time(18))
    assert office.zone == ZoneInfo("Europe/Berlin")
    assert office.holidays is not None
    assert date(2026, 1, 6) in office.holidays, "Epiphany, a holiday in Bavaria"
    assert date(2026, 1, 7) not in office.holidays
    assert office.closed == [date(2026, 12, 31)]
    assert (lunch.days, lunch.end) == (frozenset({5, 6, 0, 2}), time.min)
    assert settings.lookup.parallel is True
    assert (settings.cache.ttl, settings.cache.negative_ttl) == (10, 0.5)
    assert (settings.cache.stale, settings.cache.size) == (0, 1)
    cache, key = settings.cache, settings.cache.snapshot_key
    assert (cache.refresh_ahead, cache.recheck, cache.snapshot, cache.snapshot_every) == (1.5, 0, "every.cache", 10)
    assert key is not None
    assert key.get_secret_value() == "made-up-key-of-a-snapshot"
    assert settings.admin.listen == ("0.0.0.0", 9091)
    assert settings.admin.token == SecretStr("made-up-token-of-the-operator")
    crm, agents = settings.sources
    assert (crm.concurrency, crm.breaker_failures, crm.breaker_pause, crm.retry_budget) == (5, 1, 0.5, 0)
    assert (crm.several, crm.newest_by, crm.attempts) == (Several.NEWEST, "updated", 1)
    assert (crm.timeout, crm.wait_initial, crm.wait_max, crm.wait_jitter) == (0.1, 0, 0, 0)
    assert agents.role == "enrich"


def test_every_setting_of_what_is_said_and_asked_is_read_as_it_stands() -> None:
    settings = load(HERE / "valid" / "every_setting.toml").settings
    routing, (rule, everybody) = settings.routing, settings.rules
    assert routing.phrase == {"tr-TR": Phrase("Sayın {last_name}"), "en-US": Phrase("Dear {last_name}")}
    assert routing.language == LanguageTemplate("{country | languages}")
    assert (routing.announcement_to_caller, routing.announcement_to_callee, routing.recording) == (456, 457, True)
    assert [rule.ask, rule.phrase, rule.language, rule.announcement_to_caller, rule.recording] == [None] * 5
    assert (everybody.ask, everybody.phrase) == ("customer_no", {ANY: Phrase("Einen Augenblick, {order}")})
    assert everybody.language == LanguageTemplate("en-US")
    announcements = (everybody.announcement_to_caller, everybody.announcement_to_callee)
    assert (announcements, everybody.recording) == ((1, 999_999_999), False)
    sales, service = settings.lines
    assert (sales.name, sales.called, str(sales.default)) == ("sales", ["0892123457"], "queue/300")
    of_sales = (sales.routing.unknown, sales.routing.withheld, sales.routing.internal)
    assert [*map(str, of_sales)] == ["queue/301", "queue/302", "queue/303"]
    assert sales.routing.greeting == Greeting("")
    assert [(each.name, str(each.target and each.target.literal)) for each in sales.rules or []] == [
        ("everything", "queue/304")
    ]
    assert (service.called, service.default, service.rules) == (["0892123458", "1001"], None, None)
    assert service.routing.model_fields_set == set()
    number, menu, order, message = (settings.steps[name] for name in ("customer_no", "menu", "order", "message"))
    assert (number.announcement, number.announcement_again, number.number_of_digits) == (10, 11, (5, 8))
    assert (number.retries, number.timeout, number.digit_timeout, number.attempts) == (0, 10, 1, 3)
    assert (number.look_up, number.then, number.otherwise) == (By.PHONE_NUMBER, "menu", Target("hangup", "busy"))
    assert menu.phrase == {"tr-TR": "Satış için bir", "en-US": "Sales is one"}
    assert (menu.phrase_again, menu.speed) == ({ANY: "Wie bitte?"}, 1.5)
    assert menu.language == LanguageTemplate("{country | languages}")
    assert {keys: str(goal) for keys, goal in menu.choose.items()} == {
        "1": "queue/200",
        "2": "order",
        "03": "tts/tr-TR/Kapalıyız",
        "4": "message",
    }
    assert (order.listen, order.keep) == (10, "order")
    assert (message.record, message.then) == (True, Target("voicemail", "1000"))
    dialogue = settings.dialogue
    assert (dialogue.max_steps, dialogue.guesses, dialogue.guesses_within) == (9, 1, 0.5)
    assert [source.by for source in settings.sources] == [{By.PHONE_NUMBER}] * 2


def test_what_is_left_out_of_what_is_said_and_asked_has_its_default() -> None:
    settings = load(HERE / "valid" / "smallest.toml").settings
    assert (settings.switch.dialect, settings.switch.service_url) == ("auto", None)
    assert (settings.lines, settings.steps) == ([], {})
    dialogue = settings.dialogue
    assert (dialogue.max_steps, dialogue.guesses, dialogue.guesses_within) == (5, 5, 3600)
    routing = settings.routing
    assert [routing.phrase, routing.language, routing.announcement_to_caller, routing.recording] == [None] * 4
    assert settings.sources[0].by == {By.PHONE_NUMBER}


def test_an_adapter_may_stand_beside_the_toml() -> None:
    (source,) = load(HERE / "valid" / "adapter_beside_it.toml").sources
    assert type(source.adapter).__name__ == "OurCrm"
    assert vars(source.adapter) == {"greeting": "Merhaba"}


# ---------------------------------------------------------------------------------------- the environment


def test_the_environment_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANIMA_SWITCH__DEADLINE", "0.75")
    monkeypatch.setenv("TANIMA_CACHE__SIZE", "7")
    monkeypatch.setenv("TANIMA_LOOKUP__PARALLEL", "true")
    settings = load(written(tmp_path, switch='deadline = 3\nparameter = "numara"')).settings
    assert settings.switch.deadline == 0.75
    assert settings.switch.parameter == "numara", "the rest of the section stays"
    assert (settings.cache.size, settings.lookup.parallel) == (7, True)


def test_a_whole_section_may_come_from_the_environment_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANIMA_RULES", '[{"name": "all", "caller": {"kind": "anyone"}, "target": "queue/205"}]')
    (rule,) = load(written(tmp_path)).settings.rules
    assert (rule.name, rule.target) == ("all", TargetTemplate.parse("queue/205"))


def test_an_invalid_value_in_the_environment_is_told_like_one_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANIMA_SWITCH__DEADLINE", "soon")
    assert problems_of(written(tmp_path)) == ("switch.deadline: is a text - allowed: a number",)


@pytest.mark.parametrize("name", ["TANIMA_SWICH__DEADLINE", "TANIMA_DEADLINE", "TANIMA_"])
def test_a_variable_that_is_no_setting_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    (problem,) = problems_of(written(tmp_path))
    assert problem == (
        f"{name}: is not a setting - allowed: TANIMA_ADMIN, TANIMA_CACHE, TANIMA_DIALOGUE, TANIMA_HOURS, "
        "TANIMA_LINES, TANIMA_LOOKUP, TANIMA_ROUTING, TANIMA_RULES, TANIMA_SOURCES, TANIMA_STEPS, TANIMA_SWITCH, "
        "TANIMA_TABLES, and __KEY behind it"
    )


def test_a_variable_for_a_key_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANIMA_SWITCH__DEADLIN", "1")
    (problem,) = problems_of(written(tmp_path))
    assert problem.startswith("switch.deadlin: is not a setting (did you mean deadline?) - allowed: listen, path, ")


def test_a_list_in_the_environment_that_is_no_json_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANIMA_RULES", f"[{SECRET}")
    (problem,) = problems_of(written(tmp_path))
    assert problem == "TANIMA_RULES: is not JSON - allowed: JSON for lists and tables"


def test_names_in_texts_are_replaced_from_the_environment() -> None:
    configuration = load(HERE / "valid" / "secrets_from_the_environment.toml")
    config = adapter_config(configuration)
    assert isinstance(config, RestConfig)
    assert config.url.get_secret_value() == "https://crm.example.com/acme/contacts"
    assert config.bearer is not None
    assert config.bearer.get_secret_value() == SECRET


def test_names_are_replaced_wherever_texts_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUE", "205")
    source = 'adapter = "static"\n[[sources.options.contacts]]\nname = "${QUEUE}: $QUEUE"\nnumbers = ["0530${QUEUE}"]'
    configuration = load(written(tmp_path, switch='path = "/${QUEUE}/x"', source=source))
    assert configuration.settings.switch.path == "/205/x"
    assert configuration.settings.sources[0].options["contacts"] == [{"name": "205: $QUEUE", "numbers": ["0530205"]}]


# ---------------------------------------------------------------------------------------- secrets


def adapter_config(configuration: Configuration) -> BaseModel:
    """Return the options of the first source as its adapter has them."""
    held = [value for value in vars(configuration.sources[0].adapter).values() if isinstance(value, BaseModel)]
    return held[0]


def test_a_secret_file_lies_relative_to_the_toml(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    config = adapter_config(load(HERE / "valid" / "secret_in_a_file.toml"))
    assert isinstance(config, SqlConfig)
    assert config.password is not None
    assert config.password.get_secret_value() == "made-up-password", "without the line break at its end"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "No such file or directory"), (b"\xff", "not UTF-8 text")],
    ids=["missing", "bytes"],
)
def test_a_secret_file_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    if content is not None:
        (tmp_path / "crm.token").write_bytes(content)
    options = 'url = "https://crm.example.com/{e164}"\nname = "name"\nbearer_file = "crm.token"'
    problems = problems_of(written(tmp_path, source=f'adapter = "rest"\n[sources.options]\n{options}'))
    assert problems == (f"sources.crm.options: bearer_file cannot be read ({complaint}) - allowed: a readable file",)


@pytest.mark.parametrize(
    "options",
    [
        f'url = "https://crm:{SECRET}@crm.example.com/{{e164}}"\nname = "name"',
        f'url = "{SECRET}"\nname = "name"',
        f'url = "https://crm.example.com/{{e164}}"\nname = "name"\nbearer = ["{SECRET}"]',
        f'url = "https://crm.example.com/{{e164}}"\nname = "name"\nbearer = {{ token = "{SECRET}" }}',
        f'url = "https://crm.example.com/{{e164}}"\nname = "name"\nbearer = "{SECRET}\\n"',
        f'url = "https://crm.example.com/{{e164}}"\nname = "name"\nbearer = "{SECRET}"\nbearer_file = "{SECRET}"',
        f'url = "https://crm.example.com/{{e164}}"\nname = "name"\nbearer = "x"\nbasic = {{ user = "{SECRET}" }}',
        f'url = "https://crm.example.com/{{e164}}"\nname = "name"\nheaders = {{ X-Key = "{SECRET}\\n" }}',
        f'url = "https://crm.example.com/{{e164}}"\nname = "name"\nmethod = 5\nquery = {{ key = "{SECRET}{{x}}" }}',
    ],
)
def test_no_message_tells_a_secret(tmp_path: Path, options: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, source=f'adapter = "rest"\n[sources.options]\n{options}')
    assert main(["check", "--config", str(file)]) == 2
    printed = capsys.readouterr()
    assert "sources.crm.options" in printed.out
    assert SECRET not in printed.out + printed.err


def test_no_message_tells_a_secret_of_another_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANIMA_SWITCH__DEADLINE", SECRET)
    monkeypatch.setenv("TANIMA_SWITCH__PATH", SECRET)
    monkeypatch.setenv("TANIMA_CACHE", SECRET)
    assert SECRET not in "\n".join(problems_of(written(tmp_path)))


@pytest.mark.parametrize(
    "options",
    [
        'url = "https://crm.example.com/{e164}"\nname = "name"\nbearer = "${CRM_TOKEN}"',
        'url = "https://crm.example.com/{e164}?key=${CRM_TOKEN}"\nname = "name"',
        'url = "https://crm.example.com/{e164}"\nname = "name"\nheaders = { X-Key = "${CRM_TOKEN}" }',
        'url = "https://crm.example.com/{e164}"\nname = "name"\nbasic = { user = "crm", password = "${CRM_TOKEN}" }',
    ],
)
def test_what_an_adapter_was_configured_with_hides_its_secrets(tmp_path: Path, options: str) -> None:
    configuration = load(written(tmp_path, source=f'adapter = "rest"\n[sources.options]\n{options}'))
    config = adapter_config(configuration)
    assert SECRET not in repr(config) + str(config) + str(config.model_dump())
    assert SECRET not in repr(configuration.sources[0].adapter)


# ---------------------------------------------------------------------------------------- the example and the reference


AS_ELSEWHERE = {"lines.routing", "lines.rules"}
"""Sections that are the same as [routing] and [[rules]]"""

NAMED = {"hours", "steps"}
"""Sections of which there are several, each with a name of its own"""


def sections(model: type[BaseModel] = Settings, name: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield every section of the settings, with the place where it stands."""
    for key, field in model.model_fields.items():
        for section in models_in(field.annotation):
            place = f"{name}.{key}".strip(".")
            if place not in AS_ELSEWHERE:
                yield place, section
                yield from sections(section, place)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from models_in(argument)


def settings_below(place: str, section: type[BaseModel], *, secret: bool = False) -> set[str]:
    return {
        f"{place}.{field.alias or name}"
        for name, field in section.model_fields.items()
        if not secret or "SecretStr" in repr(field.annotation)
    }


EVERY_SETTING = sorted(set.union(*(settings_below(place, section) for place, section in sections())))
SECRETS = set.union(*(settings_below(place, section, secret=True) for place, section in sections()))


def test_there_are_settings_to_look_for() -> None:
    assert {"switch.deadline", "rules.caller.kind", "hours.from", "sources.options", "cache.size"} <= set(EVERY_SETTING)
    assert {"steps.look_up", "lines.called", "lines.routing", "lines.rules", "rules.ask"} <= set(EVERY_SETTING)
    assert {
        "switch.access.tokens",
        "switch.service_url",
        "cache.snapshot_key",
        "admin.token",
        "admin.push_token",
    } == SECRETS


def test_every_setting_has_a_description() -> None:
    for place, section in sections():
        assert section.__doc__, place
        for name in section.model_fields:
            text = description_of(name, section)
            assert text, f"{place}.{name}"
            assert "\n" not in text, f"{place}.{name}: one line of the reference"


def places_in(tree: object, place: str = "") -> Iterator[str]:
    """Yield the key of every setting of a TOML."""
    if isinstance(tree, list):
        for below in tree:
            yield from places_in(below, place)
    elif isinstance(tree, dict):
        for key, below in tree.items():
            inner = f"{place}.{key}".strip(".")
            yield inner
            for each in below.values() if inner in NAMED else [below]:
                yield from places_in(each, inner)


def test_every_setting_stands_in_the_valid_file_of_every_setting() -> None:
    tree = tomllib.loads((HERE / "valid" / "every_setting.toml").read_text(encoding="utf-8"))
    assert set(EVERY_SETTING) - set(places_in(tree)) == set()


def example_settings() -> set[str]:
    """Return the keys in the example, commented ones too, by the section under which they stand."""
    place, found = "", set()
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if header := re.match(r"\[+([a-z_.]+?)\]+", line):
            place = header[1]
            first = place.partition(".")[0]
            place = first if first in NAMED else place
            found.add(place)
        elif line.startswith("# ") and (told := re.findall(r"\[\[([a-z_.]+)\]\]", line)):
            found |= {*told}
        elif key := re.match(r"(?:# )?([a-z_]+)\s+= ", line):
            found.add(f"{place}.{key[1]}")
            if table := re.match(r"[^{]+= \{(.*)\}", line):
                found |= {f"{place}.{key[1]}.{inner}" for inner in re.findall(r"([a-z_]+) = ", table[1])}
    return found


@pytest.mark.parametrize("setting", EVERY_SETTING)
def test_every_setting_stands_in_the_example(setting: str) -> None:
    there = example_settings()
    assert setting in there or (setting in SECRETS and f"{setting}_file" in there)


def example_in(folder: Path) -> Path:
    file = folder / "config.toml"
    file.write_bytes(EXAMPLE.read_bytes())
    for secret in ("shop.password", "snapshot.key", "admin.token", "crm.token"):
        (folder / secret).write_text(OF_PUSHES if secret == "crm.token" else SECRET, encoding="utf-8")
        (folder / secret).chmod(0o600)
    return file


def test_the_example_loads(tmp_path: Path) -> None:
    configuration = load(example_in(tmp_path))
    assert [source.name for source in configuration.settings.sources] == ["crm", "shop", "colleagues", "extensions"]


def with_commented_settings(file: Path, *, examples: bool) -> Settings:
    """Take the comment signs away before the settings that are examples, or before those that are defaults."""
    lines = file.read_text(encoding="utf-8").splitlines()
    active = [re.sub(r"^# ([a-z_]+\s+= )", r"\1", line) if ("# e.g.; " in line) == examples else line for line in lines]
    assert sum(before != after for before, after in zip(lines, active, strict=True)) >= (9 if examples else 25)
    file.write_text("\n".join(active), encoding="utf-8")
    return load(file).settings


def test_what_is_commented_out_in_the_example_is_the_default(tmp_path: Path) -> None:
    file = example_in(tmp_path)
    shipped = load(file).settings
    loaded = with_commented_settings(file, examples=False)
    assert (loaded.switch.deadline, shipped.switch.deadline) == (1.5, 1.5)
    for section in ("switch", "routing", "tables", "lines", "steps", "dialogue", "lookup", "cache", "sources", "admin"):
        assert getattr(loaded, section) == getattr(shipped, section), section
    assert loaded.hours["office"].zone == shipped.hours["office"].zone


def test_what_the_example_has_as_examples_can_be_used_and_is_not_set_when_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWITCH_TOKEN", SECRET)
    file = example_in(tmp_path)
    shipped = load(file).settings
    loaded = with_commented_settings(file, examples=True)
    secret = SecretStr(SECRET)
    access, cache, admin = loaded.switch.access, loaded.cache, loaded.admin
    assert (access.tokens, access.rate, len(access.allow), len(access.trusted_proxies)) == ([secret], 20, 2, 1)
    assert (cache.snapshot, cache.snapshot_key) == ("cache.json", secret)
    assert (admin.listen, admin.token, admin.push_token) == (("127.0.0.1", 9090), secret, SecretStr(OF_PUSHES))
    assert [rule.name for rule in loaded.rules if rule.called] == ["from abroad, or by the export line"]
    access, cache, admin = shipped.switch.access, shipped.cache, shipped.admin
    assert (access.tokens, access.rate, access.allow, access.trusted_proxies) == ([], None, (), ())
    assert [cache.snapshot, cache.snapshot_key, admin.listen, admin.token, admin.push_token] == [None] * 5
    assert not any(rule.called for rule in shipped.rules)
    for manner in (loaded.routing, next(rule for rule in loaded.rules if rule.name == "gold")):
        said = (manner.phrase, manner.language, manner.announcement_to_caller, manner.recording)
        assert all(each is not None for each in said)
    assert [shipped.routing.phrase, shipped.routing.language, shipped.routing.recording] == [None] * 3
    asked = loaded.steps["customer_no"], shipped.steps["customer_no"]
    assert [(step.timeout, step.digit_timeout, step.speed, step.then is None) for step in asked] == [
        (6, 3, 1, False),
        (None, None, None, True),
    ]


def test_who_can_read_the_example_reads_no_secret_in_it(tmp_path: Path) -> None:
    file = example_in(tmp_path)
    file.chmod(0o644)
    assert load(file).warnings == ()
