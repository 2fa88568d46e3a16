"""The emulator is killed while real processes serve a canary's traffic, and started again."""

from __future__ import annotations

import socket
from collections import Counter

import pytest
import urllib3

from samjhadoo_emulator.testing import eventually

GATES = {
    "targetType": "PAUSE",
    "lifecycleStages": ["PRE_PRODUCTION_TRAFFIC_SHIFT"],
    "timeoutConfiguration": {"timeoutInMinutes": 20000, "action": "ROLLBACK"},
}
CANARY = {
    "strategy": "CANARY",
    "canaryConfiguration": {"canaryPercent": 20.0, "canaryBakeTimeInMinutes": 10},
    "bakeTimeInMinutes": 1,
    "lifecycleHooks": [GATES],
}
BLUE_GREEN = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0}


class Site:
    """A service of real processes behind a load balancer."""

    def __init__(self, emulator, image):
        self.emulator, self.image = emulator, image
        self.ecs, self.elb = emulator.client("ecs"), emulator.client("elbv2")
        self.http = urllib3.PoolManager(retries=False, timeout=10)
        ec2 = emulator.client("ec2")
        self.vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]][:2]
        self.ecs.create_cluster(clusterName="c")
        balancer = self.elb.create_load_balancer(Name="alb", Subnets=subnets)["LoadBalancers"][0]
        self.groups = [self.group(name) for name in ("blue", "green")]
        rules = []
        for port, group in zip((80, 81), self.groups, strict=True):
            listener = self.elb.create_listener(
                LoadBalancerArn=balancer["LoadBalancerArn"],
                Protocol="HTTP",
                Port=port,
                DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
            )["Listeners"][0]["ListenerArn"]
            rules.append(self.elb.describe_rules(ListenerArn=listener)["Rules"][0]["RuleArn"])
        self.rule = rules[0]
        self.ecs.create_service(
            cluster="c",
            serviceName="s",
            taskDefinition=self.define("v1"),
            desiredCount=2,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": subnets}},
            deploymentConfiguration=BLUE_GREEN,
            loadBalancers=[
                {
                    "targetGroupArn": self.groups[0],
                    "containerName": "app",
                    "containerPort": 8080,
                    "advancedConfiguration": {
                        "alternateTargetGroupArn": self.groups[1],
                        "productionListenerRule": rules[0],
                        "testListenerRule": rules[1],
                        "roleArn": "arn:aws:iam::000000000000:role/ecs",
                    },
                }
            ],
        )

    def group(self, name):
        return self.elb.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=8080,
            VpcId=self.vpc,
            TargetType="ip",
            HealthCheckPath="/health",
            HealthyThresholdCount=2,
            HealthCheckIntervalSeconds=30,
        )["TargetGroups"][0]["TargetGroupArn"]

    def define(self, release):
        container = {
            "name": "app",
            "image": self.image,
            "portMappings": [{"containerPort": 8080}],
            "environment": [{"name": "NAME", "value": release}],
        }
        return self.ecs.register_task_definition(
            family="f",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[container],
        )["taskDefinition"]["taskDefinitionArn"]

    def deployment(self):
        newest = self.ecs.list_service_deployments(cluster="c", service="s")["serviceDeployments"][0]
        arns = [newest["serviceDeploymentArn"]]
        return self.ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"][0]

    def gate(self):
        """Return the pause that is open, if one is."""
        hooks = self.deployment().get("lifecycleHookDetails", [])
        return next((hook["hookId"] for hook in hooks if hook["status"] == "AWAITING_ACTION"), None)

    def go_on(self):
        hook = eventually(self.gate, within=60)
        arn = self.deployment()["serviceDeploymentArn"]
        self.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook)
        return hook

    def ends(self):
        return eventually(lambda: self.deployment()["status"] == "SUCCESSFUL", within=60)

    def port(self):
        with urllib3.PoolManager() as http:
            listeners = http.request("GET", f"{self.emulator.url}/_emulator/listeners").json()
        return next(each["bound_port"] for each in listeners if each["port"] == 80)

    def answers(self, port, count):
        """Return how often each release answered, by its name, and each failure by its status."""
        found = Counter()
        for _ in range(count):
            try:
                answer = self.http.request("GET", f"http://127.0.0.1:{port}/")
            except urllib3.exceptions.HTTPError:
                found["refused"] += 1
                continue
            found[answer.data.decode() if answer.status == 200 else answer.status] += 1
        return found

    def weights(self):
        action = self.elb.describe_rules(RuleArns=[self.rule])["Rules"][0]["Actions"][0]
        return {each["TargetGroupArn"]: each["Weight"] for each in action["ForwardConfig"]["TargetGroups"]}

    def addresses(self):
        return [
            ("127.0.0.1", each["Target"]["Port"])
            for group in self.groups
            for each in self.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        ]


def closed(address):
    with socket.socket() as probe:
        return probe.connect_ex(address) != 0


@pytest.mark.rule("A.15.2", "A.15.3")
def test_a_canary_of_real_processes_goes_on_where_the_emulator_was_killed(process_restartable, push_server):
    emulator = process_restartable
    site = Site(emulator, push_server(emulator))
    site.ends()
    port = site.port()
    site.ecs.update_service(
        cluster="c", service="s", taskDefinition=site.define("v2"), deploymentConfiguration=CANARY
    )
    first = site.go_on()
    eventually(lambda: "v2" in site.answers(port, 10), within=60)
    arn, weights, addresses = site.deployment()["serviceDeploymentArn"], site.weights(), site.addresses()
    assert len(addresses) == 4
    emulator.kill()
    for address in [*addresses, ("127.0.0.1", port)]:
        eventually(lambda address=address: closed(address))  # neither task nor listener outlives it
    emulator.start()
    assert site.port() == port
    assert site.weights() == weights
    eventually(lambda: site.answers(port, 20).keys() <= {"v1", "v2"}, within=60)
    second = eventually(site.gate, within=60)
    assert second != first
    counts = site.answers(port, 100)
    assert counts.keys() == {"v1", "v2"}
    assert 5 <= counts["v2"] <= 40
    site.go_on()
    site.ends()
    assert site.deployment()["serviceDeploymentArn"] == arn
    assert site.answers(port, 20) == {"v2": 20}
    eventually(lambda: len(site.addresses()) == 2, within=60)
