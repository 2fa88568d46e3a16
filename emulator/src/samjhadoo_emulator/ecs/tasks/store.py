"""The tasks of a region."""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import shutil
from collections import deque
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.arns import Home
from samjhadoo_emulator.ecs.tasks.driver import TaskDriver
from samjhadoo_emulator.ecs.tasks.task import ContainerState, Task

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from samjhadoo_emulator.ecs.runtime import Runtime
    from samjhadoo_emulator.ecs.tasks.request import TaskRequest
    from samjhadoo_emulator.service import AwsApi, Host

log = logging.getLogger(__name__)

KEPT_SECONDS = 3600
"""Emulated seconds for which AWS shows a stopped task at least."""
KEPT_REAL_SECONDS = 600
"""Real seconds for which a stopped task can still be described."""
MOST_STOPPED = 5000


class Tasks:
    """The tasks of a region.

    Args:
        host: What the emulator gives live services.
        spawn: Runs work in the background: `spawn(coroutine, name=…)`.
        runtime: What runs containers.
    """

    def __init__(
        self, host: Host, region: str, aws: AwsApi, spawn: Callable[..., asyncio.Task[None]], runtime: Runtime
    ) -> None:
        self._host = host
        self._region = region
        self._aws = aws
        self._spawn = spawn
        self.runtime = runtime
        self._numbers = itertools.count(1)
        self.tasks: dict[str, Task] = {}
        self._drivers: dict[str, TaskDriver] = {}
        self._work: dict[str, asyncio.Task[None]] = {}
        self._stopped: deque[tuple[float, Task]] = deque()
        self._listeners: list[Callable[[Task], None]] = []

    def subscribe(self, listener: Callable[[Task], None]) -> None:
        """Have a function called on the event loop at every visible change of a task."""
        self._listeners.append(listener)

    def start(self, request: TaskRequest) -> Task:
        """Start a task; returns at once, everything else happens in the background."""
        self._forget()
        task_id = secrets.token_hex(16)
        task = Task(
            request,
            id=task_id,
            arn=self._arn("task", request.cluster_name, task_id),
            created_at=self._host.clock.now(),
            number=next(self._numbers),
            containers=[
                ContainerState(
                    definition, self._arn("container", request.cluster_name, task_id, secrets.token_hex(16))
                )
                for definition in request.containers
            ],
            tags=list(request.tags),
        )
        self.tasks[task.arn] = task
        driver = TaskDriver(
            task,
            host=self._host,
            region=self._region,
            aws=self._aws,
            runtime=self.runtime,
            changed=lambda: self._changed(task),
        )
        self._drivers[task.arn] = driver
        work = self._spawn(driver.drive(), name=f"task {task_id}")
        self._work[task.arn] = work
        work.add_done_callback(lambda _: self._done(task))
        return task

    def stop(self, task: Task, *, reason: str, code: str) -> None:
        """Have a task stopped; the first reason counts, later calls do nothing.

        Args:
            code: The `stopCode`: UserInitiated, ServiceSchedulerInitiated …
        """
        driver = self._drivers.get(task.arn)
        if driver is not None:
            driver.end(reason, code)

    def protect(self, task: Task, until: datetime | None) -> None:
        """Protect a task from being stopped by its service's scheduler, or no longer."""
        task.protected_until = until
        self._changed(task)

    async def close(self) -> None:
        """End every container at once, and all work for tasks."""
        await self.runtime.close()
        work = list(self._work.values())
        for each in work:
            each.cancel()
        await asyncio.gather(*work, return_exceptions=True)

    def _changed(self, task: Task) -> None:
        task.version += 1
        for listener in self._listeners:
            try:
                listener(task)
            except Exception:
                log.exception("a listener failed on task %s", task.id)

    def _done(self, task: Task) -> None:
        self._drivers.pop(task.arn, None)
        self._work.pop(task.arn, None)
        kept = max(self._host.clock.real(KEPT_SECONDS), KEPT_REAL_SECONDS)
        self._stopped.append((asyncio.get_running_loop().time() + kept, task))

    def _forget(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._stopped and (self._stopped[0][0] < now or len(self._stopped) > MOST_STOPPED):
            _, task = self._stopped.popleft()
            self.tasks.pop(task.arn, None)
            shutil.rmtree(self._host.data_dir / "logs" / task.id, ignore_errors=True)

    def _arn(self, *parts: Any) -> str:
        return Home("ecs", self._region, self._host.account).prefix + "/".join(parts)
