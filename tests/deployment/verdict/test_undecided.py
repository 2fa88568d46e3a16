"""What the watch does with a verdict that is neither pass nor fail."""

from __future__ import annotations

import re

import pytest
from deployment_fakes import CanaryEcs, FakeRun, FakeTime, MemoryObjects, begun_run

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.deployment.configuration import rollout_policy
from samjhadoo_ops.deployment.finish import recorded
from samjhadoo_ops.deployment.journal import LEFT
from samjhadoo_ops.deployment.outcome import Opinion, Phase, Verdict
from samjhadoo_ops.deployment.watch import Watch
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.errors import ExitCode, WaitingForPerson


class Says:
    """Has one opinion of a canary for so many looks, then passes it."""

    def __init__(self, opinion: Opinion, *, looks: int = 1_000_000) -> None:
        self.opinion, self.looks = opinion, looks

    def watch(self, observed: object, phase: Phase) -> Verdict:
        if phase in {Phase.CANARY, Phase.BEFORE_FULL} and self.looks > 0:
            self.looks -= 1
            return Verdict(self.opinion, "nobody can say")
        return Verdict(Opinion.PASS, "all is well")

    def close(self) -> None:
        pass


def run_over(ecs: CanaryEcs, time: FakeTime) -> FakeRun:
    env = load_environment("production", variables={})
    run = FakeRun(time, rollout_policy(env, real=Clock().real(1.0)))
    run.ecs = ecs
    return run


def watching(run: FakeRun, judge: Says) -> Watch:
    return Watch(run, CanaryEcs.ARN, judge=judge, test=lambda: None)


def test_an_undecided_canary_waits_for_a_person_with_what_to_do() -> None:
    time = FakeTime()
    ecs = CanaryEcs(time)
    with pytest.raises(WaitingForPerson, match="nobody can say") as left:
        watching(run_over(ecs, time), Says(Opinion.INCONCLUSIVE)).run()
    assert left.value.exit_code == ExitCode.WAITING
    assert "paused with 10 % of traffic" in left.value.changed
    assert "invoke rollback" in left.value.hint
    assert ecs.stops == 0
    assert [hook for hook, _, _ in ecs.answers] == ["test", "gate-1"]


def test_what_is_left_to_a_person_is_not_recorded_as_ended(objects: MemoryObjects) -> None:
    run = begun_run(objects)
    with pytest.raises(WaitingForPerson), recorded(run):
        raise WaitingForPerson("decide")
    entry = run.journal.entries()[0]
    assert entry.events[-1].event == LEFT
    assert entry.finished is None


class ByPolicy:
    """Lets every canary go on although its counts decide nothing."""

    def watch(self, observed: object, phase: Phase) -> Verdict:
        return Verdict(Opinion.INCONCLUSIVE, "too few requests", signal="errors").decided(Opinion.PASS)

    def close(self) -> None:
        pass


def test_a_canary_that_continues_by_policy_is_shown_as_inconclusive_to_its_end() -> None:
    time = FakeTime()
    ecs = CanaryEcs(time)
    run = run_over(ecs, time)
    ending = Watch(run, CanaryEcs.ARN, judge=ByPolicy(), test=lambda: None).run()
    assert ending.phase is Phase.SUCCEEDED
    assert ending.verdict is not None
    assert ending.verdict.numbers()["opinion"] == "INCONCLUSIVE"
    continued = "continuing: the canary was observed for 15 min, is inconclusive, and continues by policy"
    assert any(text.endswith(continued) for text in run.reported)


def test_while_the_environment_is_bad_the_deployment_waits_and_then_continues() -> None:
    time = FakeTime()
    ecs = CanaryEcs(time)
    run = run_over(ecs, time)
    ending = watching(run, Says(Opinion.ENVIRONMENT, looks=150)).run()
    assert ending.phase is Phase.SUCCEEDED
    assert ecs.stops == 0
    when = {hook: moment for hook, _, moment in ecs.answers}
    assert when["gate-2"] - when["gate-1"] > 20 * 60
    observed = [
        re.search(r"continuing: the canary was observed for (\d+) min$", text) for text in run.reported
    ]
    assert [int(found[1]) > 20 for found in observed if found] == [True]
