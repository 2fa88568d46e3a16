"""What a task definition says about a container, in the words of the Docker API.

CPU units become shares, the task's CPU and memory the ceiling of each container. There is no swap, as on
Fargate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_emulator.ecs.runtime.contract import Launch

MIB = 1 << 20
CPU_UNITS = 1024
LEAST_SHARES = 2
LOGGING = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}}
"""What `docker logs` shows; the task's own log driver is the emulator's."""


def container_config(
    launch: Launch, environment: Mapping[str, str], labels: Mapping[str, str]
) -> dict[str, Any]:
    """Return the description of a container, all but its `HostConfig`."""
    definition = launch.definition
    return {
        "Image": launch.image.name,
        "Entrypoint": list(launch.entry_point) if launch.entry_point is not None else None,
        "Cmd": list(launch.command) if launch.command is not None else None,
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "WorkingDir": launch.working_directory,
        "User": launch.user,
        "Tty": bool(definition.get("pseudoTerminal")),
        "OpenStdin": bool(definition.get("interactive")),
        "AttachStdout": True,
        "AttachStderr": True,
        "Labels": {**definition.get("dockerLabels", {}), **labels},
        # ECS uses the task definition's health check only, never the image's.
        "Healthcheck": {"Test": ["NONE"]},
    }


def host_config(launch: Launch, *, cpus: int) -> dict[str, Any]:
    """Return how a container runs: its limits, rights and kernel settings; not its network and volumes.

    Args:
        cpus: The engine's; it refuses limits above them.
    """
    definition, linux = launch.definition, launch.definition.get("linuxParameters") or {}
    capabilities = linux.get("capabilities") or {}
    config: dict[str, Any] = {
        **_memory(definition, launch.task_definition, linux),
        **_cpu(definition, launch.task_definition, cpus),
        "ReadonlyRootfs": launch.readonly,
        "Init": bool(linux.get("initProcessEnabled")),
        "CapAdd": capabilities.get("add") or [],
        "CapDrop": capabilities.get("drop") or [],
        "Privileged": bool(definition.get("privileged")),
        "SecurityOpt": definition.get("dockerSecurityOptions") or [],
        "Ulimits": _limits(definition),
        "Sysctls": sysctls(definition, network=False),
        "Tmpfs": {each["containerPath"]: _tmpfs(each) for each in linux.get("tmpfs", [])},
        "Devices": [_device(each) for each in linux.get("devices", [])],
        "LogConfig": LOGGING,
    }
    if linux.get("sharedMemorySize"):
        config["ShmSize"] = linux["sharedMemorySize"] * MIB
    return config


def sysctls(definition: Mapping[str, Any], *, network: bool) -> dict[str, str]:
    """Return a container's `systemControls`: those of the network namespace, or the others."""
    return {
        each["namespace"]: each["value"]
        for each in definition.get("systemControls", [])
        if each["namespace"].startswith("net.") == network
    }


def _memory(
    definition: Mapping[str, Any], task: Mapping[str, Any], linux: Mapping[str, Any]
) -> dict[str, Any]:
    ceiling = int(task.get("memory") or 0)
    hard = int(definition.get("memory") or 0)
    limit = min(filter(None, (hard, ceiling)), default=0) * MIB
    found: dict[str, Any] = {}
    if limit:
        swap = linux.get("maxSwap") or 0
        found = {"Memory": limit, "MemorySwap": limit + swap * MIB}
    soft = int(definition.get("memoryReservation") or 0) * MIB
    if soft and soft <= (limit or soft):
        found["MemoryReservation"] = soft
    if linux.get("swappiness") is not None:
        found["MemorySwappiness"] = linux["swappiness"]
    return found


def _cpu(definition: Mapping[str, Any], task: Mapping[str, Any], cpus: int) -> dict[str, int]:
    found = {"CpuShares": max(LEAST_SHARES, int(definition.get("cpu") or 0))}
    ceiling = int(task.get("cpu") or 0) / CPU_UNITS
    if ceiling and ceiling < cpus:
        found["NanoCpus"] = round(ceiling * 1e9)
    return found


def _limits(definition: Mapping[str, Any]) -> list[dict[str, Any]]:
    # Fargate's own default, 65,535 open files, may be more than an engine without root's rights can give.
    return [
        {"Name": each["name"], "Soft": each["softLimit"], "Hard": each["hardLimit"]}
        for each in definition.get("ulimits", [])
    ]


def _tmpfs(entry: Mapping[str, Any]) -> str:
    return ",".join([f"size={entry['size']}m", *entry.get("mountOptions", [])])


def _device(entry: Mapping[str, Any]) -> dict[str, str]:
    letters = "".join(each[0] for each in entry.get("permissions", []))  # read, write, mknod
    return {
        "PathOnHost": entry["hostPath"],
        "PathInContainer": entry.get("containerPath") or entry["hostPath"],
        "CgroupPermissions": letters or "rwm",
    }
