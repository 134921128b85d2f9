"""The sections about what callers are asked."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, PlainValidator, model_validator

from proxy.actions import LONGEST_PROMPT
from proxy.config.section import Section
from proxy.config.spoken import (
    AnnouncementId,
    GoalSetting,
    LanguageSetting,
    WordsSetting,
    parse_digits,
    parse_field_name,
    parse_step_name,
)
from proxy.config.values import Number, Seconds, WholeNumber, YesOrNo, read_by
from proxy.keys import By
from proxy.rules.comparison import bare_words

StepName = Annotated[str, AfterValidator(parse_step_name)]

MOST_QUESTIONS = 9
"""In one call: the switch itself goes elsewhere after ten uses of speech."""


class StepSettings(Section):
    """`[steps.NAME]`: what a caller is asked, and what his answer leads to."""

    announcement: AnnouncementId | None = None
    """Sound file with which the switch asks"""
    phrase: WordsSetting | None = None
    """What the switch says in the place of a sound file: a text, or a table of texts by language"""
    announcement_again: AnnouncementId | None = None
    """Sound file when it is asked another time"""
    phrase_again: WordsSetting | None = None
    """What is said when it is asked another time"""
    language: LanguageSetting | None = None
    """Language of the phrase, as in [routing], which counts when it is left out"""
    speed: Annotated[Number, Field(ge=0.5, le=1.5)] | None = None
    """How fast the phrase is spoken, times the usual"""
    digits: Annotated[tuple[int, int], PlainValidator(parse_digits)] | None = None
    """How many digits may be keyed: 5, or 5-8; as many as a choice has, or 1-20, when left out"""
    retries: Annotated[WholeNumber, Field(ge=0, le=9)] = 1
    """How often the switch itself asks again when nothing is keyed"""
    timeout: Annotated[WholeNumber, Field(ge=1, le=10)] | None = None
    """Seconds until the first digit; 6 by the switch when left out"""
    digit_timeout: Annotated[WholeNumber, Field(ge=1, le=10)] | None = None
    """Seconds between two digits; 3 by the switch when left out"""
    listen: Annotated[WholeNumber, Field(ge=1, le=10)] | None = None
    """Seconds for which the switch listens: it asks for words then, not for keys"""
    record: YesOrNo = False
    """The caller's voice is recorded, in the place of asking for keys"""
    look_up: By | None = None
    """What is keyed is looked up: customer_number or phone_number; who it belongs to is the caller"""
    choose: dict[str, GoalSetting] = Field(default={})
    """Keys, or words, and the target or step that each leads to"""
    keep: Annotated[str, read_by(parse_field_name)] | None = None
    """What is keyed or said is this field, for the rules"""
    then: GoalSetting | None = None
    """Target or step when it is answered; the rules decide when it is left out"""
    otherwise: GoalSetting | None = None
    """Target or step when it is not answered, or not well; the rules decide when it is left out"""
    attempts: Annotated[WholeNumber, Field(ge=1, le=9)] = 2
    """How often it is asked, in all, while what is keyed or said is none of what was asked for"""

    @model_validator(mode="after")
    def _asks_one_thing(self) -> "StepSettings":
        if self.record and self.listen:
            raise ValueError("records and listens - allowed: one of them")
        if (self.announcement is None) == (self.phrase is None):
            raise ValueError("has not one of announcement and phrase - allowed: one of them")
        if self.announcement_again is not None and self.phrase_again is not None:
            raise ValueError("has announcement_again and phrase_again - allowed: one of them")
        if self.listen and (self.phrase or self.phrase_again):
            raise ValueError("listens after a phrase, which the switch cannot - allowed: announcement")
        if (self.listen or self.record) and (
            wrong := {"digits", "retries", "timeout", "digit_timeout"} & self.model_fields_set
        ):
            raise ValueError(f"has {min(wrong)}, and asks for no keys - allowed: only where keys are asked for")
        return self

    @model_validator(mode="after")
    def _leads_somewhere(self) -> "StepSettings":
        uses = [self.look_up is not None, bool(self.choose), self.keep is not None, self.record]
        if sum(uses) != 1:
            raise ValueError("has not one of look_up, choose, keep and record - allowed: one of them")
        if self.choose and self.then is not None:
            raise ValueError("has choose and then - allowed: then with look_up, keep or record")
        if self.record and self.model_fields_set & {"otherwise", "attempts", "announcement_again", "phrase_again"}:
            raise ValueError("records, which nobody can answer wrongly - allowed: then")
        return self

    @model_validator(mode="after")
    def _choices_can_be_made(self) -> "StepSettings":
        if self.listen:
            if not all(map(bare_words, self.choose)):
                raise ValueError("has a choice without a word - allowed: words, which begin those that are said")
            return self
        least, most = self.number_of_digits
        for keys in self.choose:
            if not re.fullmatch(rf"[0-9]{{{least},{most}}}", keys):
                raise ValueError(
                    f"has the choice {keys!r:.30}, which nobody can key - allowed: {least} to {most} digits"
                )
        return self

    @property
    def number_of_digits(self) -> tuple[int, int]:
        """The least and the most digits."""
        if self.digits is not None:
            return self.digits
        lengths = [min(max(1, len(keys)), LONGEST_PROMPT) for keys in self.choose] or [1, LONGEST_PROMPT]
        return min(lengths), max(lengths)


class DialogueSettings(Section):
    """`[dialogue]`: bounds of what callers are asked."""

    max_steps: Annotated[WholeNumber, Field(ge=1, le=MOST_QUESTIONS)] = 5
    """Questions in one call at the most; then the rules decide without asking"""
    guesses: Annotated[WholeNumber, Field(ge=1, le=1000)] = 5
    """Numbers that one caller may key to be looked up, so that nobody tries out whom they belong to"""
    guesses_within: Seconds = 3600
    """Seconds after which as many may be keyed again"""
