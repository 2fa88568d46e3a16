"""When a rolling update is successful: early success criteria (A.2), the bake of its alarms (A.8)."""

from __future__ import annotations

import itertools

import pytest
from botocore.exceptions import ClientError

from samjhadoo_emulator.ecs.deployments import machine
from samjhadoo_emulator.ecs.deployments.machine import Observation, Plan, State, Status
from samjhadoo_emulator.ecs.deployments.steps import Stage, rolling_steps

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
_numbers = itertools.count(1)


def early(cleanup, percent=50):
    return {
        "minimumHealthyPercent": 50,
        "maximumPercent": 200,
        "earlySuccessCriteria": {
            "enable": True,
            "healthyPercent": percent,
            "sourceServiceRevisionCleanup": cleanup,
        },
    }


def walked(configuration, *, bake=0.0, others_gone=True, now=1000.0, turns=30):
    steps = rolling_steps(configuration, bake=bake)
    plan = Plan(configuration, steps, has_candidate=True, new_hook_id=str)
    state = State(steps=steps)
    for _ in range(turns):
        state = machine.advance(plan, state, Observation(now=now, target_ready=True, others_gone=others_gone))
    return state


@pytest.mark.rule("A.2.early-success")
@pytest.mark.parametrize(
    ("cleanup", "status"),
    [
        pytest.param("BLOCKING", Status.IN_PROGRESS, id="blocking"),
        pytest.param("DEFERRED", Status.SUCCESSFUL, id="deferred"),
    ],
)
def test_rule_a2_previous_tasks_block_success_or_are_removed_afterwards(cleanup, status):
    assert walked(early(cleanup), others_gone=False).status is status
    assert walked(early(cleanup), others_gone=True).status is Status.SUCCESSFUL


def test_rule_a2_without_early_success_all_tasks_and_the_removal_of_the_others_count():
    assert walked({}, others_gone=False).status is Status.IN_PROGRESS
    assert [step.healthy for step in rolling_steps({})] == [100.0, 100.0]
    assert rolling_steps(early("BLOCKING", 75))[0].healthy == 75.0


@pytest.mark.rule("A.8.rolling")
def test_rule_a8_the_alarms_of_a_rolling_update_are_watched_before_it_is_successful():
    state = walked({}, bake=120.0)
    assert (state.status, state.step.stage) == (Status.IN_PROGRESS, Stage.BAKE_TIME)
    plan = Plan(
        {"alarms": {"rollback": True}}, rolling_steps({}, bake=120.0), has_candidate=True, new_hook_id=str
    )
    fired = machine.advance(plan, state, Observation(now=1100.0, target_ready=True, alarms=("a",)))
    assert fired.status is Status.ROLLBACK_IN_PROGRESS
    done = state
    for _ in range(5):
        done = machine.advance(plan, done, Observation(now=1121.0, target_ready=True))
    assert done.status is Status.SUCCESSFUL


@pytest.fixture(scope="module")
def emulator(noop_emulator):
    return noop_emulator


@pytest.fixture
def ecs(emulator):
    client = emulator.client("ecs")
    client.create_cluster(clusterName="c")
    client.register_task_definition(
        family="web",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "app", "image": "app:1"}],
    )
    return client


def create(ecs, count=4, **configuration):
    name = f"rolling{next(_numbers)}"
    ecs.create_service(
        cluster="c",
        serviceName=name,
        taskDefinition="web",
        desiredCount=count,
        launchType="FARGATE",
        networkConfiguration=NETWORK,
        deploymentConfiguration=configuration,
    )
    return name


def describe(ecs, name):
    return ecs.describe_services(cluster="c", services=[name])["services"][0]


def latest(ecs, name):
    listed = ecs.list_service_deployments(cluster="c", service=name)["serviceDeployments"]
    return ecs.describe_service_deployments(serviceDeploymentArns=[listed[0]["serviceDeploymentArn"]])[
        "serviceDeployments"
    ][0]


@pytest.mark.rule("A.2.early-success")
@pytest.mark.parametrize("cleanup", ["BLOCKING", "DEFERRED"])
def test_rule_a2_after_an_early_success_the_service_goes_on_to_full_size(ecs, eventually, cleanup):
    name = create(ecs, **early(cleanup))
    eventually(lambda: describe(ecs, name)["runningCount"] == 4)
    ecs.update_service(cluster="c", service=name, forceNewDeployment=True)
    eventually(lambda: latest(ecs, name)["status"] == "SUCCESSFUL")
    eventually(lambda: [each["runningCount"] for each in describe(ecs, name)["deployments"]] == [4])


@pytest.mark.rule("A.2.early-success")
@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        pytest.param({"healthyPercent": 40, "sourceServiceRevisionCleanup": "BLOCKING"}, "between", id="low"),
        pytest.param({"healthyPercent": 60}, "are required", id="no-cleanup"),
    ],
)
def test_rule_a2_criteria_that_cannot_be_are_refused(ecs, criteria, message):
    configuration = early("BLOCKING") | {"earlySuccessCriteria": {"enable": True, **criteria}}
    with pytest.raises(ClientError, match=message):
        create(ecs, **configuration)


@pytest.mark.rule("A.8.rolling")
def test_rule_a8_a_rolling_update_bakes_as_long_as_its_slowest_alarm_needs(emulator, ecs, eventually):
    alarm = f"slow{next(_numbers)}"
    emulator.client("cloudwatch").put_metric_alarm(
        AlarmName=alarm,
        Namespace="x",
        MetricName="y",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=3,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    name = create(ecs, count=1, alarms={"alarmNames": [alarm], "enable": True, "rollback": True})
    eventually(lambda: latest(ecs, name)["status"] == "SUCCESSFUL")
    told = latest(ecs, name)
    assert (told["finishedAt"] - told["startedAt"]).total_seconds() >= 180


@pytest.mark.rule("A.1.history")
def test_rule_a1_a_deployment_is_known_for_ninety_days(emulator, ecs, eventually):
    name = create(ecs, count=1)
    eventually(lambda: latest(ecs, name)["status"] == "SUCCESSFUL")
    arn = latest(ecs, name)["serviceDeploymentArn"]
    emulator.faults.jump_clock(minutes=91 * 1440)
    assert ecs.list_service_deployments(cluster="c", service=name)["serviceDeployments"] == []
    assert ecs.describe_service_deployments(serviceDeploymentArns=[arn])["failures"][0]["reason"] == "MISSING"
    ecs.update_service(cluster="c", service=name, forceNewDeployment=True)
    assert latest(ecs, name)["serviceDeploymentArn"] != arn
