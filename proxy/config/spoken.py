"""How single values about what is said and asked are read: into plain ones, or a ValueError that says why not."""

import re
from collections.abc import Callable
from typing import Annotated, TypeVar

from pydantic import Field, PlainValidator

from proxy.actions import LARGEST_ANNOUNCEMENT, LONGEST_PROMPT, PARAMETER
from proxy.config.values import TOKEN_PARAMETER, WholeNumber, read_by
from proxy.dialects.santral_programlama import RESERVED
from proxy.rules import Goal
from proxy.rules.greeting import FIELD_NAME
from proxy.rules.manner import ANY, LanguageTemplate, Phrase
from proxy.target import LANGUAGES, Target

T = TypeVar("T")

TAKEN = frozenset({*RESERVED, TOKEN_PARAMETER, "fax"})
"""What no step can be called."""


def parse_goal(text: str) -> Goal:
    """Read a target, or the name of a step. Raises ValueError."""
    if PARAMETER.fullmatch(text) and text != "fax":
        return text
    try:
        return Target.parse(text)
    except ValueError as exc:
        raise ValueError("is neither a target nor the name of a step - allowed: such as queue/200, or a step") from exc


def parse_step_name(text: str) -> str:
    """Read the name of a step, which is that of a parameter too. Raises ValueError."""
    if not PARAMETER.fullmatch(text):
        raise ValueError("is no name of a step - allowed: small letters, digits and _, a letter first")
    if text in TAKEN:
        raise ValueError(f"is a name that is taken - allowed: any but {', '.join(sorted(TAKEN))}")
    return text


def parse_field_name(text: str) -> str:
    """Read the name of a field. Raises ValueError."""
    if not FIELD_NAME.fullmatch(text):
        raise ValueError("is no name of a field - allowed: letters, digits and _ . -, a letter first")
    return text


def parse_digits(value: object) -> tuple[int, int]:
    """Read how many digits may be keyed: 5, `5` or `5-8`. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,2})(?:-([0-9]{1,2}))?", str(value))
    least, most = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= least <= most <= LONGEST_PROMPT:
        raise ValueError(f'is no number of digits - allowed: 5, or "5-8", at most {LONGEST_PROMPT}')
    return least, most


def parse_phrases(value: object) -> dict[str, Phrase]:
    """Read a phrase with fields, or a table of them by language. Raises ValueError."""
    return _by_language(value, Phrase)


def parse_words(value: object) -> dict[str, str]:
    """Read a phrase without fields, or a table of them by language. Raises ValueError."""
    return _by_language(value, _words)


def _words(text: str) -> str:
    if Phrase(text).field_names:
        raise ValueError("has a field in it - allowed: text without {}")
    return text


def _by_language(value: object, read: Callable[[str], T]) -> dict[str, T]:
    table = {ANY: value} if isinstance(value, str) else value
    if not isinstance(table, dict) or not table or not all(isinstance(text, str) for text in table.values()):
        raise ValueError("is no phrase - allowed: a text, or a table of texts by language")
    if value is table and (wrong := [name for name in table if name not in LANGUAGES]):
        raise ValueError(f"has the language {wrong[0]!r:.20} - allowed: {', '.join(LANGUAGES)}")
    return {name: read(text) for name, text in table.items()}


AnnouncementId = Annotated[WholeNumber, Field(ge=1, le=LARGEST_ANNOUNCEMENT)]
GoalSetting = Annotated[Goal, read_by(parse_goal)]
GoalName = Annotated[str, read_by(parse_step_name)]
LanguageSetting = Annotated[LanguageTemplate, read_by(LanguageTemplate)]
PhraseSetting = Annotated[dict[str, Phrase], PlainValidator(parse_phrases)]
WordsSetting = Annotated[dict[str, str], PlainValidator(parse_words)]
