"""How a call is put through: whom the switch greets and how, in which language, and what else it does."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

from proxy.actions import Transfer, is_phrase
from proxy.model import as_text
from proxy.rules.greeting import FIELD_NAME, MARKUP, PLACEHOLDER, Greeting, speakable
from proxy.rules.situation import Situation
from proxy.target import LANGUAGES, Target

T = TypeVar("T")

LONGEST_VALUE = 60
"""Characters of a field in a phrase."""

ANY = ""
"""The language of a phrase that has only one."""

Tables = Mapping[str, Mapping[str, str]]

_WITH_FIELD = re.compile(r"\{\s*(?P<field>[^\W\d][\w.-]*)\s*(\|\s*(?P<table>[^\W\d][\w.-]*)\s*)?\}")
_SPOKEN_SIGNS = frozenset(" .,:;'-&+/%()?!€$₺")


@dataclass(frozen=True, slots=True)
class LanguageTemplate:
    """`en-US`, `{language}` or `{country | languages}`. Raises ValueError when it is malformed."""

    text: str
    field_name: str = field(init=False)
    """Empty where it is a language itself"""
    table: str = field(init=False)

    def __post_init__(self) -> None:
        match = _WITH_FIELD.fullmatch(self.text)
        if match is None and self.text not in LANGUAGES:
            raise ValueError(f"is not a language - allowed: {', '.join(LANGUAGES)}, {{field}} or {{field | table}}")
        object.__setattr__(self, "field_name", match["field"] if match else "")
        object.__setattr__(self, "table", (match["table"] or "") if match else "")

    def render(self, about: Situation, tables: Tables) -> str:
        """Return one of LANGUAGES; empty when the field names none. `tr`, `TR` and `tr_TR` name tr-TR."""
        if not self.field_name:
            return self.text
        value = as_text(about.value(self.field_name))
        if self.table:
            value = tables[self.table].get(value, "")
        short = value.strip().replace("_", "-").lower()
        return next((each for each in LANGUAGES if short in {each.lower(), each[:2]}), "")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A template such as `Sayın {name}, {order_no} numaralı siparişiniz`. Raises ValueError when it is malformed."""

    template: str

    def __post_init__(self) -> None:
        literal = PLACEHOLDER.sub("", self.template)
        if re.search(r"[{}]", literal) or not all(map(FIELD_NAME.fullmatch, self.field_names)):
            raise ValueError("is not a phrase - allowed: text with {field} in it")
        if not is_phrase(PLACEHOLDER.sub("x", self.template)):
            raise ValueError("cannot be spoken - allowed: 1 to 300 characters in one line")

    @property
    def field_names(self) -> list[str]:
        """The fields that stand in it."""
        return PLACEHOLDER.findall(self.template)

    def render(self, about: Situation) -> str:
        """Return what is said; empty when a field has nothing that can be spoken, or it gets too long."""
        values = {name: spoken_value(as_text(about.value(name))) for name in self.field_names}
        if not all(values.values()):
            return ""
        spoken = PLACEHOLDER.sub(lambda match: values[match[1]], self.template)
        return spoken if is_phrase(spoken) else ""


def spoken_value(text: str) -> str:
    """Return a field as it may stand in a phrase, or nothing: letters and digits, blanks and the usual signs."""
    composed = unicodedata.normalize("NFC", MARKUP.sub(" ", text[: 20 * LONGEST_VALUE])).replace("’", "'")
    spoken = " ".join("".join(sign if _is_spoken(sign) else " " for sign in composed).split())
    if len(spoken) > LONGEST_VALUE or not any(sign.isalnum() for sign in spoken):
        return ""
    return spoken if speakable(spoken) or any(sign.isdigit() for sign in spoken) else ""


def _is_spoken(sign: str) -> bool:
    category = unicodedata.category(sign)
    return category[0] in "LM" or category == "Nd" or sign in _SPOKEN_SIGNS


@dataclass(frozen=True, slots=True)
class Manner:
    """How a call is put through, as a rule or [routing] has it. What is None is somebody else's to say."""

    greeting: Greeting | None = None
    phrase: Mapping[str, Phrase] | None = None
    """By language, or for ANY"""
    language: LanguageTemplate | None = None
    announcement_to_caller: int | None = None
    announcement_to_callee: int | None = None
    recording: bool | None = None

    def over(self, other: "Manner") -> "Manner":
        """Return this manner, with the other's where it says nothing."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(other, **{name: value for name, value in own.items() if value is not None})

    def transfer(self, target: Target, situation: Situation, tables: Tables) -> Transfer:
        """Return the action for a call."""
        language, name, phrase = self.language_of(situation, tables), "", ""
        if self.phrase and situation.call.can_be_asked:  # only there can it be said
            spoken, template = in_language(self.phrase, language)
            phrase = template.render(situation)
            language = spoken if phrase else language
        if not phrase and self.greeting is not None and situation.contact is not None:
            name = self.greeting.render(situation.contact)
        return Transfer(
            target,
            name,
            phrase,
            language,
            self.announcement_to_caller,
            self.announcement_to_callee,
            self.recording,
        )

    def language_of(self, situation: Situation, tables: Tables) -> str:
        """Return one of LANGUAGES."""
        return (self.language.render(situation, tables) if self.language else "") or LANGUAGES[0]


def in_language(phrases: Mapping[str, T], language: str) -> tuple[str, T]:
    """Return the phrase in a language, or else the first, and the language that it is in."""
    if ANY in phrases:
        return language, phrases[ANY]
    spoken = language if language in phrases else next(iter(phrases))
    return spoken, phrases[spoken]
