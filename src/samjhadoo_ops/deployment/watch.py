"""Watching one service deployment to its end and answering it on the way.

ECS moves the traffic; this loop looks once per tick, answers pause hooks, and stops the deployment when
the judge, a failed test or a deadline says so. What it acts upon is only ever the pinned deployment.
"""

from __future__ import annotations

import random
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from samjhadoo_ops.deployment.judge import Opinion
from samjhadoo_ops.deployment.observation import Observation, observe
from samjhadoo_ops.deployment.outcome import FULL_WEIGHT, Phase, phase_of
from samjhadoo_ops.deployment.passing import passes
from samjhadoo_ops.errors import OpsError, PersonNeeded

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.deployment.configuration import Policy
    from samjhadoo_ops.deployment.ecs import EcsService
    from samjhadoo_ops.deployment.judge import Judge, Verdict
    from samjhadoo_ops.deployment.observation import Hook

_MOST_BACKOFF = 8
_JITTER = 0.1
_SLICES = 10
_LEAVING = frozenset({Phase.ROLLING_BACK, Phase.STOPPING})


class Teller(Protocol):
    """Who hears what happens; the console and the journal are told by one."""

    def tell(self, event: str, text: str, **data: Any) -> None:
        """Say that something happened."""

    def record(self, event: str, **data: Any) -> None:
        """Write down what is about to be changed, or has been."""


@dataclass(frozen=True)
class Ending:
    """How a deployment ended, or where it was left.

    Attributes:
        reason: Why it was stopped by this run; empty when it wasn't.
        seconds: Real seconds spent in each phase, by its name.

    """

    phase: Phase
    observed: Observation
    reason: str = ""
    seconds: dict[str, float] = field(default_factory=dict)


class Watch:
    """The watch over one service deployment.

    Args:
        test: Checks the new revision through the test listener; raises OpsError when it fails.
        lost: Tells whether the deployment lock was lost.

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
        lost: Callable[[], bool] = lambda: False,
    ) -> None:
        self.arn = arn
        self.reason = ""
        self.last: Observation | None = None
        self.phase = Phase.UNKNOWN
        self._ecs = ecs
        self._clock = clock
        self._policy = policy
        self._judge = judge
        self._teller = teller
        self._lost = lost
        self._test = test
        self._testing: Future[object] | None = None
        self._tested = False
        self._tester = ThreadPoolExecutor(1, thread_name_prefix="smoke")
        self._answered: set[str] = set()
        self._started = clock.timestamp()
        self._canary_since: float | None = None
        self._stopping_since: float | None = None
        self._heard = clock.read()
        self._entered = clock.read()
        self._seconds: dict[str, float] = {}
        self._backoff = 1

    def run(self, *, until: Phase | None = None) -> Ending:
        """Watch until the deployment has ended, or is in the phase `until`.

        Raises:
            PersonNeeded: AWS is out of reach, a rollback doesn't end, or the lock was lost.

        """
        try:
            while True:
                if self._tick() and self.last and (self.phase.ended or self.phase is until):
                    self._enter(self.phase)
                    return Ending(self.phase, self.last, self.reason, self._seconds)
                self._pause()
        finally:
            self._judge.close()
            self._tester.shutdown(wait=False, cancel_futures=True)

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
        if self._testing is None or self._testing.done():
            self._clock.sleep(pause)
            return
        for _ in range(_SLICES):
            self._clock.sleep(pause / _SLICES)
            if self._testing.done():
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
        known = f"it was {self.phase.value}, {self._share()}" if self.last else "nothing is known of it"
        raise PersonNeeded(
            f"AWS has not answered for {silent:.0f} s while deployment {self.arn} went on: {error}",
            changed=f"a deployment was started; when last seen {known}. "
            "A pause that nobody answers is rolled back by ECS itself.",
            hint="when AWS answers again: invoke status, then invoke rollback or invoke deploy",
        ) from error

    def _look(self) -> None:
        observed = observe(self._ecs.deployment(self.arn))
        phase = phase_of(observed, tested=self._tested)
        if phase in {Phase.STOPPING, Phase.STOPPED}:
            current = (self._ecs.describe() or {}).get("currentServiceDeployment")
            observed = observe(self._ecs.deployment(self.arn), current=current)
            phase = phase_of(observed, tested=self._tested)
        if self._canary_since is None and 0.0 < (observed.production_weight or 0.0) < FULL_WEIGHT:
            self._canary_since = self._clock.timestamp()
        self._show(observed, phase)
        self._enter(phase)
        self.last = observed

    def _show(self, observed: Observation, phase: Phase) -> None:
        seen = self.last
        text = describe(observed, phase)
        if seen is None or phase is not self.phase or text != describe(seen, self.phase):
            if phase is Phase.ROLLING_BACK and phase is not self.phase and observed.reason:
                text = f"{text}: {observed.reason}"
            self._teller.tell(
                "phase",
                text,
                phase=phase.name,
                stage=observed.stage,
                status=observed.status,
                weight=observed.production_weight,
                running=observed.running,
                requested=observed.requested,
            )

    def _enter(self, phase: Phase) -> None:
        now = self._clock.read()
        self._seconds[self.phase.value] = self._seconds.get(self.phase.value, 0.0) + now - self._entered
        self._entered = now
        self.phase = phase

    def _act(self) -> None:
        assert self.last is not None  # noqa: S101  # a look comes before every act
        if self._lost():
            raise PersonNeeded(
                "the deployment lock was taken over by somebody else; this run stops acting",
                changed=f"deployment {self.arn} goes on, {self._share()}",
                hint="invoke status tells who holds the lock",
            )
        if self.reason or self.phase in _LEAVING:
            self._await_rollback()
            return
        verdict = self._judge.watch(self.last, self.phase)
        why = self._why_stop(verdict)
        if why:
            self.stop(why)
            return
        for hook in self.last.waiting_hooks:
            if hook.id not in self._answered:
                self._answer(hook, self.last, verdict)

    def _why_stop(self, verdict: Verdict) -> str:
        elapsed = self._clock.timestamp() - self._started
        if verdict.opinion is Opinion.FAIL:
            return verdict.reason
        if self.phase is Phase.SCALING_UP and elapsed > self._policy.healthy_within:
            return f"the new release was not healthy within {self._policy.healthy_within / 60:g} min"
        if elapsed > self._policy.ends_within:
            return f"the deployment has not ended within {self._policy.ends_within / 60:g} min"
        return ""

    def _await_rollback(self) -> None:
        if self._stopping_since is None:
            if self.reason:
                self.stop(self.reason)
            self._stopping_since = self._clock.timestamp()
        if self._clock.timestamp() - self._stopping_since > self._policy.rollback_within:
            raise PersonNeeded(
                f"the rollback of {self.arn} has not ended within {self._policy.rollback_within / 60:g} min",
                changed=f"a rollback was requested; {self._share()}",
                hint="invoke status; then look at the service's events in ECS",
            )

    def _answer(self, hook: Hook, observed: Observation, verdict: Verdict) -> None:
        weight = observed.production_weight or 0.0
        if weight >= FULL_WEIGHT:
            return
        if weight > 0.0:
            if self._canary_observed() and verdict.opinion is Opinion.PASS:
                self._continue(hook, f"the canary was observed for {self._policy.canary_time / 60:g} min")
        elif observed.test_weight != 0.0 and self._passed_test():
            self._continue(hook, "the smoke test passed")

    def _canary_observed(self) -> bool:
        since = self._canary_since
        # A look comes up to a tick after the shift it sees.
        return since is not None and (
            self._clock.timestamp() - since + self._policy.poll >= self._policy.canary_time
        )

    def _passed_test(self) -> bool:
        if self._tested:
            return True
        if self._testing is None:
            self._teller.tell("smoke", "testing the new release through the test listener")
            self._testing = self._tester.submit(self._test)
        if not self._testing.done():
            return False
        error = self._testing.exception()
        if isinstance(error, OpsError):
            self.stop(f"the smoke test failed: {error.message}")
        elif error is not None:
            self.stop(f"the smoke test failed: {type(error).__name__}: {error}")
        self._tested = error is None
        return self._tested

    def _continue(self, hook: Hook, reason: str) -> None:
        self._teller.record("answering-hook", hook=hook.id, phase=self.phase.name, reason=reason)
        taken = self._ecs.answer_hook(self.arn, hook.id, "CONTINUE")
        self._answered.add(hook.id)
        self._teller.record("hook-answered", hook=hook.id, taken=taken)
        self._teller.tell("continue", f"{self.phase.value}: going on, {reason}", hook=hook.id, taken=taken)

    def _share(self) -> str:
        weight = self.last.production_weight if self.last else None
        return f"{weight or 0:g} % of production traffic on the new release"


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
