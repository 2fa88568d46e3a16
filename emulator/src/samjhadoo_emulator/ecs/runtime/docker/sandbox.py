"""What a task has in the engine: its pause container, its volumes and its containers.

The pause container holds the network namespace in which the task's containers run, publishes their ports on
127.0.0.1, and runs the forwarder, by which 127.0.0.1 means inside the task what it means on the host.
"""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import logging
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.runtime.contract import CannotStartError
from samjhadoo_emulator.ecs.runtime.docker import forwarder
from samjhadoo_emulator.ecs.runtime.docker.engine import CONFLICT, EngineError, Missing
from samjhadoo_emulator.ecs.runtime.docker.events import FOUND
from samjhadoo_emulator.ecs.runtime.docker.host_config import LOGGING, sysctls
from samjhadoo_emulator.ecs.runtime.docker.output import Output
from samjhadoo_emulator.processes import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from samjhadoo_emulator.ecs.runtime.contract import Launch
    from samjhadoo_emulator.ecs.runtime.docker.container import DockerContainer
    from samjhadoo_emulator.ecs.runtime.docker.engine_resources import EngineResources

_SHARED = ("efsVolumeConfiguration", "fsxWindowsFileServerVolumeConfiguration", "s3filesVolumeConfiguration")


class Volumes:
    """The volumes of one task.

    Args:
        resources: What this emulator has in the engine.
    """

    def __init__(self, resources: EngineResources, task_id: str) -> None:
        self._resources = resources
        self._engine = resources.engine
        self._task_id = task_id
        self._own: set[str] = set()

    async def config(self, launch: Launch, containers: Mapping[str, str]) -> dict[str, Any]:
        """Return what of a container's `HostConfig` mounts volumes, made if they are not there.

        Args:
            containers: The ids of the task's containers that exist, by name.
        """
        mounts: dict[str, dict[str, Any]] = {}
        for source, target, readonly in _mount_points(launch):
            mounts[target] = await self._mount(source, launch.task_definition) | {
                "Target": target,
                "ReadOnly": readonly,
            }
        volumes_from = [
            containers[each["sourceContainer"]] + (":ro" if each.get("readOnly") else "")
            for each in launch.definition.get("volumesFrom", [])
            if each["sourceContainer"] in containers
        ]
        return {"Mounts": list(mounts.values()), "VolumesFrom": volumes_from}

    async def remove(self) -> None:
        """Remove the task's own volumes."""
        for name in sorted(self._own):
            try:
                await self._engine.call(self._engine.api.remove_volume, name)
            except Missing:
                pass
            except EngineError as error:
                log.log(
                    logging.DEBUG if error.status == CONFLICT else logging.WARNING,
                    "volume %s is not removed yet: %s",
                    name,
                    error,
                )

    async def _mount(self, source: str, task: Mapping[str, Any]) -> dict[str, Any]:
        volume: Mapping[str, Any] = next(
            (each for each in task.get("volumes", []) if each.get("name") == source), {}
        )
        folder = (volume.get("host") or {}).get("sourcePath")
        if folder:
            return {"Type": "bind", "Source": folder}
        docker = volume.get("dockerVolumeConfiguration") or {}
        if docker.get("scope") == "shared":
            return {"Type": "volume", "Source": await self._made(source, docker, own=False)}
        shared = next((volume[kind] for kind in _SHARED if volume.get(kind)), None)
        if shared is not None:
            drawn = hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()[:16]
            owner = self._resources.settings.owner[:16]
            return {"Type": "volume", "Source": await self._made(f"ecs-{owner}-{drawn}", {}, own=False)}
        name = f"ecs-{self._task_id}-{source}"
        self._own.add(name)
        return {"Type": "volume", "Source": await self._made(name, docker, own=True)}

    async def _made(self, name: str, docker: Mapping[str, Any], *, own: bool) -> str:
        # Making a volume that is there returns it. One shared by its definition outlives the emulator.
        kept = bool(docker) and not own
        await self._engine.call(
            self._engine.api.create_volume,
            name,
            driver=docker.get("driver"),
            driver_opts=docker.get("driverOpts"),
            labels={**docker.get("labels", {}), **({} if kept else self._resources.labels)},
        )
        return name


def _mount_points(launch: Launch) -> Iterator[tuple[str, str, bool]]:
    """Yield source, path and whether it is read-only of what a container mounts, its own last."""
    others = {each["name"]: each for each in launch.task_definition.get("containerDefinitions", [])}
    for source in launch.definition.get("volumesFrom", []):
        for point in others.get(source["sourceContainer"], {}).get("mountPoints", []):
            readonly = bool(point.get("readOnly") or source.get("readOnly"))
            yield point["sourceVolume"], point["containerPath"], readonly
    for point in launch.definition.get("mountPoints", []):
        yield point["sourceVolume"], point["containerPath"], bool(point.get("readOnly"))


log = logging.getLogger(__name__)

READY_SECONDS = 20.0
_SOURCE = inspect.getsource(forwarder)
_SOCKET = "/run/edge.sock"
_NOBODY = "65534:65534"


class Sandbox:
    """A task in the engine.

    Args:
        resources: What this emulator has in the engine.

    Attributes:
        containers: The ids of its containers by their names.
        refused: The ids of containers that the engine has not removed yet; `close` asks again.
        runs: The containers that have been started, by name.
        addresses: Where each container port is reached from the host.
    """

    def __init__(self, resources: EngineResources, task_id: str) -> None:
        self._resources = resources
        self._engine = resources.engine
        self._task_id = task_id
        self._opening = asyncio.Lock()
        self._output: Output | None = None
        self._opened = False
        self.pause = ""
        self.volumes = Volumes(resources, task_id)
        self.containers: dict[str, str] = {}
        self.refused: list[str] = []
        self.runs: dict[str, DockerContainer] = {}
        self.addresses: dict[int, tuple[str, int]] = {}
        self.closed = False
        self._lost = False

    async def open(self, task: Mapping[str, Any]) -> None:
        """Have the pause container run, once, however many ask for it.

        Raises:
            CannotStartError: The engine cannot.
        """
        async with self._opening:
            self.check()
            if self._opened:
                return
            try:
                await self._open(task)
            except EngineError as error:
                await self._remove_pause()
                raise CannotStartError(f"failed to set up the task's network: {error}") from error
            self._opened = True

    def check(self) -> None:
        """Begin nothing in a task that has ended.

        Raises:
            CannotStartError: It has, or its network has.
        """
        if self.closed:
            raise CannotStartError("failed to create task: the task has been stopped")
        if self._lost:
            raise CannotStartError("failed to create task: the task's network has ended")

    def network_of(self, launch: Launch) -> dict[str, Any]:
        """Return what of a container's `HostConfig` ties it to the task."""
        shared = f"container:{self.pause}"
        found = {"NetworkMode": shared}
        if launch.task_definition.get("pidMode") == "task":
            found["PidMode"] = shared
        if launch.task_definition.get("ipcMode") == "task":
            found["IpcMode"] = shared
        return found

    async def close(self) -> None:
        """Remove all of it."""
        self.closed = True
        async with self._opening:
            if self.pause:
                self._resources.events.forget(self.pause)
            left = (*self.containers.values(), *self.refused, self.pause)
            removed = [self._engine.remove(each) for each in left if each]
            for result in await asyncio.gather(*removed, return_exceptions=True):
                if isinstance(result, EngineError):
                    log.warning("a container of task %s is not removed: %s", self._task_id, result)
            for run in self.runs.values():
                if run.running:
                    run.lose()
            if self._output is not None:
                self._output.close()
            await self.volumes.remove()

    async def _remove_pause(self) -> None:
        """Let another attempt start from scratch."""
        pause, self.pause = self.pause, ""
        if self._output is not None:
            self._output.close()
        if pause:
            self._resources.events.forget(pause)
            try:
                await self._engine.remove(pause)
            except EngineError as error:
                log.warning("the pause container of task %s is not removed yet: %s", self._task_id, error)
                self.refused.append(pause)

    async def _open(self, task: Mapping[str, Any]) -> None:
        engine = self._engine
        ready = asyncio.Event()
        output: list[bytes] = []

        def hear(line: bytes) -> None:
            output.append(line)
            if line == b"ready":
                ready.set()

        self._output = Output(hear)
        ports = _ports(task)
        name = f"ecs-{task.get('family', 'task')}-{task.get('revision', 0)}-pause-{self._task_id[:12]}"
        self.pause = await engine.create(name, self._config(task, ports))
        self._resources.events.listen(self.pause, self._hear)
        await self._output.attach(engine, self.pause)
        await engine.call(engine.api.start, self.pause)
        try:
            async with asyncio.timeout(READY_SECONDS):
                await _first(ready, self._output.ended)
        except TimeoutError:
            log.warning("the forwarder of task %s did not start", self._task_id)
        if not ready.is_set():
            raise EngineError("the forwarder did not start: " + b" ".join(output).decode(errors="replace"))
        if ports:
            found = await engine.call(engine.api.inspect_container, self.pause)
            bound = found["NetworkSettings"]["Ports"]
            self.addresses = {
                port: (LOOPBACK, int(bound[f"{port}/{protocol}"][0]["HostPort"]))
                for port, protocol in ports.items()
                if bound.get(f"{port}/{protocol}")
            }

    def _hear(self, action: str, _attributes: dict[str, str]) -> None:
        """End the task's containers with the pause container: they have no network any more."""
        if action in ("die", "destroy", FOUND) and self._opened and not self.closed:
            self._lost = True
            log.warning("the network of task %s has ended", self._task_id)
            for run in self.runs.values():
                run.kill()

    def _config(self, task: Mapping[str, Any], ports: Mapping[int, str]) -> dict[str, Any]:
        settings = self._resources.settings
        edge = self._resources.edge
        forwards = {settings.edge_port: edge} | {
            each.port: f"{each.host}:{each.target}" for each in settings.forwards
        }
        published = [f"{port}/{protocol}" for port, protocol in ports.items()]
        containers = task.get("containerDefinitions", [])
        # The network's settings are the pause container's; the containers in it cannot have others.
        host: dict[str, Any] = {
            "NetworkMode": self._resources.network,
            "PortBindings": {each: [{"HostIp": LOOPBACK, "HostPort": ""}] for each in published},
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges", "label=disable"],  # the label would forbid the socket
            "LogConfig": LOGGING,
            "IpcMode": "shareable" if task.get("ipcMode") == "task" else "private",
            "Sysctls": {
                name: value for each in containers for name, value in sysctls(each, network=True).items()
            },
            "ExtraHosts": [
                f"{entry['hostname']}:{entry['ipAddress']}"
                for each in containers
                for entry in each.get("extraHosts", [])
            ],
            "Dns": [server for each in containers for server in each.get("dnsServers", [])],
            "DnsSearch": [domain for each in containers for domain in each.get("dnsSearchDomains", [])],
        }
        if edge.startswith("unix:"):
            host["Mounts"] = [
                {"Type": "bind", "Source": str(settings.edge_socket), "Target": _SOCKET, "ReadOnly": True}
            ]
        arguments = [f"{port}={target}" for port, target in forwards.items() if port not in ports]
        return {
            "Image": settings.pause_image,
            "Entrypoint": ["python3", "-I", "-c", _SOURCE],
            "Cmd": arguments,
            "User": _NOBODY,
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Hostname": next((each["hostname"] for each in containers if each.get("hostname")), ""),
            "Healthcheck": {"Test": ["NONE"]},
            "ExposedPorts": {each: {} for each in published},
            "AttachStdout": True,
            "AttachStderr": True,
            "Labels": self._resources.labels,
            "HostConfig": host,
        }


async def _first(*events: asyncio.Event) -> None:
    """Wait for one of several events."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()


def _ports(task: Mapping[str, Any]) -> dict[int, str]:
    """Return the protocol of each container port of a task."""
    return {
        mapping["containerPort"]: mapping.get("protocol") or "tcp"
        for container in task.get("containerDefinitions", [])
        for mapping in container.get("portMappings") or []
        if mapping.get("containerPort")
    }
