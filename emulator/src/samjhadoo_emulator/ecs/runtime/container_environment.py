"""The environment variables of a container: those that it has on AWS, and the addresses of the local AWS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from samjhadoo_emulator.ecs.runtime.layout import DEFAULT_PATH
from samjhadoo_emulator.processes import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_emulator.ecs.runtime.contract import Launch
    from samjhadoo_emulator.service import Host

CONTAINER_MARKER = "SAMJHADOO_CONTAINER"
"""The environment variable that marks a container's processes."""
ROLE = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_ANYWHERE = {"", "0.0.0.0", "::", "localhost"}  # noqa: S104 - addresses that an application may be configured to bind
_LOCAL_PORT = re.compile(r"(?<![\w.-])(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]):(\d{1,5})\b")


def container_environment(
    launch: Launch, *, host: Host, ports: Mapping[int, int], inherited: Mapping[str, str]
) -> dict[str, str]:
    """Return a container's environment; later ones win: defaults, image, launch, ports, marks.

    `PORT` and `SERVER_PORT` are the host port of the container's first port, `PORT_<n>` that of port n of any
    container of the task. Applications bind loopback only. The task's containers share `localhost`: addresses
    such as `http://localhost:9000` in values become those of the host (see `on_host`).

    Args:
        host: Where the local AWS is.
        inherited: The host's environment; only locale and time zone are taken from it.
    """
    environment = {
        "PATH": DEFAULT_PATH,
        "LANG": "C.UTF-8",
        **{name: inherited[name] for name in ("LANG", "TZ") if name in inherited},
        **aws_variables(launch, host),
        **{
            name: on_host(value, ports)
            for name, value in {**launch.image.config.environment, **launch.environment}.items()
        },
        **{f"PORT_{port}": str(mapped) for port, mapped in ports.items()},
    }
    if launch.ports:
        mapped = str(ports[launch.ports[0]])
        environment |= {"PORT": mapped, "SERVER_PORT": mapped, "SERVER_ADDRESS": LOOPBACK}
        if environment.get("HOST", "") in _ANYWHERE:
            environment["HOST"] = LOOPBACK
    return {**environment, **host.environment, CONTAINER_MARKER: mark(launch)}


def on_host(text: str, ports: Mapping[int, int]) -> str:
    """Return a text with the local addresses of the task's container ports replaced by those on the host.

    Args:
        ports: The host port of each container port of the task.
    """

    def replace(match: re.Match[str]) -> str:
        port = ports.get(int(match[1]))
        return f"{LOOPBACK}:{port}" if port else match[0]

    return _LOCAL_PORT.sub(replace, text)


def aws_variables(launch: Launch, host: Host) -> dict[str, str]:
    """Return the variables that direct AWS clients to the local AWS."""
    return {
        "AWS_ENDPOINT_URL": host.edge_url,
        # A client would prefer them to those of the role.
        **({} if ROLE in launch.environment else credentials(host)),
        "AWS_REGION": launch.region,
        "AWS_DEFAULT_REGION": launch.region,
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
    }


def credentials(host: Host) -> dict[str, str]:
    """Return the credentials of a task without a role: with the key, it is served whatever its user."""
    return {"AWS_ACCESS_KEY_ID": host.keys.key, "AWS_SECRET_ACCESS_KEY": "test"}


def mark(launch: Launch) -> str:
    """Return what marks the processes of a container."""
    return f"{launch.task_id}/{launch.name}"
