"""The server: it answers until it is told to stop, and goes on with what its TOML says."""

import asyncio
import gc
import json
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import watchfiles
from aiohttp import ClientSession

from proxy import app, following, logs, operating
from proxy.app import Server, Start, serve
from proxy.config import Configuration
from proxy.dialogue import Progress
from proxy.errors import ConfigError, Unavailable
from proxy.following import content_of
from proxy.journal import Answered
from proxy.metrics import METRICS
from proxy.model import Contact, Reason
from proxy.operating import shown_of
from proxy.phone import PhoneNumber
from proxy.snapshot import SnapshotError
from proxy.web import admin
from proxy.web.operated import Shown
from proxy.web.switch import SLACK
from tests.servers import free_port
from tests.unit.deployed import configured
from tests.unit.fakes import AHMET, NUMBER, OTHER_NUMBER, After, FakeAdapter, Lifelong, Stubborn
from tests.unit.test_journal import answered

ANYWHERE = ("127.0.0.1", 0)
KEY = "made-up-made-up-made-up"
AHMET_SAID = {"name": "Ahmet Yılmaz", "target": "queue/200"}
PATIENT: Mapping[str, Any] = {"timeouts": (10,), "switch": {"default": "queue/200", "deadline": 20}}
"""Of a server that waits for a slow source however busy the machine is"""


class Told:
    """What was written to the log, by the name of the function."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: list[tuple[str, tuple[Any, ...]]] = []
        for name in (
            "calls_answered", "source_asked", "bug", "reloaded", "reload_refused", "snapshot_read", "snapshot_failed",
            "erased", "invalidated", "configuration_warning", "few_descriptors", "admin_unreachable",
        ):  # fmt: skip
            monkeypatch.setattr(logs, name, self._noting(name))

    def __call__(self, name: str) -> list[tuple[Any, ...]]:
        return [arguments for written, arguments in self.lines if written == name]

    def _noting(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.lines.append((name, arguments))


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    told = Told(monkeypatch)
    young = gc.get_threshold()
    yield told
    gc.unfreeze()
    gc.set_threshold(*young)
    assert told("bug") == []


async def served(
    configuration: Configuration,
    act: Callable[[str], Any],
    signal_number: int = signal.SIGTERM,
    *,
    file: Path | None = None,
    reread: Callable[[], Configuration] | None = None,
) -> Any:
    """Serve while `act` is at work with the URL, then stop by a signal; return what `act` did."""
    ports: asyncio.Queue[int] = asyncio.Queue()
    content = content_of(file) if file else None
    serving = asyncio.ensure_future(serve(Start(configuration, ANYWHERE, ports.put_nowait, file, content, reread)))
    port = await asyncio.wait_for(ports.get(), 10)
    done = await act(f"http://127.0.0.1:{port}")
    signal.raise_signal(signal_number)
    await asyncio.wait_for(serving, 10)
    return done


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[str]:
    """Let a server run, and yield its URL."""
    port = await server.start(ANYWHERE)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.stop()


async def ask(url: str, number: str = "05301234567") -> Any:
    async with ClientSession() as session, session.get(f"{url}/musteri.json", params={"telefon": number}) as response:
        return await response.json()


def in_turn(*configurations: Configuration | Exception) -> Callable[[], Configuration]:
    """Return what reads them one after another."""
    left = [*configurations]

    def read() -> Configuration:
        configuration = left.pop(0)
        if isinstance(configuration, Exception):
            raise configuration
        return configuration

    return read


async def until(condition: Callable[[], object]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not come about")


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
async def test_calls_are_answered_until_a_signal_comes(signal_number: int, told: Told) -> None:
    adapter = Lifelong(AHMET)
    assert await served(configured(adapter), ask, signal_number) == AHMET_SAID
    (((answered,),),) = told("calls_answered")
    assert isinstance(answered, Answered)
    assert answered.decision.reason is Reason.NO_RULE
    assert adapter.life == ["open", "close"]


async def test_what_is_there_at_the_start_is_not_looked_through_for_garbage() -> None:
    async def frozen(_: str) -> tuple[int, int]:
        return gc.get_freeze_count(), gc.get_threshold()[0]

    assert gc.get_freeze_count() == 0
    count, young = await served(configured(FakeAdapter(AHMET)), frozen)
    assert count > 10_000
    assert young == app.YOUNG


async def test_a_call_in_flight_gets_its_answer_while_the_server_stops() -> None:
    is_asked = asyncio.Event()

    class Signalling(FakeAdapter):
        async def lookup(self, key: PhoneNumber) -> Any:
            is_asked.set()
            return await super().lookup(key)

    async def begin(url: str) -> "asyncio.Future[Any]":
        asking = asyncio.ensure_future(ask(url))
        await asyncio.wait_for(is_asked.wait(), 5)
        return asking

    asking = await served(configured(Signalling(After(0.1, AHMET)), **PATIENT), begin)
    assert await asking == AHMET_SAID


async def test_an_address_that_is_taken_is_an_os_error_and_everything_is_closed() -> None:
    adapter = Lifelong(AHMET)
    with socket.create_server(ANYWHERE) as taken, pytest.raises(OSError, match="address already in use"):
        await serve(Start(configured(adapter), taken.getsockname(), lambda _: None))
    assert adapter.life == ["open", "close"]


async def test_connections_that_say_nothing_do_not_hold_up_the_stop() -> None:
    async def connect(url: str) -> asyncio.StreamWriter:
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"GET /musteri.json")
        return writer

    started = asyncio.get_running_loop().time()
    writer = await served(configured(FakeAdapter(AHMET)), connect)
    assert asyncio.get_running_loop().time() - started < 8
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


# ------------------------------------------------------------------------------------- another configuration


async def test_a_good_configuration_counts_from_then_on(told: Told) -> None:
    first, second = Lifelong(AHMET), Lifelong(Contact("Other"))
    other = configured(second, timeouts=(2,), options={"x": 1}, switch={"default": "queue/299"})
    server = Server(configured(first), in_turn(other))
    async with running(server) as url:
        assert await ask(url) == AHMET_SAID
        await server.reload()
        assert await ask(url) == {"name": "Other", "target": "queue/299"}
        assert len(server.deployment.directory.cache) == 1
        assert told("reloaded") == [(1, 0)]
        assert first.life == ["open"], "calls may still be asking it"
    assert (first.life, second.life) == (["open", "close"], ["open", "close"])


async def test_what_was_known_by_other_sources_goes_when_no_call_can_need_it_any_more() -> None:
    first = FakeAdapter(AHMET, After(0.1, Unavailable("out of service")))
    switch = {"default": "queue/200", "deadline": 0.5}
    other = configured(FakeAdapter(None), options={"x": 1})
    server = Server(configured(first, switch=switch, cache={"ttl": 0.01}), in_turn(other))
    async with running(server) as url:
        assert await ask(url) == AHMET_SAID
        await asyncio.sleep(0.02)
        asking, before = asyncio.ensure_future(ask(url)), server.deployment
        before.dialogues.memory.begin(("a-call", NUMBER, None), Progress)
        await until(lambda: len(first.asked) > 1)
        await server.reload()
        assert await asking == AHMET_SAID, "the CRM has failed, and he was known when he called"
        assert (len(before.directory.cache), len(before.dialogues.memory)) == (1, 1)
        await until(lambda: len(before.directory.cache) == 0)
        assert len(before.dialogues.memory) == 0


async def test_a_source_that_is_gone_is_closed_when_nobody_asks_it_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "RETIRED_AFTER", 0.01)
    asked = asyncio.Event()

    class Asked(Lifelong):
        async def lookup(self, key: PhoneNumber) -> Any:
            asked.set()
            return await super().lookup(key)

    first, second = Asked(After(0.3, AHMET)), Lifelong(None)
    server = Server(configured(first, **PATIENT), in_turn(configured(second, **{**PATIENT, "timeouts": (2,)})))
    async with running(server) as url:
        asking = asyncio.ensure_future(ask(url))
        await asked.wait()
        await server.reload()
        await asyncio.sleep(0.1)
        assert first.life == ["open"]
        assert await asking == AHMET_SAID
        await until(lambda: first.life == ["open", "close"])
        assert second.life == ["open"]


async def test_a_source_that_is_gone_and_hangs_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "RETIRED_AFTER", 0.01)
    monkeypatch.setattr(app, "RETIRED_BY", 0.01)
    first = Lifelong(Stubborn(1, AHMET))
    switch = {"default": "queue/200", "deadline": 0.05}
    changed = configured(FakeAdapter(None), timeouts=(2,), switch=switch)
    server = Server(configured(first, switch=switch), in_turn(changed))
    async with running(server) as url:
        assert await ask(url) == {"target": "queue/200"}
        await server.reload()
        await until(lambda: first.life == ["open", "close"])
        assert server.deployment.upstreams["crm"].under_way == 0


async def test_a_source_that_has_not_changed_stays_as_it_is() -> None:
    adapter, unused = Lifelong(AHMET), Lifelong(None)
    again = configured(unused, switch={"default": "queue/299"})
    server = Server(configured(adapter), in_turn(again))
    async with running(server) as url:
        await ask(url)
        await server.reload()
        assert await ask(url) == {"name": "Ahmet Yılmaz", "target": "queue/299"}
        assert len(adapter.asked) == 1, "what was known still is"
    assert (adapter.life, unused.life) == (["open", "close"], [])


async def test_a_bad_configuration_changes_nothing_and_is_told_of_once(told: Told) -> None:
    problem = "switch.default: is missing - allowed: a target"
    good = configured(FakeAdapter(AHMET))
    bad, worse = ConfigError([problem]), ConfigError([problem, "b: is bad - allowed: good"])
    server = Server(good, in_turn(bad, bad, worse, good, bad))
    async with running(server) as url:
        for _ in range(5):
            await server.reload()
        assert await ask(url) == AHMET_SAID
    assert told("reload_refused") == [(bad.problems, 1), (worse.problems, 3), (bad.problems, 4)]
    assert server.operation.figures.events["reload_refused"] == 4
    assert len(told("reloaded")) == 1


async def test_an_error_that_nobody_foresaw_changes_nothing_either(told: Told) -> None:
    server = Server(configured(FakeAdapter(AHMET)), in_turn(RuntimeError("a bug")))
    async with running(server) as url:
        await server.reload()
        assert await ask(url) == AHMET_SAID
    assert [where for where, _ in told("bug")] == ["reload"]
    told.lines.clear()


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        ({"switch": {"default": "queue/200", "listen": "127.0.0.1:1"}}, "switch.listen: cannot be changed"),
        ({"admin": {"listen": "127.0.0.1:1"}}, "admin: cannot be changed"),
    ],
)
async def test_addresses_cannot_be_changed_while_it_runs(sections: dict[str, Any], problem: str, told: Told) -> None:
    server = Server(configured(FakeAdapter(AHMET)), in_turn(configured(FakeAdapter(None), **sections)))
    async with running(server):
        await server.reload()
    (((told_of,), _),) = told("reload_refused")
    assert told_of.startswith(problem)


async def test_a_server_that_has_not_been_started_yet_can_be_reloaded() -> None:
    server = Server(configured(FakeAdapter(None)), in_turn(configured(FakeAdapter(AHMET), timeouts=(2,))))
    await server.reload()
    async with running(server) as url:
        assert await ask(url) == AHMET_SAID


async def test_a_server_that_is_starting_is_reloaded_when_it_has_started(told: Told) -> None:
    may_open = asyncio.Event()

    class Slow(Lifelong):
        async def open(self) -> None:
            await may_open.wait()
            await super().open()

    first, second = Slow(AHMET), Lifelong(Contact("Other"))
    server = Server(configured(first), in_turn(configured(second, timeouts=(2,), options={"x": 1})))
    starting = asyncio.ensure_future(server.start(ANYWHERE))
    await asyncio.sleep(0)
    reloading = asyncio.ensure_future(server.reload())
    await asyncio.sleep(0.05)
    assert (second.life, told("reloaded")) == ([], [])
    may_open.set()
    url = f"http://127.0.0.1:{await starting}"
    await reloading
    assert (await ask(url))["name"] == "Other"
    assert (await server.operation.erase(NUMBER)).was_known
    await server.stop()


async def test_sources_that_are_slow_to_open_do_not_keep_the_first_calls_waiting(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "STARTING", 0.05)
    may_open = asyncio.Event()

    class Slow(FakeAdapter):
        async def open(self) -> None:
            await may_open.wait()

    async with running(Server(configured(Slow(AHMET)))) as url:
        assert "name" not in await ask(url), "it is answered without the source, which is not asked yet"
        may_open.set()
        await asyncio.sleep(0)
        assert await ask(url) == AHMET_SAID
    assert [where for where, _ in told("bug")] == ["crm"]
    told.lines.clear()


async def test_a_signal_that_comes_while_it_starts_ends_it_soon() -> None:
    class Stuck(Lifelong):
        async def open(self) -> None:
            signal.raise_signal(signal.SIGTERM)
            await asyncio.Event().wait()

    adapter = Stuck(AHMET)
    ready: list[int] = []
    started = asyncio.get_running_loop().time()
    await serve(Start(configured(adapter), ANYWHERE, ready.append))
    assert asyncio.get_running_loop().time() - started < app.STARTING
    assert (ready, adapter.life) == ([], ["close"])


async def test_a_configuration_that_cannot_be_read_in_time_changes_nothing(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "READING", 0.05)
    goes_on = threading.Event()
    good = configured(FakeAdapter(None), switch={"default": "queue/299"})

    def read() -> Configuration:
        if not told("reload_refused"):
            goes_on.wait(5)
        return good

    server = Server(configured(FakeAdapter(AHMET)), read)
    async with running(server) as url:
        await server.reload()
        assert await ask(url) == AHMET_SAID
        (((problem,), _),) = told("reload_refused")
        assert problem.startswith("the configuration cannot be read in time")
        monkeypatch.setattr(app, "READING", 4)
        await server.reload()
        assert len(told("reloaded")) == 1, "what hangs does not hold up the next one"
    goes_on.set()


async def test_a_file_that_is_touched_is_not_reloaded(tmp_path: Path, told: Told) -> None:
    file = tmp_path / "config.toml"
    file.write_text("one", encoding="utf-8")

    async def act(_: str) -> None:
        await asyncio.sleep(0.3)
        file.write_text("one", encoding="utf-8")
        await asyncio.sleep(0.7)

    await served(configured(FakeAdapter(AHMET)), act, file=file, reread=in_turn(RuntimeError("it was read")))
    assert told("reloaded") == []


async def test_a_file_is_followed_until_the_server_stops(tmp_path: Path) -> None:
    server = Server(configured(FakeAdapter(AHMET)))
    following = asyncio.ensure_future(server.follow(tmp_path / "config.toml", None))
    await asyncio.sleep(0.1)
    assert not following.done()
    await server.stop()
    await asyncio.wait_for(following, 5)


async def test_without_a_file_there_is_nothing_to_reload(told: Told) -> None:
    server = Server(configured(FakeAdapter(AHMET)))
    await server.reload()
    assert told.lines == []


async def test_warnings_are_told_of_again(told: Told) -> None:
    again = configured(FakeAdapter(AHMET))
    again = Configuration(again.settings, again.sources, warnings=("config.toml can be read by everybody",))
    server = Server(configured(FakeAdapter(AHMET)), in_turn(again))
    async with running(server):
        await server.reload()
    assert told("configuration_warning") == [("config.toml can be read by everybody",)]


async def test_sighup_and_a_changed_file_reload(tmp_path: Path, told: Told) -> None:
    file = tmp_path / "config.toml"
    file.write_text("one", encoding="utf-8")

    def read() -> Configuration:
        return configured(FakeAdapter(AHMET), switch={"default": f"queue/{len(file.read_text(encoding='utf-8'))}"})

    async def change(url: str) -> list[Any]:
        said = [await ask(url, "1003")]
        await asyncio.sleep(0.3)
        (tmp_path / "other.log").write_text("nothing to do with it", encoding="utf-8")
        file.write_text("longer", encoding="utf-8")
        await until(lambda: told("reloaded"))
        said.append(await ask(url, "1003"))
        other = tmp_path / "new"
        other.write_text("even longer", encoding="utf-8")
        other.replace(file)
        await until(lambda: len(told("reloaded")) == 2)
        said.append(await ask(url, "1003"))
        signal.raise_signal(signal.SIGHUP)
        await until(lambda: len(told("reloaded")) == 3)
        return said

    said = await served(read(), change, file=file, reread=read)
    assert [each["target"] for each in said] == ["queue/3", "queue/6", "queue/11"]


async def test_a_file_that_is_put_back_after_a_signal_had_it_read_is_read_again(tmp_path: Path, told: Told) -> None:
    file = tmp_path / "config.toml"
    file.write_text("one", encoding="utf-8")
    read: list[str] = []

    def reread() -> Configuration:
        read.append(file.read_text(encoding="utf-8"))
        return configured(FakeAdapter(AHMET))

    async def change(_: str) -> None:
        await asyncio.sleep(0.3)
        file.write_text("two", encoding="utf-8")
        await until(lambda: told("reloaded"))
        file.write_text("one", encoding="utf-8")
        signal.raise_signal(signal.SIGHUP)
        await until(lambda: len(told("reloaded")) == 2)
        file.write_text("two", encoding="utf-8")
        await until(lambda: len(told("reloaded")) == 3)

    await served(configured(FakeAdapter(AHMET)), change, file=file, reread=reread)
    assert read == ["two", "one", "two"]


async def test_a_file_that_vanishes_for_a_moment_is_followed_on(tmp_path: Path, told: Told) -> None:
    file = tmp_path / "config.toml"
    file.write_text("one", encoding="utf-8")
    reread = in_turn(ConfigError(["config.toml: cannot be read"]), configured(FakeAdapter(None)))

    async def act(_: str) -> None:
        await asyncio.sleep(0.3)
        file.unlink()
        await until(lambda: told("reload_refused"))
        file.write_text("two", encoding="utf-8")
        await until(lambda: told("reloaded"))

    await served(configured(FakeAdapter(AHMET)), act, file=file, reread=reread)


async def test_where_files_cannot_be_watched_they_are_looked_at(
    tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwatchable(*_: object, **__: object) -> None:
        raise OSError("inotify limit reached")

    monkeypatch.setattr(watchfiles, "awatch", unwatchable)
    monkeypatch.setattr(following, "LOOK", 10)
    file = tmp_path / "config.toml"
    file.write_text("one", encoding="utf-8")

    async def act(_: str) -> None:
        file.write_text("two", encoding="utf-8")
        await until(lambda: told("reloaded"))

    await served(configured(FakeAdapter(AHMET)), act, file=file, reread=in_turn(configured(FakeAdapter(None))))


# ------------------------------------------------------------------------------------- snapshot, erase


def kept(folder: Path, adapter: FakeAdapter, **more: Any) -> Configuration:
    cache = {"snapshot": "cache.json", "snapshot_key": KEY, **more.pop("cache", {})}
    configuration = configured(adapter, cache=cache, **more)
    return Configuration(configuration.settings, configuration.sources, folder=folder)


async def test_what_is_known_survives_a_restart(tmp_path: Path, told: Told) -> None:
    async with running(Server(kept(tmp_path, FakeAdapter(AHMET)))) as url:
        assert await ask(url) == AHMET_SAID
    second = FakeAdapter(None)
    async with running(Server(kept(tmp_path, second))) as url:
        assert await ask(url) == AHMET_SAID
    assert second.asked == []
    assert [count for count, _ in told("snapshot_read")] == [0, 1]


async def test_it_is_written_every_so_often_when_something_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "cache.json"
    server = Server(kept(tmp_path, FakeAdapter(AHMET), cache={"snapshot_every": 1}))
    async with running(server) as url:
        await ask(url)
        await until(file.exists)
        written = file.stat().st_mtime_ns
        await asyncio.sleep(1.2)
        assert file.stat().st_mtime_ns == written
        await ask(url, "05321112233")
        await until(lambda: file.stat().st_mtime_ns > written)


async def test_one_that_cannot_be_read_is_told_of_and_costs_no_call(tmp_path: Path, told: Told) -> None:
    (tmp_path / "cache.json").write_text("nonsense", encoding="utf-8")
    async with running(Server(kept(tmp_path, FakeAdapter(AHMET)))) as url:
        assert await ask(url) == AHMET_SAID
    assert len(told("snapshot_failed")) == 1


async def test_one_that_cannot_be_written_is_told_of(tmp_path: Path, told: Told) -> None:
    async with running(Server(kept(tmp_path / "missing", FakeAdapter(AHMET)))) as url:
        assert len(told("snapshot_failed")) == 1, "at once"
        assert await ask(url) == AHMET_SAID
    assert len(told("snapshot_failed")) == 2


async def test_erasing_drops_what_is_known_and_writes_the_snapshot(tmp_path: Path, told: Told) -> None:
    server = Server(kept(tmp_path, FakeAdapter(AHMET)))
    async with running(server) as url:
        await ask(url)
        erased = await server.operation.erase(NUMBER)
        assert (erased.was_known, erased.snapshot) == (True, True)
        again = Server(kept(tmp_path, FakeAdapter(None)))
        async with running(again):
            assert len(again.deployment.directory.cache) == 0
        assert (await server.operation.erase(NUMBER)).was_known is False
    assert told("erased") == [(True,), (False,)]


async def test_erasing_that_cannot_be_written_down_is_an_error(tmp_path: Path, told: Told) -> None:
    server = Server(kept(tmp_path / "missing", FakeAdapter(AHMET)))
    async with running(server) as url:
        await ask(url)
        with pytest.raises(SnapshotError):
            await server.operation.erase(NUMBER)
    assert told("erased") == []


async def test_erasing_reaches_a_source_that_is_on_its_way_out(tmp_path: Path) -> None:
    class Keeping(Lifelong):
        def forget(self, _: PhoneNumber) -> None:
            self.life.append("forget")

    first = Keeping(AHMET)
    server = Server(configured(first), in_turn(configured(FakeAdapter(None), timeouts=(2,))))
    async with running(server):
        await server.reload()
        erased = await server.operation.erase(NUMBER)
    assert (erased.was_known, erased.snapshot) == (False, False)
    assert first.life == ["open", "forget", "close"]


async def test_a_bug_in_the_operators_pages_keeps_nobody_from_being_answered(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(admin, "AdminListener", broken)
    async with running(Server(configured(FakeAdapter(AHMET), admin={"listen": "127.0.0.1:9090"}))) as url:
        await until(lambda: told("bug"))
        assert await ask(url) == AHMET_SAID
    assert [where for where, _ in told("bug")] == ["admin"]
    told.lines.clear()


async def test_an_address_of_the_operator_that_is_taken_keeps_nobody_from_being_answered(told: Told) -> None:
    with socket.create_server(ANYWHERE) as taken:
        port = taken.getsockname()[1]
        server = Server(configured(FakeAdapter(AHMET), admin={"listen": f"127.0.0.1:{port}"}))
        async with running(server) as url:
            assert await ask(url) == AHMET_SAID
            await until(lambda: told("admin_unreachable"))
            await asyncio.sleep(1.1)
            assert [len(runner.sites) for runner in server._runners] == [1, 0], "no try leaves anything behind"
            taken.close()
            await until(lambda: is_open(port))
    assert [port_of for _, port_of, _ in told("admin_unreachable")] == [port]


def is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.mark.parametrize("token", [None, KEY])
async def test_the_operators_own_address_erases(token: str | None) -> None:
    port = free_port()
    admin = {"listen": f"127.0.0.1:{port}", **({"token": token} if token else {})}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with running(Server(configured(FakeAdapter(AHMET), admin=admin))) as url, ClientSession() as session:
        await ask(url)
        await until(lambda: is_open(port))
        sent = session.post(f"http://127.0.0.1:{port}/erase", json={"number": "05301234567"}, headers=headers)
        async with sent as response:
            assert json.loads(await response.text()) == {"was_known": True, "snapshot": False}


async def test_the_file_of_a_snapshot_that_is_moved_by_a_reload_is_removed(tmp_path: Path) -> None:
    moved = kept(tmp_path, FakeAdapter(None), cache={"snapshot": "other.json"})
    server = Server(kept(tmp_path, FakeAdapter(AHMET)), in_turn(moved, configured(FakeAdapter(None))))
    async with running(server) as url:
        await ask(url)
        await server.operation.erase(OTHER_NUMBER)
        assert contents(tmp_path) == [".cache.json.lock", "cache.json"]
        await server.reload()
        assert (await server.operation.erase(OTHER_NUMBER)).snapshot
        assert contents(tmp_path) == [".cache.json.lock", ".other.json.lock", "other.json"]
        await server.reload()
        assert not (await server.operation.erase(OTHER_NUMBER)).snapshot
    assert contents(tmp_path) == [".cache.json.lock", ".other.json.lock"]


async def test_a_snapshot_that_was_asked_for_while_one_is_written_is_written_too(tmp_path: Path) -> None:
    file = tmp_path / "cache.json"
    other_key = kept(tmp_path, FakeAdapter(AHMET), cache={"snapshot_key": KEY[::-1]})
    server = Server(kept(tmp_path, FakeAdapter(AHMET)), in_turn(other_key))
    async with running(server) as url:
        await ask(url)
        writing = asyncio.ensure_future(server.operation.erase(OTHER_NUMBER))
        await asyncio.sleep(0)
        await server.reload()
        await writing
        written = file.read_bytes()
    assert file.read_bytes() != written, "with the key of the reload"
    again = Server(other_key)
    async with running(again):
        assert len(again.deployment.directory.cache) == 1


def contents(folder: Path) -> Sequence[str]:
    return sorted(file.name for file in folder.iterdir())


async def test_an_answer_that_is_cut_off_at_the_deadline_is_not_late_and_one_long_after_it_is() -> None:
    server = Server(configured(FakeAdapter(AHMET), switch={"default": "queue/200", "deadline": 0.5}))
    for seconds in (0.49, 0.51, 0.69, 0.71):
        server._watch.calls_answered([replace(answered(), seconds=seconds)])
    assert server._watch.figures.late == 1
    assert [each.help for each in METRICS if each.name == "tanima_calls_late"] == [
        f"Answers more than {SLACK:g} s after the deadline."
    ]


async def test_nothing_but_the_snapshot_is_left_in_the_folder(tmp_path: Path) -> None:
    async with running(Server(kept(tmp_path, FakeAdapter(AHMET)))) as url:
        await ask(url)
    assert contents(tmp_path) == [".cache.json.lock", "cache.json"]


def test_the_loop_is_uvloops_where_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = app.new_loop()
    assert type(loop).__module__.startswith("uvloop")
    monkeypatch.setitem(sys.modules, "uvloop", None)
    other = app.new_loop()
    assert isinstance(other, asyncio.SelectorEventLoop)
    loop.close()
    other.close()


async def test_what_the_operator_sees_is_not_loaded_any_more_when_all_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    loaded: list[tuple[str, int]] = []

    async def load(_: Server, at: tuple[str, int]) -> None:
        loaded.append(at)

    monkeypatch.setattr(app, "FIRST_CALLS", 0)
    monkeypatch.setattr(Server, "_listen_to_the_operator", load)
    for ends in (False, True):
        server = Server(configured(FakeAdapter(AHMET), admin={"listen": f"127.0.0.1:{port}"}))
        await server.start(ANYWHERE)
        if ends:
            await server.stop()
        else:
            await until(lambda: loaded)
        await asyncio.sleep(0.01)
        assert loaded == [("127.0.0.1", port)]
        if not ends:
            await server.stop()


async def test_an_address_of_the_operator_that_comes_when_all_ends_is_closed_again() -> None:
    port = free_port()
    server = Server(configured(FakeAdapter(AHMET), admin={"listen": f"127.0.0.1:{port}"}))
    server._stopping.set()
    await server._listen_to_the_operator(("127.0.0.1", port))
    assert not is_open(port)
    assert server._runners
    await server.stop()


async def test_what_the_operator_is_shown_of_a_configuration_is_made_where_no_call_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[tuple[str, bool]] = []

    def noted(configuration: Configuration) -> Shown:
        made.append((str(configuration.file), threading.current_thread() is threading.main_thread()))
        return shown_of(configuration)

    for module in (app, operating):
        monkeypatch.setattr(module, "shown_of", noted)
    port = free_port()
    first, second = (
        replace(configured(FakeAdapter(AHMET), admin={"listen": f"127.0.0.1:{port}"}), file=Path(name))
        for name in ("first.toml", "second.toml")
    )
    server = Server(first, in_turn(second))
    async with running(server), ClientSession() as session:
        await until(lambda: is_open(port))
        for file in (first.file, second.file):
            async with session.get(f"http://127.0.0.1:{port}/configuration") as response:
                assert str(file) in await response.text()
            if file == first.file:
                await server.reload()
    assert made == [("first.toml", False), ("second.toml", False)]
