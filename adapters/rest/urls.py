"""URLs of the options: their host is fixed, whatever is filled into them."""

import re
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from yarl import URL

_HOST = re.compile(r"[\w.:\[\]-]+")

_IN_PLACEHOLDER = re.compile(r"(?<=\{)[^{}/|+]*[|+][^{}]*(?=\})")
"""What stands in a placeholder with filters may look like a part of a URL: mask('##')."""

_ALLOWED = "allowed: such as https://crm.example.com/contacts/{e164}"


def split_url(text: str) -> tuple[str, str]:
    """Return scheme, host and port; and all that follows. Raises ValueError when the host is not fixed."""
    try:
        parts = urlsplit(_IN_PLACEHOLDER.sub("x", text))
        is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or not text.isprintable() or "\\" in text:
        raise ValueError(f"is no URL of http or https - {_ALLOWED}")
    if "{" in parts.netloc:
        raise ValueError(f"has a placeholder in its host - {_ALLOWED}")
    if "@" in parts.netloc or parts.fragment:
        raise ValueError(f"has a user or a fragment - {_ALLOWED}; basic = {{ user, password }} logs in")
    if not _HOST.fullmatch(parts.netloc):
        raise ValueError(f"has a host that cannot be one - {_ALLOWED}")
    try:
        origin = str(URL(f"{parts.scheme}://{parts.netloc}").origin())
    except ValueError as exc:
        raise ValueError(f"has a host that cannot be one - {_ALLOWED}") from exc
    return origin, text[len(f"{parts.scheme}://{parts.netloc}") :]


def is_relative(text: str) -> bool:
    """Tell whether a URL is only a path on the source's own host."""
    return text.startswith("/") and not text.startswith("//") and text.isprintable() and "\\" not in text


def is_on_one_of(origin: str, hosts: list[str]) -> bool:
    """Tell whether a host is among those that are allowed, such as `*.my.salesforce.com`."""
    host = URL(origin).host or ""
    return any(fnmatchcase(host, pattern.lower()) for pattern in hosts)


def origin_of(url: str) -> str | None:
    """Return scheme, host and port; None when the URL is only a path. Raises ValueError for another."""
    return None if is_relative(url) else split_url(url)[0]
