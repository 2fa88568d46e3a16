"""What CreateService, UpdateService and RunTask refuse, and what they answer again: tables and the API."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from botocore.exceptions import ClientError

from samjhadoo_emulator.ecs import service_rules
from samjhadoo_emulator.ecs.tag_rules import check_tags
from samjhadoo_emulator.errors import AwsError

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
BOTH = (
    "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
)
NO_SIZE = (
    "No Fargate configuration exists for given values: 256 CPU, 64 memory. "
    "See the Amazon ECS documentation for the valid values."
)
BALANCER = {"targetGroupArn": "tg", "containerName": "app", "containerPort": 80}
FARGATE = {
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "compatibilities": ["EC2", "FARGATE"],
    "containerDefinitions": [{"name": "app", "image": "app:1"}],
}
BRIDGE = {**FARGATE, "networkMode": "bridge", "compatibilities": ["EC2"]}


def refusal(check: Any, *arguments: Any) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        check(*arguments)
    return caught.value.code, caught.value.message


@pytest.mark.parametrize(
    ("settings", "workload", "count", "words"),
    [
        ({}, {}, -1, "DesiredCount cannot be negative."),
        (
            {"healthCheckGracePeriodSeconds": 30},
            {},
            1,
            "Health check grace period is only valid for services configured to use load balancers",
        ),
        ({}, {"loadBalancers": [BALANCER] * 6}, 1, "load balancers can have at most 5 items."),
        (
            {"schedulingStrategy": "DAEMON"},
            {"launchType": "FARGATE"},
            None,
            "The DAEMON scheduling strategy is not supported for the FARGATE launch type.",
        ),
    ],
)
def test_a_service_that_cannot_be_is_refused(settings: Any, workload: Any, count: Any, words: str) -> None:
    found = refusal(service_rules.check_settings, settings, workload, count)
    assert found == ("InvalidParameterException", words)


@pytest.mark.parametrize(
    ("definition", "request_", "words"),
    [
        (BRIDGE, {"launchType": "FARGATE"}, "Task definition does not support launch_type FARGATE."),
        (
            FARGATE,
            {"launchType": "FARGATE", "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}]},
            BOTH,
        ),
        (FARGATE, {}, "Network Configuration must be provided when networkMode 'awsvpc' is specified."),
        (
            BRIDGE,
            {"networkConfiguration": NETWORK},
            "Network Configuration is not valid for the given networkMode of this task definition.",
        ),
        (
            FARGATE,
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}},
            "subnets can not be empty.",
        ),
        (
            FARGATE,
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"] * 17}}},
            "subnets can have at most 16 items.",
        ),
        (
            FARGATE,
            {
                "networkConfiguration": {
                    "awsvpcConfiguration": {"subnets": ["s"], "securityGroups": ["g"] * 6}
                }
            },
            "securityGroups can have at most 5 items.",
        ),
    ],
)
def test_tasks_that_cannot_be_run_so_are_refused(definition: Any, request_: Any, words: str) -> None:
    found = refusal(service_rules.check_run, definition, request_)
    assert found == ("InvalidParameterException", words)


def test_a_platform_that_does_not_exist_is_unknown() -> None:
    request = {"launchType": "FARGATE", "platformVersion": "9.9", "networkConfiguration": NETWORK}
    assert refusal(service_rules.check_run, FARGATE, request)[0] == "PlatformUnknownException"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            {"containerOverrides": [{"name": "none"}]},
            "Override for container named none is not a container in the TaskDefinition.",
        ),
        (
            {"memory": "64"},
            NO_SIZE,
        ),
        ({"cpu": "many"}, "Invalid 'cpu' setting for task."),
    ],
)
def test_overrides_that_cannot_be_are_refused(overrides: Any, words: str) -> None:
    found = refusal(service_rules.check_overrides, overrides, FARGATE)
    assert found == ("InvalidParameterException", words)


class Balancing:
    """An ELBv2 with one target group of each type."""

    async def call(self, _service: str, _operation: str, /, **params: Any) -> dict[str, Any]:
        groups = [{"TargetGroupArn": arn, "TargetType": arn} for arn in params["TargetGroupArns"]]
        return {"TargetGroups": groups}


@pytest.mark.parametrize(("kind", "mode"), [("instance", "awsvpc"), ("ip", "bridge")])
def test_a_target_group_must_take_the_addresses_that_tasks_have(kind: str, mode: str) -> None:
    def check() -> None:
        asyncio.run(service_rules.check_target_types(Balancing(), [kind], mode))

    assert refusal(check)[1] == (
        f"The provided target group {kind} has target type {kind}, which is incompatible with the {mode} "
        "network mode specified in the task definition."
    )
    asyncio.run(service_rules.check_target_types(Balancing(), ["ip"], "awsvpc"))


@pytest.mark.parametrize(
    "tags",
    [
        [{"key": f"k{i}", "value": ""} for i in range(51)],
        [{"key": "k" * 129}],
        [{"key": "k", "value": "v" * 257}],
        [{"key": "aws:k", "value": "v"}],
        [{"key": "k"}, {"key": "k"}],
        [{"value": "v"}],
    ],
)
def test_tags_that_cannot_be_are_refused(tags: list[dict[str, str]]) -> None:
    assert refusal(check_tags, tags)[0] == "InvalidParameterException"


def test_tags_that_are_there_count() -> None:
    present = [{"key": f"k{i}"} for i in range(50)]
    check_tags([{"key": "k0"}], present)
    assert refusal(check_tags, [{"key": "new"}], present)[0] == "InvalidParameterException"


@pytest.fixture(scope="module")
def ecs(noop_emulator: Any) -> Any:
    client = noop_emulator.client("ecs")
    client.create_cluster(clusterName="rules")
    client.register_task_definition(
        family="ruled",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="0.25 vCPU",
        memory="1 GB",
        containerDefinitions=[{"name": "app", "image": "app:1"}],
    )
    return client


def test_sizes_are_kept_in_units(ecs: Any) -> None:
    definition = ecs.describe_task_definition(taskDefinition="ruled")["taskDefinition"]
    assert (definition["cpu"], definition["memory"]) == ("256", "1024")
    assert definition["compatibilities"] == ["EC2", "FARGATE"]


def test_a_service_is_created_once_for_a_client_token(ecs: Any) -> None:
    request = {
        "cluster": "rules",
        "serviceName": "once",
        "taskDefinition": "ruled",
        "desiredCount": 1,
        "networkConfiguration": NETWORK,
    }
    created = ecs.create_service(**request, clientToken="one")["service"]
    again = ecs.create_service(**request, clientToken="one")["service"]
    assert again["serviceArn"] == created["serviceArn"]
    for other in ({"clientToken": "two"}, {}, {"clientToken": "one", "desiredCount": 2}):
        with pytest.raises(ClientError) as caught:
            ecs.create_service(**{**request, **other})
        assert caught.value.response["Error"]["Message"] == "Creation of service was not idempotent."
    assert len(ecs.list_service_deployments(cluster="rules", service="once")["serviceDeployments"]) == 1


def test_a_cluster_that_was_deleted_is_inactive(ecs: Any) -> None:
    ecs.create_cluster(clusterName="gone")
    ecs.delete_cluster(cluster="gone")
    with pytest.raises(ClientError, match="The referenced cluster was inactive") as caught:
        ecs.list_services(cluster="gone")
    assert caught.value.response["Error"]["Code"] == "ClusterNotFoundException"
    with pytest.raises(ClientError, match="Cluster not found"):
        ecs.list_services(cluster="never-was")


def test_a_task_definition_is_refused_in_awss_words(ecs: Any) -> None:
    with pytest.raises(ClientError) as caught:
        ecs.register_task_definition(
            family="small",
            requiresCompatibilities=["FARGATE"],
            networkMode="awsvpc",
            cpu="256",
            memory="64",
            containerDefinitions=[{"name": "app", "image": "app:1"}],
        )
    assert caught.value.response["Error"] == {
        "Code": "ClientException",
        "Message": NO_SIZE,
    }
