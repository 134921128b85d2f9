"""Puts the parts of one deployment together, in the order of a call."""

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from proxy import detached
from proxy.cache import ContactCache
from proxy.config.load import Configuration, ConfiguredSource
from proxy.config.plain import lines_of, routing_of, step_of
from proxy.config.settings import CacheSettings, Settings, SourceSettings
from proxy.detached import detach
from proxy.dialects import Dialect
from proxy.dialects.musteri_tanima import MusteriTanima
from proxy.dialects.santral_programlama import SantralProgramlama
from proxy.dialogue import Memory
from proxy.directory import Directory, Lifetimes
from proxy.errors import DeadlineExceeded, Unavailable
from proxy.keys import Key
from proxy.limiter import Limiter
from proxy.model import Asked, Call
from proxy.phone import PhoneNumber
from proxy.router import CallRouter, Dialogues
from proxy.routing import Explanation, Knowledge
from proxy.snapshot import Caps, Snapshot
from proxy.sources import Source, Sources
from proxy.upstream import Guarded, Limits, Upstream
from proxy.web.access import Access
from proxy.web.ready import ReadyAnswers
from proxy.web.switch import SLACK, Answering

OPENING, CLOSING = 5.0, 1.0
"""Seconds that an adapter may take to open, and to close; the latter also for lookups under way to end."""


@dataclass(frozen=True, slots=True)
class Observers:
    """Who is told what happens on the way of a call."""

    source: Callable[[Asked], None] = lambda _: None
    """Of each source's answer"""
    guard: Callable[[Guarded], None] = lambda _: None
    """When a source is left alone, and when it is asked again"""
    bug: Callable[[str, BaseException], None] = lambda _, __: None
    """Of errors that nobody raised on purpose"""


class Deployment:
    """The parts of one deployment. As a context it opens its adapters, and closes them.

    With a `predecessor` it goes on with the sources that have not changed, with their connections and breakers, and
    with the contacts that are known, unless they come from other sources now. `take_over` completes that.
    """

    def __init__(
        self,
        configuration: Configuration,
        observers: Observers | None = None,
        predecessor: "Deployment | None" = None,
    ) -> None:
        settings = configuration.settings
        self.configuration = configuration
        self.settings = settings
        self.observers = observers or Observers()
        self.dialects = dialects_of(settings)
        self.upstreams = {
            source.settings.name: (predecessor and predecessor.unchanged(source)) or self._upstream(source)
            for source in configuration.sources
        }
        sources = [source.settings for source in configuration.sources]
        self._sources = Sources(
            [
                Source(self.upstreams[wanted.name], wanted.several, wanted.newest_by, wanted.by)
                for wanted in sources
                if wanted.role == "find"
            ],
            [self.upstreams[wanted.name] for wanted in sources if wanted.role == "enrich"],
            parallel=settings.lookup.parallel,
            observe=self.observers.source,
        )
        self.made_by = fingerprint(configuration)
        goes_on = predecessor is not None and predecessor.made_by == self.made_by
        self.directory: Directory = predecessor.directory if predecessor and goes_on else self._new_directory()
        self.dialogues: Dialogues = dialogues_of(settings, predecessor, remembers=goes_on)
        self.router = CallRouter(
            routing_of(settings),
            self.directory,
            settings.switch.deadline,
            self.observers.bug,
            lines=lines_of(settings),
            dialogues=self.dialogues,
            region=settings.switch.region,
        )
        self.answering = self._answering()

    async def __aenter__(self) -> Self:
        await self.open(self.upstreams.values())
        return self

    async def __aexit__(self, *_: object) -> None:
        await detached.finish(CLOSING)
        await self.close(self.upstreams.values())

    def _answering(self) -> Answering:
        """Return the switch's side of this deployment."""
        switch = self.settings.switch
        access = Access(
            tokens=[token.get_secret_value() for token in switch.access.tokens],
            allow=switch.access.allow,
            trusted_proxies=switch.access.trusted_proxies,
            limiter=Limiter(switch.access.rate, switch.access.burst) if switch.access.rate else None,
        )
        return Answering(
            switch.path, self.dialects, self.router, access, ReadyAnswers(self.directory, self.dialogues.memory)
        )

    def unchanged(self, source: ConfiguredSource) -> Upstream | None:
        """Return the running source that is set up just like `source`; None when there is none."""
        for mine in self.configuration.sources:
            if mine.settings == source.settings and mine.options == source.options:
                return self.upstreams[mine.settings.name]
        return None

    def take_over(self) -> None:
        """Have the directory of the predecessor, if it goes on, ask the sources of this deployment from now on."""
        cache = self.settings.cache
        self.directory.adopt(self._sources, lifetimes_of(cache), cache.size)

    def forget(self, number: PhoneNumber) -> bool:
        """Drop all that is known about a number, and tell whether the cache had it, or a lookup was under way.

        What is remembered of calls goes too, as it may be about the same person.
        """
        self.dialogues.memory.clear()
        self.answering.ready.clear()
        for upstream in self.upstreams.values():
            upstream.forget(number)
        return self.directory.forget(number)

    async def let_go(self) -> None:
        """Forget everything when no call can be under way here any more, as such a one may need what is stale.

        What is remembered of calls and the answers that are ready hold each other.
        """
        await asyncio.sleep(self.settings.switch.deadline + SLACK)
        self.dialogues.memory.clear()
        await self.directory.let_go()

    def apart(self, observers: Observers) -> "Deployment":
        """Return a deployment that asks by the same adapters, and shares nothing else: no cache, no breaker.

        It must not be opened, or closed.
        """
        sources = [
            replace(source, adapter=self.upstreams[source.settings.name].adapter)
            for source in self.configuration.sources
        ]
        return Deployment(replace(self.configuration, sources=tuple(sources)), observers)

    def explanations(self, call: Call, knowledge: Knowledge, key: Key | None = None) -> Mapping[Dialect, Explanation]:
        """Return what becomes of a call by each dialect in which it can be told of; with a `key`, which was keyed."""
        return {
            form: self.router.explain(_as_told_by(form, call), knowledge, key)
            for form in self.dialects
            if form.holds_dialogues or key is None or len(self.dialects) == 1
        }

    async def open(self, upstreams: Iterable[Upstream], seconds: float | None = None) -> None:
        """Open the adapters of some sources, within OPENING unless other seconds are given.

        One that takes longer goes on opening; its source is not asked before that has ended.
        """
        await self._all(upstreams, lambda upstream: upstream.open(), OPENING if seconds is None else seconds)

    async def close(self, upstreams: Iterable[Upstream], seconds: float | None = None) -> None:
        """Close the adapters of some sources, within CLOSING unless other seconds are given."""
        await self._all(upstreams, lambda upstream: upstream.adapter.close(), CLOSING if seconds is None else seconds)

    async def _all(
        self, upstreams: Iterable[Upstream], act: Callable[[Upstream], Awaitable[None]], seconds: float
    ) -> None:
        """Let adapters do something at once; one that fails or hangs must not keep the others from answering."""

        async def do(upstream: Upstream) -> None:
            await act(upstream)

        tasks = {upstream.name: detach(do(upstream)) for upstream in upstreams}
        if tasks:
            await asyncio.wait(tasks.values(), timeout=seconds)
        for name, task in tasks.items():
            if not task.done():
                self.observers.bug(name, DeadlineExceeded(f"did not open or close within {seconds:g} s"))
            elif task.cancelled():
                self.observers.bug(name, Unavailable("did not open or close: it was cut short"))
            elif (exc := task.exception()) is not None:
                self.observers.bug(name, exc)

    def _new_directory(self) -> Directory:
        cache = self.settings.cache
        return Directory(self._sources, ContactCache(cache.size), lifetimes_of(cache), time.monotonic)

    def _upstream(self, source: ConfiguredSource) -> Upstream:
        wanted = source.settings
        return Upstream(wanted.name, source.adapter, limits_of(wanted), self.observers.bug, self.observers.guard)


def _as_told_by(form: Dialect, call: Call) -> Call:
    """Return a call as the switch tells of it in a dialect."""
    return replace(call, can_be_asked=True) if form.holds_dialogues else replace(call, called=None)


def limits_of(source: SourceSettings) -> Limits:
    """Return a source's limits as plain values."""
    return Limits(
        timeout=source.timeout,
        attempts=source.attempts,
        wait_initial=source.wait_initial,
        wait_max=source.wait_max,
        wait_jitter=source.wait_jitter,
        concurrency=source.concurrency,
        breaker_failures=source.breaker_failures,
        breaker_pause=source.breaker_pause,
        retry_budget=source.retry_budget,
    )


def lifetimes_of(cache: CacheSettings) -> Lifetimes:
    """Return how long contacts are kept, as plain values."""
    return Lifetimes(cache.ttl, cache.negative_ttl, cache.stale, cache.refresh_ahead, cache.recheck)


def caps_of(cache: CacheSettings) -> Caps:
    """Return for how long what a snapshot has may be good, as plain values."""
    return Caps(cache.ttl, cache.negative_ttl, cache.stale)


def fingerprint(configuration: Configuration) -> str:
    """Return what tells the contacts of these sources from those of others: all that decides whom they find."""
    told = [
        (source.name, source.adapter, source.role, sorted(source.by), source.several, source.newest_by, source.options)
        for source in configuration.settings.sources
    ]
    text = json.dumps([configuration.settings.switch.region, told], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def snapshot_of(configuration: Configuration) -> Snapshot | None:
    """Return the snapshot of a deployment; None where it has none."""
    cache = configuration.settings.cache
    if cache.snapshot is None or cache.snapshot_key is None:
        return None
    file, secret = configuration.folder / cache.snapshot, cache.snapshot_key.get_secret_value()
    return Snapshot(file, secret, fingerprint(configuration), time.monotonic, time.time)


def dialects_of(settings: Settings) -> Sequence[Dialect]:
    """Return the forms in which the switch may ask; a question that is of none of them counts as of the last."""
    switch = settings.switch
    forms: Sequence[Dialect] = (SantralProgramlama(switch.region), MusteriTanima(switch.parameter, switch.region))
    return [form for form in forms if switch.dialect in {"auto", form.name}]


def dialogues_of(settings: Settings, predecessor: Deployment | None, *, remembers: bool) -> Dialogues:
    """Return what callers may be asked. Guesses are counted over a reload; calls are remembered if sources go on."""
    before = predecessor.dialogues if predecessor else None
    limits, url = settings.dialogue, settings.switch.service_url
    guesses = Limiter(limits.guesses / limits.guesses_within, limits.guesses)
    if before is not None and (before.guesses.rate, before.guesses.burst) == (guesses.rate, guesses.burst):
        guesses = before.guesses
    return Dialogues(
        before.memory if before and remembers else Memory(time.monotonic),
        guesses,
        {name: step_of(name, step) for name, step in settings.steps.items()},
        limits.max_steps,
        url.get_secret_value() if url else "",
    )
