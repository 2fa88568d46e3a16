"""A task's volumes, as Docker volumes that go with the task.

A volume without a source is the task's own. One of EFS or FSx is shared by all tasks of this emulator, as
the file system would be, and goes with the emulator. A Docker volume or a folder of the host (EC2 only) is
what it says.
"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.runtime.docker.engine import CONFLICT, EngineError, Missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from samjhadoo_emulator.ecs.runtime.contract import Launch
    from samjhadoo_emulator.ecs.runtime.docker.engine_resources import EngineResources

log = logging.getLogger(__name__)

_SHARED = ("efsVolumeConfiguration", "fsxWindowsFileServerVolumeConfiguration", "s3filesVolumeConfiguration")


class Volumes:
    """The volumes of one task.

    Args:
        resources: What this emulator has in the engine.
        task_id: The task's id.

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
                    "volume %s stays for now: %s",
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
