"""Another configuration while it runs: what is noticed, what stays as it is, and what is asked anew."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from proxy.detached import detach
from proxy.testing import HttpCrm
from proxy.testing.behaviours import answers
from tests.e2e.conftest import Serve
from tests.e2e.people import EXPECTED, PEOPLE, STRANGER, answer_of_the_crm, head, rest_options, source
from tests.e2e.running import PATIENCE, Serving, call

LIMITS = "timeout = 28\nattempts = 1"
GOLD, SILVER, UNTIERED = (person.number for person in PEOPLE[:3])


def toml(*sources: str, deadline: float = 30, more: str = "") -> str:
    return head(deadline=deadline, more=more) + "".join(sources)


def crm_at(url: str, name: str = "crm", limits: str = LIMITS) -> str:
    return source("rest", rest_options(url), limits).replace('"crm"', f'"{name}"', 1)


# ---------------------------------------------------------------------------------------- how it changes


def write(folder: Path, text: str) -> None:
    (folder / "config.toml").write_text(text, encoding="utf-8")


def exchange(folder: Path, text: str) -> None:
    """Write it as careful editors do."""
    new = folder / "config.toml~"
    new.write_text(text, encoding="utf-8")
    new.replace(folder / "config.toml")


def mount(folder: Path, text: str) -> None:
    """Write it as Kubernetes does: the file is a link through ..data, which is exchanged for another folder."""
    old = folder / (folder / "..data").readlink() if (folder / "..data").is_symlink() else None
    new = Path(tempfile.mkdtemp(prefix="..", dir=folder))
    (new / "config.toml").write_text(text, encoding="utf-8")
    (folder / "..data_tmp").symlink_to(new.name)
    (folder / "..data_tmp").replace(folder / "..data")
    if old is None:
        (folder / "config.toml").symlink_to("..data/config.toml")
    else:
        shutil.rmtree(old)


async def reloaded(serving: Serving, folder: Path, text: str) -> None:
    """Write a TOML, and wait until it counts."""
    before = len(serving.lines("reloaded"))
    exchange(folder, text)
    await serving.line("reloaded", before + 1)


async def becomes(serving: Serving, expected: object) -> None:
    """Wait until the known caller is answered so."""
    for _ in range(int(PATIENCE * 50)):
        if (await call(serving, GOLD)).said == expected:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"it does not become {expected}: {serving.text()}")


@pytest.mark.parametrize("put", [write, exchange, mount])
async def test_a_change_is_noticed_however_it_is_made_again_and_again(
    start: Callable[..., Serving], tmp_path: Path, put: Callable[[Path, str], None]
) -> None:
    async with HttpCrm(answer_of_the_crm) as crm:
        text = toml(crm_at(crm.url))
        put(tmp_path, text)
        arguments = ["serve", "--config", str(tmp_path / "config.toml"), "--listen", "127.0.0.1:0"]
        with start(arguments) as serving:
            assert (await call(serving, GOLD)).said == EXPECTED[GOLD]
            for target in ("queue/203", "queue/204", "queue/205"):
                put(tmp_path, text.replace("queue/201", target))
                await becomes(serving, {**EXPECTED[GOLD], "target": target})
        assert len(crm.requests) == 1, "rules forget nobody"


async def test_a_broken_file_is_told_of_again_after_a_good_one_and_each_time_is_counted(
    serve: Serve, tmp_path: Path
) -> None:
    hups = 5
    async with HttpCrm(answer_of_the_crm) as crm:
        good = toml(crm_at(crm.url))
        broken = good.replace('default = "queue/200"', 'default = "queue/two hundred"')
        with serve(good, folder=tmp_path) as serving:
            assert (await call(serving, GOLD)).said == EXPECTED[GOLD]
            exchange(tmp_path, broken)
            first = await serving.line("reload_refused")
            for _ in range(hups):
                serving.process.send_signal(signal.SIGHUP)
                assert (await call(serving, GOLD)).said == EXPECTED[GOLD], "the old one goes on"
            await reloaded(serving, tmp_path, good)
            exchange(tmp_path, broken)
            second = await serving.line("reload_refused", 2)
    assert [line["problems"][0].partition(":")[0] for line in (first, second)] == ["switch.default"] * 2
    assert first["count"] == 1
    assert 2 <= second["count"] <= 2 + hups, "signals at once may be one, or find the good one already"
    assert len(serving.lines("reload_refused")) == 2


# ---------------------------------------------------------------------------------------- what stays


class CountingCrm(HttpCrm):
    """Counts the connections that were made to it."""

    connections = 0

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        super()._connected(reader, writer)


async def test_a_source_that_has_not_changed_keeps_its_connection_beside_one_that_has(
    serve: Serve, tmp_path: Path
) -> None:
    async with CountingCrm(lambda _: {"items": []}) as first, CountingCrm(answer_of_the_crm) as second:
        stays = crm_at(first.url)
        with serve(toml(stays, crm_at(second.url, "second")), folder=tmp_path) as serving:
            assert (await call(serving, GOLD)).said == EXPECTED[GOLD]
            changed = crm_at(second.url, "second", "timeout = 4\nattempts = 2")
            await reloaded(serving, tmp_path, toml(stays, changed))
            for number in (GOLD, SILVER, UNTIERED):
                assert (await call(serving, number)).said == EXPECTED[number]
        assert [len(crm.requests) for crm in (first, second)] == [3, 3], "other limits forget nobody"
        assert [crm.connections for crm in (first, second)] == [1, 2]


async def test_a_source_that_is_left_alone_is_left_alone_until_it_has_changed_itself(
    serve: Serve, tmp_path: Path
) -> None:
    limits = f"{LIMITS}\nbreaker_failures = 2\nbreaker_pause = 3600"
    async with HttpCrm(answer_of_the_crm) as crm:
        crm.behaviour = answers(500)
        text = toml(crm_at(crm.url, limits=limits))
        with serve(text, folder=tmp_path) as serving:
            for _ in range(3):
                assert (await call(serving, GOLD)).said == {"target": "queue/200"}
            assert len(serving.lines("source_open")) == 1
            crm.behaviour = None
            await reloaded(serving, tmp_path, text.replace("queue/201", "queue/203"))
            assert (await call(serving, GOLD)).said == {"target": "queue/200"}
            assert len(crm.requests) == 2
            await reloaded(serving, tmp_path, text.replace("breaker_pause = 3600", "breaker_pause = 3599"))
            assert (await call(serving, GOLD)).said == EXPECTED[GOLD]


# ---------------------------------------------------------------------------------------- what is asked anew


async def test_a_source_that_is_elsewhere_now_is_asked_about_everybody(serve: Serve, tmp_path: Path) -> None:
    async with HttpCrm(lambda _: {"items": []}) as old, HttpCrm(answer_of_the_crm) as new:
        with serve(toml(crm_at(old.url)), folder=tmp_path) as serving:
            for _ in range(2):
                assert (await call(serving, GOLD)).said == EXPECTED[STRANGER]
            await reloaded(serving, tmp_path, toml(crm_at(new.url)))
            for _ in range(2):
                assert (await call(serving, GOLD)).said == EXPECTED[GOLD]
        assert [len(crm.requests) for crm in (old, new)] == [1, 1]


async def test_a_call_that_waits_for_a_source_that_goes_gets_its_answer_from_it(serve: Serve, tmp_path: Path) -> None:
    may_answer = asyncio.Event()
    async with HttpCrm(lambda _: {"items": []}) as old, HttpCrm(answer_of_the_crm) as new:

        async def late(*_: Any) -> None:
            await may_answer.wait()
            await answers(200, b'{"items": []}')(*_)

        old.behaviour = late
        with serve(toml(crm_at(old.url)), folder=tmp_path) as serving:
            waiting = detach(call(serving, GOLD))
            for _ in range(int(PATIENCE * 100)):
                if old.requests:
                    break
                await asyncio.sleep(0.01)
            await reloaded(serving, tmp_path, toml(crm_at(new.url)))
            assert (await call(serving, GOLD)).said == EXPECTED[GOLD]
            may_answer.set()
            assert (await waiting).said == EXPECTED[STRANGER]
            assert (await call(serving, GOLD)).said == EXPECTED[GOLD], "it is not known by what the old one said"


# ---------------------------------------------------------------------------------------- calls meanwhile


async def test_no_call_is_lost_while_it_reloads_twenty_times(
    serve: Serve, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    changed = {number: {**said, "target": said["target"].replace("201", "203")} for number, said in EXPECTED.items()}
    heard: list[tuple[str, Any]] = []
    async with HttpCrm(answer_of_the_crm) as crm, aiohttp.ClientSession() as session:
        first = toml(crm_at(crm.url), more="[cache]\nttl = 0.02\nnegative_ttl = 0.02\n")
        other_rules = first.replace("queue/201", "queue/203")
        other_source = other_rules.replace("/contacts", "/people")
        other_limits = first.replace("attempts = 1", "attempts = 2")
        with serve(first, folder=tmp_path) as serving:
            is_over = False

            async def keep_calling() -> None:
                while not is_over:
                    for number in EXPECTED:
                        async with session.get(f"{serving.url}/musteri.json", params={"telefon": number}) as response:
                            heard.append((number, await response.json()))

            calling = [detach(keep_calling()) for _ in range(4)]
            try:
                for text in (other_rules, other_source, other_limits, first) * 5:
                    before = len(serving.lines("reloaded"))
                    exchange(tmp_path, text)
                    serving.process.send_signal(signal.SIGHUP)
                    await serving.line("reloaded", before + 1)
                    await becomes(serving, (changed if "queue/203" in text else EXPECTED)[GOLD])
            finally:
                is_over = True
                await asyncio.gather(*calling)
            reloads = len(serving.lines("reloaded"))
        troubles = {"reload_refused", "source_failed", "bug", "trouble", "event_loop"}
        assert not troubles & {line["event"] for line in serving.lines()}
    good = sum(said in (EXPECTED[number], changed[number]) for number, said in heard)
    assert good == len(heard) > len(calling) * len(EXPECTED)
    assert reloads >= 20
    figure(f"{reloads} reloads under steady calls: {good} of {len(heard)} answered by the old rules or the new ones")
