"""When a pause of a deployment may be answered: after the tests, and after the canary was observed."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.judge import Opinion
from samjhadoo_ops.deployment.outcome import FULL_WEIGHT
from samjhadoo_ops.errors import OpsError, WaitingForPerson

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.deployment.configuration import Policy
    from samjhadoo_ops.deployment.judge import Verdict
    from samjhadoo_ops.deployment.observation import Observation


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
        """Tell whether the tests run now."""
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
            said = f"the canary was observed for {self._policy.canary_time / 60:g} min"
            return f"{said}; {verdict.reason}" if verdict.reason else said
        passed = observed.test_weight != 0.0 and self._passed_test()
        return "the smoke test passed" if passed else ""

    def close(self) -> None:
        """End; tests under way are not waited for."""
        self._tester.shutdown(wait=False, cancel_futures=True)

    def _canary_observed(self) -> bool:
        since = self.canary_since
        # A look comes up to a tick after the shift it sees.
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
            said = error.message if isinstance(error, OpsError) else f"{type(error).__name__}: {error}"
            self.failure = f"the smoke test failed: {said}"
        self.tested = error is None
        return self.tested


def undecided(observed: Observation, verdict: Verdict) -> WaitingForPerson:
    """Return what ends a run that leaves the decision at an open gate to a person."""
    expiries = [hook.expires_at for hook in observed.waiting_hooks if hook.expires_at]
    until = f" at {min(expiries):%Y-%m-%d %H:%M} UTC" if expiries else ""
    return WaitingForPerson(
        f"a person is to decide on the canary: {verdict.reason}",
        changed=f"deployment {observed.arn} is paused with {observed.production_weight or 0:g} % of traffic "
        f"on the new release; when nobody answers, ECS rolls it back{until}",
        hint="invoke rollback takes it back; "
        "SAMJHADOO_CANARY__INCONCLUSIVE=continue invoke watch lets it go on",
    )
