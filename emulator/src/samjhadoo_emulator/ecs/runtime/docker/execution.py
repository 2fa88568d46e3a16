"""Commands run in a container that runs: health checks.

The API has no call that ends such a command. One that takes too long is killed where its process id is this
host's and may be signalled; where not, no further one is begun before it has ended, so that none pile up.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_emulator.ecs.runtime.contract import CannotStartError
from samjhadoo_emulator.ecs.runtime.docker.engine import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_emulator.ecs.runtime.docker.engine import Engine
    from samjhadoo_emulator.ecs.runtime.docker.events import Events


class Execution:
    """Runs commands in one container, one of those that hang at a time.

    Args:
        events: Reports a command's end.
        container: The container's id.

    """

    def __init__(self, engine: Engine, events: Events, container: str) -> None:
        self._engine = engine
        self._events = events
        self._container = container
        self._late: asyncio.Future[int] | None = None
        self._running: set[asyncio.Future[int]] = set()

    async def run(self, command: Sequence[str], within: float) -> int | None:
        """Return a command's exit code; None if it took longer than `within` real seconds.

        Raises:
            CannotStartError: The engine refuses.

        """
        try:
            async with asyncio.timeout(within):
                if self._late is not None:
                    await asyncio.wait({self._late})
                return await self._run(command)
        except TimeoutError:
            return None
        except EngineError as error:
            raise CannotStartError(f"failed to exec: {error}") from error

    def close(self) -> None:
        """Treat all commands as ended: their container has ended."""
        for ended in list(self._running):
            if not ended.done():
                ended.set_result(128 + signal.SIGKILL)

    async def _run(self, command: Sequence[str]) -> int:
        api = self._engine.api
        made = await self._engine.call(api.exec_create, self._container, list(command))
        ended = self._events.execution(made["Id"])
        self._running.add(ended)
        ended.add_done_callback(self._running.discard)
        try:
            await self._engine.call(api.exec_start, made["Id"], detach=True)
            return await asyncio.shield(ended)
        except asyncio.CancelledError:
            if not ended.done():
                self._late = ended
                # Begun in any case: a thread has asked the engine already.
                self._killing = asyncio.get_running_loop().create_task(self._kill(made["Id"]))
            raise

    async def _kill(self, exec_id: str) -> None:
        with suppress(EngineError):
            found = await self._engine.call(self._engine.api.exec_inspect, exec_id)
            if found.get("Running"):
                await asyncio.to_thread(self._kill_here, int(found.get("Pid") or 0))

    def _kill_here(self, pid: int) -> None:
        """Kill a process of the container if the engine's process ids are this host's."""
        with suppress(OSError):
            if pid and self._container in Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8"):
                os.kill(pid, signal.SIGKILL)
