"""Deployments, each held in another stage, when the emulator is killed: all of them go on and end."""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import dataclass, field
from typing import Any

import pytest

from samjhadoo_emulator.testing import eventually

FOREVER = 400
"""Emulated minutes for which bakes and functions hold a deployment: 400 real seconds, or one jump."""
ONGOING = {"IN_PROGRESS", "ROLLBACK_IN_PROGRESS"}
TERMINAL = {"SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"}
FUNCTION = "arn:aws:lambda:ap-south-1:000000000000:function:judge"
CANARY = {
    "strategy": "CANARY",
    "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 0},
    "bakeTimeInMinutes": 0,
}
LINEAR = {
    "strategy": "LINEAR",
    "linearConfiguration": {"stepPercent": 50.0, "stepBakeTimeInMinutes": FOREVER},
    "bakeTimeInMinutes": 0,
}
BLUE_GREEN = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": FOREVER}


def paused(stage: str, *, minutes: int = 20000, action: str = "ROLLBACK") -> dict[str, Any]:
    return {
        "targetType": "PAUSE",
        "lifecycleStages": [stage],
        "timeoutConfiguration": {"timeoutInMinutes": minutes, "action": action},
    }


def judged(stage: str) -> dict[str, Any]:
    return {
        "targetType": "AWS_LAMBDA",
        "hookTargetArn": FUNCTION,
        "roleArn": "arn:aws:iam::000000000000:role/ecs",
        "lifecycleStages": [stage],
    }


@dataclass
class Case:
    """A deployment.

    Attributes:
        stage: Where it is held.
        ratio: The production traffic on its target while it is held, in percent.
        ending: How it ends.
        configuration: What holds it there.

    """

    stage: str
    ratio: float
    ending: str = "SUCCESSFUL"
    configuration: dict[str, Any] = field(default_factory=dict)


def canary(*hooks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**CANARY, "lifecycleHooks": list(hooks), **more}


BAKING = {"canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": FOREVER}}
GATE = "PRE_PRODUCTION_TRAFFIC_SHIFT"
ALARMS = {"alarmNames": ["guard"], "enable": True, "rollback": True}
CASES = {
    "reconcile": Case(
        "RECONCILE_SERVICE", 0, configuration=canary(paused("RECONCILE_SERVICE"), paused("POST_SCALE_UP"))
    ),
    "scale-up": Case("SCALE_UP", 0, configuration=canary()),
    "after-scale-up": Case("POST_SCALE_UP", 0, configuration=canary(paused("POST_SCALE_UP"))),
    "test-shift": Case("TEST_TRAFFIC_SHIFT", 0, configuration=canary(judged("TEST_TRAFFIC_SHIFT"))),
    "after-test": Case("POST_TEST_TRAFFIC_SHIFT", 0, configuration=canary(paused("POST_TEST_TRAFFIC_SHIFT"))),
    "first-gate": Case(GATE, 0, configuration=canary(paused(GATE))),
    "second-gate": Case(GATE, 10, configuration=canary(paused(GATE))),
    "production-shift": Case(
        "PRODUCTION_TRAFFIC_SHIFT", 10, configuration=canary(judged("PRODUCTION_TRAFFIC_SHIFT"))
    ),
    "canary-bake": Case("PRODUCTION_TRAFFIC_SHIFT", 10, configuration=canary(**BAKING)),
    "after-shift": Case(
        "POST_PRODUCTION_TRAFFIC_SHIFT", 100, configuration=canary(paused("POST_PRODUCTION_TRAFFIC_SHIFT"))
    ),
    "alarmed": Case(
        "BAKE_TIME",
        100,
        "ROLLBACK_SUCCESSFUL",
        configuration=canary(bakeTimeInMinutes=FOREVER, alarms=ALARMS),
    ),
    "blue-green": Case("BAKE_TIME", 100, configuration=BLUE_GREEN),
    "linear": Case("PRODUCTION_TRAFFIC_SHIFT", 50, configuration=LINEAR),
    "rolling": Case("", 0, configuration={"strategy": "ROLLING"}),
}
"""What stays where it is until somebody acts. The stages that only pass by are caught in passing."""
PASSING = {
    "clean-up": Case("CLEAN_UP", 100, configuration=canary()),
    "rollback": Case("CLEAN_UP", 0, "ROLLBACK_SUCCESSFUL", configuration=canary(**BAKING)),
    "late-rollback": Case(
        "PRE_SCALE_UP", 0, "ROLLBACK_SUCCESSFUL", configuration=canary(paused("PRE_SCALE_UP", minutes=3))
    ),
    "late-continue": Case(
        "PRE_SCALE_UP", 0, configuration=canary(paused("PRE_SCALE_UP", minutes=3, action="CONTINUE"))
    ),
}
EVERY = CASES | PASSING
DRAINING = {"clean-up", "rollback"}


class Services:
    """A service for each case, behind rules of its own of one load balancer."""

    def __init__(self, emulator: Any, listeners: Any) -> None:
        self.listeners = listeners
        self.ecs, self.elb = emulator.client("ecs"), emulator.client("elbv2")
        ec2 = emulator.client("ec2")
        self.subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]][:2]
        self._vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        self.groups: dict[str, list[str]] = {}
        self.rules: dict[str, list[str]] = {}
        self.ecs.create_cluster(clusterName="c")
        self.ecs.register_task_definition(
            family="f",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[
                {"name": "app", "image": "example/app", "portMappings": [{"containerPort": 8080}]}
            ],
        )
        entrances = self._entrances()
        for number, name in enumerate(EVERY, 1):
            self._create(name, number, entrances)

    def _entrances(self) -> list[str]:
        balancer = self.elb.create_load_balancer(Name="alb", Subnets=self.subnets)["LoadBalancers"][0]
        nothing = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
        return [
            self.elb.create_listener(
                LoadBalancerArn=balancer["LoadBalancerArn"],
                Protocol="HTTP",
                Port=port,
                DefaultActions=[nothing],
            )["Listeners"][0]["ListenerArn"]
            for port in (80, 81)
        ]

    def _create(self, name: str, number: int, entrances: list[str]) -> None:
        self.groups[name] = [self._group(name, color) for color in ("blue", "green")]
        self.rules[name] = [
            self.elb.create_rule(
                ListenerArn=entrance,
                Priority=number,
                Conditions=[{"Field": "path-pattern", "Values": [f"/{name}/*"]}],
                Actions=[{"Type": "forward", "TargetGroupArn": group}],
            )["Rules"][0]["RuleArn"]
            for entrance, group in zip(entrances, self.groups[name], strict=True)
        ]
        behind: dict[str, Any] = {
            "targetGroupArn": self.groups[name][0],
            "containerName": "app",
            "containerPort": 8080,
        }
        strategy: dict[str, Any] = {"strategy": "ROLLING"}
        if name != "rolling":
            strategy = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0}
            behind["advancedConfiguration"] = {
                "alternateTargetGroupArn": self.groups[name][1],
                "productionListenerRule": self.rules[name][0],
                "testListenerRule": self.rules[name][1],
                "roleArn": "arn:aws:iam::000000000000:role/ecs",
            }
        self.ecs.create_service(
            cluster="c",
            serviceName=name,
            taskDefinition="f",
            desiredCount=1,
            launchType="FARGATE",
            healthCheckGracePeriodSeconds=600,  # what is unhealthy is not replaced
            networkConfiguration={"awsvpcConfiguration": {"subnets": self.subnets}},
            deploymentConfiguration=strategy,
            loadBalancers=[behind],
        )

    def _group(self, name: str, color: str) -> str:
        group: str = self.elb.create_target_group(
            Name=f"{name}-{color}",
            Protocol="HTTP",
            Port=80,
            VpcId=self._vpc,
            TargetType="ip",
            HealthCheckPath=f"/{name}/{color}",
            HealthyThresholdCount=2,
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=4,
        )["TargetGroups"][0]["TargetGroupArn"]
        delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "3600" if name in DRAINING else "0"}
        self.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])
        return group

    def deploy(self, name: str) -> None:
        self.ecs.update_service(
            cluster="c",
            service=name,
            forceNewDeployment=True,
            deploymentConfiguration=EVERY[name].configuration,
        )

    def deployment(self, name: str) -> dict[str, Any]:
        newest = self.ecs.list_service_deployments(cluster="c", service=name)["serviceDeployments"][0]
        arns = [newest["serviceDeploymentArn"]]
        found = self.ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"]
        return dict(found[0])

    def go_on(self, found: dict[str, Any]) -> int:
        """Continue what is paused; return how many pauses that were."""
        waiting = open_pauses(found)
        for hook in waiting:
            self.ecs.continue_service_deployment(
                serviceDeploymentArn=found["serviceDeploymentArn"], hookId=hook
            )
        return len(waiting)

    def ended(self, name: str) -> dict[str, Any]:
        """Continue what is paused until the deployment has ended."""

        def terminal() -> dict[str, Any] | None:
            found = self.deployment(name)
            self.go_on(found)
            return found if found["status"] in TERMINAL else None

        try:
            return eventually(terminal, within=60, pause=0.1)
        except AssertionError:
            raise AssertionError((name, self.deployment(name), self.targets(name))) from None

    def ratio(self, name: str) -> float:
        """Return the percentage of production traffic that the rule sends to the second target group."""
        action = self.elb.describe_rules(RuleArns=[self.rules[name][0]])["Rules"][0]["Actions"][0]
        weights = {
            each["TargetGroupArn"]: each.get("Weight", 1) for each in action["ForwardConfig"]["TargetGroups"]
        }
        return 100 * weights.get(self.groups[name][1], 0) / sum(weights.values())

    def held(self, name: str) -> bool:
        """Tell whether a deployment is where its case wants it, its hook open, with the weights of there."""
        case, found = EVERY[name], self.deployment(name)
        if found["status"] not in ONGOING or found.get("lifecycleStage", "") != case.stage:
            return False
        hooks = found.get("lifecycleHookDetails", [])
        hooked = any(case.stage in each["lifecycleStages"] for each in hooks_of(name))
        asked = not hooked or any(each["status"] in {"AWAITING_ACTION", "IN_PROGRESS"} for each in hooks)
        target = found["targetServiceRevision"]
        ratio = target.get("requestedProductionTrafficWeight")
        return asked and (name == "rolling" or ratio == self.ratio(name) == case.ratio)

    def targets(self, name: str) -> list[tuple[str, str]]:
        return [
            (each["TargetHealth"]["State"], group)
            for group in self.groups[name]
            for each in self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        ]

    def settled(self, name: str) -> bool:
        """Tell whether one revision is left, its task runs, and nothing else is registered."""
        service = self.ecs.describe_services(cluster="c", services=[name])["services"][0]
        counts = (service["runningCount"], service["pendingCount"], len(service["deployments"]))
        back = name == "rolling" or EVERY[name].ending == "ROLLBACK_SUCCESSFUL"
        return counts == (1, 0, 1) and self.targets(name) == [
            ("healthy", self.groups[name][0 if back else 1])
        ]


def hooks_of(name: str) -> list[dict[str, Any]]:
    return list(EVERY[name].configuration.get("lifecycleHooks", []))


def open_pauses(deployment: dict[str, Any]) -> dict[str, Any]:
    return {
        hook["hookId"]: hook["expiresAt"]
        for hook in deployment.get("lifecycleHookDetails", [])
        if hook["status"] == "AWAITING_ACTION"
    }


def prepare(emulator: Any) -> None:
    """Have a function that first keeps ECS waiting and then agrees, and an alarm that nothing sets off."""
    post(emulator, "/moto-api/config", {"lambda": {"use_docker": False}})
    role = emulator.client("iam").create_role(RoleName="ecs", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    emulator.client("lambda").create_function(
        FunctionName="judge", Role=role, Handler="a.b", Runtime="python3.12", Code={"ZipFile": b"PK"}
    )
    waits = [json.dumps({"hookStatus": "IN_PROGRESS", "callBackDelay": FOREVER * 60})] * 2
    agrees = [json.dumps({"hookStatus": "SUCCEEDED"})] * 20
    document = {"results": waits + agrees, "region": "ap-south-1", "account_id": "000000000000"}
    post(emulator, "/moto-api/static/lambda-simple/response", document)
    emulator.client("cloudwatch").put_metric_alarm(
        AlarmName="guard",
        Namespace="N",
        MetricName="M",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )


def post(emulator: Any, path: str, document: Any) -> None:
    request = urllib.request.Request(emulator.url + path, data=json.dumps(document).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status < 300


def wait_until_held(services: Services, name: str) -> None:
    try:
        eventually(lambda: services.held(name), within=30, pause=0.1)
    except AssertionError:
        raise AssertionError((name, services.deployment(name), services.ratio(name))) from None


def hold(services: Services) -> None:
    """Bring every deployment to where its case holds it."""
    services.listeners.failing |= {"/scale-up/green", "/rolling/blue"}
    for name in CASES:
        services.deploy(name)
    services.deploy("rollback")
    eventually(lambda: services.deployment("reconcile").get("lifecycleStage") == "POST_SCALE_UP", within=60)
    services.deploy("reconcile")
    eventually(lambda: services.go_on(services.deployment("second-gate")), within=60)
    for name in CASES:
        wait_until_held(services, name)
    eventually(lambda: services.ratio("rollback") == 10, within=60)
    services.deploy("clean-up")
    services.ecs.stop_service_deployment(
        serviceDeploymentArn=services.deployment("rollback")["serviceDeploymentArn"], stopType="ROLLBACK"
    )
    for name in ("clean-up", "rollback"):
        wait_until_held(services, name)
    for name in ("late-rollback", "late-continue"):
        services.deploy(name)
        wait_until_held(services, name)


@pytest.mark.rule("A.15.2", "A.5.timeouts", "A.5.lambda")
def test_rule_a15_a_deployment_outlives_sigkill_in_every_stage(slow_restartable, listeners):
    emulator = slow_restartable
    services = Services(emulator, listeners)
    for name in EVERY:
        assert services.ended(name)["status"] == "SUCCESSFUL"
    prepare(emulator)
    hold(services)
    before = {name: services.deployment(name) for name in EVERY}
    expiries = [each for name in PASSING for each in open_pauses(before[name]).values()]
    late = emulator.real_time(max(expiries))
    emulator.kill()
    eventually(lambda: time.time() > late)
    emulator.start()
    emulator.restart()  # in the middle of its recovery
    for name, was in before.items():
        found = services.deployment(name)
        assert found["serviceDeploymentArn"] == was["serviceDeploymentArn"]
        if name in CASES:
            assert services.held(name), (name, found)
            assert open_pauses(found) == open_pauses(was)
            assert found["startedAt"] == was["startedAt"]
    timed_out = eventually(lambda: services.deployment("late-rollback").get("statusReason"))
    assert timed_out.endswith("PRE_SCALE_UP pause hook timed out.")
    emulator.client("cloudwatch").set_alarm_state(AlarmName="guard", StateValue="ALARM", StateReason="test")
    assert services.ended("alarmed")["alarms"]["triggeredAlarmNames"] == ["guard"]
    listeners.failing.clear()
    waiting = {"canary-bake", "blue-green", "linear", "test-shift", "production-shift"}
    for name in EVERY.keys() - waiting:
        services.ended(name)
    post(emulator, "/_emulator/faults", {"kind": "clock-jump", "minutes": FOREVER})
    for name, case in EVERY.items():
        found = services.ended(name)
        assert (name, found.get("statusReason"), found["status"]) == (
            name,
            found.get("statusReason"),
            case.ending,
        )
        eventually(lambda name=name: services.settled(name), within=60, pause=0.1)
        if name != "rolling":
            assert services.ratio(name) == (0 if case.ending == "ROLLBACK_SUCCESSFUL" else 100)
