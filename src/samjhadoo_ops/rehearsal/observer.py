"""What AWS reports while a scenario is played, sampled often and independently of the deploy."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from samjhadoo_ops.deployment.ecs import ONGOING, is_transient
from samjhadoo_ops.deployment.outcome import FULL_WEIGHT, Phase, observe, phase_of

if TYPE_CHECKING:
    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.deployment.outcome import Observation
    from samjhadoo_ops.environment import Environment

PAUSE = 0.05
"""Real seconds between two samples."""

_ROLLING_BACK = frozenset(
    {Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.ROLLBACK_FAILED, Phase.STOPPING, Phase.STOPPED}
)


@dataclass(frozen=True)
class Sample:
    """The deployment at one time (`at`: real Unix seconds)."""

    at: float
    phase: Phase
    weight: float
    deployment: str


@dataclass(frozen=True)
class ServiceState:
    """The traffic and tasks of a service.

    Attributes:
        shares: The percentage of production traffic of each task definition.
        running: How many tasks of each task definition run.
        desired: How many tasks should run.
        ongoing: Deployments that have not ended.
    """

    shares: dict[str, float]
    running: dict[str, int]
    desired: int
    ongoing: tuple[str, ...]


@dataclass
class Observer:
    """Samples the changes of the first deployment that starts within the block, until it ends."""

    env: Environment
    aws: Aws
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self._before: str | None = None
        self._first: str | None = None

    def __enter__(self) -> Self:
        self._before = self._current()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def reached(self, phase: Phase) -> bool:
        """Return whether the deployment has been observed in a phase."""
        return any(sample.phase is phase for sample in self.samples)

    @property
    def began(self) -> float | None:
        """When the deployment was first observed."""
        return self.samples[0].at if self.samples else None

    @property
    def exposed(self) -> float | None:
        """When the candidate was first observed to get production traffic."""
        return next((sample.at for sample in self.samples if sample.weight > 0.0), None)

    @property
    def detected(self) -> float | None:
        """When the deployment was first observed to roll back."""
        return next((sample.at for sample in self.samples if sample.phase in _ROLLING_BACK), None)

    @property
    def restored(self) -> float | None:
        """When the candidate was first observed without traffic after that."""
        since = self.detected
        if since is None:
            return None
        return next(
            (sample.at for sample in self.samples if sample.at >= since and sample.weight == 0.0), None
        )

    def service_state(self) -> ServiceState:
        """Return the present traffic, by the load balancer's production rule, and the tasks."""
        ecs, settings = self.aws.client("ecs"), self.env.service
        service = ecs.describe_services(cluster=settings.cluster, services=[settings.name])["services"][0]
        arns = [each["arn"] for each in service.get("currentServiceRevisions", ())]
        revisions = (
            ecs.describe_service_revisions(serviceRevisionArns=arns)["serviceRevisions"] if arns else []
        )
        weights = self._weights(service)
        shares: dict[str, float] = {}
        for revision in revisions:
            groups = revision.get("resolvedConfiguration", {}).get("loadBalancers", ())
            share = sum(weights.get(group["targetGroupArn"], 0.0) for group in groups)
            shares[revision["taskDefinition"]] = shares.get(revision["taskDefinition"], 0.0) + share
        return ServiceState(shares, self._running(), service["desiredCount"], self._ongoing())

    def _run(self) -> None:
        while not self._done.wait(PAUSE):
            try:
                self._sample()
            except Exception as error:
                if not is_transient(error):
                    raise

    def _sample(self) -> None:
        if self._first is None:
            current = self._current()
            if current is None or current == self._before:
                return
            self._first = current
        answer = self.aws.client("ecs").describe_service_deployments(serviceDeploymentArns=[self._first])
        for document in answer["serviceDeployments"]:
            self._record(observe(document))

    def _record(self, observed: Observation) -> None:
        phase = phase_of(observed)
        weight = observed.production_weight or 0.0
        last = self.samples[-1] if self.samples else None
        if last is None or (last.phase, last.weight) != (phase, weight):
            self.samples.append(Sample(time.time(), phase, weight, observed.arn))

    def _current(self) -> str | None:
        settings = self.env.service
        answer = self.aws.client("ecs").list_service_deployments(
            cluster=settings.cluster, service=settings.name, maxResults=1
        )
        found = answer["serviceDeployments"]
        return found[0]["serviceDeploymentArn"] if found else None

    def _weights(self, service: dict[str, Any]) -> dict[str, float]:
        """Return the share of each target group in the production rule, in percent."""
        advanced = service["loadBalancers"][0].get("advancedConfiguration", {})
        rule = advanced.get("productionListenerRule")
        if not rule:
            return {each["targetGroupArn"]: FULL_WEIGHT for each in service["loadBalancers"]}
        rules = self.aws.client("elbv2").describe_rules(RuleArns=[rule])["Rules"]
        action = next(each for each in rules[0]["Actions"] if each["Type"] == "forward")
        groups = action.get("ForwardConfig", {}).get("TargetGroups") or [{**action, "Weight": 1}]
        total = sum(group.get("Weight", 1) for group in groups) or 1
        return {group["TargetGroupArn"]: FULL_WEIGHT * group.get("Weight", 1) / total for group in groups}

    def _running(self) -> dict[str, int]:
        ecs, settings = self.aws.client("ecs"), self.env.service
        arns = ecs.list_tasks(cluster=settings.cluster, serviceName=settings.name)["taskArns"]
        tasks = ecs.describe_tasks(cluster=settings.cluster, tasks=arns)["tasks"] if arns else []
        running: dict[str, int] = {}
        for task in tasks:
            if task["lastStatus"] == "RUNNING":
                definition = task["taskDefinitionArn"]
                running[definition] = running.get(definition, 0) + 1
        return running

    def _ongoing(self) -> tuple[str, ...]:
        settings = self.env.service
        answer = self.aws.client("ecs").list_service_deployments(
            cluster=settings.cluster, service=settings.name, status=list(ONGOING)
        )
        return tuple(each["serviceDeploymentArn"] for each in answer["serviceDeployments"])
