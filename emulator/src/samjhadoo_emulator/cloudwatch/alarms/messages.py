"""Notifications of alarms: the JSON and the subject that AWS publishes to SNS topics."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudwatch.alarms.reasons import stamp

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudwatch.alarms.model import Alarm

LONGEST_SUBJECT = 100


def subject(alarm: Alarm, region: str) -> str:
    """Return a notification's subject."""
    return f'{alarm.state}: "{alarm.name}" in {region_name(region)}'[:LONGEST_SUBJECT]


def message(
    alarm: Alarm, *, old_state: str, account: str, region: str, children: list[dict[str, Any]]
) -> str:
    """Return a notification's message.

    Args:
        alarm: The alarm, in its new state.
        children: A composite alarm's triggering children.
    """
    settings = alarm.settings
    document: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmDescription": settings.get("AlarmDescription"),
        "AWSAccountId": account,
        "AlarmConfigurationUpdatedTimestamp": stamp(alarm.configured_at),
        "NewStateValue": alarm.state,
        "NewStateReason": alarm.reason,
        "StateChangeTime": stamp(alarm.transitioned_at),
        "Region": region_name(region),
        "AlarmArn": alarm.arn,
        "OldStateValue": old_state,
        **{key: settings.get(key) or [] for key in ("OKActions", "AlarmActions", "InsufficientDataActions")},
    }
    if alarm.composite:
        document |= {"AlarmRule": settings["AlarmRule"], "TriggeringChildren": children}
    else:
        document["Trigger"] = _trigger(settings)
    return json.dumps(document, separators=(",", ":"))


def _trigger(settings: dict[str, Any]) -> dict[str, Any]:
    common = {
        "EvaluationPeriods": settings["EvaluationPeriods"],
        **({"DatapointsToAlarm": settings["DatapointsToAlarm"]} if "DatapointsToAlarm" in settings else {}),
        "ComparisonOperator": settings["ComparisonOperator"],
        "Threshold": settings["Threshold"],
        "TreatMissingData": settings.get("TreatMissingData", "missing"),
        "EvaluateLowSampleCountPercentile": settings.get("EvaluateLowSampleCountPercentile", ""),
    }
    if metrics := settings.get("Metrics"):
        return {"Period": _period(metrics), **common, "Metrics": [_query(each) for each in metrics]}
    extended = settings.get("ExtendedStatistic")
    statistic = {"StatisticType": "ExtendedStatistic", "ExtendedStatistic": extended}
    if not extended:
        names = {"Average": "AVERAGE", "Sum": "SUM", "Minimum": "MINIMUM", "Maximum": "MAXIMUM"}
        statistic = {
            "StatisticType": "Statistic",
            "Statistic": names.get(settings["Statistic"], "SAMPLE_COUNT"),
        }
    return {
        "MetricName": settings["MetricName"],
        "Namespace": settings["Namespace"],
        **statistic,
        "Unit": settings.get("Unit"),
        "Dimensions": _dimensions(settings),
        "Period": settings["Period"],
        **common,
    }


def _period(metrics: list[dict[str, Any]]) -> int:
    return int(max((each["MetricStat"]["Period"] for each in metrics if each.get("MetricStat")), default=60))


def _query(query: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {key: query[key] for key in ("Id", "Expression", "Label") if key in query}
    if stat := query.get("MetricStat"):
        metric = stat["Metric"]
        document["MetricStat"] = {
            "Metric": {
                "Dimensions": _dimensions(metric),
                "MetricName": metric["MetricName"],
                "Namespace": metric["Namespace"],
            },
            "Period": stat["Period"],
            "Stat": stat["Stat"],
        }
    return {**document, "ReturnData": query.get("ReturnData", True)}


def _dimensions(metric: dict[str, Any]) -> list[dict[str, str]]:
    return [{"value": each["Value"], "name": each["Name"]} for each in metric.get("Dimensions") or []]


@cache
def region_name(region: str) -> str:
    """Return a region's display name (`Asia Pacific (Mumbai)`), or its code if it has none."""
    from botocore.loaders import create_loader

    for partition in create_loader().load_data("endpoints")["partitions"]:
        if region in partition["regions"]:
            return str(partition["regions"][region]["description"])
    return region
