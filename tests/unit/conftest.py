"""What the unit tests share: a server that is set up in one of them leaves nothing behind."""

import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
import structlog

from proxy import logs


@pytest.fixture(autouse=True)
def hooks_as_before() -> Iterator[None]:
    """Give back to pytest what it hears of errors by that nobody has caught, and of warnings."""
    before = sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning
    yield
    sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning = before


@pytest.fixture
def logging_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the root logger back to pytest, and have structlog forget what it has set up."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    monkeypatch.setattr(logs, "log", structlog.stdlib.get_logger("tanima"))
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
