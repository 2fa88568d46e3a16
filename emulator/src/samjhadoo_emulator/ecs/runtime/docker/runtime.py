"""Runs tasks as containers of a Docker engine; see the package."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.runtime.container_environment import aws_variables
from samjhadoo_emulator.ecs.runtime.contract import CannotStartError, Launch, PulledImage
from samjhadoo_emulator.ecs.runtime.docker.container import DockerContainer
from samjhadoo_emulator.ecs.runtime.docker.engine import EngineError
from samjhadoo_emulator.ecs.runtime.docker.host_config import container_config, host_config
from samjhadoo_emulator.ecs.runtime.docker.images import DockerImages
from samjhadoo_emulator.ecs.runtime.docker.output import Output
from samjhadoo_emulator.ecs.runtime.docker.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from samjhadoo_emulator.ecs.runtime.docker.engine_resources import EngineResources
    from samjhadoo_emulator.service import Host

log = logging.getLogger(__name__)

_ECS = "com.amazonaws.ecs"


class DockerRuntime:
    """Containers of a Docker engine.

    Args:
        host: What the emulator gives live services.
        resources: What the emulator has in the engine.
    """

    real = True

    def __init__(self, host: Host, resources: EngineResources) -> None:
        self._host = host
        self._resources = resources
        self._engine = resources.engine
        self._images = DockerImages(resources.engine, host.edge_url, host.keys.key)
        self._sandboxes: dict[str, Sandbox] = {}
        self._work: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def pull(self, reference: str) -> PulledImage:
        """Have an image in the engine; see `Runtime`."""
        return await self._images.pull(reference)

    async def prepare(self, task_id: str, definition: Mapping[str, Any]) -> None:
        """Set the task's network up; see `Runtime`."""
        await self._to_the_end(self._sandbox(task_id).open(definition))

    async def start(self, launch: Launch) -> DockerContainer:
        """Start a container; see `Runtime`.

        Work in the engine cannot be broken off: if the caller is cancelled, it continues, and `release` or
        `close` removes what came of it.
        """
        found: DockerContainer = await self._to_the_end(self._start(launch))
        return found

    async def release(self, task_id: str) -> None:
        """Remove all of a task; see `Runtime`."""
        sandbox = self._sandboxes.get(task_id)
        if sandbox is not None:
            await self._to_the_end(sandbox.close())
            self._sandboxes.pop(task_id, None)

    async def close(self) -> None:
        """Remove all tasks; see `Runtime`."""
        self._closed = True
        for sandbox in self._sandboxes.values():
            sandbox.closed = True
        if self._work:
            await asyncio.wait(self._work)
        results = await asyncio.gather(
            *(sandbox.close() for sandbox in self._sandboxes.values()), return_exceptions=True
        )
        for result in results:
            if isinstance(result, Exception):
                log.warning("a task could not be removed: %s", result)
        await self._images.close()

    def _sandbox(self, task_id: str) -> Sandbox:
        if self._closed:
            raise CannotStartError("failed to create task: the emulator is stopping")
        return self._sandboxes.setdefault(task_id, Sandbox(self._resources, task_id))

    async def _start(self, launch: Launch) -> DockerContainer:
        sandbox = self._sandbox(launch.task_id)
        await sandbox.open(launch.task_definition)
        container = sandbox.containers.get(launch.name)
        if container is None:
            container = await self._create(sandbox, launch)
        output = Output(launch.output, terminal=bool(launch.definition.get("pseudoTerminal")))
        run = DockerContainer(
            self._engine,
            self._resources.events,
            container,
            addresses={port: sandbox.addresses[port] for port in launch.ports if port in sandbox.addresses},
            output=output,
            stop_signal=launch.image.config.stop_signal,
        )
        sandbox.check()
        sandbox.runs[launch.name] = run
        try:
            await run.start()
            sandbox.check()  # it may have ended meanwhile
        except CannotStartError:
            sandbox.runs.pop(launch.name, None)
            await self._undo(sandbox, launch.name, run)
            raise
        return run

    async def _undo(self, sandbox: Sandbox, name: str, run: DockerContainer) -> None:
        """Remove a container that was not, or should not have been started."""
        container = sandbox.containers.pop(name, "")
        try:
            await self._engine.remove(container)
        except EngineError as error:
            log.warning("container %s is not removed yet: %s", container[:12], error)
            sandbox.refused.append(container)
        run.lose()

    async def _create(self, sandbox: Sandbox, launch: Launch) -> str:
        environment = {
            **aws_variables(launch, self._host),
            **launch.image.config.environment,
            **launch.environment,
        }
        config = container_config(launch, environment, self._labels(launch))
        try:
            config["HostConfig"] = {
                **host_config(launch, cpus=self._resources.cpus),
                **sandbox.network_of(launch),
                **await sandbox.volumes.config(launch, sandbox.containers),
            }
            sandbox.check()
            container = await self._engine.create(_name(launch), config)
        except EngineError as error:
            raise CannotStartError(f"failed to create container: {error}") from error
        if sandbox.closed:
            await self._engine.remove(container)
        sandbox.check()
        sandbox.containers[launch.name] = container
        return container

    def _labels(self, launch: Launch) -> dict[str, str]:
        return {
            f"{_ECS}.container-name": launch.name,
            f"{_ECS}.task-id": launch.task_id,
            f"{_ECS}.task-definition-family": str(launch.task_definition.get("family", "")),
            f"{_ECS}.task-definition-version": str(launch.task_definition.get("revision", "")),
            **self._resources.labels,
        }

    async def _to_the_end(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Finish work even if the caller that waits for it is cancelled."""
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._work.discard(task)
        if not task.cancelled():
            task.exception()  # retrieved, even if no caller waits any more


def _name(launch: Launch) -> str:
    """Return a container's name as the ECS agent composes it."""
    task = launch.task_definition
    return f"ecs-{task.get('family', 'task')}-{task.get('revision', 0)}-{launch.name}-{launch.task_id[:12]}"
