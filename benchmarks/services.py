"""What services cost: 100 services of 10 tasks that start, deploy and rest; and how it grows.

The tasks run nothing (the no-op runtime), so that the cost is the emulator's own.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass

from harness.figures import latency_rows, row, sampling
from harness.running import Ecs, Running, emulator, until

TASKS = 10
MANY = 100
ROUNDS = 5
"""Times that all services are deployed anew, for more samples."""
SIZES = (10, 100, 1000)
ASKED_AT_ONCE = 10
"""`DescribeServices` takes no more."""
IDLE = 5.0
"""Real seconds over which the share of an idle emulator is measured."""


@dataclass(frozen=True)
class Cost:
    """What it took to have so many services steady, and what they cost then."""

    services: int
    seconds: float
    cpu: float
    memory: float
    idle: float


def create(ecs: Ecs, number: int) -> None:
    """Make one service."""
    ecs.call(
        "CreateService",
        cluster="bench",
        serviceName=f"service-{number}",
        taskDefinition="bench",
        desiredCount=TASKS,
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    )


def all_deployed(running: Running, count: int) -> bool:
    """Tell whether so many services run all their tasks and no deployment is under way."""
    services = running.control("state")["ecs/ap-south-1"]["services"].values()
    return len(services) == count and all(
        service["deployment"] == "SUCCESSFUL"
        and sum(sum(each) for each in service["tasks"].values()) == TASKS
        for service in services
    )


def wait_for_deployed(running: Running, count: int) -> None:
    """Return once all are; asks more seldom the more there are, because the question has a cost, too."""
    until(lambda: all_deployed(running, count), every=max(0.05, count / 2000))


def deploy_all(running: Running, ecs: Ecs) -> None:
    """Deploy every service anew; return once all are deployed."""
    for number in range(MANY):
        ecs.call("UpdateService", cluster="bench", service=f"service-{number}", forceNewDeployment=True)
    wait_for_deployed(running, MANY)


def latencies(running: Running) -> None:
    """Measure questions while 100 services are created, then deployed, then at rest."""
    ecs, asking = running.ecs(), running.ecs()
    ecs.prepare()
    create(ecs, 0)
    arn = ecs.call("ListServiceDeployments", cluster="bench", service="service-0")
    deployment = arn["serviceDeployments"][0]["serviceDeploymentArn"]
    names = itertools.cycle(f"service-{number}" for number in range(MANY))
    questions = {
        "DescribeServices of one": lambda: asking.call(
            "DescribeServices", cluster="bench", services=[next(names)]
        ),
        "DescribeServices of ten": lambda: asking.call(
            "DescribeServices", cluster="bench", services=[next(names) for _ in range(ASKED_AT_ONCE)]
        ),
        "DescribeServiceDeployments": lambda: asking.call(
            "DescribeServiceDeployments", serviceDeploymentArns=[deployment]
        ),
    }
    began = time.perf_counter()
    with sampling(questions, every=0.005) as starting:
        for number in range(1, MANY):
            create(ecs, number)
        wait_for_deployed(running, MANY)
        took = time.perf_counter() - began
    row(f"{MANY} services x {TASKS} tasks until steady", took, "s", digits=2)
    began = time.perf_counter()
    with sampling(questions, every=0.005) as deploying:
        for _ in range(ROUNDS):
            deploy_all(running, ecs)
        took = (time.perf_counter() - began) / ROUNDS
    row(f"{MANY} rolling deployments at once, mean of {ROUNDS} rounds", took, "s", digits=2)
    with sampling(questions, every=0.005) as resting:
        time.sleep(IDLE)
    for name in questions:
        latency_rows(f"{name} while all start", starting[name], "<= 20 ms")
        latency_rows(f"{name} while all deploy", deploying[name], "<= 20 ms")
        latency_rows(f"{name} at rest", resting[name], "<= 20 ms")
    row("resident memory", running.memory(), "MiB")


def cost(count: int) -> Cost:
    """Return what so many services cost."""
    with emulator("--runtime", "noop") as running:
        ecs = running.ecs()
        ecs.prepare()
        cpu, memory, began = running.cpu(), running.memory(), time.perf_counter()
        for number in range(count):
            create(ecs, number)
        wait_for_deployed(running, count)
        seconds, used = time.perf_counter() - began, running.cpu() - cpu
        time.sleep(1.0)
        idle = running.share(IDLE)
        return Cost(count, seconds, used, running.memory() - memory, idle)


def main(sizes: list[int]) -> None:
    """Measure and print."""
    with emulator("--runtime", "noop") as running:
        latencies(running)
    costs = [cost(count) for count in sizes]
    print(f"\n{'services':>8} {'until steady s':>15} {'CPU s':>8} {'CPU ms each':>12} {'MiB':>8} "
          f"{'KiB each':>9} {'idle % of a core':>17}")  # fmt: skip
    for each in costs:
        print(
            f"{each.services:8} {each.seconds:15.2f} {each.cpu:8.2f} {1000 * each.cpu / each.services:12.2f} "
            f"{each.memory:8.1f} {1024 * each.memory / each.services:9.1f} {each.idle:17.2f}"
        )
    first, last = costs[0], costs[-1]
    growth = (last.cpu / last.services) / (first.cpu / first.services)
    print()
    row(
        f"CPU of a service, of {last.services} against of {first.services}", growth, "times", "<= 1", digits=2
    )
    for each in costs:
        if each.services == MANY:
            row(f"idle CPU with {MANY} services", each.idle, "% of a core", "<= 3", digits=2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=list(SIZES))
    main(parser.parse_args().sizes)
