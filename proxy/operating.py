"""What an operator can see of a running server, and do with it."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version

from proxy.adapter import Forgetting
from proxy.config.load import Configuration
from proxy.config.shown import Shown as ShownSettings
from proxy.config.shown import heirs_of, rules_of
from proxy.deployment import Deployment, Observers
from proxy.dialects import Dialect
from proxy.figures import Figures
from proxy.gauges import Gauges, OneSource
from proxy.journal import Journal
from proxy.keeping import Keeper
from proxy.model import Call, Finding, Via
from proxy.observing import Watch
from proxy.phone import PhoneNumber, forget_numbers, parse_caller
from proxy.routing import Explanation, learnt
from proxy.upstream import Upstream
from proxy.web.connections import LimitedServer
from proxy.web.operated import Cached, Erased, Question, RuleShown, Shown, Tested

VERSION = version("tanima")


class Operation:
    """A running server, as the operator's address needs it. `deployment` is the one that counts now."""

    def __init__(self, deployment: Deployment, watch: Watch, keeper: Keeper) -> None:
        self.watch = watch
        self.figures: Figures = watch.figures
        self.journal: Journal = watch.journal
        self.is_refused = False
        """The file has another configuration, which was not taken"""
        self.listening: dict[str, LimitedServer] = {}
        self.leaving: set[Upstream] = set()
        """Sources that are not in the configuration any more, and still have lookups under way"""
        self._keeper = keeper
        self._testing = asyncio.Lock()
        self.change(deployment)

    def change(self, deployment: Deployment, shown: Shown | None = None) -> None:
        """Go on with another deployment. What is `shown` of its configuration may have been made before."""
        self.deployment = deployment
        self._configured_at = time.time()
        self._shown = (deployment.configuration, shown) if shown is not None else None

    @property
    def region(self) -> str:
        return self.deployment.settings.switch.region

    def now(self) -> float:
        return time.monotonic()

    def gauges(self, *, with_rules: bool = True) -> Gauges:
        """Return how everything is. With its rules that may take a while, as `shown` does."""
        deployment = self.deployment
        return Gauges(
            version=VERSION,
            deadline=deployment.settings.switch.deadline,
            sources={
                name: OneSource(*upstream.states(), upstream.under_way, upstream.most)
                for name, upstream in deployment.upstreams.items()
            },
            rules=[counted for rule in self.shown().rules for counted in rule.counted] if with_rules else [],
            flights=deployment.directory.flights,
            cached=len(deployment.directory.cache),
            cache_size=deployment.directory.cache.size,
            dialogues=len(deployment.dialogues.memory),
            connections={name: len(server.connections) for name, server in self.listening.items()},
            connections_most=self.listening["switch"].listener.connections if "switch" in self.listening else 0,
            journal=len(self.journal),
            configured_at=self._configured_at,
            snapshot_at=self._keeper.written_at,
            is_refused=self.is_refused,
        )

    def shown(self) -> Shown:
        configuration, there = self.deployment.configuration, self._shown
        if there is None or there[0] is not configuration:  # takes a while with many rules or contacts: in a thread
            there = self._shown = configuration, shown_of(configuration)
        return there[1]

    async def cached(self, number: PhoneNumber) -> Cached | None:
        entry, now = self.deployment.directory.peek(number), time.monotonic()
        if entry is None:
            return None
        return Cached(entry.contact, entry.ambiguous, entry.fresh_until - now, entry.stale_until - now)

    async def erase(self, number: PhoneNumber) -> Erased:
        was_known = self.deployment.forget(number)
        for upstream in self.leaving:
            upstream.forget(number)
        self.journal.forget(number)
        forget_numbers()  # when none is looked for any more, as that reads some
        has_snapshot = await self._keeper.write(anyway=True)
        self.watch.erased(was_known=was_known)
        return Erased(was_known, has_snapshot)

    async def invalidate(self, number: PhoneNumber | None) -> int:
        if number is None:
            count = await self.deployment.directory.invalidate_all(self._forget_in_adapters)
        else:
            count = int(self._invalidate(number))
        self.watch.invalidated(count, everything=number is None)
        return count

    def _invalidate(self, number: PhoneNumber) -> bool:
        for upstream in self.deployment.upstreams.values():
            upstream.forget(number)
        return self.deployment.directory.invalidate(number)

    def _forget_in_adapters(self, e164: str) -> None:
        keeping = [each for each in self.deployment.upstreams.values() if isinstance(each.adapter, Forgetting)]
        if keeping and isinstance(number := parse_caller(e164, self.region), PhoneNumber):
            for upstream in keeping:
                upstream.forget(number)

    async def test(self, question: Question) -> Tested:
        async with self._testing:  # so that they are one more lookup at a time for the CRM, and no more
            return await self._test(question)

    async def _test(self, question: Question) -> Tested:
        region, deployment, bugs = self.region, self.deployment, list[str]()

        def note_bug(where: str, exc: BaseException) -> None:
            bugs.append(f"{where}: {type(exc).__name__}")

        called = parse_caller(question.called, region) if question.called else None
        call = Call(parse_caller(question.number, region), question.at or datetime.now(UTC), called)
        number = call.caller if isinstance(call.caller, PhoneNumber) else None
        cached = await self.cached(number) if number is not None else None
        if question.renew and number is not None and question.key is None:
            self._invalidate(number)
        else:
            deployment = deployment.apart(Observers(bug=note_bug))
        began = time.perf_counter()
        knowledge = await deployment.router.learn(call, question.key)
        seconds = time.perf_counter() - began
        explanations = deployment.explanations(call, knowledge, question.key)
        from_cache: Explanation | None = None
        if cached is not None and cached.fresh_for > 0 and question.key is None:
            known = learnt(call, Finding(cached.contact, Via.CACHE, cached.ambiguous))
            from_cache = first(deployment.explanations(call, known))
        answers = {form.name: form.render(explained.decision).decode() for form, explained in explanations.items()}
        return Tested(call.caller, cached, first(explanations), from_cache, began, seconds, answers, bugs)


def first(explanations: Mapping[Dialect, Explanation]) -> Explanation:
    """Return that of the first dialect, which can say most."""
    return next(iter(explanations.values()))


def shown_of(configuration: Configuration) -> Shown:
    """Return what a person is shown of a configuration."""
    settings = ShownSettings(configuration)
    rules = [
        RuleShown(line, rule.name, conditions, rule.goal_in_words(), never, heirs_of(line, configuration))
        for line, rule, conditions, never in rules_of(configuration)
    ]
    return Shown(
        str(configuration.file),
        settings.sections,
        settings.written,
        rules,
        (*configuration.warnings, *configuration.notes),
    )
