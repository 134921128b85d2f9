"""Answers that may be given again: each with all by which a full pass would give the same one now."""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import cast

from aiohttp import web

from proxy import tracing
from proxy.actions import Transfer
from proxy.dialogue import Known
from proxy.directory import Directory
from proxy.journal import Answered, Repeated
from proxy.limiter import Limiter
from proxy.model import Call, Heard, Via
from proxy.phone import PhoneNumber
from proxy.router import Answers, Calls, begun

MOST_READY = 25_000
"""Answers that are ready at the most, and no more than the cache may have entries, as each holds one of them. Then the
one that was not given for longest goes."""

_ID_OF_A_CALL = re.compile(rb"GET [^ #?]*\?(?:[^ #]*&)?uuid=([0-9A-Za-z-]{1,64})(?=[& ])")
"""What is another one in each question that begins a dialogue."""

Question = bytes | tuple[bytes, bytes]
"""All that was asked; in a dialogue, what stood before and behind the id of the call."""


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
    memory: Calls | None = None
    """Where a call is remembered that begins; None where it is no dialogue"""
    before_date: bytes = b""
    behind_date: bytes = b""
    closes: bool = False
    """The connection ends with it"""

    def is_right(self, peer: str | None, now: float, kept: Callable[[str], bytes | None], call_id: str) -> bool:
        """Tell whether a full pass would give this answer now; then charge it like one, and remember the call."""
        call: Known = (call_id, self.caller, self.called)
        is_right = (
            now < self.until
            and kept(self.caller.e164) is self.kept
            and peer == self.peer
            and (self.minute is None or _now() // 60 == self.minute)
            and (self.memory is None or self.memory.is_new(call))
            and (self.bucket is None or self.bucket[0].admit(self.bucket[1], now))
        )
        if is_right and self.memory is not None:
            self.memory.begin(call, partial(self._begun, call_id, datetime.now(UTC)))
        return is_right

    def _begun(self, call_id: str, at: datetime) -> Answers:
        return begun(self.answered(0.0, at, call_id).decision)


class ReadyAnswers(OrderedDict[Question, Ready]):
    """Answers by all that was asked, out of a directory, and a memory of dialogues; without one, none is ever ready."""

    def __init__(self, directory: Directory | None = None, memory: Calls | None = None) -> None:
        super().__init__()
        self._directory = directory
        self._memory = memory

    def find(self, asked: bytes) -> tuple[Ready | None, str]:
        """Return the answer that is ready, and the id of the call; it is empty where it is no dialogue."""
        question: Question = asked
        call_id, ready = "", self.get(question)
        if ready is None and (cut := _ID_OF_A_CALL.match(asked)):
            question, call_id = _but_for_id(cut), cut[1].decode()
            ready = self.get(question)
        if ready is not None:
            self.move_to_end(question)
        return ready, call_id

    def kept(self, number: str) -> bytes | None:
        """Return what is kept of a number."""
        return self._directory.kept(number) if self._directory is not None else None

    def kept_for(self, call: Call) -> bytes | None:
        """Return what is kept of a caller whose call may be answered as before; None when it may not."""
        if not isinstance(call.caller, PhoneNumber) or tracing.is_on():
            return None
        return self.kept(call.caller.e164) if not call.can_be_asked or self._begins(call) else None

    def _begins(self, call: Call) -> bool:
        """Tell whether it is the first question of a dialogue, and has come for the first time."""
        is_first = call.call_id != "" and call.step == 1 and call.heard == Heard()
        return is_first and self._memory is not None and self._memory.is_new((call.call_id, call.caller, call.called))

    def made_of(self, answered: Answered, kept: bytes) -> Ready | None:
        """Return what makes an answer right; None when nobody can tell. `kept` is what was kept before it was made."""
        call, routing, decision = answered.call, answered.routing, answered.decision
        if call is None or not isinstance(call.caller, PhoneNumber) or routing is None or self._directory is None:
            return None
        if decision.via is not Via.CACHE or self.kept(call.caller.e164) is not kept:
            return None
        if decision.knowledge is None or not isinstance(decision.action, Transfer):
            return None
        return Ready(
            call.caller,
            kept,
            routing,
            rule=next((rule for rule in routing.rules if rule.name == decision.rule), None),
            reason=decision.reason,
            dialect=answered.dialect,
            called=call.called,
            steps=decision.knowledge.situation.steps if call.can_be_asked else None,
            until=self._directory.rests_until(call.caller),
            minute=call.at.timestamp() // 60 if routing.by_clock else None,
            memory=self._memory if call.can_be_asked else None,
        )

    def keep(self, asked: bytes, ready: Ready) -> None:
        """Have an answer ready, unless something has changed since it was made."""
        question: Question = asked
        if ready.memory is not None:
            cut = _ID_OF_A_CALL.match(asked)
            if cut is None:
                return
            question = _but_for_id(cut)
        if self.kept(ready.caller.e164) is ready.kept:
            self[question] = ready
            self.move_to_end(question)
        if len(self) > (MOST_READY if self._directory is None else min(MOST_READY, self._directory.cache.size)):
            self.popitem(last=False)


def _but_for_id(cut: re.Match[bytes]) -> tuple[bytes, bytes]:
    return cut.string[: cut.start(1)], cut.string[cut.end(1) :]


READY = web.RequestKey("ready", tuple[ReadyAnswers, Ready])
"""Where the listener puts an answer that may be given again, and where it is to be kept."""


def around_the_date(request: web.BaseRequest, resp: web.Response) -> tuple[bytes, bytes]:
    """Return what was sent before the date in an answer, and behind it."""
    major, minor = request.version
    head = [
        f"HTTP/{major}.{minor} {resp.status} {resp.reason}",
        *(f"{name}: {value}" for name, value in resp.headers.items()),
    ]
    before, _, behind = "\r\n".join([*head, "\r\n"]).partition(resp.headers["Date"])
    return _shared(before.encode()), behind.encode() + cast(bytes, resp.body)


@lru_cache(100)
def _shared(head: bytes) -> bytes:
    """Return the first such head: many answers have the same, which need not be there for each."""
    return head


def _now() -> float:
    return time.time()
