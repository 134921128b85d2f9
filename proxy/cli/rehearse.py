"""What the sources would be asked about a number, and what they make of answers that were recorded."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import indent

from proxy.adapter import PhoneNumber, Rehearsable, Replayable
from proxy.cli.explained import caller_in_words
from proxy.config import Configuration
from proxy.config.load import ConfiguredSource
from proxy.phone import parse_caller

HIDDEN = "***"


def rehearse(configuration: Configuration, number: str) -> str:
    """Return the requests that a call from a number would lead to, with secrets masked. Sends nothing."""
    caller = parse_caller(number, configuration.settings.switch.region)
    told = f"{number!r} is {caller_in_words(caller)}"
    if not isinstance(caller, PhoneNumber):
        return f"{told}: no source is asked"
    text = "\n\n".join([told, *(each for source in configuration.sources for each in _requests(source, caller))])
    for value in sorted(configuration.from_environment, key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return text


def _requests(source: ConfiguredSource, caller: PhoneNumber) -> Iterator[str]:
    name = source.settings.name
    if not isinstance(source.adapter, Rehearsable):
        yield f"{name}: cannot tell what it would send"
        return
    for each in source.adapter.rehearse(caller):
        yield f"{name}: {each.what}\n{indent(each.request, '    ', lambda _: True)}".replace("\n    \n", "\n\n")


def replaying(configuration: Configuration, recordings: Sequence[str]) -> Configuration:
    """Return the configuration with only those sources whose answers were recorded: FILE, or SOURCE=FILE.

    Raises ValueError, with what is allowed.
    """
    able = {each.settings.name: each for each in configuration.sources if isinstance(each.adapter, Replayable)}
    files: dict[str, list[Path]] = {}
    for recording in recordings:
        name, is_named, file = recording.partition("=")
        if not is_named:
            name, file = next(iter(able), ""), recording
        if name not in able:
            allowed = ", ".join(able) or "none here: no source can replay answers"
            raise ValueError(f"--replay: {name!r} is no source that can replay answers - allowed: {allowed}")
        files.setdefault(name, []).append(Path(file))
    return replace(configuration, sources=tuple(_replaying(able[name], files[name]) for name in able if name in files))


def _replaying(source: ConfiguredSource, files: Sequence[Path]) -> ConfiguredSource:
    adapter = source.adapter
    recordings: list[bytes] = []
    for file in files:
        try:
            recordings.append(file.read_bytes())
        except OSError as exc:
            raise ValueError(f"--replay: {file} cannot be read ({exc.strerror}) - allowed: a readable file") from exc
    try:
        return replace(source, adapter=adapter.replaying(recordings)) if isinstance(adapter, Replayable) else source
    except ValueError as exc:
        raise ValueError(f"--replay: {exc}") from exc
