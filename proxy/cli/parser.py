"""What can be typed behind `tanima`."""

import argparse
import re
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from proxy.addresses import parse_listen
from proxy.cli.trials import TRIALS
from proxy.keys import CustomerNumber
from proxy.target import Target

YEARS = range(1970, 2200)
"""What `--at` takes."""

WORKERS = range(1, 65)
"""What `--workers` takes."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
"""Seconds of a span of time, as `--since` takes it."""


def parser_of_commands() -> argparse.ArgumentParser:
    """Return the parser of the command line; what it reads has the `command`, a module beside this, and its options."""
    parser = argparse.ArgumentParser(
        prog="tanima",
        description="Tells a telephone switch who is calling and where the call goes, out of the company's own CRM.",
        epilog="New here? `tanima demo` answers calls from a sample CRM and shows what to try.",
    )
    parser.add_argument("--version", action="version", version=f"tanima {version('tanima')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = _command(commands, "serve", "answer the switch", "Answers the switch until it is told to stop.")
    _add_config(command)
    _add_listen(command, "where the switch finds us, in the place of switch.listen")
    command.add_argument(
        "--workers",
        type=_workers,
        default=1,
        metavar="N",
        help="how many processes answer, for several cores; 1 when left out, which takes a thousand calls a second",
    )

    command = _command(
        commands,
        "check",
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
        "explain where a call would go",
        "Asks the sources about one number and explains the decision, without a server: how the number was read, what "
        "each source said, the contact's fields, every rule and why it did or did not match, and the answer.",
    )
    _add_a_call(command)
    command.add_argument(
        "--customer-number",
        type=_customer_number,
        metavar="DIGITS",
        help="explain it as it would be after the caller has keyed this",
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
        "be the caller of a call",
        "Holds one call in the terminal, from its first question to its target: shows what the switch would ask and be "
        "told, and lets you key, or say, what a caller would. Ctrl-D hangs up. Lookups are real, and limits count.",
    )
    _add_a_call(command)

    command = _command(
        commands,
        "sources",
        "ask each source whether it is there",
        "Asks each source of a configuration whether its CRM answers. Ends with exit code 1 when one does not.",
    )
    _add_config(command)

    command = _command(
        commands,
        "erase",
        "forget a number",
        "Drops all that is kept about a number: in the running server, which is asked at [admin] listen, and in the "
        "snapshot of the cache. What the CRM has stays there: erase it there first, or the next call finds it again.",
    )
    command.add_argument("number", metavar="NUMBER", help="the number, as the switch would send it")
    _add_config(command)

    command = _command(
        commands,
        "journal",
        "tell of the last calls",
        "Prints the last calls of the running server, which is asked at [admin] listen, a line for each: when, who "
        "(masked), where to, why, and what the sources said. A thousand of each sort are kept: calls that failed, "
        "calls that did not, and requests that were refused.",
    )
    _add_config(command)
    command.add_argument(
        "--since",
        type=_span,
        default=3600.0,
        metavar="SPAN",
        help="how far back, such as 90s, 15m or 2d; 1h when left out",
    )
    command.add_argument("--json", action="store_true", help="print a line of JSON for each, with what became of rules")

    command = _command(
        commands,
        "probe",
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
        "answer calls from a sample CRM",
        "Serves on a sample CRM of made-up customers, and prints what to try.",
    )
    _add_listen(command, "where to listen; 127.0.0.1:8080 when left out")
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    summary: str,
    description: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=summary, description=description)
    command.set_defaults(command=name)
    return command


def _add_config(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config",
        type=Path,
        default=Path("config.toml"),
        metavar="FILE",
        help="the deployment's TOML; config.toml when left out (see config.example.toml)",
    )


def _add_a_call(command: argparse.ArgumentParser) -> None:
    command.add_argument("number", metavar="NUMBER", help="the caller, as the switch would send it; '' when withheld")
    _add_config(command)
    command.add_argument("--called", metavar="NUMBER", help="the number that was dialled")
    command.add_argument(
        "--at", type=_moment, metavar="TIME", help="when it rings, such as 2026-11-23T14:00; now when left out"
    )


def _add_listen(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--listen", type=_address, metavar="HOST:PORT", help=text)


def _workers(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) in WORKERS):
        raise argparse.ArgumentTypeError(f"is no number of workers - allowed: {WORKERS[0]} to {WORKERS[-1]}")
    return int(text)


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


def _span(text: str) -> float:
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError("is no span of time - allowed: a number and s, m, h or d, such as 1h")
    return float(match[1]) * _UNITS[match[2]]


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
