"""The circuit breaker's and the rolling update's counting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_emulator.ecs.deployments.breaker import Count, threshold
from samjhadoo_emulator.ecs.deployments.rolling import wanted


@pytest.mark.rule("A.9.threshold")
@pytest.mark.parametrize(
    ("configuration", "desired", "expected"),
    [
        pytest.param({}, 2, 3, id="default-half-bounded-below-by-3"),
        pytest.param({}, 25, 13, id="default-rounds-up"),
        pytest.param({}, 1000, 200, id="default-bounded-above-by-200"),
        pytest.param({"type": "COUNT", "value": 5}, 1000, 5, id="count-as-is"),
        pytest.param({"type": "UNBOUNDED_PERCENT", "value": 10}, 5, 1, id="unbounded-small"),
        pytest.param({"type": "UNBOUNDED_PERCENT", "value": 50}, 1000, 500, id="unbounded-large"),
        pytest.param({"type": "BOUNDED_PERCENT", "value": 10}, 100, 10, id="bounded"),
    ],
)
def test_the_threshold_is_as_configured(configuration, desired, expected):
    assert threshold({"thresholdConfiguration": configuration}, desired) == expected


@pytest.mark.rule("A.9.stages")
def test_before_any_task_runs_each_task_that_does_not_reach_running_counts():
    count = (
        Count().failed(reached_running=False, unhealthy=False).failed(reached_running=False, unhealthy=False)
    )
    assert count.failures == 2


@pytest.mark.rule("A.9.stages")
def test_once_tasks_run_only_unhealthy_ones_and_failed_starts_count():
    count = Count().running()
    assert count.failed(reached_running=True, unhealthy=False).failures == 0
    assert count.failed(reached_running=True, unhealthy=True).failures == 1


@pytest.mark.rule("A.9.stages")
@pytest.mark.parametrize(
    ("strictly", "reached_running", "unhealthy", "expected"),
    [
        pytest.param(False, False, False, 1, id="failed-start"),
        pytest.param(True, False, False, 0, id="failed-start-by-the-letter"),
        pytest.param(False, True, False, 0, id="end-of-a-healthy-task"),
        pytest.param(True, True, False, 0, id="end-of-a-healthy-task-by-the-letter"),
        pytest.param(False, True, True, 1, id="failed-health-check"),
        pytest.param(True, False, True, 1, id="failed-health-check-by-the-letter"),
    ],
)
def test_once_a_task_ran_failed_starts_count_in_one_reading_only(
    strictly, reached_running, unhealthy, expected
):
    count = Count().running()
    counted = count.failed(reached_running=reached_running, unhealthy=unhealthy, strictly=strictly)
    assert counted.failures == expected


@pytest.mark.rule("A.9.stages")
def test_by_the_letter_too_each_failed_start_counts_before_any_task_runs():
    assert Count().failed(reached_running=False, unhealthy=False, strictly=True).failures == 1


@pytest.mark.rule("A.9.reset")
@pytest.mark.parametrize(("reset", "expected"), [(True, 0), (False, 1)])
def test_a_healthy_task_resets_the_count_when_configured(reset, expected):
    assert Count(failures=1).healthy(reset=reset).failures == expected


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param({"arriving": 0, "arriving_healthy": 0, "leaving": 4}, (4, 4), id="doubles-first"),
        pytest.param(
            {"arriving": 4, "arriving_healthy": 2, "leaving": 4}, (4, 2), id="leaves-as-they-get-healthy"
        ),
        pytest.param({"arriving": 4, "arriving_healthy": 4, "leaving": 2}, (4, 0), id="all-healthy"),
    ],
)
def test_a_rolling_update_at_200_percent(state, expected):
    assert wanted(4, minimum_percent=100, maximum_percent=200, **state) == expected


def test_a_rolling_update_within_the_same_size_stops_first():
    assert wanted(4, minimum_percent=50, maximum_percent=100, arriving=0, arriving_healthy=0, leaving=4) == (
        0,
        2,
    )


@given(
    st.integers(1, 20),
    st.integers(0, 99),
    st.integers(100, 200),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(0, 20),
)
def test_a_rolling_update_keeps_its_bounds(desired, minimum, maximum, arriving, healthy, leaving):
    arriving, healthy = min(arriving, desired), min(healthy, arriving, desired)
    aim = wanted(
        desired,
        minimum_percent=minimum,
        maximum_percent=maximum,
        arriving=arriving,
        arriving_healthy=healthy,
        leaving=leaving,
    )
    assert aim.leaving <= leaving
    assert aim.arriving <= desired
    started = max(0, aim.arriving - arriving)
    if started:
        assert aim.arriving + leaving <= desired * maximum // 100
    if leaving > aim.leaving:
        assert healthy + aim.leaving >= min(desired * minimum / 100, healthy + leaving)
