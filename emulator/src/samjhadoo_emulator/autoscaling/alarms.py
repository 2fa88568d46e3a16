"""The two alarms of a target tracking policy: as AWS makes them. No I/O.

Source: alarms that AWS made for such policies; the low one watches for 90 % of the target. A policy that does
not scale in has no low alarm.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.autoscaling.validation import REQUESTS, UTILIZATION, labelled

if TYPE_CHECKING:
    from samjhadoo_emulator.autoscaling.model import Policy, ScalableTarget

HIGH_PERIODS, LOW_PERIODS = 3, 15
PERIOD = 60
LOW_PART = 0.9


def tracking_alarms(target: ScalableTarget, policy: Policy) -> dict[str, dict[str, Any]]:
    """Return the parameters of PutMetricAlarm for each alarm of a policy, by `high` and `low`."""
    goal = float(policy.configuration["TargetValue"])
    high = {
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": goal,
        "EvaluationPeriods": HIGH_PERIODS,
    }
    alarms = {"high": {**_alarm(target, policy, "AlarmHigh"), **high}}
    if not policy.configuration.get("DisableScaleIn"):
        low = {
            "ComparisonOperator": "LessThanThreshold",
            "Threshold": round(goal * LOW_PART, 10),
            "EvaluationPeriods": LOW_PERIODS,
        }
        alarms["low"] = {**_alarm(target, policy, "AlarmLow"), **low}
    return alarms


def _alarm(target: ScalableTarget, policy: Policy, kind: str) -> dict[str, Any]:
    action = f"{policy.arn}:createdBy/{policy.creator}"
    return {
        "AlarmName": f"TargetTracking-{target.resource}-{kind}-{uuid.uuid4()}",
        "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {action}.",
        "ActionsEnabled": True,
        "AlarmActions": [action],
        **_watched(target, policy.configuration),
    }


def _watched(target: ScalableTarget, configuration: dict[str, Any]) -> dict[str, Any]:
    """Return the members of PutMetricAlarm that name what is watched."""
    customized = configuration.get("CustomizedMetricSpecification")
    if customized:
        return _customized(customized)
    predefined = configuration["PredefinedMetricSpecification"]
    if predefined["PredefinedMetricType"] == REQUESTS:
        balancer, group = labelled(predefined["ResourceLabel"]) or ("", "")
        return {
            "Namespace": "AWS/ApplicationELB",
            "MetricName": "RequestCountPerTarget",
            "Dimensions": _dimensions(LoadBalancer=balancer, TargetGroup=group),
            "Statistic": "Sum",
            "Unit": "None",
            "Period": PERIOD,
        }
    return {
        "Namespace": "AWS/ECS",
        "MetricName": UTILIZATION[predefined["PredefinedMetricType"]],
        "Dimensions": _dimensions(ClusterName=target.cluster, ServiceName=target.service),
        "Statistic": "Average",
        "Unit": "Percent",
        "Period": PERIOD,
    }


def _customized(metric: dict[str, Any]) -> dict[str, Any]:
    if not metric.get("Metrics"):
        return {**metric, "Dimensions": metric.get("Dimensions") or [], "Period": PERIOD}
    queries = []
    for query in metric["Metrics"]:
        each = {key: value for key, value in query.items() if key != "MetricStat"}
        if query.get("MetricStat"):
            each["MetricStat"] = {**query["MetricStat"], "Period": PERIOD}
        queries.append(each)
    return {"Metrics": queries}


def _dimensions(**values: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]
