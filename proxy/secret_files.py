"""Secrets that stand in files of their own: the key `x_file` names the file whose content is `x`."""

import stat
from pathlib import Path
from typing import Any


def read_secret_file(table: dict[str, Any], name: str, folder: Path) -> Path | None:
    """Put the content of the file that `name` with `_file` behind it names into its place, and return the file.

    None when there is no such key. Raises ValueError, with what is allowed.
    """
    named = table.get(f"{name}_file")
    if not isinstance(named, str):
        return None
    if name in table:
        raise ValueError(f"{name} and {name}_file are both given - allowed: one of them")
    file = folder / named
    table[name] = _content(name, file)
    del table[f"{name}_file"]
    return file


def is_readable_by_everybody(file: Path) -> bool:
    """Tell whether any user of this machine may read a file."""
    try:
        return bool(file.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _content(name: str, file: Path) -> str:
    try:
        is_file = stat.S_ISREG(file.stat().st_mode)  # a pipe would be waited for
        content = file.read_text(encoding="utf-8").strip() if is_file else ""
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "not UTF-8 text"
        raise ValueError(f"{name}_file cannot be read ({reason}) - allowed: a readable file") from exc
    if not is_file:
        raise ValueError(f"{name}_file is no file - allowed: a readable file")
    if not content:
        raise ValueError(f"{name}_file is empty - allowed: a file with the secret in it")
    return content
