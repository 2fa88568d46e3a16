"""50 canary deployments at once behind one load balancer: the time they take, and how fast answers are.

The tasks run nothing (the no-op runtime) and their ports are those of one process here that answers health
checks; everything else is real: target groups, rules, health checks, weights in effect in Envoy. The clock
runs at the local stack's rate. The fewest seconds that the deployments can take are bake and canary time.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from harness.backend import FIRST_PORT, backend
from harness.figures import latency_rows, row, sampling
from harness.running import MINUTE, Ecs, Running, emulator, until

if TYPE_CHECKING:
    from collections.abc import Callable

SERVICES = 50
"""An Application Load Balancer serves 100 target groups by 100 rules: two of each for a service."""
TASKS = 4
CANARY_MINUTES, BAKE_MINUTES = 15, 15
ROLE = "arn:aws:iam::000000000000:role/ecsInfrastructureRole"


def balance(elbv2: Any, subnets: list[str], vpc: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Make the load balancer; return blue and green groups, and production and test rules, by service."""
    balancer = elbv2.create_load_balancer(Name="bench", Subnets=subnets)["LoadBalancers"][0][
        "LoadBalancerArn"
    ]
    nothing = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    production, test = (
        elbv2.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=port, DefaultActions=[nothing])[
            "Listeners"
        ][0]["ListenerArn"]
        for port in (18080, 18081)
    )
    groups, rules = [], []
    for number in range(SERVICES):
        pair = tuple(
            elbv2.create_target_group(
                Name=f"{colour}-{number}", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip"
            )["TargetGroups"][0]["TargetGroupArn"]
            for colour in ("blue", "green")
        )
        groups.append(pair)
        rules.append((rule(elbv2, production, number, pair[0]), rule(elbv2, test, number, pair[1])))
    for group in itertools.chain(*groups):
        elbv2.modify_target_group_attributes(
            TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]
        )
    return groups, rules


def rule(elbv2: Any, listener: str, number: int, group: str) -> str:
    """Make a service's rule of a listener."""
    made = elbv2.create_rule(
        ListenerArn=listener,
        Priority=number + 1,
        Conditions=[{"Field": "path-pattern", "Values": [f"/service-{number}/*"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    return str(made["Rules"][0]["RuleArn"])


def create(ecs: Ecs, number: int, groups: tuple[str, str], rules: tuple[str, str]) -> None:
    """Make a service that deploys canaries."""
    ecs.call(
        "CreateService",
        cluster="bench",
        serviceName=f"service-{number}",
        taskDefinition="bench",
        desiredCount=TASKS,
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        loadBalancers=[
            {
                "targetGroupArn": groups[0],
                "containerName": "web",
                "containerPort": 8080,
                "advancedConfiguration": {
                    "alternateTargetGroupArn": groups[1],
                    "productionListenerRule": rules[0],
                    "testListenerRule": rules[1],
                    "roleArn": ROLE,
                },
            }
        ],
        deploymentConfiguration={
            "strategy": "CANARY",
            "bakeTimeInMinutes": BAKE_MINUTES,
            "canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": CANARY_MINUTES},
        },
    )


def outcomes(running: Running) -> list[str]:
    """Return the status of every service's newest deployment."""
    services = running.control("state")["ecs/ap-south-1"]["services"].values()
    return [service["deployment"] for service in services]


def ended(running: Running) -> bool:
    return all(status in ("SUCCESSFUL", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED", "STOPPED")
               for status in outcomes(running))  # fmt: skip


def questions(ecs: Ecs) -> dict[str, Callable[[], object]]:
    """Return what a deploy tool asks over and over."""
    deployments = itertools.cycle(
        ecs.call("ListServiceDeployments", cluster="bench", service=f"service-{number}")[
            "serviceDeployments"
        ][0]["serviceDeploymentArn"]
        for number in range(SERVICES)
    )
    names = itertools.cycle(f"service-{number}" for number in range(SERVICES))
    return {
        "DescribeServices": lambda: ecs.call("DescribeServices", cluster="bench", services=[next(names)]),
        "DescribeServiceDeployments": lambda: ecs.call(
            "DescribeServiceDeployments", serviceDeploymentArns=[next(deployments)]
        ),
    }


def measure(running: Running) -> None:
    """Create the services, deploy all of them at once, print what it took."""
    elbv2, ec2, ecs = running.client("elbv2"), running.client("ec2"), running.ecs()
    subnets = ec2.describe_subnets()["Subnets"]
    began = time.perf_counter()
    groups, rules = balance(elbv2, [each["SubnetId"] for each in subnets], subnets[0]["VpcId"])
    row(f"{2 * SERVICES} target groups and {2 * SERVICES} rules made", time.perf_counter() - began, "s")
    ecs.prepare()
    began = time.perf_counter()
    for number in range(SERVICES):
        create(ecs, number, groups[number], rules[number])
    until(lambda: ended(running))
    row(f"{SERVICES} services x {TASKS} tasks created, healthy", time.perf_counter() - began, "s")
    deploy(running, ecs)
    row("idle CPU of the emulator", running.share(5.0), "% of a core", "<= 3")


def deploy(running: Running, ecs: Ecs) -> None:
    cpu, envoy = running.cpu(), sum(running.envoy().cpu_times()[:2])
    began = time.perf_counter()
    for number in range(SERVICES):
        ecs.call("UpdateService", cluster="bench", service=f"service-{number}", forceNewDeployment=True)
    with sampling(questions(ecs), every=0.01) as latencies:
        until(lambda: ended(running))
    took = time.perf_counter() - began
    used = running.cpu() - cpu
    least = (CANARY_MINUTES + BAKE_MINUTES) * MINUTE
    row(f"{SERVICES} canaries at once", took, "s")
    row("  of it bake and canary time", least, "s")
    row("  that ended SUCCESSFUL", outcomes(running).count("SUCCESSFUL"), "", str(SERVICES), digits=0)
    row("  CPU of the emulator", 100 * used / took, "% of a core")
    row("  CPU of Envoy", 100 * (sum(running.envoy().cpu_times()[:2]) - envoy) / took, "% of a core")
    for name, values in latencies.items():
        latency_rows(f"{name} meanwhile", values, "<= 20 ms")
    row("resident memory", running.memory(), "MiB")


def main() -> None:
    """Measure and print."""
    ports = 4 * SERVICES * TASKS
    with backend(FIRST_PORT, ports), emulator("--runtime", "noop") as running:
        measure(running)


if __name__ == "__main__":
    main()
