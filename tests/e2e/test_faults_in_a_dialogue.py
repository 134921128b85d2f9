"""Whatever the CRM does when a caller has keyed a number, the call is answered in time, and with nobody's name."""

import time
from collections.abc import AsyncIterator, Callable, Iterator

import aiohttp
import pytest

from proxy.testing.behaviours import failures
from tests.e2e.conftest import Serve
from tests.e2e.running import SLACK, Serving
from tests.e2e.switching import Customers, SwitchCall, toml
from tests.servers import free_port

DEADLINE, TIMEOUT = 0.6, 0.4
"""Seconds"""
BOUND = DEADLINE + SLACK

BODY = b'[{"no": "C-10001", "name": "\xc3\x96rnek M\xc3\xbc\xc5\x9fteri Bir", "agent": "1001"}]'
DEFAULT = {"transfer": {"target": "queue/200"}}
FOUND = {"transfer": {"greet_name": "Örnek Müşteri Bir", "lang": "tr-TR", "target": "user/1001"}}

slowest: dict[str, float] = {}


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(serve: Serve, port: int, figure: Callable[[str], None]) -> Iterator[Serving]:
    deployment = toml(f"http://127.0.0.1:{port}", dialogue="guesses = 1000")
    deployment = deployment.replace("deadline = 28", f"deadline = {DEADLINE}")
    deployment = deployment.replace("timeout = 25", f"timeout = {TIMEOUT}\nbreaker_failures = 1000\nattempts = 1")
    with serve(f"{deployment}\n[cache]\nttl = 0.001\nnegative_ttl = 0.001\nstale = 0\n") as serving:
        yield serving
    worst = max(slowest, key=slowest.__getitem__)
    figure(
        f"a keyed number, {len(slowest)} faults of the CRM: all answered; slowest {slowest[worst] * 1000:.0f} ms "
        f"({worst}; deadline {DEADLINE * 1000:.0f} ms)"
    )


@pytest.fixture
async def crm(port: int) -> AsyncIterator[Customers]:
    crm = Customers()
    crm.port = port
    async with crm:
        yield crm


async def is_asked(server: Serving, session: aiohttp.ClientSession) -> SwitchCall:
    """Return a new call, which has been asked for its customer number; where the CRM was late, another one."""
    for _ in range(10):
        switch, began = SwitchCall(server, session), time.monotonic()
        told = await switch.ask(1)
        if "prompt" in told or time.monotonic() - began < TIMEOUT:
            break
    assert "prompt" in told
    return switch


async def is_found(server: Serving, session: aiohttp.ClientSession) -> None:
    """See that who keys a number now is found; where the CRM was late, the next one."""
    for _ in range(10):
        switch = await is_asked(server, session)
        began = time.monotonic()
        told = await switch.ask(2, musteri_no="10001", error="")
        if told == FOUND or time.monotonic() - began < TIMEOUT:
            break
    assert told == FOUND


@pytest.mark.parametrize("fault", failures(BODY))
async def test_whatever_the_crm_does_the_dialogue_ends_at_the_default_and_the_next_goes_on(
    server: Serving, crm: Customers, fault: str
) -> None:
    async with aiohttp.ClientSession() as session:
        switch = await is_asked(server, session)
        crm.behaviour = failures(BODY)[fault]
        began = time.monotonic()
        assert await switch.ask(2, musteri_no="10001", error="") == DEFAULT
        slowest[fault] = time.monotonic() - began
        assert slowest[fault] < BOUND
        crm.behaviour = None
        assert await switch.ask(2, musteri_no="10001", error="") == DEFAULT, "a repetition is answered as before"
        await is_found(server, session)
