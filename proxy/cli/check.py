"""Checks a configuration, for `tanima check`."""

import argparse

from proxy.cli.ending import FAILED
from proxy.cli.waiting import run_to_the_end
from proxy.config import load


def run(options: argparse.Namespace) -> int:
    """Do it, and return the exit code."""
    configuration = load(options.config)
    settings = configuration.settings
    print(f"{options.config}: good. Sources: {len(settings.sources)}, rules: {len(settings.rules)}.")
    for warning in configuration.warnings:
        print(f"warning: {warning}")
    for note in configuration.notes:
        print(f"note: {note}")
    if not options.live:
        return 0
    from proxy.cli.live import inspect_sources  # noqa: PLC0415 - with it come aiohttp and all that answers calls

    lines, fits = run_to_the_end(inspect_sources(configuration))
    print("\n".join(lines))
    return 0 if fits else FAILED
