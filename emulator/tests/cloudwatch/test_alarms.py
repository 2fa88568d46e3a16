"""Alarms as clients see them: configured, fired by data, told to topics, remembered."""

from __future__ import annotations

import itertools
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_names = itertools.count()


class Stage:
    """A metric with alarms on it."""

    def __init__(self, emulator: Any, eventually: Callable[..., Any]) -> None:
        self.emulator = emulator
        self.cloudwatch = emulator.client("cloudwatch")
        self.name = f"alarm-{next(_names)}"
        self.eventually = eventually

    def put_alarm(self, name: str = "", **settings: Any) -> str:
        name = name or self.name
        metric = {
            "Namespace": "Alarms",
            "MetricName": self.name,
            "Statistic": "Sum",
            "Period": 60,
        }
        if "Metrics" in settings:
            metric = {}
        if "ExtendedStatistic" in settings:
            del metric["Statistic"]
        self.cloudwatch.put_metric_alarm(
            AlarmName=name,
            **{
                **metric,
                "EvaluationPeriods": 1,
                "Threshold": 1.0,
                "ComparisonOperator": "GreaterThanThreshold",
                **settings,
            },
        )
        return name

    def put(self, value: float, name: str = "") -> None:
        self.cloudwatch.put_metric_data(
            Namespace="Alarms", MetricData=[{"MetricName": name or self.name, "Value": value}]
        )

    def describe(self, name: str = "") -> dict[str, Any]:
        answer = self.cloudwatch.describe_alarms(
            AlarmNames=[name or self.name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        found: dict[str, Any] = (answer["MetricAlarms"] + answer["CompositeAlarms"])[0]
        return found

    def state(self, name: str = "") -> str:
        return str(self.describe(name)["StateValue"])

    def wait(self, state: str, name: str = "") -> dict[str, Any]:
        found: dict[str, Any] = self.eventually(lambda: self.seen(state, name))
        return found

    def seen(self, state: str, name: str = "") -> dict[str, Any] | None:
        """Return the alarm's description when it is in a state."""
        found = self.describe(name)
        return found if found["StateValue"] == state else None

    def fire(self, name: str = "") -> dict[str, Any]:
        """Put data beyond the threshold until the alarm is in ALARM; return its description."""
        found: dict[str, Any] = self.put_until(lambda: self.seen("ALARM", name))
        return found

    def put_until(self, told: Callable[[], Any]) -> Any:
        """Put data beyond the threshold until something is told.

        A machine may be so busy that the minute is over before the data are looked at: then again. The
        pauses are many emulated minutes, so that each minute has one datum.
        """

        def look() -> Any:
            self.put(5.0)
            until = time.monotonic() + 1
            while not (found := told()) and time.monotonic() < until:
                time.sleep(0.01)
            return found

        return self.eventually(look)

    def history(self, kind: str) -> list[dict[str, Any]]:
        answer = self.cloudwatch.describe_alarm_history(
            AlarmName=self.name, HistoryItemType=kind, ScanBy="TimestampAscending"
        )
        found: list[dict[str, Any]] = answer["AlarmHistoryItems"]
        return found

    def inbox(self) -> tuple[str, Callable[[], list[dict[str, Any]]]]:
        """Return a topic and what reads the messages that reached its queue."""
        sns, sqs = self.emulator.client("sns"), self.emulator.client("sqs")
        topic = sns.create_topic(Name=self.name)["TopicArn"]
        queue = sqs.create_queue(QueueName=self.name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        seen: list[dict[str, Any]] = []

        def read() -> list[dict[str, Any]]:
            for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
                envelope = json.loads(message["Body"])
                seen.append({"Subject": envelope["Subject"], **json.loads(envelope["Message"])})
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            return seen

        return topic, read


@pytest.fixture
def stage(noop_emulator: Any, eventually: Callable[..., Any]) -> Stage:
    return Stage(noop_emulator, eventually)


def test_data_beyond_the_threshold_fires_and_its_absence_ends_it(stage: Stage) -> None:
    stage.put_alarm(TreatMissingData="notBreaching", DatapointsToAlarm=1)
    assert stage.wait("OK")["StateReason"].endswith("treated as [NonBreaching].")
    seen = stage.fire()
    assert seen["StateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoints [5.0 (")
    assert seen["StateReason"].endswith(
        ")] was greater than the threshold (1.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    data = json.loads(seen["StateReasonData"])
    assert (data["statistic"], data["period"], data["recentDatapoints"]) == ("Sum", 60, [5.0])
    assert seen["StateTransitionedTimestamp"] == seen["StateUpdatedTimestamp"]
    stage.wait("OK")


def test_an_alarm_without_data_is_unchecked(stage: Stage) -> None:
    stage.put_alarm()
    time.sleep(0.3)  # six emulated minutes
    seen = stage.describe()
    assert (seen["StateValue"], seen["StateReason"]) == (
        "INSUFFICIENT_DATA",
        "Unchecked: Initial alarm creation",
    )


def test_a_topic_is_notified_in_the_words_of_aws(stage: Stage) -> None:
    topic, read = stage.inbox()
    stage.put_alarm(AlarmActions=[topic], AlarmDescription="too many")
    message = stage.put_until(read)[0]
    assert message["Subject"] == f'ALARM: "{stage.name}" in Asia Pacific (Mumbai)'
    assert message["NewStateReason"].startswith("Threshold Crossed: 1 datapoint [5.0 (")
    expected = {
        "AlarmName": stage.name,
        "AlarmDescription": "too many",
        "NewStateValue": "ALARM",
        "OldStateValue": "INSUFFICIENT_DATA",
        "Region": "Asia Pacific (Mumbai)",
        "AlarmActions": [topic],
        "OKActions": [],
    }
    assert {key: message[key] for key in expected} == expected
    assert message["Trigger"] == {
        "MetricName": stage.name,
        "Namespace": "Alarms",
        "StatisticType": "Statistic",
        "Statistic": "SUM",
        "Unit": None,
        "Dimensions": [],
        "Period": 60,
        "EvaluationPeriods": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 1.0,
        "TreatMissingData": "missing",
        "EvaluateLowSampleCountPercentile": "",
    }


def test_history_records_configuration_state_and_actions(stage: Stage) -> None:
    topic, _ = stage.inbox()
    stage.put_alarm(AlarmActions=[topic, "arn:aws:lambda:ap-south-1:000000000000:function:nobody"])
    stage.fire()
    stage.eventually(lambda: len(stage.history("Action")) == 2)
    assert [item["HistorySummary"] for item in stage.history("ConfigurationUpdate")] == [
        f'Alarm "{stage.name}" created'
    ]
    update = stage.history("StateUpdate")[0]
    assert update["HistorySummary"] == "Alarm updated from INSUFFICIENT_DATA to ALARM"
    assert json.loads(update["HistoryData"])["newState"]["stateValue"] == "ALARM"
    summaries = [item["HistorySummary"] for item in stage.history("Action")]
    assert summaries[0] == f"Successfully executed action {topic}"
    assert summaries[1].startswith("Failed to execute action arn:aws:lambda")
    stage.cloudwatch.delete_alarms(AlarmNames=[stage.name])
    assert stage.history("ConfigurationUpdate")[-1]["HistorySummary"] == f'Alarm "{stage.name}" deleted'


def test_actions_that_are_disabled_are_not_performed(stage: Stage) -> None:
    topic, _ = stage.inbox()
    stage.put_alarm(AlarmActions=[topic])
    stage.cloudwatch.disable_alarm_actions(AlarmNames=[stage.name])
    assert stage.describe()["ActionsEnabled"] is False
    stage.fire()
    assert stage.history("Action") == []
    stage.cloudwatch.enable_alarm_actions(AlarmNames=[stage.name])
    assert stage.describe()["ActionsEnabled"] is True


def test_an_alarm_on_metric_math_fires(stage: Stage) -> None:
    def query(identity: str) -> dict[str, Any]:
        metric = {"Namespace": "Alarms", "MetricName": f"{stage.name}-{identity}"}
        stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
        return {"Id": identity, "MetricStat": stat, "ReturnData": False}

    rate = {"Id": "rate", "Expression": "IF(r > 0, 100 * FILL(e, 0) / r, 0)", "Label": "Error rate"}
    stage.put_alarm(Metrics=[rate, query("e"), query("r")], Threshold=5.0, TreatMissingData="notBreaching")
    stage.put(100.0, f"{stage.name}-r")
    stage.wait("OK")

    def fired() -> dict[str, Any] | None:
        stage.put(10.0, f"{stage.name}-e")
        stage.put(100.0, f"{stage.name}-r")
        return stage.seen("ALARM")

    seen = stage.eventually(fired)
    assert seen["Metrics"][0]["Expression"] == rate["Expression"]
    assert "MetricName" not in seen


def test_a_percentile_alarm_can_wait_for_enough_samples(stage: Stage) -> None:
    stage.put_alarm(ExtendedStatistic="p95", EvaluateLowSampleCountPercentile="ignore")
    stage.put_alarm(f"{stage.name}-at-once", ExtendedStatistic="p95")
    stage.fire(f"{stage.name}-at-once")
    assert stage.state() == "INSUFFICIENT_DATA"
    datum = {"MetricName": stage.name, "Values": [5.0], "Counts": [300.0]}

    def fired() -> bool:
        stage.cloudwatch.put_metric_data(Namespace="Alarms", MetricData=[datum])
        return stage.state() == "ALARM"

    stage.eventually(fired)


def test_a_state_set_by_hand_stays_until_the_alarm_is_evaluated_again(stage: Stage) -> None:
    stage.put_alarm(TreatMissingData="notBreaching")
    stage.wait("OK")
    stage.cloudwatch.set_alarm_state(AlarmName=stage.name, StateValue="ALARM", StateReason="by hand")
    seen = stage.describe()
    assert (seen["StateValue"], seen["StateReason"]) == ("ALARM", "by hand")
    stage.wait("OK")


def test_a_composite_follows_its_children_and_names_them(stage: Stage) -> None:
    topic, read = stage.inbox()
    child = stage.put_alarm(f"{stage.name}-child", TreatMissingData="ignore")
    other = stage.put_alarm(f"{stage.name}-other", TreatMissingData="ignore", Namespace="Nobody")
    stage.cloudwatch.put_composite_alarm(
        AlarmName=stage.name,
        AlarmRule=f'ALARM("{child}") AND NOT ALARM({other})',
        AlarmActions=[topic],
    )
    seen = stage.wait("OK")
    assert seen["StateReason"] == f"{seen['AlarmArn']} was created and its alarm rule evaluates to OK"
    seen = stage.fire()
    arn = stage.describe(child)["AlarmArn"]
    assert seen["StateReason"].startswith(f"{arn} transitioned to ALARM at ")
    stage.eventually(read)
    assert [each["Arn"] for each in read()[0]["TriggeringChildren"]] == [arn]
    assert stage.cloudwatch.describe_alarms(AlarmNames=[stage.name])["MetricAlarms"] == []
    children = stage.cloudwatch.describe_alarms(ChildrenOfAlarmName=stage.name)["MetricAlarms"]
    assert [each["AlarmName"] for each in children] == [child, other]
    with pytest.raises(stage.cloudwatch.exceptions.ClientError, match="depends on it"):
        stage.cloudwatch.delete_alarms(AlarmNames=[child])
    stage.cloudwatch.delete_alarms(AlarmNames=[stage.name, child, other])


def test_a_suppressor_holds_a_composites_actions_back(stage: Stage) -> None:
    topic, read = stage.inbox()
    child = stage.put_alarm(f"{stage.name}-child", TreatMissingData="ignore")
    suppressor = stage.put_alarm(f"{stage.name}-suppressor", TreatMissingData="ignore", Namespace="Nobody")
    stage.cloudwatch.set_alarm_state(AlarmName=suppressor, StateValue="ALARM", StateReason="deployment")
    stage.cloudwatch.put_composite_alarm(
        AlarmName=stage.name,
        AlarmRule=f"ALARM({child})",
        AlarmActions=[topic],
        ActionsSuppressor=suppressor,
        ActionsSuppressorWaitPeriod=60,
        ActionsSuppressorExtensionPeriod=60,
    )
    seen = stage.fire()
    assert seen["ActionsSuppressedBy"] == "Alarm"
    assert read() == []
    stage.cloudwatch.set_alarm_state(AlarmName=suppressor, StateValue="OK", StateReason="over")
    stage.eventually(read)
    assert "ActionsSuppressedBy" not in stage.describe()


def test_alarms_are_found_by_name_state_action_and_metric(stage: Stage) -> None:
    for suffix in ("a", "b", "c"):
        stage.put_alarm(f"{stage.name}-{suffix}", AlarmActions=[f"arn:aws:sns:x:1:{suffix}"])
    describe = stage.cloudwatch.describe_alarms

    def names(**filters: Any) -> list[str]:
        found = describe(AlarmNamePrefix=f"{stage.name}-", **filters)["MetricAlarms"]
        return [each["AlarmName"].rpartition("-")[2] for each in found]

    assert names() == ["a", "b", "c"]
    assert names(ActionPrefix="arn:aws:sns:x:1:b") == ["b"]
    assert names(StateValue="ALARM") == []
    pages = stage.cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=f"{stage.name}-", PaginationConfig={"PageSize": 2}
    )
    assert [len(page["MetricAlarms"]) for page in pages] == [2, 1]
    of_metric = stage.cloudwatch.describe_alarms_for_metric(Namespace="Alarms", MetricName=stage.name)
    assert len(of_metric["MetricAlarms"]) == 3


def test_alarms_carry_tags(stage: Stage) -> None:
    stage.put_alarm(Tags=[{"Key": "team", "Value": "payments"}])
    arn = stage.describe()["AlarmArn"]
    stage.cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "tier", "Value": "1"}])
    stage.cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["team"])
    tags = stage.cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"]
    assert tags == [{"Key": "tier", "Value": "1"}]
    assert stage.cloudwatch.list_tags_for_resource(ResourceARN=f"{arn}-nobody")["Tags"] == []


def test_an_update_keeps_the_state_and_replaces_the_rest(stage: Stage) -> None:
    stage.put_alarm(AlarmDescription="first", TreatMissingData="notBreaching")
    stage.wait("OK")
    stage.put_alarm(TreatMissingData="ignore")
    seen = stage.describe()
    assert seen["StateValue"] == "OK"
    assert "AlarmDescription" not in seen


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm"),
        ({"TreatMissingData": "perhaps"}, "TreatMissingData"),
        ({"ExtendedStatistic": "p101"}, "ExtendedStatistic"),
        ({"Period": 7}, "Period"),
        ({"Period": 86400, "EvaluationPeriods": 8}, "7 days"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "anomaly detection"),
        ({"Metrics": [{"Id": "a", "Expression": "1 +"}]}, "expression"),
    ],
)
def test_an_alarm_that_aws_would_refuse_is_refused(
    stage: Stage, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(stage.cloudwatch.exceptions.ClientError, match=message):
        stage.put_alarm(**settings)


def test_what_is_not_there_is_not_found(stage: Stage) -> None:
    cloudwatch, arn = stage.cloudwatch, "arn:aws:cloudwatch:ap-south-1:000000000000:alarm:nobody"
    with pytest.raises(cloudwatch.exceptions.ResourceNotFound) as refused:
        cloudwatch.set_alarm_state(AlarmName="nobody", StateValue="OK", StateReason="")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    with pytest.raises(cloudwatch.exceptions.ResourceNotFoundException, match="Unknown"):
        cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "a", "Value": "b"}])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == []
    cloudwatch.delete_alarms(AlarmNames=["nobody"])  # as on AWS, there is nothing to do
