"""What IAM's types share: things are named by one parameter, and tagged by operations named after them."""

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


class IamType(ApiType):
    """A resource type of IAM.

    Attributes:
        thing: What IAM calls such a thing in the names of operations: `Role` in `TagRole`.
        id_parameter: The parameter with the resource's id in operations about it.
        tagged: Whether it has tags.
    """

    service = "iam"
    thing: ClassVar[str]
    id_parameter: ClassVar[str]
    tagged: ClassVar[bool] = True

    def identity(self, request: Request) -> dict[str, Any]:
        return {self.id_parameter: request.id}

    async def put_tags(self, request: Request) -> None:
        if not self.tagged:
            return
        named = self.identity(request)
        if removed := removed_tags(request):
            await self.call(request, f"Untag{self.thing}", **named, TagKeys=removed)
        if found := tags(request):
            await self.call(request, f"Tag{self.thing}", **named, Tags=tag_list(found))


def wanted_and_before(request: Request, name: str) -> tuple[list[Any], list[Any]]:
    """Return a list property as it shall be and as it was."""
    return request.properties.get(name) or [], request.previous.get(name) or []


def changes(request: Request, name: str) -> tuple[list[Any], list[Any]]:
    """Return what an update adds to a list property, and what it takes from it."""
    wanted, before = wanted_and_before(request, name)
    return [each for each in wanted if each not in before], [each for each in before if each not in wanted]


def inline(properties: Properties) -> dict[str, Any]:
    """Return the inline policies among a principal's properties, by name."""
    return {each["PolicyName"]: each["PolicyDocument"] for each in properties.get("Policies") or ()}
