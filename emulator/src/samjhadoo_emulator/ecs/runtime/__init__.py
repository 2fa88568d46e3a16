"""What tasks run on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.ecs.runtime.contract import (
    CannotPullError,
    CannotStartError,
    Container,
    ImageConfig,
    Launch,
    PulledImage,
    Runtime,
    Usage,
)

if TYPE_CHECKING:
    from samjhadoo_emulator.service import Host

__all__ = [
    "CannotPullError",
    "CannotStartError",
    "Container",
    "ImageConfig",
    "Launch",
    "PulledImage",
    "Runtime",
    "Usage",
    "runtime_for",
]


def runtime_for(host: Host) -> Runtime:
    """Return the runtime that the option `runtime` names: `process` (the default), `docker` or `noop`.

    The option `docker` is what the emulator has in the Docker engine.
    """
    name = host.options.get("runtime", "process")
    if name == "process":
        from samjhadoo_emulator.ecs.runtime.process import ProcessRuntime

        return ProcessRuntime(host)
    if name == "docker":
        from samjhadoo_emulator.ecs.runtime.docker.runtime import DockerRuntime

        return DockerRuntime(host, host.options["docker"])
    if name == "noop":
        from samjhadoo_emulator.ecs.runtime.noop import NoopRuntime

        return NoopRuntime()
    raise ValueError(f"there is no runtime {name!r}; there are 'process', 'docker' and 'noop'")
