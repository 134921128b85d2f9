"""The sources in the order of the TOML: the first contact wins, then the enriching ones add fields."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from proxy.detached import detach
from proxy.errors import AdapterError, CircuitOpen, Overloaded, Unavailable, without_frames
from proxy.keys import By, Key, kind_of
from proxy.matching import Several, distinct, holders, pick, several_for
from proxy.model import Asked, Contact
from proxy.upstream import Upstream


@dataclass(frozen=True, slots=True)
class Source:
    """A source that finds contacts, and what to do when it has several for one number."""

    upstream: Upstream
    several: Several = Several.FIRST
    newest_by: str = ""
    by: frozenset[By] = frozenset({By.PHONE_NUMBER})
    """What it is asked by; it is left out for other keys"""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What all sources together know: a contact, or None when each of them said that it does not know.

    `complete` is false when a source failed on the way, so that this is only good for a short time. `certain` is
    false when that was a source which comes before the one that found the contact, and might have had another.
    `ambiguous` is true without a contact, when a source has several of which it may not choose one.
    """

    contact: Contact | None
    complete: bool = True
    certain: bool = True
    ambiguous: bool = False


class Sources:
    """Asks the finding sources, one after another or all at once, then the enriching ones.

    Either way the first *in order* that has a contact wins. `observe` is told of each source's answer.
    """

    def __init__(
        self,
        finding: Sequence[Source],
        enriching: Sequence[Upstream] = (),
        *,
        parallel: bool = False,
        observe: Callable[[Asked], None] = lambda _: None,
    ) -> None:
        self._finding = tuple(finding)
        self._enriching = tuple(enriching)
        self._parallel = parallel
        self._observe = observe

    async def lookup(self, key: Key, told: list[Asked] | None = None) -> Sighting:
        """Ask about `key`; `told` gets what each source says, when it does.

        Raises AdapterError when nobody has a contact and not everybody could tell.
        """
        told = [] if told is None else told
        sighting, failures = await self._find(key, told)
        if sighting.contact is None:
            if failures:
                raise _summed_up(failures)
            return sighting
        if not (self._enriching or failures):
            return sighting
        contact, is_whole = await self._enrich(sighting.contact, key, told)
        is_whole = is_whole and sighting.complete and not failures
        return Sighting(contact, complete=is_whole, certain=not failures)

    async def _find(self, key: Key, told: list[Asked]) -> tuple[Sighting, dict[str, AdapterError]]:
        """Return the first contact in order, and the failures of the sources before it."""
        failures: dict[str, AdapterError] = {}
        finding = [source for source in self._finding if kind_of(key) in source.by]
        at_once = [detach(self._ask(source, key, told)) for source in finding] if self._parallel else []
        is_ambiguous = False
        try:
            for index, source in enumerate(finding):
                answer = await (at_once[index] if at_once else self._ask(source, key, told))
                try:
                    if isinstance(answer, Contact):
                        contact, is_whole = await self._complete(source.upstream, answer, key, told)
                        return Sighting(contact, complete=is_whole), failures
                except AdapterError as exc:  # it has been asked, which took time: that is more than a CircuitOpen
                    answer = Unavailable(str(exc)) if isinstance(exc, CircuitOpen) else without_frames(exc)
                if answer is Several.UNKNOWN:
                    is_ambiguous = True
                elif isinstance(answer, AdapterError):
                    failures[source.upstream.name] = answer
        finally:
            for task in at_once:
                task.cancel()
        return Sighting(None, ambiguous=is_ambiguous), failures

    async def _ask(self, source: Source, key: Key, told: list[Asked]) -> Contact | AdapterError | Several | None:
        """Return the source's contact, None when it has none, `Several.UNKNOWN` when nobody can tell which."""
        started = time.perf_counter()
        try:
            returned = await source.upstream.lookup(key)
            holding = holders(returned, key)
            possible = distinct(holding)
            several = several_for(key, source.several)
            contact = pick(possible, several, source.newest_by)
        except AdapterError as exc:
            self._tell(told, source.upstream, _outcome(exc), started, str(exc))
            return without_frames(exc)
        outcome = "unknown" if contact is None else "found"
        self._tell(told, source.upstream, outcome, started, _about(len(returned), len(holding), len(possible), several))
        return Several.UNKNOWN if contact is None and possible else contact

    async def _complete(
        self, upstream: Upstream, contact: Contact, key: Key, told: list[Asked]
    ) -> tuple[Contact, bool]:
        """Return the contact with what its own source adds, and whether that is all. Raises AdapterError."""
        started = time.perf_counter()
        try:
            completed, failure = await upstream.complete(contact, key)
        except AdapterError as exc:
            self._tell(told, upstream, _outcome(exc), started, str(exc))
            raise
        if failure is not None:
            self._tell(told, upstream, _outcome(failure, "incomplete"), started, str(failure))
        elif completed is not contact:
            self._tell(told, upstream, "completed", started)
        return completed, failure is None

    async def _enrich(self, contact: Contact, key: Key, told: list[Asked]) -> tuple[Contact, bool]:
        """Return the contact with more fields, and whether every enriching source could be asked."""
        is_whole = True
        for upstream in self._enriching:
            started = time.perf_counter()
            try:
                enriched = await upstream.enrich(contact)
            except AdapterError as exc:
                is_whole = False
                self._tell(told, upstream, _outcome(without_frames(exc)), started, str(exc))
                continue
            self._tell(told, upstream, "enriched", started)
            try:
                contact, is_completed = await self._complete(upstream, enriched, key, told)
            except AdapterError:  # told already
                is_completed = False
            is_whole = is_whole and is_completed
        return contact, is_whole

    def _tell(self, told: list[Asked], upstream: Upstream, outcome: str, started: float, note: str = "") -> None:
        asked = Asked(upstream.name, outcome, time.perf_counter() - started, note, started)
        told.append(asked)
        self._observe(asked)


def _about(returned: int, holding: int, possible: int, several: Several) -> str:
    """Say what the outcome does not: what was left out, and how it was chosen among the rest."""
    notes: list[str] = []
    if holding < returned:
        notes.append(f"{returned} {'contact' if returned == 1 else 'contacts'}, {holding} with the number")
    if possible > 1:
        notes.append(
            f"{possible} contacts, " + ("none is chosen" if several is Several.UNKNOWN else f"several = {several}")
        )
    return "; ".join(notes)


def _outcome(exc: AdapterError, otherwise: str = "failed") -> str:
    return "not asked" if isinstance(exc, (CircuitOpen, Overloaded)) else otherwise


def _summed_up(failures: Mapping[str, AdapterError]) -> AdapterError:
    if len(failures) == 1:
        return next(iter(failures.values()))
    message = "; ".join(f"{name}: {failure}" for name, failure in failures.items())
    kinds: tuple[type[AdapterError], ...] = (CircuitOpen, Overloaded, Unavailable)
    for kind in kinds:
        if all(isinstance(failure, kind) for failure in failures.values()):
            return kind(message)
    return AdapterError(message)
