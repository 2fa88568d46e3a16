"""What resource types of ECS have in common: their tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.cloudformation.resources.api_type import ApiType, removed_tags, tags

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Request


class EcsType(ApiType):
    """A resource type of ECS."""

    service = "ecs"

    def arn(self, request: Request) -> str:
        """Return the resource's ARN."""
        return request.id

    async def put_tags(self, request: Request) -> None:
        arn = self.arn(request)
        if removed := removed_tags(request):
            await self.call(request, "UntagResource", resourceArn=arn, tagKeys=removed)
        if found := tags(request):
            listed = [{"key": key, "value": value} for key, value in found.items()]
            await self.call(request, "TagResource", resourceArn=arn, tags=listed)
