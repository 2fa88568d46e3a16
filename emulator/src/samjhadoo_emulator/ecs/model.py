"""What the ECS service keeps: clusters, task definitions, services and their revisions and deployments."""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from samjhadoo_emulator.ecs.deployments.breaker import Count
from samjhadoo_emulator.ecs.deployments.machine import TERMINAL, Plan, State, Status

EVENTS_KEPT = 100
DEPLOYMENTS_KEPT = 1000
HISTORY = timedelta(days=90)
"""How long service deployments can be listed and described [AWS: service deployments]."""
ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@dataclass
class Cluster:
    """A cluster."""

    arn: str
    name: str
    settings: list[dict[str, Any]] = field(default_factory=list)
    configuration: dict[str, Any] | None = None
    capacity_providers: list[str] = field(default_factory=list)
    default_strategy: list[dict[str, Any]] = field(default_factory=list)
    service_connect: dict[str, Any] | None = None
    status: str = "ACTIVE"

    def launch(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return where a request has its tasks run: as it says, or the cluster's default strategy, or EC2.

        AWS: API reference of CreateService and RunTask.
        """
        given = {key: request[key] for key in ("launchType", "capacityProviderStrategy") if request.get(key)}
        if given:
            return given
        if self.default_strategy:
            return {"capacityProviderStrategy": self.default_strategy}
        return {"launchType": "EC2"}


@dataclass
class Revision:
    """A service revision: immutable once made (AWS: service revisions).

    Attributes:
        number: The digits that end the ARN and the deployment's `ecs-svc/…` id.
        workload: Members shared by the service and its revisions (task definition, networking, …).
        target_groups: For each load balancer of the service, the target group that this revision uses.
        failed_tasks: Tasks that failed to start or stay healthy.
        desired: Tasks wanted; set by the deployment's step.
        stalled: No more tasks are started: the deployment failed with nothing to go back to.
    """

    arn: str
    number: str
    created_at: datetime
    workload: dict[str, Any]
    target_groups: list[str]
    desired: int = 0
    failed_tasks: int = 0
    stalled: bool = False
    updated_at: datetime | None = None

    @property
    def task_definition(self) -> str:
        return str(self.workload["taskDefinition"])


@dataclass
class Deployment:
    """A service deployment: its plan, its state and what it counts."""

    arn: str
    created_at: datetime
    target: Revision
    sources: list[Revision]
    candidate: Revision | None
    plan: Plan
    state: State
    breaker: Count = field(default_factory=Count)
    alarms_ignored: bool = False
    weights: tuple[float, float] = (0.0, 0.0)

    @property
    def ongoing(self) -> bool:
        return self.state.status not in TERMINAL

    def in_history(self, now: datetime) -> bool:
        """Return whether AWS still knows it: while it is ongoing, and for 90 days."""
        return self.ongoing or now - self.created_at < HISTORY

    @property
    def survivor(self) -> Revision | None:
        """The revision that is meant to serve: the target, or after a rollback began the candidate."""
        if self.state.rolling_back or self.state.status is Status.ROLLBACK_REQUESTED:
            return self.candidate
        return self.target


@dataclass
class Service:
    """A service."""

    arn: str
    name: str
    cluster: Cluster
    created_at: datetime
    desired_count: int
    settings: dict[str, Any]
    """Members of CreateService/UpdateService that do not start a deployment."""
    workload: dict[str, Any]
    """Members that do, and that the next revision consists of."""
    status: str = "ACTIVE"
    tags: list[dict[str, str]] = field(default_factory=list)
    revisions: dict[str, Revision] = field(default_factory=dict)
    deployments: list[Deployment] = field(default_factory=list)
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    successful: Revision | None = None
    steady: bool = False

    def forget(self, now: datetime) -> None:
        """Drop deployments that AWS does not know any more, and the revisions that nothing refers to."""
        kept = [each for each in self.deployments if each.in_history(now) or each is self.current]
        self.deployments = kept[-DEPLOYMENTS_KEPT:]
        used = {self.successful.number} if self.successful else set()
        for each in self.deployments:
            used |= {one.number for one in (each.target, each.candidate, *each.sources) if one}
        self.revisions = {
            number: each for number, each in self.revisions.items() if number in used or each.desired
        }

    @property
    def configuration(self) -> dict[str, Any]:
        """`deploymentConfiguration` with AWS's defaults."""
        given = self.settings.get("deploymentConfiguration") or {}
        return {"strategy": "ROLLING", "maximumPercent": 200, "minimumHealthyPercent": 100, **given}

    @property
    def current(self) -> Deployment | None:
        """The newest deployment."""
        return self.deployments[-1] if self.deployments else None

    @property
    def primary(self) -> Revision | None:
        """The revision that the service is meant to run."""
        current = self.current
        if current is None:
            return None
        survivor = current.survivor
        return survivor if survivor is not None else current.target


def service_id(length: int) -> str:
    """Return a random id in the alphabet of service deployments and hooks."""
    return "".join(secrets.choice(ID_ALPHABET) for _ in range(length))


def revision_number() -> str:
    """Return a random 19-digit number, as in `service-revision/…` and `ecs-svc/…`."""
    return str(secrets.randbelow(9 * 10**18) + 10**18)
