"""The command line, `tanima`: each command is a module beside this one, and has `run`."""

import gc
import logging
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import NoReturn

from proxy.cli.main import main

__all__ = ["main", "run"]


def run() -> NoReturn:
    """Run the command line and leave, also when a driver's thread still hangs: nobody will wait for it."""
    gc.disable()  # what is loaded stays; to look through it again and again takes an eighth of a start
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # or it reads about every installed package
    if isinstance(sys.stdout, TextIOWrapper):  # a name that the terminal's letters cannot write stops nothing
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = main()
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except Exception:  # noqa: BLE001 - told as Python tells it, but for waiting
        sys.excepthook(*sys.exc_info())
        code = 1
    for handler in logging.getLogger().handlers:
        handler.flush()
    with suppress(OSError, AttributeError):  # the reader has left, or there is none
        sys.stdout.flush()  # not stderr: what is left there is no whole line, and its reader may hang
    os._exit(code)
