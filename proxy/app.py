"""Runs a deployment: answers the switch, goes on with a changed configuration, survives a restart, and ends in time."""

import asyncio
import gc
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from proxy import detached, logs, tracing
from proxy.config.load import Configuration
from proxy.deployment import Deployment, caps_of, snapshot_of
from proxy.detached import detach, wait_at_most
from proxy.errors import ConfigError, DeadlineExceeded
from proxy.following import changes, content_of
from proxy.keeping import Keeper
from proxy.observing import Watch
from proxy.operating import Operation, shown_of
from proxy.upstream import Upstream
from proxy.web.connections import LimitedServer
from proxy.web.listener import Listener
from proxy.web.notify import Notifier
from proxy.web.sockets import connections_to_be_had, switch_site
from proxy.web.switch import SLACK, SwitchListener

LAST_MOMENTS = 0.9
"""Seconds beyond the deadline after which the server has ended, whatever still hangs."""

RETIRED_AFTER, RETIRED_BY = 5.0, 60.0
"""Seconds after which a source that is no longer in the TOML is closed: at the soonest, and with lookups under way."""

STARTING = 1.0
"""Seconds for which the first calls wait until sources are open; those that take longer go on opening."""

FIRST_CALLS = 0.1
"""Seconds in which calls that have waited for the start are answered, before what the operator sees is loaded."""

YOUNG = 10_000
"""Objects that are made before the youngest are looked through for garbage: each lookup under way has some hundred."""

READING = 10.0
"""Seconds in which the configuration must have been read again."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a server is started with."""

    configuration: Configuration
    listen: tuple[str, int]
    """Host, and port; 0 takes any"""
    on_ready: Callable[[int], None]
    """Gets the port"""
    file: Path | None = None
    """The TOML; the server goes on with what it says when it changes, and on SIGHUP"""
    content: bytes | None = None
    """What was in it when the configuration was read"""
    reread: Callable[[], Configuration] | None = None
    """Reads it. Raises ConfigError"""


def new_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of a server that answers calls: uvloop's, where that is installed."""
    try:
        import uvloop  # noqa: PLC0415 - an optional package
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def serve(start: Start, server: "Server | None" = None) -> None:
    """Answer the switch until SIGTERM or SIGINT, by a server of its own or another. Raises OSError when it cannot."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    server, notifier = server or Server(start.configuration, start.reread), Notifier()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: detach(server.reload()))
    starting, stopping = detach(server.start(start.listen)), detach(stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            start.on_ready(starting.result())
            notifier.ready()
            detach(notifier.live())
            gc.freeze()  # what is there now stays, and calls need not wait while it is looked through for garbage
            gc.set_threshold(YOUNG)
            if start.file is not None:
                detach(server.follow(start.file, start.content))
            await stopping
    finally:
        starting.cancel()
        notifier.stopping()
        await server.stop()


class Server:
    """A deployment that answers the switch. `reread` returns the configuration as it is now; it raises ConfigError."""

    def __init__(
        self,
        configuration: Configuration,
        reread: Callable[[], Configuration] | None = None,
        watch: Watch | None = None,
        keeper: type[Keeper] = Keeper,
    ) -> None:
        self._watch = watch or Watch(lambda: self.deployment.settings.switch.deadline + SLACK)
        self.deployment = Deployment(configuration, self._watch.observers())
        self._reread = reread
        self._file: Path | None = None
        self._content: bytes | None = None
        self._reading = ThreadPoolExecutor(1, "configuration")  # hung drivers may have all of the default one
        self._reloading = asyncio.Lock()
        self._told: tuple[str, ...] = ()
        self._listener: SwitchListener | None = None
        self._runners: list[web.BaseRunner] = []
        snapshot = snapshot_of(configuration)
        self._keeper = keeper(snapshot, lambda: self.deployment.directory.cache, self._watch.snapshot_failed)
        self.operation: Operation = Operation(self.deployment, self._watch, self._keeper)
        self._stopping = asyncio.Event()

    async def start(self, listen: tuple[str, int]) -> int:
        """Open the sources, take up what was known, and listen. Returns the port; raises OSError."""
        async with self._reloading:
            deployment = self.deployment
            await deployment.open(deployment.upstreams.values(), STARTING)
            await self._keeper.take_up(caps_of(deployment.settings.cache))
            connections = connections_to_be_had(deployment.settings.switch.connections, logs.few_descriptors)
            watch = self._watch
            self._listener = SwitchListener(
                deployment.answering, watch.calls_answered, watch.bug, connections, watch.calls_repeated
            )
            server = self.operation.listening["switch"] = self._listener.server()
            runner = web.ServerRunner(server)
            port = await self._listen(runner, lambda runner: self._site(runner, listen))
            if (at := deployment.settings.admin.listen) is not None:
                asyncio.get_running_loop().call_later(FIRST_CALLS, self._open_to_the_operator, at)
            detach(self._keeper.keep(lambda: self.deployment.settings.cache.snapshot_every))
            return port

    async def stop(self) -> None:
        """Answer the calls that are waiting, and end, in little more time than a call may take."""
        self._stopping.set()
        all_by = time.monotonic() + self.deployment.settings.switch.deadline + LAST_MOMENTS

        def left(most: float) -> float:
            return max(0.05, min(most, all_by - time.monotonic()))

        last = detach(self._keeper.try_to_write())
        for runner in self._runners:
            cleaning = detach(runner.cleanup())
            await asyncio.wait({cleaning}, timeout=left(self.deployment.settings.switch.deadline + 0.2))
        await asyncio.wait({last}, timeout=left(60))
        self._keeper.let_go()
        await detached.finish(left(0.3))
        await self.deployment.close({*self.deployment.upstreams.values(), *self.operation.leaving}, left(1))
        await tracing.finish(left(0.3))
        self._reading.shutdown(wait=False)

    async def reload(self) -> None:
        """Go on with the configuration as it is now, whole; or with the old one, if anything is wrong with it."""
        if self._reread is None:
            return
        async with self._reloading:
            try:
                configuration = await self._read_again(self._reread)
                self._check_addresses(configuration)
                await self._change(configuration)
            except ConfigError as exc:
                self.operation.is_refused = True
                self._watch.reload_refused(exc.problems if exc.problems != self._told else ())
                self._told = exc.problems
            except Exception as exc:  # noqa: BLE001 - whatever it is, the calls go on
                self.operation.is_refused = True
                self._watch.reload_refused(())
                self._watch.bug("reload", exc)
            else:
                self._told = ()
                self.operation.is_refused = False
                self._watch.reloaded(len(configuration.sources), len(configuration.settings.rules))
                for warning in configuration.warnings:
                    logs.configuration_warning(warning)

    async def follow(self, file: Path, content: bytes | None) -> None:
        """Reload whenever a file's content changes; `content` is what it was when it was read first."""
        self._file, self._content = file, content
        async for _ in changes(file, lambda: self._content, self._stopping):
            await self.reload()

    async def _read_again(self, reread: Callable[[], Configuration]) -> Configuration:
        """Read the configuration in a thread, as files may lie on a disk that hangs. Raises ConfigError."""

        async def read() -> Configuration:
            loop = asyncio.get_running_loop()
            if self._file is not None:  # before all else: if it changes meanwhile, it is read once more
                self._content = await loop.run_in_executor(self._reading, content_of, self._file)
            return await loop.run_in_executor(self._reading, reread)

        try:
            return await wait_at_most(READING, detach(read()))
        except DeadlineExceeded as exc:
            self._reading.shutdown(wait=False)
            self._reading = ThreadPoolExecutor(1, "configuration")
            raise ConfigError(["the configuration cannot be read in time - allowed: files that can be read"]) from exc

    def _check_addresses(self, configuration: Configuration) -> None:
        new, old = configuration.settings, self.deployment.settings
        pairs = (("switch.listen", new.switch.listen, old.switch.listen), ("admin", new.admin, old.admin))
        problems = [
            f"{key}: cannot be changed while it runs - allowed: as it was, or a restart"
            for key, wanted, there in pairs
            if wanted != there
        ]
        if problems:
            raise ConfigError(problems)

    async def _change(self, configuration: Configuration) -> None:
        loop, shown = asyncio.get_running_loop(), None
        if "admin" in self.operation.listening:
            shown = await loop.run_in_executor(self._reading, shown_of, configuration)  # or calls would wait for it
        old = self.deployment
        new = Deployment(configuration, self._watch.observers(), old)
        kept = {*old.upstreams.values()} & {*new.upstreams.values()}
        await new.open({*new.upstreams.values()} - kept)
        new.take_over()
        self.deployment = new
        self.operation.change(new, shown)
        if self._listener is not None:
            self._listener.answering = new.answering
            self._listener.connections = connections_to_be_had(new.settings.switch.connections, logs.few_descriptors)
        if new.directory is not old.directory:
            detach(old.let_go())
        if leaving := {*old.upstreams.values()} - kept:
            self.operation.leaving |= leaving
            detach(self._retire(leaving))
        await self._keeper.change(snapshot_of(configuration))

    async def _retire(self, upstreams: set[Upstream]) -> None:
        """Close sources when the lookups that still ask them have ended."""
        await asyncio.sleep(RETIRED_AFTER)
        await asyncio.gather(*(upstream.settle(RETIRED_BY) for upstream in upstreams))
        await self.deployment.close(upstreams)
        self.operation.leaving -= upstreams

    def _site(self, runner: web.BaseRunner, listen: tuple[str, int]) -> web.BaseSite:
        """Return where the switch is answered."""
        return switch_site(runner, listen)

    async def _listen(self, runner: web.BaseRunner, site_of: Callable[[web.BaseRunner], web.BaseSite]) -> int:
        if runner not in self._runners:
            await runner.setup()
            self._runners.append(runner)
        site = site_of(runner)
        try:
            await site.start()
        except OSError:
            await site.stop()  # or the runner would keep it
            raise
        port: int = runner.addresses[0][1]
        return port

    def _listener_of_the_operator(self) -> Listener:
        """Return it. In a thread: what pages are made with takes long to load, and calls are answered already."""
        from proxy.web.admin import AdminListener  # noqa: PLC0415 - in the thread, as its templates are slow to load

        self.operation.shown()
        admin = self.deployment.settings.admin
        token, push_token = (each.get_secret_value() if each else None for each in (admin.token, admin.push_token))
        return AdminListener(self.operation, token, push_token, self._watch.bug)

    def _open_to_the_operator(self, at: tuple[str, int]) -> None:
        if not self._stopping.is_set():
            detach(self._listen_to_the_operator(at))

    async def _listen_to_the_operator(self, at: tuple[str, int]) -> None:
        """Open the operator's own address, as soon as it can be had: a server that is ending may still have it."""
        try:
            listener = await asyncio.get_running_loop().run_in_executor(self._reading, self._listener_of_the_operator)
        except Exception as exc:  # noqa: BLE001 - calls go on without it
            self._watch.bug("admin", exc)
            return
        server = self.operation.listening["admin"] = LimitedServer(listener)
        runner = web.ServerRunner(server)
        is_told = False
        while True:
            try:
                await self._listen(runner, lambda runner: web.TCPSite(runner, *at))
            except OSError as exc:
                if not is_told:
                    logs.admin_unreachable(*at, exc.strerror or str(exc))
                    is_told = True
                await asyncio.sleep(1)
            else:
                if self._stopping.is_set():  # it has come too late, and nobody else closes it
                    await runner.cleanup()
                return
