"""The command line: `tanima serve`, `check`, `route`, `sources` and `demo`."""

import logging
import os
import sys
from typing import NoReturn

from proxy.cli.main import main

__all__ = ["main", "run"]


def run() -> NoReturn:
    """Run the command line and leave, also when a driver's thread still hangs: nobody will wait for it."""
    code = main()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
