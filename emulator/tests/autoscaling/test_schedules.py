"""When scheduled actions run: at, rate and AWS's cron, in a time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samjhadoo_emulator.autoscaling import scheduled
from samjhadoo_emulator.autoscaling.scheduled import Schedule, ScheduleError

MONDAY = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def unix(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def next_run(expression, after=MONDAY, **more):
    found = Schedule(expression, **more).next_after(after.timestamp())
    return None if found is None else datetime.fromtimestamp(found, UTC).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("0 10 * * ? *", "2026-11-24 10:00"),
        ("15 12 * * ? *", "2026-11-23 12:15"),
        ("0 18 ? * MON-FRI *", "2026-11-23 18:00"),
        ("0 8 1 * ? *", "2026-12-01 08:00"),
        ("0/15 * * * ? *", "2026-11-23 12:15"),
        ("0/10 * ? * MON-FRI *", "2026-11-23 12:10"),
        ("0/5 8-17 ? * MON-FRI *", "2026-11-23 12:05"),
        ("30 6 ? * MON *", "2026-11-30 06:30"),
        ("0 0 L * ? *", "2026-11-30 00:00"),
        ("0 0 L-3 * ? *", "2026-11-27 00:00"),
        ("0 0 LW 1 ? *", "2027-01-29 00:00"),  # the 31st is a Sunday
        ("0 0 15W 11-12 ? *", "2026-12-15 00:00"),
        ("0 0 1W 5 ? *", "2027-05-03 00:00"),  # the 1st is a Saturday: not back into April
        ("0 9 ? * 2#1 *", "2026-12-07 09:00"),
        ("0 9 ? * FRI#5 *", "2027-01-29 09:00"),
        ("0 9 ? * 6L *", "2026-11-27 09:00"),
        ("0 9 ? * L *", "2026-11-28 09:00"),
        ("0 9 ? * FRI-MON *", "2026-11-27 09:00"),
        ("0 0 29 2 ? *", "2028-02-29 00:00"),
        ("0 0 1 1 ? 2030", "2030-01-01 00:00"),
        ("0 0 1 1 ? 2020", None),
        ("0 0 31 4 ? *", None),
        ("5,10 1,13 * JAN,NOV ? 2026-2027", "2026-11-23 13:05"),
    ],
)
def test_cron_names_the_next_minute(fields, expected):
    assert next_run(f"cron({fields})") == expected


@pytest.mark.parametrize(
    "fields",
    [
        "* * * * *", "0 0 * * * *", "0 0 ? * ? *", "60 0 * * ? *", "0 24 * * ? *", "0 0 0 * ? *",
        "0 0 ? * 8 *", "0 0 ? * FOO *", "0 0 ? * MON#6 *", "0 0 * 13 ? *", "0 0 * * ? 1969", "0 0/0 * * ? *",
        "0 0 40W * ? *", "5-1 0 * * ? *", "a b c d ? f",
    ],
)  # fmt: skip
def test_what_is_no_cron_expression_is_refused(fields):
    with pytest.raises(ScheduleError):
        next_run(f"cron({fields})")


@pytest.mark.parametrize("expression", ["", "rate(0 minutes)", "rate(1 week)", "at(tomorrow)", "0 0 * * ? *"])
def test_what_is_no_schedule_is_refused(expression):
    with pytest.raises(ScheduleError):
        next_run(expression)


def test_an_unknown_time_zone_is_refused():
    with pytest.raises(ScheduleError, match="Mars"):
        next_run("cron(0 0 * * ? *)", zone="Mars/Olympus")


def test_a_time_zone_moves_cron_and_at():
    assert next_run("cron(0 22 * * ? *)", zone="Asia/Kolkata") == "2026-11-23 16:30"
    assert next_run("at(2026-11-24T00:00:00)", zone="Asia/Kolkata") == "2026-11-23 18:30"


def test_a_time_that_clocks_skip_comes_after_it_and_one_that_comes_twice_runs_once():
    berlin = {"zone": "Europe/Berlin"}
    spring = datetime(2027, 3, 27, 12, 0, tzinfo=UTC)
    assert next_run("cron(30 2 * * ? *)", spring, **berlin) == "2027-03-28 01:30"
    autumn = datetime(2027, 10, 30, 12, 0, tzinfo=UTC)
    assert next_run("cron(30 2 * * ? *)", autumn, **berlin) == "2027-10-31 00:30"
    assert next_run("cron(30 2 * * ? *)", autumn + timedelta(hours=13), **berlin) == "2027-11-01 01:30"


def test_an_at_expression_runs_once():
    assert next_run("at(2026-11-23T12:30:00)") == "2026-11-23 12:30"
    assert next_run("at(2026-11-23T11:30:00)") is None


def test_a_rate_counts_from_its_creation_or_start():
    assert next_run("rate(10 minutes)", since=unix("2026-11-23 11:55")) == "2026-11-23 12:05"
    assert next_run("rate(1 day)", since=0, start=unix("2026-11-20 08:00")) == "2026-11-24 08:00"


def test_a_recurring_schedule_runs_at_its_start_and_not_after_its_end():
    window = {"start": unix("2026-11-23 13:07"), "end": unix("2026-11-23 15:00")}
    assert next_run("cron(0 * * * ? *)", **window) == "2026-11-23 13:07"
    assert next_run("cron(0 * * * ? *)", MONDAY + timedelta(hours=2), **window) == "2026-11-23 15:00"
    assert next_run("cron(0 * * * ? *)", MONDAY + timedelta(hours=3), **window) is None


@settings(max_examples=40, deadline=None)
@given(
    after=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001 - local
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    weekday=st.integers(1, 7),
)
def test_the_next_weekday_comes_within_a_week(after, minute, hour, weekday):
    found = scheduled.parse_cron(f"{minute} {hour} ? * {weekday} *").next_after(after)
    assert after < found <= after + timedelta(days=7)
    assert (found.minute, found.hour, found.isoweekday() % 7 + 1) == (minute, hour, weekday)
