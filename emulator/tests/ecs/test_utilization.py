"""`AWS/ECS` metrics of what services' tasks really use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

CLUSTER = "measured"
BUSY = "while True: pass"
IDLE = "import time; time.sleep(1000)"


@pytest.fixture
def service(emulator, server_image):
    """Run a service whose tasks have a program; give a function that reads its metrics."""
    ecs, cloudwatch = emulator.client("ecs"), emulator.client("cloudwatch")
    names = []

    def run(name, program):
        ecs.create_cluster(clusterName=CLUSTER)
        ecs.register_task_definition(
            family=name,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[
                {
                    "name": "app",
                    "image": server_image,
                    "entryPoint": ["python3", "-c"],
                    "command": [program],
                    "stopTimeout": 2,
                }
            ],
        )
        ecs.create_service(
            cluster=CLUSTER,
            serviceName=name,
            taskDefinition=name,
            desiredCount=2,
            launchType="FARGATE",
            networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
        )
        names.append(name)
        return lambda metric, statistic: _values(emulator, cloudwatch, name, metric, statistic)

    yield run
    for name in names:
        ecs.delete_service(cluster=CLUSTER, service=name, force=True)


def _values(emulator, cloudwatch, service, metric, statistic):
    now = datetime.fromtimestamp(emulator.ask("GET", "health")["clock"]["now"], UTC)
    answer = cloudwatch.get_metric_statistics(
        Namespace="AWS/ECS",
        MetricName=metric,
        Dimensions=[
            {"Name": "ClusterName", "Value": CLUSTER},
            {"Name": "ServiceName", "Value": service},
        ],
        StartTime=now - timedelta(hours=10),
        EndTime=now,
        Period=60,
        Statistics=[statistic],
    )
    return [point[statistic] for point in answer["Datapoints"]]


@pytest.mark.rule("A.12.metrics")
def test_memory_is_part_of_what_tasks_reserve_and_each_task_counts(service, eventually):
    read = service("idle", IDLE)
    eventually(lambda: 2.0 in read("MemoryUtilization", "SampleCount"))
    assert 0.5 < max(read("MemoryUtilization", "Maximum")) < 50
    eventually(lambda: read("CPUUtilization", "Average"))
    assert min(read("CPUUtilization", "Average")) < 20


def test_a_busy_task_takes_more_cpu_than_it_reserves(service, eventually):
    read = service("busy", BUSY)
    eventually(lambda: max(read("CPUUtilization", "Maximum"), default=0) > 40)
    samples = read("CPUUtilization", "SampleCount")
    assert len(samples) > 1  # every minute since the last reading has its point
