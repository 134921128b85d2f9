"""Log lines for the operator: JSON, or readable at a terminal. None holds a number, a name or a secret."""

import asyncio
import json
import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, MutableMapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

import structlog

from proxy.breaker import State
from proxy.errors import ProxyError, without_digits
from proxy.journal import Answered, Given, told_id
from proxy.logs.lines import Lines
from proxy.model import Asked
from proxy.upstream import Guarded

Event = MutableMapping[str, Any]

_OF_DIALOGUES = frozenset({"call_id", "step", "heard", "asks", "not_asked", "called", "line"})

_encode = json.JSONEncoder(ensure_ascii=False).encode

log = structlog.stdlib.get_logger("tanima")


def set_up(stream: TextIO | None = None) -> None:
    """Send everything that is logged in this process, also by libraries, to `stream`, or else to stderr.

    So is what Python would print by itself: warnings, and errors that nobody has caught, in any thread.
    """
    stream = stream or sys.stderr
    shared: list[Callable[[Any, str, Event], Event]] = [
        structlog.stdlib.add_log_level,
        _without_values,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    at_terminal = stream is not None and stream.isatty()
    renderer = structlog.dev.ConsoleRenderer() if at_terminal else structlog.processors.JSONRenderer(ensure_ascii=False)
    handler = Lines(stream, lines_lost, are_json=not at_terminal) if stream is not None else logging.NullHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _headed, renderer],
            use_get_message=False,  # a library's template without its values
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it tells of every file, also of a log beside the TOML
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    sys.excepthook = lambda _type, exc, _traceback: bug("tanima", exc)
    sys.unraisablehook = lambda unraisable: bug("clean-up", unraisable.exc_value)
    threading.excepthook = _thread_failed
    warnings.showwarning = _warned


def listening(host: str, port: int) -> None:
    """Write where the switch finds us."""
    log.info("listening", host=host, port=port)


def calls_answered(given: Sequence[Answered]) -> Sequence[str]:
    """Write a line for each call, and return what of each stays the same when that is repeated; empty when unknown.

    Where lines are JSON they are what structlog would write; it takes ten times as long for them.
    """
    lines, head = _json_lines(), _head()
    if lines is None:
        for answered in given:
            log.info("call", **answered.told())
        return [""] * len(given)
    the_same = [_the_same(answered) for answered in given]
    ids = [answered.call.call_id if answered.call and answered.call.can_be_asked else "" for answered in given]
    told = zip(ids, the_same, given, strict=True)
    lines.write([_line(head, call_id, rest, answered.seconds) for call_id, rest, answered in told])
    return the_same


def calls_repeated(given: Sequence[Given]) -> None:
    """Write a line for each call that was answered as before."""
    lines, head, now = _json_lines(), _head(), datetime.now(UTC)
    for repeated, seconds, call_id in given:
        if lines is None:
            log.info("call", **repeated.answered(seconds, now, call_id).told())
        elif not repeated.line:
            repeated.line = _the_same(repeated.answered(seconds, now))
    if lines is not None:
        lines.write([_line(head, call_id, repeated.line, seconds) for repeated, seconds, call_id in given])


def source_asked(asked: Asked) -> None:
    """Write a line when a source failed, or failed in a part."""
    if asked.outcome in {"failed", "incomplete"}:
        event = "source_failed" if asked.outcome == "failed" else "source_incomplete"
        log.warning(event, source=asked.source, error=asked.note, ms=_ms(asked.seconds))


def source_guarded(guarded: Guarded) -> None:
    """Write when a source is left alone, and when it is asked again."""
    if guarded.state is State.CLOSED:
        log.info("source_closed", source=guarded.source)
    else:
        event = "source_throttled" if guarded.state is State.THROTTLED else "source_open"
        log.warning(event, source=guarded.source, error=guarded.reason)


def configuration_warning(text: str) -> None:
    """Write what is doubtful about the configuration."""
    log.warning("configuration", problem=text)


def admin_unreachable(host: str, port: int, reason: str) -> None:
    """Write that the operator's own address cannot be had yet."""
    log.warning("admin_unreachable", host=host, port=port, error=reason)


def few_descriptors(wanted: int, possible: int) -> None:
    """Write that this process may have fewer connections than the configuration says."""
    log.warning("few_descriptors", wanted=wanted, possible=possible)


def reloaded(sources: int, rules: int) -> None:
    """Write that the configuration has been read again, and is the one that counts."""
    log.info("reloaded", sources=sources, rules=rules)


def reload_refused(problems: Sequence[str], count: int) -> None:
    """Write why the configuration was not taken; `count` tells how often that has been."""
    log.error("reload_refused", problems=list(problems), count=count)


def snapshot_read(entries: int, seconds: float) -> None:
    """Write how many entries of the cache have survived."""
    log.info("snapshot_read", entries=entries, ms=_ms(seconds))


def snapshot_failed(exc: ProxyError) -> None:
    """Write why a snapshot could not be read, or written."""
    log.warning("snapshot_failed", error=str(exc))


def erased(was_known: bool) -> None:  # noqa: FBT001 - it is what is told
    """Write that a number was erased, without the number."""
    log.info("erased", was_known=was_known)


def invalidated(count: int, *, everything: bool) -> None:
    """Write that numbers are to be looked up anew, without the numbers."""
    log.info("invalidated", count=count, everything=everything)


def worker_ready(worker: int, process: int) -> None:
    """Write that one of several processes answers calls from now on."""
    log.info("worker_ready", worker=worker, process=process)


def worker_ended(worker: int, code: int, again_in: float) -> None:
    """Write that one of them has ended, and after how many seconds it is started again; a negative code is a signal."""
    log.error("worker_ended", worker=worker, code=code, again_in=again_in)


def events_lost(count: int) -> None:
    """Write how many calls and answers are missing in the figures."""
    log.warning("events_lost", count=count)


def lines_lost(count: int) -> None:
    """Write how many lines could not be written before this one."""
    log.warning("log_lines_lost", count=count)


def bug(where: str, exc: BaseException | None) -> None:
    """Write the traceback of an error that nobody raised on purpose; of one that somebody did, its message."""
    if isinstance(exc, ProxyError):
        log.warning("trouble", where=where, error=str(exc))
    else:
        log.error("bug", where=where, exc_info=exc)


def loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Write what asyncio's event loop complains about."""
    log.error("event_loop", complaint=context["message"], exc_info=context.get("exception"))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _json_lines() -> Lines | None:
    """Return where lines go that are JSON; None when they are for a person."""
    lines = next((each for each in logging.getLogger().handlers if isinstance(each, Lines)), None)
    return lines if lines is not None and lines.are_json else None


def _head() -> str:
    moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return f'{{"timestamp": "{moment}", "level": "info", "event": "call", '


def _line(head: str, call_id: str, rest: str, seconds: float) -> str:
    of_call = f'"call_id": "{call_id}", ' if call_id and told_id(call_id) else ""
    return f'{head}{of_call}{rest}, "ms": {_ms(seconds)}}}'


def _the_same(answered: Answered) -> str:
    """Return what the line of a call has between its id and its milliseconds."""
    told = answered.told()
    del told["call_id"], told["ms"]
    return ", ".join(
        f'"{key}": {_encoded(value)}' for key, value in told.items() if value is not None or key not in _OF_DIALOGUES
    )


@lru_cache(2000)
def _encoded(value: str | int | None) -> str:
    """Return what the line of a call has for a value, of which there are few: targets, rules, masked numbers."""
    return _encode(without_digits(value) if isinstance(value, str) else value)


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_type is not SystemExit:  # which ends a thread, and is no defect
        bug("a thread", failed.exc_value)


def _warned(*told: Any, **_: Any) -> None:  # noqa: ANN401 - in the place of `warnings.showwarning`
    """Write the kind and the place of a warning. Its text may hold anything, as that of an error may."""
    _text, category, file, line, *_rest = told
    log.warning("trouble", where=f"{file}:{line}", error=category.__name__)


def _without_values(_logger: object, _method: str, event: Event) -> Event:
    """Take out what may be a phone number, and of an error all but its type and the places it came through.

    The text of an error that nobody raised on purpose may hold anything: a URL, a row, a number.
    """
    exc_info = event.pop("exc_info", None)
    exc = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if isinstance(exc, BaseException):
        event["exception"] = f"{type(exc).__name__}: {exc}" if isinstance(exc, ProxyError) else type(exc).__name__
        frames = traceback.extract_tb(exc.__traceback__)
        event["traceback"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return _without_numbers(event)


def _without_numbers(event: Event) -> Event:
    for key, value in event.items():
        if isinstance(value, str) and key != "call_id":
            event[key] = without_digits(value)
        elif isinstance(value, list) and key != "traceback":
            event[key] = [without_digits(str(each)) for each in value]
    return event


def _headed(_logger: object, _method: str, event: Event) -> Event:
    """Put what every line has in front, and leave out what only calls with a dialogue have, where there was none."""
    event = {key: value for key, value in event.items() if value is not None or key not in _OF_DIALOGUES}
    head = {key: event.pop(key) for key in ("timestamp", "level", "event")}
    return {**head, **event}
