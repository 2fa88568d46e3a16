"""CloudWatch's alarms and dashboards are made, changed, read and deleted by its API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Desk
    from samjhadoo_emulator.cloudformation.resources.resource_type import ResourceType

METRIC = {
    "Namespace": "AWS/ECS",
    "MetricName": "CPUUtilization",
    "Statistic": "Average",
    "Period": 60,
    "EvaluationPeriods": 5,
    "Threshold": 70,
    "ComparisonOperator": "GreaterThanThreshold",
}


@pytest.fixture(scope="module")
def types(of_service: Callable[[str], dict[str, ResourceType]]) -> dict[str, ResourceType]:
    return of_service("cloudwatch")


def tags_of(desk: Desk, arn: str) -> dict[str, str]:
    found = desk.client("cloudwatch").list_tags_for_resource(ResourceARN=arn)["Tags"]
    return {each["Key"]: each["Value"] for each in found}


def test_an_alarm_has_the_name_that_cloudformation_gives_it(desk: Desk, types: dict[str, Any]) -> None:
    made = desk.create(types["Alarm"], **METRIC, Dimensions=[{"Name": "ClusterName", "Value": "web"}])
    assert made.id.startswith("samjhadoo-test-Resource")
    assert made.attributes["Arn"].endswith(f":alarm:{made.id}")
    assert made.drifted() == {}
    assert tags_of(desk, made.attributes["Arn"]) == {"Environment": "test"}
    made.delete()
    assert made.read() is None
    made.delete()


def test_an_alarm_changes_in_place_and_forgets_what_its_template_no_longer_names(
    desk: Desk, types: dict[str, Any]
) -> None:
    made = desk.create(
        types["Alarm"], **METRIC, TreatMissingData="breaching", Tags=[{"Key": "Owner", "Value": "ops"}]
    )
    made.update(Threshold=80, TreatMissingData=None, Tags=[{"Key": "Team", "Value": "web"}])
    assert made.drifted() == {}
    assert "TreatMissingData" not in made.read()
    assert tags_of(desk, made.attributes["Arn"]) == {"Environment": "test", "Team": "web"}
    made.delete()


def test_an_alarm_watches_metric_math(desk: Desk, types: dict[str, Any]) -> None:
    metric = {"Namespace": "AWS/ApplicationELB", "MetricName": "RequestCount"}
    made = desk.create(
        types["Alarm"],
        Metrics=[
            {"Id": "rate", "Expression": "requests / 60", "ReturnData": True},
            {
                "Id": "requests",
                "ReturnData": False,
                "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"},
            },
        ],
        EvaluationPeriods=1,
        Threshold=0.5,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    found = made.read()["Metrics"]
    assert [each["Id"] for each in found] == ["rate", "requests"]
    made.delete()


def test_a_composite_alarm_goes_before_those_that_it_depends_on(desk: Desk, types: dict[str, Any]) -> None:
    child = desk.create(types["Alarm"], AlarmName="slow", **METRIC)
    parent = desk.create(types["CompositeAlarm"], AlarmName="bad", AlarmRule='ALARM("slow")')
    assert parent.drifted() == {}
    with pytest.raises(AwsError, match="depends on it"):
        child.delete()
    parent.update(AlarmRule='OK("slow")', AlarmDescription="all is well")
    assert parent.drifted() == {}
    for each in (parent, child):
        each.delete()
        assert each.read() is None


def test_a_dashboard_has_its_document_and_tags(desk: Desk, types: dict[str, Any]) -> None:
    made = desk.create(types["Dashboard"], DashboardBody=json.dumps({"widgets": []}))
    assert made.drifted() == {}
    arn = desk.client("cloudwatch").get_dashboard(DashboardName=made.id)["DashboardArn"]
    assert tags_of(desk, arn) == {"Environment": "test"}
    made.update(DashboardBody=json.dumps({"widgets": [], "start": "-PT3H"}))
    assert made.drifted() == {}
    made.delete()
    assert made.read() is None
    made.delete()


def test_an_alarm_of_somebody_else_is_not_overwritten(desk: Desk, types: dict[str, Any]) -> None:
    made = desk.create(types["Alarm"], AlarmName="theirs", **METRIC)
    with pytest.raises(AwsError) as caught:
        desk.create(types["Alarm"], AlarmName="theirs", **{**METRIC, "Threshold": 1})
    assert (caught.value.code, caught.value.message) == (
        "AlreadyExists",
        "Resource of type 'AWS::CloudWatch::Alarm' with identifier 'theirs' already exists.",
    )
    assert made.drifted() == {}
    made.delete()


def test_anomaly_detection_is_refused_before_a_call(desk: Desk, types: dict[str, Any]) -> None:
    before = len(desk.aws.calls)
    with pytest.raises(AwsError, match="does not support ThresholdMetricId of AWS::CloudWatch::Alarm"):
        desk.create(types["Alarm"], **METRIC, ThresholdMetricId="band")
    assert len(desk.aws.calls) == before
