"""ECR's repositories are made, changed, read and deleted by its API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Desk
    from samjhadoo_emulator.cloudformation.resources.resource_type import ResourceType

LIFECYCLE = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5},
                "action": {"type": "expire"},
            }
        ]
    }
)
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "pull", "Effect": "Allow", "Principal": "*", "Action": ["ecr:BatchGetImage"]}],
}


@pytest.fixture(scope="module")
def repository(of_service: Callable[[str], dict[str, ResourceType]]) -> ResourceType:
    return of_service("ecr")["Repository"]


def test_a_repository_has_its_settings_policies_and_tags(desk: Desk, repository: ResourceType) -> None:
    made = desk.create(
        repository,
        RepositoryName="shop/web",
        ImageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        ImageTagMutabilityExclusionFilters=[
            {
                "ImageTagMutabilityExclusionFilterType": "WILDCARD",
                "ImageTagMutabilityExclusionFilterValue": "latest*",
            }
        ],
        ImageScanningConfiguration={"ScanOnPush": True},
        EncryptionConfiguration={"EncryptionType": "AES256"},
        LifecyclePolicy={"LifecyclePolicyText": LIFECYCLE},
        RepositoryPolicyText=POLICY,
    )
    assert made.id == "shop/web"
    assert made.attributes["Arn"].endswith(":repository/shop/web")
    assert made.attributes["RepositoryUri"].endswith("/shop/web")
    found = made.read()
    assert json.loads(found.pop("LifecyclePolicy")["LifecyclePolicyText"]) == json.loads(LIFECYCLE)
    assert made.shows() | {"LifecyclePolicy": made.request.properties["LifecyclePolicy"]} == (
        made.request.properties
    )
    tags = desk.client("ecr").list_tags_for_resource(resourceArn=made.attributes["Arn"])["tags"]
    assert tags == [{"Key": "Environment", "Value": "test"}]


def test_what_a_template_no_longer_names_is_as_in_a_new_repository(
    desk: Desk, repository: ResourceType
) -> None:
    made = desk.create(
        repository,
        ImageTagMutability="IMMUTABLE",
        ImageScanningConfiguration={"ScanOnPush": True},
        LifecyclePolicy={"LifecyclePolicyText": LIFECYCLE},
        RepositoryPolicyText=POLICY,
    )
    assert made.id == made.id.lower()
    made.update(
        ImageTagMutability=None,
        ImageScanningConfiguration=None,
        LifecyclePolicy=None,
        RepositoryPolicyText=None,
    )
    found = made.read()
    assert (found["ImageTagMutability"], found["ImageScanningConfiguration"]) == (
        "MUTABLE",
        {"ScanOnPush": False},
    )
    assert (found["LifecyclePolicy"], found["RepositoryPolicyText"]) == (None, None)
    made.delete()
    assert made.read() is None
    made.delete()


def test_images_are_deleted_only_if_the_template_says_so(desk: Desk, repository: ResourceType) -> None:
    made = desk.create(repository, RepositoryName="kept")
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
        "manifests": [],
    }
    ecr = desk.client("ecr")
    ecr.put_image(repositoryName="kept", imageManifest=json.dumps(manifest), imageTag="1")
    with pytest.raises(AwsError, match="cannot be deleted because it still contains images"):
        made.delete()
    made.update(EmptyOnDelete=True)
    assert made.calls == []
    made.delete()
    assert made.read() is None
