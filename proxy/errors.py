"""Everything that is raised on purpose.

    ProxyError
    ├── ConfigError           the TOML, the environment or a secret file is wrong; carries every problem
    ├── InvalidNumber         a text that is no valid phone number
    └── AdapterError          a lookup gave no answer, and asking again at once would not help
        └── Unavailable       trouble that may pass: the only error that is tried again
            ├── DeadlineExceeded   the proxy's own: a source or the whole lookup took too long
            ├── CircuitOpen        the proxy's own: the source is left alone for a while, and was not asked
            └── Overloaded         the proxy's own: too many lookups are under way, and the source was not asked

A message is one sentence for an operator. It never holds a phone number, a name or a secret.
"""

import re
from collections.abc import Sequence
from typing import TypeVar

E = TypeVar("E", bound=BaseException)

_MANY_DIGITS = re.compile(r"\+?[0-9](?:[0-9 .()-]*[0-9]){6,}")
_IP_ADDRESS = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}")


class ProxyError(Exception):
    """Base of all errors that are raised on purpose."""


class ConfigError(ProxyError):
    """The configuration cannot be used.

    `problems` has one line for each thing that is wrong: `key: what is wrong - what is allowed`.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class InvalidNumber(ProxyError):
    """A text is no valid phone number; the message says why, without the text."""


class AdapterError(ProxyError):
    """A lookup ended without an answer, for a reason that will not pass by itself.

    What may be a phone number in the message is not told, whoever has written it.
    """

    def __str__(self) -> str:
        return without_digits(super().__str__())


class Unavailable(AdapterError):
    """A lookup ended without an answer, for a reason that may pass.

    `retry_after`: seconds for which the CRM asked to be left alone, or None.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeadlineExceeded(Unavailable):
    """An attempt, or the whole lookup, took longer than it may."""


class CircuitOpen(Unavailable):
    """A source was not asked: it has failed too often, or has asked to be left alone."""


class Overloaded(Unavailable):
    """A source was not asked: as many lookups as it may have are under way."""


def without_digits(text: str) -> str:
    """Return a text without what may be a phone number."""
    return _MANY_DIGITS.sub(lambda found: found[0] if _IP_ADDRESS.fullmatch(found[0]) else "***", text)


def without_frames(error: E) -> E:
    """Return an error that lets go of the frames through which it, and what led to it, has come.

    They hold the tasks and lists that hold the error: only the garbage collector could free them all, and calls would
    wait for it.
    """
    left: BaseException | None = error
    while left is not None and left.__traceback__ is not None:
        left.__traceback__ = None
        left = left.__cause__ or left.__context__
    return error
