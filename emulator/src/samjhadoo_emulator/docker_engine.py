"""The Docker engine, reached as `docker` reaches it; what a stack has in it is found by its labels."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

STACK = "samjhadoo-ops.stack"
"""The label that names the stack, or the emulator, to which a container, network or volume belongs."""
PROJECT = "samjhadoo-ops.project"
"""The label that names the project to which the stack belongs."""
_DEFAULT = "unix:///var/run/docker.sock"
_ROUNDS = 5
_GONE = (404, 409)  # removed meanwhile, or being removed by another process


def connect(*, connections: int = 10) -> Any:
    """Return a client (`docker.DockerClient`) of the engine that DOCKER_HOST or Docker's context names.

    Args:
        connections: How many are kept for the next calls.

    Raises:
        ConfigurationError: It does not answer.
    """
    import docker
    from docker.errors import DockerException

    url = os.environ.get("DOCKER_HOST") or _context_host()
    try:
        _knock(url or _DEFAULT)
        pool = {"max_pool_size": connections}
        client = docker.DockerClient(base_url=url, **pool) if url else docker.from_env(**pool)
        client.ping()
    except (DockerException, OSError) as error:
        raise ConfigurationError(
            f"there is no Docker engine at {url or _DEFAULT}: {_reason(error)}",
            hint="start Docker, or set DOCKER_HOST; --runtime process needs none",
        ) from error
    return client


def labels(stack: str, project: str = "") -> dict[str, str]:
    """Return the labels of what belongs to a stack."""
    return {STACK: stack} | ({PROJECT: project} if project else {})


def remove(client: Any, wanted: Mapping[str, str]) -> list[str]:
    """Remove every container, network and volume that carries labels; return the names of those that stay."""
    from docker.errors import APIError

    for _ in range(_ROUNDS):
        for each in _found(client, wanted):
            try:
                _remove(each)
            except APIError as error:
                # A network goes when its last container has gone: in the next round.
                if error.status_code not in {*_GONE, 403}:
                    raise
        left = _found(client, wanted)
        if not left:
            return []
    return [str(each.name) for each in left]


def _remove(each: Any) -> None:
    if hasattr(each, "kill"):
        each.remove(force=True, v=True)
    else:
        each.remove()


def _found(client: Any, wanted: Mapping[str, str]) -> list[Any]:
    """Return the containers, networks and volumes that carry labels, in the order in which they can go."""
    filters = {"label": [f"{name}={value}" for name, value in wanted.items()]}
    return [
        *client.containers.list(all=True, filters=filters, ignore_removed=True),
        *client.networks.list(filters=filters),
        *client.volumes.list(filters=filters),
    ]


def _knock(url: str) -> None:
    """Try an engine's socket: docker-py leaks its own when nothing listens there."""
    if url.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as knocking:
            knocking.connect(url.removeprefix("unix://"))


def _context_host() -> str:
    """Return the engine's address of Docker's current context (Docker Desktop has one of its own)."""
    from docker.context import ContextAPI
    from docker.errors import DockerException

    try:
        context = ContextAPI.get_current_context()
    except (DockerException, OSError, ValueError):
        return ""
    return str(context.Host or "") if context else ""


def _reason(error: Exception) -> str:
    """Return why the engine does not answer, without the layers of libraries."""
    inner: BaseException = error
    while inner.__cause__ or inner.__context__:
        inner = inner.__cause__ or inner.__context__ or inner
    return str(getattr(inner, "strerror", None) or inner)
