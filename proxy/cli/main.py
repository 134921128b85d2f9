"""Reads the command line and runs what it asks for."""

import sys
from collections.abc import Sequence
from importlib import import_module

from proxy.cli.ending import FAILED, MISUSED
from proxy.cli.parser import parser_of_commands
from proxy.errors import ConfigError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and import no other: the module of its name has `run`. Return its exit code."""
    options = parser_of_commands().parse_args(arguments)
    try:
        code: int = import_module(f"proxy.cli.{options.command}").run(options)
    except ConfigError as exc:
        print(exc, file=sys.stdout if options.command == "check" else sys.stderr)
        return MISUSED
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return FAILED
    return code
