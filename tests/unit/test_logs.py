"""Log lines: one JSON object each, without numbers, names or secrets."""

import asyncio
import io
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from proxy import logs
from proxy.actions import Prompt, Spoken, Transfer
from proxy.breaker import State
from proxy.errors import AdapterError, InvalidNumber
from proxy.journal import Answered, Given
from proxy.model import Asked, Call, Outcome, Reason, Via
from proxy.phone import parse_caller
from proxy.routing import Decision
from proxy.snapshot import SnapshotError
from proxy.target import Target
from proxy.upstream import Guarded
from tests.unit.test_journal import repeated

pytestmark = pytest.mark.usefixtures("logging_as_before")


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    logs.set_up(stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def answered(text: str | None) -> Answered:
    call = Call(parse_caller(text, "TR"), datetime(2026, 11, 23, tzinfo=UTC)) if text is not None else None
    return Answered(
        call, Decision(Transfer(Target("queue", "201"), "Ahmet Yılmaz"), Reason.RULE, Via.CRM, "gold"), 0.0123456
    )


def test_a_call_is_one_line_with_the_number_masked_and_without_the_name(stream: io.StringIO) -> None:
    logs.calls_answered([answered("05301234567")])
    (line,) = lines(stream)
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert datetime.fromisoformat(line.pop("timestamp")).tzinfo is not None
    assert line == {
        "level": "info",
        "event": "call",
        "caller": "+90********67",
        "target": "queue/201",
        "reason": "rule",
        "via": "crm",
        "rule": "gold",
        "ms": 12.3,
    }


UUID = "651f8a68-782e-11e7-a6b6-5bedc26e2ab3"


def in_a_dialogue(decision: Decision, *, call_id: str = UUID, step: int = 1) -> Answered:
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    caller = parse_caller("05301234567", "TR")
    return Answered(Call(caller, moment, call_id=call_id, step=step, can_be_asked=True), decision, 0.0123456)


def test_a_question_to_the_caller_is_one_line_with_the_step_and_without_a_target(stream: io.StringIO) -> None:
    question = Prompt(Spoken(phrase="Sayın Ahmet Yılmaz, numaranızı tuşlayın"), "customer_no")
    logs.calls_answered([in_a_dialogue(Decision(question, Reason.ASKED, Via.CRM, "strangers", "customer_no"))])
    (line,) = lines(stream)
    line.pop("timestamp")
    assert line == {
        "level": "info",
        "event": "call",
        "call_id": UUID,
        "step": 1,
        "asks": "customer_no",
        "caller": "+90********67",
        "target": None,
        "reason": "asked",
        "via": "crm",
        "rule": "strangers",
        "ms": 12.3,
    }
    assert "Ahmet" not in stream.getvalue()


def test_what_came_of_a_question_is_told_and_not_what_was_keyed(stream: io.StringIO) -> None:
    transfer = Transfer(Target("queue", "201"), "Ahmet Yılmaz")
    logs.calls_answered([in_a_dialogue(Decision(transfer, Reason.RULE, Via.CRM, "gold", heard=Outcome.FOUND), step=2)])
    misheard = Decision(transfer, Reason.NO_ANSWER, Via.NONE, heard=Outcome.MISUNDERSTOOD)
    logs.calls_answered([in_a_dialogue(misheard, step=3)])
    found, misunderstood = lines(stream)
    assert (found["heard"], found["step"], found["target"], found["rule"]) == ("found", 2, "queue/201", "gold")
    assert (misunderstood["heard"], misunderstood["reason"]) == ("misunderstood", "no_answer")
    assert "asks" not in found


def test_what_only_a_dialogue_has_is_left_out_where_there_is_none(stream: io.StringIO) -> None:
    logs.calls_answered([answered(None)])
    logs.calls_answered([answered("05301234567")])
    for line in lines(stream):
        assert not {"call_id", "step", "heard", "asks"} & line.keys()


@pytest.mark.parametrize(
    ("call_id", "told"),
    [
        (UUID, UUID),
        (UUID.upper(), UUID.upper()),
        ("05301234567", None),
        (f"{UUID}\n", None),
        (f"x{UUID}", None),
        ("Ahmet Yılmaz", None),
        ("", None),
    ],
)
def test_the_id_of_a_call_is_told_as_it_is_and_anything_else_in_its_place_is_left_out(
    stream: io.StringIO, call_id: str, told: str | None
) -> None:
    transfer = Transfer(Target("queue", "201"))
    logs.calls_answered([in_a_dialogue(Decision(transfer, Reason.NO_RULE), call_id=call_id)])
    (line,) = lines(stream)
    assert line.get("call_id") == told
    assert ("call_id" in line) is (told is not None)
    assert line["step"] == 1


@pytest.mark.parametrize(
    ("text", "caller"), [("1003", "1003"), ("", "withheld"), ("what", "unreadable"), (None, "none")]
)
def test_other_callers_are_named_by_their_kind(stream: io.StringIO, text: str | None, caller: str) -> None:
    logs.calls_answered([answered(text)])
    assert lines(stream)[0]["caller"] == caller


def test_listening_tells_host_and_port(stream: io.StringIO) -> None:
    logs.listening("127.0.0.1", 8080)
    (line,) = lines(stream)
    assert (line["event"], line["host"], line["port"]) == ("listening", "127.0.0.1", 8080)


def test_only_a_source_that_failed_is_worth_a_line(stream: io.StringIO) -> None:
    logs.source_asked(Asked("crm", "found", 0.1))
    logs.source_asked(Asked("crm", "unknown", 0.1))
    logs.source_asked(Asked("crm", "failed", 0.1, "the database is locked"))
    (line,) = lines(stream)
    assert (line["level"], line["event"], line["source"]) == ("warning", "source_failed", "crm")
    assert (line["error"], line["ms"]) == ("the database is locked", 100.0)


def test_a_source_that_failed_in_a_part_is_told_with_what_it_lacks(stream: io.StringIO) -> None:
    logs.source_asked(Asked("crm", "completed", 0.1))
    logs.source_asked(Asked("crm", "incomplete", 0.1, "owner: the CRM took too long"))
    (line,) = lines(stream)
    assert (line["level"], line["event"], line["source"]) == ("warning", "source_incomplete", "crm")
    assert (line["error"], line["ms"]) == ("owner: the CRM took too long", 100.0)


@pytest.mark.parametrize(
    ("state", "event", "level"),
    [
        (State.OPEN, "source_open", "warning"),
        (State.THROTTLED, "source_throttled", "warning"),
        (State.CLOSED, "source_closed", "info"),
    ],
)
def test_that_a_source_is_left_alone_and_asked_again_is_told(
    stream: io.StringIO, state: State, event: str, level: str
) -> None:
    logs.source_guarded(Guarded("crm", state, "the CRM does not answer"))
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["source"]) == (event, level, "crm")
    assert line.get("error") == (None if state is State.CLOSED else "the CRM does not answer")


def test_what_becomes_of_the_configuration_is_told(stream: io.StringIO) -> None:
    logs.configuration_warning("crm.password can be read by everybody")
    logs.reloaded(2, 3)
    logs.reload_refused(["switch.default: is missing - allowed: a target", "leads to 05321112233"], 4)
    warning, good, bad = lines(stream)
    assert (warning["event"], warning["problem"]) == ("configuration", "crm.password can be read by everybody")
    assert (good["event"], good["sources"], good["rules"]) == ("reloaded", 2, 3)
    assert (bad["event"], bad["level"], bad["count"]) == ("reload_refused", "error", 4)
    assert bad["problems"] == ["switch.default: is missing - allowed: a target", "leads to ***"]


def test_what_becomes_of_the_snapshot_and_of_a_number_is_told(stream: io.StringIO) -> None:
    logs.snapshot_read(500, 0.0123)
    logs.snapshot_failed(SnapshotError("the snapshot is not complete"))
    logs.erased(was_known=True)
    logs.invalidated(3, everything=False)
    read, failed, erased, invalidated = lines(stream)
    assert (read["event"], read["entries"], read["ms"]) == ("snapshot_read", 500, 12.3)
    assert (failed["event"], failed["level"], failed["error"]) == (
        "snapshot_failed",
        "warning",
        "the snapshot is not complete",
    )
    assert (erased["event"], erased["was_known"]) == ("erased", True)
    assert (invalidated["event"], invalidated["count"], invalidated["everything"]) == ("invalidated", 3, False)


def test_what_cannot_be_had_is_told(stream: io.StringIO) -> None:
    logs.few_descriptors(2000, 500)
    logs.admin_unreachable("127.0.0.1", 9090, "address already in use")
    few, admin = lines(stream)
    assert (few["event"], few["wanted"], few["possible"]) == ("few_descriptors", 2000, 500)
    assert (admin["event"], admin["port"], admin["error"]) == ("admin_unreachable", 9090, "address already in use")


def test_what_becomes_of_workers_is_told(stream: io.StringIO) -> None:
    logs.worker_ready(1, 4711)
    logs.worker_ended(1, -9, 0.1)
    logs.events_lost(7)
    ready, ended, lost = lines(stream)
    assert (ready["event"], ready["level"], ready["worker"], ready["process"]) == ("worker_ready", "info", 1, 4711)
    assert (ended["event"], ended["level"]) == ("worker_ended", "error")
    assert (ended["worker"], ended["code"], ended["again_in"]) == (1, -9, 0.1)
    assert (lost["event"], lost["level"], lost["count"]) == ("events_lost", "warning", 7)


def throw(exc: Exception) -> None:
    raise exc


def raised(exc: Exception) -> Exception:
    """Return an error that comes from somewhere."""
    try:
        throw(exc)
    except Exception as caught:  # noqa: BLE001 - whichever it is
        return caught
    raise AssertionError("unreachable")


def test_a_bug_is_told_by_its_type_and_place_and_not_by_its_text(stream: io.StringIO) -> None:
    logs.bug("router", raised(KeyError("Ahmet Yılmaz 05301234567")))
    (line,) = lines(stream)
    assert (line["level"], line["event"], line["where"]) == ("error", "bug", "router")
    assert line["exception"] == "KeyError"
    assert line["traceback"][-1].startswith(f"{__file__}:")
    assert line["traceback"][-1].endswith(" throw")
    assert "Ahmet" not in stream.getvalue()


def test_the_text_of_an_error_that_is_raised_on_purpose_is_told(stream: io.StringIO) -> None:
    logs.bug("crm", raised(AdapterError("the CRM refuses our credentials")))
    logs.bug("crm", raised(InvalidNumber("05301234567 is no number")))
    assert [(line["event"], line["error"]) for line in lines(stream)] == [
        ("trouble", "the CRM refuses our credentials"),
        ("trouble", "*** is no number"),
    ]


def test_what_asyncio_complains_of_is_told(stream: io.StringIO) -> None:
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        logs.loop_error(loop, {"message": "Task exception was never retrieved", "exception": raised(ValueError("x"))})
        logs.loop_error(loop, {"message": "Unclosed connection"})
    first, second = lines(stream)
    assert (first["event"], first["complaint"]) == ("event_loop", "Task exception was never retrieved")
    assert first["exception"] == "ValueError"
    assert "exception" not in second


def test_what_a_library_logs_comes_without_its_values(stream: io.StringIO) -> None:
    logging.getLogger("aiohttp.server").warning("refused %s from %s", "GET /?telefon=05301234567", "Ahmet Yılmaz")
    (line,) = lines(stream)
    assert (line["level"], line["event"]) == ("warning", "refused %s from %s")


def test_what_a_library_logs_of_an_error_comes_without_its_text(stream: io.StringIO) -> None:
    try:
        throw(RuntimeError("05301234567"))
    except RuntimeError:
        logging.getLogger("aiohttp.server").exception("Error handling request")
    (line,) = lines(stream)
    assert (line["level"], line["exception"]) == ("error", "RuntimeError")
    assert line["traceback"]
    assert "0530" not in stream.getvalue()


@pytest.mark.parametrize(
    "spelling",
    [
        "05301234567",
        "+905301234567",
        "00905301234567",
        "5301234567",
        "+90 (530) 123-45-67",
        "0530 123 45 67",
        "00 90 530 123 45 67",
        "905301234567",
        "0 530 123 4567",
        "+493089680211",
        "0212 555 10 10",
        "4440123",
        "444 0 123",
    ],
)
def test_what_may_be_a_number_is_taken_out_of_any_line(stream: io.StringIO, spelling: str) -> None:
    logging.getLogger("somebody").warning(f"asked for {spelling} and more")  # noqa: G004 - such there are
    (line,) = lines(stream)
    assert line["event"] == "asked for *** and more"


def test_short_numbers_times_and_versions_stay(stream: io.StringIO) -> None:
    logging.getLogger("somebody").warning("port 65535, user 1003, 404 at 127.0.0.1, 12.5 ms, 3.14.5")
    assert lines(stream)[0]["event"] == "port 65535, user 1003, 404 at 127.0.0.1, 12.5 ms, 3.14.5"


def test_a_line_break_in_a_value_does_not_forge_a_line(stream: io.StringIO) -> None:
    logs.source_asked(Asked("crm\n{}", "failed", 0.1, 'no\r\n{"event": "call"}'))
    assert len(stream.getvalue().splitlines()) == 1
    assert lines(stream)[0]["event"] == "source_failed"


def test_debug_lines_of_libraries_are_not_written(stream: io.StringIO) -> None:
    logging.getLogger("asyncio").debug("Using selector: EpollSelector")
    logging.getLogger("aiohttp.access").debug("GET /")
    assert stream.getvalue() == ""


def test_a_person_at_a_terminal_reads_text() -> None:
    stream = Terminal()
    logs.set_up(stream)
    logs.listening("127.0.0.1", 8080)
    logs.bug("router", raised(KeyError("Ahmet Yılmaz")))
    assert not stream.getvalue().startswith("{")
    assert "listening" in stream.getvalue()
    assert "8080" in stream.getvalue()
    assert "KeyError" in stream.getvalue()
    assert "Ahmet" not in stream.getvalue()


def test_turkish_letters_stay_letters(stream: io.StringIO) -> None:
    logs.source_asked(Asked("müşteri", "failed", 0.1))
    assert "müşteri" in stream.getvalue()


def test_the_line_of_a_call_is_what_structlog_would_write(stream: io.StringIO) -> None:
    phrase = Decision(Transfer(Target("queue", "201")), Reason.RULE, Via.STALE, 'a "rule" of 0530 123 45 67 \\ ığ')
    for given in (answered("05301234567"), answered(None), answered("gizli"), in_a_dialogue(phrase, step=2)):
        stream.truncate(0)
        stream.seek(0)
        logs.calls_answered([given])
        logs.log.info("call", **given.told())
        ours, its = stream.getvalue().splitlines()
        assert ours[: len(HEAD)] == HEAD
        moment = datetime.fromisoformat(json.loads(ours)["timestamp"])
        assert abs((moment - datetime.now(UTC)).total_seconds()) < 60
        assert ours[len(HEAD) + len(MOMENT) :] == its[len(HEAD) + len(MOMENT) :]


HEAD = '{"timestamp": "'
MOMENT = "2026-11-23T09:00:00.123456Z"


def test_calls_that_were_answered_as_before_have_a_line_each_with_its_own_time(stream: io.StringIO) -> None:
    given = repeated()
    logs.calls_repeated([Given(given, 0.0002), Given(given, 0.0345)])
    logs.calls_repeated([Given(given, 1.5)])
    assert [line["ms"] for line in lines(stream)] == [0.2, 34.5, 1500.0]
    assert {line["caller"] for line in lines(stream)} == {"+90********67"}


def test_of_dialogues_each_has_its_own_id_where_that_may_be_told(stream: io.StringIO) -> None:
    given = replace(repeated(), steps=frozenset({"customer_no"}), called=parse_caller("08505321234", "TR"))
    ids = (UUID, UUID.replace("651f", "751f"), "0530 123 45 67")
    logs.calls_repeated([Given(given, 0.0002, call_id) for call_id in ids])
    assert [line.get("call_id") for line in lines(stream)] == [*ids[:2], None]
    assert {(line["step"], line["called"]) for line in lines(stream)} == {(1, "+90********34")}
    for call_id, ours in zip(ids, stream.getvalue().splitlines(), strict=True):
        stream.truncate(0)
        stream.seek(0)
        logs.log.info("call", **given.answered(0.0002, datetime.now(UTC), call_id).told())
        assert ours[len(HEAD) + len(MOMENT) :] == stream.getvalue().rstrip()[len(HEAD) + len(MOMENT) :]


def test_at_a_terminal_they_are_lines_for_a_person() -> None:
    terminal = Terminal()
    logs.set_up(terminal)
    logs.calls_repeated([Given(repeated(), 0.0345)] * 2)
    logs.calls_answered([answered("05301234567")])
    first, second, third = terminal.getvalue().splitlines()
    assert "34.5" in first
    assert "+90********67" in second
    assert "12.3" in third
