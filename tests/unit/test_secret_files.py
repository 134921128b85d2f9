"""The key `x_file` names the file whose content is `x`."""

import os
from pathlib import Path
from typing import Any

import pytest

from proxy.secret_files import is_readable_by_everybody, read_secret_file

SECRET = "s3cr3t-parola"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "crm.secret").write_text(f"  {SECRET}\n", encoding="utf-8")
    (tmp_path / "empty").touch()
    (tmp_path / "bytes").write_bytes(b"\xff\xfe" + SECRET.encode())
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    return tmp_path


def test_the_content_takes_the_place_of_the_files_name(folder: Path) -> None:
    table = {"token_file": "crm.secret", "url": "x"}
    assert read_secret_file(table, "token", folder) == folder / "crm.secret"
    assert table == {"token": SECRET, "url": "x"}


def test_a_file_may_be_named_by_its_whole_path(folder: Path) -> None:
    table = {"token_file": str(folder / "crm.secret")}
    assert read_secret_file(table, "token", Path("elsewhere")) == folder / "crm.secret"
    assert table == {"token": SECRET}


@pytest.mark.parametrize("table", [{}, {"token": "x"}, {"token_file": 5}, {"token": "x", "token_file": ["crm.secret"]}])
def test_what_names_no_file_is_left_as_it_is(folder: Path, table: dict[str, Any]) -> None:
    before = dict(table)
    assert read_secret_file(table, "token", folder) is None
    assert table == before


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"token_file": "missing"}, "token_file cannot be read (No such file or directory) - allowed: a readable file"),
        ({"token_file": "."}, "token_file is no file - allowed: a readable file"),
        ({"token_file": "pipe"}, "token_file is no file - allowed: a readable file"),
        ({"token_file": "link"}, "token_file is no file - allowed: a readable file"),
        ({"token_file": "/dev/zero"}, "token_file is no file - allowed: a readable file"),
        ({"token_file": "bytes"}, "token_file cannot be read (not UTF-8 text) - allowed: a readable file"),
        ({"token_file": "empty"}, "token_file is empty - allowed: a file with the secret in it"),
        ({"token_file": "crm.secret", "token": ""}, "token and token_file are both given - allowed: one of them"),
    ],
)
def test_what_is_wrong_is_said_without_the_secret(folder: Path, table: dict[str, Any], message: str) -> None:
    before = dict(table)
    with pytest.raises(ValueError, match="allowed: ") as caught:
        read_secret_file(table, "token", folder)
    assert str(caught.value) == message
    assert table == before


@pytest.mark.parametrize(
    ("mode", "expected"),
    [(0o600, False), (0o640, False), (0o660, False), (0o622, False), (0o644, True), (0o604, True), (0o666, True)],
)
def test_everybody_can_read_what_others_than_owner_and_group_can(folder: Path, mode: int, *, expected: bool) -> None:
    file = folder / "crm.secret"
    file.chmod(mode)
    assert is_readable_by_everybody(file) is expected


def test_of_a_link_it_is_the_file_that_counts(folder: Path) -> None:
    (folder / "crm.secret").chmod(0o600)
    (folder / "to_it").symlink_to("crm.secret")
    assert not is_readable_by_everybody(folder / "to_it")


def test_a_file_that_is_not_there_is_read_by_nobody(folder: Path) -> None:
    assert not is_readable_by_everybody(folder / "missing")
