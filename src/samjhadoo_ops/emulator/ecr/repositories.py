"""The ECR API's operations on repositories: their life, settings, policies and tags."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.emulator.ecr.base import RegistryService, page
from samjhadoo_ops.emulator.errors import AwsError
from samjhadoo_ops.emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_ops.emulator.ecr.registry import Repository
    from samjhadoo_ops.emulator.service import Params, Result

LIFECYCLE, POLICY = "lifecycle", "repository"


class RepositoryOperations(RegistryService):
    """Operations on repositories."""

    @operation("CreateRepository")
    async def create_repository(self, params: Params) -> Result:
        """Create a repository."""
        repository = self.registry.create(
            params["repositoryName"],
            resource_tags=_tags(params.get("tags", [])),
            settings={
                "imageScanningConfiguration": params.get("imageScanningConfiguration", {"scanOnPush": False}),
                "encryptionConfiguration": params.get(
                    "encryptionConfiguration", {"encryptionType": "AES256"}
                ),
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
        shown, more = page(everything, params)
        return {"repositories": [self.describe(repository) for repository in shown], **more}

    @operation("DeleteRepository")
    async def delete_repository(self, params: Params) -> Result:
        """Delete a repository, and its images when `force` is set."""
        self.repository(params)
        deleted = self.registry.delete(params["repositoryName"], force=params.get("force", False))
        return {"repository": self.describe(deleted)}

    @operation("PutImageTagMutability")
    async def put_image_tag_mutability(self, params: Params) -> Result:
        """Say whether tags may be moved."""
        repository = self.repository(params)
        _set_mutability(repository, params)
        return self.named(repository, **_mutability(repository))

    @operation("PutImageScanningConfiguration")
    async def put_image_scanning_configuration(self, params: Params) -> Result:
        """Store the scanning configuration; images are not scanned."""
        repository = self.repository(params)
        repository.settings["imageScanningConfiguration"] = params["imageScanningConfiguration"]
        return self.named(repository, imageScanningConfiguration=params["imageScanningConfiguration"])

    @operation("PutLifecyclePolicy")
    async def put_lifecycle_policy(self, params: Params) -> Result:
        """Store the lifecycle policy."""
        text = params["lifecyclePolicyText"]
        return self._put_policy(params, LIFECYCLE, "lifecyclePolicyText", text)

    @operation("GetLifecyclePolicy")
    async def get_lifecycle_policy(self, params: Params) -> Result:
        """Return the lifecycle policy."""
        return self._policy(params, LIFECYCLE, "lifecyclePolicyText")

    @operation("DeleteLifecyclePolicy")
    async def delete_lifecycle_policy(self, params: Params) -> Result:
        """Remove the lifecycle policy."""
        return self._delete_policy(params, LIFECYCLE, "lifecyclePolicyText")

    @operation("SetRepositoryPolicy")
    async def set_repository_policy(self, params: Params) -> Result:
        """Store who may use the repository; it is not enforced."""
        return self._put_policy(params, POLICY, "policyText", params["policyText"])

    @operation("GetRepositoryPolicy")
    async def get_repository_policy(self, params: Params) -> Result:
        """Return the repository policy."""
        return self._policy(params, POLICY, "policyText")

    @operation("DeleteRepositoryPolicy")
    async def delete_repository_policy(self, params: Params) -> Result:
        """Remove the repository policy."""
        return self._delete_policy(params, POLICY, "policyText")

    @operation("TagResource")
    async def tag_resource(self, params: Params) -> Result:
        """Add tags to a repository."""
        self._by_arn(params["resourceArn"]).resource_tags.update(_tags(params["tags"]))
        return {}

    @operation("UntagResource")
    async def untag_resource(self, params: Params) -> Result:
        """Remove tags from a repository."""
        tags = self._by_arn(params["resourceArn"]).resource_tags
        for key in params["tagKeys"]:
            tags.pop(key, None)
        return {}

    @operation("ListTagsForResource")
    async def list_tags_for_resource(self, params: Params) -> Result:
        """Return a repository's tags."""
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

    @property
    def _arn_prefix(self) -> str:
        return f"arn:aws:ecr:{self.region}:{self.account}:repository/"

    def _by_arn(self, arn: str) -> Repository:
        if not arn.startswith(self._arn_prefix):
            raise AwsError("InvalidParameterException", f"Invalid parameter at 'resourceArn': {arn}")
        return self.registry.repository(arn.removeprefix(self._arn_prefix))

    def _put_policy(self, params: Params, kind: str, member: str, text: str) -> Result:
        repository = self.repository(params)
        try:
            json.loads(text)
        except ValueError as error:
            raise AwsError(
                "InvalidParameterException",
                f"Invalid parameter at '{member}' failed to satisfy constraint: "
                f"'Invalid {kind} policy provided'",
            ) from error
        repository.policies[kind] = text
        return self.named(repository, **{member: text})

    def _policy(self, params: Params, kind: str, member: str) -> Result:
        repository = self.repository(params)
        if kind not in repository.policies:
            code = {
                LIFECYCLE: "LifecyclePolicyNotFoundException",
                POLICY: "RepositoryPolicyNotFoundException",
            }[kind]
            raise AwsError(
                code,
                f"{kind.capitalize()} policy does not exist for the repository with name '{repository.name}' "
                f"in the registry with id '{self.account}'",
            )
        return self.named(repository, **{member: repository.policies[kind]})

    def _delete_policy(self, params: Params, kind: str, member: str) -> Result:
        answer = self._policy(params, kind, member)
        del self.repository(params).policies[kind]
        return answer


def _tags(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _set_mutability(repository: Repository, params: Params) -> None:
    mutability = params.get("imageTagMutability", "MUTABLE")
    filters = params.get("imageTagMutabilityExclusionFilters", [])
    if bool(filters) != mutability.endswith("_WITH_EXCLUSION"):
        raise AwsError(
            "InvalidParameterException",
            "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: "
            "'exclusion filters go with a mutability of IMMUTABLE_WITH_EXCLUSION or MUTABLE_WITH_EXCLUSION'",
        )
    repository.mutability = mutability
    repository.exclusions = [item["filter"] for item in filters]


def _mutability(repository: Repository) -> dict[str, Any]:
    filters = [{"filterType": "WILDCARD", "filter": pattern} for pattern in repository.exclusions]
    exclusions = {"imageTagMutabilityExclusionFilters": filters} if filters else {}
    return {"imageTagMutability": repository.mutability, **exclusions}
