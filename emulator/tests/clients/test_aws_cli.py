"""The AWS CLI drives a canary by hand through every ending, and waits with its own waiters."""

from __future__ import annotations

import contextlib
import itertools

import pytest

_numbers = itertools.count(1)
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
GATES = ["POST_TEST_TRAFFIC_SHIFT", "PRE_PRODUCTION_TRAFFIC_SHIFT"]
PAUSED = ["PRE_SCALE_UP", "POST_SCALE_UP", *GATES, "POST_PRODUCTION_TRAFFIC_SHIFT"]


def canary(stages=GATES, *, minutes=10000, action="ROLLBACK", bake=1, **extra):
    timeout = {"timeoutInMinutes": minutes, "action": action}
    hook = {"targetType": "PAUSE", "lifecycleStages": stages, "timeoutConfiguration": timeout}
    return {
        "strategy": "CANARY",
        "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 1},
        "bakeTimeInMinutes": bake,
        "lifecycleHooks": [hook] if stages else [],
        **extra,
    }


class Web:
    """A service as the AWS CLI sees it."""

    def __init__(self, client, eventually):
        self.client, self.eventually, self.name = client, eventually, f"web{next(_numbers)}"
        self.aws(
            "create-service",
            service_name=self.name,
            task_definition="web",
            desired_count="1",
            launch_type="FARGATE",
            network_configuration=NETWORK,
        )
        eventually(self.stable)  # the CLI's waiter looks every 15 seconds only
        self.aws("wait", "services-stable", services=self.name)

    def stable(self):
        ecs = self.client.emulator.client("ecs")
        service = ecs.describe_services(cluster="c", services=[self.name])["services"][0]
        return service["runningCount"] == 1 and service["deployments"][0]["rolloutState"] == "COMPLETED"

    def aws(self, *argv, cluster="c", **documents):
        return self.client.aws("ecs", *argv, **({"cluster": cluster} if cluster else {}), **documents)

    def deploy(self, configuration):
        service = self.aws(
            "update-service",
            "--force-new-deployment",
            service=self.name,
            deployment_configuration=configuration,
        )["service"]
        return service["currentServiceDeployment"]

    def deployment(self, arn):
        """Return a deployment; read by boto3, as it is read often and the CLI takes a second to start."""
        found = self.client.emulator.client("ecs").describe_service_deployments(serviceDeploymentArns=[arn])
        return found["serviceDeployments"][0]

    def gate(self, stage, weight, arn):
        """Return the hook that is open at a stage, once it is."""

        def look():
            seen = self.deployment(arn)
            here = seen["targetServiceRevision"]["requestedProductionTrafficWeight"] == weight
            hooks = seen.get("lifecycleHookDetails", []) if here and seen["lifecycleStage"] == stage else []
            return [hook["hookId"] for hook in hooks if hook["status"] == "AWAITING_ACTION"]

        return self.eventually(look)[0]

    def answer(self, arn, hook, action="CONTINUE"):
        self.aws(
            "continue-service-deployment",
            cluster=None,
            service_deployment_arn=arn,
            hook_id=hook,
            action=action,
        )

    def stop(self, arn):
        self.aws("stop-service-deployment", cluster=None, service_deployment_arn=arn, stop_type="ROLLBACK")

    def ends(self, arn, status):
        self.eventually(lambda: self.deployment(arn)["status"] == status)
        described = self.aws("describe-service-deployments", cluster=None, service_deployment_arns=arn)
        return described["serviceDeployments"][0]


@pytest.fixture
def web(client, eventually):
    web = Web(client, eventually)
    yield web
    web.aws("delete-service", "--force", service=web.name)


def test_every_gate_is_continued_to_success(web):
    arn = web.deploy(canary())
    for stage, weight in ((GATES[0], 0), (GATES[1], 0), (GATES[1], 10)):
        web.answer(arn, web.gate(stage, weight, arn))
    assert web.ends(arn, "SUCCESSFUL")["targetServiceRevision"]["requestedProductionTrafficWeight"] == 100


@pytest.mark.parametrize(("stage", "weight"), [(GATES[0], 0), (GATES[1], 0), (GATES[1], 10)])
def test_a_gate_is_answered_with_rollback(web, stage, weight):
    arn = web.deploy(canary([stage]))
    if weight:
        web.answer(arn, web.gate(stage, 0, arn))
    web.answer(arn, web.gate(stage, weight, arn), "ROLLBACK")
    assert (
        web.ends(arn, "ROLLBACK_SUCCESSFUL")["targetServiceRevision"]["requestedProductionTrafficWeight"] == 0
    )


@pytest.mark.parametrize(
    ("action", "status"), [("ROLLBACK", "ROLLBACK_SUCCESSFUL"), ("CONTINUE", "SUCCESSFUL")]
)
def test_gates_that_nobody_answers_time_out(web, action, status):
    arn = web.deploy(canary(minutes=5, action=action))
    seen = web.ends(arn, status)
    if action == "ROLLBACK":
        assert seen["statusReason"].endswith("POST_TEST_TRAFFIC_SHIFT pause hook timed out.")


@pytest.mark.parametrize("stage", [*PAUSED, "BAKE_TIME"])
def test_a_deployment_is_stopped_in_a_stage(web, stage):
    arn = web.deploy(canary([stage] if stage in PAUSED else [], bake=1440))
    web.eventually(lambda: web.deployment(arn).get("lifecycleStage") == stage)
    web.stop(arn)
    web.ends(arn, "ROLLBACK_SUCCESSFUL")
    refused = web.client.run("aws", "ecs", "stop-service-deployment", "--service-deployment-arn", arn)
    assert refused.returncode != 0
    assert "ConflictException" in refused.stderr


def test_an_alarm_ends_a_deployment(web):
    name = f"alarm{web.name}"
    web.client.aws(
        "cloudwatch",
        "put-metric-alarm",
        alarm_name=name,
        namespace="x",
        metric_name="y",
        statistic="Sum",
        period="60",
        evaluation_periods="1",
        threshold="1",
        comparison_operator="GreaterThanThreshold",
        treat_missing_data="ignore",
    )
    alarms = {"alarmNames": [name], "enable": True, "rollback": True}
    arn = web.deploy(canary([], bake=1440, alarms=alarms))
    web.eventually(lambda: web.deployment(arn).get("lifecycleStage") == "BAKE_TIME")
    web.client.aws("cloudwatch", "set-alarm-state", alarm_name=name, state_value="ALARM", state_reason="test")
    assert web.ends(arn, "ROLLBACK_SUCCESSFUL")["alarms"]["triggeredAlarmNames"] == [name]


def test_the_circuit_breaker_ends_a_deployment(web):
    limit = {"type": "COUNT", "value": 2}
    breaker = {"enable": True, "rollback": True, "thresholdConfiguration": limit}
    arn = web.deploy(canary([], deploymentCircuitBreaker=breaker))
    started = "ecs-svc/" + web.deployment(arn)["targetServiceRevision"]["arn"].rpartition("/")[2]
    ecs = web.client.emulator.client("ecs")

    def failed():
        for task in ecs.list_tasks(cluster="c", startedBy=started)["taskArns"]:
            with contextlib.suppress(ValueError):  # it does not run yet, or no more
                web.client.emulator.faults.kill_task(task=task)
        found = ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]
        return found["status"] == "ROLLBACK_SUCCESSFUL"

    web.eventually(failed)
    assert web.deployment(arn)["statusReason"].endswith("the circuit breaker threshold was exceeded.")


def test_a_newer_deployment_ends_one_that_waits(web):
    first = web.deploy(canary())
    web.gate(GATES[0], 0, first)
    second = web.deploy(canary([]))
    web.ends(first, "STOPPED")
    web.ends(second, "SUCCESSFUL")


def test_the_waiters_of_services_and_tasks_end(client, eventually):
    web = Web(client, eventually)
    task = web.aws("run-task", task_definition="web", launch_type="FARGATE", network_configuration=NETWORK)[
        "tasks"
    ][0]["taskArn"]
    web.aws("wait", "tasks-running", tasks=task)
    web.aws("stop-task", task=task)
    web.aws("wait", "tasks-stopped", tasks=task)
    web.aws("delete-service", "--force", service=web.name)
    web.aws("wait", "services-inactive", services=web.name)
