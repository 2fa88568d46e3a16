"""One run of a container in the engine."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.runtime.contract import CannotStartError, Usage
from samjhadoo_emulator.ecs.runtime.docker import events
from samjhadoo_emulator.ecs.runtime.docker.engine import CONFLICT, EngineError
from samjhadoo_emulator.ecs.runtime.docker.execution import Execution

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from samjhadoo_emulator.ecs.runtime.docker.engine import Engine
    from samjhadoo_emulator.ecs.runtime.docker.events import Events
    from samjhadoo_emulator.ecs.runtime.docker.output import Output

log = logging.getLogger(__name__)

KILLED = 128 + signal.SIGKILL
DRAIN_SECONDS = 5.0
KILL_SECONDS, KILL_ATTEMPTS = 5.0, 6
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
ENGINE_LOST = "DockerTimeoutError: the Docker engine does not answer"


class DockerContainer:
    """A container that has been started.

    Args:
        events: Reports its end.
        container: Its id in the engine.
        addresses: Where its ports are reached from the host.
        output: What it writes.
        stop_signal: What asks it to end.

    Attributes:
        reason: Why it ended, in ECS's words; empty if its exit code says everything.

    """

    def __init__(
        self,
        engine: Engine,
        events: Events,
        container: str,
        *,
        addresses: Mapping[int, tuple[str, int]],
        output: Output,
        stop_signal: str,
    ) -> None:
        self._engine = engine
        self._events = events
        self._id = container
        self._addresses = dict(addresses)
        self._output = output
        self._stop_signal = stop_signal
        self._begun = False
        self._out_of_memory = False
        self._suspended = False
        self._end: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._ending: asyncio.Task[None] | None = None
        self._order = asyncio.Lock()
        self._orders: set[asyncio.Task[None]] = set()
        self._execution = Execution(engine, events, container)
        self.reason = ""
        events.listen(container, self._hear)

    @property
    def runtime_id(self) -> str:
        """Its id in the engine."""
        return self._id

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._ending is None

    async def start(self) -> None:
        """Start it.

        Raises:
            CannotStartError: The engine cannot.

        """
        try:
            await self._output.attach(self._engine, self._id)
            await self._engine.call(self._engine.api.start, self._id)
        except EngineError as error:
            self._events.forget(self._id)
            self._output.close()
            raise CannotStartError(f"failed to create task: {error}") from error
        self._begun = True

    async def wait(self) -> int:
        """Return the exit code; see `Container`."""
        return await asyncio.shield(self._end)

    async def stop(self, grace: float) -> None:
        """Stop it; see `Container`."""
        if self._suspended:
            self.resume()  # a suspended process would not hear it
        if self.running:
            self._order_it(self._engine.signal(self._id, self._stop_signal))
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await self.wait()
        if self.running:
            await self._kill_surely()

    def kill(self) -> None:
        """Send SIGKILL; returns at once."""
        if self._suspended:
            self.resume()
        if self.running:
            self._order_it(self._engine.signal(self._id, "SIGKILL"))

    async def _kill_surely(self) -> None:
        """Kill it and wait for its end. An engine under load may lose a signal, or not report an end."""
        for _ in range(KILL_ATTEMPTS):
            self.kill()
            with suppress(TimeoutError):
                async with asyncio.timeout(KILL_SECONDS):
                    await self.wait()
                    return
            self._events.check(self._id)
        self.lose()

    def suspend(self) -> None:
        """Freeze it; see `Container`."""
        if self.running:
            self._suspended = True
            self._order_it(self._freeze(self._engine.api.pause))

    def resume(self) -> None:
        """Let it go on; see `Container`."""
        if self._suspended:
            self._suspended = False
            self._order_it(self._freeze(self._engine.api.unpause))

    async def execute(self, command: Sequence[str], within: float) -> int | None:
        """Run a command in it; see `Container`."""
        if not self.running:
            return KILLED
        return await self._execution.run(command, within)

    def address(self, port: int) -> tuple[str, int] | None:
        """Return where a port is reached; see `Container`."""
        return self._addresses.get(port)

    async def usage(self) -> Usage | None:
        """Return what it uses; see `Container`."""
        if not self.running:
            return None
        try:
            found = await self._engine.call(self._engine.api.stats, self._id, stream=False, one_shot=True)
        except EngineError:
            return None
        memory = found.get("memory_stats") or {}
        if "usage" not in memory:
            return None
        details = memory.get("stats") or {}
        # As `docker stats` and the ECS agent count it: without what the kernel would give back at once.
        cache = details.get("total_inactive_file", details.get("inactive_file", 0))
        return Usage(found["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9, max(0, memory["usage"] - cache))

    def lose(self) -> None:
        """Treat it as ended: the engine will report nothing more of it."""
        self._ended(KILLED, "")

    def _hear(self, action: str, attributes: dict[str, str]) -> None:
        if action == "start":
            self._begun = True
        elif action == "oom":
            self._out_of_memory = True
        elif action == events.LOST:
            self._ended(KILLED, ENGINE_LOST)
        elif self._begun and action in ("die", "destroy", events.FOUND):
            self._ended(int(attributes.get("exitCode") or KILLED), "")

    def _ended(self, code: int, reason: str) -> None:
        if self._ending is None:
            self._events.forget(self._id)
            self._execution.close()
            self._ending = asyncio.get_running_loop().create_task(self._finish(code, reason))

    async def _finish(self, code: int, reason: str) -> None:
        if not reason and (self._out_of_memory or code == KILLED) and await self._ran_out_of_memory():
            reason = OUT_OF_MEMORY
        await self._output.drained(DRAIN_SECONDS)
        self.reason = reason
        self._end.set_result(code)

    async def _ran_out_of_memory(self) -> bool:
        try:
            found = await self._engine.call(self._engine.api.inspect_container, self._id)
        except EngineError:
            return self._out_of_memory
        return bool(found["State"].get("OOMKilled")) or self._out_of_memory

    async def _freeze(self, method: Callable[..., Any]) -> None:
        try:
            await self._engine.call(method, self._id)
        except EngineError as error:
            if error.status != CONFLICT and self.running:
                log.warning("container %s cannot be suspended or resumed: %s", self._id[:12], error)

    def _order_it(self, order: Coroutine[Any, Any, None]) -> None:
        """Have something done to it, after what was ordered before."""

        async def obey() -> None:
            async with self._order:
                await order

        task = asyncio.get_running_loop().create_task(obey())
        self._orders.add(task)
        task.add_done_callback(self._orders.discard)
