"""AWS Systems Manager: parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.resources.api_type import (
    ApiType,
    puts,
    removed_tags,
    tag_list,
    tags,
)
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request


class SsmParameter(ApiType):
    """A parameter; CloudFormation makes none that are secure strings."""

    name = "AWS::SSM::Parameter"
    service, creation, deletion = "ssm", "PutParameter", "DeleteParameter"

    def identity(self, request: Request) -> dict[str, Any]:
        return {"Name": request.id}

    async def make(self, request: Request) -> Resource:
        params = {"Name": request.generated_name(), **self.given(request)}
        await self.call(request, self.creation, **params)
        return Resource(params["Name"], _attributes(request))

    @puts("AllowedPattern", "DataType", "Description", "Policies", "Tier", "Type", "Value")
    async def put_value(self, request: Request) -> None:
        params = {**self.given(request), "Name": request.id, "Overwrite": True}
        params.pop("Tags", None)  # an existing parameter's have an operation of their own
        await self.call(request, self.creation, **params)
        request.attributes = _attributes(request)

    async def put_tags(self, request: Request) -> None:
        named = {"ResourceType": "Parameter", "ResourceId": request.id}
        if removed := removed_tags(request):
            await self.call(request, "RemoveTagsFromResource", **named, TagKeys=removed)
        if found := tags(request):
            await self.call(request, "AddTagsToResource", **named, Tags=tag_list(found))

    async def describe(self, request: Request) -> Properties | None:
        found: Properties = (await self.call(request, "GetParameter", **self.identity(request)))["Parameter"]
        return found


def _attributes(request: Request) -> dict[str, Any]:
    return {name: request.properties[name] for name in ("Type", "Value")}


TYPES = (SsmParameter(),)
