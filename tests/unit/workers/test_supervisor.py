"""Several workers, seen and led as one server."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from proxy import logs
from proxy.breaker import State
from proxy.config import load
from proxy.errors import ProxyError
from proxy.figures import Repetitions
from proxy.gauges import OneSource
from proxy.journal import Given
from proxy.model import Asked, Reason, Via
from proxy.phone import _read, parse_number
from proxy.upstream import Guarded
from proxy.web import sockets
from proxy.web.operated import Cached, Erased, Question
from proxy.workers import crew as crew_module
from proxy.workers.supervisor import Supervisor
from proxy.workers.together import summed
from proxy.workers.worker import Again
from tests.servers import free_port
from tests.unit.fakes import AHMET, NUMBER
from tests.unit.test_journal import answered, repeated
from tests.unit.workers.crews import FakeProcess, FakeWorkers, gauges, until

TOML = """
[switch]
default = "queue/200"
[admin]
listen = "127.0.0.1:{port}"
[[rules]]
name = "gold"
target = "queue/201"
[[sources]]
name = "crm"
adapter = "static"
[[sources.options.contacts]]
numbers = ["0530 123 45 67"]
name = "Ahmet"
"""


@pytest.fixture(autouse=True)
def lines(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    monkeypatch.setattr(crew_module, "FIRST_PAUSE", 0.01)
    lines: list[tuple[Any, ...]] = []
    for name in ("bug", "worker_ready", "worker_ended", "reloaded", "reload_refused", "erased", "invalidated"):
        monkeypatch.setattr(logs, name, lambda *told, name=name, **_: lines.append((name, *told)))
    return lines


class Run:
    def __init__(self, file: Path, workers: FakeWorkers, *, has_admin: bool) -> None:
        self.admin = f"http://127.0.0.1:{free_port()}"
        self.file = file
        self.workers = workers
        toml = TOML.format(port=self.admin.rpartition(":")[2])
        self.toml = (toml if has_admin else toml.replace("listen", "# listen")).encode()
        file.write_bytes(self.toml)
        self.supervisor = Supervisor(load(file, self.toml), file, self.toml, 2)
        self.operation = self.supervisor.operation
        self.port = 0

    def one_tells(self, *events: Any, worker: int = 0) -> None:
        self.workers.started[worker].link.tell([*events])


@asynccontextmanager
async def supervising(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_admin: bool = True) -> AsyncIterator[Run]:
    workers = FakeWorkers()
    monkeypatch.setattr(crew_module, "start_worker", workers.start)
    run = Run(tmp_path / "config.toml", workers, has_admin=has_admin)
    run.port = await asyncio.wait_for(run.supervisor.start(("127.0.0.1", 0)), 5)
    await until(lambda: run.operation.gauges().cached == 4)
    yield run
    await run.supervisor.stop()
    await asyncio.gather(*(process.running for process in workers.started), *workers.closing, return_exceptions=True)


@pytest.fixture
async def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Run]:
    async with supervising(tmp_path, monkeypatch) as run:
        yield run


async def test_each_worker_is_told_where_to_listen_and_the_first_keeps_the_snapshot(run: Run) -> None:
    orders = [process.orders for process in run.workers.started]
    assert [each.listen for each in orders if each] == [("127.0.0.1", run.port)] * 2
    assert [each.content for each in orders if each] == [run.toml] * 2
    assert [each.keeps_snapshot for each in orders if each] == [True, False]
    assert [each.descriptor for each in orders if each] == [None, None]


async def test_an_address_that_is_taken_is_an_os_error_also_by_others_who_share_it(tmp_path: Path) -> None:
    run = Run(tmp_path / "config.toml", FakeWorkers(), has_admin=True)
    with socket.socket() as shared:
        shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        shared.bind(("127.0.0.1", 0))
        shared.listen()
        with pytest.raises(OSError, match="address already in use"):
            await run.supervisor.start(shared.getsockname())
    await run.supervisor.stop()
    assert run.workers.started == []


async def test_a_socket_that_is_handed_over_is_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setattr(sockets, "_FIRST", os.dup(listening.fileno()))
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        monkeypatch.setenv("LISTEN_FDS", "1")
        async with supervising(tmp_path, monkeypatch, has_admin=False) as run:
            assert run.port == listening.getsockname()[1]
            orders = [process.orders for process in run.workers.started]
            assert [each.descriptor for each in orders if each] == [sockets._FIRST] * 2
            assert listening.fileno() >= 0


async def test_what_workers_tell_is_counted_and_kept(run: Run) -> None:
    run.one_tells(replace(answered(reason=Reason.RULE), routing=None), Asked("crm", "found", 0.1))
    run.one_tells(replace(answered(), routing=None, seconds=3.0), "bug", worker=1)
    figures, journal = run.operation.figures, run.operation.journal
    await until(lambda: len(journal) == 2)
    assert figures.calls == {(Reason.RULE, Via.CRM): 1, (Reason.NO_RULE, Via.CRM): 1}
    assert figures.late == 1
    assert figures.of("crm").outcomes == {"found": 1}
    assert figures.events == {"bug": 1}
    for entry in journal.entries():
        explanation = entry.answered.explanation()
        assert explanation is not None
        assert [each.rule for each in explanation.considered] == ["gold"]


async def test_so_is_what_was_answered_as_before(run: Run) -> None:
    repetitions, given = Repetitions(), replace(answered(via=Via.CACHE), routing=None)
    repetitions.add([Given(repeated(), 0.0002)] * 5)
    run.one_tells(Again(repetitions, [given, given]))
    figures, journal = run.operation.figures, run.operation.journal
    await until(lambda: len(journal) == 2)
    assert figures.calls == {(Reason.RULE, Via.CACHE): 5}
    assert all(entry.answered.routing is not None for entry in journal.entries())


async def test_a_source_is_left_alone_while_one_worker_does_so(run: Run, lines: list[tuple[Any, ...]]) -> None:
    of_crm = run.operation.figures.of("crm")
    run.one_tells(Guarded("crm", State.OPEN, "HTTP 500"))
    await until(lambda: of_crm.left_alone == "HTTP 500")
    run.one_tells(Guarded("crm", State.OPEN, "HTTP 503"), Guarded("crm", State.CLOSED), "bug", worker=1)
    await until(lambda: run.operation.figures.events["bug"])
    assert of_crm.left_alone == "HTTP 500"
    run.workers.started[0].exit(-9)
    await until(lambda: not of_crm.left_alone)
    assert ("worker_ended", 1, -9, 0.01) in lines
    assert run.operation.figures.events["worker_ended"] == 1
    assert run.operation.gauges().cached == 2


async def test_the_operator_is_answered_at_his_own_address(run: Run) -> None:
    run.workers.answers["erase"] = lambda *_: Erased(was_known=False, snapshot=False)
    async with ClientSession() as session:

        async def is_there() -> bool:
            try:
                async with session.get(f"{run.admin}/healthz") as response:
                    return response.status == 200
            except OSError:
                return False

        for _ in range(500):
            if await is_there():
                break
            await asyncio.sleep(0.01)
        async with session.post(f"{run.admin}/erase", json={"number": "05301234567"}) as response:
            assert await response.json() == {"was_known": False, "snapshot": False}


# ---------------------------------------------------------------------------------------- as if they were one


async def test_an_erase_reaches_all_and_the_journal(run: Run, lines: list[tuple[Any, ...]]) -> None:
    run.one_tells(replace(answered(), routing=None))
    await until(lambda: len(run.operation.journal) == 1)

    def answer(process: FakeProcess, _: object) -> Erased:
        is_first = process is run.workers.started[0]
        return Erased(not is_first, is_first)

    run.workers.answers["erase"] = answer
    assert await run.operation.erase(parse_number("0530 123 45 67", "TR")) == Erased(was_known=True, snapshot=True)
    assert _read.cache_info().currsize == 0
    assert [process.asked for process in run.workers.started] == [[("erase", NUMBER)]] * 2
    assert len(run.operation.journal) == 0
    run.one_tells(replace(answered(), routing=None), "bug")
    await until(lambda: run.operation.figures.events["bug"])
    assert len(run.operation.journal) == 0, "it rang before"
    assert run.operation.figures.events["erased"] == 1
    assert [name for name, *_ in lines].count("erased") == 1


async def test_an_erase_that_fails_in_one_worker_has_failed(run: Run) -> None:
    def answer(process: FakeProcess, _: object) -> Erased:
        if process is run.workers.started[0]:
            raise ProxyError("the snapshot cannot be written")
        return Erased(was_known=True, snapshot=False)

    run.workers.answers["erase"] = answer
    with pytest.raises(ProxyError, match=r"^the snapshot cannot be written$"):
        await run.operation.erase(NUMBER)
    assert run.operation.figures.events["erased"] == 0


async def test_changes_reach_all(run: Run) -> None:
    run.workers.answers["invalidate"] = lambda process, _: 1 + (process is run.workers.started[0])
    assert await run.operation.invalidate(NUMBER) == 2
    assert await run.operation.invalidate(None) == 3
    assert run.operation.figures.events["invalidated"] == 2


async def test_what_is_known_best_is_told(run: Run) -> None:
    known = [Cached(AHMET, False, -1.0, 100.0), Cached(None, False, 5.0, 100.0)]
    run.workers.answers["cached"] = lambda process, _: known[process is run.workers.started[0]]
    assert await run.operation.cached(NUMBER) == known[1]
    run.workers.answers["cached"] = lambda *_: None
    assert await run.operation.cached(NUMBER) is None


async def test_one_worker_explains_a_call(run: Run) -> None:
    run.workers.answers["test"] = lambda _, question: question.number
    tested: Any = await run.operation.test(Question("1003"))
    assert tested == "1003"


async def test_how_everything_is_now_is_a_sum_and_the_worst(run: Run) -> None:
    one = gauges(snapshot_at=7.0)
    other = gauges(sources={"crm": OneSource(State.OPEN, State.THROTTLED, 2, 100), "gone": one.sources["crm"]})
    mine = gauges(sources={"crm": one.sources["crm"], "new": one.sources["crm"]}, connections={"admin": 1})
    told = summed(mine, [one, other], 7.0)
    assert told.sources == {
        "crm": OneSource(State.OPEN, State.THROTTLED, 3, 200),
        "new": OneSource(State.CLOSED, State.CLOSED, 0, 0),
    }
    assert (told.flights, told.cached, told.cache_size, told.dialogues) == (2, 4, 20, 6)
    assert (told.connections, told.connections_most, told.snapshot_at) == ({"switch": 8, "admin": 1}, 10, 7.0)
    now = run.operation.gauges()
    assert (now.cached, now.connections["switch"], now.deadline) == (4, 8, 1.5)
    run.supervisor._crew._members[0].gauges = None
    assert run.operation.gauges().snapshot_at is None


# ---------------------------------------------------------------------------------------- another configuration


async def test_a_good_configuration_is_for_all_also_for_one_that_comes_later(
    run: Run, lines: list[tuple[Any, ...]]
) -> None:
    run.workers.answers["reload"] = lambda *_: None
    changed = run.toml.replace(b"queue/200", b"queue/299")
    run.file.write_bytes(changed)
    await run.supervisor.reload()
    assert [process.asked for process in run.workers.started] == [[("reload", changed)]] * 2
    assert ("reloaded", 1, 1) in lines
    assert str(run.supervisor.deployment.settings.switch.default) == "queue/299"
    run.file.write_bytes(b"nonsense")
    await run.supervisor.reload()
    assert [name for name, *_ in lines].count("reload_refused") == 1
    assert run.operation.is_refused
    assert len(run.workers.started[0].asked) == 1
    run.workers.started[1].exit(-9)
    await until(lambda: len(run.workers.started) == 3 and run.workers.started[2].orders)
    orders = run.workers.started[2].orders
    assert orders is not None
    assert orders.content == changed, "the last that was good"


async def test_one_that_does_not_take_it_is_exchanged(run: Run) -> None:
    def answer(process: FakeProcess, _: bytes) -> None:
        if process is run.workers.started[1]:
            raise ProxyError("a secret file has gone")

    run.workers.answers["reload"] = answer
    await run.supervisor.reload()
    await until(lambda: len(run.workers.started) == 3)
    assert run.workers.started[1].signals == [signal.SIGTERM]
