"""The call listener: one path, on which the switch asks; whatever else comes gets the default answer."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import web

from proxy.dialects import Dialect
from proxy.journal import Answered, Given, Repeated, told_id
from proxy.model import Call, Reason
from proxy.router import CallRouter
from proxy.routing import Decision
from proxy.tracing import span
from proxy.web.access import Access
from proxy.web.front import SwitchServer
from proxy.web.listener import JSON_HEADERS
from proxy.web.ready import READY, Ready, ReadyAnswers

CONNECTIONS = 2000
"""Connections at the most, unless told otherwise."""

SLACK = 0.2
"""Seconds beyond the deadline in which an answer is out."""


@dataclass(frozen=True, slots=True)
class Answering:
    """All that an answer is made with. A listener can be given another one while it runs; calls keep theirs."""

    path: str
    dialects: Sequence[Dialect]
    """Forms in which the switch may ask; what is of none of them is taken for one of the last"""
    router: CallRouter
    access: Access = field(default_factory=Access)
    ready: ReadyAnswers = field(default_factory=ReadyAnswers)
    refused: Decision = field(init=False)
    """What becomes of anything but a question"""
    defaults: Mapping[str, bytes] = field(init=False)
    """Body of the answer to that, and to what goes wrong, by the dialect's name"""

    def __post_init__(self) -> None:
        refused = self.router.fall_back(Reason.REFUSED)
        object.__setattr__(self, "refused", refused)
        object.__setattr__(self, "defaults", {form.name: form.render(refused) for form in self.dialects})

    def dialect_of(self, query: Mapping[str, str]) -> Dialect:
        """Return the dialect of a question: the one whose parameter for the caller it has, or else any other."""
        named = (form for form in self.dialects if form.parameter in query)
        asked = (form for form in self.dialects if form.asks(query))
        return next(named, None) or next(asked, self.dialects[-1])


class SwitchListener:
    """Answers HTTP requests. Every answer is 200 with a valid target, at any path, method or error.

    `observe` is told of answers after they were sent, and may return what the log has of each; `observe_repeated` of
    those that are given again, and since when; `on_bug` of errors that nobody raised on purpose. `answering` and
    `connections` may be changed while it runs.
    """

    def __init__(
        self,
        answering: Answering,
        observe: Callable[[Sequence[Answered]], Sequence[str] | None],
        on_bug: Callable[[str, BaseException], None],
        connections: int = CONNECTIONS,
        observe_repeated: Callable[[Sequence[Given], float], None] = lambda _, __: None,
    ) -> None:
        self.answering = answering
        self.connections = connections
        self._observe = observe
        self._observe_repeated = observe_repeated
        self._untold: list[tuple[Answered, Ready | None]] = []
        self._repeated: list[Given] = []
        self._on_bug = on_bug
        self._spoken = ""
        """The dialect of the last question"""

    @property
    def answers_within(self) -> float:
        """Return within how many seconds a call is answered, by what it would be answered with now."""
        return self.answering.router.deadline + SLACK

    @property
    def ready(self) -> ReadyAnswers:
        """Return the answers that may be given again."""
        return self.answering.ready

    def server(self) -> SwitchServer:
        """Return the aiohttp server of this listener; needs a running loop."""
        return SwitchServer(self)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        started = time.monotonic()
        answering = self.answering
        call: Call | None = None
        kept: bytes | None = None
        spoken = ""
        body = self._default()
        try:
            query = each_once(request.query)
            dialect = answering.dialect_of(query)
            is_asked = dialect.asks(query)
            if is_asked:
                body = answering.defaults[dialect.name]
            if request.method == "GET" and answering.access.is_question(request.path, answering.path):
                call, spoken = dialect.parse(query, datetime.now(UTC)), dialect.name
                if may_ask(request, answering):
                    kept = answering.ready.kept_for(call) if len(query) == len(request.query) else None
                    self._spoken = dialect.name if is_asked else self._spoken
                    with span("call", request.headers) as told:
                        decision = await answering.router.route(call)
                        told.tell(caller=str(call.caller), reason=decision.reason.value, via=decision.via.value)
                        told.tell(rule=decision.rule or None, call_id=told_id(call.call_id), step=call.step)
                else:
                    decision = answering.router.refuse(call)
                body = dialect.render(decision)
            else:
                decision = answering.refused
        except Exception as exc:  # noqa: BLE001 - the last net, below the router's own two
            self._on_bug("listener", exc)
            decision = answering.router.fall_back(Reason.BUG)
        answered = _answered(answering, call, decision, started, spoken)
        ready = answering.ready.made_of(answered, kept) if kept is not None else None
        if ready is not None:
            ready.peer, ready.bucket = request.remote, answering.access.bucket(request.remote, request.headers)
            request[READY] = (answering.ready, ready)
        self._tell(answered, ready)
        return web.Response(body=body, headers=JSON_HEADERS)

    def repeat(self, repeated: Repeated, seconds: float, call_id: str = "") -> None:
        """Take note that an answer was given again."""
        if not self._repeated:
            asyncio.get_running_loop().call_soon(self._tell_repeated, time.monotonic() - seconds)
        self._repeated.append(Given(repeated, seconds, call_id))
        self._spoken = repeated.dialect

    def answer_unreadable(self, exc: BaseException | None) -> web.Response:
        """Answer a request that is not HTTP enough to be read, or that failed outside of `answer`."""
        if exc is not None:
            self._on_bug("listener", exc)
        answering = self.answering
        decision = answering.refused if exc is None else answering.router.fall_back(Reason.BUG)
        self._tell(_answered(answering, None, decision, time.monotonic()))
        response = web.Response(body=self._default(), headers=JSON_HEADERS)
        response.force_close()
        return response

    def _default(self) -> bytes:
        """Return what a request is told that does not show its dialect: it may be that of the last question."""
        defaults = self.answering.defaults
        return defaults.get(self._spoken) or defaults[self.answering.dialects[-1].name]

    def _tell(self, answered: Answered, ready: Ready | None = None) -> None:
        """Tell of an answer when it has been written, with others that are written meanwhile."""
        if not self._untold:
            asyncio.get_running_loop().call_soon(self._tell_all)
        self._untold.append((answered, ready))

    def _tell_all(self) -> None:
        told, self._untold = self._untold, []
        lines = self._observe([answered for answered, _ in told]) or [""] * len(told)
        for (_, ready), line in zip(told, lines, strict=True):
            if ready is not None:
                ready.line = line

    def _tell_repeated(self, since: float) -> None:
        given, self._repeated = self._repeated, []
        self._observe_repeated(given, since)


def _answered(
    answering: Answering, call: Call | None, decision: Decision, started: float, spoken: str = ""
) -> Answered:
    routing = answering.router.routing_of(call)
    return Answered(call, decision, time.monotonic() - started, routing, spoken, rang=started)


def may_ask(request: web.BaseRequest, answering: Answering) -> bool:
    """Tell whether a request to the switch's own path comes from somebody who may ask."""
    access = answering.access
    if access.is_open:
        return True
    before = request.path.removesuffix(answering.path)
    return access.admits(request.remote, before, request.query, request.headers, time.monotonic())


def each_once(query: Mapping[str, str]) -> Mapping[str, str]:
    """Return a query in which each name stands once.

    One that comes again with the same text counts once. Two different texts are neither: joined by a comma they are
    no number, so that such a call is answered like one with a bad number, and nobody chooses which of them counts.
    """
    if len(query) < 2:  # noqa: PLR2004 - nothing can be there twice
        return query
    single: dict[str, str] = {}
    for name, text in query.items():
        known = single.setdefault(name, text)
        if text != known:
            single[name] = f"{known},{text}"
    return single
