"""The settings, one class per section of the TOML; a field's docstring is its line in the reference."""

from collections.abc import Container
from datetime import date, time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ConfigDict, Field, PlainValidator, SecretStr, field_validator, model_validator

from proxy.addresses import parse_known_listen, parse_listen
from proxy.config.dialogue import DialogueSettings, StepName, StepSettings
from proxy.config.public_holidays import parse_holidays
from proxy.config.routes import LineSettings, RoutingSettings, RuleSettings
from proxy.config.section import Section
from proxy.config.values import (
    AsText,
    LongSecret,
    Networks,
    Number,
    Seconds,
    TableValue,
    TargetSetting,
    WholeNumber,
    YesOrNo,
    as_list,
    fits_listen,
    fits_snapshot,
    is_below_ttl,
    is_for_pushes_alone,
    is_service_url,
    parse_by,
    parse_path,
    parse_region,
    parse_zone,
    read_by,
)
from proxy.keys import By
from proxy.matching import Several
from proxy.rules.hours import parse_days, parse_time


class AccessSettings(Section):
    """`[switch.access]`: who may ask. Others are answered like callers whom nobody knows."""

    tokens: list[LongSecret] = Field(default=[])
    """Secrets of at least 16 characters, one of which the switch must bring; two while they are exchanged"""
    allow: Networks = ()
    """Addresses and networks that may ask; all when left out"""
    trusted_proxies: Networks = ()
    """Addresses and networks of proxies whose X-Forwarded-For is believed"""
    rate: Annotated[Number, Field(gt=0, le=100_000)] | None = None
    """Calls a second from one address, over time; any number when left out"""
    burst: Annotated[WholeNumber, Field(ge=1, le=1_000_000)] = 100
    """Calls at once from one address, where there is a rate"""

    _lists = field_validator("tokens", "allow", "trusted_proxies", mode="before")(as_list)


class SwitchSettings(Section):
    """`[switch]`: how the switch asks."""

    listen: Annotated[tuple[str, int], read_by(parse_listen), AsText] = ("127.0.0.1", 8080)
    """Where the switch finds us, HOST:PORT"""
    path: Annotated[str, read_by(parse_path)] = "/musteri.json"
    """Path of the URL that the switch asks"""
    dialect: Literal["auto", "musteri-tanima", "santral-programlama"] = "auto"
    """How the switch asks; auto tells the forms apart by their parameters, call by call"""
    parameter: Annotated[str, Field(min_length=1)] = "telefon"
    """Query parameter with the caller's number, in the form of Müşteri Tanıma"""
    service_url: Annotated[SecretStr, AfterValidator(is_service_url)] | None = None
    """URL where the switch asks again in a dialogue, such as this server of several; the same when left out"""
    region: Annotated[str, read_by(parse_region)] = "TR"
    """Home country, in which numbers without a country code are read"""
    deadline: Annotated[Number, Field(gt=0, le=30)] = 1.5
    """Seconds for which the switch may be kept waiting"""
    default: Annotated[TargetSetting, AsText]
    """Target when nobody can tell: the CRM is down or too slow, the number is nonsense"""
    connections: Annotated[WholeNumber, Field(ge=1, le=100_000)] = 2000
    """Connections at the most; a further one takes the place of one that is silent"""
    access: AccessSettings = AccessSettings()
    """Who may ask; everybody when left out"""


class HoursSettings(Section):
    """`[hours.NAME]`: a span of time on certain days, over midnight when `to` is not after `from`."""

    days: Annotated[frozenset[int], read_by(parse_days)] = frozenset(range(7))
    """Weekdays on which it starts: mon-fri, sat or mon,wed,fri"""
    start: Annotated[time, read_by(parse_time)] = Field(alias="from")
    """First minute, HH:MM"""
    end: Annotated[time, read_by(parse_time)] = Field(alias="to")
    """First minute after it, HH:MM"""
    zone: Annotated[ZoneInfo, read_by(parse_zone)] = ZoneInfo("Europe/Istanbul")
    """IANA time zone"""
    holidays: Annotated[Container[date], read_by(parse_holidays)] | None = None
    """Country whose public holidays have no hours: TR, or DE-BY for a part of one"""
    closed: list[date] = Field(default=[])
    """Further days without hours, such as 2026-12-31"""


class LookupSettings(Section):
    """`[lookup]`: how the sources are asked."""

    parallel: YesOrNo = False
    """Ask all finding sources at the same time; still the first in order that has a contact wins"""


class CacheSettings(Section):
    """`[cache]`: how long answers are kept, in seconds."""

    ttl: Seconds = 300
    """A contact answers without the CRM being asked"""
    negative_ttl: Seconds = 60
    """"Not a customer" does; so does a contact to which some source could not contribute"""
    stale: Annotated[Number, Field(ge=0, le=86400 * 365)] = 86400
    """After its ttl a contact still answers when the CRM cannot"""
    size: Annotated[WholeNumber, Field(gt=0, le=10_000_000)] = 50000
    """Numbers kept at the most"""
    refresh_ahead: Annotated[Number, Field(ge=0, le=86400 * 365), AfterValidator(is_below_ttl)] = 0
    """So long before its ttl ends, a call makes the CRM be asked again, and does not wait for it"""
    recheck: Annotated[Number, Field(ge=0, le=3600)] = 5
    """For so long after a lookup failed, a number with a stale contact is not looked up again"""
    snapshot: Annotated[str, Field(min_length=1)] | None = None
    """File that keeps the cache over a restart, encrypted; relative to this file's folder"""
    snapshot_key: Annotated[LongSecret | None, Field(validate_default=True), AfterValidator(fits_snapshot)] = None
    """Secret of at least 16 characters, with which the snapshot is encrypted"""
    snapshot_every: Annotated[Number, Field(ge=1, le=86400)] = 60
    """Seconds between two snapshots; one more is made at the end"""


class SourceSettings(Section):
    """`[[sources]]`: who is asked about a number, in their order."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    """What it is called in explanations and logs"""
    adapter: Annotated[str, Field(min_length=1)]
    """Name of an installed adapter (rest, sql, static), or package.module:Class"""
    role: Literal["find", "enrich"] = "find"
    """find: looks numbers up; enrich: adds fields to the contact that was found"""
    by: Annotated[frozenset[By], PlainValidator(parse_by)] = frozenset({By.PHONE_NUMBER})
    """What it is asked by: phone_number, customer_number (which a caller has keyed), or a list of both"""
    several: Several = Several.FIRST
    """Which contact, when the source has several for a number: first, newest, or unknown (none)"""
    newest_by: str = ""
    """Field that tells which contact is the newest"""
    timeout: Annotated[Number, Field(gt=0, le=30)] = 0.6
    """Seconds of one attempt"""
    attempts: Annotated[WholeNumber, Field(ge=1, le=10)] = 2
    """How often it is asked about one number, in all"""
    wait_initial: Annotated[Number, Field(ge=0, le=30)] = 0.05
    """Seconds before the second attempt; doubled before each further one"""
    wait_max: Annotated[Number, Field(ge=0, le=30)] = 0.5
    """Seconds between attempts at the most"""
    wait_jitter: Annotated[Number, Field(ge=0, le=30)] = 0.05
    """Seconds added to each wait at the most, by chance"""
    concurrency: Annotated[WholeNumber, Field(ge=1, le=100_000)] = 100
    """Lookups under way at the most; a further one is answered at once as if the CRM had failed"""
    breaker_failures: Annotated[WholeNumber, Field(ge=1, le=1000)] = 10
    """After so many failed attempts in a row it is left alone for a while"""
    breaker_pause: Annotated[Number, Field(gt=0, le=3600)] = 5
    """Seconds for which it is left alone; then one lookup tries"""
    retry_budget: Annotated[Number, Field(ge=0, le=10)] = 0.2
    """Second and further attempts for each lookup, over time"""
    options: dict[str, Any] = Field(default={})
    """What the adapter wants to know"""

    @model_validator(mode="after")
    def _newest_needs_a_field(self) -> "SourceSettings":
        if (self.several is Several.NEWEST) != bool(self.newest_by):
            raise ValueError('has one of several = "newest" and newest_by without the other - allowed: both or neither')
        return self


class AdminSettings(Section):
    """`[admin]`: a second address, for the operator: console, metrics, health, and what CRMs tell of changes."""

    listen: Annotated[tuple[str, int], read_by(parse_known_listen)] | None = None
    """HOST:PORT; nowhere when left out"""
    token: Annotated[LongSecret | None, Field(validate_default=True), AfterValidator(fits_listen)] = None
    """Secret of at least 16 characters that must be brought; needed where others than this machine can ask"""
    push_token: Annotated[LongSecret | None, AfterValidator(is_for_pushes_alone)] = None
    """Secret of at least 16 characters for a CRM that tells of changes (`POST /invalidate`), and may do nothing else"""


class Settings(Section):
    """A whole deployment. `TANIMA_SWITCH__DEADLINE` in the environment comes before the TOML, and so on."""

    model_config = ConfigDict(validate_default=True)

    switch: SwitchSettings
    """A table [switch], with at least `default`: how the switch asks"""
    routing: RoutingSettings = RoutingSettings()
    """Calls that no rule matched"""
    rules: list[RuleSettings] = Field(default=[])
    """Tried in their order, the first that matches wins"""
    tables: dict[str, dict[str, TableValue]] = Field(default={})
    """`[tables.NAME]`: from a field's value to a number or a language, for {field | NAME}"""
    lines: list[LineSettings] = Field(default=[])
    """Dialled numbers with rules of their own"""
    steps: dict[StepName, StepSettings] = Field(default={})
    """`[steps.NAME]`: what callers are asked; the name is that of the parameter with what was keyed"""
    dialogue: DialogueSettings = DialogueSettings()
    """Bounds of what callers are asked"""
    hours: dict[str, HoursSettings] = Field(default={})
    """Named spans of time, for `during` and `outside`"""
    lookup: LookupSettings = LookupSettings()
    """How the sources are asked"""
    cache: CacheSettings = CacheSettings()
    """How long answers are kept"""
    sources: Annotated[list[SourceSettings], Field(min_length=1)]
    """At least one [[sources]]: who is asked about a number"""
    admin: AdminSettings = AdminSettings()
    """A second address, for the operator's own commands"""
