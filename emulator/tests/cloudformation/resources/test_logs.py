"""Log groups, streams and filters are made, changed, read and deleted by the API of CloudWatch Logs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from samjhadoo_emulator.cloudformation.resources.logs import TYPES

if TYPE_CHECKING:
    from conftest import Desk, Made

LOGS = {kind.name.rpartition("::")[2]: kind for kind in TYPES}


@pytest.fixture
def group(desk: Desk) -> Made:
    return desk.create(LOGS["LogGroup"], RetentionInDays=30, Tags=[{"Key": "Owner", "Value": "ops"}])


def test_a_log_group_keeps_its_lines_as_long_as_its_template_says(desk: Desk, group: Made) -> None:
    assert group.attributes["Arn"].endswith(f":log-group:{group.id}:*")
    assert group.calls == ["CreateLogGroup", "PutRetentionPolicy"]
    assert group.drifted() == {}
    key = desk.client("kms").create_key()["KeyMetadata"]["Arn"]
    group.update(RetentionInDays=90, KmsKeyId=key, Tags=None)
    assert group.drifted() == {}
    arn = group.attributes["Arn"].removesuffix(":*")
    assert desk.client("logs").list_tags_for_resource(resourceArn=arn)["tags"] == {"Environment": "test"}
    group.update(RetentionInDays=None, KmsKeyId=None)
    assert (group.read()["RetentionInDays"], group.read()["KmsKeyId"]) == (None, None)
    group.delete()
    assert group.read() is None
    group.delete()


def test_a_group_has_streams_and_filters(desk: Desk, group: Made) -> None:
    stream = desk.create(LOGS["LogStream"], LogGroupName=group.id)
    metric = desk.create(
        LOGS["MetricFilter"],
        LogGroupName=group.id,
        FilterPattern="ERROR",
        MetricTransformations=[
            {"MetricName": "Errors", "MetricNamespace": "App", "MetricValue": "1", "DefaultValue": 0.0}
        ],
    )
    destination = desk.client("kinesis").create_stream(StreamName="lines", ShardCount=1)
    assert destination
    subscription = desk.create(
        LOGS["SubscriptionFilter"],
        LogGroupName=group.id,
        FilterPattern="",
        DestinationArn="arn:aws:kinesis:ap-south-1:000000000000:stream/lines",
        RoleArn="arn:aws:iam::000000000000:role/lines",
    )
    assert [each.drifted() for each in (stream, metric, subscription)] == [{}, {}, {}]
    metric.update(FilterPattern="FATAL")
    assert metric.drifted() == {}
    subscription.update(FilterPattern="ERROR")
    assert subscription.drifted() == {}
    for each in (subscription, metric, stream, group):
        each.delete()
        assert each.read() is None, each.kind.name
        each.delete()


def test_a_policy_lets_a_service_write(desk: Desk) -> None:
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "logs:PutLogEvents",
                "Resource": "*",
            }
        ],
    }
    made = desk.create(LOGS["ResourcePolicy"], PolicyName="events", PolicyDocument=json.dumps(policy))
    assert made.id == "events"
    assert made.drifted() == {}
    made.update(PolicyDocument=json.dumps({**policy, "Id": "ours"}))
    assert made.drifted() == {}
    made.delete()
    assert made.read() is None
    made.delete()
