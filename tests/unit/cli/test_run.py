"""The command leaves when it is done, whatever still hangs."""

import gc
import io
import logging
import os
import sys
from collections.abc import Iterator
from typing import NoReturn

import pytest

from proxy import cli


class Left(BaseException):
    """In the place of the end of the process."""


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Return what would be flushed (0) before the end, and with which exit code that comes."""
    codes: list[int] = []

    def leave(code: int) -> NoReturn:
        codes.append(code)
        raise Left

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler := logging.NullHandler()])
    monkeypatch.setattr(handler, "flush", lambda: codes.append(0))
    yield codes
    gc.enable()


def test_the_command_leaves_with_its_exit_code(codes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "main", lambda: 2)
    with pytest.raises(Left):
        cli.run()
    assert codes == [0, 2]


@pytest.mark.parametrize(("raised", "code"), [(SystemExit(2), 2), (SystemExit(), 0), (SystemExit("why"), 1)])
def test_it_leaves_at_once_where_a_command_fails_too(
    raised: SystemExit, code: int, codes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> NoReturn:
        raise raised

    monkeypatch.setattr(cli, "main", fail)
    with pytest.raises(Left):
        cli.run()
    assert codes == [0, code]


def test_it_leaves_at_once_after_a_bug(
    codes: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "excepthook", lambda _type, exc, _traceback: sys.stderr.write(str(exc)))
    monkeypatch.setattr(cli, "main", lambda: 1 // 0)
    with pytest.raises(Left):
        cli.run()
    assert codes == [0, 1]
    assert "zero" in capsys.readouterr().err


@pytest.mark.parametrize("is_open", [True, False])
def test_what_the_terminal_has_no_letters_for_is_written_in_another_way(
    codes: list[int], monkeypatch: pytest.MonkeyPatch, *, is_open: bool
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "iso8859-9") if is_open else None)
    monkeypatch.setattr(cli, "main", lambda: sys.stdout.write("Yılmaz, Łukasz") if sys.stdout else 0)
    with pytest.raises(Left):
        cli.run()
    assert codes[0] == 0
    assert written.getvalue() == ("Yılmaz, \\u0141ukasz".encode("iso8859-9") if is_open else b"")
