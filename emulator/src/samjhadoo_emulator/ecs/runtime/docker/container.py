"""One run of a container in the engine."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.runtime.contract import CannotStartError, Usage
from samjhadoo_emulator.ecs.runtime.docker import events
from samjhadoo_emulator.ecs.runtime.docker.engine import CONFLICT, EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from samjhadoo_emulator.ecs.runtime.docker.engine import Engine
    from samjhadoo_emulator.ecs.runtime.docker.events import Events
    from samjhadoo_emulator.ecs.runtime.docker.output import Output


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
        stop_signal: The signal that stops it.

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
