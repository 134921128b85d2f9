"""Asks the sources for a person at a terminal, and puts what they said into words."""

import time
from datetime import datetime

from proxy.adapter import Pingable
from proxy.cli.explained import Explained
from proxy.cli.waiting import still_at_work
from proxy.config import Configuration
from proxy.deployment import Deployment, Observers
from proxy.detached import detach, wait_at_most
from proxy.errors import AdapterError
from proxy.keys import Key
from proxy.model import Asked, Call
from proxy.phone import parse_caller


async def explain_call(
    configuration: Configuration, number: str, called: str | None, at: datetime | None, key: Key | None = None
) -> Explained:
    """Route one call as the server would, and return all that led to the decision.

    `at` without a time zone is meant in that of the first named hours, or else of this machine. With a `key` the
    caller has keyed it.
    """
    settings = configuration.settings
    asked: list[Asked] = []
    bugs: list[str] = []

    def note_bug(where: str, exc: BaseException) -> None:
        bugs.append(f"{where}: {type(exc).__name__}: {exc}")

    rings_at = moment_of(configuration, at)
    region = settings.switch.region
    call = Call(parse_caller(number, region), rings_at, parse_caller(called, region) if called else None)
    deployment = Deployment(configuration, Observers(source=asked.append, bug=note_bug))
    async with deployment, still_at_work("asking the sources"):
        started = time.perf_counter()
        knowledge = await deployment.router.learn(call, key)
        explanations = deployment.explanations(call, knowledge, key)
        seconds = time.perf_counter() - started
    answers = {form.name: form.render(explained.decision).decode() for form, explained in explanations.items()}
    names = [source.name for source in settings.sources]
    return Explained(number, next(iter(explanations.values())), names, asked, bugs, answers, seconds, key)


async def ask_sources(configuration: Configuration) -> tuple[list[str], bool]:
    """Return a line for each source, and whether all of those that can be asked are there."""
    lines: list[str] = []
    all_answer = True
    deployment = Deployment(configuration)
    async with deployment, still_at_work("asking the sources"):
        for source in configuration.sources:
            name, adapter = source.settings.name, source.adapter
            if not isinstance(adapter, Pingable):
                lines.append(f"{name}: cannot be asked without a number")
                continue
            started = time.perf_counter()
            try:
                await wait_at_most(max(source.settings.timeout, 5), detach(adapter.ping()))
            except AdapterError as exc:
                all_answer = False
                said = f"does not answer: {exc}"
            except Exception as exc:  # noqa: BLE001 - an adapter's bug is something to show here
                all_answer = False
                said = f"a bug in the adapter: {type(exc).__name__}: {exc}"
            else:
                said = "answers"
            lines.append(f"{name}: {said} ({(time.perf_counter() - started) * 1000:.0f} ms)")
    return lines, all_answer


def moment_of(configuration: Configuration, at: datetime | None) -> datetime:
    """Return a moment with a time zone; now when there is none."""
    if at is None or at.tzinfo:
        return at or datetime.now().astimezone()
    zones = [hours.zone for hours in configuration.settings.hours.values()]
    return at.replace(tzinfo=zones[0]) if zones else at.astimezone()
