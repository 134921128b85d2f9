"""SIGTERM ends the server, and costs nobody a call."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.testing import HttpCrm, Request
from tests.e2e.conftest import Serve
from tests.e2e.people import EXPECTED, PEOPLE, answer_of_the_crm, head, rest_options, source, static_options
from tests.e2e.running import PATIENCE, SLACK, TANIMA, answers_in, call

REQUEST = b"GET /musteri.json?telefon=05325550001 HTTP/1.1\r\nHost: x\r\n\r\n"


async def until_it_ends(process_wait: Callable[[float], int]) -> int:
    return await asyncio.to_thread(process_wait, PATIENCE)


async def test_a_call_in_flight_gets_its_answer(serve: Serve, figure: Callable[[str], None]) -> None:
    reached, may_answer = asyncio.Event(), asyncio.Event()

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        reached.set()
        await may_answer.wait()
        body = json.dumps(answer_of_the_crm(request)).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    async with HttpCrm(answer_of_the_crm) as crm:
        crm.behaviour = behave
        with serve(head() + source("rest", rest_options(crm.url))) as serving:
            reader, writer = await asyncio.open_connection("127.0.0.1", serving.port)
            writer.write(REQUEST)
            await reached.wait()
            assert is_listening(serving.port)
            serving.process.send_signal(signal.SIGTERM)
            while is_listening(serving.port):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.005)
            may_answer.set()
            started = asyncio.get_running_loop().time()
            received = await asyncio.wait_for(reader.read(), PATIENCE)
            code = await until_it_ends(serving.process.wait)
            took = asyncio.get_running_loop().time() - started
            writer.close()
    ((status, _, body),) = answers_in(received)
    assert (status, json.loads(body)) == (200, EXPECTED[PEOPLE[0].number])
    assert code == 0
    figure(f"SIGTERM with a call in flight: answered, exit code 0, ended {took:.2f} s after the answer")


def is_listening(port: int) -> bool:
    """Ask the kernel: a connection for trying would be one more that is open while the server stops."""
    sockets = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return any(local == f"0100007F:{port:04X}" and state == "0A" for _, local, _, state, *_ in sockets)


async def test_a_call_in_flight_gets_the_default_when_the_crm_hangs(serve: Serve) -> None:
    reached = asyncio.Event()

    async def hang(_: Request, __: asyncio.StreamWriter) -> None:
        reached.set()
        await asyncio.Event().wait()

    async with HttpCrm(answer_of_the_crm) as crm:
        crm.behaviour = hang
        with serve(head(deadline=0.5) + source("rest", rest_options(crm.url), "timeout = 10")) as serving:
            reader, writer = await asyncio.open_connection("127.0.0.1", serving.port)
            writer.write(REQUEST)
            await reached.wait()
            serving.process.send_signal(signal.SIGTERM)
            received = await asyncio.wait_for(reader.read(), PATIENCE)
            assert await until_it_ends(serving.process.wait) == 0
            writer.close()
    ((status, _, body),) = answers_in(received)
    assert (status, json.loads(body)) == (200, {"target": "queue/200"})


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
async def test_idle_connections_do_not_hold_it_up(serve: Serve, signal_number: int) -> None:
    with serve(head(deadline=1.5) + source("static", static_options())) as serving:
        idle = [await asyncio.open_connection("127.0.0.1", serving.port) for _ in range(5)]
        idle[0][1].write(REQUEST)
        await idle[0][0].readuntil(b"}")
        idle[1][1].write(b"GET /musteri.json?tel")
        started = asyncio.get_running_loop().time()
        serving.process.send_signal(signal_number)
        assert await until_it_ends(serving.process.wait) == 0
        assert asyncio.get_running_loop().time() - started < 1.5 + 1 + SLACK, "else it would take 15 s"
        for _, writer in idle:
            writer.close()


async def test_signals_that_it_does_not_know_of_leave_it_alone(serve: Serve) -> None:
    with serve(head() + source("static", static_options())) as serving:
        os.kill(serving.process.pid, signal.SIGWINCH)
        assert (await call(serving, "1003")).said == {"target": "group/700"}


STUCK = """
import asyncio, time
from proxy.adapter import Adapter

class Stuck(Adapter):
    def __init__(self, config):
        pass

class Stubborn(Stuck):
    async def lookup(self, key):
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass

class InAThread(Stuck):
    async def lookup(self, key):
        await asyncio.to_thread(time.sleep, 60)

class AtTheEnd(Stuck):
    async def lookup(self, key):
        return None

    async def close(self):
        await asyncio.to_thread(time.sleep, 60)
"""


@pytest.mark.parametrize("adapter", ["Stubborn", "InAThread", "AtTheEnd"])
async def test_what_hangs_for_good_does_not_hold_up_the_end(
    adapter: str, serve: Serve, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    (tmp_path / "stuck.py").write_text(STUCK, encoding="utf-8")
    with serve(head(deadline=0.3) + source(f"stuck:{adapter}", "", "timeout = 0.2"), folder=tmp_path) as serving:
        assert "target" in (await call(serving, "05325550001")).said
        started = asyncio.get_running_loop().time()
        serving.process.send_signal(signal.SIGTERM)
        assert await until_it_ends(serving.process.wait) == 0
        took = asyncio.get_running_loop().time() - started
    assert took < 0.3 + 1 + SLACK, "a second beyond the deadline, and some for a machine that is busy"
    figure(f"SIGTERM with an adapter that hangs for good ({adapter}): ended after {took:.2f} s (deadline 0.3 s)")


async def test_a_route_whose_source_hangs_for_good_is_printed(tmp_path: Path) -> None:
    (tmp_path / "stuck.py").write_text(STUCK, encoding="utf-8")
    config = tmp_path / "config.toml"
    config.write_text(head(deadline=0.3) + source("stuck:InAThread", "", "timeout = 0.2"), encoding="utf-8")
    route = await asyncio.create_subprocess_exec(
        *TANIMA, "route", "05325550001", "--config", str(config), stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await asyncio.wait_for(route.communicate(), PATIENCE)
    assert printed.decode().splitlines()[-1].startswith("          musteri-tanima ")
