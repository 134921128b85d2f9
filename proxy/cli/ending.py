"""How a command ends that cannot do what it was asked for."""

import sys
from typing import NoReturn

FAILED, MISUSED = 1, 2
"""Exit codes beside 0: what was asked for failed; the command line or the configuration is wrong."""


def fail(message: str, code: int = FAILED) -> NoReturn:
    """End the command with a sentence for whoever typed it."""
    print(f"tanima: {message}", file=sys.stderr)
    raise SystemExit(code)
