"""What finished deployments leave in the emulator's memory: its growth over the last hundred of 156.

The clock runs fast, so that hours of metrics and stopped tasks come together, too. Target: <= 16 KiB each.
"""

from __future__ import annotations

from harness.figures import row
from harness.running import Ecs, Running, emulator, until

FIRST, ALL = 56, 156
MINUTE = 0.002
TARGET = "<= 16"


def ended(running: Running) -> bool:
    """Return whether the service's newest deployment has succeeded."""
    (service,) = running.control("state")["ecs/ap-south-1"]["services"].values()
    return bool(service["deployment"] == "SUCCESSFUL")


def make_service(ecs: Ecs) -> None:
    """Make a service of two tasks that run nothing."""
    ecs.prepare()
    ecs.call(
        "CreateService",
        cluster="bench",
        serviceName="web",
        taskDefinition="bench",
        launchType="FARGATE",
        desiredCount=2,
        networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    )


def main() -> None:
    """Measure and print."""
    with emulator("--runtime", "noop", minute=MINUTE) as running:
        ecs = running.ecs()
        make_service(ecs)
        until(lambda: ended(running))
        before = 0.0
        for number in range(ALL):
            if number == FIRST:
                before = running.memory()
            ecs.call("UpdateService", cluster="bench", service="web", forceNewDeployment=True)
            until(lambda: ended(running), every=0.01)
        after = running.memory()
    row(f"resident memory after {ALL} deployments", after, "MiB")
    row("  growth for each of the last hundred", (after - before) * 1024 / (ALL - FIRST), "KiB", TARGET)


if __name__ == "__main__":
    main()
