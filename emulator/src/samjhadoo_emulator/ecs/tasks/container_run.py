"""The life cycle of one container in a task: wait for dependencies, run, be checked, restarted, stopped."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.runtime import CannotStartError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samjhadoo_emulator.clock import Clock
    from samjhadoo_emulator.ecs.runtime import Container, Launch, Runtime
    from samjhadoo_emulator.ecs.tasks.task import ContainerState

INTERVAL, TIMEOUT, RETRIES = 30, 5, 3
FLOOR, STARTING_FLOOR = 1.0, 0.25


def health_command(command: list[str]) -> list[str]:
    """Return the command line of a health check's command; empty if it disables the check."""
    kind, *words = command or ["NONE"]
    if kind == "NONE":
        return []
    if kind == "CMD-SHELL":
        return ["/bin/sh", "-c", " ".join(words)]
    return words if kind == "CMD" else [kind, *words]


async def watch_health(
    container: Container, check: dict[str, Any], *, clock: Clock, report: Callable[[str], None]
) -> None:
    """Check a container for as long as it is not cancelled; report HEALTHY and UNHEALTHY as they change.

    Args:
        check: The container definition's `healthCheck`.
        clock: Whose seconds the interval is in.
    """
    command = health_command(check["command"])
    if not command:
        return
    loop = asyncio.get_running_loop()
    interval = clock.real(float(check.get("interval") or INTERVAL))
    counts_from = loop.time() + float(check.get("startPeriod") or 0)
    within = max(float(check.get("timeout") or TIMEOUT), TIMEOUT)
    retries = int(check.get("retries") or RETRIES)
    status, failures = "", 0
    while True:
        await asyncio.sleep(max(interval, FLOOR if status else STARTING_FLOOR))
        try:
            code = await container.execute(command, within)
            found = f"exit code {code}" if code is not None else f"did not end within {within:g} s"
        except CannotStartError as error:
            code, found = None, str(error)
        passed = code == 0
        now = loop.time()
        if passed:
            failures, counts_from = 0, now  # a container that has answered once has started
        elif now >= counts_from:
            failures += 1
            counts_from = now + (0.0 if status else FLOOR)
        verdict = "HEALTHY" if passed else "UNHEALTHY" if failures >= retries else status
        if verdict != status:
            status = verdict
            log.info("container %s is %s: its check: %s", container.runtime_id, status, found)
            report(status)


log = logging.getLogger(__name__)

STOP_TIMEOUT = 30
DEPENDENCY_TIMEOUT = 3 * 3600
"""Seconds of the emulated clock after which ECS gives up a task that waits for a dependency without
`startTimeout` (aws/containers-roadmap#2379); but never less than `LEAST_DEPENDENCY_TIMEOUT` real seconds."""
LEAST_DEPENDENCY_TIMEOUT = 180
RESTART_ATTEMPT_PERIOD = 60


class CannotRunError(Exception):
    """An essential container was not started."""


class ContainerRun:
    """One container of a task.

    Args:
        state: Its visible state; changed here only.
        runtime: What runs it.
        launch: How it is started.
        changed: Called after every change of the state.
    """

    def __init__(
        self,
        state: ContainerState,
        *,
        runtime: Runtime,
        launch: Launch,
        clock: Clock,
        changed: Callable[[], None],
    ) -> None:
        self.state = state
        self._runtime = runtime
        self._launch = launch
        self._clock = clock
        self._changed = changed
        self._signal = asyncio.Condition()
        self._checks: asyncio.Task[None] | None = None
        self._stopping = False
        self._starting: asyncio.Task[Any] | None = None
        self.settled = asyncio.Event()
        """It has been started, or never will be."""
        self.ended = asyncio.Event()

    async def run(self, others: Mapping[str, ContainerRun]) -> None:
        """Run to the end.

        Args:
            others: The task's containers by name.

        Raises:
            CannotRunError: It is essential and was not started.
        """
        try:
            await self._dependencies(others)
            while True:
                await self._start()
                if not await self._finish():
                    return
        except CannotStartError as error:
            await self._never(f"CannotStartContainerError: {error}")
            if self.state.essential:
                raise CannotRunError from error
        finally:
            self.settled.set()
            self.ended.set()

    async def stop(self) -> None:
        """Stop it, and wait for its end: first its stop signal, after `stopTimeout` SIGKILL."""
        self._stopping = True
        if self._starting is not None:
            await asyncio.wait({self._starting})
        handle = self.state.handle
        if handle is not None and self.state.last_status == "RUNNING":
            await handle.stop(float(self.state.definition.get("stopTimeout", STOP_TIMEOUT)))
            await self.ended.wait()

    async def reached(self, condition: str) -> bool:
        """Wait until it fulfils a condition of `dependsOn`; return whether it did; it may never."""
        async with self._signal:
            await self._signal.wait_for(lambda: self._fulfils(condition) or self._is_over())
        return self._fulfils(condition)

    def _fulfils(self, condition: str) -> bool:
        state = self.state
        if condition == "HEALTHY":
            return state.health_status == "HEALTHY" and state.last_status == "RUNNING"
        if condition == "COMPLETE":
            return self._is_over() and state.exit_code is not None
        if condition == "SUCCESS":
            return self._is_over() and state.exit_code == 0
        return state.handle is not None

    def _is_over(self) -> bool:
        return self.state.last_status == "STOPPED"

    async def _dependencies(self, others: Mapping[str, ContainerRun]) -> None:
        """Wait for what it depends on.

        `startTimeout` (real seconds, from the other one's start) bounds the wait *for* a container.
        """
        for dependency in self.state.definition.get("dependsOn", []):
            other, condition = others[dependency["containerName"]], dependency["condition"]
            limit = other.state.definition.get("startTimeout") or max(
                self._clock.real(DEPENDENCY_TIMEOUT), LEAST_DEPENDENCY_TIMEOUT
            )
            failed = f"dependency graph: container ordering dependency [{other.state.name}] for target "
            await other.reached("START")
            try:
                async with asyncio.timeout(limit):
                    reached = await other.reached(condition)
            except TimeoutError as error:
                raise CannotStartError(f"{failed}[{self.state.name}] has timed out.") from error
            if not reached:
                raise CannotStartError(f"{failed}[{self.state.name}] cannot reach {condition}.")

    async def _start(self) -> None:
        # Never half started: who stops the task waits for this and then stops the result.
        self._starting = asyncio.get_running_loop().create_task(self._launch_it())
        try:
            await asyncio.shield(self._starting)
        finally:
            if self._starting.done():
                self._starting = None
        self.settled.set()

    async def _launch_it(self) -> None:
        handle = await self._runtime.start(self._launch)
        self.state.handle = handle
        self.state.exit_code = None
        await self._become("RUNNING")
        check = self.state.definition.get("healthCheck")
        if check and self._runtime.real:
            watching = watch_health(handle, check, clock=self._clock, report=self._health)
            self._checks = asyncio.get_running_loop().create_task(watching)
        elif check:
            self._health("HEALTHY")

    async def _finish(self) -> bool:
        """Wait for the end; return whether to start again."""
        handle = self.state.handle
        if handle is None:
            return False
        since = self._clock.timestamp()
        self.state.exit_code = await handle.wait()
        self.state.reason = handle.reason
        if self._checks is not None:
            self._checks.cancel()
            await asyncio.wait({self._checks})
        if self._restarts(self.state.exit_code, self._clock.timestamp() - since):
            self.state.health_status = "UNKNOWN"
            return True
        await self._become("STOPPED")
        return False

    def _restarts(self, code: int, seconds: float) -> bool:
        policy = self.state.definition.get("restartPolicy") or {}
        return (
            bool(policy.get("enabled"))
            and not self._stopping
            and code not in policy.get("ignoredExitCodes", [])
            and seconds >= (policy.get("restartAttemptPeriod") or RESTART_ATTEMPT_PERIOD)
        )

    async def _never(self, reason: str) -> None:
        self.state.reason = reason
        await self._become("STOPPED")

    async def _become(self, status: str) -> None:
        self.state.last_status = status
        await self._tell()

    def _health(self, status: str) -> None:
        self.state.health_status = status
        self._telling = asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        self._changed()
        async with self._signal:
            self._signal.notify_all()
