"""What the service keeps: plain data, under AWS's names where AWS shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

NAMESPACE, DIMENSION = "ecs", "ecs:service:DesiredCount"
TRACKING, STEP = "TargetTrackingScaling", "StepScaling"
IN_SUSPENDED, OUT_SUSPENDED = "DynamicScalingInSuspended", "DynamicScalingOutSuspended"
SCHEDULED_SUSPENDED = "ScheduledScalingSuspended"
SUSPENSIONS = (IN_SUSPENDED, OUT_SUSPENDED, SCHEDULED_SUSPENDED)


@dataclass
class Cooldown:
    """The time after a change in which a policy does not repeat it.

    Attributes:
        base: The capacity before the change: a larger scale-out counts from there.
        until: Unix time of the emulated clock.
    """

    base: int
    until: float


@dataclass
class Policy:
    """A scaling policy.

    Attributes:
        configuration: `StepScalingPolicyConfiguration` or `TargetTrackingScalingPolicyConfiguration`.
        creator: The end of the alarms' action ARN; it names the service that created them.
        high: The name of the alarm that scales out; target tracking only.
        low: The name of the alarm that scales in; empty when the policy does not.
    """

    name: str
    arn: str
    type: str
    configuration: dict[str, Any]
    created_at: datetime
    creator: str = ""
    high: str = ""
    low: str = ""

    @property
    def alarms(self) -> list[str]:
        """The names of the alarms that the policy owns."""
        return [name for name in (self.high, self.low) if name]


@dataclass
class ScheduledAction:
    """A scheduled action.

    Attributes:
        settings: `Schedule`, `Timezone`, `StartTime`, `EndTime` and `ScalableTargetAction`, as given.
        next_run: Unix time of the emulated clock; None when it will not run again.
    """

    name: str
    arn: str
    settings: dict[str, Any]
    created_at: datetime
    next_run: float | None = None


@dataclass
class ScalableTarget:
    """A scalable target: the desired count of an ECS service.

    Attributes:
        waiting: The desired count still has to come into range; a deployment holds that back.
    """

    resource: str
    arn: str
    role: str
    minimum: int
    maximum: int
    created_at: datetime
    suspended: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(SUSPENSIONS, False))
    tags: dict[str, str] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    scheduled: dict[str, ScheduledAction] = field(default_factory=dict)
    scaled_out: Cooldown | None = None
    scaled_in: Cooldown | None = None
    waiting: bool = False

    @property
    def cluster(self) -> str:
        return self.resource.split("/")[1]

    @property
    def service(self) -> str:
        return self.resource.split("/")[2]

    def bounded(self, capacity: int) -> int:
        """Return a capacity within minimum and maximum."""
        return min(max(capacity, self.minimum), self.maximum)

    def key(self) -> dict[str, str]:
        """Return the members that name a target in every answer."""
        return {
            "ServiceNamespace": NAMESPACE,
            "ResourceId": self.resource,
            "ScalableDimension": DIMENSION,
        }


@dataclass
class Activity:
    """A scaling activity of a resource.

    Attributes:
        wanted: The desired count that was requested from ECS; None when there is nothing to wait for.
        reasons: `NotScaledReasons` of an activity that changed nothing.
    """

    id: str
    resource: str
    description: str
    cause: str
    started_at: datetime
    status: str
    message: str = ""
    ended_at: datetime | None = None
    wanted: int | None = None
    reasons: list[dict[str, Any]] = field(default_factory=list)
