"""What others have written, as it may be shown at a terminal."""


def visible(text: str) -> str:
    r"""Return a text in one line, with what a terminal would obey or hide written as `\x1b`, `\n` or `\xa0`."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
