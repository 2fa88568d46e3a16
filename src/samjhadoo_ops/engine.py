"""The Docker engine, at the address that `docker` uses, and the labels of what a stack has in it."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PROJECT", "STACK", "EngineUnavailable", "address", "connect", "labels", "leftovers"]

STACK = "samjhadoo-ops.stack"
"""The label with the stack, or the emulator, that a container, network or volume belongs to."""
PROJECT = "samjhadoo-ops.project"
"""The label with the project that the stack belongs to."""
_DEFAULT = "unix:///var/run/docker.sock"


class EngineUnavailable(ConfigurationError):
    """There is no Docker engine, or it refuses access."""


def connect() -> Any:
    """Return a client of the engine in DOCKER_HOST or Docker's context; may raise `EngineUnavailable`."""
    import docker
    from docker.errors import DockerException

    url = address()
    try:
        _try_socket(url or _DEFAULT)
        client = docker.DockerClient(base_url=url) if url else docker.from_env()
        client.ping()
    except (DockerException, OSError) as error:
        raise EngineUnavailable(
            f"there is no Docker engine at {url or _DEFAULT}: {_reason(error)}",
            hint="start Docker, or set DOCKER_HOST; the embedded stack needs none: SAMJHADOO_STACK=embedded",
        ) from error
    return client


def address() -> str:
    """Return the engine's address in DOCKER_HOST or Docker's context; empty for the default one."""
    return os.environ.get("DOCKER_HOST") or _context_host()


def labels(stack: str, project: str = "") -> dict[str, str]:
    """Return the labels of everything that belongs to a stack."""
    return {STACK: stack} | ({PROJECT: project} if project else {})


def leftovers(client: Any, wanted: Mapping[str, str]) -> list[Any]:
    """Return the containers, networks and volumes with certain labels, in the order of their removal."""
    filters = {"label": [f"{name}={value}" for name, value in wanted.items()]}
    return [
        *client.containers.list(all=True, filters=filters, ignore_removed=True),
        *client.networks.list(filters=filters),
        *client.volumes.list(filters=filters),
    ]


def _try_socket(url: str) -> None:
    """Connect to an engine's socket: docker-py leaks its own when nothing listens there."""
    if url.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(url.removeprefix("unix://"))


def _context_host() -> str:
    """Return the engine's address in Docker's current context (Docker Desktop has its own)."""
    from docker.context import ContextAPI
    from docker.errors import DockerException

    try:
        context = ContextAPI.get_current_context()
    except (DockerException, OSError, ValueError):
        return ""
    return str(context.Host or "") if context else ""


def _reason(error: Exception) -> str:
    """Return why the engine does not answer: the innermost error of the libraries."""
    inner: BaseException = error
    while inner.__cause__ or inner.__context__:
        inner = inner.__cause__ or inner.__context__ or inner
    return str(getattr(inner, "strerror", None) or inner)
