"""What an operator sees of a running server, when all is well and when the CRM dies, and what a CRM may tell it."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from proxy.testing import HttpCrm
from proxy.testing.behaviours import answers
from tests.e2e.conftest import Serve
from tests.e2e.people import EXPECTED, PEOPLE, STRANGER, answer_of_the_crm, head, rest_options, source
from tests.e2e.running import call, run
from tests.servers import free_port, until_open

GOLD, SILVER, UNTIERED = (person.number for person in PEOPLE[:3])
TOKEN, PUSH = "made-up-token-of-the-operator", "made-up-token-of-the-crm"
SEEN_WITHIN = 15.0
"""Seconds within which an operator sees that a CRM has died, or is back, also on a machine that is busy"""


class Operator:
    """Asks the operator's address."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self.url = f"http://127.0.0.1:{port}"

    async def get(self, path: str) -> str:
        async with self._session.get(self.url + path, headers={"Authorization": f"Bearer {TOKEN}"}) as response:
            assert response.status == 200, await response.text()
            return await response.text()

    async def health(self) -> Any:
        return json.loads(await self.get("/healthz"))

    async def metric(self, name: str, **labels: str) -> float:
        """Return the sum of the samples that have these labels."""
        families = text_string_to_metric_families(await self.get("/metrics"))
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        found = [sample.value for sample in samples if labels.items() <= sample.labels.items()]
        assert found, name
        return sum(found)

    async def push(self, **body: object) -> Any:
        headers = {"Authorization": f"Bearer {PUSH}"}
        async with self._session.post(f"{self.url}/invalidate", json=body, headers=headers) as response:
            return response.status, await response.json()


async def within(seconds: float, comes_about: Callable[[], Awaitable[bool]]) -> None:
    until = time.monotonic() + seconds
    while not await comes_about():
        assert time.monotonic() < until, "it does not come about"
        await asyncio.sleep(0.05)


def toml(url: str, port: int) -> str:
    admin = f'\n[admin]\nlisten = "127.0.0.1:{port}"\ntoken = "{TOKEN}"\npush_token = "{PUSH}"\n'
    limits = "timeout = 10\nattempts = 1\nbreaker_failures = 3\nbreaker_pause = 4"
    return head(more=admin) + source("rest", rest_options(url), limits)


async def test_a_crm_that_dies_is_seen_within_seconds_and_so_is_that_it_is_back(serve: Serve, tmp_path: Path) -> None:
    port = free_port()
    async with HttpCrm(answer_of_the_crm) as crm, aiohttp.ClientSession() as session:
        with serve(toml(crm.url, port), folder=tmp_path) as serving:
            await asyncio.to_thread(until_open, port)
            operator = Operator(session, port)
            for number in (GOLD, GOLD, STRANGER):
                assert (await call(serving, number)).said == EXPECTED[number]
            assert (await operator.health())["status"] == "ok"
            assert await operator.metric("tanima_calls_total", reason="crm_failed") == 0
            assert await operator.metric("tanima_calls_total", via="cache") == 1
            assert await operator.metric("tanima_connections", listener="switch") >= 0

            crm.behaviour = answers(503)
            numbers = [f"0533 555 01 {index:02}" for index in range(4)]
            for number in (GOLD, *numbers):
                await call(serving, number)

            async def is_seen() -> bool:
                health = await operator.health()
                return bool(health["status"] == "degraded" and health["sources"]["crm"]["state"] != "closed")

            await within(SEEN_WITHIN, is_seen)
            health = await operator.health()
            assert health["calls"]["failed_open"] == 4
            assert health["sources"]["crm"]["error"] == "the CRM is out of service (503)"
            assert await operator.metric("tanima_calls_total", reason="crm_failed") == 4
            assert await operator.metric("tanima_source_answers_total", source="crm", outcome="failed") == 3
            assert await operator.metric("tanima_source_answers_total", source="crm", outcome="not asked") == 1
            assert await operator.metric("tanima_source_state", source="crm", about="lookup", state="closed") == 0
            assert (await serving.line("source_open"))["error"] == "the CRM is out of service (503)"
            entries = [json.loads(line) for line in (await operator.get("/journal")).splitlines()]
            assert [entry["reason"] for entry in entries[-4:]] == ["crm_failed"] * 4
            assert entries[-4]["sources"][0]["note"] == "the CRM is out of service (503)"
            ran = await run("journal", "--since", "5m", "--config", str(tmp_path / "config.toml"))
            assert len(ran.out.splitlines()) == len(entries) == 8
            assert "(crm failed" in ran.out

            crm.behaviour = None

            async def is_back() -> bool:
                await call(serving, numbers[0])
                return bool((await operator.health())["sources"]["crm"]["state"] == "closed")

            await within(SEEN_WITHIN, is_back)
            await serving.line("source_closed")


async def test_a_change_that_the_crm_tells_of_counts_from_the_next_call_on_and_the_switch_is_told_nothing_of_all_this(
    serve: Serve, tmp_path: Path
) -> None:
    port = free_port()
    async with HttpCrm(answer_of_the_crm) as crm, aiohttp.ClientSession() as session:
        with serve(toml(crm.url, port), folder=tmp_path) as serving:
            await asyncio.to_thread(until_open, port)
            operator = Operator(session, port)
            for number in (GOLD, SILVER):
                assert (await call(serving, number)).said == EXPECTED[number]
            assert await operator.push(number=GOLD) == (200, {"known": 1})
            crm.behaviour = answers(503)
            assert (await call(serving, GOLD)).said == EXPECTED[GOLD], "what was known answers while the CRM fails"
            crm.behaviour = None
            assert await operator.push(number=GOLD) == (200, {"known": 1})
            asked = len(crm.requests)
            for number in (GOLD, SILVER, GOLD):
                assert (await call(serving, number)).said == EXPECTED[number]
            assert len(crm.requests) == asked + 1
            assert await operator.push(all=True) == (200, {"known": 2})
            for number in (GOLD, SILVER):
                assert (await call(serving, number)).said == EXPECTED[number]
            assert len(crm.requests) == asked + 3
            assert await operator.metric("tanima_events_total", event="invalidated") == 3
            for path in ("/metrics", "/healthz", "/livez", "/journal", "/calls", "/login", "/console.js", "/"):
                async with session.get(serving.url + path, headers={"Authorization": f"Bearer {TOKEN}"}) as response:
                    assert (response.status, await response.json()) == (200, {"target": "queue/200"})
