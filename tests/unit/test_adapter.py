import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field, SecretStr, ValidationError

from proxy.adapter import Adapter, AdapterConfig, Contact, Enriching, PhoneNumber, Pingable
from tests.unit.fakes import AHMET, NUMBER, FakeAdapter, FakeEnricher

SECRET = "s3cr3t-parola"


class Options(AdapterConfig):
    url: str = "https://crm.example.com"
    password: SecretStr | None = None
    token: SecretStr = SecretStr("")
    key: Annotated[SecretStr, Field(min_length=3)] = SecretStr("none")
    headers: Mapping[str, SecretStr] = Field(default_factory=dict)
    keys: dict[str, SecretStr] = Field(default_factory=dict)


def read(options: object, folder: Path | None = None) -> Options:
    return Options.model_validate(options, context={"folder": folder} if folder else None)


def problems(options: object, folder: Path | None = None) -> str:
    with pytest.raises(ValidationError) as caught:
        read(options, folder)
    return str(caught.value)


@pytest.mark.parametrize("name", ["password", "token", "key"])
def test_a_secret_may_stand_in_a_file_beside_the_toml(tmp_path: Path, name: str) -> None:
    (tmp_path / "crm.secret").write_text(f"  {SECRET}\n", encoding="utf-8")
    secret = getattr(read({f"{name}_file": "crm.secret"}, tmp_path), name)
    assert secret.get_secret_value() == SECRET
    assert SECRET not in repr(secret)


def test_a_secret_file_may_stand_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "crm.secret"
    path.write_text(SECRET, encoding="utf-8")
    assert read({"token_file": str(path)}).token.get_secret_value() == SECRET


def test_each_key_of_a_table_of_secrets_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "crm.secret").write_text(f"{SECRET}\n", encoding="utf-8")
    given = {"keys": {"webhook_file": "crm.secret", "other": "plain", 5: "x"}}
    with pytest.raises(ValidationError, match=r"keys\.5"):
        read(given, tmp_path)
    del given["keys"][5]
    keys = read(given, tmp_path).keys
    assert {name: key.get_secret_value() for name, key in keys.items()} == {"webhook": SECRET, "other": "plain"}
    assert given == {"keys": {"webhook_file": "crm.secret", "other": "plain"}}, "what was given is left as it was"
    assert SECRET not in repr(keys)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"a": "x", "a_file": "crm.secret"}, "a and a_file are both given - allowed: one of them"),
        ({"a_file": "missing"}, "a_file cannot be read (No such file or directory) - allowed: a readable file"),
        ({"a_file": "empty"}, "a_file is empty - allowed: a file with the secret in it"),
        ({"a_file": 5}, "keys.a_file"),
        ("crm.secret", "keys"),
    ],
)
def test_what_is_wrong_with_a_table_of_secrets_is_a_problem_that_says_so(
    tmp_path: Path, keys: object, message: str
) -> None:
    (tmp_path / "crm.secret").write_text(SECRET, encoding="utf-8")
    (tmp_path / "empty").touch()
    problem = problems({"keys": keys}, tmp_path)
    assert message in problem
    assert SECRET not in problem


def test_a_secret_may_stand_in_the_toml_itself() -> None:
    options = read({"token": SECRET})
    assert options.token.get_secret_value() == SECRET
    assert SECRET not in repr(options)


def test_a_secret_and_its_file_cannot_both_be_given(tmp_path: Path) -> None:
    (tmp_path / "crm.secret").write_text(SECRET, encoding="utf-8")
    message = problems({"token": "x", "token_file": "crm.secret"}, tmp_path)
    assert "token and token_file are both given - allowed: one of them" in message


def test_a_file_that_is_not_there_is_a_problem_that_says_so(tmp_path: Path) -> None:
    message = problems({"token_file": "crm.secret"}, tmp_path)
    assert "token_file cannot be read (No such file or directory) - allowed: a readable file" in message


def test_a_file_that_is_no_text_is_a_problem_that_does_not_show_it(tmp_path: Path) -> None:
    (tmp_path / "crm.secret").write_bytes(b"\xff\xfe" + SECRET.encode())
    message = problems({"token_file": "crm.secret"}, tmp_path)
    assert "token_file cannot be read (not UTF-8 text) - allowed: a readable file" in message
    assert SECRET not in message


@pytest.mark.parametrize("options", [{"url_file": "x"}, {"token_file": 7}, {"pasword": "x"}, {"headers_file": "x"}])
def test_only_secrets_have_files_and_unknown_options_are_refused(options: dict[str, object]) -> None:
    message = problems(options)
    assert next(iter(options)) in message
    assert "Extra inputs are not permitted" in message


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "crm.secret").write_text(" \n", encoding="utf-8")
    assert "token_file is empty - allowed: a file with the secret in it" in problems(
        {"token_file": "crm.secret"}, tmp_path
    )


def test_options_that_are_no_table_are_refused() -> None:
    assert "Input should be a valid dictionary" in problems(["token_file"])


def test_a_problem_does_not_show_what_was_given() -> None:
    assert SECRET not in problems({"url": {"password": SECRET}})


def test_options_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read({}).url = "https://elsewhere.example.com"  # type: ignore[misc]


def test_an_adapter_needs_an_init_and_a_lookup() -> None:
    class Nothing(Adapter):
        pass

    nothing: Any = Nothing
    with pytest.raises(TypeError, match="abstract"):
        nothing()


class Smallest(Adapter):
    def __init__(self, config: AdapterConfig) -> None:
        self.config = config

    async def lookup(self, key: PhoneNumber) -> Contact | None:
        return AHMET if key == NUMBER else None


async def test_an_adapter_without_connections_opens_and_closes_by_itself() -> None:
    adapter = Smallest(Smallest.Config())
    await adapter.open()
    assert await adapter.lookup(NUMBER) == AHMET
    await adapter.close()


def test_more_ability_is_told_by_what_an_adapter_has() -> None:
    class WithPing(Smallest):
        async def ping(self) -> None:
            await asyncio.sleep(0)

    assert isinstance(WithPing(AdapterConfig()), Pingable)
    assert not isinstance(Smallest(AdapterConfig()), Pingable)
    assert isinstance(FakeEnricher(), Enriching)
    assert not isinstance(FakeAdapter(), Enriching)
