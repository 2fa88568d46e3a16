"""The judge over a deployment's course, with a clock of its own and counts as given."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from verdict_runs import plan

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.deployment.judge import Judges
from samjhadoo_ops.deployment.outcome import Hook, Observation, Opinion, Phase, Verdict
from samjhadoo_ops.deployment.verdict.canary_judge import CanaryJudge, CanaryRules
from samjhadoo_ops.deployment.verdict.counts import Counts, Minute, OwnTraffic, Reading
from samjhadoo_ops.deployment.verdict.factory import rules_of
from samjhadoo_ops.environment import load_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MINUTE = 60.0
RULES = CanaryRules(
    thresholds=plan(),
    canary_time=15 * MINUTE,
    policies=("extend", "rollback"),
    extend=30 * MINUTE,
    to_send=100,
    margin=3 * MINUTE,
)


class Course:
    """A deployment whose minutes are counted by a function; counts are read when a test says so."""

    def __init__(
        self,
        count: Callable[[int], Reading],
        *,
        rules: CanaryRules = RULES,
        error: Exception | None = None,
        **options: Any,
    ) -> None:
        self.now = 600.0
        self.count, self.error = count, error
        self.reported: list[str] = []
        self.recorded: list[tuple[tuple[Minute, ...], Verdict]] = []
        self.asked: list[tuple[float, float]] = []
        self.judge = CanaryJudge(
            lambda _observed: self,
            clock=Clock(read=lambda: self.now),
            rules=rules,
            report=lambda _event, text, _data: self.reported.append(text),
            record=lambda minutes, verdict: self.recorded.append((tuple(minutes), verdict)),
            **options,
        )
        self.judge._run = lambda: None  # the test calls update, not the clock

    def read(self, start: float, end: float) -> Mapping[float, Reading]:
        if self.error:
            raise self.error
        self.asked.append((start, end))
        return {start + MINUTE * n: self.count(n) for n in range(int((end - start) // MINUTE))}

    def at(self, minute: float, *, weight: float = 10.0, gate: float | None = None) -> Verdict:
        """Go to a minute of the canary, look, and return the verdict."""
        self.now = 600.0 + MINUTE * minute
        hooks = ()
        if gate is not None:
            expires = datetime.fromtimestamp(600 + MINUTE * gate, UTC)
            hooks = (Hook("h", "AWAITING_ACTION", expires_at=expires),)
        phase = Phase.BAKING if weight >= 100 else Phase.BEFORE_FULL if hooks else Phase.CANARY
        observed = Observation("d", "IN_PROGRESS", production_weight=weight, hooks=hooks)
        if self.judge._ledger is None:
            self.judge.watch(observed, phase)
        self.judge._observed = observed
        try:
            self.judge.update()
        except Exception as error:  # noqa: BLE001
            self.judge.blind = str(error)
        return self.judge.watch(observed, phase)


def good(_minute: int) -> Reading:
    return Reading(canary=Counts(requests=6), baseline=Counts(requests=54))


def bad(_minute: int) -> Reading:
    return Reading(canary=Counts(requests=6, errors=2), baseline=Counts(requests=54))


def none(_minute: int) -> Reading:
    return Reading()


def both_bad(_minute: int) -> Reading:
    return Reading(canary=Counts(requests=6, errors=1), baseline=Counts(requests=54, errors=9))


def test_a_healthy_canary_passes_and_is_kept_with_its_minutes() -> None:
    course = Course(good)
    assert course.at(0).opinion is Opinion.OPEN
    assert course.at(15, gate=75).opinion is Opinion.PASS
    course.judge.close()
    minutes, verdict = course.recorded[0]
    assert (len(minutes), verdict.opinion) == (13, Opinion.PASS)
    assert course.reported == [f"verdict PASS: {verdict.reason}"]


def test_a_bad_canary_fails_as_soon_as_its_counts_are_final() -> None:
    course = Course(bad)
    course.at(0)
    assert [course.at(minute).opinion for minute in (1, 2, 3)] == [Opinion.OPEN, Opinion.OPEN, Opinion.FAIL]
    assert "of 6 canary requests failed (2) in 1 min" in course.reported[0]


def test_a_release_that_turns_bad_in_the_bake_fails() -> None:
    turned = {"bad": False}
    course = Course(lambda minute: bad(minute) if turned["bad"] else good(minute))
    course.at(0)
    course.at(18)
    assert course.at(20, weight=100.0).opinion is Opinion.PASS
    turned["bad"] = True
    assert course.at(50, weight=100.0).opinion is Opinion.FAIL


def test_a_canary_without_requests_is_extended_within_the_gate_and_then_rolled_back() -> None:
    course = Course(none)
    course.at(0)
    assert course.at(17, gate=75).opinion is Opinion.OPEN
    assert course.reported == []
    assert course.at(20, gate=75).opinion is Opinion.OPEN
    assert course.reported[-1].startswith(
        "verdict INCONCLUSIVE: errors: 0 canary requests failed (0) in 18 min"
    )
    assert "observing it for up to 30 min more" in course.reported[-1]
    verdict = course.at(50, gate=75)
    assert verdict.opinion is Opinion.FAIL
    assert verdict.reason.endswith("by policy it is rolled back")
    assert len(course.reported) == 2


@pytest.mark.parametrize(("policy", "opinion"), [("continue", Opinion.PASS), ("ask", Opinion.INCONCLUSIVE)])
def test_policy_decides_without_evidence(policy: str, opinion: Opinion) -> None:
    course = Course(none, rules=replace(RULES, policies=(policy,)))
    course.at(0)
    verdict = course.at(20, gate=75)
    assert verdict.opinion is opinion
    assert "0 canary requests" in verdict.reason
    assert course.reported[0].startswith("verdict INCONCLUSIVE")


@pytest.mark.parametrize(
    ("count", "policy", "minute", "weight", "gate", "shown"),
    [
        (none, "continue", 20, 10.0, 75, "INCONCLUSIVE"),
        (none, "rollback", 20, 10.0, 75, "INCONCLUSIVE"),
        (none, "ask", 20, 10.0, 75, "INCONCLUSIVE"),
        (none, "rollback", 5, 10.0, None, "INCONCLUSIVE"),
        (none, "rollback", 20, 100.0, None, "INCONCLUSIVE"),
        (good, "rollback", 20, 100.0, None, "PASS"),
        (good, "rollback", 20, 10.0, 75, "PASS"),
        (bad, "continue", 20, 10.0, 75, "FAIL"),
        (both_bad, "continue", 73, 10.0, 75, "ENVIRONMENT"),
        (both_bad, "continue", 20, 100.0, None, "ENVIRONMENT"),
    ],
)
def test_a_verdict_is_shown_as_what_the_counts_allow_whatever_was_decided(
    count: Callable[[int], Reading], policy: str, minute: int, weight: float, gate: float | None, shown: str
) -> None:
    course = Course(count, rules=replace(RULES, policies=(policy,)))
    course.at(0)
    assert course.at(minute, weight=weight, gate=gate).numbers()["opinion"] == shown
    assert all(text.startswith(f"verdict {shown}") for text in course.reported)


def test_when_both_releases_are_bad_the_deployment_waits_and_is_rolled_back_before_the_pause_ends() -> None:
    course = Course(both_bad)
    course.at(0)
    verdict = course.at(18, gate=75)
    assert verdict.opinion is Opinion.ENVIRONMENT
    assert "the baseline is just as bad" in verdict.reason
    assert course.at(71, gate=75).opinion is Opinion.ENVIRONMENT
    late = course.at(73, gate=75)
    assert late.opinion is Opinion.FAIL
    assert "waiting until the pause ends" in late.reason


def test_metrics_that_cannot_be_read_are_no_evidence_and_no_crash() -> None:
    course = Course(good, error=RuntimeError("Throttling"))
    course.at(0)
    assert course.at(14).opinion is Opinion.OPEN
    verdict = course.at(20, gate=75)
    assert verdict.opinion is Opinion.OPEN
    assert "metrics could not be read: Throttling" in verdict.reason
    course.error = None
    assert course.at(21, gate=75).opinion is Opinion.PASS


def test_old_minutes_are_not_read_again() -> None:
    course = Course(good)
    course.at(0)
    course.at(15)
    course.at(40)
    (first, _), (second, end) = course.asked[-2:]
    assert first == 600.0
    assert end - second < 40 * MINUTE
    assert len(course.judge.minutes) == 38


def test_a_run_that_resumes_counts_from_the_canarys_beginning() -> None:
    course = Course(good, since=600.0)
    assert course.at(15, gate=75).opinion is Opinion.PASS
    assert len(course.judge.minutes) == 13


class Sender:
    """Sends all its requests at once."""

    def __init__(self, own: OwnTraffic, *, errors: int) -> None:
        self.own, self.errors, self.sent = own, errors, False

    def start(self) -> None:
        if not self.sent:
            self.sent = True
            for number in range(100):
                self.own.note(600 + 20 * MINUTE, error=number < self.errors, synthetic=True)

    def stop(self) -> None:
        pass


@pytest.mark.parametrize(("errors", "opinion"), [(0, Opinion.PASS), (4, Opinion.FAIL)])
def test_without_traffic_the_tool_sends_some_and_judges_by_that(errors: int, opinion: Opinion) -> None:
    own = OwnTraffic()
    rules = replace(RULES, policies=("synthetic", "continue"))
    course = Course(none, rules=rules, own=own, sender=Sender(own, errors=errors))
    course.at(0)
    sending = course.at(20, gate=75)
    assert sending.opinion is Opinion.OPEN
    assert "sending 100 requests through the test listener" in course.reported[-1]
    assert course.at(21, gate=75).opinion is Opinion.OPEN
    verdict = course.at(24, gate=75)
    assert verdict.opinion is opinion
    assert "all synthetic" in verdict.reason


def test_the_judge_works_in_the_background_and_ends() -> None:
    looked = threading.Event()

    class Source:
        def read(self, start: float, end: float) -> Mapping[float, Reading]:
            looked.set()
            return {}

    judge = CanaryJudge(lambda _observed: Source(), clock=Clock(minute=0.02), rules=RULES)
    observed = Observation("d", "IN_PROGRESS", production_weight=10.0)
    assert judge.watch(observed, Phase.CANARY).opinion is Opinion.OPEN
    assert looked.wait(10)
    judge.close()
    assert judge._thread is not None
    judge._thread.join(10)
    assert not judge._thread.is_alive()


class Says:
    def __init__(self, opinion: Opinion) -> None:
        self.opinion, self.closed = opinion, False

    def watch(self, observed: Observation, phase: Phase) -> Verdict:
        return Verdict(self.opinion, self.opinion.name)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (Opinion.PASS, Opinion.PASS, Opinion.PASS),
        (Opinion.PASS, Opinion.OPEN, Opinion.OPEN),
        (Opinion.OPEN, Opinion.INCONCLUSIVE, Opinion.INCONCLUSIVE),
        (Opinion.ENVIRONMENT, Opinion.INCONCLUSIVE, Opinion.ENVIRONMENT),
        (Opinion.ENVIRONMENT, Opinion.FAIL, Opinion.FAIL),
    ],
)
def test_of_two_judges_the_worst_opinion_counts(one: Opinion, other: Opinion, together: Opinion) -> None:
    for pair in ([Says(one), Says(other)], [Says(other), Says(one)]):
        judges = Judges(pair)
        assert judges.watch(Observation("d", "IN_PROGRESS"), Phase.CANARY).opinion is together
        judges.close()
        assert all(judge.closed for judge in pair)


@pytest.mark.parametrize("name", ["local", "staging", "production"])
def test_the_margin_before_the_gate_ends_is_far_from_its_whole_time(name: str) -> None:
    env = load_environment(name, variables={})
    rules = rules_of(env, poll=float(env.deployment.poll))
    gate = float(env.deployment.hook_timeouts.production)
    assert rules.margin < gate / 4
    assert rules.canary_time + rules.thresholds.provisional < gate + rules.canary_time - rules.margin
