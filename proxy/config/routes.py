"""The sections that decide where calls go, and how they are put through."""

from typing import Annotated

from pydantic import Field, PlainValidator, field_validator, model_validator

from proxy.config.section import Section
from proxy.config.spoken import AnnouncementId, GoalName, LanguageSetting, PhraseSetting
from proxy.config.values import (
    GreetingSetting,
    Names,
    TargetSetting,
    YesOrNo,
    as_list,
    parse_kinds,
    parse_number_type,
    parse_region,
    read_by,
)
from proxy.rules.comparison import Comparison
from proxy.rules.greeting import Greeting
from proxy.rules.situation import Standing
from proxy.rules.template import TargetTemplate


class MannerSettings(Section):
    """How a call is put through. All but the greeting can only be said in the dialect santral-programlama."""

    greeting: GreetingSetting | None = None
    """Whom the switch greets, made from the contact's fields"""
    phrase: PhraseSetting | None = None
    """What it says in the place of the greeting: a text with {fields}, or a table of them by language"""
    language: LanguageSetting | None = None
    """Language in which it speaks: tr-TR, en-US, ar-XA, or {field} or {field | table} of the contact"""
    announcement_to_caller: AnnouncementId | None = None
    """Sound file that is played to the caller"""
    announcement_to_callee: AnnouncementId | None = None
    """Sound file that is played to whoever takes the call"""
    recording: YesOrNo | None = None
    """Whether the call is recorded; the switch decides when it is left out"""


class RoutingSettings(MannerSettings):
    """`[routing]`: calls that no rule matched. A target that is left out is `switch.default`."""

    unknown: TargetSetting | None = None
    """Target when the CRM says that it does not know the caller"""
    withheld: TargetSetting | None = None
    """Target when the number is withheld"""
    internal: TargetSetting | None = None
    """Target when an extension calls"""
    greeting: GreetingSetting | None = Greeting("{name}")
    """Whom the switch greets, made from the contact's fields"""


class CallerSettings(Section):
    """`caller` of a rule: which callers it is for."""

    kind: Annotated[frozenset[Standing], PlainValidator(parse_kinds)] = frozenset({Standing.KNOWN})
    """known, unknown, several, internal, withheld, unclear, a list of them, or anyone"""
    country: Annotated[list[Annotated[str, read_by(parse_region)]], Field(min_length=1)] | None = None
    """ISO 3166 codes of the caller's number, one or a list"""
    type: Annotated[list[Annotated[str, read_by(parse_number_type)]], Field(min_length=1)] | None = None
    """Types of the caller's number, one or a list: mobile, landline, ..."""

    _lists = field_validator("country", "type", mode="before")(as_list)


class RuleSettings(MannerSettings):
    """`[[rules]]`: tried in their order, the first that matches wins."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    """What it is called in explanations and logs"""
    when: dict[str, Annotated[Comparison, PlainValidator(Comparison.parse)]] = Field(default={})
    """What the contact's fields must be"""
    called: Names | None = None
    """The dialled number, one or a list, where the dialect has it"""
    caller: CallerSettings = CallerSettings()
    """Which callers it is for; known ones when left out"""
    during: Names | None = None
    """Named hours, one or a list: within any of them"""
    outside: Names | None = None
    """Named hours, one or a list: within none of them"""
    ask: GoalName | None = None
    """Step that the caller is asked, once in a call; where that is not possible, the target counts"""
    target: Annotated[TargetTemplate, read_by(TargetTemplate.parse)] | None = None
    """Where the call goes; {field} or {field | table} may stand for the number"""

    _lists = field_validator("called", "during", "outside", mode="before")(as_list)

    @model_validator(mode="after")
    def _leads_somewhere(self) -> "RuleSettings":
        if self.target is None and self.ask is None:
            raise ValueError("leads nowhere - allowed: target, ask (a step), or both")
        return self


class LineSettings(Section):
    """`[[lines]]`: a dialled number with routing of its own. What is left out is as for all others."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    """What it is called in messages"""
    called: Names
    """The dialled number, one or a list"""
    default: TargetSetting | None = None
    """Target when nobody can tell, in the place of `switch.default`"""
    routing: RoutingSettings = RoutingSettings()
    """Calls that no rule matched; each of its keys in the place of the same in [routing]"""
    rules: list[RuleSettings] | None = None
    """`[[lines.rules]]`, in the place of all [[rules]]"""

    _lists = field_validator("called", mode="before")(as_list)
