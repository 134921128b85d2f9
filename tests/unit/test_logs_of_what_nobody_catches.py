"""What Python would print by itself is a log line like any other: without what it says."""

import io
import json
import sys
import threading
import warnings
from collections.abc import Callable

import pytest

from proxy import logs

pytestmark = pytest.mark.usefixtures("logging_as_before")


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    logs.set_up(stream)
    return stream


FORGED = 'Ahmet Yılmaz 05301234567\n{"event": "call"}'


class Unclean:
    def __del__(self) -> None:
        throw(KeyError(FORGED))


def throw(exc: BaseException) -> None:
    raise exc


def in_the_main_thread() -> None:
    try:
        throw(KeyError(FORGED))
    except KeyError as exc:
        sys.excepthook(type(exc), exc, exc.__traceback__)


def in_a_thread(exc: BaseException) -> None:
    thread = threading.Thread(target=throw, args=(exc,), name=FORGED)
    thread.start()
    thread.join()


@pytest.mark.parametrize(
    ("fail", "where"),
    [
        (lambda: in_a_thread(KeyError(FORGED)), "a thread"),
        (Unclean, "clean-up"),
        (in_the_main_thread, "tanima"),
    ],
    ids=["thread", "clean-up", "main"],
)
def test_what_nobody_catches_is_a_bug_like_any_other(
    stream: io.StringIO, capfd: pytest.CaptureFixture[str], fail: Callable[[], object], where: str
) -> None:
    fail()
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert (line["event"], line["where"], line["exception"]) == ("bug", where, "KeyError")
    assert line["traceback"][-1].endswith(" throw")
    assert "Ahmet" not in stream.getvalue()
    assert capfd.readouterr() == ("", "")


def test_a_thread_that_leaves_has_not_failed(stream: io.StringIO) -> None:
    in_a_thread(SystemExit(1))
    assert stream.getvalue() == ""


def test_a_warning_is_told_by_its_kind_and_place(stream: io.StringIO, capfd: pytest.CaptureFixture[str]) -> None:
    ours = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = ours
        warnings.warn(FORGED, stacklevel=1)
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert (line["event"], line["level"], line["error"]) == ("trouble", "warning", "UserWarning")
    assert line["where"].startswith(__file__)
    assert "Ahmet" not in stream.getvalue()
    assert capfd.readouterr() == ("", "")
