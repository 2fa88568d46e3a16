"""Requests that only a careless or another client than boto3 sends are answered as AWS's, never by a 500."""

from __future__ import annotations

import time
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from samjhadoo_emulator.testing import CONTROL_HEADERS


@pytest.fixture(scope="module")
def careless(noop_emulator: Any) -> Any:
    """Return a function that gives clients which check nothing themselves and never try again."""

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=noop_emulator.url,
            region_name="ap-south-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
        )

    return client


@pytest.mark.parametrize(
    ("service", "call", "params", "code"),
    [
        ("elbv2", "set_rule_priorities", {"RulePriorities": [{"RuleArn": "a"}]}, "ValidationError"),
        ("elbv2", "set_rule_priorities", {"RulePriorities": [{"Priority": 1}]}, "ValidationError"),
        (
            "elbv2",
            "create_load_balancer",
            {"Name": "odd", "SubnetMappings": [{"AllocationId": "a"}]},
            "ValidationError",
        ),
        (
            "cloudwatch",
            "get_metric_data",
            {
                "StartTime": 0,
                "EndTime": 600,
                "MetricDataQueries": [
                    {"Id": "a", "MetricStat": {"Metric": {"MetricName": "m"}, "Period": 60, "Stat": "Sum"}}
                ],
            },
            "ValidationError",
        ),
        (
            "ecr",
            "put_image",
            {"repositoryName": "odd/image", "imageManifest": '{"mediaType": "a"}', "imageDigest": "md6:0"},
            "ImageDigestDoesNotMatchException",
        ),
    ],
    ids=["no-priority", "no-rule", "no-subnet", "no-namespace", "no-such-digest"],
)
def test_what_is_missing_or_wrong_is_the_clients_error(
    careless: Any, service: str, call: str, params: dict[str, Any], code: str
) -> None:
    client = careless(service)
    if service == "ecr":
        client.create_repository(repositoryName="odd/image")
    with pytest.raises(ClientError) as caught:
        getattr(client, call)(**params)
    assert caught.value.response["Error"]["Code"] == code


def test_an_alarm_named_twice_is_deleted_once(careless: Any) -> None:
    cloudwatch = careless("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="twice",
        Namespace="Odd",
        MetricName="m",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.delete_alarms(AlarmNames=["twice", "twice"])
    assert cloudwatch.describe_alarms(AlarmNames=["twice"])["MetricAlarms"] == []


def test_service_deployments_are_listed_by_when_they_were_created(careless: Any) -> None:
    ecs, now = careless("ecs"), time.time()
    ecs.create_cluster(clusterName="odd")
    ecs.register_task_definition(
        family="odd", containerDefinitions=[{"name": "web", "image": "web:1", "memory": 64}]
    )
    ecs.create_service(
        cluster="odd", serviceName="odd", taskDefinition="odd", desiredCount=0, launchType="EC2"
    )

    def listed(**window: float) -> int:
        answer = ecs.list_service_deployments(cluster="odd", service="odd", createdAt=window)
        return len(answer["serviceDeployments"])

    assert listed(after=now - 86400) == 1
    assert listed(before=now - 86400) == 0


def test_the_clock_does_not_jump_out_of_time(noop_emulator: Any) -> None:
    import json
    import urllib.error
    import urllib.request

    def jump(minutes: float) -> None:
        body = json.dumps({"kind": "clock-jump", "minutes": minutes}).encode()
        url = f"{noop_emulator.url}/_emulator/faults"
        request = urllib.request.Request(url, data=body, headers=CONTROL_HEADERS)
        urllib.request.urlopen(request, timeout=10).close()

    for minutes in (1e300, -1e12):
        with pytest.raises(urllib.error.HTTPError) as caught:
            jump(minutes)
        caught.value.close()
        assert caught.value.code == 400
