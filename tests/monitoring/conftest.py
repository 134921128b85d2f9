"""What a real Prometheus saw of a real server: while all was well, when its CRM failed, and when it was gone."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from proxy.testing import HttpCrm, Request
from proxy.testing.behaviours import answers, hangs
from tests.e2e.running import PATIENCE, Serving, call
from tests.monitoring.told import ALERTS, expressions, selectors
from tests.prometheus import Prometheus, Sample
from tests.readme.pages import read, write_files
from tests.servers import free_port

TOKEN, PUSH = "made-up-token-of-the-operator", "made-up-token-of-the-crm"
KNOWN = [f"0532555{number:04}" for number in range(30)]
STRANGERS = [f"0533555{number:04}" for number in range(20)]
HANGING = 3
"""Callers who call while the CRM hangs"""


@dataclass
class Seen:
    """What was seen, by the moment."""

    well: list[str] = field(default_factory=list)
    """Alerts that fired while the CRM was well"""
    failing: list[dict[str, Any]] = field(default_factory=list)
    """Those that fired when it was not"""
    late: float | None = None
    """Answers, with the CRM hanging"""
    gone: list[str] = field(default_factory=list)
    """Those that fired when the server had ended"""
    results: dict[str, list[tuple[Sample, float]]] = field(default_factory=dict)
    """What expressions gave while the CRM failed, by where they stand, and what their selectors gave"""
    errors: dict[str, str] = field(default_factory=dict)
    """Of expressions that are none"""
    rules: list[dict[str, Any]] = field(default_factory=list)
    """As Prometheus has read them"""


def names(firing: list[dict[str, Any]]) -> list[str]:
    return sorted(alert["labels"]["alertname"] for alert in firing)


def toml(crm: str, admin: int) -> str:
    return f"""
[switch]
default = "queue/200"
deadline = 3

[admin]
listen = "127.0.0.1:{admin}"
token = "{TOKEN}"
push_token = "{PUSH}"

[cache]
snapshot = "cache.json"
snapshot_key = "made-up-key-of-the-snapshot"
snapshot_every = 1

[[rules]]
name = "all"
target = "queue/201"

[[sources]]
name = "crm"
adapter = "rest"
timeout = 4
attempts = 1
breaker_failures = 8
breaker_pause = 60
[sources.options]
url = "{crm}/contacts"
query = {{ phone = "{{national}}" }}
name = "name"
numbers = "phone"
"""


def contacts(request: Request) -> list[dict[str, str]]:
    phone = request.query["phone"]
    return [{"name": "Örnek Arayan", "phone": phone}] if phone in KNOWN else []


@pytest.fixture(scope="session")
def seen(prometheus: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Let a server answer calls, well and then with a CRM that fails, and ask Prometheus about it."""
    return asyncio.run(_watched(prometheus, tmp_path_factory.mktemp("monitoring")))


async def _watched(programs: Path, folder: Path) -> Seen:
    seen = Seen()
    async with HttpCrm(contacts) as crm:
        admin = free_port()
        (folder / "config.toml").write_text(toml(crm.url, admin), encoding="utf-8")
        with _serving(folder) as serving, Prometheus(programs, _configuration(folder, admin)) as watching:

            async def until(condition: Callable[[], object]) -> None:
                end = time.monotonic() + PATIENCE
                while not await asyncio.to_thread(condition):
                    assert time.monotonic() < end, names(watching.firing())
                    await asyncio.sleep(0.1)

            async def scraped(count: int) -> None:
                """Wait until alerts have been looked at with so many calls."""
                await until(lambda: _value(watching, "sum(tanima_calls_total)") == count)
                before = _evaluated(watching)
                await until(lambda: _evaluated(watching) > before)

            await scraped(0)
            for number in KNOWN * 2:
                await call(serving, number)
            await scraped(60)
            seen.well = names(watching.firing())
            await _fail(crm, serving, admin)
            await until(lambda: len(watching.firing()) >= 4)
            await scraped(113)
            seen.failing = watching.firing()
            for place, expr in expressions():
                for name, each in [(place, expr), *((each, each) for each in selectors(expr))]:
                    try:
                        seen.results[name] = watching.query(each)
                    except ValueError as exc:
                        seen.errors[name] = str(exc)
            seen.late = _value(watching, "tanima_calls_late_total")
            (group,) = watching.ask("rules")["groups"]
            seen.rules = group["rules"]
            serving.stop()
            await until(lambda: "TanimaDown" in names(watching.firing()))
            seen.gone = names(watching.firing())
    return seen


async def _fail(crm: HttpCrm, serving: Serving, admin: int) -> None:
    """Have what is known asked for anew, and the CRM hang for some callers, and then fail for all."""
    async with (
        aiohttp.ClientSession(headers={"X-Token": PUSH}) as session,
        session.post(f"http://127.0.0.1:{admin}/invalidate", json={"all": True}) as response,
    ):
        assert await response.json() == {"known": len(KNOWN)}
    crm.behaviour = hangs

    async def one_more(place: int) -> None:
        await asyncio.sleep(place / 2)  # so that what holds a moment up holds up one of them
        await call(serving, STRANGERS[place])

    await asyncio.gather(*map(one_more, range(HANGING)))
    crm.behaviour = answers(500)
    for number in [*KNOWN, *STRANGERS]:
        await call(serving, number)


@contextmanager
def _serving(folder: Path) -> Iterator[Serving]:
    arguments = ["serve", "--config", str(folder / "config.toml"), "--listen", "127.0.0.1:0"]
    with Serving(arguments, folder / "server.log") as serving:
        yield serving


def _configuration(folder: Path, port: int) -> Path:
    """Write the configuration of the page and the alerts, so that they look each second and fire at once."""
    write_files(read("docs/monitoring.md"), folder)
    file = folder / "prometheus.yml"
    text = file.read_text(encoding="utf-8").replace("15s", "1s").replace("127.0.0.1:9090", f"127.0.0.1:{port}")
    file.write_text(text, encoding="utf-8")
    (folder / "admin.token").write_text(TOKEN, encoding="ascii")
    rules = ALERTS.read_text(encoding="utf-8")
    (folder / "alerts.yml").write_text(re.sub(r" for: \d+m", " for: 0s", rules), encoding="utf-8")
    return file


def _value(watching: Prometheus, expression: str) -> float | None:
    return next((value for _, value in watching.query(expression)), None)


def _evaluated(watching: Prometheus) -> str:
    """Return when the rules were evaluated last; later is larger."""
    (group,) = watching.ask("rules")["groups"] or [{"lastEvaluation": ""}]
    return str(group["lastEvaluation"])
