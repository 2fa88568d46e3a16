"""Lambda hooks: what a function is told, what its answers do (A.5), and the texts of its failures (A.7)."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from samjhadoo_emulator.clock import Clock
from samjhadoo_emulator.ecs.deployments import machine
from samjhadoo_emulator.ecs.deployments.machine import HookStatus, Observation, Plan, State, Status
from samjhadoo_emulator.ecs.deployments.steps import forward_steps
from samjhadoo_emulator.ecs.model import Deployment, Revision
from samjhadoo_emulator.ecs.scheduler.hooks import HookCaller
from samjhadoo_emulator.errors import AwsError

FUNCTION = "arn:aws:lambda:ap-south-1:000000000000:function:check"
ALL_STAGES = [
    "PRE_SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT",
]  # fmt: skip
CANARY = {
    "strategy": "CANARY",
    "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 0},
    "bakeTimeInMinutes": 0,
}


class FakeLambda:
    """Lambda's Invoke: answers from a list, keeps what it was told."""

    def __init__(self, *answers):
        self.answers, self.told, self.at = list(answers), [], []

    async def call(self, service, operation, /, **params):
        assert (service, operation, params["FunctionName"]) == ("lambda", "Invoke", FUNCTION)
        self.told.append(json.loads(params["Payload"]))
        answer = self.answers.pop(0) if self.answers else {"hookStatus": "SUCCEEDED"}
        if isinstance(answer, AwsError):
            raise answer
        if isinstance(answer, bytes):
            return {"Payload": answer}
        return {"Payload": json.dumps(answer).encode()}


def revision(number):
    return Revision(f"revision-{number}", number, datetime.now(UTC), {"taskDefinition": "t"}, [])


def deployment(stages, *, details=None, minutes=1440):
    hook = {
        "targetType": "AWS_LAMBDA",
        "hookTargetArn": FUNCTION,
        "lifecycleStages": stages,
        "timeoutConfiguration": {"timeoutInMinutes": minutes},
    }
    if details is not None:
        hook["hookDetails"] = details
    configuration = {**CANARY, "lifecycleHooks": [hook]}
    numbers = itertools.count()
    plan = Plan(
        configuration=configuration,
        steps=forward_steps(configuration, has_source=True, reconcile=False),
        has_candidate=True,
        new_hook_id=lambda kind: f"ecs-lambda-{next(numbers)}",
    )
    source = revision("1")
    return Deployment(
        "deployment", datetime.now(UTC), revision("2"), [source], source, plan, State(steps=plan.steps)
    )


async def walk(deployed, caller, *, seconds=0.0, until=None):
    """Let a deployment go on as the scheduler would, every wish fulfilled at once."""
    clock = 1000.0
    for _ in range(200):
        state = deployed.state
        if state.terminal or (until is not None and until(state)):
            return deployed.state
        step, clock = state.step, clock + seconds
        seen = Observation(now=clock, target_ready=True, weights=(step.production, step.test))
        deployed.state = machine.advance(deployed.plan, state, seen)
        caller.call(SimpleNamespace(arn="service"), deployed)
        await asyncio.sleep(0.001)
    raise AssertionError(deployed.state)


def run(deployed, fake, *, seconds=0.0, then=None):
    async def scenario():
        tasks = []

        def spawn(work, *, name):
            tasks.append(asyncio.get_running_loop().create_task(work, name=name))
            return tasks[-1]

        caller = HookCaller(fake, Clock(minute=0.002, origin=1.0), spawn, lambda: None)
        state = await (then(deployed, caller) if then else walk(deployed, caller, seconds=seconds))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return state

    return asyncio.run(scenario())


@pytest.mark.rule("A.5.lambda")
def test_rule_a5_a_function_is_invoked_at_each_visit_of_its_stages_with_the_weights():
    fake = FakeLambda()
    assert run(deployment(ALL_STAGES), fake).status is Status.SUCCESSFUL
    told = [
        (
            each["lifecycleStage"],
            each["executionDetails"]["testTrafficWeights"]["revision-2"],
            each["executionDetails"]["productionTrafficWeights"]["revision-2"],
        )
        for each in fake.told
    ]
    assert told == [
        ("PRE_SCALE_UP", 0.0, 0.0),
        ("POST_SCALE_UP", 0.0, 0.0),
        ("TEST_TRAFFIC_SHIFT", 100.0, 0.0),
        ("POST_TEST_TRAFFIC_SHIFT", 100.0, 0.0),
        ("PRE_PRODUCTION_TRAFFIC_SHIFT", 100.0, 0.0),
        ("PRODUCTION_TRAFFIC_SHIFT", 100.0, 10.0),
        ("PRE_PRODUCTION_TRAFFIC_SHIFT", 100.0, 10.0),
        ("PRODUCTION_TRAFFIC_SHIFT", 100.0, 100.0),
        ("POST_PRODUCTION_TRAFFIC_SHIFT", 100.0, 100.0),
    ]


@pytest.mark.rule("A.5.lambda")
def test_rule_a5_the_payload_is_what_aws_passes():
    fake = FakeLambda()
    run(deployment(["PRE_SCALE_UP"], details={"team": "payments"}), fake)
    (told,) = fake.told
    assert told.pop("executionId")
    assert told == {
        "lifecycleStage": "PRE_SCALE_UP",
        "resourceArn": "deployment",
        "executionDetails": {
            "serviceArn": "service",
            "targetServiceRevisionArn": "revision-2",
            "testTrafficWeights": {"revision-2": 0.0, "revision-1": 100.0},
            "productionTrafficWeights": {"revision-2": 0.0, "revision-1": 100.0},
        },
        "hookDetails": {"team": "payments"},
    }


@pytest.mark.rule("A.5.lambda")
def test_rule_a5_a_function_in_progress_is_invoked_again_with_what_it_returned():
    fake = FakeLambda(
        {"hookStatus": "IN_PROGRESS", "callBackDelay": 60, "hookDetails": {"seen": 1}},
        {"hookStatus": "IN_PROGRESS"},
        {"hookStatus": "SUCCEEDED"},
    )
    assert run(deployment(["PRE_SCALE_UP"]), fake).status is Status.SUCCESSFUL
    assert [told.get("hookDetails") for told in fake.told] == [None, {"seen": 1}, {"seen": 1}]


@pytest.mark.rule("A.7.async")
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(
            {"hookStatus": "FAILED"}, f"Lifecycle hook target {FUNCTION} returned FAILED status.", id="failed"
        ),
        pytest.param({"ok": True}, "due to HookStatus must not be null", id="no-status"),
        pytest.param(b"happy", "ECS was unable to parse the response", id="no-json"),
        pytest.param({"hookStatus": "MAYBE"}, "ECS was unable to parse the response", id="unknown-status"),
        pytest.param(
            AwsError("ResourceNotFoundException", "Function not found"),
            "Function not found",
            id="no-function",
        ),
    ],
)
def test_rule_a7_a_failing_function_rolls_the_deployment_back_with_the_reason(answer, reason):
    state = run(deployment(["POST_SCALE_UP"]), FakeLambda(answer))
    assert state.status is Status.ROLLBACK_SUCCESSFUL
    assert state.reason.startswith(
        "Service deployment rolled back because POST_SCALE_UP lifecycle hook(s) failed. "
    )
    assert reason in state.reason


@pytest.mark.rule("A.5.timeouts")
def test_rule_a5_a_function_that_stays_in_progress_times_out():
    fake = FakeLambda(*[{"hookStatus": "IN_PROGRESS"}] * 500)
    state = run(deployment(["POST_SCALE_UP"], minutes=5), fake, seconds=30.0)
    assert state.status is Status.ROLLBACK_SUCCESSFUL
    assert "POST_SCALE_UP lifecycle hook timed out." in state.reason


SHIFTS = ["TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"]


def halfway(deployed, caller):
    async def scenario():
        await walk(deployed, caller, until=lambda state: state.step.production == 10.0 and state.index > 6)
        deployed.state = machine.request_rollback(deployed.state, 2000.0)
        return await walk(deployed, caller)

    return scenario()


@pytest.mark.rule("A.5.lambda", "A.10.reverse")
def test_rule_a5_functions_of_the_shifts_are_invoked_again_on_the_way_back_with_reversed_weights():
    fake = FakeLambda()
    state = run(deployment(SHIFTS), fake, then=halfway)
    assert state.status is Status.ROLLBACK_SUCCESSFUL
    back = [
        (
            told["lifecycleStage"],
            told["executionDetails"]["productionTrafficWeights"],
            told["executionDetails"]["testTrafficWeights"],
        )
        for told in fake.told[-2:]
    ]
    assert back == [
        (
            "PRODUCTION_TRAFFIC_SHIFT",
            {"revision-2": 0.0, "revision-1": 100.0},
            {"revision-2": 100.0, "revision-1": 0.0},
        ),
        (
            "TEST_TRAFFIC_SHIFT",
            {"revision-2": 0.0, "revision-1": 100.0},
            {"revision-2": 0.0, "revision-1": 100.0},
        ),
    ]


def test_a_function_that_fails_on_the_way_back_fails_the_rollback():
    fake = FakeLambda(*[{"hookStatus": "SUCCEEDED"}] * 2, {"hookStatus": "FAILED"})
    state = run(deployment(SHIFTS), fake, then=halfway)
    assert state.status is Status.ROLLBACK_FAILED
    assert "PRODUCTION_TRAFFIC_SHIFT lifecycle hook(s) failed." in state.reason


def test_a_client_cannot_answer_for_a_function():
    deployed = deployment(["PRE_SCALE_UP"])
    for _ in range(3):
        deployed.state = machine.advance(deployed.plan, deployed.state, Observation(now=1.0, weights=(0, 0)))
    (hook,) = deployed.state.hooks
    assert hook.status is HookStatus.IN_PROGRESS
    assert machine.answer_hook(deployed.state, hook.id, succeeded=True, now=2.0) is None
