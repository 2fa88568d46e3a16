"""Where a deployment happens: one service of one environment, with the ways to reach it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.configuration import Policy, rollout_policy
from samjhadoo_ops.deployment.ecs import EcsService
from samjhadoo_ops.deployment.journal import Journal
from samjhadoo_ops.deployment.lock import Lock
from samjhadoo_ops.deployment.objects import S3Objects

if TYPE_CHECKING:
    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.deployment.journal import Recorder
    from samjhadoo_ops.deployment.rollout import Started
    from samjhadoo_ops.environment import Environment


@dataclass(frozen=True)
class Site:
    """One service of one environment.

    Attributes:
        production: The URL of the production listener.
        test: The URL of the test listener.

    """

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
        )

    @cached_property
    def journal(self) -> Journal:
        """Return the service's journal."""
        return Journal(
            S3Objects(self.aws.client("s3"), self.env.journal.bucket),
            prefix=self.env.journal.prefix,
            environment=self.env.name,
            service=self.env.service.name,
        )

    @cached_property
    def policy(self) -> Policy:
        """Return what is waited for and how long."""
        return rollout_policy(self.env, real=self.clock.real(1.0))

    def lock(self, reason: str, *, patience: float = 0.0) -> Lock:
        """Return the service's deployment lock, not yet taken.

        Args:
            reason: Why, for whoever is refused.
            patience: How long to wait for it, in seconds on the clock.

        """
        return Lock(
            self.journal.store,
            self.journal.lock_key,
            lease=self.clock.real(self.env.lock.lease),
            reason=reason,
            now=self.clock.now(),
            patience=self.clock.real(patience),
            pause=self.clock.real(self.policy.poll),
            tell=lambda text: self.console.event("waiting", text),
        )

    def announce(self, started: Started, *, release: str = "") -> None:
        """Tell the views what is going to be watched and how long it may take, in seconds on the clock."""
        before, deployment = started.before, self.env.deployment
        self.console.state(
            "watching",
            deployment=started.arn,
            release=release,
            swift=started.swift,
            started=before.started if before else self.clock.timestamp(),
            canary_since=before.canary_since if before else None,
            minute=self.clock.minute,
            origin=self.clock.origin,
            healthy_within=self.policy.healthy_within,
            canary_time=0.0 if started.swift else self.policy.canary_time,
            bake_time=0.0 if started.swift else float(deployment.bake_time),
            ends_within=self.policy.ends_within,
        )

    def guarded(self, lock: Lock) -> Site:
        """Return the same place where nothing is changed once the lock is lost."""
        site = replace(self)
        site.__dict__["ecs"] = self.ecs.guarded(lock.ensure)
        return site


class Narrator:
    """Tells the console what happens and the journal what is changed; a `Teller`."""

    def __init__(self, console: Console, recorder: Recorder) -> None:
        self._console = console
        self._recorder = recorder

    def tell(self, event: str, text: str, **data: Any) -> None:
        """See `Teller.tell`."""
        self._console.event(event, text, **data)

    def record(self, event: str, **data: Any) -> None:
        """See `Teller.record`."""
        self._recorder.write(event, **data)
