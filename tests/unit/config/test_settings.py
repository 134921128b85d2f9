"""What the sections of the TOML may say."""

from datetime import date, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from proxy.addresses import is_loopback, parse_known_listen, parse_listen
from proxy.config.routes import CallerSettings, RoutingSettings, RuleSettings
from proxy.config.section import Section
from proxy.config.settings import (
    AccessSettings,
    AdminSettings,
    CacheSettings,
    HoursSettings,
    Settings,
    SourceSettings,
    SwitchSettings,
)
from proxy.config.values import parse_network
from proxy.keys import By
from proxy.matching import Several
from proxy.rules import Standing
from proxy.rules.greeting import Greeting

EVERYBODY = frozenset(Standing)


def complaints(section: type[Section] | type[Settings], **values: Any) -> list[str]:
    """Return what is said against these values, without where."""
    with pytest.raises(ValidationError) as caught:
        section(**values)
    return [error["msg"].removeprefix("Value error, ") for error in caught.value.errors()]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:8080", ("::1", 8080)),
        ("localhost:0", ("localhost", 0)),
        ("switch.example.com:65535", ("switch.example.com", 65535)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, address: tuple[str, int]) -> None:
    assert parse_listen(text) == address
    assert SwitchSettings(listen=text, default="queue/200").listen == address


@pytest.mark.parametrize(
    "text",
    ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:http", "x:-1", "x:８０", "x:000080"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address to listen at - allowed: HOST:PORT"):
        parse_listen(text)


def test_an_address_that_others_must_find_has_a_port() -> None:
    assert parse_known_listen("127.0.0.1:9090") == ("127.0.0.1", 9090)
    with pytest.raises(ValueError, match="has a port that nobody would know"):
        parse_known_listen("127.0.0.1:0")


@pytest.mark.parametrize("path", ["/", "/musteri.json", "/a/b-c_d~e.f/1"])
def test_a_path_begins_with_a_slash_and_needs_no_encoding(path: str) -> None:
    assert SwitchSettings(path=path, default="queue/200").path == path


@pytest.mark.parametrize("path", ["", "musteri.json", "/a b", "/ş", "/a?b=c", "/a#b", "/%41", "/a\n"])
def test_another_path_is_refused(path: str) -> None:
    assert complaints(SwitchSettings, path=path, default="queue/200") == [
        "is not a path - allowed: / and then letters, digits and . _ ~ / -"
    ]


@pytest.mark.parametrize("value", [5, None, ["queue/200"], True])
def test_what_is_to_be_a_text_must_be_one(value: object) -> None:
    assert complaints(SwitchSettings, default=value) == ["is no text - allowed: a text in quotes"]


def test_targets_are_read_when_the_toml_is() -> None:
    settings = SwitchSettings(default="external/05321234567")
    assert (settings.default.kind, settings.default.argument) == ("external", "05321234567")
    assert complaints(SwitchSettings, default="queue/x")[0].startswith("is not a target - allowed: user/N, ")


def test_regions_are_those_of_phonenumbers() -> None:
    assert CallerSettings(country=["TR", "DE"]).country == ["TR", "DE"]
    assert complaints(SwitchSettings, region="EU", default="queue/200") == [
        "is not a region - allowed: an ISO 3166 code in capitals, such as TR"
    ]


@pytest.mark.parametrize(
    ("kinds", "standings"),
    [
        ("known", {Standing.KNOWN}),
        (["known", "unclear"], {Standing.KNOWN, Standing.UNCLEAR}),
        ("anyone", EVERYBODY),
        (["anyone"], EVERYBODY),
    ],
)
def test_kinds_of_callers_are_one_a_list_or_anyone(kinds: object, standings: set[Standing]) -> None:
    assert CallerSettings(kind=kinds).kind == frozenset(standings)


@pytest.mark.parametrize("kinds", ["strangers", [], ["known", "x"], ["known", 5], ["anyone", "known"], 5, {}, [[]]])
def test_what_is_no_kind_of_caller_is_refused(kinds: object) -> None:
    allowed = "known, unknown, several, internal, withheld, unclear, a list of them, or anyone"
    assert complaints(CallerSettings, kind=kinds) == [f"is not a kind of caller - allowed: {allowed}"]


def test_one_text_stands_for_a_list_of_one() -> None:
    assert CallerSettings(type="mobile", country="TR").type == ["mobile"]
    rule = RuleSettings(name="x", called="1003", during="office", outside="lunch", target="queue/1")
    assert (rule.called, rule.during, rule.outside) == (["1003"], ["office"], ["lunch"])


@pytest.mark.parametrize("key", ["called", "during", "outside"])
def test_an_empty_list_is_refused_where_it_could_mean_nothing_or_anything(key: str) -> None:
    assert len(complaints(RuleSettings, name="x", target="queue/1", **{key: []})) == 1


def test_types_of_numbers_are_those_that_rules_know() -> None:
    (message,) = complaints(CallerSettings, type="cell")
    assert message.startswith("is not a type of number - allowed: company, landline, ")


def test_a_rule_is_for_known_callers_when_the_toml_does_not_say() -> None:
    assert RuleSettings(name="x", target="user/{extension}").caller.kind == {Standing.KNOWN}
    assert RuleSettings(name="x", caller={"kind": "anyone"}, target="queue/1").caller.kind == EVERYBODY


@pytest.mark.parametrize(
    ("by", "kinds"),
    [
        ("phone_number", {By.PHONE_NUMBER}),
        ("customer_number", {By.CUSTOMER_NUMBER}),
        (["customer_number", "phone_number"], set(By)),
    ],
)
def test_a_source_is_asked_by_one_kind_of_number_or_a_list_of_them(by: object, kinds: set[By]) -> None:
    assert SourceSettings(name="crm", adapter="static", by=by).by == kinds
    assert SourceSettings(name="crm", adapter="static").by == {By.PHONE_NUMBER}


@pytest.mark.parametrize("by", ["name", "", [], ["phone_number", "name"], ["phone_number", 5], 5, {}, None])
def test_by_what_nobody_can_ask_is_refused(by: object) -> None:
    assert complaints(SourceSettings, name="crm", adapter="static", by=by) == [
        "is nothing to ask by - allowed: phone_number, customer_number, or a list of both"
    ]


def hours(**values: Any) -> HoursSettings:
    return HoursSettings(**{"from": "09:00", "to": "18:00", **values})


def test_hours_are_every_day_in_istanbul_when_the_toml_does_not_say() -> None:
    assert (hours().days, hours().zone) == (frozenset(range(7)), ZoneInfo("Europe/Istanbul"))
    assert (hours().start, hours().end) == (time(9), time(18))
    assert hours().holidays is None


def test_holidays_are_those_of_a_country_or_a_part_of_one() -> None:
    turkish, bavarian = hours(holidays="TR").holidays, hours(holidays="DE-BY").holidays
    assert turkish is not None
    assert bavarian is not None
    assert date(2026, 10, 29) in turkish
    assert date(2026, 1, 6) in bavarian
    assert date(2026, 10, 29) not in bavarian


@pytest.mark.parametrize("name", ["XX", "", "TR-XX", "DE-", "tr"])
def test_holidays_of_nowhere_are_refused(name: str) -> None:
    if name == "DE-":
        assert hours(holidays=name).holidays is not None
        return
    assert complaints(HoursSettings, **{"from": "09:00", "to": "18:00", "holidays": name}) == [
        "has no known holidays - allowed: an ISO 3166 code such as TR, or DE-BY for a part"
    ]


@pytest.mark.parametrize("zone", ["Ankara", "", "../etc/passwd", "/etc/passwd", "Europe", "a\x00b", "Europe/İstanbul"])
def test_what_is_no_zone_is_refused(zone: str) -> None:
    assert complaints(HoursSettings, **{"from": "09:00", "to": "18:00", "zone": zone}) == [
        "is not a time zone - allowed: an IANA name, such as Europe/Istanbul"
    ]


@pytest.mark.parametrize(
    ("several", "newest_by", "is_good"),
    [
        ("first", "", True),
        ("unknown", "", True),
        ("newest", "updated", True),
        ("newest", "", False),
        ("first", "x", False),
    ],
)
def test_newest_goes_with_the_field_that_tells(several: str, newest_by: str, *, is_good: bool) -> None:
    values: dict[str, Any] = {"name": "crm", "adapter": "static", "several": several, "newest_by": newest_by}
    if is_good:
        assert SourceSettings(**values).several is Several(several)
    else:
        assert complaints(SourceSettings, **values) == [
            'has one of several = "newest" and newest_by without the other - allowed: both or neither'
        ]


def settings(**sections: Any) -> Settings:
    return Settings(
        **{"switch": {"default": "queue/200"}, "sources": [{"name": "crm", "adapter": "static"}], **sections}
    )


def test_a_tables_numbers_may_be_texts_or_whole_numbers() -> None:
    assert settings(tables={"x": {"a": "0012", "b": 12}}).tables == {"x": {"a": "0012", "b": "12"}}


def test_a_table_may_have_languages_in_the_place_of_numbers() -> None:
    table = {"TR": "tr-TR", "DE": "en-US", "AE": "ar-XA"}
    assert settings(tables={"x": table}).tables == {"x": table}


@pytest.mark.parametrize("number", ["", "1234567", 1234567, -1, "12a", "١٢", "12\n", True, 1.5, "tr", "de-DE", "tr-tr"])
def test_another_value_in_a_table_is_refused(number: object) -> None:
    with pytest.raises(ValidationError, match=r"is nothing that a table has|is no text"):
        settings(tables={"x": {"a": number}})


def test_settings_come_from_nowhere_but_their_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANIMA_SWITCH__DEADLINE", "9")
    assert settings().switch.deadline == 1.5


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        settings().switch.deadline = 3  # type: ignore[misc] # that is the point


def test_the_greeting_is_the_name_when_the_toml_does_not_say() -> None:
    assert RoutingSettings().greeting == Greeting("{name}")


A_TOKEN = "0123456789abcdef"
SHORT = "123456789012345"


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.0/255.255.255.0", "192.0.2.0/24"),
        ("2001:db8::7", "2001:db8::7/128"),
        ("2001:db8::/32", "2001:db8::/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_a_network_is_an_address_or_the_first_of_several(text: str, network: str) -> None:
    assert str(parse_network(text)) == network
    assert [*map(str, AccessSettings(allow=text, trusted_proxies=[text]).allow)] == [network]


@pytest.mark.parametrize("text", ["", "192.0.2", "192.0.2.0/33", "192.0.2.0/", "/24", "example.com", " 192.0.2.1", "1"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is not a network - allowed: such as 192\.0\.2\.7 or 192\.0\.2\.0/24$"):
        parse_network(text)


@pytest.mark.parametrize(
    ("text", "whole", "alone"),
    [
        ("192.0.2.7/24", "192.0.2.0/24", "192.0.2.7"),
        ("192.0.2.7/255.255.255.0", "192.0.2.0/24", "192.0.2.7"),
        ("10.1.0.0/8", "10.0.0.0/8", "10.1.0.0"),
        ("2001:db8::7/32", "2001:db8::/32", "2001:db8::7"),
    ],
)
def test_an_address_with_a_networks_length_behind_it_is_refused_with_both_that_may_be_meant(
    text: str, whole: str, alone: str
) -> None:
    assert complaints(AccessSettings, allow=[text]) == [
        f"is an address inside of a network - allowed: {whole} for all of it, or {alone} alone"
    ]


def test_a_token_is_hidden_and_one_may_stand_without_a_list() -> None:
    access = AccessSettings(tokens=A_TOKEN)
    assert [token.get_secret_value() for token in access.tokens] == [A_TOKEN]
    assert A_TOKEN not in repr(access)


def test_a_secret_that_can_be_guessed_is_refused_and_not_shown() -> None:
    too_short = ["is too short - allowed: a secret of at least 16 characters"]
    assert complaints(AccessSettings, tokens=[A_TOKEN, SHORT]) == too_short
    assert complaints(CacheSettings, snapshot="cache", snapshot_key=SHORT) == too_short
    assert complaints(AdminSettings, listen="0.0.0.0:9090", token=SHORT) == too_short


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.7", False),
        ("switch.example.com", False),
    ],
)
def test_only_loopback_is_reached_by_nobody_else(host: str, *, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_a_snapshot_and_its_key_go_together() -> None:
    cache = CacheSettings(snapshot="cache", snapshot_key=A_TOKEN)
    assert cache.snapshot_key is not None
    assert (CacheSettings().snapshot, CacheSettings().snapshot_key) == (None, None)
    assert complaints(CacheSettings, snapshot="cache") == [
        "is missing, and snapshot is encrypted with it - allowed: a secret of at least 16 characters"
    ]
    assert complaints(CacheSettings, snapshot_key=A_TOKEN) == ["is given without snapshot - allowed: both or neither"]


def test_a_snapshot_that_is_wrong_by_itself_is_the_only_complaint() -> None:
    assert len(complaints(CacheSettings, snapshot="", snapshot_key=A_TOKEN)) == 1
    assert len(complaints(CacheSettings, snapshot=5)) == 1


def test_contacts_are_refreshed_within_their_ttl() -> None:
    assert CacheSettings(ttl=60, refresh_ahead=59.9).refresh_ahead == 59.9
    for seconds in (60, 61):
        assert complaints(CacheSettings, ttl=60, refresh_ahead=seconds) == [
            "is not below ttl - allowed: below 60, such as 6"
        ]
    assert complaints(CacheSettings, ttl=0, refresh_ahead=5) == ["Input should be greater than 0"]


@pytest.mark.parametrize("listen", ["127.0.0.1:9090", "[::1]:9090", "localhost:9090"])
def test_the_operators_address_needs_no_token_where_only_this_machine_reaches_it(listen: str) -> None:
    assert AdminSettings(listen=listen).token is None
    assert AdminSettings(listen=listen, token=A_TOKEN).token is not None


@pytest.mark.parametrize("listen", ["0.0.0.0:9090", "[::]:9090", "192.0.2.7:9090", "switch.example.com:9090"])
def test_the_operators_address_needs_a_token_where_other_machines_reach_it(listen: str) -> None:
    assert complaints(AdminSettings, listen=listen) == [
        "is missing, and other machines reach listen - allowed: a secret of at least 16 characters; or 127.0.0.1 there"
    ]
    assert AdminSettings(listen=listen, token=A_TOKEN).token is not None


def test_a_token_of_no_address_is_refused() -> None:
    assert complaints(AdminSettings, token=A_TOKEN) == ["is given without listen - allowed: both or neither"]
    assert len(complaints(AdminSettings, listen="9090", token=A_TOKEN)) == 1, "what is wrong is the address alone"
    assert (AdminSettings().listen, AdminSettings().token) == (None, None)
