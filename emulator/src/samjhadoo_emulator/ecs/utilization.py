"""`AWS/ECS` metrics: CPU and memory of services as a share of what their tasks reserve, from real processes.

Source: "Amazon ECS service utilization metrics". Each task is one observation in a minute. CPU is what its
processes took since the last reading, in real time: a core busy all the time is 1,024 units.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.runtime.contract import Usage
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from samjhadoo_emulator.clock import Clock
    from samjhadoo_emulator.ecs.tasks import Task
    from samjhadoo_emulator.service import AwsApi

log = logging.getLogger(__name__)

NAMESPACE = "AWS/ECS"
MINUTE = 60
SHORTEST_PAUSE = 0.5
"""Real seconds between two readings at least, however fast the emulated clock runs."""
SHARE = 0.01
"""The most of a core that readings may take: with many tasks they become rarer."""
MARGIN = 1.0
MOST_MINUTES = 60
MIB = 1024 * 1024
CORE_UNITS = 1024

Service = tuple[str, str]
"""The names of a service's cluster and of the service."""


@dataclass
class Sizes:
    """Utilizations of a service's tasks, in percent."""

    cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


class Utilization:
    """Reads what tasks use, and publishes it once in an emulated minute as far as real time allows.

    Args:
        tasks: The tasks that there are, by ARN.
        aws: The region's AWS API.
    """

    def __init__(self, tasks: dict[str, Task], aws: AwsApi, clock: Clock) -> None:
        self._tasks = tasks
        self._aws = aws
        self._clock = clock
        self._before: dict[str, tuple[float, float]] = {}
        self._published = 0

    async def publish(self) -> None:
        """Publish while there are running tasks of services, and return once there are none."""
        pause = SHORTEST_PAUSE
        while running := self._running():
            await asyncio.sleep(self._until_minute_end(pause))
            began = time.perf_counter()
            usages = await _read(running)
            pause = max(SHORTEST_PAUSE, (time.perf_counter() - began) / SHARE)
            services = self._sizes(running, usages)
            try:
                await self._put(services)
            except AwsError as error:
                log.warning("metrics are lost: %s", error.message)

    def _running(self) -> list[Task]:
        return [
            task
            for task in self._tasks.values()
            if task.last_status == "RUNNING" and task.group.startswith("service:")
        ]

    def _until_minute_end(self, floor: float) -> float:
        now = self._clock.timestamp()
        earliest = now + max(MINUTE / 2, floor * self._clock.rate - MINUTE / 2)
        return self._clock.real(-(-earliest // MINUTE) * MINUTE + MARGIN - now)

    def _sizes(self, running: list[Task], usages: dict[str, Usage]) -> dict[Service, Sizes]:
        now, services, seen = time.monotonic(), defaultdict[Service, Sizes](Sizes), {}
        for task in running:
            usage = usages.get(task.arn)
            if usage is None:
                continue
            seen[task.arn] = now, usage.cpu_seconds
            cpu, memory = reserved(task)
            sizes = services[task.request.cluster_name, task.group.partition(":")[2]]
            before = self._before.get(task.arn)
            if before and now > before[0] and cpu:
                # A container that was restarted has taken less than before.
                used = max(0.0, usage.cpu_seconds - before[1]) / (now - before[0])
                sizes.cpu.append(100 * used * CORE_UNITS / cpu)
            if memory:
                sizes.memory.append(100 * usage.memory_bytes / (memory * MIB))
        self._before = seen
        return services

    async def _put(self, services: dict[Service, Sizes]) -> None:
        """Put observations at every minute since the last time: they are the mean of all of it."""
        last = int(self._clock.timestamp() // MINUTE) * MINUTE - MINUTE
        first = max(self._published + MINUTE, last - MOST_MINUTES * MINUTE) if self._published else last
        self._published = last
        data = [
            {
                "MetricName": name,
                "Dimensions": [
                    {"Name": "ClusterName", "Value": cluster},
                    {"Name": "ServiceName", "Value": service},
                ],
                "Unit": "Percent",
                "Values": values,
                "Timestamp": datetime.fromtimestamp(minute, UTC),
            }
            for (cluster, service), sizes in services.items()
            for name, values in (("CPUUtilization", sizes.cpu), ("MemoryUtilization", sizes.memory))
            if values
            for minute in range(first, last + MINUTE, MINUTE)
        ]
        if data:
            await self._aws.call("cloudwatch", "PutMetricData", Namespace=NAMESPACE, MetricData=data)


def reserved(task: Task) -> tuple[float, float]:
    """Return the CPU units and the MiB that a task reserves: its own, or those of its containers."""
    definition: dict[str, Any] = task.request.task_definition
    overrides = task.request.overrides
    containers = [container.definition for container in task.containers]
    cpu = _number(overrides.get("cpu") or definition.get("cpu")) or sum(
        _number(each.get("cpu")) for each in containers
    )
    memory = _number(overrides.get("memory") or definition.get("memory")) or sum(
        _number(each.get("memoryReservation") or each.get("memory")) for each in containers
    )
    return cpu, memory


def _number(value: Any) -> float:
    try:
        return float(value or 0)
    except ValueError:
        return 0.0


async def _read(tasks: Iterable[Task]) -> dict[str, Usage]:
    """Return what each task uses; runtimes read it in threads, as that takes time."""
    found = {}
    for task in tasks:
        handles = [container.handle for container in task.containers if container.handle]
        read = await asyncio.gather(*(handle.usage() for handle in handles))
        usages = [usage for usage in read if usage is not None]
        if usages:
            found[task.arn] = Usage(
                sum(usage.cpu_seconds for usage in usages), sum(usage.memory_bytes for usage in usages)
            )
    return found
