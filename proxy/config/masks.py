"""What may be shown of a text in the configuration, by what it looks like and by the keys above it."""

import re
from functools import lru_cache
from urllib.parse import urlsplit

from proxy.config.doubts import SECRET_NAME, SECRET_WORD

MASK = "***"

FEW_DIGITS = 7
"""From so many on, what stands in a contact may be a telephone number."""

HARMLESS_HEADERS = frozenset(
    {
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "content-type",
        "prefer",
        "user-agent",
        "x-requested-with",
    }
)
"""All others may be what a CRM knows us by."""

_FREE = frozenset({"query", "body", "form", "each", "secrets", "parameters"})
"""Tables of our adapters whose keys are the CRM's; elsewhere we know what is a secret."""

_OF_OURS = frozenset({"key", "client_auth", "token_url"})
"""Keys of our adapters that are called like secrets"""

_LOOKS_LIKE_A_SECRET = re.compile(
    r"://[^\s@]*:[^\s@]*@"  # user:password@
    r"|^(?i:https?)://[^/?#\s]+@"  # token@
    rf"|[?&;#]\S*{SECRET_WORD}[^=&\s]*(?:=|%3[dD])(?![={{&]|$)"  # ?key=...
    r"|(?i:https?)://[^/]+/(?:.*/)?(?:"  # a code in a path, as of a webhook
    r"(?=[\w:~-]*[0-9])(?=[\w:~-]*[A-Za-z])[\w:~-]{12,}"
    r"|(?!(?:[a-z]{1,14}[_-])+[a-z]{1,14}(?:[/?#]|$))[\w~-]{20,}"
    r"|[\w-]{8,}\.[\w-]{8,}\.[\w-]{4,}"
    r")(?:[/?#]|$)"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}"  # a JSON web token
    r"|(?i:passw\w*|pwd|secret|(?:access|account|api)_?key)=(?![\s=:{]|$)",  # host=... password=...
    re.ASCII,
)

_SIGNS = frozenset("/=.%")
"""One of these is in all that looks like a secret."""

_VARIABLE = re.compile(r"(\$\{[A-Za-z_]\w*\})", re.ASCII)
_PLACEHOLDER = re.compile(r"(\$?\{[^{}]*\})")
_DIGIT_BEFORE_THE_LAST_TWO = re.compile(r"\d(?=(?:\D*\d){2})")


def shown(text: str, keys: tuple[str, ...] = (), *, is_ours: bool = False) -> str:
    """Return what may be shown of a text that stands below such keys of a source's options, if of one.

    Only in options of our own adapters are {names} placeholders, and no secrets.
    """
    if text and is_hidden(keys, is_ours=is_ours):
        parts = (_PLACEHOLDER if is_ours else _VARIABLE).split(text)  # each other one is what it has split at
        return "".join(part if place % 2 or not part.strip() else MASK for place, part in enumerate(parts))
    if not _SIGNS.isdisjoint(text) and _LOOKS_LIKE_A_SECRET.search(_VARIABLE.sub("{}", text)):
        return without_secret(text)
    return _without_number(text) if "contacts" in keys else text


@lru_cache
def is_hidden(keys: tuple[str, ...], *, is_ours: bool) -> bool:
    """Tell whether all texts below such keys are hidden; paths of files with secrets are not."""
    if not keys or keys[-1].endswith("_file"):
        return False
    for place, key in enumerate(keys):
        if key.lower().endswith("headers"):
            return not HARMLESS_HEADERS.intersection(name.lower() for name in keys[place + 1 : place + 2])
    if is_ours:
        free = [place for place, key in enumerate(keys) if key in _FREE]
        of_the_record = "fields" in keys or "values" in keys or keys[-1] in _OF_OURS
        keys = keys[free[0] :] if free else () if of_the_record else keys[-1:]
    return any(SECRET_NAME.search(key) for key in keys)


def _without_number(text: str) -> str:
    is_long = sum(map(str.isdigit, text)) >= FEW_DIGITS
    return _DIGIT_BEFORE_THE_LAST_TWO.sub("•", text) if is_long else text


def without_secret(text: str) -> str:
    """Return what may be shown of a secret: of a URL, where it leads."""
    try:
        url = urlsplit(text)
        port = f":{url.port}" if url.port else ""
    except ValueError:
        return MASK
    is_url = url.scheme and url.hostname and ("@" in url.netloc or "@" not in text)  # else a password has a / in it
    return f"{url.scheme}://{url.hostname}{port}/{MASK}" if is_url else MASK
