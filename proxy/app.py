"""Puts the parts together, in the order of a call, and runs them."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from typing import Self

from aiohttp import web

from proxy import detached
from proxy.adapter import Adapter
from proxy.cache import ContactCache
from proxy.config.load import Configuration
from proxy.config.settings import RuleSettings, Settings
from proxy.detached import detach
from proxy.dialects import Dialect
from proxy.dialects.musteri_tanima import MusteriTanima
from proxy.directory import Directory, Lifetimes
from proxy.errors import DeadlineExceeded, Unavailable
from proxy.phone import parse_caller
from proxy.router import CallRouter, Routing
from proxy.rules import Rule
from proxy.rules.hours import Hours
from proxy.rules.situation import CallerIs, Condition, Dialled, During, FieldIs, FromCountry, NumberTypeIs, Outside
from proxy.sources import Asked, Source, Sources
from proxy.upstream import Attempts, Upstream
from proxy.web.switch import Answered, SwitchListener

OnBug = Callable[[str, BaseException], None]

OPENING, CLOSING = 5.0, 1.0
"""Seconds that an adapter may take to open, and to close; the latter also for lookups under way to end."""


class Deployment:
    """The parts of one deployment. As a context it opens its adapters, and closes them.

    `observe_source` is told of each source's answer; `on_bug` of errors that nobody raised on purpose.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        observe_source: Callable[[Asked], None] = lambda _: None,
        on_bug: OnBug = lambda _, __: None,
    ) -> None:
        settings = configuration.settings
        self.settings = settings
        self._on_bug = on_bug
        self.dialect: Dialect = MusteriTanima(settings.switch.parameter, settings.switch.region)
        self.upstreams: dict[str, Upstream] = {}
        finding, enriching = [], []
        for source in configuration.sources:
            wanted = source.settings
            limits = Attempts(wanted.timeout, wanted.attempts, wanted.wait_initial, wanted.wait_max, wanted.wait_jitter)
            upstream = self.upstreams[wanted.name] = Upstream(wanted.name, source.adapter, limits, on_bug)
            if wanted.role == "enrich":
                enriching.append(upstream)
            else:
                finding.append(Source(upstream, wanted.several, wanted.newest_by))
        sources = Sources(
            finding,
            enriching,
            parallel=settings.lookup.parallel,
            observe=observe_source,
        )
        cache = settings.cache
        self.directory = Directory(
            sources, ContactCache(cache.size), Lifetimes(cache.ttl, cache.negative_ttl, cache.stale), time.monotonic
        )
        self.router = CallRouter(routing_of(settings), self.directory, settings.switch.deadline, on_bug)

    def listener(self, observe: Callable[[Answered], None]) -> SwitchListener:
        """Return the switch's side of this deployment."""
        return SwitchListener(self.settings.switch.path, self.dialect, self.router, observe, self._on_bug)

    async def __aenter__(self) -> Self:
        await self._all(lambda adapter: adapter.open(), OPENING)
        return self

    async def __aexit__(self, *_: object) -> None:
        await detached.finish(CLOSING)
        await self._all(lambda adapter: adapter.close(), CLOSING)

    async def _all(self, act: Callable[[Adapter], Awaitable[None]], seconds: float) -> None:
        """Let all adapters do something at once; one that fails or hangs must not keep the others from answering."""

        async def do(adapter: Adapter) -> None:
            await act(adapter)

        tasks = {name: detach(do(upstream.adapter)) for name, upstream in self.upstreams.items()}
        await asyncio.wait(tasks.values(), timeout=seconds)
        for name, task in tasks.items():
            if not task.done():
                self._on_bug(name, DeadlineExceeded(f"did not open or close within {seconds:g} s"))
            elif task.cancelled():
                self._on_bug(name, Unavailable("did not open or close: it was cut short"))
            elif (exc := task.exception()) is not None:
                self._on_bug(name, exc)


def routing_of(settings: Settings) -> Routing:
    """Return the part of the settings that decides where calls go, as plain values."""
    hours = {
        name: Hours(
            name,
            span.days,
            span.start,
            span.end,
            span.zone,
            (span.closed, *([span.holidays] if span.holidays is not None else [])),
        )
        for name, span in settings.hours.items()
    }
    default, routing = settings.switch.default, settings.routing
    return Routing(
        default=default,
        unknown=routing.unknown or default,
        withheld=routing.withheld or default,
        internal=routing.internal or default,
        rules=tuple(_rule_of(rule, settings, hours) for rule in settings.rules),
        greeting=routing.greeting,
    )


def _rule_of(rule: RuleSettings, settings: Settings, hours: dict[str, Hours]) -> Rule:
    conditions: list[Condition] = [CallerIs(rule.caller.kind)]
    conditions += [FieldIs(name, comparison) for name, comparison in rule.when.items()]
    if rule.called:
        conditions.append(Dialled(tuple(parse_caller(text, settings.switch.region) for text in rule.called)))
    if rule.caller.country:
        conditions.append(FromCountry(frozenset(rule.caller.country)))
    if rule.caller.type:
        conditions.append(NumberTypeIs(frozenset(rule.caller.type)))
    if rule.during:
        conditions.append(During(tuple(hours[name] for name in rule.during)))
    if rule.outside:
        conditions.append(Outside(tuple(hours[name] for name in rule.outside)))
    return Rule(rule.name, rule.target, tuple(conditions), settings.tables, rule.greeting)


async def serve(
    deployment: Deployment,
    listen: tuple[str, int],
    observe: Callable[[Answered], None],
    on_ready: Callable[[int], None],
) -> None:
    """Answer the switch at `listen` (host, port; port 0 takes any) until SIGTERM or SIGINT.

    `on_ready` gets the port. Raises OSError when the address cannot be had.
    """
    host, port = listen
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    async with deployment:
        patience = deployment.settings.switch.deadline
        runner = web.ServerRunner(deployment.listener(observe).server(), shutdown_timeout=patience + 0.2)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, backlog=1024).start()
            on_ready(runner.addresses[0][1])
            await stop.wait()
        finally:
            await runner.cleanup()
