"""Answers that may be given again: each with all by which a full pass would give the same one now."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from aiohttp import web

from proxy import tracing
from proxy.directory import Directory
from proxy.journal import Answered, Repeated
from proxy.limiter import Limiter
from proxy.model import Call, Via
from proxy.phone import PhoneNumber

MOST_READY = 25_000
"""Answers that are ready at the most; then the one that was not given for longest goes."""


@dataclass(slots=True)
class Ready(Repeated):
    """An answer, and while it is right."""

    until: float = 0.0
    """When what is kept is to be looked up again, in seconds of `time.monotonic`"""
    minute: float | None = None
    """The minute since 1970 for which it is right; None where the rules do not look at the clock"""
    peer: str | None = None
    bucket: tuple[Limiter, Hashable] | None = None
    """What a call of this client is taken out of; None where that is nothing"""
    before_date: bytes = b""
    behind_date: bytes = b""
    closes: bool = False
    """The connection ends with it"""

    def is_right(self, peer: str | None, now: float, kept: Callable[[str], bytes | None]) -> bool:
        """Tell whether a full pass would give this answer now, and charge it like one."""
        return (
            now < self.until
            and kept(self.caller.e164) is self.kept
            and peer == self.peer
            and (self.minute is None or _now() // 60 == self.minute)
            and (self.bucket is None or self.bucket[0].admit(self.bucket[1], now))
        )


class ReadyAnswers(OrderedDict[bytes, Ready]):
    """Answers by all that was asked, out of a directory; without one, none is ever ready."""

    def __init__(self, directory: Directory | None = None) -> None:
        super().__init__()
        self._directory = directory

    def kept(self, number: str) -> bytes | None:
        """Return what is kept of a number."""
        return self._directory.kept(number) if self._directory is not None else None

    def kept_for(self, call: Call) -> bytes | None:
        """Return what is kept of a caller whose call may be answered as before; None when it may not."""
        if call.can_be_asked or not isinstance(call.caller, PhoneNumber) or tracing.is_on():
            return None
        return self.kept(call.caller.e164)

    def made_of(self, answered: Answered, kept: bytes) -> Ready | None:
        """Return what makes an answer right; None when nobody can tell. `kept` is what was kept before it was made."""
        call, routing, decision = answered.call, answered.routing, answered.decision
        if call is None or not isinstance(call.caller, PhoneNumber) or routing is None or self._directory is None:
            return None
        if decision.via is not Via.CACHE or self.kept(call.caller.e164) is not kept:
            return None
        minute = call.at.timestamp() // 60 if routing.by_clock else None
        rule = next((rule for rule in routing.rules if rule.name == decision.rule), None)
        until = self._directory.rests_until(call.caller)
        return Ready(call.caller, kept, routing, rule, decision.reason, answered.dialect, until=until, minute=minute)

    def keep(self, asked: bytes, ready: Ready) -> None:
        """Have an answer ready, unless something has changed since it was made."""
        if self.kept(ready.caller.e164) is ready.kept:
            self[asked] = ready
            self.move_to_end(asked)
        if len(self) > MOST_READY:
            self.popitem(last=False)


READY = web.RequestKey("ready", tuple[ReadyAnswers, Ready])
"""Where the listener puts an answer that may be given again, and where it is to be kept."""


def _now() -> float:
    return time.time()
