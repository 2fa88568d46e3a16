"""Transitions of a service deployment."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_emulator.ecs.deployments import machine
from samjhadoo_emulator.ecs.deployments.machine import HookStatus, Observation, Plan, State, Status
from samjhadoo_emulator.ecs.deployments.steps import Stage, forward_steps

PAUSES = [
    {
        "targetType": "PAUSE",
        "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT"],
        "timeoutConfiguration": {"timeoutInMinutes": 30, "action": "ROLLBACK"},
    }
]
ARROWS = {
    Status.PENDING: {Status.IN_PROGRESS, Status.ROLLBACK_REQUESTED, Status.STOP_REQUESTED, Status.STOPPED},
    Status.IN_PROGRESS: {
        Status.SUCCESSFUL,
        Status.STOP_REQUESTED,
        Status.ROLLBACK_REQUESTED,
        Status.ROLLBACK_IN_PROGRESS,
        Status.ROLLBACK_FAILED,
        Status.STOPPED,
    },
    Status.STOP_REQUESTED: {Status.STOPPED},
    Status.ROLLBACK_REQUESTED: {Status.ROLLBACK_IN_PROGRESS, Status.ROLLBACK_FAILED, Status.STOP_REQUESTED},
    Status.ROLLBACK_IN_PROGRESS: {Status.ROLLBACK_SUCCESSFUL, Status.ROLLBACK_FAILED, Status.STOP_REQUESTED},
}
"""AWS's arrows; a rollback that is superseded or has no candidate ends as the reference says (A.6, A.9)."""


def plan(*, hooks: list | None = None, candidate: bool = True, **extra: object) -> Plan:
    configuration = {
        "strategy": "CANARY",
        "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 15},
        "bakeTimeInMinutes": 60,
        "lifecycleHooks": hooks or [],
        "deploymentCircuitBreaker": {"enable": True, "rollback": True},
        "alarms": {"alarmNames": ["a"], "enable": True, "rollback": True},
        **extra,
    }
    numbers = itertools.count()
    return Plan(
        configuration=configuration,
        steps=forward_steps(configuration, has_source=candidate, reconcile=False),
        has_candidate=candidate,
        new_hook_id=lambda _: f"ecs-pause-{next(numbers)}",
    )


def seen(now: float, state: State, **changes: object) -> Observation:
    """Everything is as the current step wants it, unless told otherwise."""
    step = state.step
    return Observation(
        **{"now": now, "target_ready": True, "weights": (step.production, step.test), **changes}
    )


def run(the_plan: Plan, state: State, now: float, **changes: object) -> State:
    """Advance at one instant until nothing moves."""
    for _ in range(100):
        after = machine.advance(the_plan, state, seen(now, state, **changes))
        if after is state:
            return state
        state = after
    raise AssertionError("the machine does not come to rest")


def started(the_plan: Plan, now: float = 0.0) -> State:
    return run(the_plan, State(steps=the_plan.steps), now)


def open_hook(state: State) -> str:
    return next(hook.id for hook in state.hooks if hook.status is HookStatus.AWAITING_ACTION)


def paused_at(the_plan: Plan, stage: Stage, production: float) -> State:
    state, now = started(the_plan), 0.0
    while not (state.step.stage is stage and state.step.production == production and state.hooks):
        if state.hooks and all(hook.status is HookStatus.AWAITING_ACTION for hook in state.hooks):
            state = machine.answer_hook(state, open_hook(state), succeeded=True, now=now)
        now += 60
        state = run(the_plan, state, now)
        assert now < 10_000, state
    return state


def test_without_hooks_a_canary_bakes_then_succeeds():
    the_plan = plan()
    state = started(the_plan)
    assert (state.step.stage, state.step.production) == (Stage.PRODUCTION_TRAFFIC_SHIFT, 10)
    assert run(the_plan, state, 899).step.production == 10
    state = run(the_plan, state, 900)
    assert (state.step.stage, state.step.production) == (Stage.BAKE_TIME, 100)
    assert run(the_plan, state, 4499).status is Status.IN_PROGRESS
    assert run(the_plan, state, 4500).status is Status.SUCCESSFUL


def test_scale_up_waits_for_the_target_revision():
    the_plan = plan()
    state = run(the_plan, State(steps=the_plan.steps), 0, target_ready=False)
    assert state.step.stage is Stage.SCALE_UP


def test_a_traffic_step_waits_until_its_weights_are_in_effect():
    the_plan = plan()
    state = run(the_plan, State(steps=the_plan.steps), 0, weights=(0.0, 0.0))
    assert state.step.stage is Stage.TEST_TRAFFIC_SHIFT


def test_clean_up_waits_until_the_old_tasks_are_gone():
    the_plan = plan()
    state = run(the_plan, run(the_plan, started(the_plan), 900), 4500, others_gone=False)
    assert (state.status, state.step.stage) == (Status.IN_PROGRESS, Stage.CLEAN_UP)


def test_a_rollback_from_clean_up_waits_for_the_old_revision_not_for_the_failing_one():
    the_plan = plan()
    state = run(the_plan, run(the_plan, started(the_plan), 900), 4500, others_gone=False)
    state = machine.request_rollback(state, 4501)
    state = run(the_plan, state, 4501, source_ready=False, others_gone=False)
    assert (state.step.stage, state.step.production) == (Stage.SCALE_UP, 100)
    state = run(the_plan, state, 4502, target_ready=False)
    assert state.status is Status.ROLLBACK_SUCCESSFUL


@pytest.mark.rule("A.5.ids")
def test_each_visit_of_a_stage_has_a_hook_of_its_own():
    the_plan = plan(hooks=PAUSES)
    first = paused_at(the_plan, Stage.PRE_PRODUCTION_TRAFFIC_SHIFT, 0)
    second = paused_at(the_plan, Stage.PRE_PRODUCTION_TRAFFIC_SHIFT, 10)
    assert open_hook(first) != open_hook(second)


@pytest.mark.rule("A.5.continue")
def test_a_hook_is_answered_once():
    the_plan = plan(hooks=PAUSES)
    state = paused_at(the_plan, Stage.POST_TEST_TRAFFIC_SHIFT, 0)
    hook = open_hook(state)
    after = machine.answer_hook(state, hook, succeeded=True, now=1)
    assert machine.answer_hook(after, hook, succeeded=True, now=2) is None
    assert machine.answer_hook(after, "ecs-pause-unknown", succeeded=True, now=2) is None


@pytest.mark.rule("A.5.parallel")
def test_a_hook_answered_with_rollback_rolls_back():
    the_plan = plan(hooks=PAUSES)
    state = paused_at(the_plan, Stage.POST_TEST_TRAFFIC_SHIFT, 0)
    state = machine.answer_hook(state, open_hook(state), succeeded=False, now=1)
    assert run(the_plan, state, 1).status is Status.ROLLBACK_SUCCESSFUL


@pytest.mark.rule("A.5.timeouts")
@pytest.mark.parametrize(
    ("action", "status", "reason"),
    [
        pytest.param(
            "ROLLBACK",
            Status.ROLLBACK_SUCCESSFUL,
            "Service deployment rolled back because POST_TEST_TRAFFIC_SHIFT pause hook timed out.",
            id="rollback",
        ),
        pytest.param("CONTINUE", Status.IN_PROGRESS, "", id="continue"),
    ],
)
def test_an_unanswered_hook_times_out_by_its_action(action, status, reason):
    hooks = [{**PAUSES[0], "timeoutConfiguration": {"timeoutInMinutes": 30, "action": action}}]
    the_plan = plan(hooks=hooks)
    state = paused_at(the_plan, Stage.POST_TEST_TRAFFIC_SHIFT, 0)
    expiry = state.hooks[0].expires_at
    assert run(the_plan, state, expiry - 1) is state
    after = run(the_plan, state, expiry)
    assert (after.status, after.reason) == (status, reason)


@pytest.mark.rule("A.7.async", "A.8.monitored")
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(
            {"breaker_tripped": True},
            "Service deployment rolled back because the circuit breaker threshold was exceeded.",
            id="breaker",
        ),
        pytest.param(
            {"alarms": ("a",)}, "Service deployment rolled back because alarm(s) detected: a.", id="alarm"
        ),
        pytest.param({"problem": "of x"}, "Service deployment rolled back because of x", id="networking"),
    ],
)
def test_a_failure_during_the_canary_rolls_back(change, reason):
    the_plan = plan()
    state = run(the_plan, started(the_plan), 10, **change)
    assert (state.status, state.reason) == (Status.ROLLBACK_SUCCESSFUL, reason)


@pytest.mark.rule("A.10.reverse")
def test_a_rollback_takes_production_traffic_back_first():
    the_plan = plan()
    state = machine.request_rollback(run(the_plan, started(the_plan), 900), 901)
    state = machine.advance(the_plan, state, seen(901, state))
    assert (state.status, state.step.stage) == (Status.ROLLBACK_IN_PROGRESS, Stage.PRODUCTION_TRAFFIC_SHIFT)
    assert state.step.production == 0
    assert run(the_plan, state, 902, weights=(100.0, 100.0)) is state


@pytest.mark.rule("A.9.candidate")
def test_with_no_candidate_the_rollback_fails_with_that_reason():
    the_plan = plan(candidate=False)
    state = run(the_plan, started(the_plan), 1, breaker_tripped=True)
    assert (state.status, state.reason) == (
        Status.ROLLBACK_FAILED,
        "No rollback candidate was found to run the rollback.",
    )


@pytest.mark.rule("A.8.monitored")
def test_without_the_rollback_option_a_failure_stops_the_deployment():
    the_plan = plan(deploymentCircuitBreaker={"enable": True, "rollback": False})
    assert run(the_plan, started(the_plan), 1, breaker_tripped=True).status is Status.STOPPED


@pytest.mark.rule("A.6.states")
def test_asking_twice_for_a_rollback_changes_nothing_more():
    state = machine.request_rollback(started(plan()), 5)
    assert machine.request_rollback(state, 6) is state


def test_a_superseded_deployment_stops():
    the_plan = plan(hooks=PAUSES)
    state = machine.supersede(paused_at(the_plan, Stage.POST_TEST_TRAFFIC_SHIFT, 0), 5)
    assert state.status is Status.STOP_REQUESTED
    assert run(the_plan, state, 5).status is Status.STOPPED


@pytest.mark.rule("A.3.limits")
def test_a_stage_that_takes_a_day_times_out():
    the_plan = plan()
    state = run(the_plan, State(steps=the_plan.steps), 0, target_ready=False)
    assert run(the_plan, state, 24 * 3600, target_ready=False).status is Status.ROLLBACK_SUCCESSFUL


@pytest.mark.rule("A.3.limits")
def test_a_way_back_that_takes_a_day_has_failed():
    the_plan = plan()
    state = machine.request_rollback(run(the_plan, started(the_plan), 900), 901)
    state = run(the_plan, state, 901, weights=(100.0, 100.0))
    limit = state.entered_at + 24 * 3600
    assert machine.deadline(the_plan, state) == limit
    assert run(the_plan, state, limit - 1, weights=(100.0, 100.0)).status is Status.ROLLBACK_IN_PROGRESS
    ended = run(the_plan, state, limit, weights=(100.0, 100.0))
    assert (ended.status, ended.reason.rpartition(". ")[2]) == (
        Status.ROLLBACK_FAILED,
        "PRODUCTION_TRAFFIC_SHIFT timed out.",
    )


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["advance", "stop", "supersede", "continue", "rollback-hook"]),
        st.floats(0, 4000),
        st.fixed_dictionaries(
            {
                "target_ready": st.booleans(),
                "others_gone": st.booleans(),
                "breaker_tripped": st.sampled_from([False] * 9 + [True]),
                "alarms": st.sampled_from([()] * 9 + [("a",)]),
            }
        ),
    ),
    max_size=60,
)


@pytest.mark.rule("A.4.transitions")
@given(ACTIONS, st.booleans(), st.booleans())
def test_no_sequence_of_events_breaks_the_rules(actions, candidate, hooked):
    """Arrows are AWS's, terminal states stay, the source keeps its size until CLEAN_UP."""
    the_plan = plan(hooks=PAUSES if hooked else [], candidate=candidate)
    state, now = State(steps=the_plan.steps), 0.0
    for action, passed, change in actions:
        now += passed
        before = state
        if action == "stop":
            state = machine.request_rollback(state, now)
        elif action == "supersede":
            state = machine.supersede(state, now)
        elif action in ("continue", "rollback-hook") and state.hooks:
            state = (
                machine.answer_hook(state, state.hooks[0].id, succeeded=action == "continue", now=now)
                or state
            )
        else:
            state = machine.advance(the_plan, state, seen(now, state, **change))
        if before.terminal:
            assert state is before
        elif state.status is not before.status:
            assert state.status in ARROWS[before.status]
        assert 0 <= state.step.production <= 100
        if not state.step.source:
            assert state.step.stage is Stage.CLEAN_UP
