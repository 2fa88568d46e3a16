"""The operations on tasks through the edge, on a runtime without processes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

_numbers = itertools.count(1)
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


@pytest.fixture(scope="module")
def ecs(noop_emulator: Any) -> Any:
    client = noop_emulator.client("ecs")
    client.create_cluster(clusterName="tasks")
    return client


@pytest.fixture
def family(ecs: Any) -> str:
    name = f"job{next(_numbers)}"
    container = {"name": "app", "image": "127.0.0.1/app:1", "portMappings": [{"containerPort": 80}]}
    ecs.register_task_definition(
        family=name,
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[container],
    )
    return name


def run(ecs: Any, family: str, **extra: Any) -> list[dict[str, Any]]:
    given = {"cluster": "tasks", "taskDefinition": family, "networkConfiguration": NETWORK, **extra}
    tasks: list[dict[str, Any]] = ecs.run_task(**given)["tasks"]
    return tasks


def describe(ecs: Any, *tasks: str, **extra: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ecs.describe_tasks(cluster="tasks", tasks=list(tasks), **extra)["tasks"]
    return found


def refusal(call: Callable[..., Any], **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_task_is_started_described_and_stopped(
    ecs: Any, family: str, eventually: Callable[..., Any]
) -> None:
    task = run(ecs, family, launchType="FARGATE", startedBy="me", tags=[{"key": "a", "value": "b"}])[0]
    assert task["lastStatus"] == "PROVISIONING"
    assert task["taskArn"].startswith("arn:aws:ecs:ap-south-1:000000000000:task/tasks/")
    assert task["group"] == f"family:{family}"
    arn, name = task["taskArn"], task["taskArn"].rpartition("/")[2]
    assert len(name) == 32
    eventually(lambda: describe(ecs, arn)[0]["lastStatus"] == "RUNNING")
    found = describe(ecs, name, include=["TAGS"])[0]
    assert (found["launchType"], found["startedBy"], found["cpu"]) == ("FARGATE", "me", "256")
    assert found["tags"] == [{"key": "a", "value": "b"}]
    assert found["containers"][0]["lastStatus"] == "RUNNING"
    assert found["attachments"][0]["type"] == "ElasticNetworkInterface"
    assert ecs.stop_task(cluster="tasks", task=name)["task"]["desiredStatus"] == "STOPPED"
    eventually(lambda: describe(ecs, arn)[0]["lastStatus"] == "STOPPED")
    stopped = describe(ecs, arn)[0]
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "Task stopped by user")
    ecs.stop_task(cluster="tasks", task=arn, reason="twice")
    assert describe(ecs, arn)[0]["stoppedReason"] == "Task stopped by user"


def test_a_task_that_does_not_exist_is_a_failure_not_an_error(ecs: Any) -> None:
    answer = ecs.describe_tasks(cluster="tasks", tasks=["0" * 32])
    arn = f"arn:aws:ecs:ap-south-1:000000000000:task/tasks/{'0' * 32}"
    assert answer["failures"] == [{"arn": arn, "reason": "MISSING"}]


def test_tasks_are_listed_by_page_in_their_order(ecs: Any, family: str) -> None:
    started = [task["taskArn"] for _ in range(3) for task in run(ecs, family, count=5)]
    pages = ecs.get_paginator("list_tasks").paginate(
        cluster="tasks", family=family, PaginationConfig={"PageSize": 4}
    )
    listed = [page["taskArns"] for page in pages]
    assert [len(page) for page in listed] == [4, 4, 4, 3]
    assert [arn for page in listed for arn in page] == started


def test_tasks_are_listed_by_what_they_are(ecs: Any, family: str) -> None:
    def listed(**filters: Any) -> list[str]:
        return ecs.list_tasks(cluster="tasks", **filters)["taskArns"]

    mine = run(ecs, family, startedBy=f"by-{family}", group="service:none")[0]["taskArn"]
    other = run(ecs, family)[0]["taskArn"]
    ecs.stop_task(cluster="tasks", task=other)
    assert listed(family=family) == [mine]
    assert listed(family=family, desiredStatus="STOPPED") == [other]
    assert listed(startedBy=f"by-{family}") == [mine]
    assert listed(serviceName="none") == [mine]
    assert listed(family=family, launchType="FARGATE") == []
    assert listed(containerInstance="x") == []


def test_a_client_token_starts_tasks_once(ecs: Any, family: str) -> None:
    first, again = (run(ecs, family, clientToken=f"token-{family}", count=2) for _ in range(2))
    assert [task["taskArn"] for task in first] == [task["taskArn"] for task in again]
    code, _ = refusal(
        ecs.run_task, cluster="tasks", taskDefinition=family, clientToken=f"token-{family}",
        networkConfiguration=NETWORK,
    )  # fmt: skip
    assert code == "ConflictException"


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        pytest.param(
            {"count": 11}, "InvalidParameterException", "count must be between 1 and 10", id="count"
        ),
        pytest.param({"cluster": "none"}, "ClusterNotFoundException", "Cluster not found.", id="cluster"),
        pytest.param(
            {"networkConfiguration": {}},
            "InvalidParameterException",
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
            id="network",
        ),
        pytest.param(
            {"overrides": {"containerOverrides": [{"name": "x"}]}},
            "InvalidParameterException",
            "Override for container named x is not a container in the TaskDefinition.",
            id="override",
        ),
    ],
)
def test_run_task_refuses_in_awss_words(
    ecs: Any, family: str, params: dict[str, Any], code: str, message: str
) -> None:
    given = {"cluster": "tasks", "taskDefinition": family, "networkConfiguration": NETWORK, **params}
    assert refusal(ecs.run_task, **given) == (code, message)


def test_other_operations_refuse_in_awss_words(ecs: Any, family: str) -> None:
    invalid = "InvalidParameterException"
    assert refusal(ecs.stop_task, cluster="tasks", task="0" * 32) == (
        invalid,
        "The referenced task was not found.",
    )
    assert refusal(ecs.describe_tasks, cluster="tasks", tasks=[]) == (invalid, "Tasks cannot be empty.")
    assert refusal(ecs.list_tasks, cluster="tasks", nextToken="x") == (invalid, "Invalid token.")
    unknown = refusal(ecs.run_task, cluster="tasks", taskDefinition="none", networkConfiguration=NETWORK)
    assert unknown[0] == "ClientException"
    missing = ecs.start_task(cluster="tasks", taskDefinition=family, containerInstances=["i"])["failures"]
    assert missing == [{"arn": "i", "reason": "MISSING"}]


def test_without_a_launch_type_the_clusters_default_strategy_counts_else_ec2(ecs: Any, family: str) -> None:
    assert run(ecs, family)[0]["launchType"] == "EC2"
    spot = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]
    ecs.create_cluster(
        clusterName="spot", capacityProviders=["FARGATE_SPOT"], defaultCapacityProviderStrategy=spot
    )
    (task,) = run(ecs, family, cluster="spot")
    assert (task["launchType"], task["capacityProviderName"]) == ("FARGATE", "FARGATE_SPOT")
    service = ecs.create_service(
        cluster="spot",
        serviceName=family,
        taskDefinition=family,
        desiredCount=0,
        networkConfiguration=NETWORK,
    )["service"]
    assert "launchType" not in service
    assert [each["capacityProvider"] for each in service["capacityProviderStrategy"]] == ["FARGATE_SPOT"]
    assert service["platformVersion"] == "LATEST"


def test_a_command_is_refused_as_aws_does_where_no_agent_can_be_reached(ecs: Any, family: str) -> None:
    for enabled, code in ((False, "InvalidParameterException"), (True, "TargetNotConnectedException")):
        (task,) = run(ecs, family, enableExecuteCommand=enabled)
        asked = {"cluster": "tasks", "task": task["taskArn"], "command": "sh", "interactive": True}
        found, message = refusal(ecs.execute_command, **asked)
        assert found == code
        assert message.startswith("The execute command failed")


def test_only_tasks_of_services_are_protected(ecs: Any, family: str) -> None:
    (task,) = run(ecs, family)
    asked = {"cluster": "tasks", "tasks": [task["taskArn"], "f" * 32]}
    answer = ecs.update_task_protection(**asked, protectionEnabled=True)
    assert [each["reason"] for each in answer["failures"]] == ["TASK_NOT_VALID", "MISSING"]
    code, _ = refusal(ecs.update_task_protection, **asked, protectionEnabled=True, expiresInMinutes=2881)
    assert code == "InvalidParameterException"
