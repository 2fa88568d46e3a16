"""How much capacity a policy wants, and whether it gets it: pure functions.

Source: Application Auto Scaling user guide, "How step scaling for Application Auto Scaling works" and "How
target tracking scaling for Application Auto Scaling works"; ECS developer guide, "Automatically scale your
Amazon ECS service". What they leave open is marked [I], for inference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.autoscaling.model import IN_SUSPENDED, OUT_SUSPENDED

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_emulator.autoscaling.model import ScalableTarget

AT_MAXIMUM, AT_MINIMUM = "AlreadyAtMaxCapacity", "AlreadyAtMinCapacity"
AT_DESIRED = "AlreadyAtDesiredCapacity"
FLAPPING = "AutoScalingAnticipatedFlapping"
UNSCALABLE = "TargetServicePutResourceAsUnscalable"
OUT, IN = "out", "in"


@dataclass(frozen=True)
class Decision:
    """The outcome of a policy's request.

    Attributes:
        capacity: The new desired count; None when nothing changes.
        direction: `out` or `in`; empty when the policy wants no change.
        reason: Why nothing changes (see `NotScaledReasons`); empty during a cooldown or a suspension.
    """

    capacity: int | None = None
    direction: str = ""
    reason: dict[str, Any] = field(default_factory=dict)


def step(configuration: dict[str, Any], breach: float) -> float | None:
    """Return the adjustment of the step that a breach of the threshold falls into.

    Above the threshold a step begins at its lower bound, below it ends with its upper one.
    """
    for each in configuration["StepAdjustments"]:
        low = float(each.get("MetricIntervalLowerBound", -math.inf))
        high = float(each.get("MetricIntervalUpperBound", math.inf))
        if (low <= breach < high) if breach >= 0 else (low < breach <= high):
            return float(each["ScalingAdjustment"])
    return None


def step_breach(configuration: dict[str, Any], values: list[float], threshold: float) -> float:
    """Return by how much the metric, aggregated by the policy's rule, exceeds a threshold.

    Without data the metric counts as being at the threshold [I].
    """
    if not values:
        return 0.0
    aggregate = {"Minimum": min, "Maximum": max}.get(configuration.get("MetricAggregationType", "Average"))
    return (aggregate(values) if aggregate else math.fsum(values) / len(values)) - threshold


def stepped(configuration: dict[str, Any], capacity: int, adjustment: float) -> int:
    """Return the capacity after an adjustment. Percentages are rounded towards zero, but not to zero."""
    kind = configuration["AdjustmentType"]
    if kind == "ExactCapacity":
        return int(adjustment)
    if kind == "ChangeInCapacity":
        return max(0, capacity + int(adjustment))
    change = capacity * adjustment / 100
    size = math.floor(abs(change)) if abs(change) >= 1 else math.ceil(abs(change))
    if adjustment:
        size = max(size, int(configuration.get("MinAdjustmentMagnitude") or 0))
    return max(0, capacity + int(math.copysign(size, adjustment)))


def tracked(capacity: int, value: float, target: float) -> int:
    """Return the capacity at which a metric that is shared out over it would be at its target."""
    wanted = capacity * value / target
    # 3.0000000000000004 tasks are 3.
    return math.ceil(round(wanted, 9))


def decide(
    target: ScalableTarget, current: int, propose: Callable[[int], int], *, now: float, deploying: bool
) -> Decision:
    """Return what a policy's request does to a target.

    The desired count is counted from; one that is out of range, from the bound (it comes into range first).
    During the cooldown of a scale-out, a larger one counts from the capacity before; scaling out ends the
    cooldown of a scale-in, which blocks only further ones. ECS is not scaled in while it deploys.

    Args:
        target: The target; it is not changed.
        propose: Gives the capacity that the policy wants, from the one that it counts from.
        now: Unix time of the emulated clock.
        deploying: A deployment of the service is in progress.
    """
    start = target.bounded(current)
    wanted = propose(start)
    if wanted < start:
        return _scale_in(target, current, wanted, now=now, deploying=deploying)
    cooldown = _active(target.scaled_out, now)
    if cooldown:
        wanted = propose(target.bounded(cooldown.base))
    if wanted == start and current >= start:
        return Decision(reason={} if cooldown else _reason(AT_DESIRED, current))
    if target.suspended[OUT_SUSPENDED]:
        return Decision(direction=OUT)
    if current >= target.maximum:
        return Decision(direction=OUT, reason={"Code": AT_MAXIMUM, "MaxCapacity": target.maximum})
    capacity = min(wanted, target.maximum)
    return Decision(capacity if capacity > current else None, OUT)


def _scale_in(target: ScalableTarget, current: int, wanted: int, *, now: float, deploying: bool) -> Decision:
    if target.suspended[IN_SUSPENDED]:
        return Decision(direction=IN)
    if current <= target.minimum:
        return Decision(direction=IN, reason={"Code": AT_MINIMUM, "MinCapacity": target.minimum})
    if deploying:
        return Decision(direction=IN, reason={"Code": UNSCALABLE})
    if _active(target.scaled_in, now):
        return Decision(direction=IN)
    return Decision(max(wanted, target.minimum), IN)


def _active(cooldown: Any, now: float) -> Any:
    return cooldown if cooldown is not None and now < cooldown.until else None


def _reason(code: str, current: int) -> dict[str, Any]:
    return {"Code": code, "CurrentCapacity": current}
