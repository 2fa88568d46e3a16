"""What a snapshot keeps of ECS in a region, and how ECS goes on from it.

Objects that are shared in memory are named in rows: a service's revisions by their numbers, task definitions
by their ARNs. What runs is not kept: every task's processes ended with the emulator.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, fields
from datetime import datetime  # noqa: TC003 - read at run time, by msgspec
from typing import TYPE_CHECKING, Any

import msgspec

from samjhadoo_emulator.ecs.deployments.breaker import Count  # noqa: TC001 - the same
from samjhadoo_emulator.ecs.deployments.machine import Plan, State
from samjhadoo_emulator.ecs.deployments.steps import Step  # noqa: TC001 - the same
from samjhadoo_emulator.ecs.model import EVENTS_KEPT, Cluster, Deployment, Revision, Service
from samjhadoo_emulator.ecs.tasks.request import TaskRequest, container_ports
from samjhadoo_emulator.ecs.tasks.task import ContainerState, Task
from samjhadoo_emulator.snapshots.tables import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from samjhadoo_emulator.ecs.service import Ecs
    from samjhadoo_emulator.snapshots.tables import Table

LOST = "Host EC2 (instance i-{}) terminated."
"""What AWS says of a task whose host is gone (stopped task errors). Of Fargate's hosts, which
are nobody's instances, it documents nothing."""
LOST_ON_FARGATE = "The task was stopped because its underlying infrastructure was lost."
TERMINATED = "TerminationNotice"


@dataclass
class ServiceRow:
    """A service, without its revisions and deployments."""

    arn: str
    name: str
    cluster: str
    created_at: datetime
    desired_count: int
    settings: dict[str, Any]
    workload: dict[str, Any]
    status: str
    tags: list[dict[str, str]]
    events: list[dict[str, Any]]
    successful: str
    steady: bool


@dataclass
class DeploymentRow:
    """A service deployment; revisions by number."""

    arn: str
    created_at: datetime
    target: str
    sources: list[str]
    candidate: str
    configuration: dict[str, Any]
    steps: tuple[Step, ...]
    has_candidate: bool
    variants: frozenset[str]
    state: State
    breaker: Count
    alarms_ignored: bool
    weights: tuple[float, float]


@dataclass
class TaskRow:
    """A task; `addresses` are where its containers' ports were reached."""

    members: dict[str, Any]
    request: dict[str, Any]
    containers: list[dict[str, Any]]
    addresses: list[tuple[str, int]]


class Kept:
    """The tables of ECS in a region.

    Args:
        ecs: The service.
        new_hook_id: Makes the ids of hooks.

    """

    def __init__(self, ecs: Ecs, new_hook_id: Callable[[str], str]) -> None:
        self._ecs = ecs
        self._new_hook_id = new_hook_id
        self._successful: dict[str, str] = {}
        self.addresses: dict[str, list[tuple[str, int]]] = {}

    def tables(self) -> Sequence[Table]:
        """Return the tables, those that others refer to first."""
        ecs = self._ecs
        return (
            Rows.of("clusters", ecs.clusters, Cluster),
            Rows("definitions", self._definitions, self._put_definition, kind=dict[str, Any]),
            Rows.of("tags", ecs.tags, list[dict[str, str]]),
            Rows.of("creations", ecs.creations, dict[str, Any]),
            Rows(
                "services",
                lambda: list(ecs.services.items()),
                self._put_service,
                kind=ServiceRow,
                plain=_service_row,
            ),
            Rows("revisions", self._revisions, self._put_revision, kind=Revision, plain=_plain_revision),
            Rows(
                "deployments",
                self._deployments,
                self._put_deployment,
                kind=DeploymentRow,
                plain=_deployment_row,
                stamp=lambda each: (each.state, each.breaker, each.weights, each.alarms_ignored),
            ),
            Rows(
                "tasks",
                lambda: list(ecs.tasks.tasks.items()),
                self._put_task,
                kind=TaskRow,
                plain=_task_row,
                stamp=lambda task: (task.version, repr(task.tags)),
            ),
        )

    def settle(self) -> None:
        """Put what has been loaded in order, and refer to what came later."""
        for key, service in self._ecs.services.items():
            service.revisions = dict(sorted(service.revisions.items(), key=lambda each: each[1].created_at))
            service.deployments.sort(key=lambda each: each.created_at)
            service.successful = service.revisions.get(self._successful.get(key, ""))

    # Task definitions are numbered by their position; keys are ordered as text.

    def _definitions(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for family, revisions in self._ecs.definitions.items():
            for definition in revisions:
                yield f"{family}:{definition['revision']:09}", definition

    def _put_definition(self, key: str, definition: dict[str, Any]) -> None:
        self._ecs.definitions.setdefault(key.rpartition(":")[0], []).append(definition)

    def _put_service(self, key: str, row: ServiceRow) -> None:
        members = {each.name: getattr(row, each.name) for each in fields(row)}
        self._successful[key] = members.pop("successful")
        members["cluster"] = self._ecs.clusters[row.cluster]
        members["events"] = deque(row.events, maxlen=EVENTS_KEPT)
        self._ecs.services[key] = Service(**members)

    def _revisions(self) -> Iterator[tuple[str, Revision]]:
        for key, service in self._ecs.services.items():
            for number, revision in service.revisions.items():
                yield f"{key}/{number}", revision

    def _put_revision(self, key: str, revision: Revision) -> None:
        definition = self._ecs.task_definition(revision.task_definition, active=False)
        revision.workload["definition"] = definition
        self._ecs.services[key.rpartition("/")[0]].revisions[revision.number] = revision

    def _deployments(self) -> Iterator[tuple[str, Deployment]]:
        for key, service in self._ecs.services.items():
            for deployment in service.deployments:
                yield f"{key}/{deployment.arn.rpartition('/')[2]}", deployment

    def _put_deployment(self, key: str, row: DeploymentRow) -> None:
        service = self._ecs.services["/".join(key.split("/")[:2])]
        service.deployments.append(
            Deployment(
                arn=row.arn,
                created_at=row.created_at,
                target=service.revisions[row.target],
                sources=[service.revisions[number] for number in row.sources],
                candidate=service.revisions[row.candidate] if row.candidate else None,
                plan=Plan(
                    configuration=row.configuration,
                    steps=row.steps,
                    has_candidate=row.has_candidate,
                    new_hook_id=self._new_hook_id,
                    variants=row.variants,
                ),
                state=row.state,
                breaker=row.breaker,
                alarms_ignored=row.alarms_ignored,
                weights=row.weights,
            )
        )

    def _put_task(self, key: str, row: TaskRow) -> None:
        definition = self._ecs.task_definition(row.request["task_definition"], active=False)
        request = msgspec.convert({**row.request, "task_definition": definition}, TaskRequest)
        containers = [ContainerState(**each) for each in row.containers]
        self._ecs.tasks.adopt(Task(**row.members, request=request, containers=containers))
        self.addresses[key] = row.addresses


async def resume(ecs: Ecs, kept: Kept) -> None:
    """Go on: every task that ran is lost, its targets are deregistered, and schedulers replace it."""
    kept.settle()
    lost = [task for task in ecs.tasks.tasks.values() if task.last_status != "STOPPED"]
    counts: dict[str, Counter[str]] = {}
    for task in lost:
        if task.desired_status == "RUNNING":
            number = task.started_by.rpartition("/")[2]
            counts.setdefault(f"{task.cluster_arn}/{task.group}", Counter())[number] += 1
    for task in lost:
        host = LOST.format(task.id[:17]) if task.launch_type == "EC2" else LOST_ON_FARGATE
        ecs.tasks.lose(task, reason=host, code=TERMINATED)
    await _forget_targets(ecs, kept)
    for service in ecs.services.values():
        if service.status != "INACTIVE":
            group = f"{service.cluster.arn}/service:{service.name}"
            ecs.schedule(service).resume(counts.get(group, Counter()))


async def _forget_targets(ecs: Ecs, kept: Kept) -> None:
    """Deregister what tasks had registered, from the target groups of their services."""
    for service in ecs.services.values():
        gone = {
            address
            for key, task in ecs.tasks.tasks.items()
            if task.group == f"service:{service.name}" and task.cluster_arn == service.cluster.arn
            for address in kept.addresses.get(key, ())
        }
        groups = {group for revision in service.revisions.values() for group in revision.target_groups}
        if gone and groups:
            await ecs.forget_targets(groups, gone)


def _service_row(service: Service) -> ServiceRow:
    return ServiceRow(
        arn=service.arn,
        name=service.name,
        cluster=service.cluster.name,
        created_at=service.created_at,
        desired_count=service.desired_count,
        settings=service.settings,
        workload=service.workload,
        status=service.status,
        tags=service.tags,
        events=list(service.events),
        successful=service.successful.number if service.successful else "",
        steady=service.steady,
    )


def _plain_revision(revision: Revision) -> dict[str, Any]:
    workload = {key: value for key, value in revision.workload.items() if key != "definition"}
    return _members(revision) | {"workload": workload}


def _deployment_row(deployment: Deployment) -> DeploymentRow:
    plan, candidate = deployment.plan, deployment.candidate
    return DeploymentRow(
        arn=deployment.arn,
        created_at=deployment.created_at,
        target=deployment.target.number,
        sources=[revision.number for revision in deployment.sources],
        candidate=candidate.number if candidate else "",
        configuration=plan.configuration,
        steps=plan.steps,
        has_candidate=plan.has_candidate,
        variants=plan.variants,
        state=deployment.state,
        breaker=deployment.breaker,
        alarms_ignored=deployment.alarms_ignored,
        weights=deployment.weights,
    )


def _task_row(task: Task) -> TaskRow:
    members = _members(task)
    request, containers = members.pop("request"), members.pop("containers")
    addresses = {
        address
        for container in containers
        for port in container_ports(container.definition)
        if container.handle is not None and (address := container.handle.address(port))
    }
    return TaskRow(
        members=members,
        request=_members(request) | {"task_definition": task.task_definition_arn},
        containers=[_members(each) | {"handle": None} for each in containers],
        addresses=sorted(addresses),
    )


def _members(value: Any) -> dict[str, Any]:
    return {each.name: getattr(value, each.name) for each in fields(value)}
