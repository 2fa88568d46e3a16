"""ECS's clusters, task definitions and services are made, changed, read and deleted by its API."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.cloudformation.drift import property_differences
from samjhadoo_emulator.cloudformation.language.schemas import schema
from samjhadoo_emulator.cloudformation.resources.ecs import deployment_limits, service_deployments
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Desk, Made
    from samjhadoo_emulator.cloudformation.resources.resource_type import ResourceType

NETWORK = {"AwsvpcConfiguration": {"Subnets": ["subnet-1"], "AssignPublicIp": "DISABLED"}}
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def types(of_service: Callable[[str], dict[str, ResourceType]]) -> dict[str, ResourceType]:
    return of_service("ecs")


@pytest.fixture(scope="module")
def cluster(desk: Desk, types: dict[str, Any]) -> Made:
    return desk.create(types["Cluster"], ClusterName="stacked")


@pytest.fixture
def definition(desk: Desk, types: dict[str, Any]) -> Callable[..., Made]:
    family = f"web-{next(_numbers)}"

    def register(**container: Any) -> Made:
        return desk.create(
            types["TaskDefinition"],
            Family=family,
            NetworkMode="awsvpc",
            RequiresCompatibilities=["FARGATE"],
            Cpu="256",
            Memory="512",
            ExecutionRoleArn="arn:aws:iam::000000000000:role/execution",
            ContainerDefinitions=[{"Name": "app", "Image": "any", **container}],
        )

    return register


@pytest.fixture
def service(desk: Desk, types: dict[str, Any], cluster: Made, definition: Callable[..., Made]) -> Made:
    return desk.create(
        types["Service"],
        Cluster=cluster.id,
        TaskDefinition=definition().id,
        LaunchType="FARGATE",
        NetworkConfiguration=NETWORK,
        DeploymentConfiguration={"DeploymentCircuitBreaker": {"Enable": True, "Rollback": True}},
    )


def described(desk: Desk, made: Made) -> dict[str, Any]:
    answer = desk.client("ecs").describe_services(cluster="stacked", services=[made.id], include=["TAGS"])
    found: dict[str, Any] = answer["services"][0]
    return found


def test_a_cluster_changes_its_settings_and_capacity_in_place(desk: Desk, types: dict[str, Any]) -> None:
    made = desk.create(
        types["Cluster"],
        ClusterSettings=[{"Name": "containerInsights", "Value": "enhanced"}],
        CapacityProviders=["FARGATE"],
        Configuration={"ExecuteCommandConfiguration": {"Logging": "DEFAULT"}},
    )
    assert made.attributes["Arn"].endswith(f":cluster/{made.id}")
    assert made.drifted() == {}
    made.update(
        ClusterSettings=None,
        CapacityProviders=["FARGATE", "FARGATE_SPOT"],
        DefaultCapacityProviderStrategy=[{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}],
        Tags=[{"Key": "Owner", "Value": "ops"}],
    )
    assert made.drifted() == {}
    assert made.read()["ClusterSettings"] == [{"Name": "containerInsights", "Value": "disabled"}]
    tags = desk.client("ecs").list_tags_for_resource(resourceArn=made.attributes["Arn"])["tags"]
    assert {each["key"]: each["value"] for each in tags} == {"Environment": "test", "Owner": "ops"}
    made.delete()
    assert made.read() is None
    made.delete()


def test_a_cluster_of_somebody_else_is_not_adopted(desk: Desk, types: dict[str, Any], cluster: Made) -> None:
    with pytest.raises(AwsError, match="with identifier 'stacked' already exists"):
        desk.create(types["Cluster"], ClusterName=cluster.id)


def test_capacity_providers_are_associated_with_a_cluster(desk: Desk, types: dict[str, Any]) -> None:
    cluster = desk.create(types["Cluster"])
    made = desk.create(
        types["ClusterCapacityProviderAssociations"],
        Cluster=cluster.id,
        CapacityProviders=["FARGATE"],
        DefaultCapacityProviderStrategy=[{"CapacityProvider": "FARGATE", "Weight": 1}],
    )
    assert (made.id, made.drifted()) == (cluster.id, {})
    made.update(CapacityProviders=["FARGATE_SPOT"], DefaultCapacityProviderStrategy=[])
    assert made.drifted() == {}
    made.delete()
    assert made.read() is None
    cluster.delete()
    made.delete()


def test_a_task_definition_keeps_the_keys_of_labels_and_options(desk: Desk, types: dict[str, Any]) -> None:
    made = desk.create(
        types["TaskDefinition"],
        NetworkMode="awsvpc",
        ContainerDefinitions=[
            {
                "Name": "app",
                "Image": "any",
                "Memory": 128,
                "Environment": [{"Name": "PORT", "Value": "80"}],
                "DockerLabels": {"com.example.Owner": "ops"},
                "LogConfiguration": {"LogDriver": "json-file", "Options": {"max-Size": "1m"}},
                "PortMappings": [{"ContainerPort": 8080}],
            },
            {"Name": "envoy", "Image": "any", "Memory": 128},
        ],
        Volumes=[{"Name": "data", "EFSVolumeConfiguration": {"FilesystemId": "fs-1"}}],
        ProxyConfiguration={
            "Type": "APPMESH",
            "ContainerName": "envoy",
            "ProxyConfigurationProperties": [{"Name": "IgnoredUID", "Value": "1337"}],
        },
    )
    stored = desk.client("ecs").describe_task_definition(taskDefinition=made.id)["taskDefinition"]
    app = stored["containerDefinitions"][0]
    assert app["dockerLabels"] == {"com.example.Owner": "ops"}
    assert app["logConfiguration"]["options"] == {"max-Size": "1m"}
    assert stored["volumes"][0]["efsVolumeConfiguration"]["fileSystemId"] == "fs-1"
    assert stored["proxyConfiguration"]["properties"] == [{"name": "IgnoredUID", "value": "1337"}]
    assert made.shows()["ProxyConfiguration"] == made.request.properties["ProxyConfiguration"]
    assert made.attributes["TaskDefinitionArn"] == made.id


def test_a_deleted_task_definition_is_deregistered(desk: Desk, definition: Callable[..., Made]) -> None:
    made = definition()
    made.delete()
    stored = desk.client("ecs").describe_task_definition(taskDefinition=made.id)["taskDefinition"]
    assert stored["status"] == "INACTIVE"
    assert made.read() is None
    made.delete()


def test_a_service_is_created_once_its_tasks_run(desk: Desk, service: Made) -> None:
    found = described(desk, service)
    assert (found["runningCount"], found["desiredCount"]) == (1, 1)
    assert found["deployments"][0]["rolloutState"] == "COMPLETED"
    assert service.attributes == {"ServiceArn": service.id, "Name": found["serviceName"]}
    assert found["tags"] == [{"key": "Environment", "value": "test"}]
    differing = property_differences(service.request.properties, service.read(), schema(service.kind.name))
    assert differing == ()


def test_a_new_task_definition_is_deployed_before_the_update_ends(
    desk: Desk, service: Made, definition: Callable[..., Made]
) -> None:
    newer = definition(Command=["other"])
    service.update(TaskDefinition=newer.id)
    found = described(desk, service)
    assert (found["taskDefinition"], len(found["deployments"])) == (newer.id, 1)


def test_a_change_of_settings_starts_no_deployment_and_leaves_the_number_of_tasks(
    desk: Desk, service: Made
) -> None:
    ecs = desk.client("ecs")
    ecs.update_service(cluster="stacked", service=service.id, desiredCount=3)
    before = described(desk, service)["currentServiceDeployment"]
    service.update(EnableExecuteCommand=True, Tags=[{"Key": "Owner", "Value": "ops"}])
    found = described(desk, service)
    assert found["currentServiceDeployment"] == before
    assert (found["desiredCount"], found["enableExecuteCommand"]) == (3, True)
    service.update(EnableExecuteCommand=None, DesiredCount=2)
    found = described(desk, service)
    assert (found["runningCount"], found["enableExecuteCommand"]) == (2, False)
    assert found["currentServiceDeployment"] == before


def test_any_change_brings_back_the_revision_of_the_template(
    desk: Desk, service: Made, definition: Callable[..., Made], eventually: Callable[..., Any]
) -> None:
    wanted = service.request.properties["TaskDefinition"]
    desk.client("ecs").update_service(
        cluster="stacked", service=service.id, taskDefinition=definition(Command=["released"]).id
    )
    assert service.drifted()["TaskDefinition"] != wanted
    service.update(EnableExecuteCommand=True)
    assert described(desk, service)["taskDefinition"] == wanted


def test_a_new_nonce_deploys_again(desk: Desk, service: Made) -> None:
    before = described(desk, service)["currentServiceDeployment"]
    service.update(ForceNewDeployment={"EnableForceNewDeployment": True, "ForceNewDeploymentNonce": "2"})
    assert described(desk, service)["currentServiceDeployment"] != before


def test_a_family_means_its_latest_revision_and_is_no_drift(
    desk: Desk, service: Made, definition: Callable[..., Made]
) -> None:
    latest = definition(Command=["latest"])
    family = latest.id.rpartition("/")[2].partition(":")[0]
    service.update(TaskDefinition=family)
    assert described(desk, service)["taskDefinition"] == latest.id
    assert service.read()["TaskDefinition"] == family


@pytest.mark.parametrize(
    ("deployment", "operation"),
    [
        pytest.param(
            {
                "status": "ROLLBACK_SUCCESSFUL",
                "statusReason": "Service deployment rolled back because the circuit breaker opened.",
                "deploymentCircuitBreaker": {"status": "TRIGGERED"},
            },
            "ECS Deployment Circuit Breaker was triggered",
            id="circuit-breaker",
        ),
        pytest.param(
            {
                "status": "ROLLBACK_SUCCESSFUL",
                "statusReason": "Service deployment rolled back because alarm(s) detected: slow.",
                "deploymentCircuitBreaker": {"status": "MONITORING_COMPLETE"},
            },
            "Service deployment rolled back because alarm(s) detected: slow",
            id="alarm",
        ),
        pytest.param({"status": "STOPPED"}, "Service deployment STOPPED", id="stopped"),
    ],
)
def test_a_failed_deployment_is_told_in_the_words_of_awss_handler(
    deployment: dict[str, Any], operation: str
) -> None:
    error = service_deployments.failure(deployment)
    assert (error.code, error.message) == (
        "GeneralServiceException",
        f"Error occurred during operation '{operation}'.",
    )


def test_a_deleted_service_is_gone_with_its_tasks(desk: Desk, service: Made) -> None:
    service.delete()
    assert service.read() is None
    assert (
        desk.client("ecs").list_tasks(cluster="stacked", serviceName=service.attributes["Name"])["taskArns"]
        == []
    )
    service.delete()


def test_other_controllers_are_refused_before_a_call(desk: Desk, types: dict[str, Any]) -> None:
    before = len(desk.aws.calls)
    with pytest.raises(AwsError, match=r"DeploymentController\.Type CODE_DEPLOY of AWS::ECS::Service"):
        desk.create(types["Service"], DeploymentController={"Type": "CODE_DEPLOY"})
    assert len(desk.aws.calls) == before


@pytest.mark.parametrize(
    ("configuration", "allowed"),
    [
        pytest.param({"Strategy": "BLUE_GREEN", "BakeTimeInMinutes": 1440}, True, id="blue-green"),
        pytest.param(
            {
                "Strategy": "CANARY",
                "BakeTimeInMinutes": 1440,
                "CanaryConfiguration": {"CanaryBakeTimeInMinutes": 540},
            },
            True,
            id="canary-of-33-hours",
        ),
        pytest.param(
            {
                "Strategy": "CANARY",
                "BakeTimeInMinutes": 1440,
                "CanaryConfiguration": {"CanaryBakeTimeInMinutes": 541},
            },
            False,
            id="canary-of-more",
        ),
        pytest.param(
            {
                "Strategy": "LINEAR",
                "BakeTimeInMinutes": 180,
                "LinearConfiguration": {"StepPercent": 10, "StepBakeTimeInMinutes": 200},
            },
            True,
            id="linear-of-nine-steps",
        ),
        pytest.param(
            {
                "Strategy": "LINEAR",
                "BakeTimeInMinutes": 181,
                "LinearConfiguration": {"StepPercent": 11, "StepBakeTimeInMinutes": 200},
            },
            False,
            id="linear-with-a-rest",
        ),
        pytest.param({"Strategy": "CANARY", "BakeTimeInMinutes": "{{resolve:ssm:bake}}"}, True, id="unknown"),
    ],
)
def test_cloudformation_refuses_deployments_of_more_than_33_hours(
    configuration: dict[str, Any], allowed: bool
) -> None:
    if allowed:
        deployment_limits.check(configuration)
    else:
        with pytest.raises(AwsError, match="exceeds 33 hours"):
            deployment_limits.check(configuration)


def test_what_a_deployment_configuration_no_longer_names_is_as_in_a_new_service() -> None:
    previous = {"Alarms": {"AlarmNames": ["slow"], "Enable": True, "Rollback": True}, "Strategy": "CANARY"}
    assert deployment_limits.configuration({"MaximumPercent": 150}, previous) == {
        "Alarms": {"AlarmNames": [], "Enable": False, "Rollback": False},
        "Strategy": "ROLLING",
        "MaximumPercent": 150,
    }
    assert deployment_limits.configuration({"Strategy": "BLUE_GREEN"}, {}) == {
        "Strategy": "BLUE_GREEN",
        "BakeTimeInMinutes": 15,
    }
