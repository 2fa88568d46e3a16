"""What EC2's types share: tags are given by kind at the creation, and by operations of their own later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.cloudformation.resources.api_type import (
    ApiType,
    removed_tags,
    tag_list,
    tags,
)

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request


class Ec2Type(ApiType):
    """A resource type of EC2.

    Attributes:
        tagged_as: EC2's name of the kind in tag specifications; empty if it has no tags.
        describing: The operation that describes such resources, and the list in its answer.
        id_parameter: The parameter with the resource's id in operations about it.
    """

    service = "ec2"
    tagged_as: ClassVar[str] = ""
    describing: ClassVar[tuple[str, str]]
    id_parameter: ClassVar[str]

    def identity(self, request: Request) -> dict[str, Any]:
        return {self.id_parameter: request.id}

    def given(self, request: Request) -> dict[str, Any]:
        params = super().given(request)
        if self.tagged_as and (found := tags(request)):
            specification = {"ResourceType": self.tagged_as, "Tags": tag_list(found)}
            params["TagSpecifications"] = [specification]
        return params

    async def put_tags(self, request: Request) -> None:
        if not self.tagged_as:
            return
        named = {"Resources": [self.tagged_id(request)]}
        if removed := removed_tags(request):
            await self.call(request, "DeleteTags", **named, Tags=[{"Key": key} for key in removed])
        if found := tags(request):
            await self.call(request, "CreateTags", **named, Tags=tag_list(found))

    def tagged_id(self, request: Request) -> str:
        """Return the id by which EC2 tags the resource."""
        return request.id

    async def described(self, request: Request) -> Properties | None:
        """Return what EC2 says of the resource; None if it knows none."""
        operation, member = self.describing
        answer = await self.call(request, operation, **{f"{self.id_parameter}s": [request.id]})
        return next(iter(answer[member]), None)

    async def describe(self, request: Request) -> Properties | None:
        return await self.described(request)
