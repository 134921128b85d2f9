"""The name that the switch speaks: made from a contact's fields, and fit to be spoken."""

import re
import unicodedata
from dataclasses import dataclass, field

from proxy.model import Contact, as_text
from proxy.rules.comparison import bare_words, fold

LONGEST_NAME = 60
"""Characters."""

PLACEHOLDER = re.compile(r"\{\s*([^{}|]*?)\s*\}")
FIELD_NAME = re.compile(r"[^\W\d][\w.-]*")
MARKUP = re.compile(r"<[^<>]*>?")
_SPOKEN_SIGNS = frozenset(".'-& ")
_NO_NAMES_ENGLISH = ("unknown", "unknown caller", "anonymous", "none", "null", "nan", "n a", "no name", "undefined")
_NO_NAMES_TURKISH = ("bilinmeyen", "bilinmeyen arayan", "bilinmiyor", "isimsiz", "adsız", "anonim", "yok", "tanımsız")
_NO_NAMES = frozenset(map(fold, (*_NO_NAMES_ENGLISH, *_NO_NAMES_TURKISH)))
_FIRST_OF_NO_NAME = frozenset(name.split()[0] for name in _NO_NAMES)
_PLAIN = re.compile(rf"[A-Za-z0-9ÇĞİÖŞÜçğıöşü.'& -]{{1,{LONGEST_NAME}}}")
"""What most names are, of which nothing has to go"""
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Greeting:
    """A template such as `{first_name} {last_name}`. Raises ValueError when it is malformed."""

    template: str
    field_names: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """The fields that stand in it"""
    is_a_field: bool = field(init=False, repr=False, compare=False)
    """There is nothing else in it than one of them"""

    def __post_init__(self) -> None:
        names = PLACEHOLDER.findall(self.template)
        object.__setattr__(self, "field_names", tuple(names))
        object.__setattr__(self, "is_a_field", PLACEHOLDER.fullmatch(self.template) is not None)
        if re.search(r"[{}]", PLACEHOLDER.sub("", self.template)) or not all(map(FIELD_NAME.fullmatch, names)):
            raise ValueError("is not a greeting template - allowed: text with {field} in it")

    def render(self, contact: Contact) -> str:
        """Return whom to greet; empty when the contact has none of the fields, or nothing speakable in them."""
        values = [speakable(as_text(contact.value(name))) for name in self.field_names]
        if values and not any(values):
            return ""
        if self.is_a_field:  # a second look would change nothing
            return values[0]
        remaining = iter(values)
        return speakable(PLACEHOLDER.sub(lambda _: next(remaining), self.template))


def speakable(text: str) -> str:
    """Return a name as text-to-speech may have it, or nothing.

    Letters, marks and digits of any language, blanks and `. ' - &` remain; at most 60 characters. Markup
    goes. What stands for "no name" in a CRM, or has no letter in it, is no name.
    """
    if _PLAIN.fullmatch(text) and (word := _WORD.search(text)) and fold(word[0]) not in _FIRST_OF_NO_NAME:
        return " ".join(text.split()) if any(map(str.isalpha, text)) else ""
    composed = unicodedata.normalize("NFC", MARKUP.sub(" ", text[: 20 * LONGEST_NAME]).replace("’", "'"))
    spoken = unicodedata.normalize("NFC", " ".join("".join(map(_spoken, composed)).split()))
    if len(spoken) > LONGEST_NAME:
        spoken = spoken[: LONGEST_NAME + 1].rpartition(" ")[0] or spoken[:LONGEST_NAME]
    is_name = any(sign.isalpha() for sign in spoken) and bare_words(spoken) not in _NO_NAMES
    return spoken if is_name else ""


def _spoken(sign: str) -> str:
    category = unicodedata.category(sign)
    if category[0] in "LM" or category == "Nd" or sign in _SPOKEN_SIGNS:
        return sign
    return "" if category in {"Cf", "Cs", "Cn", "Co"} else " "
