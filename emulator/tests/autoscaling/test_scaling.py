"""Services are scaled by their metrics: policies, alarms and ECS play together."""

from __future__ import annotations

import pytest

CPU, MEMORY = "CPUUtilization", "MemoryUtilization"
MEMORY_POLICY = "ECSServiceAverageMemoryUtilization"
PAUSED = {
    "deploymentConfiguration": {
        "strategy": "BLUE_GREEN",
        "bakeTimeInMinutes": 0,
        "lifecycleHooks": [
            {
                "targetType": "PAUSE",
                "lifecycleStages": ["POST_SCALE_UP"],
                "timeoutConfiguration": {"timeoutInMinutes": 10_000, "action": "ROLLBACK"},
            }
        ],
    }
}


def test_target_tracking_scales_out_in_proportion_and_records_it(stage):
    stage.create(2).register(2, 12)
    high, _ = stage.track(50.0, ScaleOutCooldown=100_000)
    stage.becomes(4, lambda: stage.put_usage(CPU, 90.0))
    first = stage.activity(Description="Setting desired count to 4.")
    assert first["Cause"] == (
        f"monitor alarm {high} in state ALARM triggered policy ECSServiceAverageCPUUtilization"
    )
    assert first["StatusMessage"].startswith("Successfully set desired count to 4. ")
    stage.eventually(lambda: stage.described()["runningCount"] >= 4)
    assert stage.deployment()["status"] == "SUCCESSFUL"
    listed = stage.ecs.list_service_deployments(cluster=stage.cluster, service=stage.service)
    assert len(listed["serviceDeployments"]) == 1  # scaling starts none


def test_an_activity_ends_when_ecs_has_fulfilled_it(stage):
    stage.create(1).register(3, 4)
    activity = stage.activity(StatusCode="Successful")
    assert activity["Description"] == "Setting desired count to 3."
    assert activity["Cause"] == "minimum capacity was set to 3"
    assert (
        activity["StatusMessage"]
        == "Successfully set desired count to 3. Change successfully fulfilled by ecs."
    )
    assert activity["EndTime"] >= activity["StartTime"]


def test_an_alarm_that_stays_scales_on_after_the_cooldown_up_to_the_maximum(stage):
    stage.create(2).register(2, 5)
    stage.track(50.0, ScaleOutCooldown=60)
    stage.becomes(5, lambda: stage.put_usage(CPU, 90.0))
    found = stage.held_back("AlreadyAtMaxCapacity", lambda: stage.put_usage(CPU, 90.0))
    assert found["NotScaledReasons"] == [{"Code": "AlreadyAtMaxCapacity", "MaxCapacity": 5}]
    assert (found["Description"], found["StatusCode"]) == (
        "Attempting to scale due to alarm triggered",
        "Failed",
    )
    assert all("NotScaledReasons" not in each for each in stage.activities())


def test_target_tracking_scales_in_to_the_minimum(stage):
    stage.create(4).register(2, 4)
    stage.track(50.0)
    stage.becomes(2, lambda: stage.put_usage(CPU, 10.0))


def test_target_tracking_scales_in_only_when_all_policies_agree(stage):
    stage.create(4).register(2, 4)
    stage.track(50.0)
    stage.track(50.0, MEMORY_POLICY)

    def put():
        stage.put_usage(CPU, 10.0)
        stage.put_usage(MEMORY, 48.0)  # neither above the target nor below 90 % of it

    stage.held_back("AutoScalingAnticipatedFlapping", put)
    assert stage.desired() == 4
    stage.scaling.delete_scaling_policy(**stage.key, PolicyName=MEMORY_POLICY)
    stage.becomes(2, put)


def test_step_scaling_follows_an_alarm_of_the_user(stage):
    stage.create(2).register(2, 10)
    arn = stage.step("more", 3, Cooldown=100_000)
    policy = stage.scaling.describe_scaling_policies(**stage.key)["ScalingPolicies"][0]
    assert policy["PolicyARN"] == arn
    assert [alarm["AlarmName"] for alarm in policy["Alarms"]] == [f"{stage.service}-more"]
    stage.becomes(5, lambda: stage.put_queue(80.0))
    history = stage.cloudwatch.describe_alarm_history(
        AlarmName=f"{stage.service}-more", HistoryItemType="Action"
    )["AlarmHistoryItems"]
    assert history[-1]["HistorySummary"] == f"Successfully executed action {arn}"


def test_an_alarm_set_by_hand_executes_its_policy(stage):
    stage.create(2).register(2, 10)
    stage.step("more", 1, Cooldown=100_000)
    stage.cloudwatch.set_alarm_state(
        AlarmName=f"{stage.service}-more", StateValue="ALARM", StateReason="to see what happens"
    )
    stage.becomes(3)


def test_an_alarm_without_its_policy_has_that_in_its_history(stage):
    stage.create(2).register(2, 10)
    stage.step("more", 1)
    stage.scaling.delete_scaling_policy(**stage.key, PolicyName="more")
    alarm = f"{stage.service}-more"
    stage.cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="none")

    def history():
        return stage.cloudwatch.describe_alarm_history(AlarmName=alarm, HistoryItemType="Action")[
            "AlarmHistoryItems"
        ]

    assert "No scaling policy found" in stage.eventually(history)[0]["HistorySummary"]
    assert stage.desired() == 2


def test_what_is_suspended_does_not_scale_until_it_is_resumed(stage):
    stage.create(2).register(2, 4)
    stage.suspend(DynamicScalingOutSuspended=True)
    high, _ = stage.track(50.0)

    def fired():
        stage.put_usage(CPU, 90.0)
        return stage.cloudwatch.describe_alarms(AlarmNames=[high], StateValue="ALARM")["MetricAlarms"]

    stage.eventually(fired)
    target = stage.scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[stage.resource])[
        "ScalableTargets"
    ][0]
    assert target["SuspendedState"] == {
        "DynamicScalingInSuspended": False,
        "DynamicScalingOutSuspended": True,
        "ScheduledScalingSuspended": False,
    }
    assert (stage.desired(), stage.activities()) == (2, [])
    stage.suspend(DynamicScalingOutSuspended=False)
    stage.becomes(4, lambda: stage.put_usage(CPU, 90.0))


@pytest.mark.rule("A.12.scale-in")
def test_scale_in_is_off_during_a_deployment_and_scale_out_goes_on(stage):
    stage.create_paused(3, PAUSED)
    stage.register(1, 6)
    deployment = stage.deploy_until_paused()
    stage.track(50.0)
    found = stage.held_back("TargetServicePutResourceAsUnscalable", lambda: stage.put_usage(CPU, 10.0))
    assert "AlarmLow" in found["Cause"]
    assert stage.desired() == 3
    stage.step("more", 2, Cooldown=100_000)
    stage.becomes(5, lambda: stage.put_queue(90.0))
    assert stage.deployment()["status"] == "IN_PROGRESS"
    stage.go_on(deployment)
    stage.becomes(1, lambda: stage.put_usage(CPU, 10.0))


@pytest.mark.rule("A.12.scale-in")
def test_a_lower_maximum_takes_effect_when_the_deployment_has_ended(stage):
    stage.create_paused(4, PAUSED)
    stage.register(1, 6)
    deployment = stage.deploy_until_paused()
    stage.register(maximum=2)
    assert stage.desired() == 4
    stage.register(minimum=2, maximum=5)
    assert stage.desired() == 4
    stage.register(minimum=1, maximum=3)
    stage.go_on(deployment)
    stage.becomes(3)


def test_a_scheduled_action_sets_minimum_and_maximum_when_it_is_time(stage):
    stage.create(2).register(2, 4)
    soon = stage.now().replace(tzinfo=None, microsecond=0)
    stage.scaling.put_scheduled_action(
        **stage.key,
        ScheduledActionName="evening",
        Schedule=f"at({(soon + 60 * stage.minute).isoformat()})",
        ScalableTargetAction={"MinCapacity": 5, "MaxCapacity": 10},
    )
    stage.becomes(5)
    newest, before = stage.activities()[:2]
    assert newest["Cause"] == "minimum capacity was set to 5"
    assert before["Cause"] == "scheduled action name evening was triggered"
    assert before["Description"] == "Setting min capacity to 5 and max capacity to 10"
    assert before["StatusMessage"] == "Successfully set min capacity to 5 and max capacity to 10"


def test_a_scheduled_action_does_not_run_while_it_is_suspended(stage):
    stage.create(2).register(2, 4)
    stage.suspend(ScheduledScalingSuspended=True)
    stage.scaling.put_scheduled_action(
        **stage.key,
        ScheduledActionName="always",
        Schedule="rate(1 minute)",
        ScalableTargetAction={"MinCapacity": 3},
    )
    until = stage.now() + 10 * stage.minute
    stage.eventually(lambda: stage.now() > until)
    assert stage.desired() == 2
    stage.suspend(ScheduledScalingSuspended=False)
    stage.becomes(3)
    stage.scaling.delete_scheduled_action(**stage.key, ScheduledActionName="always")


def test_metric_math_can_be_tracked(stage):
    stage.create(2).register(2, 8)
    metric = {"Namespace": "Queue", "MetricName": stage.service, "Dimensions": []}
    answer = stage.scaling.put_scaling_policy(
        **stage.key,
        PolicyName="backlog",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 10.0,
            "CustomizedMetricSpecification": {
                "Metrics": [
                    {"Id": "m", "MetricStat": {"Metric": metric, "Stat": "Average"}, "ReturnData": False},
                    {"Id": "half", "Expression": "m / 2", "ReturnData": True},
                ]
            },
            "ScaleOutCooldown": 100_000,
        },
    )
    assert len(answer["Alarms"]) == 2
    stage.becomes(6, lambda: stage.put_queue(60.0))
