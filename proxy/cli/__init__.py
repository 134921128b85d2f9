"""The command line: `tanima serve`, `check`, `route`, `sources` and `demo`."""

import logging
import os
import sys
from contextlib import suppress
from typing import NoReturn

from proxy.cli.main import main

__all__ = ["main", "run"]


def run() -> NoReturn:
    """Run the command line and leave, also when a driver's thread still hangs: nobody will wait for it."""
    code = main()
    for handler in logging.getLogger().handlers:
        handler.flush()
    with suppress(OSError, AttributeError):  # the reader has left, or there is none
        sys.stdout.flush()  # not stderr: what is left there is no whole line, and its reader may hang
    os._exit(code)
