"""Asks the sources of a configuration whether it fits them, for `tanima check --live`."""

import time
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

import phonenumbers

from proxy.adapter import Adapter, Inspectable, Inspection
from proxy.cli.waiting import still_at_work
from proxy.config import Configuration
from proxy.config.routes import MannerSettings
from proxy.config.settings import Settings, SourceSettings
from proxy.deployment import Deployment
from proxy.detached import detach, wait_at_most
from proxy.errors import AdapterError
from proxy.keys import By, CustomerNumber, Key, kind_of
from proxy.matching import holders
from proxy.model import ABOUT_ITSELF, as_contacts
from proxy.phone import PhoneNumber

LONGEST_LOOK = 30.0
"""Seconds for one source."""

CUSTOMER_NUMBER_THAT_NOBODY_HAS = CustomerNumber("0000000000")


async def inspect_sources(configuration: Configuration) -> tuple[list[str], bool]:
    """Return what there is to say, line by line, and whether the configuration fits its sources."""
    settings = configuration.settings
    nobodys = (number_that_nobody_has(settings.switch.region), CUSTOMER_NUMBER_THAT_NOBODY_HAS)
    inspections: dict[str, Inspection | None] = {}
    problems: list[str] = []
    notes: list[str] = []
    deployment = Deployment(configuration)
    async with deployment, still_at_work("asking the sources"):
        for source in configuration.sources:
            name = source.settings.name
            started = time.perf_counter()
            try:
                look = detach(_inspected(source.adapter, source.settings, nobodys))
                inspection = await wait_at_most(LONGEST_LOOK, look)
            except AdapterError as exc:
                problems.append(f"sources.{name}: {exc} - allowed: a CRM that answers")
            except Exception as exc:  # noqa: BLE001 - an adapter's bug is something to show here
                problems.append(f"sources.{name}: a bug in the adapter ({type(exc).__name__}: {exc}) - allowed: none")
            else:
                notes.append(f"sources.{name}: answers ({(time.perf_counter() - started) * 1000:.0f} ms)")
                inspections[name] = inspection
    timeouts = {source.name: source.timeout for source in settings.sources}
    for name, inspection in inspections.items():
        if inspection is not None:
            if inspection.seconds > timeouts[name]:
                told = f"is {timeouts[name]:g}, and a lookup took {inspection.seconds:.2f} s"
                problems.append(f"sources.{name}.timeout: {told} - allowed: a longer one, or a faster lookup")
            problems += [f"sources.{name}.options.{problem}" for problem in inspection.problems]
            notes += [f"sources.{name}.options.{note}" for note in inspection.notes]
    if len(inspections) == len(configuration.sources):
        problems += _missing_fields(settings, inspections)
    return [*notes, *problems], not problems


def number_that_nobody_has(region: str) -> PhoneNumber:
    """Return a number that can be looked for, and that no plan of numbers gives out: none begins with a one."""
    code = phonenumbers.country_code_for_region(region)
    return PhoneNumber(f"+{code}1000000001", "01000000001", "1000000001", region, "mobile", region)


async def _inspected(adapter: Adapter, source: SourceSettings, nobodys: Sequence[Key]) -> Inspection | None:
    """Return what an adapter found; None when it cannot look. Raises like `lookup`, and whatever a bug raises."""
    is_asked = source.role == "find"
    keys = [key for key in nobodys if kind_of(key) in (source.by if is_asked else {By.PHONE_NUMBER})]
    if isinstance(adapter, Inspectable):
        return _joined([await adapter.inspect(key) for key in keys])
    for key in keys if is_asked else []:
        if holders(as_contacts(await adapter.lookup(key)), key):
            what = "a customer number" if isinstance(key, CustomerNumber) else "numbers"
            raise AdapterError(f"finds somebody without {what} for a number that nobody has")
    return None


def _joined(seen: Sequence[Inspection]) -> Inspection:
    """Return what was found for each kind of key as one."""
    fields = [each.fields for each in seen if each.fields is not None]
    return Inspection(
        frozenset().union(*fields) if len(fields) == len(seen) else None,
        frozenset().union(*(each.needs for each in seen)),
        list(dict.fromkeys(problem for each in seen for problem in each.problems)),
        list(dict.fromkeys(note for each in seen for note in each.notes)),
        max(each.seconds for each in seen),
    )


def _missing_fields(settings: Settings, inspections: Mapping[str, Inspection | None]) -> Iterator[str]:
    """Yield a line for each field that is needed and that no source has; none when a source cannot tell its fields."""
    of_source = {name: looked.fields for name, looked in inspections.items() if looked and looked.fields is not None}
    if len(of_source) < len(inspections):
        return
    of_all = _always_there(settings).union(*of_source.values())
    for key, names in _needed(settings):
        yield from _lacking(key, names, of_all)
    for name, inspection in inspections.items():
        others = frozenset(ABOUT_ITSELF).union(*(fields for other, fields in of_source.items() if other != name))
        yield from _lacking(f"sources.{name}.options", sorted(inspection.needs if inspection else ()), others)


def _always_there(settings: Settings) -> frozenset[str]:
    """Return what every contact has, if only empty, and what callers are asked for."""
    return frozenset({*ABOUT_ITSELF, *(step.keep for step in settings.steps.values() if step.keep)})


def _needed(settings: Settings) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield each setting that names fields of the contact, with their names."""
    yield from _needed_to_speak("routing", settings.routing)
    rules = [(f"rules.{rule.name}", rule) for rule in settings.rules]
    for line in settings.lines:
        yield from _needed_to_speak(f"lines.{line.name}.routing", line.routing)
        rules += [(f"lines.{line.name}.rules.{rule.name}", rule) for rule in line.rules or ()]
    for place, rule in rules:
        yield f"{place}.when", list(rule.when)
        yield f"{place}.target", [rule.target.field_name] if rule.target and rule.target.field_name else []
        yield from _needed_to_speak(place, rule)
    for source in settings.sources:
        yield f"sources.{source.name}.newest_by", [source.newest_by] if source.newest_by else []


def _needed_to_speak(place: str, manner: MannerSettings) -> Iterator[tuple[str, Sequence[str]]]:
    yield f"{place}.greeting", manner.greeting.field_names if manner.greeting else []
    yield f"{place}.phrase", [name for phrase in (manner.phrase or {}).values() for name in phrase.field_names]
    yield f"{place}.language", [manner.language.field_name] if manner.language and manner.language.field_name else []


def _lacking(key: str, names: Sequence[str], there: frozenset[str]) -> Iterator[str]:
    for name in names:
        if name not in there:
            near = get_close_matches(name.lower(), there, n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            yield f"{key}: needs the field {name}, which no source has{hint} - allowed: {', '.join(sorted(there))}"
