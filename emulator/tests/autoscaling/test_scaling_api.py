"""The API of Application Auto Scaling: what is refused, listed, tagged, deleted, and passed on."""

from __future__ import annotations

import itertools

import pytest
from botocore.exceptions import ClientError

from answer_shapes import live_operations

TRACKING = {
    "TargetValue": 50.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
}


@pytest.fixture
def served(stage):
    stage.create(2).register(2, 4)
    return stage


def refusal(call, **params):
    with pytest.raises(ClientError) as refused:
        call(**params)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_new_target_needs_a_range_and_a_service(stage):
    register = stage.scaling.register_scalable_target
    assert refusal(register, **stage.key, MinCapacity=1, MaxCapacity=2) == (
        "ValidationException",
        f"ECS service doesn't exist: {stage.resource}",
    )
    stage.create(1)
    assert refusal(register, **stage.key, MinCapacity=1) == (
        "ValidationException",
        "Maximum capacity must be specified",
    )
    assert refusal(register, **stage.key, MinCapacity=3, MaxCapacity=2) == (
        "ValidationException",
        "Maximum capacity cannot be less than minimum capacity",
    )
    assert refusal(register, **{**stage.key, "ResourceId": "service/x"}, MinCapacity=1, MaxCapacity=2) == (
        "ValidationException",
        "Unsupported service namespace, resource type or scalable dimension",
    )


def test_what_is_not_registered_is_not_found(stage):
    named = (
        f"service namespace: ecs, resource ID: {stage.resource}, scalable dimension: ecs:service:DesiredCount"
    )
    put = refusal(
        stage.scaling.put_scaling_policy,
        **stage.key,
        PolicyName="p",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=TRACKING,
    )
    assert put == ("ObjectNotFoundException", f"No scalable target registered for {named}")
    gone = refusal(stage.scaling.deregister_scalable_target, **stage.key)
    assert gone == ("ObjectNotFoundException", f"No scalable target found for {named}")
    stage.create(1).register(1, 2)
    policy = refusal(stage.scaling.delete_scaling_policy, **stage.key, PolicyName="p")
    assert policy == ("ObjectNotFoundException", f"No scaling policy found for {named}, policy name: p")
    action = refusal(stage.scaling.delete_scheduled_action, **stage.key, ScheduledActionName="a")
    assert action[0] == "ObjectNotFoundException"


@pytest.mark.parametrize("schedule", ["cron(0 0 * * *)", "rate(1 fortnight)", "at(noon)"])
def test_what_is_no_schedule_is_refused(served, schedule):
    code, message = refusal(
        served.scaling.put_scheduled_action,
        **served.key,
        ScheduledActionName="a",
        Schedule=schedule,
        ScalableTargetAction={"MinCapacity": 1},
    )
    assert code == "ValidationException"
    assert schedule in message


def test_requests_of_a_foreign_target_group_cannot_be_tracked(served):
    label = "app/lb/50dc6c495c0c9188/targetgroup/tg/943f017f100becff"
    metric = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label}
    assert refusal(
        served.scaling.put_scaling_policy,
        **served.key,
        PolicyName="p",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 9.0,
            "PredefinedMetricSpecification": metric,
        },
    ) == (
        "ValidationException",
        f"Target group targetgroup/tg/943f017f100becff is not attached to resource {served.resource}",
    )


def test_a_metric_has_one_target_tracking_policy(served):
    served.track()
    assert refusal(
        served.scaling.put_scaling_policy,
        **served.key,
        PolicyName="another",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={**TRACKING, "TargetValue": 60.0},
    ) == (
        "ValidationException",
        "Only one TargetTrackingScaling policy for a given metric specification is allowed.",
    )


def test_a_policy_and_its_alarms_come_and_go_together(served):
    before = served.track(50.0)

    def alarms(names):
        return [
            (alarm["AlarmName"], alarm["Threshold"])
            for alarm in served.cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"]
        ]

    assert alarms(before) == [(before[0], 50.0), (before[1], 45.0)]
    policy = served.scaling.describe_scaling_policies(**served.key)["ScalingPolicies"][0]
    after = served.track(80.0)
    updated = served.scaling.describe_scaling_policies(**served.key)["ScalingPolicies"][0]
    assert (updated["PolicyARN"], updated["CreationTime"]) == (policy["PolicyARN"], policy["CreationTime"])
    assert (alarms(before), [each for _, each in alarms(after)]) == ([], [80.0, 72.0])
    served.scaling.deregister_scalable_target(**served.key)
    assert alarms(after) == []
    assert served.scaling.describe_scaling_policies(**served.key)["ScalingPolicies"] == []


def test_lists_come_in_pages(served):
    for name in ("a", "b", "c"):
        served.scaling.put_scheduled_action(
            **served.key,
            ScheduledActionName=name,
            Schedule="cron(0 0 1 1 ? 2190)",
            ScalableTargetAction={"MinCapacity": 1},
        )
    describe = served.scaling.describe_scheduled_actions
    first = describe(**served.key, MaxResults=2)
    second = describe(**served.key, MaxResults=2, NextToken=first["NextToken"])
    names = [
        action["ScheduledActionName"]
        for action in itertools.chain(first["ScheduledActions"], second["ScheduledActions"])
    ]
    assert names == ["a", "b", "c"]
    assert "NextToken" not in second
    assert refusal(describe, **served.key, NextToken="x")[0] == "InvalidNextTokenException"


def test_a_target_is_described_as_at_aws(served):
    target = served.scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[served.resource])[
        "ScalableTargets"
    ][0]
    assert target["RoleARN"].endswith(
        ":role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
        "AWSServiceRoleForApplicationAutoScaling_ECSService"
    )
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 4)
    assert ":scalable-target/" in target["ScalableTargetARN"]


def test_predictive_scaling_is_refused(served):
    code, message = refusal(
        served.scaling.get_predictive_scaling_forecast,
        **served.key,
        PolicyName="p",
        StartTime=served.now(),
        EndTime=served.now(),
    )
    assert (code, "not supported" in message) == ("ValidationException", True)


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("register_scalable_target", {"MinCapacity": 1, "MaxCapacity": 5}),
        ("put_scheduled_action", {"ScheduledActionName": "a", "Schedule": "rate(1 minute)"}),
        ("deregister_scalable_target", {}),
    ],
)
def test_resources_that_nothing_here_scales_are_refused_by_name(noop_emulator, operation, members):
    key = {
        "ServiceNamespace": "dynamodb",
        "ResourceId": "table/t",
        "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
    }
    scaling = noop_emulator.client("application-autoscaling")
    with pytest.raises(ClientError, match=r"NotImplemented.*dynamodb"):
        getattr(scaling, operation)(**key, **members)


def test_every_live_operation_answers_in_its_shape(stage):
    scaling = stage.scaling
    arn = stage.create(1).register(1, 2, Tags={"team": "a"})
    scaling.tag_resource(ResourceARN=arn, Tags={"more": "b"})
    scaling.untag_resource(ResourceARN=arn, TagKeys=["team"])
    assert scaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"more": "b"}
    stage.track()
    stage.step("s", 1)
    scaling.put_scheduled_action(
        **stage.key,
        ScheduledActionName="a",
        Schedule="cron(0 9 ? * MON-FRI *)",
        Timezone="Asia/Kolkata",
        StartTime=stage.now(),
        EndTime=stage.now() + 10_000 * stage.minute,
        ScalableTargetAction={"MinCapacity": 1, "MaxCapacity": 2},
    )
    scaling.describe_scalable_targets(ServiceNamespace="ecs")
    scaling.describe_scaling_policies(ServiceNamespace="ecs", PolicyNames=["s"])
    shown = scaling.describe_scheduled_actions(**stage.key, ScheduledActionNames=["a"])
    assert shown["ScheduledActions"][0]["Timezone"] == "Asia/Kolkata"
    scaling.describe_scaling_activities(ServiceNamespace="ecs", IncludeNotScaledActivities=True)
    scaling.delete_scheduled_action(**stage.key, ScheduledActionName="a")
    scaling.delete_scaling_policy(**stage.key, PolicyName="s")
    scaling.deregister_scalable_target(**stage.key)
    refused_or_internal = {"GetPredictiveScalingForecast", "ExecutePolicy"}
    live = {name for service, name in live_operations() if service == "application-autoscaling"}
    answered = {name for service, name in stage.emulator.answered if service == "application-autoscaling"}
    assert live - answered == refused_or_internal
