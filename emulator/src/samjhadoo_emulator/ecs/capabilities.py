"""The attributes that a container instance needs for a task definition (AWS: capabilities of the agent)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_AGENT, _ECS = "com.amazonaws.ecs.capability.", "ecs.capability."
_ECR_HOST = re.compile(r"\d{12}\.dkr\.ecr\.")
_OF_MEMBERS = {
    "healthCheck": (f"{_ECS}container-health-check", f"{_AGENT}docker-remote-api.1.29"),
    "dependsOn": (f"{_ECS}container-ordering",),
    "privileged": (f"{_AGENT}privileged-container",),
    "environmentFiles": (f"{_ECS}env-files.s3",),
}
_ROLE_DRIVERS = frozenset({"awslogs"})


def required_attributes(definition: dict[str, Any]) -> list[dict[str, str]]:
    """Return `requiresAttributes` of a task definition, each once, in a stable order."""
    return [{"name": name} for name in sorted(set(_names(definition)))]


def _names(definition: dict[str, Any]) -> Iterator[str]:
    yield f"{_AGENT}docker-remote-api.1.18"
    if definition.get("networkMode") == "awsvpc":
        yield f"{_ECS}task-eni"
    if definition.get("taskRoleArn"):
        yield f"{_AGENT}task-iam-role"
        if definition.get("networkMode") == "host":
            yield f"{_AGENT}task-iam-role-network-host"
    if any(volume.get("efsVolumeConfiguration") for volume in definition.get("volumes", [])):
        yield f"{_ECS}efsAuth"
    for container in definition["containerDefinitions"]:
        yield from _of_container(container, has_role=bool(definition.get("executionRoleArn")))


def _of_container(container: dict[str, Any], *, has_role: bool) -> Iterator[str]:
    if _ECR_HOST.match(container["image"]):
        yield f"{_AGENT}ecr-auth"
        if has_role:
            yield f"{_ECS}execution-role-ecr-pull"
    driver = (container.get("logConfiguration") or {}).get("logDriver")
    if driver:
        yield f"{_AGENT}logging-driver.{driver}"
        yield f"{_AGENT}docker-remote-api.1.19"
        if has_role and driver in _ROLE_DRIVERS:
            yield f"{_ECS}execution-role-{driver}"
    for secret in container.get("secrets") or []:
        store = "asm" if ":secretsmanager:" in secret["valueFrom"] else "ssm"
        yield f"{_ECS}secrets.{store}.environment-variables"
    for member, names in _OF_MEMBERS.items():
        if container.get(member):
            yield from names
