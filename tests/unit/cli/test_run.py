"""The command leaves when it is done, whatever still hangs."""

import logging
import os
from typing import NoReturn

import pytest

from proxy import cli


class Left(BaseException):
    """In the place of the end of the process."""


def test_the_command_leaves_with_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []

    def leave(code: int) -> NoReturn:
        codes.append(code)
        raise Left

    monkeypatch.setattr(cli, "main", lambda: 2)
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler := logging.NullHandler()])
    monkeypatch.setattr(handler, "flush", lambda: codes.append(0))
    with pytest.raises(Left):
        cli.run()
    assert codes == [0, 2]
