"""Answers the switch, for `tanima serve` and `tanima demo`."""

import argparse
import asyncio
from collections.abc import Callable
from pathlib import Path

from proxy import logs, tracing
from proxy.addresses import url_of
from proxy.app import Server, Start, new_loop, serve
from proxy.cli.ending import MISUSED, fail
from proxy.cli.listening import run_at
from proxy.config import Configuration, load
from proxy.following import content_of


def run(options: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    logs.set_up()
    tracing.set_up()
    file, content = options.config, content_of(options.config)
    configuration = load(file, content)
    if options.workers == 1:
        return serve_until_stopped(configuration, options.listen, lambda _: None, (file, content))
    if content is None:
        fail("--workers: the configuration comes by a pipe - allowed: a file, or one worker", MISUSED)
    from proxy.workers.supervisor import Supervisor  # noqa: PLC0415 - most servers have one worker, and need none

    supervisor = Supervisor(configuration, file, content, options.workers)
    return serve_until_stopped(configuration, options.listen, lambda _: None, (file, content), supervisor)


def serve_until_stopped(
    configuration: Configuration,
    listen: tuple[str, int] | None,
    on_ready: Callable[[str], None],
    read: tuple[Path, bytes | None] | None = None,
    server: Server | None = None,
) -> int:
    """Serve; if it was `read` from a file with some content, go on with what that says when it has another.

    `on_ready` gets the URL. Returns the exit code.
    """
    for warning in configuration.warnings:
        logs.configuration_warning(warning)
    host, port = listen or configuration.settings.switch.listen

    def ready(real_port: int) -> None:
        logs.listening(host, real_port)
        on_ready(url_of(host, real_port))

    async def until_stopped() -> None:
        asyncio.get_running_loop().set_exception_handler(logs.loop_error)
        file, content = read or (None, None)
        reread = (lambda: load(file)) if file else None
        await serve(Start(configuration, (host, port), ready, file, content, reread), server)

    return run_at(host, port, until_stopped(), new_loop if server is None else asyncio.new_event_loop)
