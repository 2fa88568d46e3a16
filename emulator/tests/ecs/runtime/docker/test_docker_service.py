"""A service whose tasks are containers, behind the load balancer."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from samjhadoo_emulator.testing import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.containers

_numbers = itertools.count(1)
CANARY = {
    "strategy": "CANARY",
    "canaryConfiguration": {"canaryPercent": 50.0, "canaryBakeTimeInMinutes": 10},
    "bakeTimeInMinutes": 1,
}


class Web:
    """A service of two tasks with a production listener and two target groups."""

    def __init__(self, tasks: Any, program: str) -> None:
        self.tasks, self.program, self.name = tasks, program, f"web{next(_numbers)}"
        self.ecs, self.elb = tasks.ecs, tasks.emulator.client("elbv2")
        ec2 = tasks.emulator.client("ec2")
        subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"][:2]]
        self.vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        self.balancer = self.elb.create_load_balancer(Name=self.name, Subnets=subnets)["LoadBalancers"][0]
        self.groups = [self._group(colour) for colour in ("blue", "green")]
        self.listeners = [self._listener(group) for group in self.groups]
        self.http = urllib3.PoolManager()

    def _group(self, colour: str) -> str:
        found = self.elb.create_target_group(
            Name=f"{self.name}-{colour}",
            Protocol="HTTP",
            Port=8080,
            VpcId=self.vpc,
            TargetType="ip",
            HealthCheckPath="/",
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=2,
        )
        return str(found["TargetGroups"][0]["TargetGroupArn"])

    def _listener(self, group: str) -> str:
        found = self.elb.create_listener(
            LoadBalancerArn=self.balancer["LoadBalancerArn"],
            Protocol="HTTP",
            Port=41000 + next(_numbers),
            DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
        )
        return str(found["Listeners"][0]["ListenerArn"])

    def define(self, name: str, image: str = "") -> str:
        return str(
            self.tasks.define(
                self.tasks.container(
                    self.program,
                    portMappings=[{"containerPort": 8080}],
                    environment=[{"name": "NAME", "value": name}],
                    **({"image": image} if image else {}),
                )
            )
        )

    def create(self) -> None:
        rules = [
            self.elb.describe_rules(ListenerArn=listener)["Rules"][0]["RuleArn"]
            for listener in self.listeners
        ]
        self.ecs.create_service(
            serviceName=self.name,
            taskDefinition=self.define("v1"),
            desiredCount=2,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
            loadBalancers=[
                {
                    "containerName": "app",
                    "containerPort": 8080,
                    "targetGroupArn": self.groups[0],
                    "advancedConfiguration": {
                        "alternateTargetGroupArn": self.groups[1],
                        "productionListenerRule": rules[0],
                        "testListenerRule": rules[1],
                        "roleArn": "arn:aws:iam::000000000000:role/infrastructure",
                    },
                }
            ],
        )
        self.settled("SUCCESSFUL")

    def latest(self) -> dict[str, Any]:
        arn = self.ecs.list_service_deployments(service=self.name)["serviceDeployments"][0]
        found: dict[str, Any] = self.ecs.describe_service_deployments(
            serviceDeploymentArns=[arn["serviceDeploymentArn"]]
        )["serviceDeployments"][0]
        return found

    def settled(self, status: str) -> None:
        eventually(lambda: self.latest()["status"] == status, within=60)

    def running(self) -> set[str]:
        return set(self.ecs.list_tasks(serviceName=self.name)["taskArns"])

    def healthy(self, group: int = 0) -> int:
        found = self.elb.describe_target_health(TargetGroupArn=self.groups[group])
        return sum(each["TargetHealth"]["State"] == "healthy" for each in found["TargetHealthDescriptions"])

    def ask(self, path: str = "") -> str:
        bound = {
            each["listener_arn"]: each["bound_port"] for each in self.tasks.emulator.ask("GET", "listeners")
        }
        url = f"http://127.0.0.1:{bound[self.listeners[0]]}/{path}"
        answer = self.http.request("GET", url, retries=False, timeout=30)
        return str(answer.data.decode())

    def answers(self, count: int) -> set[str]:
        return {self.ask() for _ in range(count)}


@pytest.fixture(scope="module")
def web(emulator: Any, engine: Any, python_image: str, server: str, tasks_of: Any) -> Iterator[Web]:
    web = Web(tasks_of(emulator, engine, python_image), server)
    web.create()
    yield web
    web.ecs.delete_service(service=web.name, force=True)


def test_two_tasks_serve_behind_the_load_balancer(web: Web) -> None:
    assert len(web.running()) == 2
    assert web.healthy() == 2
    assert web.answers(10) == {"v1"}


def test_a_task_that_crashes_is_replaced(web: Web) -> None:
    before = web.running()
    web.ask("crash")
    eventually(lambda: len(web.running() - before) == 1 and web.healthy() == 2, within=60)
    (crashed,) = before - web.running()
    found = web.tasks.describe(crashed)
    assert found["stoppedReason"] == "Essential container in task exited"
    assert found["containers"][0]["exitCode"] == 9


@pytest.mark.parametrize("which", ["app", "pause"])
def test_a_container_removed_behind_the_emulators_back_is_replaced(web: Web, which: str) -> None:
    before = web.running()
    victim = min(before)
    task_id = victim.rpartition("/")[2]
    # The task may be the one before's replacement, which is not there yet, or has not begun.
    web.tasks.reached(victim, "RUNNING")
    (found,) = eventually(lambda: web.tasks.containers(task_id=task_id, container_name="app"), within=60)
    if which == "pause":
        (found,) = [each for each in web.tasks.containers() if each.name.endswith(f"-pause-{task_id[:12]}")]
    found.remove(force=True)
    eventually(lambda: victim not in web.running() and web.healthy() == 2, within=60)
    described = web.tasks.describe(victim)
    assert described["stoppedReason"] == "Essential container in task exited"
    assert described["containers"][0]["exitCode"] == 137
    web.tasks.reached(victim, "STOPPED")
    assert web.tasks.containers(task_id=task_id) == []


def test_a_canary_of_another_image_takes_over(web: Web, engine: Any, python_image: str) -> None:
    made = engine.api.create_container(python_image, ["true"])
    try:
        engine.api.commit(made["Id"], repository="samjhadoo-ops-test/release", tag="2")
        web.ecs.update_service(
            service=web.name,
            taskDefinition=web.define("v2", image="samjhadoo-ops-test/release:2"),
            deploymentConfiguration=CANARY,
        )
        eventually(lambda: web.answers(10) == {"v1", "v2"}, within=60)
        web.settled("SUCCESSFUL")
        assert web.answers(10) == {"v2"}
        eventually(lambda: len(web.running()) == 2, within=60)
    finally:
        engine.api.remove_container(made["Id"])
        web.ecs.update_service(service=web.name, desiredCount=0)
        eventually(lambda: not web.running(), within=60)
        eventually(lambda: not web.tasks.containers(container_name="app"), within=60)
        engine.api.remove_image("samjhadoo-ops-test/release:2")
