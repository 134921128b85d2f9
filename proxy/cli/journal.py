"""Tells of the last calls of the running server, for `tanima journal`."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from proxy.cli.running import ask_server
from proxy.config import Configuration
from proxy.errors import ProxyError
from proxy.web.endpoints import JOURNAL

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_span(text: str) -> float:
    """Read a span of time, such as `90s`, `15m`, `1h` or `2d`, as seconds. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if match is None:
        raise ValueError("is no span of time - allowed: a number and s, m, h or d, such as 1h")
    return float(match[1]) * _UNITS[match[2]]


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
    sources = ", ".join(f"{each['source']} {each['outcome']} {each['ms']:.1f} ms" for each in entry["sources"])
    told = f"{at:%Y-%m-%d %H:%M:%S}  {entry['caller']:<14} {goal:<14} {why}, via {entry['via']}, {entry['ms']:.1f} ms"
    return f"{told}  ({sources})" if sources else told
