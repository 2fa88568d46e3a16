"""Resource types with one operation that creates a resource and replaces all that it is configured with."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.api_type import ApiType
from samjhadoo_emulator.cloudformation.resources.conflicts import already_exists

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Request, Resource


class PutType(ApiType):
    """A resource type whose `creation` is repeated, with every property, to change a resource."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "creation" in vars(cls):
            cls.modification = cls.creation

    @abstractmethod
    def named(self, request: Request) -> str:
        """Return the id that the resource gets by its properties; empty if its name is generated."""

    async def create(self, request: Request) -> Resource:
        """Create the resource, unless there is one: putting it would overwrite that."""
        self.check(request.properties)
        identifier = self.named(request)
        if identifier and await self.read(replace(request, id=identifier)) is not None:
            raise already_exists(self.name, identifier)
        return await super().create(request)

    async def update(self, request: Request) -> Resource:
        """Put all properties again, and the tags."""
        self.check(request.properties)
        await self.call(request, self.creation, **self.replaced(request))
        for names, put in self.all_puts():
            if request.changed(*names):
                await put(self, request)
        if self.tags_changed(request):
            await self.put_tags(request)
        return await self.settle(request)

    def replaced(self, request: Request) -> dict[str, Any]:
        """Return the parameters for an existing resource: AWS ignores tags then, or refuses them."""
        params = self.given(request)
        params.pop(shapes.taken(self.service, self.creation).get("Tags", ""), None)
        return {**params, **self.identity(request)}
