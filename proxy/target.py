"""Where a call goes, in the switch's own grammar: nothing else ever leaves in an answer."""

import re

from proxy.values import per_call

GRAMMAR = (
    "user/N, group/N, queue/N, ivr/N, voicemail/N or announcement/N (N: 1 to 6 digits), external/NUMBER, "
    "fax, fax/ADDRESS, hangup/hangup or hangup/busy"
)
"""What a target may look like, for messages; tts/LANGUAGE/TEXT is for switches that hold a dialogue."""

NUMBERED = frozenset({"user", "group", "queue", "ivr", "voicemail", "announcement"})
"""The kinds whose second part is a number inside the switch: the only ones that a CRM field may fill."""

LANGUAGES = ("tr-TR", "en-US", "ar-XA")
"""What the switch can speak."""

LONGEST_PHRASE = 300
"""Characters of a text to be spoken."""

SPOKEN = f"tts/LANGUAGE/TEXT, in {', '.join(LANGUAGES)}, with 1 to {LONGEST_PHRASE} characters and without braces"

_NUMBER = re.compile(r"[0-9]{1,6}")
_OUTSIDE_NUMBER = re.compile(r"\+?[0-9]{3,15}")
_MAIL_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")


@per_call(frozen=True, slots=True)
class Target:
    """One valid target. `str()` is what the switch is told."""

    kind: str
    """The part before the first slash: `user`, `queue`, `hangup`, ..."""
    argument: str = ""
    """The part after it; empty for the bare `fax`"""

    def __post_init__(self) -> None:
        if self.kind == "tts" and not _is_valid(self.kind, self.argument):
            raise ValueError(f"cannot be spoken - allowed: {SPOKEN}")
        if not _is_valid(self.kind, self.argument):
            raise ValueError(f"is not a target - allowed: {GRAMMAR}")

    def __str__(self) -> str:
        return f"{self.kind}/{self.argument}" if self.argument else self.kind

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Read `queue/200` and the like. Raises ValueError, with a sentence that gives the grammar."""
        kind, slash, argument = text.partition("/")
        if slash and not argument and kind != "tts":
            raise ValueError(f"is not a target - allowed: {GRAMMAR}")
        return cls(kind, argument)


def _is_valid(kind: str, argument: str) -> bool:
    if kind in NUMBERED:
        return _NUMBER.fullmatch(argument) is not None
    if kind == "external":
        return _OUTSIDE_NUMBER.fullmatch(argument) is not None
    if kind == "fax":
        return not argument or _MAIL_ADDRESS.fullmatch(argument) is not None
    if kind == "hangup":
        return argument in {"hangup", "busy"}
    if kind == "tts":
        language, _, phrase = argument.partition("/")
        is_phrase = 0 < len(phrase) <= LONGEST_PHRASE and phrase.isprintable() and not {*phrase} & {*"{}"}
        return language in LANGUAGES and is_phrase
    return False
