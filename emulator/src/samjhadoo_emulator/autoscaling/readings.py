"""An alarm's state and data points at the time of its evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samjhadoo_emulator.service import AwsApi

ALARM = "ALARM"


@dataclass(frozen=True)
class AlarmReading:
    """An alarm's state and its newest data points.

    Attributes:
        values: Of the alarm's evaluation periods, the newest last.

    """

    name: str
    state: str
    threshold: float
    values: list[float]


async def read(aws: AwsApi, name: str, at: float) -> AlarmReading | None:
    """Return an alarm and the data points that it saw at a time (Unix, emulated); None without an alarm.

    With late data an alarm reads further back than its evaluation periods, and so does this.

    Raises:
        AwsError: CloudWatch refused.

    """
    alarms = (await aws.call("cloudwatch", "DescribeAlarms", AlarmNames=[name]))["MetricAlarms"]
    if not alarms:
        return None
    alarm = alarms[0]
    queries, watched = _queries(alarm)
    period = max((query["MetricStat"]["Period"] for query in queries if query.get("MetricStat")), default=60)
    periods: int = alarm["EvaluationPeriods"]
    end = int(at // period) * period
    answer = await aws.call(
        "cloudwatch",
        "GetMetricData",
        MetricDataQueries=queries,
        StartTime=datetime.fromtimestamp(end - 2 * (periods + 1) * period, UTC),
        EndTime=datetime.fromtimestamp(end, UTC),
        ScanBy="TimestampAscending",
    )
    values: list[float] = next(
        (each["Values"] for each in answer["MetricDataResults"] if each["Id"] == watched), []
    )
    return AlarmReading(name, alarm["StateValue"], float(alarm["Threshold"]), values[-periods:])


def _queries(alarm: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Return an alarm's metric data queries and the id of the one that it watches."""
    metrics = alarm.get("Metrics")
    if metrics:
        return metrics, next(query["Id"] for query in metrics if query.get("ReturnData", True))
    metric = {"Namespace": alarm["Namespace"], "MetricName": alarm["MetricName"]}
    stat = {
        "Metric": {**metric, "Dimensions": alarm.get("Dimensions") or []},
        "Period": alarm["Period"],
        "Stat": alarm.get("Statistic") or alarm["ExtendedStatistic"],
        **({"Unit": alarm["Unit"]} if alarm.get("Unit") else {}),
    }
    return [{"Id": "watched", "MetricStat": stat}], "watched"
