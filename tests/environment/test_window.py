from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_ops.environment import Window
from samjhadoo_ops.environment.window import DAYS

KOLKATA = ZoneInfo("Asia/Kolkata")
DEPLOYMENT = Window.parse("Mon-Thu 22:00-24:00 Asia/Kolkata")


def at(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A time in the week of Monday, 2 November 2026, in India."""
    return datetime(2026, 11, 1 + day, hour, minute, second, tzinfo=KOLKATA)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        pytest.param(at(1, 21, 59, 59), False, id="monday-a-second-before"),
        pytest.param(at(1, 22), True, id="monday-at-the-start"),
        pytest.param(at(4, 23, 59, 59), True, id="thursday-at-the-last-second"),
        pytest.param(at(5, 0), False, id="the-end-is-not-included"),
        pytest.param(at(5, 22), False, id="friday"),
        pytest.param(datetime(2026, 11, 2, 16, 30, tzinfo=UTC), True, id="utc-is-converted"),
        pytest.param(datetime(2026, 11, 2, 16, 29, tzinfo=UTC), False, id="utc-before"),
    ],
)
def test_the_deployment_window_of_the_plan(moment: datetime, is_open: bool) -> None:
    assert DEPLOYMENT.contains(moment) is is_open


@pytest.mark.parametrize(
    ("window", "text"),
    [
        pytest.param("Sun 02:00-04:00 Asia/Kolkata", "sat:20:30-sat:22:30", id="the-plans"),
        pytest.param("Sun 22:00-02:00 UTC", "sun:22:00-mon:02:00", id="past-midnight"),
        pytest.param("Tue,Thu 03:00-24:00 UTC", "tue:03:00-wed:00:00", id="the-first-day"),
        pytest.param("Sun 23:30-24:00 America/New_York", "mon:04:30-mon:05:00", id="the-next-week"),
    ],
)
def test_aws_takes_a_weekly_window_in_utc(window: str, text: str) -> None:
    assert Window.parse(window).in_utc() == text


def test_a_window_past_midnight_belongs_to_the_day_it_starts_on() -> None:
    night = Window.parse("Fri 23:00-02:00 Asia/Kolkata")
    assert [
        night.contains(moment) for moment in (at(5, 23), at(6, 1, 59), at(6, 2), at(5, 1), at(6, 23))
    ] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_days_may_be_lists_and_wrap_round_the_week() -> None:
    assert Window.parse("fri-MON,Wed 10:00-11:00 UTC").days == {4, 5, 6, 0, 2}


def test_a_time_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        DEPLOYMENT.contains(datetime(2026, 11, 2, 22))  # noqa: DTZ001 - the point


def test_the_next_opening_is_now_or_the_next_start() -> None:
    assert DEPLOYMENT.next_opening(at(1, 23)) == at(1, 23)
    assert DEPLOYMENT.next_opening(at(5, 1)) == at(8, 22)


def test_summer_time_keeps_the_local_hour() -> None:
    window = Window.parse("Sun 02:00-04:00 Europe/Berlin")
    assert window.contains(datetime(2026, 3, 29, 1, 30, tzinfo=UTC))  # 03:30, 02:30 does not exist
    assert not window.contains(datetime(2026, 3, 29, 2, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Mon-Thu 22:00-24:00",
        "Mon-Thu 22:00 Asia/Kolkata",
        "Mon-Thu 22-24 Asia/Kolkata",
        "Monday 22:00-24:00 Asia/Kolkata",
        "Mon-Tue-Wed 22:00-24:00 Asia/Kolkata",
        "Mon, 22:00-23:00 Asia/Kolkata",
        "Mon 22:00-25:00 Asia/Kolkata",
        "Mon 22:60-23:00 Asia/Kolkata",
        "Mon 22:00-22:00 Asia/Kolkata",
        "Mon 24:00-01:00 Asia/Kolkata",
        "Mon 22:00-23:00 IST",
        "Mon 22:00-23:00 Asia",
        "Mon 22:00-23:00 ../etc/passwd",
        "Mon 22:00-23:00 Asia/Kolkata\n",
    ],
)
def test_other_text_is_not_a_window(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|unknown|empty|not a"):
        Window.parse(text)


windows = st.builds(
    lambda days, start, length, zone: Window(frozenset(days), start, (start + length) % 1440, zone),
    st.sets(st.integers(0, 6), min_size=1),
    st.integers(0, 1439),
    st.integers(1, 1439),
    st.sampled_from(["Asia/Kolkata", "UTC", "Europe/Berlin", "America/New_York"]),
)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(windows)
def test_what_a_window_writes_it_reads_again(window: Window) -> None:
    assert Window.parse(str(window)) == window


@given(windows, moments, st.integers(-12, 12))
def test_a_moment_is_the_same_moment_in_every_zone(window: Window, moment: datetime, hours: int) -> None:
    assert window.contains(moment) == window.contains(moment.astimezone(timezone(timedelta(hours=hours))))


@given(windows, moments)
def test_the_next_opening_is_open_and_not_in_the_past(window: Window, moment: datetime) -> None:
    opening = window.next_opening(moment)
    assert opening.timestamp() >= moment.timestamp()
    assert window.contains(opening) or opening.utcoffset() != moment.astimezone(opening.tzinfo).utcoffset()


@given(windows, moments)
def test_open_moments_start_on_a_day_of_the_window(window: Window, moment: datetime) -> None:
    if window.contains(moment):
        local = moment.astimezone(window.timezone)
        assert {DAYS[local.weekday()], DAYS[local.weekday() - 1]} & {DAYS[day] for day in window.days}
