"""A worker, in this process: the other end of its link is the test's."""

import asyncio
import gc
import os
import pickle
import runpy
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from proxy import app, logs, operating, tracing
from proxy.breaker import State
from proxy.cache import ContactCache
from proxy.errors import ProxyError
from proxy.gauges import Gauges
from proxy.journal import Answered, Given
from proxy.keeping import Keeper
from proxy.model import Asked, Contact
from proxy.snapshot import Caps, Snapshot, SnapshotError
from proxy.upstream import Guarded
from proxy.web.operated import Erased, Question
from proxy.workers import worker as module
from proxy.workers.link import Link
from proxy.workers.worker import MOST_TOLD, Again, Forwarding, Orders, Reading, Ready, Worker, main, work
from tests.servers import free_port
from tests.unit.fakes import AHMET, NUMBER
from tests.unit.test_journal import answered, repeated

TOML = b"""
[switch]
default = "queue/200"
[[sources]]
name = "list"
adapter = "static"
[[sources.options.contacts]]
numbers = ["0530 123 45 67"]
name = "Ahmet"
"""


@pytest.fixture(autouse=True)
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Any, ...]]]:
    lines: list[tuple[Any, ...]] = []
    for name in ("bug", "calls_answered", "calls_repeated", "source_asked", "source_guarded", "snapshot_failed",
                 "events_lost", "reloaded", "reload_refused", "erased", "invalidated"):  # fmt: skip
        monkeypatch.setattr(logs, name, lambda *told, name=name, **_: lines.append((name, *told)))
    monkeypatch.setattr(module, "EVERY", 0.01)
    young = gc.get_threshold()
    yield lines
    gc.unfreeze()
    gc.set_threshold(*young)


class Told:
    """All that a worker has told."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.messages: list[Any] = []
        self._has_more = asyncio.Event()

    def add(self, message: Any) -> None:
        self.messages.append(message)
        self._has_more.set()

    async def one_of(self, kind: type) -> Any:
        while True:
            flat = [each for told in self.messages for each in (told if isinstance(told, list) else [told])]
            for each in flat:
                if isinstance(each, kind):
                    return each
            self._has_more.clear()
            await asyncio.wait_for(self._has_more.wait(), 5)


@asynccontextmanager
async def working(orders: Orders) -> AsyncIterator[Told]:
    mine, others = socket.socketpair()
    link = await Link.over(mine)
    told = Told(link)
    running = asyncio.ensure_future(link.run(told.add, lambda: asyncio.sleep(0)))
    link.tell(orders)
    task = asyncio.ensure_future(work(others))
    await told.one_of(Ready)
    yield told
    await link.close(1)
    await asyncio.wait_for(asyncio.gather(task, running), 5)


@pytest.fixture
def orders(tmp_path: Path) -> Orders:
    port = free_port()
    file = tmp_path / "config.toml"
    file.write_bytes(TOML)
    return Orders(file, TOML, ("127.0.0.1", port))


async def ask(orders: Orders) -> Any:
    url = f"http://127.0.0.1:{orders.listen[1]}/musteri.json?telefon=05301234567"
    async with ClientSession() as session, session.get(url) as response:
        return await response.json()


async def test_calls_are_answered_and_told_of(orders: Orders) -> None:
    async with working(orders) as told:
        assert await ask(orders) == {"name": "Ahmet", "target": "queue/200"}
        call = await told.one_of(Answered)
        assert call.routing is None
        assert call.decision.knowledge.situation.contact == Contact("Ahmet", numbers=["0530 123 45 67"])  # type: ignore[arg-type]
        assert (await told.one_of(Asked)).outcome == "found"
        told.messages.clear()
        assert (await told.one_of(Gauges)).cached == 1


async def test_what_an_operator_is_shown_of_the_configuration_is_not_made_where_calls_would_wait_for_it(
    orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown_of(_: object) -> None:
        raise AssertionError("calls wait")

    monkeypatch.setattr(operating, "shown_of", shown_of)
    async with working(orders) as told:
        await told.one_of(Gauges)
        await told.link.ask("reload", TOML)
        told.messages.clear()
        assert (await told.one_of(Gauges)).rules == []


async def test_garbage_is_looked_for_when_all_is_loaded(orders: Orders) -> None:
    gc.disable()
    try:
        async with working(orders):
            assert gc.isenabled()
    finally:
        gc.enable()


async def test_the_supervisors_wishes_are_fulfilled(orders: Orders, lines: list[tuple[Any, ...]]) -> None:
    async with working(orders) as told:
        await ask(orders)
        assert (await told.link.ask("cached", NUMBER)).contact.name == "Ahmet"
        tested = await told.link.ask("test", Question("05301234567"))
        assert tested.explanation.decision.via == "crm"
        assert await told.link.ask("invalidate", NUMBER) == 1
        assert await told.link.ask("erase", NUMBER) == Erased(was_known=True, snapshot=False)
        await told.link.ask("reload", TOML.replace(b"queue/200", b"queue/299"))
        assert await ask(orders) == {"name": "Ahmet", "target": "queue/299"}
        with pytest.raises(ProxyError, match=r"^switch.default: is missing"):
            await told.link.ask("reload", TOML.replace(b"default", b"# default"))
        assert await ask(orders) == {"name": "Ahmet", "target": "queue/299"}
    assert {name for name, *_ in lines} == {"calls_answered", "source_asked"}, "all else is the supervisor's to tell"


async def test_it_answers_at_the_socket_that_all_have(orders: Orders) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        at = listening.getsockname()
        listening.setblocking(False)
        all_have = Orders(orders.file, None, at, os.dup(listening.fileno()), keeps_snapshot=False)
        async with working(all_have):
            assert await ask(all_have) == {"name": "Ahmet", "target": "queue/200"}


async def test_an_address_that_cannot_be_had_is_trouble(orders: Orders) -> None:
    with socket.create_server(orders.listen):
        worker = Worker(orders)
        with pytest.raises(ProxyError, match=r"^cannot listen at 127\.0\.0\.1:[0-9]+ \("):
            await worker.start(orders.listen)
        await worker.stop()


async def test_there_is_no_address_for_the_operator(orders: Orders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "FIRST_CALLS", 0)
    port = free_port()
    toml = TOML + f'[admin]\nlisten = "127.0.0.1:{port}"\n'.encode()
    async with working(Orders(orders.file, toml, orders.listen)):
        await asyncio.sleep(0.05)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


def test_what_happens_is_written_and_kept_to_be_told(lines: list[tuple[Any, ...]]) -> None:
    watch = Forwarding()
    asked, guarded, call = (
        Asked("crm", "found", 0.1),
        Guarded("crm", State.OPEN, "HTTP 500"),
        replace(answered(), routing=None),
    )
    watch.calls_answered([call])
    watch.source_asked(asked)
    watch.source_guarded(guarded)
    watch.snapshot_failed(SnapshotError("no room"))
    watch.bug("crm", RuntimeError())
    told = [*watch.events]
    watch.reloaded(1, 2)
    watch.erased(was_known=True)
    watch.invalidated(1, everything=True)
    watch.reload_refused(["a: is bad"])
    assert watch.events == told == [call, asked, guarded, "snapshot_failed", "bug"]
    assert pickle.loads(pickle.dumps(told)) == told  # noqa: S301 - our own
    assert watch.refused == ["a: is bad"]
    assert [name for name, *_ in lines] == [
        "calls_answered",
        "source_asked",
        "source_guarded",
        "snapshot_failed",
        "bug",
    ]


def test_of_answers_that_are_given_again_all_are_counted_and_the_last_are_told(lines: list[tuple[Any, ...]]) -> None:
    watch, given = Forwarding(), repeated()
    assert watch.taken() == []
    watch.calls_repeated([Given(given, 0.0002)] * 30, 1.0)
    watch.calls_repeated([Given(given, 0.0003)] * (MOST_TOLD - 10), 1.0)
    watch.bug("crm", RuntimeError())
    bug, again = watch.taken()
    assert bug == "bug"
    assert isinstance(again, Again)
    assert again.counted.kinds.total() == MOST_TOLD + 20
    assert [each.seconds for each in again.last] == [0.0002] * 10 + [0.0003] * (MOST_TOLD - 10)
    assert {each.routing for each in again.last} == {None}
    assert pickle.loads(pickle.dumps(again)).counted.durations.counts == again.counted.durations.counts  # noqa: S301 - our own
    assert watch.taken() == []
    assert [name for name, *_ in lines] == ["calls_repeated", "calls_repeated", "bug"]


async def test_events_that_cannot_be_told_are_counted(orders: Orders, lines: list[tuple[Any, ...]]) -> None:
    class Deaf:
        takes = False

        def tell(self, _: object) -> bool:
            return self.takes

    link: Any = Deaf()
    worker = Worker(orders)
    for _ in range(2):
        worker.watch.events += ["bug", "bug"]
        worker.tell_events(link)
    worker.watch.calls_repeated([Given(repeated(), 0.0002)] * 30, 1.0)
    worker.tell_events(link)
    assert [name for name, *_ in lines] == ["calls_repeated"]
    lines.clear()
    link.takes = True
    for _ in range(2):
        worker.tell_events(link)
        assert lines == [], "there is nothing to tell yet"
    for _ in range(2):
        worker.watch.events.append("bug")
        worker.tell_events(link)
    assert lines == [("events_lost", 34)]
    worker._reading.shutdown()


def contents(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def test_a_snapshot_that_is_another_ones_is_read_and_never_written(tmp_path: Path) -> None:
    def snapshot(name: str) -> Snapshot:
        return Snapshot(tmp_path / name, "made-up-made-up-made-up", "", lambda: 0.0, lambda: 0.0)

    cache = ContactCache(10)
    keeper: Keeper = Reading(snapshot("one"), lambda: cache)
    await keeper.take_up(Caps(300, 60, 86400))
    (tmp_path / "one").write_text("of the other one", encoding="utf-8")
    await keeper.change(snapshot("two"))
    await keeper.try_to_write()
    assert not await keeper.write(anyway=True)
    keeper.let_go()
    assert contents(tmp_path) == [".one.lock", ".two.lock", "one"]


# ---------------------------------------------------------------------------------------- the process


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], list[int]]]:
    """Return what runs `main` with some work, and the exit codes."""
    loop = asyncio.new_event_loop()
    monkeypatch.setattr(logs, "set_up", lambda: None)
    monkeypatch.setattr(tracing, "set_up", lambda: None)
    monkeypatch.setattr(asyncio, "new_event_loop", lambda: loop)
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)

    def run(work: Any) -> list[int]:
        monkeypatch.setattr(module, "work", work)
        one, other = socket.socketpair()
        with other:
            main([str(one.detach())])
        return codes

    yield run
    loop.close()


@pytest.mark.parametrize(
    ("error", "code", "is_told"), [(None, 0, False), (EOFError(), 1, False), (ProxyError("x"), 1, True),
                                   (SystemExit(3), 1, True)]
)  # fmt: skip
def test_it_leaves_whatever_happens(
    left: Callable[[Any], list[int]],
    lines: list[tuple[Any, ...]],
    *,
    error: BaseException | None,
    code: int,
    is_told: bool,
) -> None:
    async def work(end: socket.socket) -> None:
        end.close()
        if error:
            raise error

    assert left(work) == [code]
    assert lines == ([("bug", "worker", error)] if is_told else [])


def test_it_is_started_by_the_name_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(module, "main", told.append)
    monkeypatch.setattr(sys, "argv", ["proxy.workers", "7"])
    runpy.run_module("proxy.workers", run_name="__main__")
    assert told == [["7"]]
    assert not gc.isenabled(), "garbage is not looked for while all is loaded"
    gc.enable()


async def test_it_ends_when_the_supervisor_is_gone_before_it_has_begun() -> None:
    mine, others = socket.socketpair()
    mine.close()
    with pytest.raises(EOFError):
        await work(others)
    gc.collect()


def test_a_contact_comes_over_as_it_is() -> None:
    assert pickle.loads(pickle.dumps(AHMET)) == AHMET  # noqa: S301 - our own
