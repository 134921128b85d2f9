"""How much is tried where more of it finds rarer mistakes: a part in `make test`, all of it in `make at-length`."""

import os

AT_LENGTH = bool(os.environ.get("AT_LENGTH"))


def at_length(whole: int, *, otherwise: int) -> int:
    """Return how many are tried."""
    return whole if AT_LENGTH else otherwise
