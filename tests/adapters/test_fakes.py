"""What integrators are given for their tests."""

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import aiohttp
import pytest

from proxy.adapter import Contact, Unavailable
from proxy.detached import detach
from proxy.testing import AdapterContract, FakeAdapter, FakeClock, HttpCrm, phone

ROOT = Path(__file__).parents[2]
AYSE = phone("0530 123 45 67")


def test_a_clock_stands_still_until_it_is_told_to_go_on() -> None:
    clock = FakeClock(5.0)
    assert (clock(), clock()) == (5.0, 5.0)
    clock.advance(2.5)
    assert clock() == 7.5


async def test_a_fake_adapter_finds_fails_and_waits_as_it_is_told() -> None:
    adapter = FakeAdapter({"0530 123 45 67": Contact("Ayşe")})
    assert await adapter.lookup(AYSE) == Contact("Ayşe")
    assert await adapter.lookup(phone("0531 123 45 67")) is None
    adapter.error = Unavailable("down")
    with pytest.raises(Unavailable):
        await adapter.lookup(AYSE)
    adapter.error = None
    adapter.hold()
    lookup = detach(adapter.lookup(AYSE))
    await asyncio.sleep(0)
    assert (adapter.running, lookup.done()) == (1, False)
    adapter.let_go()
    assert await lookup == Contact("Ayşe")
    assert (adapter.running, adapter.lookups) == (0, 4)


async def test_an_http_crm_keeps_its_port_and_what_it_was_asked() -> None:
    async with HttpCrm(lambda request: {"path": request.path}) as crm, aiohttp.ClientSession() as session:
        url = crm.url
        for _ in range(2):
            async with session.post(f"{url}/a%20b?x=%2B1", json=[1]) as response:
                assert await response.json() == {"path": "/a%20b"}
            await crm.stop()
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(url)
            await crm.start()
        assert crm.url == url
        assert [(asked.method, asked.query, asked.json()) for asked in crm.requests] == [("POST", {"x": "+1"}, [1])] * 2


async def test_an_http_crm_shows_what_its_answer_raises_to_him_who_wrote_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async with HttpCrm(lambda request: request.query["page"]) as crm, aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await http.post(crm.url)
    assert "KeyError: 'page'" in capfd.readouterr().err


def test_a_contract_must_know_what_it_is_for() -> None:
    with pytest.raises(TypeError, match="names no crm_class"):
        type("TestMine", (AdapterContract,), {})


INTEGRATORS_TEST = """
    import logging
    from proxy.adapter import Adapter, AdapterConfig, AdapterError, Contact, Unavailable
    from proxy.testing import AdapterContract, CrmUnderTest

    class Crm(CrmUnderTest):
        known = {"0530 123 45 67": "Ayşe", "0531 123 45 67": "Ali"}
        unknown = ["0532 123 45 67"]
        is_down = False

        def adapter(self):
            return Mine(AdapterConfig(), self)

        async def go_down(self):
            self.is_down = True

        async def come_back(self):
            self.is_down = False

    class Mine(Adapter):
        def __init__(self, config, crm):
            self.crm = crm
            self.names = {crm.number(number): name for number, name in crm.known.items()}

        async def lookup(self, key):
            if self.crm.is_down:
                DOWN
            return Contact(self.names[key]) if key in self.names else None

    class TestMine(AdapterContract):
        crm_class = Crm
"""


@pytest.mark.parametrize(
    ("when_down", "passed", "failed"),
    [
        ("raise Unavailable('the CRM is down')", 9, []),
        ("return None", 7, ["test_opens_while_the_crm_is_down", "test_finds_after_an_outage"]),
        (
            "raise AdapterError('the CRM is down')",
            7,
            ["test_opens_while_the_crm_is_down", "test_finds_after_an_outage"],
        ),
        ("raise Unavailable(f'nothing about {key.e164}')", 7, ["a message must not hold the number"]),
        ("logging.warning('down'); raise Unavailable('the CRM is down')", 9, ["an adapter logs nothing above debug"]),
    ],
)
def test_the_contract_passes_good_adapters_and_catches_bad_ones(
    when_down: str, passed: int, failed: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "test_mine.py"
    file.write_text(textwrap.dedent(INTEGRATORS_TEST).replace("DOWN", when_down), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error::pytest.PytestWarning", "-m", "pytest", "-p", "no:cacheprovider", str(file)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{passed} passed" in done.stdout, done.stdout
    assert "skipped" not in done.stdout
    assert done.returncode == (1 if failed else 0)
    for words in failed:
        assert words in done.stdout
