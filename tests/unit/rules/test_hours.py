from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from holidays import country_holidays

from proxy.rules.hours import Hours, parse_days, parse_time

ISTANBUL, BERLIN = ZoneInfo("Europe/Istanbul"), ZoneInfo("Europe/Berlin")
TURKISH_HOLIDAYS = country_holidays("TR")
OFFICE = Hours("office", parse_days("mon-fri"), time(9), time(18), ISTANBUL)


def at(text: str, zone: ZoneInfo = ISTANBUL) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def span(days: str, start: str, end: str, zone: ZoneInfo = ISTANBUL) -> Hours:
    return Hours("span", parse_days(days), parse_time(start), parse_time(end), zone)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-23T08:59:59.999999", False),
        ("2026-11-23T09:00", True),
        ("2026-11-23T17:59:59.999999", True),
        ("2026-11-23T18:00", False),
        ("2026-11-27T12:00", True),
        ("2026-11-28T12:00", False),
        ("2026-11-29T12:00", False),
    ],
)
def test_office_hours_begin_with_their_first_minute_and_end_before_their_last(*, moment: str, is_open: bool) -> None:
    assert OFFICE.contain(at(moment)) is is_open


def test_the_time_of_a_call_is_taken_to_the_zone_of_the_hours() -> None:
    assert OFFICE.contain(datetime(2026, 11, 23, 6, 0, tzinfo=UTC))
    assert not OFFICE.contain(datetime(2026, 11, 23, 5, 59, tzinfo=UTC))
    assert not OFFICE.contain(datetime(2026, 11, 23, 16, 0, tzinfo=timezone(timedelta(hours=1))))
    assert OFFICE.contain(datetime(2026, 11, 22, 23, 0, tzinfo=timezone(timedelta(hours=-8))))


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-27T21:59", False),
        ("2026-11-27T22:00", True),
        ("2026-11-28T03:00", True),
        ("2026-11-28T05:59", True),
        ("2026-11-28T06:00", False),
        ("2026-11-28T22:00", False),
        ("2026-11-27T03:00", False),
    ],
)
def test_hours_over_midnight_belong_to_the_day_on_which_they_start(*, moment: str, is_open: bool) -> None:
    assert span("fri", "22:00", "06:00").contain(at(moment)) is is_open


def test_hours_over_midnight_reach_from_sunday_into_monday() -> None:
    night = span("sun", "22:00", "06:00")
    assert night.contain(at("2026-11-23T01:00"))
    assert not night.contain(at("2026-11-22T01:00"))


@pytest.mark.parametrize(
    ("start", "end", "moment", "is_open"),
    [
        ("00:00", "24:00", "2026-11-23T00:00", True),
        ("00:00", "24:00", "2026-11-23T23:59:59", True),
        ("00:00", "24:00", "2026-11-24T00:00", False),
        ("00:00", "00:00", "2026-11-23T12:00", True),
        ("18:00", "24:00", "2026-11-23T23:59:59", True),
        ("18:00", "24:00", "2026-11-24T00:00", False),
        ("18:00", "24:00", "2026-11-23T17:59", False),
        ("09:00", "09:00", "2026-11-23T08:59", False),
        ("09:00", "09:00", "2026-11-24T08:59", True),
        ("09:00", "09:00", "2026-11-24T09:00", False),
    ],
)
def test_hours_may_end_at_midnight_or_last_a_whole_day(*, start: str, end: str, moment: str, is_open: bool) -> None:
    assert span("mon", start, end).contain(at(moment)) is is_open


def test_hours_follow_the_clock_on_the_wall_when_summer_time_begins_and_ends() -> None:
    office = span("mon-sun", "09:00", "18:00", BERLIN)
    assert office.contain(datetime(2026, 3, 28, 8, 0, tzinfo=UTC))
    assert not office.contain(datetime(2026, 3, 28, 7, 59, tzinfo=UTC))
    assert office.contain(datetime(2026, 3, 29, 7, 0, tzinfo=UTC))
    assert not office.contain(datetime(2026, 10, 25, 7, 30, tzinfo=UTC))
    assert office.contain(datetime(2026, 10, 25, 8, 0, tzinfo=UTC))


def test_the_hour_that_comes_twice_is_within_hours_both_times() -> None:
    night = span("sun", "02:00", "03:00", BERLIN)
    assert night.contain(datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
    assert night.contain(datetime(2026, 10, 25, 1, 30, tzinfo=UTC))
    assert not night.contain(datetime(2026, 10, 25, 2, 30, tzinfo=UTC))


def test_the_hour_that_is_left_out_is_within_no_hours() -> None:
    night = span("sun", "02:00", "03:00", BERLIN)
    assert not any(night.contain(datetime(2026, 3, 29, 0, 30, tzinfo=UTC) + timedelta(minutes=m)) for m in range(60))


def test_turkey_keeps_summer_time_all_year() -> None:
    assert OFFICE.contain(datetime(2026, 7, 1, 6, 0, tzinfo=UTC))
    assert OFFICE.contain(datetime(2026, 12, 1, 6, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [("2026-10-29T12:00", False), ("2026-10-30T12:00", True), ("2026-04-23T12:00", False), ("2026-05-27T12:00", False)],
)
def test_public_holidays_have_no_hours(*, moment: str, is_open: bool) -> None:
    office = Hours("office", parse_days("mon-fri"), time(9), time(18), ISTANBUL, (TURKISH_HOLIDAYS,))
    assert office.contain(at(moment)) is is_open


def test_a_holiday_takes_the_night_that_starts_on_it_and_leaves_the_one_before() -> None:
    night = Hours("night", parse_days("mon-sun"), time(22), time(6), ISTANBUL, (TURKISH_HOLIDAYS,))
    assert night.contain(at("2026-10-29T03:00"))
    assert not night.contain(at("2026-10-29T23:00"))
    assert not night.contain(at("2026-10-30T03:00"))
    assert night.contain(at("2026-10-30T23:00"))


def test_closed_days_count_beside_holidays() -> None:
    closed = ((date(2026, 12, 31),), TURKISH_HOLIDAYS)
    office = Hours("office", parse_days("mon-fri"), time(9), time(18), ISTANBUL, closed)
    assert not office.contain(at("2026-12-31T12:00"))
    assert not office.contain(at("2026-10-29T12:00"))
    assert office.contain(at("2026-12-30T12:00"))


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon-fri", {0, 1, 2, 3, 4}),
        ("sat", {5}),
        ("mon,wed,fri", {0, 2, 4}),
        ("sat-mon", {5, 6, 0}),
        ("mon-sun", set(range(7))),
        ("sun-sat", set(range(7))),
        ("mon-mon", {0}),
        ("mon-wed, sat", {0, 1, 2, 5}),
        ("Mon - Fri", {0, 1, 2, 3, 4}),
        ("tue,tue", {1}),
    ],
)
def test_weekdays_are_days_ranges_and_lists_of_them(text: str, days: set[int]) -> None:
    assert parse_days(text) == days


@pytest.mark.parametrize("text", ["", "monday", "mon-", "-fri", "mon-fri-sun", "mon,,fri", "mon;fri", "pzt-cum", "1-5"])
def test_what_is_no_weekday_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a range of weekdays") as caught:
        parse_days(text)
    assert str(caught.value) == "is not a range of weekdays - allowed: such as mon-fri, sat or mon,wed,fri"


@pytest.mark.parametrize(
    ("text", "expected"), [("09:00", time(9)), ("00:00", time(0)), ("23:59", time(23, 59)), ("24:00", time(0))]
)
def test_times_of_day_are_hours_and_minutes(text: str, expected: time) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize("text", ["", "9", "09:60", "24:01", "25:00", "09:00:00", "9 am", "-1:00", "٠٩:٠٠", "09:00 "])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time of day") as caught:
        parse_time(text)
    assert str(caught.value) == "is not a time of day - allowed: HH:MM from 00:00 to 24:00"
