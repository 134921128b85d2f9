"""Where log lines go."""

import logging
import os
import select
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TextIO

PATIENCE = 0.05
"""Seconds in which a line that is too long to be written at once must have been taken."""

_ERRORS = "backslashreplace"
"""What becomes of half characters"""


class Lines(logging.Handler):
    """Writes lines to a stream, and never waits for its reader: lines that he does not take are dropped and counted.

    Before each write the descriptor is asked whether it takes more. If so, it takes at least PIPE_BUF bytes without
    blocking; longer lines are written in pieces. Of a terminal only a byte is certain. Nothing stays in a buffer.
    `tell_lost` is to log how many were dropped.
    """

    def __init__(self, stream: TextIO, tell_lost: Callable[[int], None], *, are_json: bool) -> None:
        super().__init__()
        self.are_json = are_json
        self._stream = stream
        self._tell_lost = tell_lost
        self._descriptor: int | None = None
        with suppress(OSError):  # it is in memory
            self._descriptor = stream.fileno()
        self._piece = 1 if stream.isatty() else select.PIPE_BUF
        self._lost = 0
        self._is_torn = False
        """The last line was written in a part only"""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
            self.flush()
            self._write(line)
        except Exception:  # noqa: BLE001 - no line is worth a call, and logging would print all that is in the record
            self._lost += 1

    def flush(self) -> None:
        """Tell how many lines were lost, as soon as that can be told."""
        if self._lost and self._takes_more():
            lost, self._lost = self._lost, 0
            self._tell_lost(lost)  # which comes back here, by way of `emit`
            if self._lost:
                self._lost = lost

    def write(self, lines: Sequence[str]) -> None:
        """Write lines that are not of a record, as many at once as others cannot write into."""
        with suppress(Exception):  # likewise
            self.acquire()
            try:
                self.flush()
                longest = max(len(line.encode(errors=_ERRORS)) for line in lines)
                at_once = max(1, self._piece // (longest + 1))
                for place in range(0, len(lines), at_once):
                    self._write("\n".join(lines[place : place + at_once]))
            finally:
                self.release()

    def _write(self, lines: str) -> None:
        if self._descriptor is None:
            self._stream.write(f"{lines}\n")
            return
        whole = f"{lines}\n".encode(errors=_ERRORS)
        rest = b"\n" + whole if self._is_torn else whole
        until, patience = time.monotonic() + PATIENCE, 0.0
        while rest:
            try:
                written = os.write(self._descriptor, rest[: self._piece]) if self._takes_more(patience) else 0
            except OSError:  # the reader has left, or the disk is full
                written = 0
            if not written:
                self._lost += min(rest.count(b"\n"), whole.count(b"\n"))
                return
            rest = rest[written:]
            self._is_torn = bool(rest)
            patience = max(0.0, until - time.monotonic())

    def _takes_more(self, patience: float = 0.0) -> bool:
        if self._descriptor is None:
            return True
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return [state for _, state in poll.poll(patience * 1000)] == [select.POLLOUT]
