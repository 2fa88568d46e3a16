from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from deployment_fakes import CanaryEcs, FakeRun, FakeTime

from samjhadoo_ops.deployment.configuration import Policy
from samjhadoo_ops.deployment.judge import NoJudge, Prober, ProbingJudge
from samjhadoo_ops.deployment.outcome import Before, Ending, Observation, Opinion, Phase, Verdict
from samjhadoo_ops.deployment.watch import ChangeReporter, Monitors, Watch
from samjhadoo_ops.errors import DeploymentFailed, PersonNeeded
from samjhadoo_ops.report.failure import StartingTasks

MINUTE = 60.0
POLICY = Policy(
    canary_percent=10.0,
    canary_time=15 * MINUTE,
    poll=10.0,
    healthy_within=15 * MINUTE,
    ends_within=300 * MINUTE,
    rollback_within=30 * MINUTE,
    patience=300.0,
    failed_probes=5,
    on_interrupt="rollback",
)


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def run(time: FakeTime) -> FakeRun:
    return FakeRun(time, POLICY)


def watch(ecs: Any, run: FakeRun, **options: Any) -> Watch:
    run.ecs = ecs
    return Watch(run, CanaryEcs.ARN, **{"judge": NoJudge(), "test": lambda: None, **options})


def test_tasks_that_come_and_go_are_no_news_for_people(run: FakeRun) -> None:
    reporter = ChangeReporter(run)
    events: list[str] = []
    run.console.state = lambda _name, text, /, **_: events.append(text)  # type: ignore[method-assign]
    for running, failures in ((0, 0), (1, 0), (2, 0), (1, 0), (0, 1), (1, 1), (3, 2), (2, 2), (3, 2)):
        observed = Observation(
            "arn:1", "IN_PROGRESS", production_weight=0.0, requested=2, running=running, failures=failures
        )
        reporter.report(observed, Phase.SCALING_UP)
    shown = [text.removeprefix("scaling up, 0 % of traffic on the new release, ") for text in run.reported]
    assert shown == ["0/2 tasks", "2/2 tasks", "0/2 tasks, 1 failed", "3/2 tasks, 2 failed"]
    assert len(events) == 5  # programs get every change


class Failing:
    """A judge that fails the release once it sees a phase."""

    def __init__(self, phase: Phase) -> None:
        self.phase = phase

    def watch(self, observed: Observation, phase: Phase) -> Verdict:
        return Verdict(Opinion.FAIL, "too many errors") if phase is self.phase else Verdict(Opinion.PASS)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("gate_first", [False, True], ids=["bake-then-gate", "gate-then-bake"])
@pytest.mark.parametrize(
    "stages",
    [
        {},
        {"PRE_PRODUCTION_TRAFFIC_SHIFT": "PRODUCTION_TRAFFIC_SHIFT"},
        {"PRE_PRODUCTION_TRAFFIC_SHIFT": "NEW_1", "POST_TEST_TRAFFIC_SHIFT": "NEW_2", "BAKE_TIME": "NEW_3"},
    ],
    ids=["documented", "as-the-model-says", "unknown"],
)
def test_a_good_deployment_ends_well_under_both_orders(
    time: FakeTime, run: FakeRun, stages: dict[str, str], *, gate_first: bool
) -> None:
    ecs = CanaryEcs(time, gate_first=gate_first, stages=stages)
    ending = watch(ecs, run).run()
    assert ending.phase is Phase.SUCCEEDED
    assert [(hook, action) for hook, action, _ in ecs.answers] == [
        ("test", "CONTINUE"),
        ("gate-1", "CONTINUE"),
        ("gate-2", "CONTINUE"),
    ]


@pytest.mark.parametrize("gate_first", [False, True], ids=["bake-then-gate", "gate-then-bake"])
def test_full_traffic_is_let_through_only_after_the_canary_was_observed(
    time: FakeTime, run: FakeRun, *, gate_first: bool
) -> None:
    ecs = CanaryEcs(time, gate_first=gate_first)
    watch(ecs, run).run()
    when = {hook: moment for hook, _, moment in ecs.answers}
    observed = when["gate-2"] - when["gate-1"]
    assert 15 * MINUTE - 2 * POLICY.poll <= observed <= 15 * MINUTE + 4 * POLICY.poll


def test_each_mutation_is_recorded_before_and_after(time: FakeTime, run: FakeRun) -> None:
    watch(CanaryEcs(time), run).run()
    assert run.recorded == [
        *["answering-hook", "hook-answered"] * 2,
        "canary",
        "answering-hook",
        "hook-answered",
    ]


def test_a_failed_smoke_test_rolls_back_before_any_production_traffic(time: FakeTime, run: FakeRun) -> None:
    def test() -> None:
        raise DeploymentFailed("version is 1, not 2")

    ecs = CanaryEcs(time)
    ending = watch(ecs, run, test=test).run()
    assert ending.phase is Phase.ROLLED_BACK
    assert ending.reason == "the smoke test failed: version is 1, not 2"
    assert ecs.answers == []


@pytest.mark.parametrize("phase", [Phase.CANARY, Phase.BEFORE_FULL, Phase.BAKING])
def test_a_verdict_of_fail_stops_at_once_also_while_a_gate_is_open(
    time: FakeTime, run: FakeRun, phase: Phase
) -> None:
    ecs = CanaryEcs(time)
    ending = watch(ecs, run, judge=Failing(phase)).run()
    assert ending.phase is Phase.ROLLED_BACK
    assert ending.reason == "too many errors"
    assert ecs.stops == 1
    assert run.recorded[-2:] == ["stopping", "stop-requested"]


def test_a_release_that_is_never_healthy_is_rolled_back_in_time(time: FakeTime, run: FakeRun) -> None:
    began = time.now
    ending = watch(CanaryEcs(time, healthy_after=None), run).run()
    assert ending.phase is Phase.ROLLED_BACK
    assert "not healthy within 15 min" in ending.reason
    assert time.now - began < 18 * MINUTE


def test_what_the_tasks_showed_is_read_before_a_slow_release_is_stopped(time: FakeTime, run: FakeRun) -> None:
    ecs = CanaryEcs(time, healthy_after=None)
    seen = StartingTasks(targets=("10.0.0.1:8080 unhealthy",))
    looked: list[int] = []

    def look(_observed: Observation) -> StartingTasks:
        looked.append(ecs.stops)
        return seen

    ending = watch(ecs, run, look=look).run()
    assert (ending.phase, ending.starting, looked) == (Phase.ROLLED_BACK, seen, [0])


def test_a_release_that_was_healthy_is_stopped_without_a_look_at_its_tasks(
    time: FakeTime, run: FakeRun
) -> None:
    ending = watch(CanaryEcs(time), run, judge=Failing(Phase.CANARY), look=pytest.fail).run()
    assert (ending.phase, ending.starting) == (Phase.ROLLED_BACK, None)


def test_throttling_slows_the_watch_down_and_nothing_else(time: FakeTime, run: FakeRun) -> None:
    ecs = CanaryEcs(time)
    throttled = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "Describe")
    ecs.errors = [throttled] * 4
    assert watch(ecs, run).run().phase is Phase.SUCCEEDED


def test_a_lost_connection_ends_with_what_is_known(time: FakeTime, run: FakeRun) -> None:
    ecs = CanaryEcs(time)
    watching = watch(ecs, run)
    watching._observe()
    ecs.errors = [EndpointConnectionError(endpoint_url="http://127.0.0.1:1")] * 1000
    began = time.now
    with pytest.raises(PersonNeeded, match="has not answered") as failure:
        watching.run()
    assert time.now - began < POLICY.patience + 120
    assert "scaling up" in failure.value.changed
    assert failure.value.hint


def test_an_error_that_is_not_transient_is_raised(time: FakeTime, run: FakeRun) -> None:
    ecs = CanaryEcs(time)
    ecs.errors = [ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Describe")]
    with pytest.raises(ClientError, match="AccessDenied"):
        watch(ecs, run).run()


def test_a_deployment_replaced_by_another_is_superseded(time: FakeTime, run: FakeRun) -> None:
    ecs = CanaryEcs(time)
    ecs.status, ecs.current = "STOP_REQUESTED", "arn:other"
    assert watch(ecs, run).run().phase is Phase.SUPERSEDED
    assert ecs.stops == 0


def test_a_rollback_asked_for_elsewhere_is_watched_to_its_end(time: FakeTime, run: FakeRun) -> None:
    ecs = CanaryEcs(time)
    ecs.stop(ecs.ARN)
    ending = watch(ecs, run).run()
    assert ending.phase is Phase.ROLLED_BACK
    assert ending.reason == ""
    assert ecs.stops == 1


def test_a_run_that_lost_its_lock_stops_acting(time: FakeTime, run: FakeRun) -> None:
    run.lost = PersonNeeded("the deployment lock was taken over by another run")
    ecs = CanaryEcs(time)
    with pytest.raises(PersonNeeded, match="taken over"):
        watch(ecs, run).run()
    assert ecs.answers == []
    assert ecs.stops == 0


def test_a_watch_can_end_when_all_traffic_has_moved(time: FakeTime, run: FakeRun) -> None:
    ending = watch(CanaryEcs(time), run).run(until={Phase.BAKING})
    assert ending.phase is Phase.BAKING
    assert isinstance(ending, Ending)


def test_an_answer_that_was_lost_is_given_again_and_a_repeated_one_is_no_failure(
    time: FakeTime, run: FakeRun
) -> None:
    class Lossy(CanaryEcs):
        """Takes the first answer but breaks the connection."""

        broken = False

        def answer_hook(self, arn: str, hook: str, action: str) -> bool:
            taken = super().answer_hook(arn, hook, action)
            if not self.broken:
                self.broken = True
                raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
            return taken

    ecs = Lossy(time)
    assert watch(ecs, run).run().phase is Phase.SUCCEEDED


def test_one_call_per_tick_observes_the_deployment(time: FakeTime, run: FakeRun) -> None:
    ecs = CanaryEcs(time)
    began = time.now
    watch(ecs, run).run()
    ticks = (time.now - began) / POLICY.poll
    assert ecs.calls <= ticks * 1.1 + 2


def test_five_consecutive_failed_probes_fail_a_release_and_a_good_one_starts_the_count_again() -> None:
    answers = iter(["HTTP 500"] * 4 + [""] + ["HTTP 500"] * 5)
    prober = Prober("http://new/health", probe=lambda _: next(answers), pause=0)
    prober.start = lambda: None  # type: ignore[method-assign]
    judge = ProbingJudge({"test": prober}, threshold=5)
    opinions = []
    for _ in range(10):
        prober.once()
        opinions.append(judge.watch(None, Phase.CANARY).opinion)  # type: ignore[arg-type]
    assert opinions == [Opinion.PASS] * 9 + [Opinion.FAIL]


def test_probes_decide_nothing_before_there_is_traffic() -> None:
    prober = Prober("http://new/health", probe=lambda _: "HTTP 500", pause=0)
    judge = ProbingJudge({"test": prober}, threshold=1)
    assert judge.watch(None, Phase.SCALING_UP).opinion is Opinion.OPEN  # type: ignore[arg-type]
    assert prober.probes == 0


MONITORS = Monitors(alarms=True, breaker=True, required=True)


class Unwatched(CanaryEcs):
    """An ECS that ignores the alarms, as it does when one was firing at the start."""

    def deployment(self, arn: str) -> dict[str, Any]:
        return {
            **super().deployment(arn),
            "alarms": {"status": "DISABLED"},
            "deploymentCircuitBreaker": {"status": "MONITORING"},
        }


def test_a_deployment_whose_alarms_ecs_ignores_is_rolled_back_before_any_traffic(
    time: FakeTime, run: FakeRun
) -> None:
    ecs = Unwatched(time)
    ending = watch(ecs, run, monitors=MONITORS).run()
    assert ending.phase is Phase.ROLLED_BACK
    assert "ECS does not watch the deployment's alarms" in ending.reason
    assert ecs.answers == []


def test_by_policy_it_is_only_reported_and_only_once(time: FakeTime, run: FakeRun) -> None:
    ending = watch(Unwatched(time), run, monitors=replace(MONITORS, required=False)).run()
    assert ending.phase is Phase.SUCCEEDED
    assert len([text for text in run.reported if "does not watch" in text]) == 1


def test_what_was_not_asked_for_is_not_missed(time: FakeTime, run: FakeRun) -> None:
    monitors = Monitors(alarms=False, breaker=True, required=True)
    assert watch(Unwatched(time), run, monitors=monitors).run().phase is Phase.SUCCEEDED


def test_unknown_stages_are_reported_once_each(time: FakeTime, run: FakeRun) -> None:
    ecs = CanaryEcs(time, stages={"BAKE_TIME": "SIMMER", "SCALE_UP": "GROW"})
    assert watch(ecs, run).run().phase is Phase.SUCCEEDED
    assert [text for text in run.reported if "does not know" in text] == [
        "ECS shows stage 'GROW', which this version does not know: treated as in progress",
        "ECS shows stage 'SIMMER', which this version does not know: treated as in progress",
    ]


def test_a_resumed_watch_counts_the_canary_s_time_from_the_canary_s_beginning(
    time: FakeTime, run: FakeRun
) -> None:
    ecs = CanaryEcs(time)
    first = watch(ecs, run)
    first.run(until={Phase.CANARY})
    since = time.now
    time.now += 10 * MINUTE  # nobody watches
    before = Before(started=since - 5 * MINUTE, canary_since=since)
    assert watch(ecs, run, before=before).run().phase is Phase.SUCCEEDED
    (answered,) = [moment for hook, _, moment in ecs.answers if hook == "gate-2"]
    assert 15 * MINUTE - POLICY.poll <= answered - since <= 15 * MINUTE + 4 * POLICY.poll


def test_a_rollback_that_a_run_asked_for_before_it_died_is_asked_for_again(
    time: FakeTime, run: FakeRun
) -> None:
    ecs = CanaryEcs(time)
    before = Before(started=time.now, reason="too many errors")
    ending = watch(ecs, run, before=before).run()
    assert (ending.phase, ending.reason) == (Phase.ROLLED_BACK, "too many errors")
    assert ecs.stops == 1
