"""Reads the command line and runs what it asks for."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from proxy import logs
from proxy.app import Start, serve
from proxy.cli.ask import ask_sources, explain_call
from proxy.cli.call import Terminal, hold_call
from proxy.cli.erase import erase
from proxy.cli.init import list_of_recipes, write_recipe
from proxy.cli.live import inspect_sources
from proxy.cli.probe import TRIALS, probe
from proxy.cli.rehearse import rehearse, replaying
from proxy.cli.waiting import run_to_the_end
from proxy.config import Configuration, load
from proxy.config.values import parse_listen, url_of
from proxy.demo import demo_files, what_to_try
from proxy.deployment import dialects_of
from proxy.errors import ConfigError, ProxyError
from proxy.following import content_of
from proxy.keys import CustomerNumber
from proxy.target import GRAMMAR, Target

FAILED, MISUSED = 1, 2
"""Exit codes beside 0: what was asked for failed; the command line or the configuration is wrong."""


YEARS = range(1970, 2200)
"""What `--at` takes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        run: Callable[[argparse.Namespace], int] = options.run
        return run(options)
    except ConfigError as exc:
        print(exc, file=sys.stdout if options.run is _check else sys.stderr)
        return MISUSED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tanima",
        description="Tells a telephone switch who is calling and where the call goes, out of the company's own CRM.",
        epilog="New here? `tanima demo` answers calls from a sample CRM and shows what to try.",
    )
    parser.add_argument("--version", action="version", version=f"tanima {version('tanima')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = _command(commands, "serve", _serve, "answer the switch", "Answers the switch until it is told to stop.")
    _add_config(command)
    _add_listen(command, "where the switch finds us, in the place of switch.listen")

    command = _command(
        commands,
        "check",
        _check,
        "check a configuration",
        "Checks a configuration without using it. Prints one line for each problem, `key: what is wrong - what is "
        "allowed`, and ends with exit code 2 when there is any. With --live it also asks the sources, for a number "
        "that nobody has, and ends with exit code 1 when the configuration does not fit them.",
    )
    _add_config(command)
    command.add_argument("--live", action="store_true", help="also ask the sources whether it fits them")

    command = _command(
        commands,
        "route",
        _route,
        "explain where a call would go",
        "Asks the sources about one number and explains the decision, without a server: how the number was read, what "
        "each source said, the contact's fields, every rule and why it did or did not match, and the answer.",
    )
    command.add_argument("number", metavar="NUMBER", help="the caller, as the switch would send it; '' when withheld")
    _add_config(command)
    command.add_argument("--called", metavar="NUMBER", help="the number that was dialled")
    command.add_argument(
        "--customer-number",
        type=_customer_number,
        metavar="DIGITS",
        help="explain it as it would be after the caller has keyed this",
    )
    command.add_argument(
        "--at", type=_moment, metavar="TIME", help="when it rings, such as 2026-11-23T14:00; now when left out"
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument(
        "--dry-run",
        action="store_true",
        help="print the requests that would be sent, with secrets masked; send nothing",
    )
    command.add_argument(
        "--replay",
        action="append",
        metavar="[SOURCE=]FILE",
        help="take an answer from a file, as curl -i prints it or its body alone, and ask nobody; once a request",
    )

    command = _command(
        commands,
        "call",
        _call,
        "be the caller of a call",
        "Holds one call in the terminal, from its first question to its target: shows what the switch would ask and be "
        "told, and lets you key, or say, what a caller would. Ctrl-D hangs up. Lookups are real, and limits count.",
    )
    command.add_argument("number", metavar="NUMBER", help="the caller, as the switch would send it; '' when withheld")
    _add_config(command)
    command.add_argument("--called", metavar="NUMBER", help="the number that was dialled")
    command.add_argument(
        "--at", type=_moment, metavar="TIME", help="when it rings, such as 2026-11-23T14:00; now when left out"
    )

    command = _command(
        commands,
        "sources",
        _sources,
        "ask each source whether it is there",
        "Asks each source of a configuration whether its CRM answers. Ends with exit code 1 when one does not.",
    )
    _add_config(command)

    command = _command(
        commands,
        "erase",
        _erase,
        "forget a number",
        "Drops all that is kept about a number: in the running server, which is asked at [admin] listen, and in the "
        "snapshot of the cache. What the CRM has stays there: erase it there first, or the next call finds it again.",
    )
    command.add_argument("number", metavar="NUMBER", help="the number, as the switch would send it")
    _add_config(command)

    command = _command(
        commands,
        "probe",
        _probe,
        "measure on a test number what the switch tolerates",
        "Answers the calls of a test number late or wrongly, on purpose, and tells what the switch does then: how long "
        "it waits, and whether it asks again. Each new call gets the next trial: an answer after 0, 1, 2, 3, 5, 8, 13, "
        "20, 30 seconds; then at once HTTP 500, HTTP 404, JSON that breaks off, an empty body, JSON without a target, "
        "no answer. Asks no CRM. Sums up at Ctrl-C. Not for numbers that customers call: see docs/probe.md.",
    )
    _add_config(command)
    _add_listen(command, "where the switch finds us, in the place of switch.listen")
    command.add_argument(
        "--target", type=_target, metavar="TARGET", help="where answered calls go; switch.default when left out"
    )
    command.add_argument(
        "--only",
        choices=[trial.name for trial in TRIALS],
        metavar="TRIAL",
        help=f"repeat one trial: {', '.join(trial.name for trial in TRIALS)}",
    )

    command = _command(
        commands,
        "init",
        _init,
        "write a configuration from a recipe",
        "Writes a configuration for a known CRM, to be completed: its comments tell what must be checked on site. "
        "Without --recipe it lists the recipes that there are.",
    )
    command.add_argument("--recipe", metavar="NAME", help="which CRM, such as logo")
    command.add_argument(
        "file", nargs="?", type=Path, default=Path("config.toml"), metavar="FILE", help="config.toml when left out"
    )

    command = _command(
        commands,
        "demo",
        _demo,
        "answer calls from a sample CRM",
        "Serves on a sample CRM of made-up customers, and prints what to try.",
    )
    _add_listen(command, "where to listen; 127.0.0.1:8080 when left out")
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    description: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=summary, description=description)
    command.set_defaults(run=run)
    return command


def _add_config(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config",
        type=Path,
        default=Path("config.toml"),
        metavar="FILE",
        help="the deployment's TOML; config.toml when left out (see config.example.toml)",
    )


def _add_listen(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--listen", type=_address, metavar="HOST:PORT", help=text)


def _address(text: str) -> tuple[str, int]:
    try:
        return parse_listen(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _target(text: str) -> Target:
    try:
        return Target.parse(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - of no year that is taken
    if moment.year not in YEARS:
        raise argparse.ArgumentTypeError("is not a time - allowed: such as 2026-11-23T14:00")
    return moment


def _customer_number(text: str) -> CustomerNumber:
    try:
        return CustomerNumber(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def _serve(options: argparse.Namespace) -> int:
    logs.set_up()
    content = content_of(options.config)
    return _serve_until_stopped(load(options.config), options.listen, lambda _: None, options.config, content)


def _serve_until_stopped(
    configuration: Configuration,
    listen: tuple[str, int] | None,
    on_ready: Callable[[str], None],
    file: Path | None = None,
    content: bytes | None = None,
) -> int:
    """Serve; with a `file` it goes on with what that says when it has another content."""
    for warning in configuration.warnings:
        logs.configuration_warning(warning)
    host, port = listen or configuration.settings.switch.listen

    def ready(real_port: int) -> None:
        logs.listening(host, real_port)
        on_ready(url_of(host, real_port))

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(logs.loop_error)
        await serve(Start(configuration, (host, port), ready, file, content, (lambda: load(file)) if file else None))

    return _run_at(host, port, run())


def _run_at(host: str, port: int, listening: Coroutine[Any, Any, None]) -> int:
    try:
        run_to_the_end(listening)
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
