"""Watching one service deployment to its end and answering it on the way.

ECS moves the traffic; this loop observes the deployment once per tick, answers pause hooks, and stops the
deployment when the judge, a failed test or a deadline demands it. It acts on the pinned deployment only.
"""

from __future__ import annotations

import random
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.ecs import is_transient
from samjhadoo_ops.deployment.outcome import (
    FULL_WEIGHT,
    Before,
    Ending,
    Opinion,
    Phase,
    Turn,
    observe,
    phase_of,
    unknown_values,
)
from samjhadoo_ops.errors import OpsError, PersonNeeded, WaitingForPerson

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.deployment.configuration import Policy
    from samjhadoo_ops.deployment.judge import Judge
    from samjhadoo_ops.deployment.outcome import Hook, Observation, Verdict
    from samjhadoo_ops.deployment.run import Run
    from samjhadoo_ops.report.failure import StartingTasks

_OFF = "DISABLED"
_MOST_BACKOFF = 8
_JITTER = 0.1
_SLICES = 10
_LEAVING = frozenset({Phase.ROLLING_BACK, Phase.STOPPING})


class ChangeReporter:
    """Reports what has changed since the last observation."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._since = 0.0
        self._text = ""
        self._phase: Phase | None = None
        self._news: tuple[Any, ...] = ()
        self._full = False
        self._unknown: set[str] = set()

    def report(self, observed: Observation, phase: Phase) -> None:
        """Report the deployment's state if it has changed."""
        for value in unknown_values(observed) - self._unknown:
            self._unknown.add(value)
            self._run.report(
                "unknown", f"ECS shows {value}, which this version does not know: treated as in progress"
            )
        text, before = describe(observed, phase), self._phase
        if (text, phase) == (self._text, before):
            return
        if phase is not before:
            self._since = self._run.clock.timestamp()
        self._text, self._phase = text, phase
        # Tasks that come and go are no news: what counts is where the deployment is, that all tasks run for
        # the first time, and what has failed.
        self._full = observed.running >= observed.requested or (self._full and phase is before)
        news = (phase, observed.production_weight, observed.failures, self._full)
        report = self._run.console.state if news == self._news else self._run.report
        self._news = news
        if phase is Phase.ROLLING_BACK and phase is not before and observed.reason:
            text = f"{text}: {observed.reason}"
        report(
            "phase",
            text,
            phase=phase.name,
            stage=observed.stage,
            status=observed.status,
            weight=observed.production_weight,
            running=observed.running,
            requested=observed.requested,
            since=self._since,
            failed=observed.failures,
            acts_at=min(
                (hook.expires_at for hook in observed.waiting_hooks if hook.expires_at), default=None
            ),
        )


def describe(observed: Observation, phase: Phase) -> str:
    """Return a phase in one line for people."""
    parts = [phase.value]
    if observed.production_weight is not None and not phase.ended:
        parts.append(f"{observed.production_weight:g} % of traffic on the new release")
    if not phase.ended:
        parts.append(f"{observed.running}/{observed.requested} tasks")
    if observed.failures and not phase.ended:
        parts.append(f"{observed.failures} failed")
    if observed.reason and phase.ended and phase is not Phase.SUCCEEDED:
        parts.append(observed.reason)
    return ", ".join(parts)


def share(observed: Observation | None) -> str:
    """Return how much traffic the new release has, in words."""
    weight = observed.production_weight if observed else None
    return f"{weight or 0:g} % of production traffic on the new release"


@dataclass(frozen=True)
class Monitors:
    """What ECS should monitor.

    Attributes:
        required: Whether a deployment that it does not watch is rolled back.
    """

    alarms: bool
    breaker: bool
    required: bool

    @classmethod
    def of(cls, configuration: Mapping[str, Any], *, required: bool) -> Monitors:
        """Return what a deployment configuration makes ECS monitor."""
        return cls(
            alarms=bool(configuration.get("alarms", {}).get("enable")),
            breaker=bool(configuration.get("deploymentCircuitBreaker", {}).get("enable")),
            required=required,
        )


def unmonitored(observed: Observation, asked: Monitors) -> str:
    """Return what ECS does not monitor although it should; empty for nothing, or while that is not known."""
    if observed.status == "PENDING" or phase_of(observed).ended:
        return ""
    off = [
        name
        for name, wanted, status in (
            ("the deployment's alarms", asked.alarms, observed.alarms),
            ("the circuit breaker", asked.breaker, observed.breaker),
        )
        if wanted and status == _OFF
    ]
    if not off:
        return ""
    ignored = asked.alarms and observed.alarms == _OFF
    why = "; an alarm that was firing when the deployment began makes it ignore all" if ignored else ""
    return f"ECS does not watch {' and '.join(off)}{why}"


class Readiness:
    """What is known of a new release's tests and canary.

    Args:
        test: Checks the new revision through the test listener; raises OpsError when it fails.
        began: Called once, when the tests begin.
        canary_since: When the canary got its traffic, on the clock; None when that is still to come.

    Attributes:
        tested: Whether the tests have passed.
        failure: Why they have not; empty otherwise.
    """

    def __init__(
        self,
        test: Callable[[], object],
        *,
        clock: Clock,
        policy: Policy,
        began: Callable[[], None],
        canary_since: float | None = None,
    ) -> None:
        self.tested = False
        self.failure = ""
        self.canary_since = canary_since
        self._test = test
        self._clock = clock
        self._policy = policy
        self._began = began
        self._testing: Future[object] | None = None
        self._tester = ThreadPoolExecutor(1, thread_name_prefix="smoke")

    @property
    def under_test(self) -> bool:
        """Return whether the tests run now."""
        return self._testing is not None and not self._testing.done()

    def see(self, observed: Observation) -> bool:
        """Note when the canary gets its traffic; return whether that is now."""
        if self.canary_since is not None or not 0.0 < (observed.production_weight or 0.0) < FULL_WEIGHT:
            return False
        self.canary_since = self._clock.timestamp()
        return True

    def reason_to_go_on(self, observed: Observation, verdict: Verdict) -> str:
        """Return why the deployment may leave its pause; empty while it may not."""
        weight = observed.production_weight or 0.0
        if weight >= FULL_WEIGHT:
            return ""
        if weight > 0.0:
            if not (self._canary_observed() and verdict.opinion is Opinion.PASS):
                return ""
            spent = self._clock.timestamp() - (self.canary_since or 0.0)
            observed_for = f"the canary was observed for {self._clock.words(spent)}"
            if verdict.evidence is Opinion.INCONCLUSIVE:
                observed_for += ", is inconclusive, and continues by policy"
            return f"{observed_for}; {verdict.reason}" if verdict.reason else observed_for
        passed = observed.test_weight != 0.0 and self._passed_test()
        return "the smoke test passed" if passed else ""

    def close(self) -> None:
        """End; tests under way are not waited for."""
        self._tester.shutdown(wait=False, cancel_futures=True)

    def _canary_observed(self) -> bool:
        since = self.canary_since
        # An observation comes up to a tick after the shift that it shows.
        return since is not None and (
            self._clock.timestamp() - since + self._policy.poll >= self._policy.canary_time
        )

    def _passed_test(self) -> bool:
        if self.tested or self.failure:
            return self.tested
        if self._testing is None:
            self._began()
            self._testing = self._tester.submit(self._test)
        if not self._testing.done():
            return False
        error = self._testing.exception()
        if error is not None:
            reason = error.message if isinstance(error, OpsError) else f"{type(error).__name__}: {error}"
            self.failure = f"the smoke test failed: {reason}"
        self.tested = error is None
        return self.tested


def undecided(observed: Observation, verdict: Verdict) -> WaitingForPerson:
    """Return what ends a run that leaves the decision at an open gate to a person."""
    expiries = [hook.expires_at for hook in observed.waiting_hooks if hook.expires_at]
    until = f" at {min(expiries):%Y-%m-%d %H:%M} UTC" if expiries else ""
    return WaitingForPerson(
        f"a person has to decide on the canary: {verdict.reason}",
        changed=f"deployment {observed.arn} is paused with {observed.production_weight or 0:g} % of traffic "
        f"on the new release; when it is not answered, ECS rolls it back{until}",
        hint="invoke rollback rolls it back; "
        "SAMJHADOO_CANARY__INCONCLUSIVE=continue invoke watch lets it continue",
    )


class Watch:
    """The watch over one service deployment.

    Args:
        run: The run that watches; it acts only while it holds its lock.
        test: Checks the new revision through the test listener; raises OpsError when it fails.
        monitors: What ECS has to watch by itself.
        before: What is known from a run before.
        look: Reads how far the new tasks have come, before a rollback stops them; never raises.
    """

    def __init__(
        self,
        run: Run,
        arn: str,
        *,
        judge: Judge,
        test: Callable[[], object],
        monitors: Monitors | None = None,
        before: Before | None = None,
        look: Callable[[Observation], StartingTasks] | None = None,
    ) -> None:
        self.arn = arn
        self.reason = before.reason if before else ""
        self.last: Observation | None = None
        self.phase = Phase.UNKNOWN
        self._run = run
        self._ecs, self._clock, self._policy = run.ecs, run.clock, run.policy
        self._judge = judge
        self._changes = ChangeReporter(run)
        self._monitors = monitors
        self._readiness = Readiness(
            test,
            clock=run.clock,
            policy=run.policy,
            began=lambda: run.report("smoke", "testing the new release through the test listener"),
            canary_since=before.canary_since if before else None,
        )
        self._answered: set[str] = set()
        self._look = look
        self._starting: StartingTasks | None = None
        self._turn: Turn | None = None
        self._verdict: Verdict | None = None
        self._started = before.started if before else self._clock.timestamp()
        self._stopping_since: float | None = None
        self._answered_at = self._clock.read()
        self._entered = self._clock.read()
        self._seconds: dict[str, float] = {}
        self._backoff = 1

    def run(self, *, until: Collection[Phase] = ()) -> Ending:
        """Watch until the deployment has ended, or is in one of the phases `until`.

        Raises:
            PersonNeeded: AWS is out of reach, a rollback doesn't end, or the lock was lost.
        """
        try:
            while True:
                if self._tick() and self.last and (self.phase.ended or self.phase in until):
                    self._enter(self.phase)
                    return Ending(
                        self.phase,
                        self.last,
                        self.reason,
                        self._seconds,
                        self._turn,
                        self._verdict,
                        self._starting,
                    )
                self._pause()
        finally:
            self._judge.close()
            self._readiness.close()

    def settle(self, seconds: float) -> Phase:
        """Watch for this many more real seconds, or until the end, and return the phase reached."""
        until = self._clock.read() + seconds
        while not self.phase.ended and self._clock.read() < until:
            self._tick()
            self._clock.sleep(self._policy.poll)
        return self.phase

    def stop(self, reason: str) -> None:
        """Ask ECS to roll the deployment back; repeating it changes nothing."""
        if not self.reason:
            self.reason = reason
            self._run.record("stopping", deployment=self.arn, reason=reason)
            self._run.report("stopping", f"rolling back: {reason}", reason=reason)
        accepted = self._ecs.stop(self.arn)
        if self._stopping_since is None:
            self._stopping_since = self._clock.timestamp()
            self._run.record("stop-requested", deployment=self.arn, accepted=accepted)

    def _pause(self) -> None:
        """Wait for the next tick; a test that ends meanwhile ends the waiting."""
        pause = self._policy.poll * self._backoff * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311
        if not self._readiness.under_test:
            self._clock.sleep(pause)
            return
        for _ in range(_SLICES):
            self._clock.sleep(pause / _SLICES)
            if not self._readiness.under_test:
                return

    def _tick(self) -> bool:
        """Observe and act once; return False when AWS didn't answer."""
        try:
            self._observe()
            if not self.phase.ended:
                self._act()
        except Exception as error:
            if not is_transient(error):
                raise
            self._backoff = min(_MOST_BACKOFF, self._backoff * 2)
            self._require_answer(error)
            return False
        self._answered_at = self._clock.read()
        self._backoff = 1
        return True

    def _require_answer(self, error: Exception) -> None:
        silent = self._clock.read() - self._answered_at
        if silent < self._policy.patience:
            return
        known = f"it was {self.phase.value}, {share(self.last)}" if self.last else "its state is unknown"
        raise PersonNeeded(
            f"AWS has not answered for {silent:.0f} s while deployment {self.arn} was in progress: {error}",
            changed=f"a deployment was started; when last seen {known}. "
            "A pause that is not answered is rolled back by ECS itself.",
            hint="when AWS answers again: invoke status, then invoke watch or invoke rollback",
        ) from error

    def _observe(self) -> None:
        observed = observe(self._ecs.deployment(self.arn))
        phase = phase_of(observed, tested=self._readiness.tested)
        if phase in {Phase.STOPPING, Phase.STOPPED}:
            current = (self._ecs.describe() or {}).get("currentServiceDeployment")
            observed = observe(self._ecs.deployment(self.arn), current=current)
            phase = phase_of(observed, tested=self._readiness.tested)
        if self._readiness.see(observed):
            self._run.record("canary", since=self._readiness.canary_since)
        self._changes.report(observed, phase)
        self._enter(phase)
        self.last = observed

    def _enter(self, phase: Phase) -> None:
        now = self._clock.read()
        if self.last and self._turn is None and (phase.ended or phase in _LEAVING):
            since = self._clock.timestamp() - self._started
            self._turn = Turn(self.phase, self.last.production_weight, since)
        self._seconds[self.phase.value] = self._seconds.get(self.phase.value, 0.0) + now - self._entered
        self._entered = now
        self.phase = phase

    def _act(self) -> None:
        assert self.last is not None  # noqa: S101  # an observation comes before every act
        try:
            self._run.ensure()
        except PersonNeeded as error:
            error.changed = f"deployment {self.arn} continues, {share(self.last)}"
            raise
        if self.reason or self.phase in _LEAVING:
            self._await_rollback()
            return
        verdict = self._verdict = self._judge.watch(self.last, self.phase)
        why = self._why_stop(self.last, verdict)
        if why:
            if self._look and self.phase is Phase.SCALING_UP:
                self._starting = self._look(self.last)
            self.stop(why)
            return
        if verdict.opinion is Opinion.INCONCLUSIVE and self.last.waiting_hooks:
            raise undecided(self.last, verdict)
        for hook in self.last.waiting_hooks:
            if hook.id not in self._answered:
                self._answer(hook, self.last, verdict)

    def _why_stop(self, observed: Observation, verdict: Verdict) -> str:
        elapsed = self._clock.timestamp() - self._started
        if verdict.opinion is Opinion.FAIL:
            return verdict.reason
        if self.phase is Phase.SCALING_UP and elapsed > self._policy.healthy_within:
            return f"the new release was not healthy within {self._clock.words(self._policy.healthy_within)}"
        if elapsed > self._policy.ends_within:
            return f"the deployment has not ended within {self._clock.words(self._policy.ends_within)}"
        return self._unmonitored(observed)

    def _unmonitored(self, observed: Observation) -> str:
        """Return why ECS does not watch the deployment, if that must stop it; reported once in any case."""
        missing = unmonitored(observed, self._monitors) if self._monitors else ""
        if not missing or self._monitors is None:
            return ""
        if self._monitors.required:
            return missing
        self._monitors = None
        self._run.report("unmonitored", f"warning: {missing}")
        return ""

    def _await_rollback(self) -> None:
        if self._stopping_since is None:
            if self.reason:
                self.stop(self.reason)
            self._stopping_since = self._clock.timestamp()
        if self._clock.timestamp() - self._stopping_since > self._policy.rollback_within:
            raise PersonNeeded(
                f"the rollback of {self.arn} has not ended within "
                f"{self._clock.words(self._policy.rollback_within)}",
                changed=f"a rollback was requested; {share(self.last)}",
                hint="invoke status; then check the service's events in ECS",
            )

    def _answer(self, hook: Hook, observed: Observation, verdict: Verdict) -> None:
        reason = self._readiness.reason_to_go_on(observed, verdict)
        if self._readiness.failure:
            self.stop(self._readiness.failure)
            return
        if not reason:
            return
        self._run.record("answering-hook", hook=hook.id, phase=self.phase.name, reason=reason)
        taken = self._ecs.answer_hook(self.arn, hook.id, "CONTINUE")
        self._answered.add(hook.id)
        self._run.record("hook-answered", hook=hook.id, taken=taken)
        why = reason.partition("; ")[0]  # the rest is the verdict, which has been reported
        self._run.report("continue", f"continuing: {why}", hook=hook.id, taken=taken)
