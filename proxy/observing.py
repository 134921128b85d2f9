"""Who is told what happens: the log, the figures and the journal."""

import time
from collections.abc import Callable, Sequence

from proxy import logs
from proxy.deployment import Observers
from proxy.errors import ProxyError
from proxy.figures import Figures, Repetitions
from proxy.journal import Answered, Given, Journal
from proxy.model import Asked
from proxy.upstream import Guarded


class Watch:
    """Writes lines, counts, and keeps calls. `last_moment` returns after how many seconds an answer is late."""

    def __init__(self, last_moment: Callable[[], float]) -> None:
        self.figures = Figures()
        self.journal = Journal()
        self._last_moment = last_moment

    def observers(self) -> Observers:
        """Return those of a deployment."""
        return Observers(self.source_asked, self.source_guarded, self.bug)

    def calls_answered(self, given: Sequence[Answered]) -> Sequence[str]:
        """Take note of calls, after their answers are out; return what the log has of each, but for times and id."""
        lines = logs.calls_answered(given)
        last_moment, now = self._last_moment(), time.monotonic()
        for answered in given:
            self.figures.count_call(answered, last_moment, now)
            self.journal.add(answered)
        return lines

    def calls_repeated(self, given: Sequence[Given], since: float) -> None:
        """Take note of calls that were answered as before, the first of them `since`."""
        logs.calls_repeated(given)
        repetitions = Repetitions()
        repetitions.add(given)
        self.figures.count_repetitions(repetitions, time.monotonic())
        self.journal.add_repeated(given, since)

    def source_asked(self, asked: Asked) -> None:
        """Take note of what a source has said."""
        logs.source_asked(asked)
        self.figures.count_source(asked, time.monotonic())

    def source_guarded(self, guarded: Guarded) -> None:
        """Take note that a source is left alone, or asked again."""
        logs.source_guarded(guarded)
        self.figures.note_guarded(guarded.source, guarded.reason, time.monotonic())

    def snapshot_failed(self, exc: ProxyError) -> None:
        """Take note that a snapshot could not be read, or written."""
        self.figures.events["snapshot_failed"] += 1
        logs.snapshot_failed(exc)

    def reloaded(self, sources: int, rules: int) -> None:
        """Take note of a new configuration."""
        self.figures.events["reloaded"] += 1
        logs.reloaded(sources, rules)

    def reload_refused(self, problems: Sequence[str]) -> None:
        """Take note of a configuration that was not taken; none of its `problems` is told again."""
        self.figures.events["reload_refused"] += 1
        if problems:
            logs.reload_refused(problems, self.figures.events["reload_refused"])

    def erased(self, *, was_known: bool) -> None:
        """Take note that a number was erased."""
        self.figures.events["erased"] += 1
        logs.erased(was_known)

    def invalidated(self, count: int, *, everything: bool) -> None:
        """Take note that so many numbers are to be looked up anew."""
        self.figures.events["invalidated"] += 1
        logs.invalidated(count, everything=everything)

    def worker_ended(self, worker: int, code: int, again_in: float) -> None:
        """Take note that a process which answers calls has ended, and is started again after some seconds."""
        self.figures.events["worker_ended"] += 1
        logs.worker_ended(worker, code, again_in)

    def bug(self, where: str, exc: BaseException) -> None:
        """Take note of an error that nobody raised on purpose."""
        self.figures.events["bug"] += 1
        logs.bug(where, exc)
