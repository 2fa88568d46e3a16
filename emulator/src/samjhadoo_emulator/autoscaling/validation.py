"""What PutScalingPolicy refuses. No I/O."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.errors import validation_exception

if TYPE_CHECKING:
    from collections.abc import Iterable

    from samjhadoo_emulator.autoscaling.model import Policy

MOST_STEPS = 20
UTILIZATION = {
    "ECSServiceAverageCPUUtilization": "CPUUtilization",
    "ECSServiceAverageMemoryUtilization": "MemoryUtilization",
}
REQUESTS = "ALBRequestCountPerTarget"
_SINGLE = ("MetricName", "Namespace", "Statistic", "Unit", "Dimensions")
_LABEL_PARTS = 6


def steps(given: dict[str, Any] | None, known: dict[str, Any] | None) -> dict[str, Any]:
    """Return a step scaling policy's configuration; what an update leaves out of the essentials stays.

    Raises:
        AwsError: The steps overlap or leave gaps, or members are missing or contradict each other.
    """
    if given is None:
        if known is None:
            raise validation_exception("StepScalingPolicyConfiguration must be specified")
        return known
    kept = {
        member: (known or {}).get(member)
        for member in ("AdjustmentType", "StepAdjustments")
        if member not in given
    }
    configuration = {**given, **{member: value for member, value in kept.items() if value is not None}}
    if not configuration.get("AdjustmentType"):
        raise validation_exception("AdjustmentType must be specified")
    if configuration.get("Cooldown", 0) < 0:
        raise validation_exception("Cooldown cannot be negative")
    percent = configuration["AdjustmentType"] == "PercentChangeInCapacity"
    if "MinAdjustmentMagnitude" in configuration and not (
        percent and configuration["MinAdjustmentMagnitude"] > 0
    ):
        raise validation_exception(
            "MinAdjustmentMagnitude must be positive, and the adjustment type PercentChangeInCapacity"
        )
    _check_steps(configuration.get("StepAdjustments") or [], configuration["AdjustmentType"])
    return configuration


def _check_steps(given: list[dict[str, Any]], adjustment_type: str) -> None:
    if not given:
        raise validation_exception("At least one StepAdjustment must be specified")
    if len(given) > MOST_STEPS:
        raise validation_exception(f"A policy can have at most {MOST_STEPS} step adjustments")
    _check_intervals(
        sorted(
            (
                float(each.get("MetricIntervalLowerBound", -math.inf)),
                float(each.get("MetricIntervalUpperBound", math.inf)),
            )
            for each in given
        )
    )
    if adjustment_type == "ExactCapacity" and any(each["ScalingAdjustment"] < 0 for each in given):
        raise validation_exception(
            "ScalingAdjustment cannot be negative when the adjustment type is ExactCapacity"
        )


def _check_intervals(intervals: list[tuple[float, float]]) -> None:
    for low, high in intervals:
        if math.isinf(low) and math.isinf(high):
            raise validation_exception("At least one bound of a StepAdjustment must be specified")
        if low >= high:
            raise validation_exception(
                "The upper bound of a StepAdjustment must be greater than its lower bound"
            )
    for (_, end), (start, _) in itertools.pairwise(intervals):
        if start != end:
            wrong = "overlap" if start < end else "have a gap between them"
            raise validation_exception(f"StepAdjustment intervals {wrong}")
    first, last = intervals[0][0], intervals[-1][1]
    if first < 0 and not math.isinf(first):
        raise validation_exception("Negative StepAdjustment intervals must end in one without a lower bound")
    if last > 0 and not math.isinf(last):
        raise validation_exception("Positive StepAdjustment intervals must end in one without an upper bound")


def tracking(given: dict[str, Any] | None, known: dict[str, Any] | None) -> dict[str, Any]:
    """Return a target tracking policy's configuration; an update that names no metric keeps the metric.

    Raises:
        AwsError: Members are missing or contradict each other.
    """
    if given is None:
        if known is None:
            raise validation_exception("TargetTrackingScalingPolicyConfiguration must be specified")
        return known
    members = ("PredefinedMetricSpecification", "CustomizedMetricSpecification")
    configuration = dict(given)
    if not any(member in given for member in members):
        configuration |= {member: known[member] for member in members if known and member in known}
    if configuration["TargetValue"] <= 0:
        raise validation_exception("TargetValue must be greater than 0")
    if min(configuration.get("ScaleOutCooldown", 0), configuration.get("ScaleInCooldown", 0)) < 0:
        raise validation_exception("Cooldown cannot be negative")
    predefined, customized = (configuration.get(member) for member in members)
    if (predefined is None) == (customized is None):
        raise validation_exception(
            "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified"
        )
    if predefined is not None:
        _check_predefined(predefined)
    if customized is not None:
        _check_customized(customized)
    return configuration


def _check_predefined(metric: dict[str, Any]) -> None:
    kind, label = metric["PredefinedMetricType"], metric.get("ResourceLabel")
    if kind == REQUESTS:
        if not label:
            raise validation_exception(
                f"Resource label should be specified for predefined metric type {kind}"
            )
        if labelled(label) is None:
            raise validation_exception(f"Invalid resource label '{label}' for predefined metric type {kind}")
    elif kind not in UTILIZATION:
        raise validation_exception(
            f"Predefined metric type {kind} is not supported for scalable dimension of ecs here"
        )
    elif label:
        raise validation_exception(
            f"Resource label should not be specified for predefined metric type {kind}"
        )


def _check_customized(metric: dict[str, Any]) -> None:
    if metric.get("Metrics"):
        given = [member for member in _SINGLE if metric.get(member)]
        if given:
            raise validation_exception(f"Metrics cannot be combined with {', '.join(given)}")
        return
    for member in ("MetricName", "Namespace", "Statistic"):
        if not metric.get(member):
            raise validation_exception(f"{member} must be specified for a customized metric")


def labelled(label: str) -> tuple[str, str] | None:
    """Return the load balancer and the target group of a resource label, as CloudWatch's dimensions."""
    parts = label.split("/")
    if len(parts) != _LABEL_PARTS or not all(parts) or (parts[0], parts[3]) != ("app", "targetgroup"):
        return None
    return "/".join(parts[:3]), "/".join(parts[3:])


def check_unique(configuration: dict[str, Any], others: Iterable[Policy]) -> None:
    """Refuse a second target tracking policy of the same metric."""
    members = ("PredefinedMetricSpecification", "CustomizedMetricSpecification")
    for other in others:
        if all(configuration.get(member) == other.configuration.get(member) for member in members):
            raise validation_exception(
                "Only one TargetTrackingScaling policy for a given metric specification is allowed."
            )
