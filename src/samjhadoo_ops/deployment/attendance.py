"""Attending a deployment that ECS has accepted, by whoever started it: to its end, or as far as asked."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.configuration import deployment_configuration, swift_configuration
from samjhadoo_ops.deployment.deployed import UNTIL, Deployed, left_to_ecs
from samjhadoo_ops.deployment.ending import settle_ending
from samjhadoo_ops.deployment.journal import FINISHED, LEFT
from samjhadoo_ops.deployment.monitors import monitors_of
from samjhadoo_ops.deployment.outcome import Phase
from samjhadoo_ops.deployment.verdict.factory import build_judge
from samjhadoo_ops.deployment.watch import Watch
from samjhadoo_ops.errors import ExitCode, OpsError, PersonNeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from samjhadoo_ops.deployment.ending import Course
    from samjhadoo_ops.deployment.lock import Lock
    from samjhadoo_ops.deployment.seen import Ending
    from samjhadoo_ops.deployment.site import Site
    from samjhadoo_ops.deployment.telling import Teller

CORRECT = "correct the release, or what [smoke] and [payments] ask of it, then: invoke deploy"
SETTLING = 10.0
"""Real seconds to wait for a rollback after an interrupt; CI gives little more before it kills."""


class Attendance:
    """One run's attendance of a deployment.

    Args:
        until: A word of `UNTIL`.
        kind: `deploy`, or `rollback` for going back to a proven release.

    """

    def __init__(
        self,
        site: Site,
        course: Course,
        lock: Lock,
        teller: Teller,
        *,
        until: str = "done",
        kind: str = "deploy",
    ) -> None:
        self.site = site
        self.course = course
        self.until = until
        self.kind = kind
        self.seconds: dict[str, float] = {}
        self._watch = self._watching(lock, teller)

    def run(self, deliver: Callable[[], None] = lambda: None) -> Deployed:
        """Attend, record the ending and return it.

        Args:
            deliver: Lets interrupts through that were held back until somebody could act upon them.

        Raises:
            DeploymentFailed: The release was rolled back.
            PersonNeeded: The rollback failed, or the state is unknown.

        """
        site, course = self.site, self.course
        site.announce(course.started, release=course.release)
        with self._interruptible():
            deliver()
            course.recorder.unended = True
            ending = self._watch.run(until=UNTIL[self.until])
        course.recorder.unended = False
        self.seconds |= ending.seconds
        settle_ending(site, course, ending)
        if ending.phase is Phase.SUCCEEDED and self.kind == "deploy":
            self._check_production()
        return self._ended(ending)

    def _ended(self, ending: Ending) -> Deployed:
        course = self.course
        outcome, left = left_to_ecs(self.site, ending, deploy=course.recorder.deploy)
        if left is None:
            course.recorder.write(FINISHED, outcome=outcome, seconds=self.seconds, exit_code=0)
        else:
            course.recorder.write(LEFT, outcome=f"left {outcome}", seconds=self.seconds, acts_at=left.acts_at)
        return Deployed(
            outcome,
            course.release,
            course.digest,
            deploy=course.recorder.deploy,
            deployment=course.started.arn,
            seconds=self.seconds,
            left=left,
            kind=self.kind,
        )

    def _watching(self, lock: Lock, teller: Teller) -> Watch:
        from samjhadoo_ops.checks import accept

        site, started = self.site, self.course.started
        asked = swift_configuration(site.env) if started.swift else deployment_configuration(site.env)
        required = site.policy.unmonitored == "rollback" and not started.first
        return Watch(
            site.ecs,
            started.arn,
            clock=site.clock,
            policy=site.policy,
            judge=build_judge(site, started, self.course.recorder),
            test=partial(accept, site.env, site.aws, site.test, version=self.course.release),
            teller=teller,
            ensure=lock.ensure,
            monitors=monitors_of(asked, required=required),
            before=started.before,
        )

    def _check_production(self) -> None:
        """Test what users reach; a release that passed everything before and fails here is a riddle.

        Raises:
            PersonNeeded: It fails.

        """
        from samjhadoo_ops.checks import smoke

        first = self.course.started.first
        began = self.site.clock.read()
        try:
            smoke(self.site.env, self.site.production, version=self.course.release)
        except OpsError as error:
            raise PersonNeeded(
                f"the deployment succeeded, but the smoke test of production failed: {error.message}",
                changed="; ".join(self.course.changes),
                hint=CORRECT if first else "invoke rollback returns to the release before",
                details=error.details,
            ) from error
        self.seconds["smoke"] = round(self.site.clock.read() - began, 3)

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """On Ctrl-C or SIGTERM roll back or leave it to ECS, as the settings say, and say which."""
        site, watch, started = self.site, self._watch, self.course.started
        try:
            yield
        except (KeyboardInterrupt, SystemExit) as interrupt:
            if site.policy.on_interrupt == "rollback" and not started.first:
                watch.stop("the deploy was interrupted")
                phase = watch.settle(SETTLING)
                said = f"interrupted: the deployment is {phase.value}"
            else:
                phase = watch.phase
                said = f"interrupted: the deployment goes on ({phase.value}); {_by_itself(phase)}"
            site.console.event("interrupted", said, phase=phase.name, deployment=started.arn)
            code = ExitCode.INTERRUPTED if isinstance(interrupt, KeyboardInterrupt) else ExitCode.TERMINATED
            self.course.recorder.write(
                FINISHED if phase.ended else LEFT, outcome=f"interrupted, {phase.value}", exit_code=int(code)
            )
            raise


def _by_itself(phase: Phase) -> str:
    if phase in {Phase.BAKING, Phase.CLEANING_UP}:
        return "ECS completes it by itself; invoke watch waits for it, invoke rollback takes it back"
    return "nobody answers its pauses, so ECS rolls it back when they time out, unless: invoke watch"
