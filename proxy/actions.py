"""What a switch can be told to do with a call. Each action is valid when it is made, or ValueError is raised.

Source: the switch's vendor, "Santral Programlama API" (2024).
"""

import re
from dataclasses import dataclass

from proxy.target import LANGUAGES, LONGEST_PHRASE, Target
from proxy.values import per_call

LONGEST_PROMPT = 20
"""Digits that a caller can be asked for: no phone number and no customer number is longer."""

MOST_RETRIES = 9
"""How often the switch itself asks again when nothing is keyed."""

PATIENCE = (1, 10)
"""Least and most seconds of anything for which the switch waits."""

SPEEDS = (0.5, 1.5)
"""Slowest and fastest speech."""

LARGEST_ANNOUNCEMENT = 999_999_999

PARAMETER = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""What keyed digits may be called in the next question."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the caller hears: a sound file of the switch, or a phrase that it speaks."""

    announcement: int | None = None
    phrase: str = ""
    """At most LONGEST_PHRASE characters"""
    language: str = LANGUAGES[0]
    speed: float | None = None
    """Times the usual; None leaves that to the switch, as in all that follows"""

    def __post_init__(self) -> None:
        _check((self.announcement is None) == bool(self.phrase), "has not one of announcement and phrase")
        if self.announcement is not None:
            _check(0 < self.announcement <= LARGEST_ANNOUNCEMENT, "names no announcement")
        _check(is_phrase(self.phrase) or not self.phrase, "has a phrase that cannot be spoken")
        _check(self.language in LANGUAGES, "has a language that the switch does not speak")
        _check(self.speed is None or _is_within(SPEEDS, self.speed), "has a speed that the switch does not have")


@per_call(frozen=True, slots=True)
class Transfer:
    """The call goes to a target, and that is the end of it."""

    target: Target
    name: str = ""
    """Whom the switch greets; empty for nobody"""
    phrase: str = ""
    """What the switch says instead; at most LONGEST_PHRASE characters"""
    language: str = LANGUAGES[0]
    announcement_to_caller: int | None = None
    announcement_to_callee: int | None = None
    recording: bool | None = None
    """Whether the call is recorded"""

    def __post_init__(self) -> None:
        _check(not (self.name and self.phrase), "greets by name and by phrase")
        _check(not self.name or is_phrase(self.name), "has a name that cannot be spoken")
        _check(not self.phrase or is_phrase(self.phrase), "has a phrase that cannot be spoken")
        _check(self.language in LANGUAGES, "has a language that the switch does not speak")
        for announcement in (self.announcement_to_caller, self.announcement_to_callee):
            _check(announcement is None or 0 < announcement <= LARGEST_ANNOUNCEMENT, "names no announcement")


@dataclass(frozen=True, slots=True)
class Prompt:
    """The caller keys digits, and the switch asks again with them."""

    spoken: Spoken
    parameter: str
    """What the digits are called in the next question"""
    min_digits: int = 1
    max_digits: int = LONGEST_PROMPT
    retries: int = 0
    """How often the switch itself asks again when nothing is keyed"""
    timeout: int | None = None
    """Seconds until the first digit"""
    digit_timeout: int | None = None
    """Seconds between two digits"""
    service_url: str = ""
    """Where the next question is asked; where this one was, when empty"""

    def __post_init__(self) -> None:
        _check(1 <= self.min_digits <= self.max_digits <= LONGEST_PROMPT, "asks for an impossible number of digits")
        _check(0 <= self.retries <= MOST_RETRIES, "has too many retries")
        for seconds in (self.timeout, self.digit_timeout):
            _check(seconds is None or _is_within(PATIENCE, seconds), "waits too long")
        _check(PARAMETER.fullmatch(self.parameter) is not None, "has a parameter that is no name")


@dataclass(frozen=True, slots=True)
class Record:
    """The caller's voice is recorded, and the switch asks again."""

    spoken: Spoken


@dataclass(frozen=True, slots=True)
class SpeechToText:
    """The caller speaks, and the switch asks again with the words that it has understood."""

    announcement: int
    duration: int = 10
    """Seconds for which the switch listens"""

    def __post_init__(self) -> None:
        _check(0 < self.announcement <= LARGEST_ANNOUNCEMENT, "names no announcement")
        _check(_is_within(PATIENCE, self.duration), "listens too long")


Question = Prompt | Record | SpeechToText
"""What the switch asks again after."""

Action = Transfer | Question


def is_phrase(text: str) -> bool:
    """Tell whether the switch can speak a text."""
    return 0 < len(text) <= LONGEST_PHRASE and text.isprintable() and not text.isspace()


def _is_within(bounds: tuple[float, float], value: float) -> bool:
    return bounds[0] <= value <= bounds[1]


def _check(is_good: bool, otherwise: str) -> None:  # noqa: FBT001 - it is what is checked
    if not is_good:
        raise ValueError(otherwise)
