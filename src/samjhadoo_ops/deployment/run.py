"""One run over one service: its settings and clients, its lock and journal, and the steps it takes.

Everything that changes something in AWS is a step of a run. A step cannot forget what must never be
forgotten: that the lock is still held, the journal before and after, the time it took, and what it has
changed, which the failure screen shows.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.configuration import Policy, rollout_policy
from samjhadoo_ops.deployment.ecs import EcsService
from samjhadoo_ops.deployment.journal import DeploymentJournal
from samjhadoo_ops.deployment.lock import DeploymentLock
from samjhadoo_ops.deployment.objects import S3Objects
from samjhadoo_ops.environment.view import set_by_variables
from samjhadoo_ops.errors import ConfigurationError, DeploymentFailed, Refused
from samjhadoo_ops.release.task_secrets import conceal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.deployment.journal import JournalEntry, Recorder
    from samjhadoo_ops.environment import Environment

STEPS = {
    "push": ("pushing", "pushed"),
    "migrate": ("migrating", "migrated"),
    "register": ("registering", "registered"),
    "update": ("updating", "updated"),
    "start": ("starting", "started-deployment"),
}
"""The steps that change something in AWS, with the journal's events before and after each."""


@dataclass(frozen=True)
class ServiceContext:
    """One service of one environment, and the URLs of its production and test listener."""

    env: Environment
    aws: Aws
    clock: Clock
    console: Console
    production: str
    test: str

    @cached_property
    def ecs(self) -> EcsService:
        """Return the ECS service."""
        settings = self.env.service
        return EcsService(
            self.aws.client("ecs"),
            cluster=settings.cluster,
            name=settings.name,
            sender=self.aws.client("ecs", resend=False),
            guard=self.ensure,
        )

    @cached_property
    def journal(self) -> DeploymentJournal:
        """Return the service's journal."""
        return DeploymentJournal(
            S3Objects(self.aws.client("s3"), self.env.journal.bucket),
            prefix=self.env.journal.prefix,
            environment=self.env.name,
            service=self.env.service.name,
            report=self._damaged,
        )

    def _damaged(self, key: str, why: str) -> None:
        where = f"s3://{self.env.journal.bucket}/{key}"
        self.console.event("damaged", f"! cannot read {where}, going on without it: {why}", key=where)

    @cached_property
    def policy(self) -> Policy:
        """Return what is waited for and how long."""
        return rollout_policy(self.env, real=self.clock.real(1.0))

    @property
    def origin(self) -> dict[str, Any]:
        """Return with whose credentials, and with which settings that no file has, this process works."""
        return {"caller": self.aws.caller, "settings": set_by_variables(self.env)}

    def conceal(self, task_definition: str) -> str:
        """Remove a task definition's secrets from what is shown; return what could not be read."""
        found = self.ecs.task_definition(task_definition) if task_definition else None
        return conceal(self.env, self.aws, found.document) if found else ""

    def ensure(self) -> None:
        """Go on only while changes are allowed; see `Run.ensure`."""


@dataclass
class RunStep:
    """A step under way: what it has changed, for people, and what the journal records when it is done."""

    change: str = ""
    data: dict[str, Any] = field(default_factory=dict)

    def done(self, change: str = "", **data: Any) -> None:
        """Note the step's result."""
        self.change, self.data = change, data


class Run(ServiceContext):
    """A service's context with the lock and the journal of one run.

    Attributes:
        lock: None before `locked`, and for a run that stops another's deployment, which needs no lock.
        recorder: Writes the journal; there from `begin` or `resume` on.
        changes: What has been changed so far, for people.
        seconds: Real seconds spent in each part.
        in_flight: Whether a deployment may be in progress in ECS whose end is not known.
    """

    recorder: Recorder

    def __init__(self, context: ServiceContext) -> None:
        super().__init__(
            context.env, context.aws, context.clock, context.console, context.production, context.test
        )
        # A frozen dataclass guards its own fields only: what a run learns on its way may be set.
        self.lock: DeploymentLock | None = None
        self.changes: list[str] = []
        self.seconds: dict[str, float] = {}
        self.in_flight = False

    @contextmanager
    def locked(self, reason: str, *, lock_wait: float = 0.0) -> Iterator[DeploymentLock]:
        """Hold the service's deployment lock.

        Args:
            reason: Why, for a run that is refused.
            lock_wait: How long to wait for it, in seconds on the clock.

        Raises:
            Refused: Another run holds it.
        """
        lock = DeploymentLock(
            self.journal.store,
            self.journal.lock_key,
            lease=self.clock.real(self.env.lock.lease),
            reason=reason,
            now=self.clock.now(),
            patience=self.clock.real(lock_wait),
            pause=self.clock.real(self.policy.poll),
            report=lambda text: self.console.event("waiting", text),
            damaged=self.journal.damaged,
        )
        with lock:
            self.lock = lock
            yield lock

    def ensure(self) -> None:
        """Go on only while this run holds its lock; raise `LostLock` if another may have it by now."""
        if self.lock is not None:
            self.lock.ensure()

    def begin(self, kind: str, **data: Any) -> None:
        """Open the journal of a new deployment."""
        self.ensure()
        self.recorder = self.journal.recorder(kind, self.clock, token=self.token, **self.origin, **data)
        self.note(deploy=self.recorder.deploy)

    def resume(self, entry: JournalEntry) -> None:
        """Go on with the journal of a deployment whose end was not recorded."""
        self.recorder = self.journal.reopen(entry, self.clock, token=self.token)

    def changed(self, known: str = "") -> str:
        """Return all that was changed so far; `known` is what an error knows of its own step."""
        before = "; ".join(self.changes)
        if not before or known.startswith(before):
            return known
        return before if known in {"", "nothing"} else f"{before}; {known}"

    @property
    def token(self) -> int:
        """Return the number of the lock's acquisition; 0 without a lock."""
        return self.lock.token if self.lock else 0

    def note(self, *, deploy: str = "", deployment: str = "") -> None:
        """Write the journal's deploy, or the pinned service deployment, into the lock."""
        if self.lock is not None:
            self.lock.note(deploy=deploy, deployment=deployment)

    def report(self, event: str, text: str, **data: Any) -> None:
        """Show that something happened."""
        self.console.event(event, text, **data)

    def record(self, event: str, **data: Any) -> None:
        """Write into the journal what is about to be changed, or has been."""
        self.recorder.write(event, **data)

    @contextmanager
    def step(self, name: str, *, attempt: str = "", **data: Any) -> Iterator[RunStep]:
        """Take a step that changes something in AWS.

        Args:
            name: One of `STEPS`.
            attempt: What may have been changed when the step does not end and nobody refused it, for people.
            data: What the journal records before.

        Raises:
            LostLock: Another run has the lock; nothing was done.
        """
        before, after = STEPS[name]
        step = RunStep()
        with self.timed(name):
            self.ensure()
            self.record(before, **data)
            changed = len(self.changes)
            self.changes.append(attempt or f"{before} began, and its end is not known")
            try:
                yield step
            except (DeploymentFailed, Refused, ConfigurationError):  # nothing but what the error itself names
                del self.changes[changed:]
                raise
            self.changes[changed:] = [step.change] if step.change else []
            self.record(after, **step.data)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Show when a part of the run begins and ends, and add up how long it took."""
        began = self.clock.read()
        self.console.state("step", step=part, state="began")
        try:
            yield
        finally:
            self.seconds[part] = round(self.seconds.get(part, 0.0) + self.clock.read() - began, 3)
            self.console.state("step", step=part, state="ended", seconds=self.seconds[part])
