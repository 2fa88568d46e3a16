"""What each strategy visits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_emulator.ecs.deployments.steps import Stage, Step, forward_steps, rollback_steps

CANARY = {
    "strategy": "CANARY",
    "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 15},
    "bakeTimeInMinutes": 60,
}


def visited(configuration: dict, **options: bool) -> list[tuple[str, float]]:
    steps = forward_steps(configuration, **{"has_source": True, "reconcile": False, **options})
    return [(step.stage.value, step.production) for step in steps]


@pytest.mark.rule("A.3.order")
def test_a_canary_visits_pre_production_twice():
    assert visited(CANARY) == [
        ("PRE_SCALE_UP", 0),
        ("SCALE_UP", 0),
        ("POST_SCALE_UP", 0),
        ("TEST_TRAFFIC_SHIFT", 0),
        ("POST_TEST_TRAFFIC_SHIFT", 0),
        ("PRE_PRODUCTION_TRAFFIC_SHIFT", 0),
        ("PRODUCTION_TRAFFIC_SHIFT", 10),
        ("PRE_PRODUCTION_TRAFFIC_SHIFT", 10),
        ("PRODUCTION_TRAFFIC_SHIFT", 100),
        ("POST_PRODUCTION_TRAFFIC_SHIFT", 100),
        ("BAKE_TIME", 100),
        ("CLEAN_UP", 100),
    ]


@pytest.mark.rule("A.3.gate-order")
def test_the_canary_bakes_after_its_shift_and_the_release_after_the_last():
    waits = [
        (step.stage.value, step.wait)
        for step in forward_steps(CANARY, has_source=True, reconcile=False)
        if step.wait
    ]
    assert waits == [("PRODUCTION_TRAFFIC_SHIFT", 900), ("BAKE_TIME", 3600)]


@pytest.mark.rule("A.3.gate-order")
def test_the_other_order_opens_the_second_gate_before_the_canary_bake():
    steps = forward_steps(CANARY, has_source=True, reconcile=False, gate_before_bake=True)
    tail = [(step.stage, step.production, step.wait) for step in steps if step.production]
    assert tail[:4] == [
        (Stage.PRODUCTION_TRAFFIC_SHIFT, 10, 0),
        (Stage.PRE_PRODUCTION_TRAFFIC_SHIFT, 10, 0),
        (Stage.PRODUCTION_TRAFFIC_SHIFT, 10, 900),
        (Stage.PRODUCTION_TRAFFIC_SHIFT, 100, 0),
    ]


def test_without_a_source_all_traffic_shifts_at_once():
    shares = [
        share for stage, share in visited(CANARY, has_source=False) if stage == "PRODUCTION_TRAFFIC_SHIFT"
    ]
    assert shares == [100]


@pytest.mark.rule("A.3.reconcile")
def test_a_deployment_over_an_unfinished_one_reconciles_first():
    assert visited(CANARY, reconcile=True)[0] == ("RECONCILE_SERVICE", 0)


@pytest.mark.rule("A.3.order")
@pytest.mark.parametrize(
    ("percent", "shares"),
    [
        pytest.param(25.0, [25, 50, 75, 100], id="even"),
        pytest.param(30.0, [30, 60, 90, 100], id="last-step-is-the-rest"),
        pytest.param(100.0, [100], id="at-once"),
        pytest.param(33.3, [33.3, 66.6, 99.9, 100], id="thirds"),
    ],
)
def test_linear_shifts_in_equal_steps(percent, shares):
    configuration = {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": percent}}
    found = [share for stage, share in visited(configuration) if stage == "PRODUCTION_TRAFFIC_SHIFT"]
    assert found == shares


@given(st.integers(30, 1000))
def test_every_linear_plan_rises_to_a_hundred(tenths):
    configuration = {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": tenths / 10}}
    shares = [share for stage, share in visited(configuration) if stage == "PRODUCTION_TRAFFIC_SHIFT"]
    assert shares == sorted(set(shares))
    assert shares[-1] == 100


@pytest.mark.rule("A.3.order")
def test_blue_green_shifts_once():
    shares = [share for stage, share in visited({"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5}) if share]
    assert shares == [100, 100, 100, 100]


@pytest.mark.rule("A.10.reverse")
@pytest.mark.parametrize(
    ("reached", "stages"),
    [
        pytest.param(Step(Stage.SCALE_UP), ["CLEAN_UP"], id="before-any-traffic"),
        pytest.param(
            Step(Stage.POST_TEST_TRAFFIC_SHIFT, test=100),
            ["TEST_TRAFFIC_SHIFT", "CLEAN_UP"],
            id="test-traffic",
        ),
        pytest.param(
            Step(Stage.BAKE_TIME, production=100, test=100),
            ["PRODUCTION_TRAFFIC_SHIFT", "TEST_TRAFFIC_SHIFT", "CLEAN_UP"],
            id="production-traffic-first",
        ),
    ],
)
def test_a_rollback_walks_the_traffic_back_in_reverse(reached, stages):
    back = rollback_steps(CANARY, reached)
    assert [step.stage.value for step in back] == stages
    assert all(step.production == 0 for step in back)


@pytest.mark.rule("A.10.capacity")
def test_a_rollback_from_clean_up_starts_the_old_tasks_before_it_moves_traffic():
    first, second, *_ = rollback_steps(
        CANARY, Step(Stage.CLEAN_UP, production=100, test=100, source=False, hooks=False)
    )
    assert (first.stage, first.production, first.test) == (Stage.SCALE_UP, 100, 100)
    assert first.source
    assert (second.stage, second.production) == (Stage.PRODUCTION_TRAFFIC_SHIFT, 0)
