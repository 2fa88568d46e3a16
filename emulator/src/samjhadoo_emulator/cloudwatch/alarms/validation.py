"""What PutMetricAlarm and PutCompositeAlarm refuse. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudwatch import queries
from samjhadoo_emulator.cloudwatch.alarms import rule
from samjhadoo_emulator.cloudwatch.alarms.evaluation import COMPARISONS
from samjhadoo_emulator.cloudwatch.alarms.model import SINGLE
from samjhadoo_emulator.cloudwatch.statistics import extended
from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from samjhadoo_emulator.service import Params

LONGEST_NAME = 255
LONGEST_WINDOW = 7 * 86400
SHORTEST_PERIOD = 10
_OPTIONS = {
    "TreatMissingData": ("missing", "ignore", "breaching", "notBreaching"),
    "EvaluateLowSampleCountPercentile": ("evaluate", "ignore"),
}
_OF_ONE_METRIC = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit")


def metric_alarm(params: Params) -> tuple[list[dict[str, Any]], str]:
    """Return a metric alarm's queries and the id of the one it watches.

    Raises:
        AwsError: The parameters contradict each other, or are not supported.

    """
    for member in ("EvaluationCriteria", "EvaluationInterval", "ThresholdMetricId"):
        if member in params:
            raise validation_error(
                f"{member} (PromQL and anomaly detection) is not supported by this emulator"
            )
    for member in ("EvaluationPeriods", "ComparisonOperator", "Threshold"):
        if member not in params:
            raise validation_error(f"The parameter {member} is required.")
    if params["ComparisonOperator"] not in COMPARISONS:
        raise validation_error(
            f"The comparison operator {params['ComparisonOperator']} is used for anomaly detection only."
        )
    periods: int = params["EvaluationPeriods"]
    _check_options(params, periods)
    wanted, watched = _queries(params)
    for query in wanted:
        period = (query.get("MetricStat") or {}).get("Period", SHORTEST_PERIOD)
        if period < SHORTEST_PERIOD:
            raise validation_error("Period must be 10, 20, 30 or a multiple of 60")
        if period * periods > LONGEST_WINDOW:
            raise validation_error(
                "Metrics cannot be checked across more than 7 days (EvaluationPeriods * Period)."
            )
    return wanted, watched


def _check_options(params: Params, periods: int) -> None:
    if not 1 <= int(params.get("DatapointsToAlarm") or periods) <= periods:
        raise validation_error("DatapointsToAlarm must be between 1 and EvaluationPeriods.")
    for member, options in _OPTIONS.items():
        if params.get(member, options[0]) not in options:
            raise validation_error(f"Option {params[member]} is not supported for {member}.")


def _queries(params: Params) -> tuple[list[dict[str, Any]], str]:
    metrics = params.get("Metrics")
    if not metrics:
        query = {"Id": SINGLE, "MetricStat": _metric_stat(params), "ReturnData": True}
        queries.check([query])
        return [query], SINGLE
    given = [member for member in _OF_ONE_METRIC if params.get(member)]
    if given:
        raise validation_error(f"Metrics cannot be combined with {', '.join(given)}.")
    queries.check(metrics)
    returned = [query["Id"] for query in metrics if query.get("ReturnData", True)]
    if len(returned) != 1:
        raise validation_error("Exactly one element of the metrics list should return data.")
    if len({query["MetricStat"]["Period"] for query in metrics if query.get("MetricStat")}) > 1:
        raise validation_error("Period must be consistent across all metrics.")
    return metrics, returned[0]


def _metric_stat(params: Params) -> dict[str, Any]:
    for member in ("MetricName", "Namespace", "Period"):
        if not params.get(member):
            raise validation_error(f"The parameter {member} is required.")
    statistic, other = params.get("Statistic"), params.get("ExtendedStatistic")
    if bool(statistic) == bool(other):
        raise validation_error("Exactly one of Statistic and ExtendedStatistic must be specified.")
    if other and not extended(other):
        raise validation_error(f"The value {other} for parameter ExtendedStatistic is not supported.")
    metric = {"Namespace": params["Namespace"], "MetricName": params["MetricName"]}
    unit = {"Unit": params["Unit"]} if params.get("Unit") else {}
    return {
        "Metric": {**metric, "Dimensions": params.get("Dimensions") or []},
        "Period": params["Period"],
        "Stat": statistic or other,
        **unit,
    }


def composite_rule(text: str) -> rule.Term:
    """Return a composite alarm's rule."""
    try:
        return rule.parse(text)
    except rule.RuleError as error:
        raise validation_error(f"Invalid AlarmRule: {error}") from error
