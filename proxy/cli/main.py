"""Reads the command line and runs what it asks for."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from proxy import logs, tracing
from proxy.app import Server, Start, new_loop, serve
from proxy.cli.ask import ask_sources, explain_call
from proxy.cli.call import Terminal, hold_call
from proxy.cli.erase import erase
from proxy.cli.init import list_of_recipes, write_recipe
from proxy.cli.journal import last_calls
from proxy.cli.live import inspect_sources
from proxy.cli.parser import Run, parser_of
from proxy.cli.probe import TRIALS, probe
from proxy.cli.rehearse import rehearse, replaying
from proxy.cli.waiting import run_to_the_end
from proxy.config import Configuration, load
from proxy.config.values import url_of
from proxy.demo import demo_files, what_to_try
from proxy.deployment import dialects_of
from proxy.errors import ConfigError, ProxyError
from proxy.following import content_of
from proxy.target import GRAMMAR
from proxy.workers.supervisor import Supervisor

FAILED, MISUSED = 1, 2
"""Exit codes beside 0: what was asked for failed; the command line or the configuration is wrong."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = parser_of(_RUNS).parse_args(arguments)
    try:
        run: Run = options.run
        return run(options)
    except ConfigError as exc:
        print(exc, file=sys.stdout if options.run is _check else sys.stderr)
        return MISUSED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return FAILED


def _serve(options: argparse.Namespace) -> int:
    logs.set_up()
    tracing.set_up()
    file, content = options.config, content_of(options.config)
    configuration = load(file, content)
    if options.workers == 1:
        return _serve_until_stopped(configuration, options.listen, lambda _: None, (file, content))
    if content is None:
        _fail("--workers: the configuration comes by a pipe - allowed: a file, or one worker", MISUSED)
    supervisor = Supervisor(configuration, file, content, options.workers)
    return _serve_until_stopped(configuration, options.listen, lambda _: None, (file, content), supervisor)


def _serve_until_stopped(
    configuration: Configuration,
    listen: tuple[str, int] | None,
    on_ready: Callable[[str], None],
    read: tuple[Path, bytes | None] | None = None,
    server: Server | None = None,
) -> int:
    """Serve; if it was `read` from a file with some content, it goes on with what that says when it has another."""
    for warning in configuration.warnings:
        logs.configuration_warning(warning)
    host, port = listen or configuration.settings.switch.listen

    def ready(real_port: int) -> None:
        logs.listening(host, real_port)
        on_ready(url_of(host, real_port))

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(logs.loop_error)
        file, content = read or (None, None)
        reread = (lambda: load(file)) if file else None
        await serve(Start(configuration, (host, port), ready, file, content, reread), server)

    return _run_at(host, port, run(), new_loop if server is None else asyncio.new_event_loop)


def _run_at(
    host: str,
    port: int,
    listening: Coroutine[Any, Any, None],
    of_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
) -> int:
    try:
        run_to_the_end(listening, of_loop)
    except (OSError, UnicodeError) as exc:
        reason = getattr(exc, "strerror", None) or exc
        _fail(f"cannot listen at {host}:{port} ({reason}) - allowed: a free address of this machine")
    return 0


def _check(options: argparse.Namespace) -> int:
    configuration = load(options.config)
    settings = configuration.settings
    print(f"{options.config}: good. Sources: {len(settings.sources)}, rules: {len(settings.rules)}.")
    for warning in configuration.warnings:
        print(f"warning: {warning}")
    for note in configuration.notes:
        print(f"note: {note}")
    if not options.live:
        return 0
    lines, fits = run_to_the_end(inspect_sources(configuration))
    print("\n".join(lines))
    return 0 if fits else FAILED


def _route(options: argparse.Namespace) -> int:
    configuration = load(options.config)
    if options.dry_run and (options.replay or options.json):
        _fail("--dry-run goes with neither --replay nor --json - allowed: one of them", MISUSED)
    if options.dry_run:
        print(rehearse(configuration, options.number, options.customer_number))
        return 0
    if options.replay:
        try:
            configuration = replaying(configuration, options.replay)
        except ValueError as exc:
            _fail(str(exc))
    asked = explain_call(configuration, options.number, options.called, options.at, options.customer_number)
    explained = run_to_the_end(asked)
    print(explained.as_json() if options.json else explained.as_text())
    return 0


def _call(options: argparse.Namespace) -> int:
    def ask(question: str) -> str:
        print(question, end="", flush=True)
        line = sys.stdin.readline()
        if not sys.stdin.isatty():
            print(line.rstrip("\n"))  # which a terminal has shown already
        if not line:
            raise EOFError
        return line

    terminal = Terminal(print, ask)
    run_to_the_end(hold_call(load(options.config), options.number, options.called, options.at, terminal))
    return 0


def _sources(options: argparse.Namespace) -> int:
    lines, all_answer = run_to_the_end(ask_sources(load(options.config)))
    print("\n".join(lines))
    return 0 if all_answer else FAILED


def _erase(options: argparse.Namespace) -> int:
    configuration = load(options.config)
    try:
        print("\n".join(run_to_the_end(erase(configuration, options.number))))
    except ProxyError as exc:
        _fail(str(exc))
    return 0


def _journal(options: argparse.Namespace) -> int:
    configuration = load(options.config)
    try:
        for line in run_to_the_end(last_calls(configuration, options.since, as_json=options.json)):
            print(line)
    except ProxyError as exc:
        _fail(str(exc))
    return 0


def _probe(options: argparse.Namespace) -> int:
    configuration = load(options.config)
    switch = configuration.settings.switch
    target = options.target or switch.default
    if not all(dialect.can_say(target) for dialect in dialects_of(configuration.settings)):
        _fail(f"--target: switch.dialect {switch.dialect} cannot always say it - allowed: {GRAMMAR}", MISUSED)
    trials = [trial for trial in TRIALS if options.only in {None, trial.name}]
    host, port = options.listen or switch.listen
    return _run_at(host, port, probe(configuration, (host, port), target, trials, lambda line: print(line, flush=True)))


def _init(options: argparse.Namespace) -> int:
    if options.recipe is None:
        print("\n".join(list_of_recipes()))
        return 0
    try:
        print("\n".join(write_recipe(options.recipe, options.file)))
    except ValueError as exc:
        _fail(str(exc))
    return 0


def _demo(options: argparse.Namespace) -> int:
    logs.set_up()
    with demo_files() as config:
        return _serve_until_stopped(
            load(config),
            options.listen,
            lambda url: print(what_to_try(url, config, sys.argv[0]), file=sys.stderr, flush=True),
        )


def _fail(message: str, code: int = FAILED) -> NoReturn:
    print(f"tanima: {message}", file=sys.stderr)
    raise SystemExit(code)


_RUNS: Mapping[str, Run] = {
    "serve": _serve,
    "check": _check,
    "route": _route,
    "call": _call,
    "sources": _sources,
    "erase": _erase,
    "journal": _journal,
    "probe": _probe,
    "init": _init,
    "demo": _demo,
}
