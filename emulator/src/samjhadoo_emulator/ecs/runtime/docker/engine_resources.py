"""What an emulator has in the engine: labels, a network, and a helper that removes all if it is killed."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, DockerException, NotFound

from samjhadoo_emulator import docker_engine
from samjhadoo_emulator.docker_cleanup import Reaper
from samjhadoo_emulator.ecs.runtime.docker.engine import Engine, EngineError
from samjhadoo_emulator.ecs.runtime.docker.events import Events
from samjhadoo_emulator.ecs.runtime.docker.images import canonical
from samjhadoo_emulator.errors import ConfigurationError
from samjhadoo_emulator.processes import MARKER

if TYPE_CHECKING:
    from samjhadoo_emulator.ecs.runtime.docker.settings import Settings

log = logging.getLogger(__name__)

EMULATOR = "samjhadoo-ops.emulator"
"""The label of what belongs to the tasks of one emulator; a stack has other containers, too."""
RUN = "samjhadoo-ops.run"
"""The label of what belongs to one run of that emulator."""
CONNECTIONS = 32


class EngineResources:
    """An emulator's part of the engine; `open` it before and `close` it after all runtimes.

    Args:
        settings: How tasks run.

    Raises:
        ConfigurationError: There is no engine, or it has no such network or image.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        client = docker_engine.connect(connections=CONNECTIONS)
        self._own = {EMULATOR: settings.owner}
        stack = os.environ.get(MARKER, "")
        project = stack[: stack.index("-") + 1] if "-" in stack else ""
        # An emulator killed and started again at once has a helper of the run before at work beside it.
        run = {RUN: uuid.uuid4().hex}
        self.labels = docker_engine.labels(stack or settings.owner, project) | self._own | run
        try:
            left = docker_engine.remove(client, self._own)
            if left:
                log.warning("left in the engine by an earlier run: %s", ", ".join(left))
            _check_image(client, settings.pause_image)
            self._reaper = Reaper(self._own | run)
            try:
                self.network = self._network(client)
            except BaseException:
                self._reaper.dismiss()
                raise
            about = client.info()
            self.cpus = int(about.get("NCPU") or 1)
            self.edge = _edge(about, settings)
        except (DockerException, OSError) as error:
            client.close()
            raise ConfigurationError(f"the Docker engine refuses: {error}") from error
        except ConfigurationError:
            client.close()
            raise
        self.engine = Engine(client)
        self._events: Events | None = None

    @property
    def events(self) -> Events:
        """The engine's events, listened to from the first use on."""
        if self._events is None:
            self._events = Events(self.engine, f"{EMULATOR}={self.settings.owner}")
        return self._events

    async def close(self) -> None:
        """Remove everything of this emulator from the engine."""
        if self._events is not None:
            self._events.close()
        try:
            left = await asyncio.to_thread(docker_engine.remove, self.engine.client, self._own)
            if left:
                log.warning("left in the engine: %s", ", ".join(left))
            self._reaper.dismiss()
        except (DockerException, OSError, EngineError) as error:
            log.warning("the engine could not be cleaned up: %s", error)
        self.engine.close()

    def _network(self, client: Any) -> str:
        name = self.settings.network
        if not name:
            made = client.networks.create(
                f"samjhadoo-tasks-{self.settings.owner[:12]}", driver="bridge", labels=self.labels
            )
            return str(made.id)
        try:
            return str(client.networks.get(name).id)
        except NotFound as error:
            raise ConfigurationError(
                f"--network {name}: the Docker engine has no such network",
                hint=f"docker network create {name}, or leave the option out",
            ) from error


def _check_image(client: Any, name: str) -> None:
    """Pull the pause image, unless the engine has it."""
    try:
        with suppress(NotFound):
            client.images.get(name)
            return
        log.info("pulling the pause image %s", name)
        client.api.pull(canonical(name))
        client.images.get(name)
    except (APIError, DockerException) as error:
        raise ConfigurationError(
            f"--pause-image {name}: the Docker engine neither has this image nor can it pull it: "
            f"{getattr(error, 'explanation', None) or error}",
            hint="name any image with python3",
        ) from error


def _edge(about: dict[str, Any], settings: Settings) -> str:
    """Return how the forwarder reaches the edge.

    Docker Desktop's engine is in a virtual machine: no socket leads out of it, but a name does.
    """
    if sys.platform == "linux" and about.get("OperatingSystem") != "Docker Desktop":
        return "unix:/run/edge.sock"
    return f"host.docker.internal:{settings.edge_port}"
