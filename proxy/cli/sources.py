"""Asks each source whether it is there, for `tanima sources`."""

import argparse

from proxy.cli.ask import ask_sources
from proxy.cli.ending import FAILED
from proxy.cli.waiting import run_to_the_end
from proxy.config import load


def run(options: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    lines, all_answer = run_to_the_end(ask_sources(load(options.config)))
    print("\n".join(lines))
    return 0 if all_answer else FAILED
