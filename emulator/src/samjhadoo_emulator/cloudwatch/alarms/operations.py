"""Operations on alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudwatch import queries
from samjhadoo_emulator.cloudwatch.alarms import rule
from samjhadoo_emulator.cloudwatch.alarms.driver import AlarmDriver
from samjhadoo_emulator.cloudwatch.alarms.evaluation import COMPARISONS
from samjhadoo_emulator.cloudwatch.alarms.model import SINGLE, Alarm
from samjhadoo_emulator.cloudwatch.queries import metric_key
from samjhadoo_emulator.cloudwatch.statistics import extended
from samjhadoo_emulator.errors import AwsError, validation_error
from samjhadoo_emulator.pagination import CLOUDWATCH
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.service import Params, Result


LONGEST_NAME = 255
LONGEST_WINDOW = 7 * 86400
SHORTEST_PERIOD = 10
_OPTIONS = {
    "TreatMissingData": ("missing", "ignore", "breaching", "notBreaching"),
    "EvaluateLowSampleCountPercentile": ("evaluate", "ignore"),
}
_REFUSALS = {
    "TreatMissingData": "The value {} is not supported for TreatMissingData parameter. "
    "Supported values are [breaching, notBreaching, ignore, missing].",
    "EvaluateLowSampleCountPercentile": "Option {} is not supported. "
    "Supported options for parameter EvaluateLowSampleCountPercentile are evaluate and ignore.",
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
            raise validation_error(_REFUSALS[member].format(params[member]))


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
        message = f"The value {other} for parameter ExtendedStatistic is not supported."
        raise AwsError("InvalidParameterValueException", message)
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


PAGE = 50
HELD = 60.0
"""Emulated seconds for which a state set by a client stays at least: until the next evaluation."""
HELD_REAL = 0.5
"""Real seconds of the same, so that it can be seen however fast the emulated clock runs."""


class AlarmOperations(AlarmDriver):
    """Alarms by name."""

    @operation("PutMetricAlarm")
    async def put_metric_alarm(self, params: Params) -> Result:
        queries, watched = metric_alarm(params)
        alarm = self._put(params)
        alarm.queries, alarm.watched, alarm.quiet = queries, watched, False
        self.drive()
        return {}

    @operation("PutCompositeAlarm")
    async def put_composite_alarm(self, params: Params) -> Result:
        term = composite_rule(params["AlarmRule"])
        unknown = [name for name in rule.children(term) if self.named(name) is None]
        if unknown:
            raise validation_error(f"AlarmRule contains alarms that do not exist: {', '.join(unknown)}")
        if params["AlarmName"] in self._below(term):
            raise validation_error(
                "AlarmRule must not refer to the alarm itself, not even through other alarms"
            )
        alarm = self._put(params)
        self.judge(alarm)
        self.drive()
        return {}

    @operation("DescribeAlarms")
    async def describe_alarms(self, params: Params) -> Result:
        types = params.get("AlarmTypes") or ["MetricAlarm"]
        found = [
            alarm
            for alarm in sorted(self.alarms.values(), key=lambda each: each.name)
            if alarm.type in types and self._wanted(alarm, params)
        ]
        shown, more = CLOUDWATCH.page(found, params, default=PAGE)
        return {
            "CompositeAlarms": [alarm.describe() for alarm in shown if alarm.composite],
            "MetricAlarms": [alarm.describe() for alarm in shown if not alarm.composite],
            **more,
        }

    @operation("DescribeAlarmsForMetric")
    async def describe_alarms_for_metric(self, params: Params) -> Result:
        key = metric_key(params)
        filters = {
            name: params[name]
            for name in ("Statistic", "ExtendedStatistic", "Period", "Unit")
            if name in params
        }
        found = [
            alarm.describe()
            for alarm in self.alarms.values()
            if not alarm.composite
            and not alarm.settings.get("Metrics")
            and metric_key(alarm.settings) == key
            and all(alarm.settings.get(name) == value for name, value in filters.items())
        ]
        return {"MetricAlarms": found}

    @operation("DeleteAlarms")
    async def delete_alarms(self, params: Params) -> Result:
        names = [name for name in dict.fromkeys(params["AlarmNames"]) if name in self.alarms]
        for alarm in self.alarms.values():
            if alarm.composite and alarm.name not in names:
                needed = [child.name for child in self.children(alarm) if child.name in names]
                if needed:
                    raise validation_error(
                        f"Alarm {needed[0]} cannot be deleted as {alarm.name} depends on it"
                    )
        for name in names:
            alarm = self.alarms.pop(name)
            self.tags.pop(alarm.arn, None)
            self.record_configuration(alarm, "Delete")
        return {}

    @operation("SetAlarmState")
    async def set_alarm_state(self, params: Params) -> Result:
        alarm = self._alarm(params["AlarmName"])
        now = self.clock.timestamp()
        alarm.held_until = now + max(HELD, HELD_REAL * self.clock.rate)
        alarm.quiet = False
        if alarm.state == params["StateValue"]:
            alarm.reason, alarm.updated_at = params["StateReason"], self.clock.now()
        self.change(alarm, params["StateValue"], params["StateReason"], params.get("StateReasonData") or "")
        return {}

    @operation("EnableAlarmActions")
    async def enable_alarm_actions(self, params: Params) -> Result:
        self._switch_actions(params["AlarmNames"], on=True)
        return {}

    @operation("DisableAlarmActions")
    async def disable_alarm_actions(self, params: Params) -> Result:
        self._switch_actions(params["AlarmNames"], on=False)
        return {}

    @operation("TagResource")
    async def tag_resource(self, params: Params) -> Result:
        self._check_tagged(params["ResourceARN"])
        tags = self.tags.setdefault(params["ResourceARN"], {})
        tags |= {tag["Key"]: tag["Value"] for tag in params["Tags"]}
        return {}

    @operation("UntagResource")
    async def untag_resource(self, params: Params) -> Result:
        self._check_tagged(params["ResourceARN"])
        for key in params["TagKeys"]:
            self.tags.get(params["ResourceARN"], {}).pop(key, None)
        return {}

    @operation("ListTagsForResource")
    async def list_tags_for_resource(self, params: Params) -> Result:
        tags = self.tags.get(params["ResourceARN"], {})
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def _put(self, params: Params) -> Alarm:
        """Create an alarm, or overwrite one's configuration and leave its state."""
        name, now = params["AlarmName"], self.clock.now()
        settings = {key: value for key, value in params.items() if key != "Tags"}
        alarm = self.alarms.get(name)
        if alarm is None:
            alarm = Alarm(name, self.alarm_arn(name), settings, now, now, now)
            self.alarms[name] = alarm
            self.tags[alarm.arn] = {tag["Key"]: tag["Value"] for tag in params.get("Tags") or []}
            self.record_configuration(alarm, "Create")
            return alarm
        if alarm.composite != ("AlarmRule" in settings):
            raise validation_error(f"An alarm of another type has the name {name}")
        alarm.settings, alarm.configured_at = settings, now
        self.record_configuration(alarm, "Update")
        return alarm

    def _alarm(self, name: str) -> Alarm:
        if name not in self.alarms:
            raise AwsError("ResourceNotFound", f"Alarm {name} does not exist", status=404)
        return self.alarms[name]

    def _below(self, term: rule.Term) -> set[str]:
        """Return every alarm that a rule depends on."""
        seen: set[str] = set()
        waiting = rule.children(term)
        while waiting:
            child = self.named(waiting.pop())
            if child is not None and child.name not in seen:
                seen.add(child.name)
                if child.composite:
                    waiting += rule.children(rule.parse(child.settings["AlarmRule"]))
        return seen

    def _switch_actions(self, names: list[str], *, on: bool) -> None:
        for name in names:
            if name in self.alarms and self.alarms[name].settings.get("ActionsEnabled", True) != on:
                self.alarms[name].settings["ActionsEnabled"] = on
                self.record_configuration(self.alarms[name], "Update")

    def _wanted(self, alarm: Alarm, params: Params) -> bool:
        parent, child = params.get("ChildrenOfAlarmName"), params.get("ParentsOfAlarmName")
        prefix = params.get("ActionPrefix", "")
        actions = [
            action
            for member in ("OKActions", "AlarmActions", "InsufficientDataActions")
            for action in alarm.settings.get(member) or []
        ]
        return (
            (not params.get("AlarmNames") or alarm.name in params["AlarmNames"])
            and alarm.name.startswith(params.get("AlarmNamePrefix", ""))
            and alarm.state == params.get("StateValue", alarm.state)
            and (not prefix or any(action.startswith(prefix) for action in actions))
            and (parent is None or alarm in self._children_of(parent))
            and (child is None or (alarm.composite and self.named(child) in self.children(alarm)))
        )

    def _children_of(self, parent: str) -> list[Alarm]:
        found = self.named(parent)
        return self.children(found) if found is not None and found.composite else []

    def _check_tagged(self, arn: str) -> None:
        if not self.is_taggable(arn):
            raise AwsError("ResourceNotFoundException", "Unknown", status=404)

    def is_taggable(self, arn: str) -> bool:
        return self.named(arn) is not None or super().is_taggable(arn)
