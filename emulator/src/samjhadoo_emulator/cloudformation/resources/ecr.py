"""Amazon ECR: repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.resources import paths, shapes
from samjhadoo_emulator.cloudformation.resources.api_type import (
    ApiType,
    puts,
    removed_tags,
    tag_list,
    tags,
)
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.schema_form import in_schema
from samjhadoo_emulator.errors import not_implemented

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

_EXCLUSIONS = "ImageTagMutabilityExclusionFilters"
_PREFIX = "ImageTagMutabilityExclusion"
"""What CloudFormation's names of a filter's members begin with, and the API's do not."""


class EcrRepository(ApiType):
    """A repository of images; `Ref` is its name."""

    name = "AWS::ECR::Repository"
    service = "ecr"
    creation, deletion = "CreateRepository", "DeleteRepository"
    instructions = frozenset({"EmptyOnDelete"})

    def identity(self, request: Request) -> dict[str, Any]:
        return {"repositoryName": request.id}

    def check(self, properties: Properties) -> None:
        super().check(properties)
        for _ in paths.values(properties, "LifecyclePolicy.RegistryId"):
            raise not_implemented(f"The emulator does not support LifecyclePolicy.RegistryId of {self.name}.")

    async def make(self, request: Request) -> Resource:
        own = {name: value for name, value in request.properties.items() if name != "Tags"}
        params = {
            "repositoryName": request.generated_name(longest=256, lower=True),
            **shapes.parameters(self.service, self.creation, _as_api(own)),
            "tags": tag_list(tags(request)),
        }
        made = (await self.call(request, self.creation, **params))["repository"]
        attributes = {"Arn": made["repositoryArn"], "RepositoryUri": made["repositoryUri"]}
        return Resource(made["repositoryName"], attributes)

    @puts("LifecyclePolicy")
    async def put_lifecycle(self, request: Request) -> None:
        text = (request.properties.get("LifecyclePolicy") or {}).get("LifecyclePolicyText")
        if text:
            params = {"lifecyclePolicyText": shapes.as_text(text)}
            await self.call(request, "PutLifecyclePolicy", **self.identity(request), **params)
        else:
            await self.call_if_there(request, "DeleteLifecyclePolicy", **self.identity(request))

    @puts("RepositoryPolicyText")
    async def put_policy(self, request: Request) -> None:
        document = request.properties.get("RepositoryPolicyText")
        if document:
            params = {"policyText": shapes.as_text(document)}
            await self.call(request, "SetRepositoryPolicy", **self.identity(request), **params)
        else:
            await self.call_if_there(request, "DeleteRepositoryPolicy", **self.identity(request))

    @puts("ImageScanningConfiguration")
    async def put_scanning(self, request: Request) -> None:
        wanted = request.properties.get("ImageScanningConfiguration") or {}
        scanning = {"scanOnPush": wanted.get("ScanOnPush", False)}
        params = {**self.identity(request), "imageScanningConfiguration": scanning}
        await self.call(request, "PutImageScanningConfiguration", **params)

    @puts("ImageTagMutability", _EXCLUSIONS)
    async def put_mutability(self, request: Request) -> None:
        wanted = {"ImageTagMutability": "MUTABLE", **_as_api(request.properties)}
        params = shapes.parameters(self.service, "PutImageTagMutability", wanted)
        await self.call(request, "PutImageTagMutability", **{**params, **self.identity(request)})

    async def put_tags(self, request: Request) -> None:
        arn = request.attributes["Arn"]
        if removed := removed_tags(request):
            await self.call(request, "UntagResource", resourceArn=arn, tagKeys=removed)
        if found := tags(request):
            await self.call(request, "TagResource", resourceArn=arn, tags=tag_list(found))

    async def remove(self, request: Request) -> None:
        """Delete the repository; with its images only if the template says so."""
        force = request.properties.get("EmptyOnDelete") is True
        await self.call(request, self.deletion, **self.identity(request), force=force)

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "DescribeRepositories", repositoryNames=[request.id])
        shown: dict[str, Any] = answer["repositories"][0]
        filters = shown.pop("imageTagMutabilityExclusionFilters", [])
        found = in_schema(self.name, shown)
        found[_EXCLUSIONS] = [
            {f"{_PREFIX}FilterType": each["filterType"], f"{_PREFIX}FilterValue": each["filter"]}
            for each in filters
        ] or None
        lifecycle = await self.call_if_there(request, "GetLifecyclePolicy", **self.identity(request))
        found["LifecyclePolicy"] = lifecycle and {"LifecyclePolicyText": lifecycle["lifecyclePolicyText"]}
        policy = await self.call_if_there(request, "GetRepositoryPolicy", **self.identity(request))
        found["RepositoryPolicyText"] = policy and shapes.from_text(policy["policyText"])
        return found


def _as_api(properties: Properties) -> Properties:
    """Return properties with the filters' members named as the API does."""
    if _EXCLUSIONS not in properties:
        return properties
    filters = [
        {
            "FilterType": each[f"{_PREFIX}FilterType"],
            "Filter": each[f"{_PREFIX}FilterValue"],
        }
        for each in properties[_EXCLUSIONS]
    ]
    return {**properties, _EXCLUSIONS: filters}


TYPES = (EcrRepository(),)
