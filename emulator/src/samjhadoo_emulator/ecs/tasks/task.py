"""A task and its containers: their state, and how AWS describes it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.tasks.request import Definition, TaskRequest, container_ports
from samjhadoo_emulator.processes import LOOPBACK

if TYPE_CHECKING:
    from datetime import datetime

    from samjhadoo_emulator.ecs.runtime import Container

PLATFORM_VERSION = "1.4.0"
HEALTH = ("UNHEALTHY", "UNKNOWN", "HEALTHY")


@dataclass
class ContainerState:
    """A container of a task.

    Attributes:
        handle: The running container, or the last one that ran; None before.
    """

    definition: Definition
    arn: str
    image_digest: str = ""
    last_status: str = "PENDING"
    exit_code: int | None = None
    reason: str = ""
    health_status: str = "UNKNOWN"
    handle: Container | None = None

    @property
    def name(self) -> str:
        """Its name in the task definition."""
        return str(self.definition["name"])

    @property
    def essential(self) -> bool:
        """Whether the task ends with it."""
        return bool(self.definition.get("essential", True))

    @property
    def checked(self) -> bool:
        """Whether it has a health check."""
        return bool(self.definition.get("healthCheck"))

    def address(self, port: int) -> tuple[str, int] | None:
        """Return where one of its ports is reached; None unless it is running."""
        return self.handle.address(port) if self.handle and self.last_status == "RUNNING" else None

    def describe(self, task_arn: str, attachment: str) -> dict[str, Any]:
        """Return botocore's `Container`."""
        bindings = [
            {"bindIP": found[0], "containerPort": port, "hostPort": found[1], "protocol": "tcp"}
            for port in container_ports(self.definition)
            if (found := self.address(port))
        ]
        view: dict[str, Any] = {
            "containerArn": self.arn,
            "taskArn": task_arn,
            "name": self.name,
            "image": self.definition["image"],
            "lastStatus": self.last_status,
            "networkBindings": bindings,
            "networkInterfaces": [{"attachmentId": attachment, "privateIpv4Address": LOOPBACK}]
            if attachment
            else [],
            "healthStatus": self.health_status,
            "cpu": str(self.definition.get("cpu", 0)),
        }
        view |= {
            key: str(self.definition[key])
            for key in ("memory", "memoryReservation")
            if key in self.definition
        }
        if self.handle:
            view["runtimeId"] = self.handle.runtime_id
        if self.image_digest:
            view["imageDigest"] = self.image_digest
        if self.exit_code is not None:
            view["exitCode"] = self.exit_code
        if self.reason:
            view["reason"] = self.reason
        return view


@dataclass(eq=False)
class Task:
    """A task. Times are emulated; statuses are AWS's words.

    Attributes:
        number: Grows from task to task.
        execution_stopped_at: When the last container had ended.
    """

    request: TaskRequest
    id: str
    arn: str
    created_at: datetime
    number: int
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    stop_code: str = ""
    stopped_reason: str = ""
    pull_started_at: datetime | None = None
    pull_stopped_at: datetime | None = None
    started_at: datetime | None = None
    stopping_at: datetime | None = None
    execution_stopped_at: datetime | None = None
    stopped_at: datetime | None = None
    version: int = 1
    containers: list[ContainerState] = field(default_factory=list)
    tags: list[dict[str, str]] = field(default_factory=list)
    attachment: str = field(default_factory=lambda: str(uuid.uuid4()))
    protected_until: datetime | None = None

    def protected(self, now: datetime) -> bool:
        """Return whether the service scheduler must not stop it to scale in or to deploy."""
        return self.protected_until is not None and now < self.protected_until

    @property
    def cluster_arn(self) -> str:
        """The ARN of the cluster it runs in."""
        return self.request.cluster_arn

    @property
    def group(self) -> str:
        """The service or family it belongs to."""
        return self.request.group

    @property
    def started_by(self) -> str:
        return self.request.started_by

    @property
    def launch_type(self) -> str:
        """FARGATE, EC2 or EXTERNAL."""
        return self.request.launch_type

    @property
    def task_definition_arn(self) -> str:
        """The task definition it runs."""
        return str(self.request.task_definition["taskDefinitionArn"])

    @property
    def family(self) -> str:
        """The family of its task definition."""
        return str(self.request.task_definition["family"])

    @property
    def health_status(self) -> str:
        """UNHEALTHY if an essential container is; HEALTHY if all that are checked are; else UNKNOWN."""
        checked = [each.health_status for each in self.containers if each.essential and each.checked]
        return min(checked, key=HEALTH.index, default="UNKNOWN")

    def container(self, name: str) -> ContainerState | None:
        return next((each for each in self.containers if each.name == name), None)

    def address(self, container: str, port: int) -> tuple[str, int] | None:
        """Return where a container's port is reached from the host; None unless it is running."""
        state = self.container(container)
        return state.address(port) if state else None

    def describe(self) -> dict[str, Any]:
        """Return botocore's `Task`, without tags."""
        definition, request = self.request.task_definition, self.request
        awsvpc = definition.get("networkMode") == "awsvpc"
        attachment = self.attachment if awsvpc else ""
        fargate = self.launch_type == "FARGATE"
        view: dict[str, Any] = {
            "taskArn": self.arn,
            "clusterArn": self.cluster_arn,
            "taskDefinitionArn": self.task_definition_arn,
            "group": self.group,
            "lastStatus": self.last_status,
            "desiredStatus": self.desired_status,
            "healthStatus": self.health_status,
            "createdAt": self.created_at,
            "containers": [each.describe(self.arn, attachment) for each in self.containers],
            "overrides": {"inferenceAcceleratorOverrides": [], "containerOverrides": [], **request.overrides},
            "enableExecuteCommand": request.enable_execute_command,
            "attachments": [self._interface()] if awsvpc else [],
            "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
            "availabilityZone": f"{self.arn.split(':')[3]}a",
            "launchType": self.launch_type,
            "tags": [],
            "version": self.version,
        }
        optional = {
            "startedBy": self.started_by,
            "capacityProviderName": request.capacity_provider,
            "cpu": request.overrides.get("cpu") or definition.get("cpu"),
            "memory": request.overrides.get("memory") or definition.get("memory"),
            "platformVersion": PLATFORM_VERSION if fargate else "",
            "platformFamily": "Linux" if fargate else "",
            "ephemeralStorage": {"sizeInGiB": 20} if fargate else None,
            "stopCode": self.stop_code,
            "stoppedReason": self.stopped_reason,
            "pullStartedAt": self.pull_started_at,
            "pullStoppedAt": self.pull_stopped_at,
            "connectivity": "CONNECTED" if self.pull_started_at else "",
            "connectivityAt": self.pull_started_at,
            "startedAt": self.started_at,
            "stoppingAt": self.stopping_at,
            "executionStoppedAt": self.execution_stopped_at,
            "stoppedAt": self.stopped_at,
        }
        return view | {key: value for key, value in optional.items() if value}

    def _interface(self) -> dict[str, Any]:
        """Return the network interface as an `Attachment`; every task's address is the loopback."""
        vpc = (self.request.network_configuration or {}).get("awsvpcConfiguration", {})
        subnets = vpc.get("subnets") or [""]
        status = {"PROVISIONING": "ATTACHING", "STOPPED": "DELETED"}.get(self.last_status, "ATTACHED")
        details = {
            "subnetId": subnets[0],
            "networkInterfaceId": f"eni-{self.id[:17]}",
            "privateIPv4Address": LOOPBACK,
        }
        return {
            "id": self.attachment,
            "type": "ElasticNetworkInterface",
            "status": status,
            "details": [{"name": name, "value": value} for name, value in details.items()],
        }
