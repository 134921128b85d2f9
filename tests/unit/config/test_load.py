"""A TOML and the environment become a configuration, or a list of all problems."""

import os
import sys
from pathlib import Path

import pytest

from adapters.static import StaticAdapter
from proxy.config import load
from proxy.errors import ConfigError

MODULE = """
from pydantic import ValidationInfo, model_validator

from proxy.adapter import Adapter, AdapterConfig, By


class Options(AdapterConfig):
    url: str
    limit: int = 1


class Crm(Adapter):
    Config = Options

    def __init__(self, config):
        if config.limit == 13:
            raise ValueError("brings bad luck - allowed: other limits")

    async def lookup(self, key):
        return None


class Enriching(Crm):
    async def enrich(self, contact):
        return contact


class Numbered(Crm):
    asked_by = frozenset({By.CUSTOMER_NUMBER})


class Telling(Options):
    @model_validator(mode="after")
    def _tells(self, info: ValidationInfo):
        raise ValueError(f"by {', '.join(sorted(info.context['by']))} - allowed: none")


class Both(Crm):
    Config = Telling
    asked_by = frozenset(By)
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*os.environ]:
        if name.upper().startswith("TANIMA_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "path", [*sys.path])


def written(folder: Path, sources: str, switch: str = "") -> Path:
    file = folder / "config.toml"
    (folder / "of_a_load_test.py").write_text(MODULE, encoding="utf-8")
    file.write_text(f'[switch]\ndefault = "queue/200"\n{switch}\n{sources}', encoding="utf-8")
    return file


def source(adapter: str, *lines: str, name: str = "crm") -> str:
    return "\n".join(["[[sources]]", f'name = "{name}"', f'adapter = "{adapter}"', *lines, ""])


def problems_of(file: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(file)
    return caught.value.problems


STATIC = source("static", "options.contacts = []")


def test_a_good_file_has_its_sources_in_order(tmp_path: Path) -> None:
    ours = source("of_a_load_test:Enriching", 'role = "enrich"', 'options.url = "x"', name="ours")
    configuration = load(written(tmp_path, STATIC + ours))
    assert [one.settings.name for one in configuration.sources] == ["crm", "ours"]
    assert isinstance(configuration.sources[0].adapter, StaticAdapter)
    assert type(configuration.sources[1].adapter).__name__ == "Enriching"


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        source("of_a_load_test:Crm", 'role = "enrich"', "options.limit = 1.5")
        + source("sap", name="erp")
        + source("of_a_load_test:Crm", 'options = { url = "x", limit = 13 }', name="unlucky")
        + source("static", "options = 5", name="five")
        + "[[sources]]\nadapter = 5\n",
        'deadline = "${NO_SUCH_VARIABLE}"',
    )
    assert [problem.partition(":")[0] for problem in problems_of(file)] == [
        "switch.deadline",
        "switch.deadline",
        "sources.five.options",
        "sources.5.name",
        "sources.5.adapter",
        "sources.crm.role",
        "sources.crm.options.url",
        "sources.crm.options.limit",
        "sources.erp.adapter",
        "sources.unlucky.options",
    ]


def test_what_an_adapters_constructor_refuses_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, source("of_a_load_test:Crm", 'options = { url = "x", limit = 13 }'))
    assert problems_of(file) == ("sources.crm.options: brings bad luck - allowed: other limits",)


def test_good_settings_with_a_bad_adapter_are_not_good(tmp_path: Path) -> None:
    (problem,) = problems_of(written(tmp_path, source("sap")))
    assert problem.startswith("sources.crm.adapter: 'sap' is not an installed adapter - allowed: ")


@pytest.mark.parametrize("sources", ["", "sources = 5\n", "[[sources]]\n", 'sources = ["crm"]\n'])
def test_sources_that_are_none_are_no_reason_to_fail(tmp_path: Path, sources: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'{sources}[switch]\ndefault = "queue/200"\n' if "[[" not in sources else sources, encoding="utf-8")
    assert any(problem.startswith("sources") for problem in problems_of(file))


def test_a_table_in_the_environment_goes_into_the_files_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANIMA_SWITCH", '{"deadline": 0.5}')
    monkeypatch.setenv("TANIMA_HOURS__OFFICE__FROM", "09:00")
    monkeypatch.setenv("TANIMA_HOURS__OFFICE__TO", "18:00")
    settings = load(written(tmp_path, STATIC, 'parameter = "numara"')).settings
    assert (settings.switch.deadline, settings.switch.parameter) == (0.5, "numara")
    assert settings.hours["office"].start.hour == 9


def test_a_value_in_the_environment_replaces_a_list_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANIMA_SOURCES", '[{"name": "other", "adapter": "static", "options": {"contacts": []}}]')
    assert [one.settings.name for one in load(written(tmp_path, STATIC)).sources] == ["other"]


def test_the_environment_is_told_like_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANIMA_BOGUS", "1")
    monkeypatch.setenv("TANIMA_RULES", "no json")
    monkeypatch.setenv("TANIMA_SWITCH__ACCESS__TOKENS", "no json")
    monkeypatch.setenv("TANIMA_CACHE__TTL", "x")
    first, *others = problems_of(written(tmp_path, STATIC))
    assert first.startswith("TANIMA_BOGUS: is not a setting - allowed: TANIMA_ADMIN, TANIMA_CACHE, ")
    assert others == [
        "TANIMA_SWITCH__ACCESS__TOKENS: is not JSON - allowed: JSON for lists and tables",
        "TANIMA_RULES: is not JSON - allowed: JSON for lists and tables",
        "cache.ttl: is a text - allowed: a number",
    ]


def test_names_in_lists_and_tables_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBER", "05301234567")
    contacts = '[[sources.options.contacts]]\nnumbers = ["${NUMBER}"]\nfields = { a = 5, b = "${NUMBER}${NUMBER}" }\n'
    options = load(written(tmp_path, source("static") + contacts)).settings.sources[0].options
    assert options == {"contacts": [{"numbers": ["05301234567"], "fields": {"a": 5, "b": "0530123456705301234567"}}]}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "cannot be read"), (b"[", "is not TOML"), (b"\xff", "is not UTF-8 text")],
    ids=["missing", "no TOML", "bytes"],
)
def test_a_file_that_cannot_be_read_is_the_only_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, complaint: str
) -> None:
    monkeypatch.setenv("TANIMA_BOGUS", "1")
    file = tmp_path / "config.toml"
    if content is not None:
        file.write_bytes(content)
    (problem,) = problems_of(file)
    assert problem.startswith(f"{file}: {complaint}")


@pytest.mark.parametrize("value", ["1" + "0" * 400, "1" * 5000, "[" * 5000 + "]" * 5000, "-inf"])
def test_a_value_beyond_all_bounds_is_a_problem_and_no_traceback(tmp_path: Path, value: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[switch]\ndefault = "queue/200"\ndeadline = {value}\n', encoding="utf-8")
    assert len(problems_of(file)[0]) < 300


def test_links_in_a_circle_are_a_problem_and_no_traceback(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.symlink_to(file)
    (problem,) = problems_of(file)
    assert problem.startswith(f"{file}: cannot be read (Too many levels of symbolic links) - allowed: ")


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_would_have_to_be_waited_for_is_no_file(tmp_path: Path, kind: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    assert problems_of(tmp_path / kind) == (f"{tmp_path / kind}: is no file - allowed: a readable TOML file",)


def test_a_command_may_be_given_the_output_of_another_one(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, written(tmp_path, STATIC).read_bytes())
    os.close(writing)
    file = Path(f"/dev/fd/{reading}")
    assert [one.settings.name for one in load(file).sources] == ["crm"]
    assert "switch" in problems_of(file)[0], "read once more, it is empty, and is not waited for"
    os.close(reading)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = written(tmp_path, STATIC)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert load(file).settings.switch.default.argument == "200"


@pytest.mark.parametrize("setting", ["deadline = true", 'deadline = "1.5"', "deadline = [1]"])
def test_a_number_in_the_toml_must_be_one(tmp_path: Path, setting: str) -> None:
    (problem,) = problems_of(written(tmp_path, STATIC, setting))
    assert problem.startswith("switch.deadline: is ")


BROKEN = """
from fractions import Fraction
from adapters.static import StaticAdapter
from proxy.adapter import AdapterConfig

class Options(AdapterConfig):
    contacts: object = 5

class Inheriting(StaticAdapter):
    Config = Options

class Crm(Inheriting):
    def __init__(self, config):
        self.connect({"url": "postgres://u:s3cr3t-parola@db"})

    def connect(self, settings):
        raise KeyError(str(settings))

class Calculating(Crm):
    def connect(self, settings):
        Fraction(settings["url"], 1)
"""


@pytest.mark.parametrize(
    ("adapter", "told"),
    [
        ("Crm", "KeyError at of_a_broken_build.py:17"),
        ("Calculating", "TypeError at of_a_broken_build.py:21"),
        ("Inheriting", "TypeError at static.py:"),
    ],
    ids=["its own code", "code that it calls", "code that it inherits"],
)
def test_an_adapter_that_cannot_be_built_is_told_by_its_error_and_the_place_and_not_by_its_text(
    tmp_path: Path, adapter: str, told: str
) -> None:
    (tmp_path / "of_a_broken_build.py").write_text(BROKEN, encoding="utf-8")
    (problem,) = problems_of(written(tmp_path, source(f"of_a_broken_build:{adapter}")))
    assert problem.startswith(f"sources.crm.adapter: cannot be built ({told}")
    assert problem.endswith(") - allowed: a working adapter")
    assert "s3cr3t" not in problem


@pytest.mark.parametrize(("numbers", "place"), [("[]", "contacts.1"), ('["530"]', "contacts.1.numbers")])
def test_a_contacts_name_stands_in_no_message(tmp_path: Path, numbers: str, place: str) -> None:
    contacts = f'options = {{ contacts = [{{ name = "Ahmet Yılmaz", numbers = {numbers} }}] }}'
    (problem,) = problems_of(written(tmp_path, source("static", contacts)))
    assert problem.startswith(f"sources.crm.options.{place}: ")
    assert "Ahmet" not in problem


def test_the_environments_texts_are_numbers_where_a_toml_has_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANIMA_SWITCH__DEADLINE", "0.5")
    monkeypatch.setenv("TANIMA_SWITCH__PARAMETER", "5")
    monkeypatch.setenv("TANIMA_LOOKUP__PARALLEL", "true")
    monkeypatch.setenv("TANIMA_CACHE__SIZE", "10")
    settings = load(written(tmp_path, STATIC)).settings
    assert (settings.switch.deadline, settings.switch.parameter) == (0.5, "5")
    assert (settings.lookup.parallel, settings.cache.size) == (True, 10)


def test_the_environments_texts_are_addresses_and_targets_where_a_toml_has_those(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SWITCH__LISTEN", "ADMIN__LISTEN"):
        monkeypatch.setenv(f"TANIMA_{name}", f"127.0.0.1:{len(name)}")
    for name in ("SWITCH__DEFAULT", "ROUTING__UNKNOWN"):
        monkeypatch.setenv(f"TANIMA_{name}", f"queue/{len(name)}")
    settings = load(written(tmp_path, STATIC)).settings
    assert (settings.switch.listen, settings.admin.listen) == (("127.0.0.1", 14), ("127.0.0.1", 13))
    assert (str(settings.switch.default), str(settings.routing.unknown)) == ("queue/15", "queue/16")
    monkeypatch.setenv("TANIMA_SWITCH__LISTEN", "8080")
    assert problems_of(written(tmp_path, STATIC)) == (
        "switch.listen: is not an address to listen at - allowed: HOST:PORT, such as 127.0.0.1:8080",
    )


def test_the_environments_other_texts_are_no_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANIMA_SWITCH__DEADLINE", "soon")
    monkeypatch.setenv("TANIMA_CACHE__SIZE", "1.5")
    assert problems_of(written(tmp_path, STATIC)) == (
        "switch.deadline: is a text - allowed: a number",
        "cache.size: is 1.5 - allowed: a whole number",
    )


def test_what_variables_stood_for_is_known_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_CRM", "geheim")
    monkeypatch.setenv("OF_NOTHING", "")
    options = 'options.contacts = [{ numbers = ["05301234567"], name = "${OF_THE_CRM}${OF_NOTHING}" }]'
    configuration = load(written(tmp_path, source("static", options), 'parameter = "${OF_THE_CRM}"'))
    assert configuration.from_environment == {"geheim"}
    assert "geheim" not in repr(configuration.from_environment - {"geheim"})
    assert "from_environment" not in repr(configuration)
    assert load(written(tmp_path, STATIC)).from_environment == set()


def test_what_the_environment_says_about_sources_is_known_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contacts = '[{"numbers": ["05301234567"], "name": "geheim"}]'
    sources = f'[{{"name": "list", "adapter": "static", "options": {{"contacts": {contacts}}}}}]'
    monkeypatch.setenv("TANIMA_SOURCES", sources)
    file = tmp_path / "config.toml"
    file.write_text('[switch]\ndefault = "queue/200"\n', encoding="utf-8")
    assert "geheim" in load(file).from_environment


SECRETS_IN_FILES = """
[switch.access]
tokens_file = "switch.tokens"
[cache]
snapshot = "cache"
snapshot_key_file = "snapshot.key"
[admin]
listen = "0.0.0.0:9090"
token_file = "admin.token"
"""


def test_secrets_of_sections_may_stand_in_files_beside_the_toml(tmp_path: Path) -> None:
    (tmp_path / "switch.tokens").write_text("made-up-token-one\n\n  made-up-token-two\n", encoding="utf-8")
    (tmp_path / "snapshot.key").write_text(" made up key of a snapshot\n", encoding="utf-8")
    (tmp_path / "admin.token").write_text("made-up-token-of-operator", encoding="utf-8")
    settings = load(written(tmp_path, STATIC, SECRETS_IN_FILES)).settings
    tokens = [token.get_secret_value() for token in settings.switch.access.tokens]
    assert tokens == ["made-up-token-one", "made-up-token-two"], "one in a line"
    assert settings.cache.snapshot_key is not None
    assert settings.cache.snapshot_key.get_secret_value() == "made up key of a snapshot"
    assert settings.admin.token is not None
    assert settings.admin.token.get_secret_value() == "made-up-token-of-operator"


def test_secret_files_that_cannot_be_read_are_all_that_is_told_of_them(tmp_path: Path) -> None:
    (tmp_path / "snapshot.key").touch()
    assert problems_of(written(tmp_path, STATIC, SECRETS_IN_FILES)) == (
        "switch.access: tokens_file cannot be read (No such file or directory) - allowed: a readable file",
        "cache: snapshot_key_file is empty - allowed: a file with the secret in it",
        "admin: token_file cannot be read (No such file or directory) - allowed: a readable file",
    )


def test_secrets_in_files_are_checked_like_others(tmp_path: Path) -> None:
    (tmp_path / "switch.tokens").write_text("made-up-token-one short", encoding="utf-8")
    (tmp_path / "snapshot.key").write_text("short", encoding="utf-8")
    (tmp_path / "admin.token").write_text("short", encoding="utf-8")
    too_short = "is too short - allowed: a secret of at least 16 characters"
    assert problems_of(written(tmp_path, STATIC, SECRETS_IN_FILES)) == (
        f"switch.access.tokens.2: {too_short}",
        f"cache.snapshot_key: {too_short}",
        f"admin.token: {too_short}",
    )


def test_who_tells_of_changes_cannot_have_the_operators_token(tmp_path: Path) -> None:
    admin = '[admin]\nlisten = "127.0.0.1:9090"\ntoken = "made-up-token-one"\npush_token = "made-up-token-{}"'
    assert load(written(tmp_path, STATIC, admin.format("two"))).settings.admin.push_token is not None
    assert problems_of(written(tmp_path, STATIC, admin.format("one"))) == (
        "admin.push_token: is the operator's token too - allowed: another secret, or none",
    )


def test_a_secret_and_a_file_of_it_cannot_both_be_given(tmp_path: Path) -> None:
    (tmp_path / "switch.tokens").write_text("made-up-token-one", encoding="utf-8")
    access = '[switch.access]\ntokens = ["made-up-token-two"]\ntokens_file = "switch.tokens"'
    assert problems_of(written(tmp_path, STATIC, access)) == (
        "switch.access: tokens and tokens_file are both given - allowed: one of them",
    )


def test_a_secret_file_may_be_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "switch.tokens").write_text("made-up-token-one", encoding="utf-8")
    monkeypatch.setenv("TANIMA_SWITCH__ACCESS__TOKENS_FILE", "switch.tokens")
    (token,) = load(written(tmp_path, STATIC)).settings.switch.access.tokens
    assert token.get_secret_value() == "made-up-token-one"


def test_a_token_with_a_blank_in_the_toml_is_one(tmp_path: Path) -> None:
    access = '[switch.access]\ntokens = "made-up-token one"'
    assert len(load(written(tmp_path, STATIC, access)).settings.switch.access.tokens) == 1


@pytest.mark.parametrize("sections", ["access = 5", "access.tokens_file = 5", "[admin]\ntoken_file = []"])
def test_what_names_no_secret_file_is_told_as_any_setting_is(tmp_path: Path, sections: str) -> None:
    assert len(problems_of(written(tmp_path, STATIC, sections))) == 1


def test_a_configuration_knows_the_folder_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, STATIC)
    monkeypatch.chdir(tmp_path)
    assert load(Path("config.toml")).folder == tmp_path.resolve()


@pytest.mark.parametrize(
    ("by", "wrong", "allowed"),
    [
        ('"customer_number"', "of_a_load_test:Crm", "phone_number"),
        ('["phone_number", "customer_number"]', "of_a_load_test:Crm", "phone_number"),
        ('"phone_number"', "of_a_load_test:Numbered", "customer_number"),
    ],
)
def test_a_source_is_asked_by_no_more_than_its_adapter_can_be(
    tmp_path: Path, by: str, wrong: str, allowed: str
) -> None:
    of_wrong = source(wrong, f"by = {by}", 'options.url = "x"')
    other = "phone_number" if allowed == "customer_number" else "customer_number"
    assert problems_of(written(tmp_path, of_wrong)) == (
        f"sources.crm.by: this adapter cannot be asked by {other} - allowed: {allowed}",
    )


def test_an_adapter_is_told_by_what_its_source_is_asked(tmp_path: Path) -> None:
    by_both = source("of_a_load_test:Both", 'by = ["phone_number", "customer_number"]', 'options.url = "x"')
    by_default = source("of_a_load_test:Both", 'options.url = "x"', name="crm2")
    wrong = source("of_a_load_test:Both", 'by = "name"', 'options.url = "x"', name="crm3")
    problems = problems_of(written(tmp_path, f"{by_both}\n{by_default}\n{wrong}"))
    assert problems == (
        "sources.crm3.by: is nothing to ask by - allowed: phone_number, customer_number, or a list of both",
        "sources.crm.options: by customer_number, phone_number - allowed: none",
        "sources.crm2.options: by phone_number - allowed: none",
        "sources.crm3.options: by phone_number - allowed: none",
    )


def test_what_was_in_a_file_counts_and_not_what_is_there_now(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    text = '[switch]\r\ndefault = "queue/200"\r\n[[sources]]\r\nname = "crm"\r\nadapter = "static"\r\n'
    text += "[sources.options]\r\ncontacts = []\r\n"
    assert str(load(file, text.encode()).settings.switch.default) == "queue/200"
    with pytest.raises(ConfigError, match=r"config\.toml: is not TOML"):
        load(file, b"=")
    with pytest.raises(ConfigError, match=r"config\.toml: is not UTF-8 text"):
        load(file, b"\xff")
