"""What can be done to a value in a placeholder: `{owner | odata}`, `{subscriber | mask('(###) ### ## ##')}`."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

Change = Callable[[str], str | None]
"""What a filter does to one text; None where it does not fit, such as a mask with other digits than the number has."""


class Shown(str):
    """Stands in a request that is only shown for a secret, or for what is not known yet. Nothing changes it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter with its argument."""

    name: str
    change: Change | None
    separator: str = ""
    """Of `join`, the only filter that makes one text of a list"""

    @property
    def kept_quotes(self) -> str:
        """The quotes between which its result can stand, whatever the value is."""
        return ESCAPING.get(self.name, "")

    def __call__(self, value: str | list[str]) -> str | list[str]:
        """Return a text changed, or a list with each of its texts changed and without those that do not fit."""
        if isinstance(value, list):
            if self.change is None:
                return self.separator.join(value)
            return list(dict.fromkeys(changed for each in value if (changed := self._changed(each)) is not None))
        changed = self._changed(value)
        return value if changed is None else changed

    def _changed(self, value: str) -> str | None:
        return value if isinstance(value, Shown) or self.change is None else self.change(value)


def _before(characters: str) -> Change:
    """Return the change that puts a backslash before each of some characters."""
    table = str.maketrans({character: "\\" + character for character in characters})
    return lambda value: value.translate(table)


_SOQL = str.maketrans({"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"})

PLAIN: Mapping[str, Change] = {
    "base64": lambda value: base64.b64encode(value.encode("utf-8", "replace")).decode("ascii"),
    "json": lambda value: json.dumps(value)[1:-1],
    "like": _before("\\%_"),
    "md5": lambda value: hashlib.md5(
        value.encode("utf-8", "replace"), usedforsecurity=False
    ).hexdigest(),  # Vtiger's log-in wants it
    "odata": lambda value: value.replace("'", "''"),
    "regex": _before("\\.^$*+?()[]{}|"),
    "soql": lambda value: value.translate(_SOQL),
    "sosl": _before("?&|!{}[]()^~*:\\\"'+-"),
    "url": lambda value: quote(value, safe="", errors="replace"),
}
"""Filters without an argument."""

ESCAPING: Mapping[str, str] = {
    "odata": "'",
    "json": '"',
    **dict.fromkeys(("soql", "sosl", "url", "base64", "md5"), "'\""),
}
"""Between which quotes the result of a filter can stand, if no other filter comes after it."""

ALLOWED = f"{', '.join(PLAIN)}, join('...'), last(N), mask('...')"


def filter_of(name: str, argument: str | None) -> Filter:
    """Return a filter. `argument` is as written: a quoted text, digits, or None. Raises ValueError."""
    if name in PLAIN and argument is None:
        return Filter(name, PLAIN[name])
    text = argument[1:-1] if argument is not None and argument[:1] in {"'", '"'} else None
    match name:
        case "join" if text is not None:
            return Filter(name, None, text)
        case "last" if argument is not None and argument.isdigit() and int(argument) > 0:
            count = int(argument)
            return Filter(name, lambda value: value[-count:])
        case "mask" if text is not None and "#" in text:
            return Filter(name, _mask(text))
    raise ValueError(f"uses the filter {name!r:.40}, which is none or is not written so - allowed: {ALLOWED}")


def can_stand_between(quotes: Sequence[str], filters: Sequence[Filter]) -> bool:
    """Tell whether a value that went through filters can end none of the quotes round it, the outermost first.

    The last filter sees to the outermost quotes, the one before it to the next: `"name = '{owner | odata | json}'"`.
    """
    left = [each for each in filters if each.change is not None]
    return all(left and quote in left.pop().kept_quotes for quote in quotes)


def _mask(mask: str) -> Change:
    parts: Sequence[str] = mask.split("#")

    def masked(value: str) -> str | None:
        if len(value) != len(parts) - 1 or not (value.isascii() and value.isdigit()):
            return None
        return parts[0] + "".join(digit + part for digit, part in zip(value, parts[1:], strict=True))

    return masked
