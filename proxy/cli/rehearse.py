"""What the sources would be asked about a number, and what they make of answers that were recorded."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import indent
from urllib.parse import quote, quote_plus

from proxy.adapter import PhoneNumber, Rehearsable, Replayable
from proxy.cli.explained import caller_in_words
from proxy.config import Configuration
from proxy.config.load import ConfiguredSource
from proxy.keys import CustomerNumber, Key, kind_of
from proxy.phone import parse_caller

HIDDEN = "***"

_KEPT_IN_URLS = ("", "%:/?[]@!$&'()*+,;=")
"""What is not encoded: in a value, and in what the operator has written"""
_LEAST_TOLD = 4
"""Characters of a part of Base64 that tell something"""


def rehearse(configuration: Configuration, number: str, customer_number: CustomerNumber | None = None) -> str:
    """Return the requests that a call from a number, or a keyed number, would lead to, with secrets masked.

    Sends nothing.
    """
    caller = parse_caller(number, configuration.settings.switch.region)
    told = f"{number!r} is {caller_in_words(caller)}"
    key = customer_number or caller
    if not isinstance(key, PhoneNumber | CustomerNumber):
        return f"{told}: no source is asked"
    asked = [each for each in configuration.sources if kind_of(key) in each.settings.by or each.settings.role != "find"]
    text = "\n\n".join(each for source in asked for each in _requests(source, key))
    return f"{told}\n\n{_without(configuration.from_environment, text)}"


def _without(values: Iterable[str], text: str) -> str:
    """Return a text without some values, as they are and as they may be encoded in a request."""
    forms = {form for value in values for form in _forms(value)}
    pattern = "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))
    return re.sub(pattern, HIDDEN, text) if pattern else text


def _forms(value: str) -> Iterator[str]:
    for written in (value, json.dumps(value)[1:-1]):
        yield from (written, quote_plus(written), *(quote(written, safe=kept) for kept in _KEPT_IN_URLS))
    content = value.encode("utf-8", "replace")
    yield hashlib.md5(content, usedforsecurity=False).hexdigest()
    for before in range(3):  # bytes of something else, with which Base64 begins
        coded = base64.b64encode(bytes(before) + content).decode("ascii")
        part = coded[-(-before * 4 // 3) : (before + len(content)) * 4 // 3]
        if len(part) >= _LEAST_TOLD:
            yield from {part, quote(part, safe="")}


def _requests(source: ConfiguredSource, key: Key) -> Iterator[str]:
    name = source.settings.name
    if not isinstance(source.adapter, Rehearsable):
        yield f"{name}: cannot tell what it would send"
        return
    for each in source.adapter.rehearse(key):
        yield f"{name}: {each.what}\n{indent(each.request, '    ', lambda _: True)}".replace("\n    \n", "\n\n")


def replaying(configuration: Configuration, recordings: Sequence[str]) -> Configuration:
    """Return the configuration with only those sources whose answers were recorded: FILE, or SOURCE=FILE.

    Raises ValueError, with what is allowed.
    """
    able = {each.settings.name: each for each in configuration.sources if isinstance(each.adapter, Replayable)}
    files: dict[str, list[Path]] = {}
    for recording in recordings:
        name, is_named, file = recording.partition("=")
        if not is_named or (name not in able and Path(recording).is_file()):
            name, file = next(iter(able), ""), recording
        if not able:
            raise ValueError(
                "--replay: no source here can replay answers - allowed: those of adapters that can, such as rest"
            )
        if name not in able:
            raise ValueError(f"--replay: {name!r} is no source that can replay answers - allowed: {', '.join(able)}")
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
