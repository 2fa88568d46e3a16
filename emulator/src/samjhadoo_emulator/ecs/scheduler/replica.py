"""A task as the service scheduler sees it: where its traffic comes from and how healthy it is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from samjhadoo_emulator.ecs.model import Revision
    from samjhadoo_emulator.ecs.tasks import Task

STARTING = ("PROVISIONING", "PENDING", "ACTIVATING")
SETTLING_TIME = 0.5
"""Real seconds that a task without health checks must have been running to count as started."""


class RegisteredTarget(NamedTuple):
    """A registration in a target group."""

    group: str
    address: str
    port: int

    def key(self) -> dict[str, Any]:
        return {"Id": self.address, "Port": self.port}


class Phase(Enum):
    """What the scheduler does with a replica.

    A replica that is being replaced is unhealthy and stays registered until another is healthy in its place
    (AWS, 23 October 2023: "first start a healthy replacement for each unhealthy task").
    """

    SERVING = auto()
    REPLACING = auto()
    DRAINING = auto()
    STOPPING = auto()


@dataclass
class Replica:
    """One task of a service.

    Attributes:
        health: (state, reason, description) of each target as last described.
        running_since: Real monotonic seconds at which it was first seen running.
        was_healthy: It has been healthy once.
        counted: Its failure has been counted before it is stopped.
        stop_reason: Why the scheduler stops it; empty while it does not.
    """

    task: Task
    revision: Revision
    checked: bool
    balanced: bool
    phase: Phase = Phase.SERVING
    targets: tuple[RegisteredTarget, ...] = ()
    health: dict[RegisteredTarget, tuple[str, str, str]] = field(default_factory=dict)
    running_since: float | None = None
    was_healthy: bool = False
    stop_reason: str = ""
    stop_code: str = "ServiceSchedulerInitiated"
    unhealthy: bool = False
    counted: bool = False

    @property
    def running(self) -> bool:
        return self.task.last_status == "RUNNING"

    @property
    def pending(self) -> bool:
        return self.task.last_status in STARTING

    @property
    def stopped(self) -> bool:
        return self.task.last_status == "STOPPED"

    @property
    def healthy(self) -> bool:
        """Whether it is serving, and fit."""
        return self.phase is Phase.SERVING and self.fit

    @property
    def fit(self) -> bool:
        """Whether it runs and passes all checks of containers and targets; without any, runs for a while."""
        if not self.running:
            return False
        if self.checked and self.task.health_status != "HEALTHY":
            return False
        if self.balanced:
            return bool(self.targets) and all(self._state(target) == "healthy" for target in self.targets)
        return self.checked or self.age >= SETTLING_TIME

    @property
    def age(self) -> float:
        """Real seconds since it was first seen running."""
        return 0.0 if self.running_since is None else time.monotonic() - self.running_since

    def failing_target(self) -> tuple[RegisteredTarget, tuple[str, str, str]] | None:
        """Return a target that fails its health checks, if any."""
        for target in self.targets:
            if self._state(target) == "unhealthy":
                return target, self.health[target]
        return None

    def _state(self, target: RegisteredTarget) -> str:
        return self.health.get(target, ("initial", "", ""))[0]
