"""The emulator is killed at any moment and started again: what was going on goes on, and ends."""

from __future__ import annotations

import hashlib
import json
import random
import time
import urllib.request

import pytest
from botocore.exceptions import ClientError

from samjhadoo_emulator.testing import eventually

TERMINAL = {"SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"}
PAUSES = [
    "PRE_SCALE_UP",
    "POST_SCALE_UP",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
]
RESTARTS = 4
CANARY = {
    "strategy": "CANARY",
    "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 40},
    "bakeTimeInMinutes": 40,
    "lifecycleHooks": [
        {
            "targetType": "PAUSE",
            "lifecycleStages": PAUSES,
            "timeoutConfiguration": {"timeoutInMinutes": 20000, "action": "ROLLBACK"},
        }
    ],
}
OTHERS = {
    "blue-green": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 10},
    "linear": {
        "strategy": "LINEAR",
        "linearConfiguration": {"stepPercent": 25.0, "stepBakeTimeInMinutes": 3},
        "bakeTimeInMinutes": 3,
    },
    "rolling": {"strategy": "ROLLING", "minimumHealthyPercent": 50, "maximumPercent": 150},
}


class World:
    """A canary service behind a load balancer, and services of the other strategies without one."""

    def __init__(self, emulator):
        self.emulator = emulator
        self.ecs, self.elb = emulator.client("ecs"), emulator.client("elbv2")
        self.subnets = [s["SubnetId"] for s in emulator.client("ec2").describe_subnets()["Subnets"]][:2]
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
        self._balance()
        self.create("canary", CANARY, loadBalancers=[self._behind()])
        for name, configuration in OTHERS.items():
            self.create(name, configuration)

    def _balance(self):
        vpc = self.emulator.client("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]
        balancer = self.elb.create_load_balancer(Name="alb", Subnets=self.subnets)["LoadBalancers"][0]
        self.groups = []
        for name in ("blue", "green"):
            group = self.elb.create_target_group(
                Name=name,
                Protocol="HTTP",
                Port=80,
                VpcId=vpc,
                TargetType="ip",
                HealthyThresholdCount=2,
                HealthCheckIntervalSeconds=30,
            )["TargetGroups"][0]["TargetGroupArn"]
            delay = {"Key": "deregistration_delay.timeout_seconds", "Value": "2400"}
            self.elb.modify_target_group_attributes(TargetGroupArn=group, Attributes=[delay])
            self.groups.append(group)
        listeners = [
            self.elb.create_listener(
                LoadBalancerArn=balancer["LoadBalancerArn"],
                Protocol="HTTP",
                Port=port,
                DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
            )["Listeners"][0]["ListenerArn"]
            for port, group in zip((80, 81), self.groups, strict=True)
        ]
        self.rules = [self.elb.describe_rules(ListenerArn=each)["Rules"][0]["RuleArn"] for each in listeners]

    def _behind(self):
        return {
            "targetGroupArn": self.groups[0],
            "containerName": "app",
            "containerPort": 8080,
            "advancedConfiguration": {
                "alternateTargetGroupArn": self.groups[1],
                "productionListenerRule": self.rules[0],
                "testListenerRule": self.rules[1],
                "roleArn": "arn:aws:iam::000000000000:role/ecs",
            },
        }

    def create(self, name, configuration, **more):
        return self.ecs.create_service(
            cluster="c",
            serviceName=name,
            clientToken=name,
            taskDefinition="f",
            desiredCount=2,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": self.subnets}},
            deploymentConfiguration=configuration,
            **more,
        )

    def deploy(self, name):
        service = self.ecs.update_service(cluster="c", service=name, forceNewDeployment=True)["service"]
        return service["currentServiceDeployment"]

    def deployment(self, name):
        newest = self.ecs.list_service_deployments(cluster="c", service=name)["serviceDeployments"][0]
        arns = [newest["serviceDeploymentArn"]]
        return self.ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"][0]

    def go_on(self, deployment):
        """Answer what is asked; tell whether anything was."""
        waiting = [
            hook["hookId"]
            for hook in deployment.get("lifecycleHookDetails", [])
            if hook["status"] == "AWAITING_ACTION"
        ]
        for hook in waiting:
            self.ecs.continue_service_deployment(
                serviceDeploymentArn=deployment["serviceDeploymentArn"], hookId=hook
            )
        return bool(waiting)

    def asked(self):
        """Return when each open pause expires, by its id."""
        return {
            hook["hookId"]: hook["expiresAt"]
            for hook in self.deployment("canary").get("lifecycleHookDetails", [])
            if hook["status"] == "AWAITING_ACTION"
        }

    def finish(self, name="canary"):
        def ended():
            deployment = self.deployment(name)
            self.go_on(deployment)
            return deployment if deployment["status"] in TERMINAL else None

        return eventually(ended, within=120)

    def keep_busy(self):
        """Have the other services deploy, whatever the moment."""
        for name in OTHERS:
            if self.deployment(name)["status"] in TERMINAL:
                self.deploy(name)

    def weights(self):
        found = []
        for rule in self.rules:
            action = self.elb.describe_rules(RuleArns=[rule])["Rules"][0]["Actions"][0]
            found.append(
                {g["TargetGroupArn"]: g.get("Weight") for g in action["ForwardConfig"]["TargetGroups"]}
            )
        return found

    def targets(self):
        return [
            (each["TargetHealth"]["State"], group)
            for group in self.groups
            for each in self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        ]

    def settled(self, name):
        service = self.ecs.describe_services(cluster="c", services=[name])["services"][0]
        return (service["runningCount"], service["pendingCount"], len(service["deployments"])) == (2, 0, 1)


@pytest.fixture
def world(restartable, listeners):
    world = World(restartable)
    for name in ("canary", *OTHERS):
        assert world.finish(name)["status"] == "SUCCESSFUL"
    return world


def test_deployments_outlive_sigkill_at_any_moment(world):
    emulator, moments = world.emulator, random.Random(15)
    keep_elsewhere(emulator)
    arn = world.deploy("canary")
    for _ in range(RESTARTS):
        world.keep_busy()
        until = time.monotonic() + moments.uniform(0.0, 1.0)
        while time.monotonic() < until:
            world.go_on(world.deployment("canary"))
        asked = world.asked()
        emulator.restart()
        if asked:
            assert world.asked() == asked  # no gate was opened anew
        assert all(sum(weights.values()) == 100 for weights in world.weights())
    found = world.finish()
    assert (found["serviceDeploymentArn"], found["status"]) == (arn, "SUCCESSFUL")
    assert world.weights() == [{world.groups[1]: 100, world.groups[0]: 0}] * 2
    for name in OTHERS:
        assert world.finish(name)["status"] == "SUCCESSFUL"
    for name in ("canary", *OTHERS):
        eventually(lambda name=name: world.settled(name), within=60)
    eventually(lambda: world.targets() == [("healthy", world.groups[1])] * 2, within=60)
    found_elsewhere(emulator)
    again = world.create("rolling", OTHERS["rolling"])["service"]  # the same token: what was made already
    assert again["createdAt"] < found["createdAt"]
    assert len(world.ecs.list_services(cluster="c")["serviceArns"]) == 1 + len(OTHERS)


def test_rule_a9_a_rollback_outlives_sigkill_and_lost_tasks_open_no_breaker(world):
    emulator = world.emulator
    arn = world.deploy("canary")

    def canary():
        found = world.deployment("canary")
        weight = found["targetServiceRevision"]["requestedProductionTrafficWeight"]
        return weight > 0 or (world.go_on(found) and False)

    eventually(canary, within=120)
    before = set(world.ecs.list_tasks(cluster="c", serviceName="canary")["taskArns"])
    world.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    emulator.restart()
    emulator.restart()
    found = world.finish()
    assert (found["serviceDeploymentArn"], found["status"]) == (arn, "ROLLBACK_SUCCESSFUL")
    assert found["deploymentCircuitBreaker"]["failureCount"] == 0
    eventually(lambda: world.settled("canary"))
    assert world.weights() == [{world.groups[0]: 100, world.groups[1]: 0}] * 2
    eventually(lambda: world.targets() == [("healthy", world.groups[0])] * 2)
    lost = world.ecs.describe_tasks(cluster="c", tasks=sorted(before))["tasks"]
    assert {task["lastStatus"] for task in lost} == {"STOPPED"}
    assert {task["stopCode"] for task in lost} <= {"TerminationNotice", "ServiceSchedulerInitiated"}
    assert all(
        "exitCode" not in each
        for task in lost
        if task["stopCode"] == "TerminationNotice"
        for each in task["containers"]
    )


def keep_elsewhere(emulator):
    """Have something in the services beside ECS."""
    emulator.client("ecr").create_repository(repositoryName="kept/app")
    blob = b"content"
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    send(f"{emulator.url}/v2/kept/app/blobs/uploads/?digest={digest}", blob, "application/octet-stream")
    part = {"mediaType": "application/octet-stream", "digest": digest, "size": len(blob)}
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": part, "layers": [part]}
    send(f"{emulator.url}/v2/kept/app/manifests/1", json.dumps(manifest).encode(), kind, "PUT")
    alarms = emulator.client("cloudwatch")
    alarms.put_metric_alarm(
        AlarmName="errors",
        Namespace="N",
        MetricName="M",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    alarms.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="test")
    alarms.put_metric_data(Namespace="N", MetricData=[{"MetricName": "Other", "Value": 7}])
    emulator.client("s3").create_bucket(
        Bucket="journal-of-test", CreateBucketConfiguration={"LocationConstraint": "ap-south-1"}
    )
    emulator.client("s3").put_object(Bucket="journal-of-test", Key="a b/c", Body=b"entry")
    secret = emulator.client("secretsmanager").create_secret(Name="kept/secret", SecretString="value")
    emulator.secret = secret["ARN"]


def found_elsewhere(emulator):
    with urllib.request.urlopen(f"{emulator.url}/v2/kept/app/manifests/1") as answer:
        digest = json.load(answer)["layers"][0]["digest"]
    with urllib.request.urlopen(f"{emulator.url}/v2/kept/app/blobs/{digest}") as answer:
        assert answer.read() == b"content"
    alarms = emulator.client("cloudwatch")
    assert [alarm["AlarmName"] for alarm in alarms.describe_alarms()["MetricAlarms"]] == ["errors"]
    assert alarms.describe_alarm_history(AlarmName="errors")["AlarmHistoryItems"]
    assert [each["MetricName"] for each in alarms.list_metrics(Namespace="N")["Metrics"]] == ["Other"]
    body = emulator.client("s3").get_object(Bucket="journal-of-test", Key="a b/c")["Body"]
    assert body.read() == b"entry"
    found = emulator.client("secretsmanager").get_secret_value(SecretId="kept/secret")
    assert (found["ARN"], found["SecretString"]) == (emulator.secret, "value")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        emulator.client("secretsmanager").get_secret_value(SecretId="never/made")


def send(url, body, content_type, method="POST"):
    request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": content_type})
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 201
