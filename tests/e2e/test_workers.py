"""Several workers are one server: to the switch, to the operator, and when one of them dies."""

import asyncio
import errno
import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from proxy.cache import ContactCache
from proxy.config import load
from proxy.deployment import snapshot_of
from proxy.snapshot import Caps
from proxy.testing import HttpCrm, Request
from tests.e2e.people import EXPECTED, PEOPLE, STRANGER, answer_of_the_crm, head, rest_options, source, static_options
from tests.e2e.running import PATIENCE, Serving, all_is_read, answers_in, call, run
from tests.servers import free_port

KEY = "made-up-key-of-the-snapshot"
NUMBER = PEOPLE[0].number
TAKEN = os.strerror(errno.EADDRINUSE).lower()
REQUEST = b"GET /musteri.json?telefon=05325550001 HTTP/1.1\r\nHost: x\r\n\r\n"


def toml(sources: str, port: int, more: str = "") -> str:
    return head(more=f'\n[admin]\nlisten = "127.0.0.1:{port}"\n{more}') + sources


def serve_by_two(start: Callable[..., Serving], file: Path, text: str) -> Serving:
    file.write_text(text, encoding="utf-8")
    return start(["serve", "--workers", "2", "--config", str(file), "--listen", "127.0.0.1:0"])


class Operator:
    """Asks at the operator's address."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}"

    async def told(self) -> str:
        """Return the metrics, as soon as the address is there: calls are answered before that."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                async with aiohttp.ClientSession() as session, session.get(f"{self._url}/metrics") as response:
                    return await response.text()
            except aiohttp.ClientConnectorError:
                assert time.monotonic() < until
                await asyncio.sleep(0.05)

    async def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        found = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", await self.told(), re.MULTILINE)
        return sum(map(float, found))

    async def until(self, name: str, value: float) -> None:
        """Wait until a metric has a value; workers tell theirs every now and then."""
        until = time.monotonic() + PATIENCE
        while (found := await self.metric(name)) != value:
            assert time.monotonic() < until, f"{name} is {found}, not {value}"
            await asyncio.sleep(0.05)

    async def post(self, path: str, **body: object) -> Any:
        async with aiohttp.ClientSession() as session, session.post(self._url + path, json=body) as response:
            assert response.status == 200, await response.text()
            return await response.json()


async def call_often(serving: Serving, count: int) -> int:
    """Call so many times, on a connection each, and return how many calls there were."""
    for _ in range(count):
        assert (await call(serving, NUMBER)).said == EXPECTED[NUMBER]
    return count


def processes(serving: Serving) -> Sequence[int]:
    return [line["process"] for line in serving.lines("worker_ready")]


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def test_two_workers_are_as_one_also_when_one_has_died(
    start: Callable[..., Serving], tmp_path: Path, figure: Callable[[str], None]
) -> None:
    port, file = free_port(), tmp_path / "config.toml"
    cache = f'[cache]\nsnapshot = "cache.json"\nsnapshot_key = "{KEY}"\n'
    text = toml(source("static", static_options()), port, cache)
    serving = serve_by_two(start, file, text)
    try:
        operator = Operator(port)
        made = await call_often(serving, 20)
        await operator.until("tanima_calls_total", made)
        await operator.until("tanima_cache_entries", 2)  # both have answered, and each has asked once
        assert await operator.metric("tanima_source_answers_total") == 2

        died, stayed = processes(serving)[0], processes(serving)[1]
        os.kill(died, signal.SIGKILL)
        began = time.monotonic()
        await serving.line("worker_ended")
        for _ in range(10):
            made += await call_often(serving, 1)
        await serving.line("worker_ready", 3)
        back_after = time.monotonic() - began
        figure(f"a worker that was killed is back after {back_after:.1f} s")
        made += await call_often(serving, 20)
        await operator.until("tanima_calls_total", made)
        await operator.until("tanima_cache_entries", 2)
        assert 'tanima_events_total{event="worker_ended"} 1.0' in await operator.told()

        assert await operator.post("/invalidate", all=True) == {"known": 2}
        await operator.until("tanima_cache_entries", 2)
        asked = await operator.metric("tanima_source_answers_total")
        made += await call_often(serving, 20)
        await operator.until("tanima_calls_total", made)
        assert await operator.metric("tanima_source_answers_total") == asked + 2, "both have looked it up anew"
        assert await operator.post("/erase", number=NUMBER) == {"was_known": True, "snapshot": True}
        await operator.until("tanima_cache_entries", 0)
        assert await operator.metric("tanima_journal_entries") == 0
        snapshot = snapshot_of(load(file))
        assert snapshot is not None
        assert await snapshot.read_into(ContactCache(100), Caps(300, 60, 86400)) == 0

        await reload(serving, file, text, stayed)
    finally:
        serving.process.kill()
        serving.process.wait()
    until = time.monotonic() + PATIENCE
    while left := [*filter(is_there, processes(serving))]:
        assert time.monotonic() < until, f"{left} have outlived the one who supervises them"
        await asyncio.sleep(0.05)


async def reload(serving: Serving, file: Path, text: str, dies: int) -> None:
    """Have it go on with a good configuration, not with a bad one, and a worker that dies begin with the good one."""
    await asyncio.to_thread(file.write_text, text.replace("queue/202", "queue/299"), encoding="utf-8")
    await serving.line("reloaded")
    assert {(await call(serving, STRANGER)).target for _ in range(12)} == {"queue/299"}
    await asyncio.to_thread(file.write_text, text.replace("queue/202", "nonsense"), encoding="utf-8")
    serving.process.send_signal(signal.SIGHUP)
    await serving.line("reload_refused")
    os.kill(dies, signal.SIGKILL)
    await serving.line("worker_ready", 4)
    assert {(await call(serving, STRANGER)).target for _ in range(12)} == {"queue/299"}, "also of the new one"
    assert [len(serving.lines(event)) for event in ("reloaded", "reload_refused", "erased")] == [1, 1, 1]


async def test_sigterm_ends_all_and_the_calls_in_flight_are_answered(
    start: Callable[..., Serving], tmp_path: Path
) -> None:
    reached, may_answer = asyncio.Semaphore(0), asyncio.Event()

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        reached.release()
        await may_answer.wait()
        body = json.dumps(answer_of_the_crm(request)).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async with HttpCrm(answer_of_the_crm) as crm:
        crm.behaviour = behave
        text = toml(source("rest", rest_options(crm.url)), free_port())
        with serve_by_two(start, tmp_path / "config.toml", text) as serving:
            calls = [await asyncio.open_connection("127.0.0.1", serving.port) for _ in range(20)]
            for _, writer in calls:
                writer.write(REQUEST)
            for _ in range(2):  # each worker asks once
                await asyncio.wait_for(reached.acquire(), PATIENCE)
            await all_is_read(serving.port, len(calls))
            serving.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.2)
            may_answer.set()
            for reader, writer in calls:
                ((status, _, body),) = answers_in(await asyncio.wait_for(reader.read(), PATIENCE))
                assert (status, json.loads(body)) == (200, EXPECTED[NUMBER])
                writer.close()
            assert await asyncio.to_thread(serving.process.wait, PATIENCE) == 0
        assert not [*filter(is_there, processes(serving))]


async def test_an_address_that_is_taken_is_told_as_ever(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(head() + source("static", static_options()), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        at = f"127.0.0.1:{taken.getsockname()[1]}"
        ran = await run("serve", "--workers", "2", "--config", str(tmp_path / "config.toml"), "--listen", at)
    assert ran.code == 1
    assert ran.err.startswith(f"tanima: cannot listen at {at} (")
    assert f"{TAKEN}) - allowed: a free address of this machine" in ran.err.lower()
