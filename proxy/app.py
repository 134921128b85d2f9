"""Runs a deployment: answers the switch, goes on with a changed configuration, survives a restart, and ends in time."""

import asyncio
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from watchfiles import Change, awatch

from proxy import detached, logs
from proxy.config.load import Configuration
from proxy.deployment import Deployment, Observers, snapshot_of
from proxy.detached import detach
from proxy.errors import ConfigError
from proxy.phone import PhoneNumber
from proxy.snapshot import Caps, SnapshotError
from proxy.upstream import Upstream
from proxy.web.admin import Erased, admin_application
from proxy.web.sockets import connections_to_be_had, switch_site, tell_ready
from proxy.web.switch import SwitchListener

OBSERVERS = Observers(logs.source_asked, logs.source_guarded, logs.bug)

LAST_MOMENTS = 0.9
"""Seconds beyond the deadline after which the server has ended, whatever still hangs."""

RETIRED_AFTER, RETIRED_BY = 5.0, 60.0
"""Seconds after which a source that is no longer in the TOML is closed: at the soonest, and with lookups under way."""

DEBOUNCE = 200
"""Milliseconds for which a file that is being written is left in peace."""


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
    reread: Callable[[], Configuration] | None = None
    """Reads it. Raises ConfigError"""


async def serve(start: Start) -> None:
    """Answer the switch until SIGTERM or SIGINT. Raises OSError when the address cannot be had."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    server = Server(start.configuration, start.reread)
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: detach(server.reload()))
    try:
        port = await server.start(start.listen)
        start.on_ready(port)
        tell_ready()
        if start.file is not None:
            detach(server.follow(start.file))
        await stop.wait()
    finally:
        await server.stop()


class Server:
    """A deployment that answers the switch. `reread` returns the configuration as it is now; it raises ConfigError."""

    def __init__(self, configuration: Configuration, reread: Callable[[], Configuration] | None = None) -> None:
        self.deployment = Deployment(configuration, OBSERVERS)
        self.refused_reloads = 0
        self._reread = reread
        self._reading = ThreadPoolExecutor(1, "configuration")  # hung drivers may have all of the default one
        self._reloading = asyncio.Lock()
        self._told: tuple[str, ...] = ()
        self._leaving: set[Upstream] = set()
        self._listener: SwitchListener | None = None
        self._runners: list[web.BaseRunner] = []
        self._snapshot = snapshot_of(configuration)
        self._stopping = asyncio.Event()
        self._writing = asyncio.Lock()
        self._written = -1
        """State of the cache of which there is a snapshot"""

    async def start(self, listen: tuple[str, int]) -> int:
        """Open the sources, take up what was known, and listen. Returns the port; raises OSError."""
        deployment = self.deployment
        await deployment.open(deployment.upstreams.values())
        await self._take_up()
        connections = connections_to_be_had(deployment.settings.switch.connections, logs.few_descriptors)
        self._listener = SwitchListener(deployment.answering(), logs.call_answered, logs.bug, connections)
        runner = web.ServerRunner(self._listener.server(), shutdown_timeout=deployment.settings.switch.deadline + 0.2)
        port = await self._listen(runner, lambda runner: switch_site(runner, listen))
        if (at := deployment.settings.admin.listen) is not None:
            detach(self._listen_to_the_operator(at))
        detach(self._keep_snapshots())
        return port

    async def stop(self) -> None:
        """Answer the calls that are waiting, and end, in little more time than a call may take."""
        self._stopping.set()
        all_by = time.monotonic() + self.deployment.settings.switch.deadline + LAST_MOMENTS

        def left(most: float) -> float:
            return max(0.05, min(most, all_by - time.monotonic()))

        last = detach(self._write_snapshot())
        for runner in self._runners:
            cleaning = detach(runner.cleanup())
            await asyncio.wait({cleaning}, timeout=left(self.deployment.settings.switch.deadline + 0.2))
        await asyncio.wait({last}, timeout=left(60))
        await detached.finish(left(0.3))
        await self.deployment.close({*self.deployment.upstreams.values(), *self._leaving}, left(1))
        self._reading.shutdown(wait=False)

    async def reload(self) -> None:
        """Go on with the configuration as it is now, whole; or with the old one, if anything is wrong with it."""
        if self._reread is None:
            return
        async with self._reloading:
            try:
                reading = asyncio.get_running_loop().run_in_executor(self._reading, self._reread)
                configuration = await reading
                self._check_addresses(configuration)
                await self._change(configuration)
            except ConfigError as exc:
                self.refused_reloads += 1
                if exc.problems != self._told:
                    logs.reload_refused(exc.problems, self.refused_reloads)
                self._told = exc.problems
            except Exception as exc:  # noqa: BLE001 - whatever it is, the calls go on
                self.refused_reloads += 1
                logs.bug("reload", exc)
            else:
                self._told = ()
                logs.reloaded(len(configuration.sources), len(configuration.settings.rules))
                for warning in configuration.warnings:
                    logs.configuration_warning(warning)

    async def follow(self, file: Path) -> None:
        """Reload whenever a file's content changes."""
        content = _content(file)
        names = {file.name, "..data"}  # the latter is exchanged where the file is a link, as in a mounted volume

        def is_about_it(_: Change, path: str) -> bool:
            return Path(path).name in names

        try:
            watching = awatch(
                file.parent, watch_filter=is_about_it, debounce=DEBOUNCE, stop_event=self._stopping, recursive=False
            )
            async for _ in watching:
                if (now := _content(file)) != content:
                    content = now
                    await self.reload()
        except OSError as exc:
            logs.bug("watching the configuration", exc)

    async def erase(self, number: PhoneNumber) -> Erased:
        """Drop all that is known about a number, also from the snapshot. Raises SnapshotError."""
        was_known = self.deployment.forget(number)
        for upstream in self._leaving:
            upstream.forget(number)
        has_snapshot = self._snapshot is not None
        self._written = -1
        await self._write_snapshot(or_raise=True)
        logs.erased(was_known)
        return Erased(was_known, has_snapshot)

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
        old = self.deployment
        new = Deployment(configuration, OBSERVERS, old)
        kept = {*old.upstreams.values()} & {*new.upstreams.values()}
        await new.open({*new.upstreams.values()} - kept)
        new.take_over()
        self.deployment = new
        if self._listener is not None:
            self._listener.answering = new.answering()
            self._listener.connections = connections_to_be_had(new.settings.switch.connections, logs.few_descriptors)
        self._snapshot = snapshot_of(configuration)
        self._written = -1
        if leaving := {*old.upstreams.values()} - kept:
            self._leaving |= leaving
            detach(self._retire(leaving))

    async def _retire(self, upstreams: set[Upstream]) -> None:
        """Close sources when the lookups that still ask them have ended."""
        await asyncio.sleep(RETIRED_AFTER)
        await asyncio.gather(*(upstream.settle(RETIRED_BY) for upstream in upstreams))
        await self.deployment.close(upstreams)
        self._leaving -= upstreams

    async def _listen(self, runner: web.BaseRunner, site_of: Callable[[web.BaseRunner], web.BaseSite]) -> int:
        if runner not in self._runners:
            await runner.setup()
            self._runners.append(runner)
        await site_of(runner).start()
        port: int = runner.addresses[0][1]
        return port

    async def _listen_to_the_operator(self, at: tuple[str, int]) -> None:
        """Open the operator's own address, as soon as it can be had: a server that is ending may still have it."""
        settings = self.deployment.settings
        token = settings.admin.token.get_secret_value() if settings.admin.token else None
        application = admin_application(token, self.erase, settings.switch.region)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
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
                return

    async def _take_up(self) -> None:
        if self._snapshot is None:
            return
        started = time.monotonic()
        try:
            cache = self.deployment.settings.cache
            caps = Caps(cache.ttl, cache.negative_ttl, cache.stale)
            count = await self._snapshot.read_into(self.deployment.directory.cache, caps)
        except SnapshotError as exc:
            logs.snapshot_failed(exc)
        else:
            logs.snapshot_read(count, time.monotonic() - started)

    async def _keep_snapshots(self) -> None:
        while True:
            await asyncio.sleep(self.deployment.settings.cache.snapshot_every)
            await self._write_snapshot()

    async def _write_snapshot(self, *, or_raise: bool = False) -> None:
        """Write what has changed since the last time."""
        async with self._writing:
            snapshot, cache = self._snapshot, self.deployment.directory.cache
            changes = cache.changes
            if snapshot is None or self._written == changes:
                return
            try:
                await snapshot.write(cache)
            except SnapshotError as exc:
                if or_raise:
                    raise
                logs.snapshot_failed(exc)
            else:
                self._written = changes


def _content(file: Path) -> bytes | None:
    with suppress(OSError):
        return file.read_bytes()
    return None
