"""Lost answers and throttling of the requests that must not be carried out twice, against a live ECS."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_ops.aws import Aws
from samjhadoo_ops.clock import Clock
from samjhadoo_ops.deployment.ecs import EcsService
from samjhadoo_ops.deployment.rollout import pin, started_unseen
from samjhadoo_ops.environment import load_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from samjhadoo_emulator.testing import Emulator

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
MINUTE = 0.05
LOST = [pytest.param({}, id="5xx"), pytest.param({"close": True}, id="closed")]


@pytest.fixture(scope="module")
def local(shared_emulator: Callable[..., Emulator]) -> Emulator:
    """A local AWS whose tasks are no processes."""
    emulator = shared_emulator(minute=MINUTE, runtime="noop")
    emulator.client("ecs").create_cluster(clusterName="c")
    return emulator


@pytest.fixture
def aws(local: Emulator) -> Iterator[Aws]:
    made = Aws(load_environment("local", variables={}), local.url)
    yield made
    local.faults.clear()


def service(aws: Aws, name: str) -> EcsService:
    return EcsService(aws.client("ecs"), cluster="c", name=name, sender=aws.client("ecs", resend=False))


def definition(family: str, image: str = "busybox:1") -> dict[str, Any]:
    container = {"name": "main", "image": image, "essential": True}
    fargate = {"requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256", "memory": "512"}
    return {"family": family, "containerDefinitions": [container], **fargate}


@pytest.fixture
def running(aws: Aws, request: pytest.FixtureRequest) -> EcsService:
    """A service of its own, with a first release."""
    name = "".join(letter for letter in request.node.name if letter.isalnum())[-40:]
    made = service(aws, name)
    made.create(
        taskDefinition=made.register(definition(name), {"release": "1"}),
        desiredCount=1,
        networkConfiguration=NETWORK,
    )
    return made


def deployments(ecs: EcsService) -> list[dict[str, Any]]:
    return ecs.deployments()


def update(ecs: EcsService, task_definition: str) -> dict[str, Any]:
    before = ecs.describe()
    assert before is not None
    return ecs.update(known={each["id"] for each in before["deployments"]}, taskDefinition=task_definition)


@pytest.mark.parametrize("how", LOST)
def test_an_update_whose_answer_is_lost_starts_one_deployment(
    local: Emulator, running: EcsService, how: dict[str, Any]
) -> None:
    new = running.register(definition(running.name, "busybox:2"), {"release": "2"})
    known = {brief["serviceDeploymentArn"] for brief in deployments(running)}
    with local.faults.lose_response("ecs", "UpdateService", count=1, **how):
        answer = update(running, new)
    assert len(deployments(running)) == 2
    arn = pin(running, answer, task_definition=new, clock=Clock(minute=MINUTE), poll=60)
    # A run that dies before it has pinned it finds it again.
    assert started_unseen(running, task_definition=new, known=known) == arn


def test_a_throttled_update_is_sent_again(local: Emulator, running: EcsService) -> None:
    new = running.register(definition(running.name, "busybox:2"), {"release": "2"})
    with local.faults.throttle("ecs", "UpdateService", count=2):
        update(running, new)
    assert len(deployments(running)) == 2


@pytest.mark.parametrize("how", LOST)
def test_a_registration_whose_answer_is_lost_registers_one_revision(
    local: Emulator, running: EcsService, how: dict[str, Any]
) -> None:
    with local.faults.lose_response("ecs", "RegisterTaskDefinition", count=1, **how):
        arn = running.register(definition(running.name, "busybox:2"), {"release": "2"})
    assert arn.endswith(":2")
    assert running.register(definition(running.name, "busybox:2"), {"release": "2"}) == arn


@pytest.mark.parametrize("how", LOST)
def test_a_creation_whose_answer_is_lost_creates_the_service(
    local: Emulator, aws: Aws, how: dict[str, Any]
) -> None:
    ecs = service(aws, f"created{len(how)}")
    with local.faults.lose_response("ecs", "CreateService", count=1, **how):
        created = ecs.create(
            taskDefinition=ecs.register(definition(ecs.name), {"r": "1"}),
            desiredCount=1,
            networkConfiguration=NETWORK,
        )
    assert created["serviceName"] == ecs.name
    assert len(deployments(ecs)) == 1


def test_a_run_that_lost_its_lock_sends_nothing(running: EcsService) -> None:
    def guard() -> None:
        raise RuntimeError("lost")

    guarded = EcsService(running.client, cluster=running.cluster, name=running.name, guard=guard)
    with contextlib.suppress(RuntimeError):
        update(guarded, running.register(definition(running.name, "busybox:2"), {"release": "2"}))
    assert len(deployments(running)) == 1


def test_requests_are_counted_with_their_repetitions(local: Emulator, aws: Aws) -> None:
    with local.faults.throttle("ecs", "DescribeServices", count=1):
        service(aws, "unknown").describe()
    told = aws.call_counts()
    assert told["ecs"] == told["total"] == 2
