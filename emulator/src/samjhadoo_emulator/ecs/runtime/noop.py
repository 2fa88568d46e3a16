"""Runs nothing: tasks go through their states without processes. For benchmarks of the machinery above."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from typing import TYPE_CHECKING

from samjhadoo_emulator.ecs.runtime.contract import ImageConfig, Launch, PulledImage, Usage
from samjhadoo_emulator.processes import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_STOPPED_BY_SIGTERM = 143
_KILLED = 137
FIRST_PORT, LAST_PORT = 20000, 60000
"""The ports that the first task and, at most, the last one report; 40 000 tasks in between."""


class NoopContainer:
    """A container that runs until it is stopped and in which every command succeeds."""

    reason = ""

    def __init__(self, runtime_id: str, addresses: dict[int, tuple[str, int]]) -> None:
        self.runtime_id = runtime_id
        self._addresses = addresses
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        """Return the exit code; see `Container`."""
        return await asyncio.shield(self._ended)

    def end(self, code: int) -> None:
        """End as if the process had ended with a code."""
        if not self._ended.done():
            self._ended.set_result(code)

    async def stop(self, grace: float) -> None:  # noqa: ARG002 - nothing to wait for
        """Stop at once; see `Container`."""
        self.end(_STOPPED_BY_SIGTERM)

    def kill(self) -> None:
        """End as if killed; see `Container`."""
        self.end(_KILLED)

    def suspend(self) -> None:
        """Do nothing, which is all it ever does; see `Container`."""

    def resume(self) -> None:
        """Go on doing nothing; see `Container`."""

    async def execute(self, command: Sequence[str], within: float) -> int | None:  # noqa: ARG002
        """Succeed; see `Container`."""
        return 0

    def address(self, port: int) -> tuple[str, int] | None:
        """Return an address at which nothing listens; see `Container`."""
        return self._addresses.get(port)

    async def usage(self) -> Usage | None:
        """Return that nothing is used; see `Container`."""
        return None if self._ended.done() else Usage(0.0, 0)


class NoopRuntime:
    """Containers without processes."""

    real = False

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self.containers: dict[tuple[str, str], NoopContainer] = {}

    async def pull(self, reference: str) -> PulledImage:
        """Return an image of which nothing is known but its reference; see `Runtime`."""
        return PulledImage(
            reference, f"sha256:{hashlib.sha256(reference.encode()).hexdigest()}", ImageConfig()
        )

    async def prepare(self, task_id: str, definition: Mapping[str, Any]) -> None:
        """Do nothing; see `Runtime`."""

    async def start(self, launch: Launch) -> NoopContainer:
        """Start nothing; see `Runtime`."""
        number = next(self._numbers)
        port = FIRST_PORT + number % (LAST_PORT - FIRST_PORT)
        addresses = dict.fromkeys(launch.ports, (LOOPBACK, port))
        container = NoopContainer(f"{launch.task_id}-{number}", addresses)
        self.containers[launch.task_id, launch.name] = container
        return container

    async def release(self, task_id: str) -> None:
        """Forget a task's containers; see `Runtime`."""
        for key in [key for key in self.containers if key[0] == task_id]:
            del self.containers[key]

    async def close(self) -> None:
        """End every container; see `Runtime`."""
        for container in self.containers.values():
            container.end(_STOPPED_BY_SIGTERM)
