"""What programs are told, and may do, on the operator's address: mostly in JSON."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from proxy.breaker import State
from proxy.errors import InvalidNumber, ProxyError
from proxy.figures import quantile_of
from proxy.journal import Answered
from proxy.metrics import CONTENT_TYPE, exposition
from proxy.model import FAILED_OPEN, Via
from proxy.phone import PhoneNumber, parse_number
from proxy.web.bodies import Refused, body_of
from proxy.web.listener import HEADERS, JSON_HEADERS
from proxy.web.operated import Operated

ERASE, INVALIDATE, JOURNAL, METRICS = "/erase", "/invalidate", "/journal", "/metrics"
LIVE, READY, HEALTH = "/livez", "/readyz", "/healthz"

OPEN = frozenset({LIVE, READY})
"""What everybody may ask who reaches the address: it tells nothing but that we live."""

LATELY = 300.0
"""Seconds over which `/healthz` tells how calls went."""

FARTHEST_BACK = 100 * 365 * 86400.0
"""Seconds; nothing is older, and there is no date for much more."""

AT_ONCE = 50
"""Calls of the journal that are told of without a pause"""

A_NUMBER = '{"number": "05301234567"}'

JSON_LINES = {**HEADERS, "Content-Type": "application/jsonl; charset=utf-8"}

Answer = Callable[[web.BaseRequest], Awaitable[web.Response]]


class Endpoints:
    """Answers by path and method."""

    def __init__(self, operated: Operated) -> None:
        self._operated = operated
        self.answers: Mapping[str, Mapping[str, Answer]] = {
            ERASE: {"POST": self._erase},
            INVALIDATE: {"POST": self._invalidate},
            JOURNAL: {"GET": self._journal},
            METRICS: {"GET": self._metrics},
            HEALTH: {"GET": self._health},
            LIVE: {"GET": _yes, "HEAD": _yes},
            READY: {"GET": _yes, "HEAD": _yes},
        }

    async def _erase(self, request: web.BaseRequest) -> web.Response:
        number = self._number_in(await _json_of(request))
        try:
            erased = await self._operated.erase(number)
        except ProxyError as exc:
            return told(500, error=str(exc))
        return told(200, was_known=erased.was_known, snapshot=erased.snapshot)

    async def _invalidate(self, request: web.BaseRequest) -> web.Response:
        """Take a number, or `all`, as JSON; or in the URL, for a CRM that cannot say it otherwise."""
        wanted: Any = {name: texts[-1] for name, texts in parse_qs(request.query_string).items()}
        if not wanted:
            wanted = await _json_of(request)
        elif "Authorization" not in request.headers and "X-Token" not in request.headers:
            raise Refused(403, f"a number in the URL needs a token in a header - allowed: JSON, such as {A_NUMBER}")
        everything = isinstance(wanted, dict) and (wanted.get("all") is True or wanted.get("all") == "true")
        number = None if everything else self._number_in(wanted)
        try:
            known = await self._operated.invalidate(number)
        except ProxyError as exc:
            return told(500, error=str(exc))
        return told(200, known=known)

    async def _metrics(self, _: web.BaseRequest) -> web.Response:
        body = exposition(self._operated.figures, self._operated.gauges())
        return web.Response(body=body, headers={**HEADERS, "Content-Type": CONTENT_TYPE})

    async def _journal(self, request: web.BaseRequest) -> web.Response:
        """Tell of calls, the oldest first, as a line of JSON each; `since` is seconds ago."""
        text = request.query.get("since", "3600")
        try:
            since = datetime.now(UTC) - timedelta(seconds=min(float(text), FARTHEST_BACK))
        except (ValueError, OverflowError) as exc:
            raise Refused(400, "since is no number of seconds - allowed: since=3600") from exc
        lines: list[str] = []
        for entry in [*self._operated.journal.entries()]:
            if entry.answered.at < since:
                break
            if len(lines) % AT_ONCE == 0:
                await asyncio.sleep(0)  # calls come before
            lines.append(json.dumps({"entry": entry.number, **explained(entry.answered)}, ensure_ascii=False))
        return web.Response(text="".join(f"{line}\n" for line in reversed(lines)), headers=JSON_LINES)

    async def _health(self, _: web.BaseRequest) -> web.Response:
        operated = self._operated
        gauges, lately = operated.gauges(), operated.figures.since(operated.now() - LATELY)
        calls = sum(lately.reasons.values())
        failed_open = sum(lately.reasons[reason] for reason in FAILED_OPEN)
        looked_up = failed_open + sum(lately.vias[via] for via in Via if via is not Via.NONE)
        sources = {
            name: {
                "state": source.state.value,
                "completing": source.completing.value,
                "under_way": source.under_way,
                "error": operated.figures.of(name).error or None,
            }
            for name, source in gauges.sources.items()
        }
        is_well = all(source.state is State.CLOSED for source in gauges.sources.values()) and not gauges.is_refused
        return told(
            200,
            status="ok" if is_well and not failed_open else "degraded",
            version=gauges.version,
            calls={
                "seconds": LATELY,
                "count": calls,
                "failed_open": failed_open,
                "from_cache": lately.vias[Via.CACHE],
                "from_stale": lately.vias[Via.STALE],
                "looked_up": looked_up,
                "p50_ms": _ms(quantile_of(lately.durations.counts, 0.5)),
                "p99_ms": _ms(quantile_of(lately.durations.counts, 0.99)),
                "deadline_ms": _ms(gauges.deadline),
            },
            sources=sources,
            cache={"entries": gauges.cached, "size": gauges.cache_size, "flights": gauges.flights},
            configuration={"refused": gauges.is_refused, "taken_at": _moment(gauges.configured_at)},
            snapshot={"written_at": _moment(gauges.snapshot_at)},
            bugs=operated.figures.events["bug"],
        )

    def _number_in(self, wanted: object) -> PhoneNumber:
        """Return the number of a request. Raises Refused."""
        text = wanted.get("number") if isinstance(wanted, dict) else None
        if not isinstance(text, str):
            raise Refused(400, f"has no number - allowed: {A_NUMBER}")
        try:
            return parse_number(text, self._operated.region)
        except InvalidNumber as exc:
            raise Refused(400, f"the number {exc} - allowed: a valid phone number") from exc


def explained(answered: Answered) -> dict[str, Any]:
    """Return what may be told of a call: its line, what the sources said, and what became of each rule."""
    knowledge = answered.decision.knowledge
    return {
        "at": answered.at.isoformat(timespec="milliseconds"),
        **answered.told(),
        "sources": [
            {"source": each.source, "outcome": each.outcome, "ms": _ms(each.seconds), "note": each.note or None}
            for each in (knowledge.asked if knowledge else ())
        ],
        "rules": [
            {"rule": name, "outcome": "matched" if matched else "did not match"} for name, matched in answered.tried()
        ],
    }


async def _yes(_: web.BaseRequest) -> web.Response:
    """Tell that calls get a target: that needs nothing but this process."""
    return told(200, status="ok")


async def _json_of(request: web.BaseRequest) -> object:
    """Return a body of JSON; nothing where it is none. Raises Refused."""
    if request.content_type != "application/json":  # a web page of somebody else's cannot send this
        raise Refused(415, "is not JSON - allowed: Content-Type: application/json")
    try:
        return json.loads(await body_of(request))
    except (ValueError, RecursionError):
        return None


def told(status: int, /, **content: object) -> web.Response:
    """Return an answer in JSON."""
    body = json.dumps(content, ensure_ascii=False).encode()
    return web.Response(body=body, status=status, headers=JSON_HEADERS)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
