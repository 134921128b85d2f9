"""Tells of the last calls of the running server, for `tanima journal`."""

import argparse
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from proxy.cli.ending import fail
from proxy.cli.running import ask_server
from proxy.cli.waiting import run_to_the_end
from proxy.config import Configuration, load
from proxy.errors import ProxyError
from proxy.web.endpoints import JOURNAL


async def last_calls(configuration: Configuration, since: float, *, as_json: bool) -> Iterator[str]:
    """Return a line for each call of the last `since` seconds that is still known. Raises ProxyError."""
    admin = configuration.settings.admin
    entries = await ask_server(admin, "GET", JOURNAL, _read, params={"since": str(since)})
    if entries is None:
        raise ProxyError(
            f"no server answers at {admin.listen and '{}:{}'.format(*admin.listen)} - allowed: one that runs"
        )
    return (json.dumps(entry, ensure_ascii=False) if as_json else _in_words(entry) for entry in entries)


def _read(answer: str) -> list[Mapping[str, Any]]:
    entries = [json.loads(line) for line in answer.splitlines()]
    for entry in entries:
        _in_words(entry)  # or it is none of ours
    return entries


def _in_words(entry: Mapping[str, Any]) -> str:
    at = datetime.fromisoformat(entry["at"]).astimezone()
    goal = entry["target"] or f"asks {entry['asks']}"
    why = f"{entry['reason']} {entry['rule'] or ''}".strip()
    sources = ", ".join(map(_source_in_words, entry["sources"]))
    told = f"{at:%Y-%m-%d %H:%M:%S}  {entry['caller']:<14} {goal:<14} {why}, via {entry['via']}, {entry['ms']:.1f} ms"
    return f"{told}  ({sources})" if sources else told


def _source_in_words(asked: Mapping[str, Any]) -> str:
    told = f"{asked['source']} {asked['outcome']} {asked['ms']:.1f} ms"
    return f"{told}: {asked['note']}" if asked["note"] else told


def run(options: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    configuration = load(options.config)
    try:
        for line in run_to_the_end(last_calls(configuration, options.since, as_json=options.json)):
            print(line)
    except ProxyError as exc:
        fail(str(exc))
    return 0
