"""Explains where a call would go, for `tanima route`."""

import argparse

from proxy.cli.ask import explain_call
from proxy.cli.ending import MISUSED, fail
from proxy.cli.rehearse import rehearse, replaying
from proxy.cli.waiting import run_to_the_end
from proxy.config import load


def run(options: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    configuration = load(options.config)
    if options.dry_run and (options.replay or options.json):
        fail("--dry-run goes with neither --replay nor --json - allowed: one of them", MISUSED)
    if options.dry_run:
        print(rehearse(configuration, options.number, options.customer_number))
        return 0
    if options.replay:
        try:
            configuration = replaying(configuration, options.replay)
        except ValueError as exc:
            fail(str(exc))
    asked = explain_call(configuration, options.number, options.called, options.at, options.customer_number)
    explained = run_to_the_end(asked)
    print(explained.as_json() if options.json else explained.as_text())
    return 0
