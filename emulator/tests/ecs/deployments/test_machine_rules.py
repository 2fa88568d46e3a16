"""What the reference says of stages, limits, hooks and statuses, on the pure state machine."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samjhadoo_emulator.ecs.deployments import breaker, machine
from samjhadoo_emulator.ecs.deployments.machine import HookStatus, Observation, Plan, State, Status
from samjhadoo_emulator.ecs.deployments.steps import (
    PAUSE_STAGES,
    SHIFT_STAGES,
    Stage,
    forward_steps,
    traffic_percentages,
)

MINUTE, DAY = 60.0, 24 * 3600.0
STRATEGIES = {
    "ROLLING": {"strategy": "ROLLING"},
    "BLUE_GREEN": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 10},
    "CANARY": {
        "strategy": "CANARY",
        "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 15},
        "bakeTimeInMinutes": 60,
    },
    "LINEAR": {
        "strategy": "LINEAR",
        "linearConfiguration": {"stepPercent": 30.0, "stepBakeTimeInMinutes": 5},
        "bakeTimeInMinutes": 10,
    },
}
STAGED = ["BLUE_GREEN", "CANARY", "LINEAR"]
_ids = itertools.count()


def pause(stages, minutes=1440, action="ROLLBACK"):
    timeout = {"timeoutInMinutes": minutes, "action": action}
    return {"targetType": "PAUSE", "lifecycleStages": stages, "timeoutConfiguration": timeout}


def plan(strategy="CANARY", *, candidate=True, reconcile=False, gate_before_bake=False, **extra):
    configuration = {**STRATEGIES[strategy], **extra}
    steps = forward_steps(
        configuration, has_source=candidate, reconcile=reconcile, gate_before_bake=gate_before_bake
    )
    return Plan(configuration, steps, candidate, lambda kind: f"ecs-{kind.lower()}-{next(_ids)}")


def seen(now, state, **changes):
    step = state.step
    return Observation(
        **{"now": now, "target_ready": True, "weights": (step.production, step.test), **changes}
    )


def rest(the_plan, state, now, **changes):
    """Advance at one instant until nothing moves."""
    for _ in range(200):
        after = machine.advance(the_plan, state, seen(now, state, **changes))
        if after is state:
            return state
        state = after
    raise AssertionError("the machine does not come to rest")


def walk(the_plan, until, now=0.0):
    """Advance by single transitions, minute by minute, until a check holds; hooks are continued."""
    state = State(steps=the_plan.steps)
    while not until(state):
        after = machine.advance(the_plan, state, seen(now, state))
        if after is state:
            waiting = [hook for hook in state.hooks if hook.status is HookStatus.AWAITING_ACTION]
            for hook in waiting:
                state = machine.answer_hook(state, hook.id, succeeded=True, now=now)
            now += 0 if waiting else MINUTE
            assert now < 2 * DAY
            continue
        state = after
    return state, now


@pytest.mark.rule("A.2.defaults")
def test_a_canary_is_five_percent_for_ten_minutes_and_linear_ten_percent_for_six():
    assert traffic_percentages({"strategy": "CANARY"}, has_source=True) == [(5.0, 600.0), (100.0, 0.0)]
    linear = traffic_percentages({"strategy": "LINEAR"}, has_source=True)
    assert linear == [*((share, 360.0) for share in range(10, 100, 10)), (100.0, 0.0)]


@pytest.mark.rule("A.3.hook-stages")
@pytest.mark.parametrize("strategy", STAGED)
def test_hooks_are_called_where_aws_calls_them(strategy):
    called = {step.stage for step in plan(strategy, reconcile=True).steps if step.hooks}
    assert called == set(Stage) - {Stage.SCALE_UP, Stage.BAKE_TIME, Stage.CLEAN_UP}
    assert called - PAUSE_STAGES == {Stage.TEST_TRAFFIC_SHIFT, Stage.PRODUCTION_TRAFFIC_SHIFT}


@pytest.mark.rule("A.3.capacity")
@pytest.mark.parametrize("strategy", STAGED)
def test_the_new_set_is_full_from_scale_up_and_the_old_one_until_clean_up(strategy):
    for step in plan(strategy, reconcile=True).steps:
        assert step.target is (step.stage not in (Stage.RECONCILE_SERVICE, Stage.PRE_SCALE_UP))
        assert step.source is (step.stage is not Stage.CLEAN_UP)


@pytest.mark.rule("A.3.limits")
@pytest.mark.parametrize(
    ("stage", "stuck"),
    [
        pytest.param(Stage.SCALE_UP, {"target_ready": False}, id="scale-up"),
        pytest.param(Stage.TEST_TRAFFIC_SHIFT, {"weights": (0.0, 0.0)}, id="test-traffic"),
        pytest.param(Stage.PRODUCTION_TRAFFIC_SHIFT, {"weights": (0.0, 100.0)}, id="production-traffic"),
        pytest.param(Stage.CLEAN_UP, {"others_gone": False}, id="clean-up"),
    ],
)
def test_a_stage_may_last_a_day_and_no_longer(stage, stuck):
    the_plan = plan()
    state, now = walk(the_plan, lambda state: state.step.stage is stage)
    state = rest(the_plan, state, now, **stuck)
    limit = now + DAY + state.step.wait
    assert machine.deadline(the_plan, state) == limit
    assert rest(the_plan, state, limit - 1, **stuck).status is Status.IN_PROGRESS
    after = machine.advance(the_plan, state, seen(limit, state, **stuck))
    assert after.reason == f"Service deployment rolled back because {stage} timed out."


@pytest.mark.rule("A.3.limits")
def test_a_pause_may_last_fourteen_days_and_a_deployment_thirty():
    stages = ["PRE_SCALE_UP", "POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT"]
    the_plan = plan(lifecycleHooks=[pause(stages, 20160)])
    now, state = 0.0, rest(the_plan, State(steps=the_plan.steps), 0.0)
    for _ in range(2):
        now += 13.9 * DAY
        state = rest(the_plan, state, now)
        assert state.status is Status.IN_PROGRESS
        state = machine.answer_hook(state, state.hooks[0].id, succeeded=True, now=now)
        state = rest(the_plan, state, now)
    assert rest(the_plan, state, 30 * DAY - 1).status is Status.IN_PROGRESS
    assert machine.deadline(the_plan, state) <= 30 * DAY
    after = rest(the_plan, state, 30 * DAY)
    assert (after.status, after.reason) == (
        Status.ROLLBACK_SUCCESSFUL,
        "Service deployment rolled back because the service deployment timed out.",
    )


@pytest.mark.rule("A.3.limits")
def test_a_rolling_update_goes_on_for_ever():
    the_plan = plan("ROLLING")
    state = rest(the_plan, State(steps=the_plan.steps), 0.0, target_ready=False, weights=None)
    after = rest(the_plan, state, 60 * DAY, target_ready=False, weights=None)
    assert after.status is Status.IN_PROGRESS


@pytest.mark.rule("A.5.ids")
@pytest.mark.parametrize(
    ("timeout", "minutes", "action"),
    [
        pytest.param({}, 1440, "ROLLBACK", id="default"),
        pytest.param({"timeoutInMinutes": 7, "action": "CONTINUE"}, 7, "CONTINUE", id="given"),
    ],
)
def test_a_hook_shows_when_it_expires_and_what_happens_then(timeout, minutes, action):
    hook = {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"], "timeoutConfiguration": timeout}
    the_plan = plan(lifecycleHooks=[hook])
    (called,) = rest(the_plan, State(steps=the_plan.steps), 1000.0).hooks
    assert (called.expires_at, called.timeout_action) == (1000.0 + minutes * MINUTE, action)


@pytest.mark.rule("A.5.parallel")
@pytest.mark.parametrize("answers", list(itertools.product([True, False], repeat=2)))
def test_hooks_of_a_stage_all_continue_or_one_rolls_back(answers):
    the_plan = plan(lifecycleHooks=[pause(["PRE_SCALE_UP"]), pause(["PRE_SCALE_UP"])])
    state = rest(the_plan, State(steps=the_plan.steps), 0.0)
    first, second = state.hooks
    assert first.id != second.id
    state = rest(
        the_plan, machine.answer_hook(state, first.id, succeeded=answers[0], now=1.0), 1.0, target_ready=False
    )
    if answers[0]:
        assert state.step.stage is Stage.PRE_SCALE_UP
        state = machine.answer_hook(state, second.id, succeeded=answers[1], now=1.0)
        state = rest(the_plan, state, 1.0, target_ready=False)
    assert state.status is (Status.IN_PROGRESS if all(answers) else Status.ROLLBACK_SUCCESSFUL)
    assert not all(answers) or state.step.stage is Stage.SCALE_UP


@pytest.mark.rule("A.6.states")
@pytest.mark.parametrize(
    ("status", "then"),
    [
        (Status.PENDING, Status.ROLLBACK_REQUESTED),
        (Status.IN_PROGRESS, Status.ROLLBACK_REQUESTED),
        *((status, status) for status in Status if status not in (Status.PENDING, Status.IN_PROGRESS)),
    ],
)
def test_a_request_to_roll_back_is_taken_by_state(status, then):
    the_plan = plan()
    state = State(steps=the_plan.steps, status=status)
    assert machine.request_rollback(state, 1.0).status is then


@pytest.mark.rule("A.6.anywhere", "A.10.reverse", "A.10.capacity")
@pytest.mark.parametrize("strategy", STAGED)
def test_from_every_step_the_way_back_ends_with_all_traffic_on_the_old_tasks(strategy):
    the_plan = plan(strategy)
    for index, step in enumerate(the_plan.steps):
        state, now = walk(the_plan, lambda state, index=index: state.index == index and state.started_at == 0)
        state = machine.request_rollback(state, now)
        visited = []
        while not state.terminal:
            state = machine.advance(the_plan, state, seen(now, state))
            assert state.step.source or step.stage is Stage.CLEAN_UP
            if state.status is Status.ROLLBACK_IN_PROGRESS and state.step.stage not in visited:
                visited.append(state.step.stage)
        assert (state.status, state.step.production, state.step.test) == (Status.ROLLBACK_SUCCESSFUL, 0, 0)
        shifts = [stage for stage in visited if stage in SHIFT_STAGES]
        expected = [Stage.PRODUCTION_TRAFFIC_SHIFT] if step.production else []
        assert shifts == expected + ([Stage.TEST_TRAFFIC_SHIFT] if step.test else [])


@pytest.mark.rule("A.9.candidate", "A.4.transitions")
def test_a_rollback_without_a_candidate_begins_and_fails():
    the_plan = plan(candidate=False)
    state = rest(the_plan, State(steps=the_plan.steps), 0.0, target_ready=False)
    state = machine.advance(the_plan, machine.request_rollback(state, 1.0), seen(1.0, state))
    assert state.status is Status.ROLLBACK_IN_PROGRESS
    state = machine.advance(the_plan, state, seen(1.0, state))
    assert (state.status, state.reason) == (Status.ROLLBACK_FAILED, machine.NO_CANDIDATE)


@pytest.mark.rule("A.9.threshold")
def test_the_threshold_follows_the_desired_count():
    half = {"thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50}}
    assert [breaker.threshold(half, desired) for desired in (1, 10, 500)] == [3, 5, 200]


ARROWS = {
    Status.PENDING: {Status.IN_PROGRESS, Status.ROLLBACK_REQUESTED, Status.STOP_REQUESTED},
    Status.IN_PROGRESS: {
        Status.SUCCESSFUL, Status.STOP_REQUESTED, Status.ROLLBACK_REQUESTED, Status.ROLLBACK_IN_PROGRESS,
    },
    Status.STOP_REQUESTED: {Status.STOPPED},
    Status.ROLLBACK_REQUESTED: {Status.ROLLBACK_IN_PROGRESS, Status.STOP_REQUESTED},
    Status.ROLLBACK_IN_PROGRESS: {
        Status.ROLLBACK_SUCCESSFUL, Status.ROLLBACK_FAILED, Status.STOP_REQUESTED,
    },
}  # fmt: skip
"""AWS's arrows, and that a newer deployment stops one that is rolling back."""

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.sampled_from([0.0, 1.0, 60.0, 900.0, 3600.0])),
        st.tuples(st.just("jump"), st.sampled_from([-600.0, -DAY, DAY, 15 * DAY, 31 * DAY])),
        st.tuples(st.just("stop"), st.none()),
        st.tuples(st.just("deploy"), st.sampled_from([*STRATEGIES, "CANARY"])),
        st.tuples(st.just("answer"), st.sampled_from([True, True, True, False])),
        st.tuples(st.just("crash"), st.none()),
        st.tuples(st.just("breaker"), st.none()),
        st.tuples(st.just("alarm"), st.none()),
        st.tuples(st.just("lag"), st.none()),
    ),
    max_size=80,
)


class Fleet:
    """A service whose deployments supersede each other; tasks and weights follow as they would."""

    def __init__(self):
        self.now, self.deployments = 0.0, []
        self.deploy("CANARY")

    @property
    def state(self):
        return self.deployments[-1][1]

    def deploy(self, strategy):
        superseded = bool(self.deployments) and not self.state.terminal
        for each in self.deployments:
            each[1] = self.checked(each[1], machine.supersede(each[1], self.now))
        hooks = [pause(["POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT"], 20160)]
        the_plan = plan(
            strategy,
            candidate=bool(self.deployments),
            reconcile=superseded,
            lifecycleHooks=hooks,
            alarms={"alarmNames": ["a"], "enable": True, "rollback": True},
            deploymentCircuitBreaker={"enable": True, "rollback": strategy != "LINEAR"},
        )
        self.deployments.append([the_plan, State(steps=the_plan.steps, updated_at=self.now)])

    def do(self, event, argument):
        if event in ("pass", "jump"):
            self.now += argument
        elif event == "deploy":
            self.deploy(argument)
        elif event == "stop":
            self.become(machine.request_rollback(self.state, self.now))
        elif event == "answer":
            for hook in self.state.hooks:
                answered = machine.answer_hook(self.state, hook.id, succeeded=argument, now=self.now)
                self.become(answered or self.state)
        changes = {
            "crash": {"target_ready": False},
            "breaker": {"breaker_tripped": True},
            "alarm": {"alarms": ("a",)},
            "lag": {"weights": (-1.0, -1.0), "others_gone": False},
        }.get(event, {})
        for each in self.deployments:
            the_plan, state = each
            if the_plan.rolling and "weights" not in changes:
                changes = {**changes, "weights": None}
            each[1] = self.checked(state, machine.advance(the_plan, state, seen(self.now, state, **changes)))

    def become(self, state):
        self.deployments[-1][1] = self.checked(self.state, state)

    @staticmethod
    def checked(before, after):
        assert not before.terminal or after is before, "terminal states stay"
        if after.status is not before.status:
            assert after.status in ARROWS[before.status], (before.status, after.status)
        return after

    def check(self):
        for number, (the_plan, state) in enumerate(self.deployments):
            assert number == len(self.deployments) - 1 or state.status in machine.TERMINAL | {
                Status.STOP_REQUESTED
            }
            step = state.step
            assert 0 <= step.production <= 100
            assert 0 <= step.test <= 100
            if not the_plan.rolling:
                assert step.source or step.stage is Stage.CLEAN_UP
                assert step.target or not step.production
                if step.stage not in SHIFT_STAGES and the_plan.configuration["strategy"] == "BLUE_GREEN":
                    assert step.production in (0, 100)
            assert not state.hooks or not state.terminal
            assert not state.terminal or machine.deadline(the_plan, state) is None


@pytest.mark.rule("A.4.transitions", "A.3.capacity")
@settings(max_examples=150, deadline=None)
@given(EVENTS)
def test_no_sequence_of_calls_failures_alarms_and_clock_jumps_breaks_the_rules(events):
    fleet = Fleet()
    for event, argument in events:
        fleet.do(event, argument)
        fleet.check()
    for _ in range(300):  # left alone, everything ends
        fleet.do("pass", DAY)
        fleet.check()
    assert all(state.terminal for _, state in fleet.deployments)
