"""How much capacity policies ask for and get: pure functions, by tables and at random."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samjhadoo_emulator.autoscaling.decisions import (
    Decision,
    decide,
    step,
    step_breach,
    stepped,
    tracked,
)
from samjhadoo_emulator.autoscaling.model import IN_SUSPENDED, OUT_SUSPENDED, Cooldown, ScalableTarget

NOW = 1_000.0
STEPS = {
    "AdjustmentType": "ChangeInCapacity",
    "StepAdjustments": [
        {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 10.0, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 10.0, "ScalingAdjustment": 3},
        {"MetricIntervalUpperBound": -10.0, "ScalingAdjustment": -2},
        {"MetricIntervalLowerBound": -10.0, "MetricIntervalUpperBound": 0.0, "ScalingAdjustment": -1},
    ],
}


def target(minimum=4, maximum=12, **state):
    return ScalableTarget("service/c/s", "arn", "role", minimum, maximum, datetime.now(UTC), **state)


def decided(current, propose, *, of=None, deploying=False):
    return decide(of or target(), current, propose, now=NOW, deploying=deploying)


@pytest.mark.parametrize(
    ("breach", "adjustment"),
    [(0, 1), (9.99, 1), (10, 3), (1e9, 3), (-0.01, -1), (-9.99, -1), (-10, -2), (-1e9, -2)],
)
def test_a_step_begins_at_its_lower_bound_above_the_threshold_and_ends_with_its_upper_below(
    breach, adjustment
):
    assert step(STEPS, breach) == adjustment


def test_a_breach_outside_of_all_steps_adjusts_nothing():
    assert step({"StepAdjustments": STEPS["StepAdjustments"][:2]}, -5.0) is None


@pytest.mark.parametrize(
    ("kind", "breach"), [("Average", 20.0), ("Minimum", 10.0), ("Maximum", 30.0), (None, 20.0)]
)
def test_the_metric_is_aggregated_as_the_policy_asks(kind, breach):
    configuration = {"MetricAggregationType": kind} if kind else {}
    assert step_breach(configuration, [60.0, 80.0, 70.0], 50.0) == breach


@pytest.mark.parametrize(
    ("kind", "capacity", "adjustment", "least", "wanted"),
    [
        ("ChangeInCapacity", 4, 3, None, 7),
        ("ChangeInCapacity", 4, -9, None, 0),
        ("ExactCapacity", 4, 9, None, 9),
        ("PercentChangeInCapacity", 10, 25, None, 12),  # 2.5: towards zero
        ("PercentChangeInCapacity", 10, -25, None, 8),
        ("PercentChangeInCapacity", 4, 10, None, 5),  # 0.4: one at least
        ("PercentChangeInCapacity", 4, -10, None, 3),
        ("PercentChangeInCapacity", 4, 10, 3, 7),
        ("PercentChangeInCapacity", 40, 50, 3, 60),
    ],
)
def test_an_adjustment_changes_capacity_by_its_type(kind, capacity, adjustment, least, wanted):
    configuration = {"AdjustmentType": kind, **({"MinAdjustmentMagnitude": least} if least else {})}
    assert stepped(configuration, capacity, adjustment) == wanted


@pytest.mark.parametrize(
    ("capacity", "value", "goal", "wanted"),
    [(4, 90, 50, 8), (10, 50, 50, 10), (3, 50.1, 50, 4), (10, 10, 50, 2), (0, 90, 50, 0), (6, 35, 70, 3)],
)
def test_target_tracking_is_proportional(capacity, value, goal, wanted):
    assert tracked(capacity, value, goal) == wanted


NOT_IN = {"suspended": {OUT_SUSPENDED: False, IN_SUSPENDED: True}}
CASES = {
    "out": (4, 7, {}, Decision(7, "out")),
    "out, no further than the maximum": (10, 20, {}, Decision(12, "out")),
    "out at the maximum": (
        12,
        20,
        {},
        Decision(None, "out", {"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 12}),
    ),
    "out, suspended": (
        4,
        7,
        {"suspended": {OUT_SUSPENDED: True, IN_SUSPENDED: False}},
        Decision(None, "out"),
    ),
    "out, in suspended": (
        4,
        7,
        {"suspended": {OUT_SUSPENDED: False, IN_SUSPENDED: True}},
        Decision(7, "out"),
    ),
    "out ends the cooldown of in": (6, 8, {"scaled_in": Cooldown(8, NOW + 300)}, Decision(8, "out")),
    "in": (8, 6, {}, Decision(6, "in")),
    "in, no further than the minimum": (6, 1, {}, Decision(4, "in")),
    "in at the minimum": (4, 1, {}, Decision(None, "in", {"Code": "AlreadyAtMinCapacity", "MinCapacity": 4})),
    "in, suspended": (8, 6, NOT_IN, Decision(None, "in")),
    "in, cooling down": (8, 6, {"scaled_in": Cooldown(9, NOW + 1)}, Decision(None, "in")),
    "in, cooled down": (8, 6, {"scaled_in": Cooldown(9, NOW)}, Decision(6, "in")),
    "content": (6, 6, {}, Decision(reason={"Code": "AlreadyAtDesiredCapacity", "CurrentCapacity": 6})),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wish_is_granted_within_the_target_s_bounds_and_cooldowns(case):
    current, wanted, state, decision = CASES[case]
    assert decided(current, lambda _: wanted, of=target(**state)) == decision


@pytest.mark.parametrize(
    ("current", "change", "capacity"),
    [(2, 3, 7), (2, -1, None), (20, -3, 9), (20, 3, None)],
    ids=["below, out", "below, in", "above, in", "above, out"],
)
def test_a_count_out_of_range_comes_into_range_first(current, change, capacity):
    assert decided(current, lambda base: base + change).capacity == capacity


def test_a_larger_scale_out_in_the_cooldown_counts_from_before_it():
    cooling = target(scaled_out=Cooldown(base=4, until=NOW + 10))
    assert decided(6, lambda base: base + 2, of=cooling).capacity is None
    assert decided(6, lambda base: base + 3, of=cooling).capacity == 7
    assert decided(6, lambda base: base + 2, of=target(scaled_out=Cooldown(4, NOW))).capacity == 8


@pytest.mark.rule("A.12.scale-in")
def test_scale_in_is_off_while_ecs_deploys_and_scale_out_goes_on():
    """A.12: Application Auto Scaling turns off scale-in while a deployment is in progress."""
    assert decided(8, lambda _: 5, deploying=True) == Decision(
        None, "in", {"Code": "TargetServicePutResourceAsUnscalable"}
    )
    assert decided(8, lambda _: 9, deploying=True).capacity == 9


@settings(max_examples=60, deadline=None)
@given(
    current=st.integers(0, 40),
    bounds=st.tuples(st.integers(0, 20), st.integers(0, 20)).map(sorted),
    change=st.integers(-20, 20),
    deploying=st.booleans(),
    base=st.none() | st.integers(0, 40),
    suspended=st.fixed_dictionaries({IN_SUSPENDED: st.booleans(), OUT_SUSPENDED: st.booleans()}),
)
def test_any_wish_stays_in_bounds_and_goes_in_its_direction(
    current, bounds, change, deploying, base, suspended
):
    cooling = None if base is None else Cooldown(base, NOW + 60)
    of = target(*bounds, scaled_out=cooling, suspended=suspended)
    decision = decide(of, current, lambda start: max(0, start + change), now=NOW, deploying=deploying)
    if decision.capacity is None:
        return
    assert bounds[0] <= decision.capacity <= bounds[1]
    assert decision.direction == ("out" if decision.capacity > current else "in")
    assert decision.capacity != current
    assert not (decision.direction == "in" and (deploying or suspended[IN_SUSPENDED]))
    assert not (decision.direction == "out" and suspended[OUT_SUSPENDED])


@settings(max_examples=40, deadline=None)
@given(
    capacity=st.integers(1, 100),
    load=st.floats(0.1, 10_000, allow_nan=False),
    goal=st.floats(1, 1000, allow_nan=False),
)
def test_at_the_tracked_capacity_a_shared_load_is_at_most_at_its_target(capacity, load, goal):
    wanted = tracked(capacity, load / capacity, goal)
    assert load / wanted <= goal * (1 + 1e-6)
    assert wanted == 1 or load / (wanted - 1) > goal * (1 - 1e-6) or math.isclose(load / (wanted - 1), goal)
