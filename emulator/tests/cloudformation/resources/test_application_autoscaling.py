"""Scalable targets and policies are made, changed, read and deleted by Application Auto Scaling's API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.cloudformation.drift import property_differences
from samjhadoo_emulator.cloudformation.language.schemas import schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Desk, Made
    from samjhadoo_emulator.cloudformation.resources.resource_type import ResourceType

DIMENSION = "ecs:service:DesiredCount"


@pytest.fixture(scope="module")
def types(of_service: Callable[[str], dict[str, ResourceType]]) -> dict[str, ResourceType]:
    return of_service("application_autoscaling")


@pytest.fixture(scope="module")
def resource(desk: Desk) -> str:
    ecs = desk.client("ecs")
    ecs.create_cluster(clusterName="scaled-by-stacks")
    ecs.register_task_definition(
        family="scaled",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "app", "image": "any"}],
    )
    ecs.create_service(
        cluster="scaled-by-stacks",
        serviceName="web",
        taskDefinition="scaled",
        launchType="FARGATE",
        desiredCount=1,
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    )
    return "service/scaled-by-stacks/web"


@pytest.fixture
def target(desk: Desk, types: dict[str, Any], resource: str) -> Made:
    return desk.create(
        types["ScalableTarget"],
        ResourceId=resource,
        ScalableDimension=DIMENSION,
        ServiceNamespace="ecs",
        MinCapacity=1,
        MaxCapacity=4,
        ScheduledActions=[
            {
                "ScheduledActionName": "morning",
                "Schedule": "cron(0 8 * * ? *)",
                "Timezone": "Asia/Kolkata",
                "StartTime": "2030-01-01T00:00:00Z",
                "ScalableTargetAction": {"MinCapacity": 2},
            }
        ],
    )


def differences(made: Made) -> Any:
    return property_differences(made.request.properties, made.read(), schema(made.kind.name))


def test_a_scalable_target_changes_in_place(desk: Desk, target: Made, resource: str) -> None:
    assert target.id == f"{resource}|{DIMENSION}|ecs"
    assert differences(target) == ()
    target.update(
        MaxCapacity=6,
        ScheduledActions=None,
        SuspendedState={"DynamicScalingInSuspended": True},
        Tags=[{"Key": "Owner", "Value": "ops"}],
    )
    assert differences(target) == ()
    assert target.read()["ScheduledActions"] is None
    target.update(SuspendedState=None)
    assert target.read()["SuspendedState"]["DynamicScalingInSuspended"] is False
    scaling = desk.client("application-autoscaling")
    found = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[resource])
    arn = found["ScalableTargets"][0]["ScalableTargetARN"]
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"Environment": "test", "Owner": "ops"}
    target.delete()
    assert target.read() is None
    target.delete()


def test_a_policy_belongs_to_a_target_by_its_id_or_its_parts(
    desk: Desk, types: dict[str, Any], target: Made, resource: str
) -> None:
    tracking = {
        "TargetValue": 60.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
    }
    by_id = desk.create(
        types["ScalingPolicy"],
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        ScalingTargetId=target.id,
        TargetTrackingScalingPolicyConfiguration=tracking,
    )
    steps = [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}]
    by_parts = desk.create(
        types["ScalingPolicy"],
        PolicyName="steps",
        PolicyType="StepScaling",
        ResourceId=resource,
        ScalableDimension=DIMENSION,
        ServiceNamespace="ecs",
        StepScalingPolicyConfiguration={
            "AdjustmentType": "ChangeInCapacity",
            "StepAdjustments": steps,
            "Cooldown": 60,
        },
    )
    assert by_id.attributes["Arn"] == by_id.id
    for each in (by_id, by_parts):
        assert differences(each) == ()
    by_id.update(TargetTrackingScalingPolicyConfiguration={**tracking, "TargetValue": 70.0})
    assert differences(by_id) == ()
    for each in (by_id, by_parts, target):
        each.delete()
        assert each.read() is None
        each.delete()
