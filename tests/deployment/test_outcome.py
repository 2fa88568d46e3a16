from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_ops.deployment.outcome import Hook, Observation, Phase, observe, phase_of
from samjhadoo_ops.errors import ExitCode

ARN = "arn:aws:ecs:ap-south-1:000000000000:service-deployment/c/s/one"
OTHER = "arn:aws:ecs:ap-south-1:000000000000:service-deployment/c/s/two"
OPEN = (Hook("ecs-pause-1", "AWAITING_ACTION"),)
DONE = (Hook("ecs-pause-1", "SUCCEEDED"),)


def seen(**fields: object) -> Observation:
    return Observation(**{"arn": ARN, "status": "IN_PROGRESS", "requested": 2, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("observation", "phase"),
    [
        pytest.param(seen(status="PENDING"), Phase.SCALING_UP, id="pending"),
        pytest.param(seen(stage="SCALE_UP"), Phase.SCALING_UP, id="tasks-start"),
        pytest.param(
            seen(stage="RECONCILE_SERVICE", production_weight=0.0), Phase.SCALING_UP, id="reconciling"
        ),
        pytest.param(seen(stage="POST_SCALE_UP", production_weight=0.0), Phase.TESTING, id="healthy"),
        pytest.param(
            seen(stage="POST_TEST_TRAFFIC_SHIFT", production_weight=0.0, hooks=OPEN),
            Phase.TESTING,
            id="test-hook",
        ),
        pytest.param(
            seen(stage="PRE_PRODUCTION_TRAFFIC_SHIFT", production_weight=0.0, hooks=OPEN),
            Phase.BEFORE_CANARY,
            id="first-gate",
        ),
        pytest.param(
            seen(stage="PRODUCTION_TRAFFIC_SHIFT", production_weight=0.0, hooks=OPEN),
            Phase.BEFORE_CANARY,
            id="first-gate-named-by-the-model",
        ),
        pytest.param(
            seen(stage="PRODUCTION_TRAFFIC_SHIFT", production_weight=10.0), Phase.CANARY, id="canary"
        ),
        pytest.param(
            seen(stage="PRODUCTION_TRAFFIC_SHIFT", production_weight=10.0, hooks=DONE),
            Phase.CANARY,
            id="canary-with-an-answered-hook",
        ),
        pytest.param(
            seen(stage="PRE_PRODUCTION_TRAFFIC_SHIFT", production_weight=10.0, hooks=OPEN),
            Phase.BEFORE_FULL,
            id="second-gate-before-or-after-the-bake",
        ),
        pytest.param(
            seen(stage="PRE_PRODUCTION_TRAFFIC_SHIFT", production_weight=10.0),
            Phase.CANARY,
            id="gate-answered-and-the-bake-goes-on",
        ),
        pytest.param(seen(stage="BAKE_TIME", production_weight=100.0), Phase.BAKING, id="bake"),
        pytest.param(
            seen(stage="PRODUCTION_TRAFFIC_SHIFT", production_weight=100.0), Phase.BAKING, id="all-traffic"
        ),
        pytest.param(seen(stage="CLEAN_UP", production_weight=100.0), Phase.CLEANING_UP, id="clean-up"),
        pytest.param(seen(status="SUCCESSFUL", production_weight=100.0), Phase.SUCCEEDED, id="succeeded"),
        pytest.param(
            seen(status="ROLLBACK_REQUESTED", production_weight=10.0), Phase.ROLLING_BACK, id="asked-back"
        ),
        pytest.param(seen(status="ROLLBACK_IN_PROGRESS"), Phase.ROLLING_BACK, id="going-back"),
        pytest.param(seen(status="ROLLBACK_SUCCESSFUL"), Phase.ROLLED_BACK, id="rolled-back"),
        pytest.param(seen(status="ROLLBACK_FAILED"), Phase.ROLLBACK_FAILED, id="rollback-failed"),
        pytest.param(seen(status="STOP_REQUESTED", current=ARN), Phase.STOPPING, id="stopping"),
        pytest.param(seen(status="STOPPED"), Phase.STOPPED, id="stopped"),
        pytest.param(seen(status="STOP_REQUESTED", current=OTHER), Phase.SUPERSEDED, id="superseded-early"),
        pytest.param(seen(status="STOPPED", current=OTHER), Phase.SUPERSEDED, id="superseded"),
        pytest.param(seen(status="NEW_IN_2027", stage="ALSO_NEW", running=2), Phase.UNKNOWN, id="unknown"),
        pytest.param(seen(stage="NEW", running=1), Phase.SCALING_UP, id="unknown-stage-with-tasks-missing"),
        pytest.param(seen(stage="NEW", hooks=OPEN), Phase.TESTING, id="unknown-stage-with-a-hook"),
        pytest.param(
            seen(status="NEW", stage="NEW", production_weight=10.0), Phase.CANARY, id="unknown-with-weight"
        ),
    ],
)
def test_the_phase_comes_from_status_weights_and_hooks(observation: Observation, phase: Phase) -> None:
    assert phase_of(observation) is phase


def test_a_hook_of_unknown_stage_is_the_first_gate_once_the_test_has_passed() -> None:
    assert phase_of(seen(stage="NEW", hooks=OPEN), tested=True) is Phase.BEFORE_CANARY


@given(
    status=st.sampled_from(["IN_PROGRESS", "PENDING", "SOMETHING_NEW"]) | st.text(max_size=12),
    stage=st.text(max_size=20),
    weight=st.none() | st.floats(0, 100),
    waiting=st.booleans(),
    tested=st.booleans(),
)
def test_nothing_unknown_ends_a_deployment(
    status: str, stage: str, weight: float | None, waiting: bool, tested: bool
) -> None:
    ending = {"SUCCESSFUL", "STOPPED", "STOP_REQUESTED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"}
    observation = seen(status=status, stage=stage, production_weight=weight, hooks=OPEN if waiting else DONE)
    phase = phase_of(observation, tested=tested)
    assert phase.ended is (status in ending - {"STOP_REQUESTED"})
    assert (phase.exit_code is not None) is phase.ended


@given(weight=st.floats(0.1, 99.9), stage=st.text(max_size=30), running=st.integers(0, 9))
def test_with_part_of_the_traffic_only_an_open_hook_makes_the_gate(
    weight: float, stage: str, running: int
) -> None:
    fields = {"production_weight": weight, "stage": stage, "running": running}
    assert phase_of(seen(**fields, hooks=OPEN)) is Phase.BEFORE_FULL
    assert phase_of(seen(**fields, hooks=DONE)) is Phase.CANARY


def test_only_success_exits_with_zero() -> None:
    assert [phase for phase in Phase if phase.exit_code == ExitCode.SUCCEEDED] == [Phase.SUCCEEDED]
    assert Phase.ROLLED_BACK.exit_code == ExitCode.ROLLED_BACK
    assert {Phase.ROLLBACK_FAILED.exit_code, Phase.STOPPED.exit_code} == {ExitCode.NEEDS_A_PERSON}


def test_a_document_of_the_api_is_read_with_its_hooks_and_weights() -> None:
    observed = observe(
        {
            "serviceDeploymentArn": ARN,
            "status": "IN_PROGRESS",
            "lifecycleStage": "POST_TEST_TRAFFIC_SHIFT",
            "targetServiceRevision": {
                "arn": "r/2",
                "requestedTaskCount": 2,
                "runningTaskCount": 2,
                "requestedProductionTrafficWeight": 0.0,
                "requestedTestTrafficWeight": 100.0,
            },
            "lifecycleHookDetails": [
                {"hookId": "ecs-pause-a", "targetType": "PAUSE", "status": "AWAITING_ACTION"},
                {"hookId": "ecs-lambda-b", "targetType": "AWS_LAMBDA", "status": "AWAITING_ACTION"},
            ],
        }
    )
    assert [hook.id for hook in observed.waiting_hooks] == ["ecs-pause-a"]
    assert (observed.running, observed.test_weight) == (2, 100.0)
    assert phase_of(observed) is Phase.TESTING
