"""One step of a dialogue: what the caller is asked, and what an answer leads to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from proxy.actions import LONGEST_PROMPT, Prompt, Question, Record, SpeechToText, Spoken
from proxy.errors import InvalidNumber
from proxy.keys import By, CustomerNumber, Key
from proxy.model import Heard, Outcome, Reason
from proxy.phone import parse_number
from proxy.rules.comparison import bare_words
from proxy.rules.manner import LanguageTemplate, in_language
from proxy.rules.rule import Goal

_NUMBER_SAID = re.compile(r"[0-9](?:[ .-]*[0-9])*")

LONGEST_KEPT = 60
"""Characters of what was said, where it is kept."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the switch says: a sound file of its own, or a phrase, by language or for `manner.ANY`."""

    announcement: int | None = None
    phrases: Mapping[str, str] | None = None
    speed: float | None = None

    def spoken(self, language: str) -> Spoken:
        """Return it in a language, or in the first that there is."""
        if not self.phrases:
            return Spoken(self.announcement)
        spoken, phrase = in_language(self.phrases, language)
        return Spoken(phrase=phrase, language=spoken, speed=self.speed)


@dataclass(frozen=True, slots=True)
class Keys:
    """Digits are asked for."""

    words: Words
    again: Words | None = None
    """Said when it is asked another time"""
    min_digits: int = 1
    max_digits: int = LONGEST_PROMPT
    retries: int = 0
    timeout: int | None = None
    digit_timeout: int | None = None

    def question(self, name: str, language: str, service_url: str, *, is_repeated: bool) -> Question:
        """Return the action that asks. Raises ValueError for one that the switch would not understand."""
        words = self.again if is_repeated and self.again else self.words
        return Prompt(
            words.spoken(language),
            name,
            self.min_digits,
            self.max_digits,
            self.retries,
            self.timeout,
            self.digit_timeout,
            service_url,
        )


@dataclass(frozen=True, slots=True)
class Speech:
    """Words are asked for."""

    announcement: int
    again: int | None = None
    """Said when it is asked another time"""
    duration: int = 10

    def question(self, _name: str, _language: str, _service_url: str, *, is_repeated: bool) -> Question:
        """Return the action that asks."""
        return SpeechToText(self.again if is_repeated and self.again else self.announcement, self.duration)


@dataclass(frozen=True, slots=True)
class Recording:
    """The caller's voice is recorded."""

    words: Words

    def question(self, _name: str, language: str, _service_url: str, *, is_repeated: bool) -> Question:  # noqa: ARG002
        """Return the action that records."""
        return Record(self.words.spoken(language))


@dataclass(frozen=True, slots=True)
class LookUp:
    """The contact with the number that was keyed is the caller."""

    by: By


@dataclass(frozen=True, slots=True)
class Choose:
    """Each key, or each word, leads somewhere."""

    goals: Mapping[str, Goal]


@dataclass(frozen=True, slots=True)
class Keep:
    """What was keyed or said is a field for the rules."""

    field_name: str


@dataclass(frozen=True, slots=True)
class Then:
    """It only had to be asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer means. `outcome` is FOUND where the `key` has yet to be looked up."""

    outcome: Outcome
    goal: Goal | None = None
    """Where it leads; None for what the rules say"""
    key: Key | None = None
    kept: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a dialogue, under the name that keyed digits come back by."""

    name: str
    ask: Keys | Speech | Recording
    use: LookUp | Choose | Keep | Then
    then: Goal | None = None
    """Where it leads when it is answered, and not by choice; None for what the rules say"""
    otherwise: Goal | None = None
    """Where it leads when it is not answered, or not well; None for what the rules say"""
    attempts: int = 2
    """How often it is asked, in all, when an answer is none of what was asked for"""
    language: LanguageTemplate | None = None

    @property
    def kept_as(self) -> str:
        """The field that an answer is kept as; empty when it is not kept."""
        return self.use.field_name if isinstance(self.use, Keep) else ""

    def hears(self, heard: Heard) -> bool:
        """Tell whether what came back can be the answer to this step."""
        if isinstance(self.ask, Keys):
            return any(name == self.name for name, _ in heard.keyed)
        if isinstance(self.ask, Recording):
            return not heard.keyed and heard.said is None
        return heard.said is not None

    def read(self, heard: Heard, region: str) -> Answer:
        """Return what came of it. `region` is the home region of phone numbers."""
        if isinstance(self.ask, Recording) and not heard.failed:
            return Answer(Outcome.RECORDED, self.then)
        text = "" if heard.failed else self._text_in(heard)
        if not text:
            return Answer(Outcome.NOTHING)
        if isinstance(self.ask, Keys) and not re.fullmatch(
            f"[0-9]{{{self.ask.min_digits},{self.ask.max_digits}}}", text
        ):
            return Answer(Outcome.MISUNDERSTOOD)
        return self._understood(text, region) or Answer(Outcome.MISUNDERSTOOD)

    def next(self, answer: Answer, times: int) -> tuple[Goal | None, Reason]:
        """Return where an answer leads after so many times, None for what the rules say, and why it leads there."""
        if answer.outcome in {Outcome.MISUNDERSTOOD, Outcome.NOT_FOUND} and times < self.attempts:
            return self.name, Reason.ASKED
        if answer.outcome in {Outcome.MISUNDERSTOOD, Outcome.NOT_FOUND, Outcome.NOTHING, Outcome.TOO_MANY}:
            return self.otherwise, Reason.NO_ANSWER
        return answer.goal, Reason.ANSWERED

    def _text_in(self, heard: Heard) -> str:
        if isinstance(self.ask, Keys):
            return dict(heard.keyed).get(self.name, "").strip()
        return (heard.said or "").strip()

    def _understood(self, text: str, region: str) -> Answer | None:
        """Return what was keyed or said means; None when it is none of what was asked for."""
        is_keyed = isinstance(self.ask, Keys)
        match self.use:
            case Choose(goals):
                goal = goals.get(text) if is_keyed else _chosen(text, goals)
                return Answer(Outcome.CHOSEN, goal) if goal is not None else None
            case LookUp(by):
                key = _key(by, text if is_keyed else _digits_said(text), region)
                return Answer(Outcome.FOUND, self.then, key) if key is not None else None
            case _:
                return Answer(Outcome.KEPT, self.then, kept=text[:LONGEST_KEPT])


def _key(by: By, digits: str, region: str) -> Key | None:
    try:
        key: Key = CustomerNumber(digits) if by is By.CUSTOMER_NUMBER else parse_number(digits, region)
    except (ValueError, InvalidNumber):
        return None
    return None if isinstance(key, CustomerNumber) and key.is_nobodys else key


def _digits_said(text: str) -> str:
    """Return the digits of the one number in a text; nothing when there are several, which may be anybody's."""
    numbers = _NUMBER_SAID.findall(text)
    return re.sub("[^0-9]", "", numbers[0]) if len(numbers) == 1 else ""


def _chosen(text: str, goals: Mapping[str, Goal]) -> Goal | None:
    """Return where the one choice leads whose words begin words of the text; None when there are none, or several.

    Words that begin others which were said too are not meant by themselves: `sat` in `satış`.
    """
    said = f" {bare_words(text)}"
    found = {words: goal for words, goal in goals.items() if f" {bare_words(words)}" in said}
    longest = [
        goal
        for words, goal in found.items()
        if not any(other != words and bare_words(other).startswith(bare_words(words)) for other in found)
    ]
    return longest[0] if longest and all(goal == longest[0] for goal in longest) else None
