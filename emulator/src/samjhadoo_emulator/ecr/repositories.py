"""The ECR API's operations on repositories: create, delete, describe, settings and tags."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecr.base import RegistryService
from samjhadoo_emulator.errors import invalid_parameter
from samjhadoo_emulator.pagination import ECR
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.ecr.model import Repository
    from samjhadoo_emulator.service import Params, Result

MOST_WILDCARDS = 2
"""Wildcards in a filter of tags that may or may not be moved [AWS: image tag mutability]."""


class RepositoryOperations(RegistryService):
    """Operations on repositories."""

    @operation("CreateRepository")
    async def create_repository(self, params: Params) -> Result:
        repository = self.registry.create(
            params["repositoryName"],
            resource_tags=_tags(params.get("tags", [])),
            settings={
                "imageScanningConfiguration": params.get("imageScanningConfiguration", {"scanOnPush": False}),
                "encryptionConfiguration": self._encryption(params),
            },
        )
        _set_mutability(repository, params)
        return {"repository": self.describe(repository)}

    @operation("DescribeRepositories")
    async def describe_repositories(self, params: Params) -> Result:
        """Describe the named repositories, or all."""
        names = params.get("repositoryNames")
        if names:
            named = [self.repository({**params, "repositoryName": name}) for name in names]
            return {"repositories": [self.describe(repository) for repository in named]}
        everything = sorted(self.registry.repositories.values(), key=lambda repository: repository.name)
        shown, more = ECR.page(everything, params)
        return {"repositories": [self.describe(repository) for repository in shown], **more}

    @operation("DeleteRepository")
    async def delete_repository(self, params: Params) -> Result:
        """Delete a repository, and its images when `force` is set."""
        self.repository(params)
        deleted = self.registry.delete(params["repositoryName"], force=params.get("force", False))
        return {"repository": self.describe(deleted)}

    @operation("PutImageTagMutability")
    async def put_image_tag_mutability(self, params: Params) -> Result:
        repository = self.repository(params)
        _set_mutability(repository, params)
        return self.named(repository, **_mutability(repository))

    @operation("TagResource")
    async def tag_resource(self, params: Params) -> Result:
        self._by_arn(params["resourceArn"]).resource_tags.update(_tags(params["tags"]))
        return {}

    @operation("UntagResource")
    async def untag_resource(self, params: Params) -> Result:
        tags = self._by_arn(params["resourceArn"]).resource_tags
        for key in params["tagKeys"]:
            tags.pop(key, None)
        return {}

    @operation("ListTagsForResource")
    async def list_tags_for_resource(self, params: Params) -> Result:
        tags = self._by_arn(params["resourceArn"]).resource_tags
        return {"tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def describe(self, repository: Repository) -> dict[str, Any]:
        """Return a repository as the API shows it."""
        return {
            "repositoryArn": self._arn_prefix + repository.name,
            **self.named(repository),
            "repositoryUri": f"{self.endpoint}/{repository.name}",
            "createdAt": repository.created_at,
            **_mutability(repository),
            **repository.settings,
        }

    def _encryption(self, params: Params) -> dict[str, str]:
        """Return how a repository is encrypted; with KMS, by the key of AWS unless another is given."""
        given = params.get("encryptionConfiguration") or {"encryptionType": "AES256"}
        if given["encryptionType"] == "AES256" or given.get("kmsKey"):
            return given
        key = uuid.uuid5(uuid.NAMESPACE_URL, f"{self.account}/{self.region}/alias/aws/ecr")
        return {**given, "kmsKey": f"arn:aws:kms:{self.region}:{self.account}:key/{key}"}

    @property
    def _arn_prefix(self) -> str:
        return f"{self.home().prefix}repository/"

    def _by_arn(self, arn: str) -> Repository:
        if not arn.startswith(self._arn_prefix):
            raise invalid_parameter(
                "Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'"
            )
        return self.registry.repository(arn.removeprefix(self._arn_prefix))


def _tags(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _set_mutability(repository: Repository, params: Params) -> None:
    mutability = params.get("imageTagMutability", "MUTABLE")
    filters = params.get("imageTagMutabilityExclusionFilters", [])
    if bool(filters) != mutability.endswith("_WITH_EXCLUSION"):
        raise invalid_parameter(
            "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: "
            "'exclusion filters go with a mutability of IMMUTABLE_WITH_EXCLUSION or MUTABLE_WITH_EXCLUSION'",
        )
    for words in (item["filter"] for item in filters):
        if words.count("*") > MOST_WILDCARDS:
            raise invalid_parameter(
                "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: "
                f"'a filter can have {MOST_WILDCARDS} wildcards (*) at most: {words}'",
            )
    repository.mutability = mutability
    repository.exclusions = [item["filter"] for item in filters]


def _mutability(repository: Repository) -> dict[str, Any]:
    filters = [{"filterType": "WILDCARD", "filter": pattern} for pattern in repository.exclusions]
    exclusions = {"imageTagMutabilityExclusionFilters": filters} if filters else {}
    return {"imageTagMutability": repository.mutability, **exclusions}
