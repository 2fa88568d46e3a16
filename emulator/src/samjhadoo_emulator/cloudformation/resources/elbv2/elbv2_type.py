"""What resource types of Elastic Load Balancing v2 have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.cloudformation.resources.api_type import (
    ApiType,
    removed_tags,
    tag_list,
    tags,
)
from samjhadoo_emulator.cloudformation.resources.conflicts import already_exists
from samjhadoo_emulator.errors import not_implemented

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

LONGEST_NAME = 32


class Elbv2Type(ApiType):
    """A resource type whose `Ref` is an ARN, which the parameter `arn_parameter` takes.

    Attributes:
        served: The values that the emulator serves of properties that have others at AWS.
        attributes_property: The property that lists attributes, which `Modify…` and `Describe…` are about.
    """

    service = "elbv2"
    arn_parameter: ClassVar[str]
    served: ClassVar[Mapping[str, frozenset[str]]] = {}
    attributes_property: ClassVar[str] = ""

    def identity(self, request: Request) -> dict[str, Any]:
        return {self.arn_parameter: request.id}

    def check(self, properties: Properties) -> None:
        """Refuse values that the emulator does not serve, besides properties."""
        super().check(properties)
        for name, values in self.served.items():
            value = properties.get(name)
            if isinstance(value, str) and value not in values:
                raise not_implemented(f"The emulator does not support {name} {value} of {self.name}.")

    async def check_name(self, request: Request, operation: str) -> None:
        """Refuse a name that is taken: the creation would answer what has it, if its settings are the same.

        Args:
            operation: Describes the resources of some names.
        """
        name = request.properties.get("Name")
        if name and await self.call_if_there(request, operation, Names=[name]):
            raise already_exists(self.name, name)

    async def put_attributes(self, request: Request) -> None:
        """Set the attributes that the template names; one that it no longer names stays as it is."""
        wanted = request.properties.get(self.attributes_property) or []
        attributes = [{"Key": each["Key"], "Value": str(each["Value"])} for each in wanted]
        if attributes:
            operation = f"Modify{self.attributes_property}"
            await self.call(request, operation, **self.identity(request), Attributes=attributes)

    async def attributes_of(self, request: Request) -> Properties:
        """Return those attributes that the template names, as a property."""
        named = {each["Key"] for each in request.properties.get(self.attributes_property) or ()}
        if not named:
            return {}
        operation = f"Describe{self.attributes_property}"
        answer = await self.call(request, operation, **self.identity(request))
        return {self.attributes_property: [each for each in answer["Attributes"] if each["Key"] in named]}

    async def put_tags(self, request: Request) -> None:
        if removed := removed_tags(request):
            await self.call(request, "RemoveTags", ResourceArns=[request.id], TagKeys=removed)
        if found := tags(request):
            await self.call(request, "AddTags", ResourceArns=[request.id], Tags=tag_list(found))
