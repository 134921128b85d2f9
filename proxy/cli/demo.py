"""Answers calls from a sample CRM, for `tanima demo`."""

import argparse
import sys

from proxy import logs
from proxy.cli.serve import serve_until_stopped
from proxy.config import load
from proxy.demo import demo_files, what_to_try


def run(options: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    logs.set_up()
    with demo_files() as config:
        return serve_until_stopped(
            load(config),
            options.listen,
            lambda url: print(what_to_try(url, config, sys.argv[0]), file=sys.stderr, flush=True),
        )
