"""What a task is to run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Definition = dict[str, Any]


@dataclass(frozen=True)
class TaskRequest:
    """Everything that a task is started with; parts have botocore's shapes.

    Attributes:
        task_definition: The full registered task definition.
        group: `service:<name>` or `family:<family>`, or what the caller of RunTask chose.
        started_by: The deployment's id for a service's tasks.
        overrides: A `TaskOverride`.
    """

    cluster_arn: str
    cluster_name: str
    task_definition: Definition
    group: str
    started_by: str = ""
    overrides: Definition = field(default_factory=dict)
    launch_type: str = "FARGATE"
    network_configuration: Definition | None = None
    tags: list[dict[str, str]] = field(default_factory=list)
    enable_execute_command: bool = False
    capacity_provider: str = ""

    @property
    def containers(self) -> list[Definition]:
        definitions: list[Definition] = self.task_definition["containerDefinitions"]
        return definitions

    @property
    def ports(self) -> list[int]:
        """The container ports of all containers."""
        return [port for container in self.containers for port in container_ports(container)]

    def override(self, name: str) -> Definition:
        """Return what is overridden of a container."""
        overrides: list[Definition] = self.overrides.get("containerOverrides", [])
        return next((each for each in overrides if each.get("name") == name), {})


def launch_type(request: Definition) -> str:
    """Return the launch type of the tasks that a request with a launch type or a strategy leads to."""
    providers = request.get("capacityProviderStrategy") or []
    fargate = any(str(each["capacityProvider"]).startswith("FARGATE") for each in providers)
    return str(request.get("launchType") or ("FARGATE" if fargate else "EC2"))


def container_ports(container: Definition) -> list[int]:
    """Return the ports a container definition maps."""
    mappings = container.get("portMappings") or []
    return [mapping["containerPort"] for mapping in mappings if mapping.get("containerPort")]
