"""What RegisterTaskDefinition refuses: pure checks of a request, all `ClientException` as on AWS.

The sizes are Fargate's (AWS: task CPU and memory). Texts in AWS's words are those that users have reported;
where none has been reported, the text describes the mistake in plain words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.errors import client_exception

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAMILY = re.compile(r"[A-Za-z0-9_-]{1,255}\Z")
MOST_CONTAINERS = 10
LEAST_MEMORY = 4
"""MiB of a container (AWS's and Docker's minimum; engines since 20.10 ask for 6)."""
FARGATE_CAPABILITY = "SYS_PTRACE"
"""The only one that Fargate adds (AWS: KernelCapabilities)."""
PROTOCOLS = ("tcp", "udp")
NAMESPACES = {"pidMode": ("host", "task"), "ipcMode": ("host", "task", "none")}
LOG_DRIVERS = frozenset(
    {"json-file", "syslog", "journald", "gelf", "fluentd", "awslogs", "splunk", "awsfirelens"}
)
FARGATE_LOG_DRIVERS = frozenset({"awslogs", "splunk", "awsfirelens"})
SIZES: dict[int, range] = {
    256: range(512, 2049, 512),
    512: range(1024, 4097, 1024),
    1024: range(2048, 8193, 1024),
    2048: range(4096, 16385, 1024),
    4096: range(8192, 30721, 1024),
    8192: range(16384, 61441, 4096),
    16384: range(32768, 122881, 8192),
}
"""MiB of memory for each number of CPU units; 1,536 MiB is not among those of a quarter vCPU."""
_NOT_A_SIZE = {(256, 1536)}
_IMAGE = re.compile(r"[A-Za-z0-9_./:@-]{1,255}\Z")
_ECR = re.compile(r"\d{12}\.dkr\.ecr\.")
_AMOUNT = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,6})?)\s*(?P<unit>vcpu|gb)?", re.IGNORECASE)
_HEALTH = {"interval": (5, 300), "timeout": (2, 120), "retries": (1, 10), "startPeriod": (0, 300)}


def check(params: dict[str, Any]) -> None:
    """Refuse a request that AWS refuses; put `cpu` and `memory` into units and MiB as AWS does."""
    if not FAMILY.match(params["family"]):
        raise client_exception(
            "Family contains invalid characters. Up to 255 letters (uppercase and lowercase), numbers, "
            "hyphens, and underscores are allowed."
        )
    for name, unit in (("cpu", "vcpu"), ("memory", "gb")):
        if params.get(name):
            params[name] = _amount(params[name], name, unit)
    for name, known in NAMESPACES.items():
        if params.get(name) not in (None, *known):
            raise client_exception(f"Invalid '{name}' {params[name]}: it is one of {', '.join(known)}.")
    containers = params["containerDefinitions"]
    _check_list(containers)
    fargate = "FARGATE" in params.get("requiresCompatibilities", [])
    problem = fargate_problem(params) if fargate else ""
    if problem:
        raise client_exception(problem)
    for container in containers:
        _check_container(container, params)
    _check_sums(containers, params)
    _check_dependencies(containers)
    if fargate:
        _check_execution_role(params)


def fargate_problem(params: dict[str, Any]) -> str:
    """Return why Fargate cannot run a task definition; empty if it can."""
    if params.get("networkMode") != "awsvpc":
        return "Fargate only supports network mode \u2018awsvpc\u2019."
    for name in ("cpu", "memory"):
        if not params.get(name):
            return f"Fargate requires that '{name}' be defined at the task level."
    cpu, memory = int(params["cpu"]), int(params["memory"])
    if memory not in SIZES.get(cpu, ()) or (cpu, memory) in _NOT_A_SIZE:
        return (
            f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. "
            "See the Amazon ECS documentation for the valid values."
        )
    pid = params.get("pidMode")
    if pid not in (None, "task"):
        return (
            f"Tasks using the Fargate launch type do not support pidMode '{pid}'. The supported value for "
            "pidMode is 'task'."
        )
    unsupported = next(_unsupported(params), "")
    return f"Fargate compatible task definitions do not support {unsupported}" if unsupported else ""


def _unsupported(params: dict[str, Any]) -> Iterator[str]:
    """Yield what Fargate does not support of a task definition."""
    if params.get("placementConstraints"):
        yield "constraints"
    if params.get("ipcMode"):
        yield "ipcMode"
    for volume in params.get("volumes", []):
        if volume.get("dockerVolumeConfiguration"):
            yield "dockerVolumeConfiguration"
        if (volume.get("host") or {}).get("sourcePath"):
            yield "sourcePath"
    for container in params["containerDefinitions"]:
        yield from (name for name in ("privileged", "links", "dockerSecurityOptions") if container.get(name))
        linux = container.get("linuxParameters") or {}
        # Temporary file systems are supported since January 2026 (aws/containers-roadmap#736).
        limits = ("devices", "maxSwap", "sharedMemorySize", "swappiness")
        yield from (name for name in limits if linux.get(name))
        added = (linux.get("capabilities") or {}).get("add") or []
        yield from (f"the capability {each}" for each in added if each != FARGATE_CAPABILITY)
        driver = (container.get("logConfiguration") or {}).get("logDriver", "awslogs")
        if driver not in FARGATE_LOG_DRIVERS:
            yield f"log driver {driver}"


def _amount(text: str, name: str, unit: str) -> str:
    match = _AMOUNT.fullmatch(text.strip())
    found = match and (match["unit"] or "").lower()
    if match is None or found not in ("", unit) or (not found and "." in match["number"]):
        raise client_exception(
            f"Invalid '{name}' setting for task. For more information, see the Troubleshooting section of "
            "the Amazon ECS Developer Guide."
        )
    return str(round(float(match["number"]) * 1024)) if found else str(int(match["number"]))


def _check_list(containers: list[dict[str, Any]]) -> None:
    if not containers:
        raise client_exception("Container list cannot be empty.")
    if len(containers) > MOST_CONTAINERS:
        raise client_exception(f"Container list cannot have more than {MOST_CONTAINERS} elements.")
    names = [container.get("name") for container in containers]
    if not all(names):
        raise client_exception("Container.name should not be null or empty.")
    for name in names:
        if not FAMILY.match(str(name)):
            raise client_exception("Container.name contains invalid characters.")
    if len(set(names)) < len(names):
        raise client_exception("Container names should be unique within a task definition.")
    if not any(container.get("essential", True) for container in containers):
        raise client_exception("Task definition does not have any essential containers.")


def _check_container(container: dict[str, Any], params: dict[str, Any]) -> None:
    if not container.get("image"):
        raise client_exception("Container.image should not be null or empty.")
    if not _IMAGE.match(container["image"]):
        raise client_exception("Container.image contains invalid characters.")
    _check_memory(container, params)
    _check_ports(container, params)
    _check_variables(container, params)
    _check_logging(container, params)
    _check_volumes(container, params)
    _check_health(container)


def _check_memory(container: dict[str, Any], params: dict[str, Any]) -> None:
    memory, reserved, task = container.get("memory"), container.get("memoryReservation"), params.get("memory")
    if memory is None and reserved is None and not task:
        raise client_exception(
            f"Invalid setting for container '{container['name']}'. At least one of 'memory' or "
            "'memoryReservation' must be specified."
        )
    where = f"Invalid setting for container '{container['name']}'."
    for name, value in (("memory", memory), ("memoryReservation", reserved)):
        if value is not None and value < LEAST_MEMORY:
            raise client_exception(f"{where} The minimum of '{name}' is {LEAST_MEMORY} MiB.")
    if memory and reserved and reserved > memory:
        raise client_exception(f"{where} 'memory' must be greater than or equal to 'memoryReservation'.")
    if (container.get("cpu") or 0) < 0:
        raise client_exception(f"{where} 'cpu' must not be negative.")
    for name, value in (("memory", memory or reserved), ("cpu", container.get("cpu"))):
        if value and params.get(name) and value > int(params[name]):
            raise client_exception(f"The '{name}' setting for container is greater than for the task.")


def _check_sums(containers: list[dict[str, Any]], params: dict[str, Any]) -> None:
    for name, limit in (("cpu", "cpu"), ("memoryReservation", "memory")):
        if params.get(limit) and sum(each.get(name) or 0 for each in containers) > int(params[limit]):
            what = f"all container '{name}' values cannot be greater than the value of the task '{limit}'."
            raise client_exception(f"The sum of {what}")


def _check_ports(container: dict[str, Any], params: dict[str, Any]) -> None:
    for mapping in container.get("portMappings", []):
        inside, outside = mapping.get("containerPort"), mapping.get("hostPort")
        for port in (inside, outside):
            if port is not None and not 0 <= port <= 65535:  # noqa: PLR2004
                raise client_exception(f"Invalid port {port} for container '{container['name']}'.")
        if mapping.get("protocol") not in (None, *PROTOCOLS):
            raise client_exception(
                f"Invalid protocol {mapping['protocol']} for container '{container['name']}'."
            )
        if params.get("networkMode") == "awsvpc" and outside not in (None, 0, inside):
            raise client_exception(
                "When networkMode=awsvpc, the host ports and container ports in port mappings must match."
            )


def _check_variables(container: dict[str, Any], params: dict[str, Any]) -> None:
    taken = {variable.get("name") for variable in container.get("environment", [])}
    for secret in container.get("secrets", []):
        if secret["name"] in taken:
            raise client_exception(
                "The secret name must be unique and not shared with any new or existing environment "
                f"variables set on the container, such as '{secret['name']}'."
            )
        taken.add(secret["name"])
    if container.get("secrets") and not params.get("executionRoleArn"):
        raise client_exception(
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'."
        )


def _check_logging(container: dict[str, Any], params: dict[str, Any]) -> None:
    configuration = container.get("logConfiguration")
    if not configuration:
        return
    driver, options = configuration.get("logDriver"), configuration.get("options") or {}
    if driver not in LOG_DRIVERS:
        raise client_exception(f"Log driver {driver} is not one of: {', '.join(sorted(LOG_DRIVERS))}.")
    fargate = "FARGATE" in params.get("requiresCompatibilities", [])
    needed = ["awslogs-region", "awslogs-group", *(["awslogs-stream-prefix"] if fargate else [])]
    missing = [name for name in needed if not options.get(name)]
    if driver == "awslogs" and missing:
        raise client_exception(f"Log driver awslogs requires options: {', '.join(missing)}")


def _check_volumes(container: dict[str, Any], params: dict[str, Any]) -> None:
    volumes = {volume.get("name") for volume in params.get("volumes", [])}
    for mount in container.get("mountPoints", []):
        if mount.get("sourceVolume") not in volumes:
            raise client_exception(f"Unknown volume '{mount.get('sourceVolume')}'.")


def _check_health(container: dict[str, Any]) -> None:
    health = container.get("healthCheck")
    if not health:
        return
    command = health.get("command") or []
    if not command or command[0] not in ("CMD", "CMD-SHELL", "NONE"):
        raise client_exception(
            f"The health check command of container '{container['name']}' must begin with CMD or CMD-SHELL."
        )
    for name, (least, most) in _HEALTH.items():
        value = health.get(name)
        if value is not None and not least <= value <= most:
            where = f"The health check {name} of container '{container['name']}'"
            raise client_exception(f"{where} must be between {least} and {most}.")


def _check_dependencies(containers: list[dict[str, Any]]) -> None:
    by_name = {container["name"]: container for container in containers}
    needs: dict[str, list[str]] = {}
    for container in containers:
        for dependency in container.get("dependsOn", []):
            name, condition = dependency["containerName"], dependency["condition"]
            if name not in by_name:
                raise client_exception(
                    f"Container '{container['name']}' depends on '{name}', which does not exist."
                )
            if condition == "HEALTHY" and not by_name[name].get("healthCheck"):
                raise client_exception(
                    f"Container '{container['name']}' depends on '{name}' being HEALTHY, which has no "
                    "health check."
                )
            if condition in ("COMPLETE", "SUCCESS") and by_name[name].get("essential", True):
                what = f"'{name}' being {condition}"
                raise client_exception(
                    f"Container '{container['name']}' depends on {what}, which is essential."
                )
            needs.setdefault(container["name"], []).append(name)
    while leaves := [name for name in needs if not any(other in needs for other in needs[name])]:
        for name in leaves:
            del needs[name]
    if needs:
        raise client_exception(
            f"The containers {', '.join(sorted(needs))} depend on one another in a circle."
        )


def _check_execution_role(params: dict[str, Any]) -> None:
    """Refuse a Fargate task without the execution role that its pulls and logs need."""
    if params.get("executionRoleArn"):
        return
    reasons: tuple[tuple[Callable[[dict[str, Any]], Any], str], ...] = (
        (lambda container: _ECR.match(container["image"]), "ECR images"),
        (
            lambda container: (container.get("logConfiguration") or {}).get("logDriver") == "awslogs",
            "log driver awslogs",
        ),
    )
    for applies, what in reasons:
        if any(applies(container) for container in params["containerDefinitions"]):
            raise client_exception(
                f"Fargate requires task definition to have execution role ARN to support {what}."
            )
