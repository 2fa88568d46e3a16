"""Canary deployments with real tasks behind the real load balancer."""

from __future__ import annotations

import itertools
import json
import math
import threading
import time
from pathlib import Path

import pytest
import urllib3

from samjhadoo_emulator.testing import Emulator, Faults

_numbers = itertools.count(1)
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
PAUSES = [
    {
        "targetType": "PAUSE",
        "lifecycleStages": ["POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT"],
        "timeoutConfiguration": {"timeoutInMinutes": 600, "action": "ROLLBACK"},
    }
]
CANARY = {
    "strategy": "CANARY",
    "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 10},
    "bakeTimeInMinutes": 10,
    "deploymentCircuitBreaker": {
        "enable": True,
        "rollback": True,
        "resetOnHealthyTask": True,
        "thresholdConfiguration": {"type": "COUNT", "value": 3},
    },
    "lifecycleHooks": PAUSES,
}


class Stage:
    """A service behind a load balancer: production and test listener, two target groups."""

    def __init__(self, emulator, image):
        self.emulator, self.image, self.name = emulator, image, f"canary{next(_numbers)}"
        self.ecs, self.elb = emulator.client("ecs"), emulator.client("elbv2")
        self.ecs.create_cluster(clusterName="canaries")
        balancer = self.elb.create_load_balancer(Name=self.name, Subnets=self.subnets())["LoadBalancers"][0]
        self.balancer = balancer["LoadBalancerArn"]
        self.groups = [self.group(f"{self.name}-{colour}") for colour in ("a", "b")]
        self.listeners = [self.listener(group) for group in self.groups]
        self.rules = [
            self.elb.describe_rules(ListenerArn=listener)["Rules"][0]["RuleArn"]
            for listener in self.listeners
        ]
        self.http = urllib3.PoolManager(maxsize=20)

    def subnets(self):
        found = self.emulator.client("ec2").describe_subnets()["Subnets"]
        return [subnet["SubnetId"] for subnet in found[:2]]

    def group(self, name):
        return self.elb.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=8080,
            VpcId=self.emulator.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"],
            TargetType="ip",
            HealthCheckPath="/health",
            HealthCheckIntervalSeconds=30,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )["TargetGroups"][0]["TargetGroupArn"]

    def listener(self, group):
        port = 40000 + next(_numbers)
        return self.elb.create_listener(
            LoadBalancerArn=self.balancer,
            Protocol="HTTP",
            Port=port,
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
        )["Listeners"][0]["ListenerArn"]

    def url(self, index):
        listeners = {
            each["listener_arn"]: each["bound_port"] for each in self.emulator.ask("GET", "listeners")
        }
        return f"http://127.0.0.1:{listeners[self.listeners[index]]}/"

    def register(self, release, **environment):
        return self.ecs.register_task_definition(
            family=self.name,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[
                {
                    "name": "app",
                    "image": self.image,
                    "portMappings": [{"containerPort": 8080}],
                    "environment": [
                        {"name": name, "value": value}
                        for name, value in {"NAME": release, **environment}.items()
                    ],
                }
            ],
        )["taskDefinition"]["taskDefinitionArn"]

    def create(self, **extra):
        self.ecs.create_service(
            cluster="canaries",
            serviceName=self.name,
            taskDefinition=self.register("v1"),
            desiredCount=2,
            launchType="FARGATE",
            networkConfiguration=NETWORK,
            loadBalancers=[
                {
                    "containerName": "app",
                    "containerPort": 8080,
                    "targetGroupArn": self.groups[0],
                    "advancedConfiguration": {
                        "alternateTargetGroupArn": self.groups[1],
                        "productionListenerRule": self.rules[0],
                        "testListenerRule": self.rules[1],
                        "roleArn": "arn:aws:iam::000000000000:role/infrastructure",
                    },
                }
            ],
            **extra,
        )

    def update(self, release, *, configuration=None, **environment):
        self.ecs.update_service(
            cluster="canaries",
            service=self.name,
            taskDefinition=self.register(release, **environment),
            deploymentConfiguration=configuration or CANARY,
        )
        return self.latest()["serviceDeploymentArn"]

    def describe(self):
        return self.ecs.describe_services(cluster="canaries", services=[self.name])["services"][0]

    def latest(self):
        listed = self.ecs.list_service_deployments(cluster="canaries", service=self.name)[
            "serviceDeployments"
        ]
        return self.deployment(listed[0]["serviceDeploymentArn"])

    def deployment(self, arn):
        return self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]

    def waiting_hook(self, stage, weight):
        seen = self.latest()
        if seen.get("lifecycleStage") == stage:
            for hook in seen.get("lifecycleHookDetails", []):
                if (
                    hook["status"] == "AWAITING_ACTION"
                    and seen["targetServiceRevision"]["requestedProductionTrafficWeight"] == weight
                ):
                    return hook["hookId"]
        return None

    def go_on(self, hook, action="CONTINUE"):
        self.ecs.continue_service_deployment(
            serviceDeploymentArn=self.latest()["serviceDeploymentArn"], hookId=hook, action=action
        )

    def answers(self, count, index=0):
        url = self.url(index)
        return [self.http.request("GET", url, retries=False, timeout=30).data.decode() for _ in range(count)]

    def remove(self):
        self.ecs.delete_service(cluster="canaries", service=self.name, force=True)


@pytest.fixture
def stage(emulator, server_image, eventually):
    stage = Stage(emulator, server_image)
    stage.create()
    eventually(lambda: stage.latest()["status"] == "SUCCESSFUL")
    yield stage
    stage.remove()


class Load:
    """Requests at a steady rate from the moment it is entered until it is left."""

    def __init__(self, url, rate):
        self.url, self.rate, self.answers, self.failures = url, rate, [], []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(4)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self):
        http = urllib3.PoolManager()
        while not self._stop.wait(len(self._threads) / self.rate):
            try:
                answer = http.request("GET", self.url, retries=False, timeout=30)
                self.answers.append((time.monotonic(), answer.data.decode()))
                if answer.status != 200:
                    self.failures.append(answer.status)
            except urllib3.exceptions.HTTPError as error:
                self.failures.append(error)


@pytest.mark.rule("A.15.2", "A.15.3")
def test_a_canary_takes_its_share_then_everything_and_no_request_fails(stage, eventually):
    with Load(stage.url(0), rate=100) as load:
        stage.update("v2")
        hook = eventually(lambda: stage.waiting_hook("POST_TEST_TRAFFIC_SHIFT", 0))
        assert set(stage.answers(20, index=1)) == {"v2"}
        assert set(stage.answers(20)) == {"v1"}
        stage.go_on(hook)
        stage.go_on(eventually(lambda: stage.waiting_hook("PRE_PRODUCTION_TRAFFIC_SHIFT", 0)))
        hook = eventually(lambda: stage.waiting_hook("PRE_PRODUCTION_TRAFFIC_SHIFT", 10))
        share = stage.answers(1000).count("v2")
        assert abs(share - 100) <= 5 * math.sqrt(1000 * 0.1 * 0.9)
        assert stage.describe()["runningCount"] == 4
        stage.go_on(hook)
        eventually(lambda: stage.latest()["status"] == "SUCCESSFUL")
        assert set(stage.answers(50)) == {"v2"}
    assert load.failures == []
    assert stage.describe()["runningCount"] == 2


@pytest.mark.rule("A.7.roles", "A.15.3")
def test_the_target_groups_swap_roles_with_each_deployment(stage, eventually):
    configuration = {**CANARY, "lifecycleHooks": []}
    used = []
    for release in ("v2", "v3"):
        stage.update(release, configuration=configuration)
        eventually(lambda: stage.latest()["status"] == "SUCCESSFUL")
        revision = stage.latest()["targetServiceRevision"]["arn"]
        answer = stage.ecs.describe_service_revisions(serviceRevisionArns=[revision])["serviceRevisions"][0]
        used.append(answer["resolvedConfiguration"]["loadBalancers"][0]["targetGroupArn"])
        weights = {
            group["TargetGroupArn"]: group["Weight"]
            for group in stage.elb.describe_rules(RuleArns=[stage.rules[0]])["Rules"][0]["Actions"][0][
                "ForwardConfig"
            ]["TargetGroups"]
        }
        assert weights[used[-1]] > 0
        assert sum(weights.values()) == weights[used[-1]]
    assert used == [stage.groups[1], stage.groups[0]]


@pytest.mark.rule("A.10.capacity", "A.15.6")
def test_a_rollback_during_the_canary_is_back_at_once_and_no_request_fails(stage, eventually):
    with Load(stage.url(0), rate=100) as load:
        arn = stage.update("v2")
        stage.go_on(eventually(lambda: stage.waiting_hook("POST_TEST_TRAFFIC_SHIFT", 0)))
        stage.go_on(eventually(lambda: stage.waiting_hook("PRE_PRODUCTION_TRAFFIC_SHIFT", 0)))
        eventually(lambda: stage.waiting_hook("PRE_PRODUCTION_TRAFFIC_SHIFT", 10))
        eventually(lambda: "v2" in stage.answers(20))
        stopped = time.monotonic()
        stage.ecs.stop_service_deployment(serviceDeploymentArn=arn)
        eventually(lambda: stage.deployment(arn)["status"] == "ROLLBACK_SUCCESSFUL")
        assert set(stage.answers(50)) == {"v1"}
    assert load.failures == []
    assert [when - stopped for when, answer in load.answers if answer == "v2" and when > stopped + 3] == []
    service = stage.describe()
    assert service["taskDefinition"].endswith(":1")
    assert service["deployments"][0]["rolloutState"] == "COMPLETED"


@pytest.mark.rule("A.9.stages", "A.15.4")
@pytest.mark.parametrize(
    ("fault", "stopped_reason"),
    [
        pytest.param({"CRASH": "3"}, "Essential container in task exited", id="exits-at-once"),
        pytest.param({"HEALTH": "fail"}, "Task failed ELB health checks", id="never-healthy"),
    ],
)
def test_a_release_that_does_not_start_is_rolled_back_by_the_circuit_breaker(
    stage, eventually, fault, stopped_reason
):
    with Load(stage.url(0), rate=50) as load:
        stage.update("bad", **fault)
        eventually(lambda: stage.latest()["status"] == "ROLLBACK_SUCCESSFUL")
    assert load.failures == []
    assert {answer for _, answer in load.answers} == {"v1"}
    seen = stage.latest()
    assert (
        seen["statusReason"]
        == "Service deployment rolled back because the circuit breaker threshold was exceeded."
    )
    assert seen["deploymentCircuitBreaker"]["status"] == "TRIGGERED"
    stopped = stage.ecs.list_tasks(cluster="canaries", serviceName=stage.name, desiredStatus="STOPPED")[
        "taskArns"
    ]
    tasks = stage.ecs.describe_tasks(cluster="canaries", tasks=stopped)["tasks"]
    assert any(task["stoppedReason"].startswith(stopped_reason) for task in tasks)
    if "CRASH" in fault:
        # The rollback may have stopped one before its container began.
        assert {container.get("exitCode") for task in tasks for container in task["containers"]} >= {3}


def test_a_task_that_is_killed_in_steady_state_is_replaced(stage, eventually, emulator):
    victim = stage.ecs.list_tasks(cluster="canaries", serviceName=stage.name)["taskArns"][0]
    stage.ecs.stop_task(cluster="canaries", task=victim)
    eventually(
        lambda: (
            stage.describe()["runningCount"] == 2
            and victim not in stage.ecs.list_tasks(cluster="canaries", serviceName=stage.name)["taskArns"]
        )
    )
    eventually(lambda: health(stage) == ["healthy", "healthy"])


def test_a_task_cut_off_from_the_load_balancer_is_replaced(stage, eventually, emulator):
    stage.elb.modify_target_group(TargetGroupArn=stage.groups[0], HealthCheckTimeoutSeconds=2)
    faults = Faults(Emulator(emulator.url, "ap-south-1", emulator.process, Path()).ask)
    with faults.partition_task(service=stage.name, cluster="canaries") as fault:
        (victim,) = fault.document["tasks"]
        eventually(
            lambda: "unhealthy in (target-group" in json.dumps(stage.describe()["events"], default=str)
        )
        eventually(lambda: victim not in running(stage) and len(running(stage)) == 2)
    reason = stage.ecs.describe_tasks(cluster="canaries", tasks=[victim])["tasks"][0]["stoppedReason"]
    assert reason.startswith("Task failed ELB health checks")
    eventually(lambda: set(stage.answers(20)) == {"v1"})


def test_unhealthy_tasks_stay_until_others_are_healthy_in_their_place(stage, eventually, emulator):
    stage.elb.modify_target_group(TargetGroupArn=stage.groups[0], HealthCheckTimeoutSeconds=2)
    faults = Faults(Emulator(emulator.url, "ap-south-1", emulator.process, Path()).ask)
    before = set(running(stage))
    with faults.partition_task(service=stage.name, cluster="canaries", count=2) as fault:
        assert set(fault.document["tasks"]) == before

        def replaced():
            assert len(running(stage)) >= 2
            assert len(health(stage)) >= 2
            return not before & set(running(stage))

        eventually(replaced)
    eventually(lambda: health(stage) == ["healthy", "healthy"])
    assert len(running(stage)) == 2


def test_an_unhealthy_task_that_recovers_is_kept(stage, eventually, emulator):
    stage.elb.modify_target_group(TargetGroupArn=stage.groups[0], HealthCheckTimeoutSeconds=2)
    faults = Faults(Emulator(emulator.url, "ap-south-1", emulator.process, Path()).ask)
    before = set(running(stage))
    with faults.partition_task(service=stage.name, cluster="canaries", count=2):
        eventually(lambda: set(running(stage)) - before)
    eventually(lambda: health(stage) == ["healthy", "healthy"] and len(running(stage)) == 2)


def running(stage):
    return stage.ecs.list_tasks(cluster="canaries", serviceName=stage.name)["taskArns"]


def health(stage):
    answer = stage.elb.describe_target_health(TargetGroupArn=stage.groups[0])["TargetHealthDescriptions"]
    return [each["TargetHealth"]["State"] for each in answer]


@pytest.mark.rule("A.5.timeouts", "A.15.2")
def test_an_unanswered_hook_rolls_back_with_no_client_alive(stage, eventually):
    hooks = [{**PAUSES[0], "timeoutConfiguration": {"timeoutInMinutes": 5, "action": "ROLLBACK"}}]
    stage.update("v2", configuration={**CANARY, "lifecycleHooks": hooks})
    eventually(lambda: stage.latest()["status"] == "ROLLBACK_SUCCESSFUL")
    assert stage.latest()["statusReason"].endswith("POST_TEST_TRAFFIC_SHIFT pause hook timed out.")
    assert set(stage.answers(20)) == {"v1"}


@pytest.mark.rule("A.8.monitored", "A.8.ignored", "A.15.4")
def test_an_alarm_that_fires_during_the_bake_rolls_back(stage, eventually):
    alarm = f"{stage.name}-errors"
    cloudwatch = stage.emulator.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=alarm,
        Namespace="x",
        MetricName="y",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )
    configuration = {
        **CANARY,
        "lifecycleHooks": [],
        "bakeTimeInMinutes": 1000,
        "alarms": {"alarmNames": [alarm], "enable": True, "rollback": True},
    }
    stage.update("v2", configuration=configuration)
    eventually(lambda: stage.latest().get("lifecycleStage") == "BAKE_TIME")
    assert stage.latest()["alarms"]["status"] == "MONITORING"
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="test")
    eventually(lambda: stage.latest()["status"] == "ROLLBACK_SUCCESSFUL")
    seen = stage.latest()
    assert seen["alarms"] == {"status": "TRIGGERED", "alarmNames": [alarm], "triggeredAlarmNames": [alarm]}
    assert set(stage.answers(20)) == {"v1"}
    stage.update("v3", configuration={**configuration, "bakeTimeInMinutes": 1})
    eventually(lambda: stage.latest()["status"] == "SUCCESSFUL")
    assert stage.latest()["alarms"]["status"] == "DISABLED"


@pytest.mark.rule("A.8.monitored", "A.12.metrics")
def test_an_alarm_fires_from_the_canarys_own_errors_and_rolls_back(stage, eventually):
    alarm, cloudwatch = f"{stage.name}-5xx", stage.emulator.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName=alarm,
        Namespace="AWS/ApplicationELB",
        MetricName="HTTPCode_Target_5XX_Count",
        Dimensions=[
            {"Name": "LoadBalancer", "Value": stage.balancer.partition(":loadbalancer/")[2]},
            {"Name": "TargetGroup", "Value": stage.groups[1].rpartition(":")[2]},
        ],
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=3,
        DatapointsToAlarm=1,
        Threshold=2,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
    )
    eventually(
        lambda: cloudwatch.describe_alarms(AlarmNames=[alarm])["MetricAlarms"][0]["StateValue"] == "OK"
    )
    configuration = {
        **CANARY,
        "lifecycleHooks": [],
        "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 1440},
        "alarms": {"alarmNames": [alarm], "enable": True, "rollback": True},
    }
    stage.update("v2", configuration=configuration, STATUS="500")

    def rolled_back():
        stage.answers(10)
        return stage.latest()["status"] == "ROLLBACK_SUCCESSFUL"

    eventually(rolled_back, within=60)
    seen = stage.latest()
    assert seen["alarms"]["triggeredAlarmNames"] == [alarm]
    assert set(stage.answers(20)) == {"v1"}
    items = cloudwatch.describe_alarm_history(AlarmName=alarm, HistoryItemType="StateUpdate")
    changes = [item["HistorySummary"] for item in items["AlarmHistoryItems"]]
    assert "Alarm updated from OK to ALARM" in changes


@pytest.mark.rule("A.7.async")
def test_the_production_rule_must_serve_the_current_revision(stage, eventually):
    stage.elb.modify_listener(
        ListenerArn=stage.listeners[0],
        DefaultActions=[
            {
                "Type": "forward",
                "ForwardConfig": {
                    "TargetGroups": [{"TargetGroupArn": group, "Weight": 50} for group in stage.groups]
                },
            }
        ],
    )
    stage.update("v2")
    eventually(lambda: stage.latest()["status"] == "ROLLBACK_SUCCESSFUL")
    assert (
        "should have exactly one target group serving traffic but found 2" in stage.latest()["statusReason"]
    )
    assert json.dumps(stage.describe()["events"], default=str).count("deployment failed") == 1
