"""ecs-deploy deploys a service and tells by its exit code how that ended."""

from __future__ import annotations

import itertools

import pytest

_numbers = itertools.count(1)
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


@pytest.fixture
def service(client):
    name = f"shop{next(_numbers)}"
    ecs = client.emulator.client("ecs")
    ecs.register_task_definition(
        family=name,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "app", "image": "app:1"}],
    )
    ecs.create_service(
        cluster="c",
        serviceName=name,
        taskDefinition=name,
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration=NETWORK,
    )
    ecs.get_waiter("services_stable").wait(cluster="c", services=[name], WaiterConfig={"Delay": 1})
    yield name
    ecs.delete_service(cluster="c", service=name, force=True)


def test_a_deployment_that_succeeds_exits_with_0(client, service):
    done = client.run("ecs", "deploy", "c", service, "--image", "app", "app:2", "--timeout", "60")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Deployment successful" in done.stdout
    described = client.emulator.client("ecs").describe_services(cluster="c", services=[service])["services"][
        0
    ]
    assert described["taskDefinition"].endswith(f"{service}:2")


def test_a_deployment_that_does_not_end_in_time_exits_with_1(client, service):
    ecs = client.emulator.client("ecs")
    configuration = {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 1440}
    ecs.update_service(cluster="c", service=service, deploymentConfiguration=configuration)
    done = client.run("ecs", "deploy", "c", service, "--image", "app", "app:3", "--timeout", "4")
    assert done.returncode != 0, done.stdout
    assert "timeout" in (done.stdout + done.stderr).lower()


def test_a_service_that_does_not_exist_exits_with_1(client):
    done = client.run("ecs", "deploy", "c", "nothing", "--timeout", "4")
    assert done.returncode != 0
    assert "not exist" in done.stdout + done.stderr or "not found" in (done.stdout + done.stderr).lower()
