"""No request makes the emulator fail, hang or grow: random and damaged ones over all operations, live or not.

`EMULATOR_FUZZ=4000:7 pytest tests/test_fuzz.py -s` sends 4,000 of them, made from the seed 7.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import psutil
import pytest
import urllib3

from request_generator import Request, requests
from samjhadoo_emulator.testing import running_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from samjhadoo_emulator.testing import Emulator

COUNT, _, SEED = os.environ.get("EMULATOR_FUZZ", "300:1").partition(":")
LONGEST = 20.0
"""Seconds for one answer; SQS waits for messages this long."""
GROWTH = 32 << 20
"""Bytes that the second half of the requests may leave behind for models that they are the first to need."""
KEPT = 5_000
"""Bytes that one request may leave behind on average: what it created."""


@pytest.fixture
def attacked(tmp_path: Path) -> Iterator[Emulator]:
    """Return an emulator of its own, as what is created there disturbs others."""
    with running_emulator(minute=0.05, runtime="noop", folder=tmp_path) as emulator:
        furnish(emulator)
        yield emulator


def furnish(emulator: Emulator) -> None:
    """Create what requests can find: their generator knows these names."""
    ecs, elb, ec2 = emulator.client("ecs"), emulator.client("elbv2"), emulator.client("ec2")
    ecs.create_cluster(clusterName="default")
    ecs.register_task_definition(
        family="web", containerDefinitions=[{"name": "web", "image": "web", "memory": 64}]
    )
    ecs.create_service(serviceName="web", taskDefinition="web", desiredCount=1, launchType="EC2")
    network = ec2.describe_subnets()["Subnets"]
    elb.create_load_balancer(Name="web", Subnets=[subnet["SubnetId"] for subnet in network[:2]])
    elb.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=network[0]["VpcId"], TargetType="ip")
    emulator.client("ecr").create_repository(repositoryName="web")
    cloudwatch = emulator.client("cloudwatch")
    cloudwatch.put_composite_alarm(AlarmName="web", AlarmRule="FALSE")
    cloudwatch.put_dashboard(DashboardName="web", DashboardBody="{}")
    emulator.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId="service/default/web",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=1,
        MaxCapacity=2,
    )


def test_no_request_makes_the_emulator_fail_hang_or_grow(attacked: Emulator) -> None:
    pool = urllib3.PoolManager(timeout=LONGEST, retries=False)
    process = psutil.Process(attacked.process.pid)
    failures: list[str] = []
    statuses: Counter[int] = Counter()
    half, before = int(COUNT) // 2, 0
    for number, request in enumerate(requests(int(SEED or 1), int(COUNT))):
        if number == half:
            before = process.memory_info().rss
        status, text = answered(pool, attacked.url, request)
        statuses[status] += 1
        if status in (0, 500):
            failures.append(f"{status} {text} {request.method} {request.path} {request.name}")
    growth = process.memory_info().rss - before
    answers = dict(sorted(statuses.items()))
    print(f"{COUNT} requests: {answers}, {growth:,} bytes more after half")  # noqa: T201 - for runs by hand
    log = attacked.log.read_text()
    assert failures == []
    assert "Traceback" not in log
    assert growth < GROWTH + KEPT * half
    assert attacked.ask("GET", "health")["status"] == "running"


def answered(pool: urllib3.PoolManager, url: str, request: Request) -> tuple[int, str]:
    """Return the status and the beginning of an answer; the status is 0 if there is none."""
    try:
        answer = pool.request(
            request.method, url + request.path, body=request.body, headers=request.headers, redirect=False
        )
    except urllib3.exceptions.HTTPError as error:
        return 0, repr(error)
    return answer.status, repr(answer.data[:300])
