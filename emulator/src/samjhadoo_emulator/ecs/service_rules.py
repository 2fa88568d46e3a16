"""What CreateService, UpdateService and RunTask refuse of how tasks are to be run, with AWS's texts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs import definition_rules
from samjhadoo_emulator.errors import AwsError, invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from samjhadoo_emulator.service import AwsApi

MOST_SUBNETS, MOST_SECURITY_GROUPS, MOST_LOAD_BALANCERS = 16, 5, 5
PLATFORMS = frozenset({"LATEST", "1.4.0", "1.3.0"})

DEFAULTS: Mapping[str, Any] = {
    "schedulingStrategy": "REPLICA",
    "deploymentController": {"type": "ECS"},
    "propagateTags": "NONE",
    "enableECSManagedTags": False,
    "enableExecuteCommand": False,
}
"""What CreateService assumes of settings that are not given."""


def check_new(settings: Mapping[str, Any], desired_count: int | None) -> None:
    """Refuse a new service of which nobody says how many tasks it is to run.

    Raises:
        AwsError: It is a REPLICA service without a desired count.

    """
    if settings["schedulingStrategy"] == "REPLICA" and desired_count is None:
        raise invalid_parameter(
            "DesiredCount must be specified for a service with REPLICA scheduling strategy."
        )


def check_service(settings: dict[str, Any], workload: dict[str, Any], desired_count: int | None) -> None:
    """Refuse settings of a service that AWS refuses.

    Raises:
        AwsError: AWS would refuse them.

    """
    if desired_count is not None and desired_count < 0:
        raise invalid_parameter("DesiredCount cannot be negative.")
    balancers = workload.get("loadBalancers", [])
    if settings.get("healthCheckGracePeriodSeconds") and not balancers:
        raise invalid_parameter(
            "Health check grace period is only valid for services configured to use load balancers"
        )
    if len(balancers) > MOST_LOAD_BALANCERS:
        raise invalid_parameter(f"load balancers can have at most {MOST_LOAD_BALANCERS} items.")
    if settings.get("schedulingStrategy") == "DAEMON" and workload.get("launchType") == "FARGATE":
        raise invalid_parameter(
            "The DAEMON scheduling strategy is not supported for the FARGATE launch type."
        )


def of_strategy(merged: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Drop the settings of a strategy that the update leaves."""
    for key, owner in (("canaryConfiguration", "CANARY"), ("linearConfiguration", "LINEAR")):
        if merged.get("strategy", "ROLLING") != owner and key not in given:
            merged.pop(key, None)
    return merged


def check_run(definition: dict[str, Any], request: dict[str, Any]) -> None:
    """Refuse a launch type, platform or network that a task definition cannot be run with.

    Args:
        definition: The registered task definition.
        request: `launchType`, `capacityProviderStrategy`, `platformVersion`, `networkConfiguration`.

    Raises:
        AwsError: AWS would refuse it.

    """
    launch_type = request.get("launchType")
    if launch_type and request.get("capacityProviderStrategy"):
        raise invalid_parameter(
            "Specifying both a launch type and capacity provider strategy is not supported. "
            "Remove one and try again."
        )
    mode = definition.get("networkMode")
    if launch_type == "FARGATE" and mode != "awsvpc":
        raise invalid_parameter("Task definition does not support launch_type FARGATE.")
    if launch_type == "FARGATE" and request.get("platformVersion", "LATEST") not in PLATFORMS:
        raise AwsError("PlatformUnknownException", "The specified platform does not exist.")
    network = request.get("networkConfiguration")
    if mode == "awsvpc" and not network:
        raise invalid_parameter(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified."
        )
    if network and mode != "awsvpc":
        raise invalid_parameter(
            "Network Configuration is not valid for the given networkMode of this task definition."
        )
    if network:
        _check_interfaces(network.get("awsvpcConfiguration") or {})


def check_overrides(overrides: dict[str, Any], definition: dict[str, Any]) -> None:
    """Refuse overrides of containers that are not there, and sizes that Fargate does not have.

    Raises:
        AwsError: AWS would refuse them.

    """
    names = {container["name"] for container in definition["containerDefinitions"]}
    for override in overrides.get("containerOverrides", []):
        name = override.get("name")
        if name not in names:
            raise invalid_parameter(
                f"Override for container named {name} is not a container in the TaskDefinition."
            )
    changed = {key: overrides[key] for key in ("cpu", "memory") if overrides.get(key)}
    if changed and "FARGATE" in definition.get("compatibilities", []):
        for key, value in changed.items():
            if not str(value).isdecimal():
                raise invalid_parameter(f"Invalid '{key}' setting for task.")
        problem = definition_rules.fargate_problem({**definition, **changed})
        if problem:
            raise invalid_parameter(problem)


async def check_target_types(aws: AwsApi, arns: Sequence[str], mode: str) -> None:
    """Refuse target groups that cannot take the addresses that tasks of a network mode have.

    Raises:
        AwsError: One's target type does not go with the mode.

    """
    if not arns:
        return
    answer = await aws.call("elbv2", "DescribeTargetGroups", TargetGroupArns=list(arns))
    for group in answer["TargetGroups"]:
        if (group["TargetType"] == "ip") != (mode == "awsvpc"):
            raise invalid_parameter(
                f"The provided target group {group['TargetGroupArn']} has target type {group['TargetType']}, "
                f"which is incompatible with the {mode} network mode specified in the task definition."
            )


def _check_interfaces(network: dict[str, Any]) -> None:
    if not network.get("subnets"):
        raise invalid_parameter("subnets can not be empty.")
    for name, most in (("subnets", MOST_SUBNETS), ("securityGroups", MOST_SECURITY_GROUPS)):
        if len(network.get(name) or []) > most:
            raise invalid_parameter(f"{name} can have at most {most} items.")
