"""Fargate's capacity providers are there, and no container instance is."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError


@pytest.fixture(scope="module")
def ecs(noop_emulator: Any) -> Any:
    client = noop_emulator.client("ecs")
    client.create_cluster(clusterName="capacity")
    return client


def test_fargates_capacity_providers_are_active(ecs: Any) -> None:
    found = ecs.describe_capacity_providers()["capacityProviders"]
    assert {each["name"]: each["status"] for each in found} == {"FARGATE": "ACTIVE", "FARGATE_SPOT": "ACTIVE"}
    arn = found[0]["capacityProviderArn"]
    answer = ecs.describe_capacity_providers(capacityProviders=[arn, "mine"])
    assert [each["capacityProviderArn"] for each in answer["capacityProviders"]] == [arn]
    assert answer["failures"] == [{"arn": arn.replace("FARGATE", "mine"), "reason": "MISSING"}]


def test_a_cluster_of_the_live_service_has_no_container_instances(ecs: Any) -> None:
    assert ecs.list_container_instances(cluster="capacity")["containerInstanceArns"] == []
    assert ecs.list_attributes(cluster="capacity", targetType="container-instance")["attributes"] == []
    (failure,) = ecs.describe_container_instances(cluster="capacity", containerInstances=["i"])["failures"]
    assert failure["reason"] == "MISSING"
    assert failure["arn"].endswith(":container-instance/capacity/i")


@pytest.mark.parametrize(
    ("call", "members"),
    [
        ("list_container_instances", {}),
        ("describe_container_instances", {"containerInstances": ["i"]}),
        ("list_attributes", {"targetType": "container-instance"}),
    ],
)
def test_another_cluster_is_not_found(ecs: Any, call: str, members: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="ClusterNotFoundException"):
        getattr(ecs, call)(cluster="none", **members)
