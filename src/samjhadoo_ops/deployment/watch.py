"""Watching one service deployment to its end and answering it on the way.

ECS moves the traffic; this loop looks once per tick, answers pause hooks, and stops the deployment when
the judge, a failed test or a deadline says so. What it acts upon is only ever the pinned deployment.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.answering import Readiness, undecided
from samjhadoo_ops.deployment.judge import Opinion
from samjhadoo_ops.deployment.monitors import unmonitored
from samjhadoo_ops.deployment.observation import observe
from samjhadoo_ops.deployment.outcome import Phase, phase_of
from samjhadoo_ops.deployment.passing import passes
from samjhadoo_ops.deployment.seen import Before, Ending, Turn
from samjhadoo_ops.deployment.telling import Changes, share
from samjhadoo_ops.errors import PersonNeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.deployment.configuration import Policy
    from samjhadoo_ops.deployment.ecs import EcsService
    from samjhadoo_ops.deployment.judge import Judge, Verdict
    from samjhadoo_ops.deployment.monitors import Monitors
    from samjhadoo_ops.deployment.observation import Hook, Observation
    from samjhadoo_ops.deployment.telling import Teller

_MOST_BACKOFF = 8
_JITTER = 0.1
_SLICES = 10
_LEAVING = frozenset({Phase.ROLLING_BACK, Phase.STOPPING})


class Watch:
    """The watch over one service deployment.

    Args:
        test: Checks the new revision through the test listener; raises OpsError when it fails.
        ensure: Raises when this run may change nothing any more, because it has lost its lock.
        monitors: What ECS has to watch by itself.
        before: What is known from a run before.

    """

    def __init__(
        self,
        ecs: EcsService,
        arn: str,
        *,
        clock: Clock,
        policy: Policy,
        judge: Judge,
        test: Callable[[], object],
        teller: Teller,
        ensure: Callable[[], None] = lambda: None,
        monitors: Monitors | None = None,
        before: Before | None = None,
    ) -> None:
        self.arn = arn
        self.reason = before.reason if before else ""
        self.last: Observation | None = None
        self.phase = Phase.UNKNOWN
        self._ecs = ecs
        self._clock = clock
        self._policy = policy
        self._judge = judge
        self._teller = teller
        self._changes = Changes(teller, clock.timestamp)
        self._ensure = ensure
        self._monitors = monitors
        self._readiness = Readiness(
            test,
            clock=clock,
            policy=policy,
            began=lambda: teller.tell("smoke", "testing the new release through the test listener"),
            canary_since=before.canary_since if before else None,
        )
        self._answered: set[str] = set()
        self._turn: Turn | None = None
        self._verdict: Verdict | None = None
        self._started = before.started if before else clock.timestamp()
        self._stopping_since: float | None = None
        self._heard = clock.read()
        self._entered = clock.read()
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
                        self.phase, self.last, self.reason, self._seconds, self._turn, self._verdict
                    )
                self._pause()
        finally:
            self._judge.close()
            self._readiness.close()

    def settle(self, seconds: float) -> Phase:
        """Watch on for so many real seconds, or until the end, and return the phase reached."""
        until = self._clock.read() + seconds
        while not self.phase.ended and self._clock.read() < until:
            self._tick()
            self._clock.sleep(self._policy.poll)
        return self.phase

    def stop(self, reason: str) -> None:
        """Ask ECS to roll the deployment back; repeating it changes nothing."""
        if not self.reason:
            self.reason = reason
            self._teller.record("stopping", deployment=self.arn, reason=reason)
            self._teller.tell("stopping", f"rolling back: {reason}", reason=reason)
        accepted = self._ecs.stop(self.arn)
        if self._stopping_since is None:
            self._stopping_since = self._clock.timestamp()
            self._teller.record("stop-requested", deployment=self.arn, accepted=accepted)

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
        """Look and act once; return False when AWS didn't answer."""
        try:
            self._look()
            if not self.phase.ended:
                self._act()
        except Exception as error:
            if not passes(error):
                raise
            self._backoff = min(_MOST_BACKOFF, self._backoff * 2)
            self._bear(error)
            return False
        self._heard = self._clock.read()
        self._backoff = 1
        return True

    def _bear(self, error: Exception) -> None:
        silent = self._clock.read() - self._heard
        if silent < self._policy.patience:
            return
        known = f"it was {self.phase.value}, {share(self.last)}" if self.last else "nothing is known of it"
        raise PersonNeeded(
            f"AWS has not answered for {silent:.0f} s while deployment {self.arn} went on: {error}",
            changed=f"a deployment was started; when last seen {known}. "
            "A pause that nobody answers is rolled back by ECS itself.",
            hint="when AWS answers again: invoke status, then invoke watch or invoke rollback",
        ) from error

    def _look(self) -> None:
        observed = observe(self._ecs.deployment(self.arn))
        phase = phase_of(observed, tested=self._readiness.tested)
        if phase in {Phase.STOPPING, Phase.STOPPED}:
            current = (self._ecs.describe() or {}).get("currentServiceDeployment")
            observed = observe(self._ecs.deployment(self.arn), current=current)
            phase = phase_of(observed, tested=self._readiness.tested)
        if self._readiness.see(observed):
            self._teller.record("canary", since=self._readiness.canary_since)
        self._changes.tell(observed, phase)
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
        assert self.last is not None  # noqa: S101  # a look comes before every act
        try:
            self._ensure()
        except PersonNeeded as error:
            error.changed = f"deployment {self.arn} goes on, {share(self.last)}"
            raise
        if self.reason or self.phase in _LEAVING:
            self._await_rollback()
            return
        verdict = self._verdict = self._judge.watch(self.last, self.phase)
        why = self._why_stop(self.last, verdict)
        if why:
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
            return f"the new release was not healthy within {self._policy.healthy_within / 60:g} min"
        if elapsed > self._policy.ends_within:
            return f"the deployment has not ended within {self._policy.ends_within / 60:g} min"
        return self._unmonitored(observed)

    def _unmonitored(self, observed: Observation) -> str:
        """Return why nobody but us watches the deployment, if that must stop it; told once in any case."""
        missing = unmonitored(observed, self._monitors) if self._monitors else ""
        if not missing or self._monitors is None:
            return ""
        if self._monitors.required:
            return missing
        self._monitors = None
        self._teller.tell("unmonitored", f"warning: {missing}")
        return ""

    def _await_rollback(self) -> None:
        if self._stopping_since is None:
            if self.reason:
                self.stop(self.reason)
            self._stopping_since = self._clock.timestamp()
        if self._clock.timestamp() - self._stopping_since > self._policy.rollback_within:
            raise PersonNeeded(
                f"the rollback of {self.arn} has not ended within {self._policy.rollback_within / 60:g} min",
                changed=f"a rollback was requested; {share(self.last)}",
                hint="invoke status; then look at the service's events in ECS",
            )

    def _answer(self, hook: Hook, observed: Observation, verdict: Verdict) -> None:
        reason = self._readiness.reason_to_go_on(observed, verdict)
        if self._readiness.failure:
            self.stop(self._readiness.failure)
            return
        if not reason:
            return
        self._teller.record("answering-hook", hook=hook.id, phase=self.phase.name, reason=reason)
        taken = self._ecs.answer_hook(self.arn, hook.id, "CONTINUE")
        self._answered.add(hook.id)
        self._teller.record("hook-answered", hook=hook.id, taken=taken)
        self._teller.tell("continue", f"going on: {reason}", hook=hook.id, taken=taken)
