"""What the statuses and the errors of HTTP mean: trouble that may pass, or something that the operator must mend."""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import aiohttp

from proxy.adapter import AdapterError, Unavailable

LONGEST_REST = 3600.0
"""Seconds; a CRM that asks for a longer rest is asked again after this."""

_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?")
_CODE = re.compile(
    r"(?=.{1,64}\Z)(?:[A-Za-z]+(?:[_.-][A-Za-z]+)+|[A-Z]+|[A-Za-z]+(?:Error|Exception|Denied|Unauthorized|Forbidden)"
    r"|Unauthorized|[a-z]+(?:[A-Z][a-z]+)+|0x[0-9A-Fa-f]{8})"
)
"""What can be no name of anybody"""

Meaning = tuple[type[AdapterError], str]

BY_STATUS: Mapping[int, Meaning] = {
    401: (AdapterError, "the CRM refuses our credentials"),
    403: (AdapterError, "the CRM refuses our credentials"),
    408: (Unavailable, "the CRM waited too long for the request"),
    429: (Unavailable, "the CRM asks for fewer requests"),
    503: (Unavailable, "the CRM is out of service"),
}

BY_HUNDRED: Mapping[int, Meaning] = {
    2: (AdapterError, ""),
    3: (AdapterError, "the CRM redirects, which is not followed"),
    4: (AdapterError, "the CRM does not accept the request"),
    5: (Unavailable, "the CRM has trouble of its own"),
}
"""For the statuses that are not in BY_STATUS. Success has no message."""

BY_TYPE: tuple[tuple[type[Exception], type[AdapterError], str], ...] = (
    (
        aiohttp.ClientConnectorCertificateError,
        AdapterError,
        "the CRM's certificate is not trusted, has ended, or is for another name",
    ),
    (aiohttp.ClientConnectorDNSError, Unavailable, "the name of the CRM's host cannot be resolved"),
    (aiohttp.ClientSSLError, Unavailable, "the CRM cannot be reached by TLS"),
    (aiohttp.ClientConnectorError, Unavailable, "the CRM cannot be reached"),
    (TimeoutError, Unavailable, "the CRM took too long"),
    (aiohttp.ServerDisconnectedError, Unavailable, "the CRM hung up without an answer"),
    (aiohttp.ClientPayloadError, Unavailable, "the CRM's answer breaks off"),
    (aiohttp.ClientResponseError, AdapterError, "what the CRM answers is not HTTP"),
    (OSError, Unavailable, "the connection to the CRM was lost"),
    (aiohttp.ClientError, AdapterError, "the CRM cannot be asked"),
)
"""The first that fits. Their own texts are left out: they have the URL in them, and so the number."""


def meaning_of(exc: aiohttp.ClientError | OSError) -> AdapterError:
    """Return what to raise for what aiohttp raises."""
    return next(error(message) for kind, error, message in BY_TYPE if isinstance(exc, kind))


def check_status(status: int, code: str = "") -> None:
    """Raise AdapterError for any status but success. `code` is the CRM's own word for it."""
    if status in BY_STATUS:
        error, message = BY_STATUS[status]
    else:
        error, message = BY_HUNDRED.get(status // 100, (AdapterError, "what the CRM answers is not HTTP"))
    if message:
        raise error(f"{message} ({status}{code and f', {code}'})")


def code_of(said: object) -> str:
    """Return what the CRM calls its error, such as `INVALID_SESSION_ID`; nothing for what could hold anything else."""
    return said if isinstance(said, str) and _CODE.fullmatch(said) else ""


def seconds_of_rest(header: str | None) -> float | None:
    """Return for how long the CRM wants to be left alone, at most LONGEST_REST; None when it does not say.

    `header` is a number of seconds, or a date as in HTTP.
    """
    if header is None:
        return None
    text = header.strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(seconds, LONGEST_REST) if seconds > 0 else None
