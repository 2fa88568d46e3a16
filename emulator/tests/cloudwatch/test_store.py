"""What the store keeps: bounded, whatever the rate of the emulated clock."""

from __future__ import annotations

import sys

import pytest

from samjhadoo_emulator.cloudwatch.sample import Sample
from samjhadoo_emulator.cloudwatch.store import (
    DAY,
    FIVE_MINUTES,
    HOUR,
    MINUTE,
    MOST_POINTS,
    SECOND,
    Series,
    Store,
)

KEY = ("AWS/ECS", "CPUUtilization", (("ServiceName", "web"),))


def values(number):
    """Return the value of a minute: repeated, slowly changing, or another one each time."""
    return {"same": 2.0, "steps": float(number // 100), "new": number * 1.5}


def filled(kind, minutes):
    store = Store()
    for number in range(minutes):
        at = number * MINUTE
        store.add(KEY, "None", at, Sample.single(values(number)[kind]), now=at)
    return store


@pytest.mark.parametrize("kind", ["same", "steps", "new"])
def test_a_series_of_a_fast_clock_stops_growing_and_loses_no_observation(kind):
    minutes = 12 * DAY // MINUTE
    (series,) = filled(kind, minutes).units(KEY, None).values()
    for resolution in (MINUTE, FIVE_MINUTES):
        assert len(series.points[resolution]) <= MOST_POINTS[resolution] * 9 / 8
    assert 0 < len(series.points[HOUR]) < 12 * DAY // HOUR
    every = [sample for points in series.points.values() for sample in points.values()]
    assert sum(sample.count for sample in every) == minutes
    assert sum(sample.total for sample in every) == pytest.approx(
        sum(values(number)[kind] for number in range(minutes))
    )


def test_the_distribution_of_older_points_is_kept_in_little_space():
    (series,) = filled("new", 12 * DAY // MINUTE).units(KEY, None).values()
    hour, sample = next(iter(series.points[HOUR].items()))
    assert sample.distribution == {values(hour // MINUTE + number)["new"]: 1.0 for number in range(60)}
    assert sys.getsizeof(sample._values) < 60 * 24
    assert sample.packed() is sample


def test_the_last_day_is_read_by_the_minute():
    end = 5 * DAY
    found = filled("new", end // MINUTE).read(KEY, None, start=end - DAY, end=end, period=MINUTE)
    assert len(found) == DAY // MINUTE


def test_seconds_are_kept_for_three_hours():
    series = Series()
    for at in range(4 * HOUR):
        series.add(at, Sample.single(float(at)), SECOND)
        series.expire(at)
    assert 3 * HOUR <= len(series.points[SECOND]) <= 3 * HOUR * 9 / 8


def test_equal_samples_are_one_object_and_different_ones_are_not():
    (series,) = filled("steps", 200).units(KEY, None).values()
    assert len({id(sample) for sample in series.points[MINUTE].values()}) == 2


def test_a_sample_that_is_added_to_leaves_its_equals_as_they_are():
    series = Series()
    for minute in range(3):
        series.add(minute * MINUTE, Sample.single(1.0), MINUTE)
    series.add(MINUTE, Sample.single(5.0), MINUTE)
    assert [sample.total for sample in series.points[MINUTE].values()] == [1.0, 6.0, 1.0]
