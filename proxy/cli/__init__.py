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
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, AttributeError):  # the reader has left, or there is none
            stream.flush()
    os._exit(code)
