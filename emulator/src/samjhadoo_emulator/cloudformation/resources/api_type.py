"""A resource type whose resources are each one thing of an AWS API, declared by its operations.

One operation creates the thing and takes most properties. What that operation does not take, and what
can change later, has calls of its own: methods that are marked with `puts`, or the one operation that
modifies the thing. From these the type knows which properties it acts on; the others it names.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator import validation, wire
from samjhadoo_emulator.cloudformation.language import schemas
from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource, ResourceType
from samjhadoo_emulator.errors import AwsError, not_implemented
from samjhadoo_emulator.registry import LIVE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

    Put = Callable[[Any, Request], Awaitable[None]]

_GONE = re.compile(r"NotFound|NoSuch|Non[Ee]xistent|DoesNotExist|NotAttached|\A404\Z")
_MARK = "_puts"


def puts(*names: str) -> Callable[[Put], Put]:
    """Mark a method that gives the resource the values of some properties.

    It is called after the creation if the resource has any of them that the creation does not take, and
    by an update that changes any of them; a property that is no longer there has its default again.
    """

    def mark(method: Put) -> Put:
        setattr(method, _MARK, frozenset(names))
        return method

    return mark


class ApiType(ResourceType):
    """A resource type that is one thing of an API.

    Attributes:
        service: botocore's name of the service.
        creation: The operation that creates the resource.
        modification: The operation that changes it, with the parameters of `identity`; empty if only
            `puts` methods do.
        deletion: The operation that deletes it, with the parameters of `identity`.
        made_with: Properties that `make` acts on besides those that the creating operation takes by itself.
        renamed: The API's names of properties that have others in CloudFormation.
        unsupported: Properties of the schema that cannot be acted on: a template that has one is refused.
        instructions: Properties that say how later calls are made; there is nothing at AWS to change them in.
        fixed: Properties that AWS changes in place and the emulator cannot: such an update is refused.
        defaults: What properties have again that an update no longer names, if it is not what they had.
    """

    service: ClassVar[str]
    creation: ClassVar[str]
    modification: ClassVar[str] = ""
    deletion: ClassVar[str]
    made_with: ClassVar[frozenset[str]] = frozenset()
    renamed: ClassVar[Mapping[str, str]] = {}
    instructions: ClassVar[frozenset[str]] = frozenset()
    fixed: ClassVar[frozenset[str]] = frozenset()
    defaults: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def identity(self, request: Request) -> dict[str, Any]:
        """Return the parameters that name the existing resource."""

    @abstractmethod
    async def make(self, request: Request) -> Resource:
        """Call the operation that creates the resource."""

    @abstractmethod
    async def describe(self, request: Request) -> Properties | None:
        """Return the properties as AWS has them; None, or an error of what is not found, if it is gone."""

    async def settle(self, request: Request) -> Resource:
        """Wait, if need be, until the created or changed resource can be used; return it."""
        return Resource(request.id, request.attributes)

    async def create(self, request: Request) -> Resource:
        """Create the resource, then put what the operation does not take."""
        self.check(request.properties)
        resource = await self.make(request)
        request.id, request.attributes = resource.id, resource.attributes
        request.created(resource)
        left = request.properties.keys() - self.created_with()
        for names, put in self.all_puts():
            if names & left:
                await put(self, request)
        return await self.settle(request)

    async def update(self, request: Request) -> Resource:
        """Put what changes, and the tags."""
        self.check(request.properties)
        changed = {
            name for name in request.properties.keys() | request.previous.keys() if request.changed(name)
        }
        if refused := changed & self.fixed:
            raise not_implemented(f"The emulator cannot change {_listed(refused)} of {self.name} in place.")
        for names, put in self.all_puts():
            if names & changed:
                await put(self, request)
        if params := self.modified(request, changed - self.put_separately()):
            await self.call(request, self.modification, **self.identity(request), **params)
        if self.tags_changed(request):
            await self.put_tags(request)
        return await self.settle(request)

    async def delete(self, request: Request) -> None:
        """Delete the resource, unless it is gone."""
        try:
            await self.remove(request)
        except AwsError as error:
            if not is_gone(error):
                raise

    async def read(self, request: Request) -> Properties | None:
        """Return the properties that AWS has."""
        try:
            return await self.describe(request)
        except AwsError as error:
            if is_gone(error):
                return None
            raise

    async def remove(self, request: Request) -> None:
        """Call the operation that deletes the resource."""
        await self.call(request, self.deletion, **self.identity(request))

    async def put_tags(self, request: Request) -> None:
        """Give the existing resource its tags, and take those that it shall not have any more."""

    def modified(self, request: Request, changed: set[str]) -> dict[str, Any]:
        """Return the parameters of the operation that modifies the resource for changed properties."""
        if not self.modification:
            return {}
        wanted = {**self.defaults, **request.properties}
        values = {name: wanted[name] for name in changed - {"Tags"} if name in wanted}
        return shapes.parameters(self.service, self.modification, values, renamed=self.renamed)

    def given(self, request: Request) -> dict[str, Any]:
        """Return the parameters of the creating operation: properties, and tags if it takes them."""
        own = {name: value for name, value in request.properties.items() if name != "Tags"}
        params = shapes.parameters(self.service, self.creation, own, renamed=self.renamed)
        parameter = shapes.taken(self.service, self.creation).get("Tags")
        if parameter and self.taggable() and (found := tags(request)):
            params[parameter] = self.tag_parameter(found)
        return params

    def tag_parameter(self, values: dict[str, str]) -> Any:
        """Return tags in the form that the service has them."""
        shape = wire.operation_model(self.service, self.creation).input_shape
        member = shapes.taken(self.service, self.creation)["Tags"]
        return shapes.fit(tag_list(values), shape.members[member], "Tags")

    async def call(self, request: Request, operation: str, /, **params: Any) -> dict[str, Any]:
        """Call an operation of the service.

        Raises:
            AwsError: The parameters do not fit the operation's model, or AWS refused.
        """
        if self.service in LIVE:  # for other services, botocore's clients check
            validation.check(wire.operation_model(self.service, operation), params)
        return await request.aws.call(self.service, operation, **params)

    async def call_if_there(
        self, request: Request, operation: str, /, **params: Any
    ) -> dict[str, Any] | None:
        """Call an operation; return None if what it is about is gone."""
        try:
            return await self.call(request, operation, **params)
        except AwsError as error:
            if is_gone(error):
                return None
            raise

    def tags_changed(self, request: Request) -> bool:
        """Return whether the resource's own tags or the stack's change."""
        return tags(request) != previous_tags(request)

    @classmethod
    def taggable(cls) -> bool:
        """Return whether CloudFormation tags such resources, whatever the API could."""
        schema = schemas.schema(cls.name)
        return schema is not None and "Tags" in schema.document["properties"]

    @classmethod
    @cache
    def all_puts(cls) -> tuple[tuple[frozenset[str], Put], ...]:
        """Return the methods that put properties, with the names of these, in the order of the source."""
        methods = {
            name: method
            for each in reversed(cls.__mro__)
            for name, method in vars(each).items()
            if hasattr(method, _MARK)
        }
        return tuple((getattr(method, _MARK), method) for method in methods.values())

    @classmethod
    @cache
    def put_separately(cls) -> frozenset[str]:
        """Return the properties that methods put."""
        return frozenset().union(*(names for names, _ in cls.all_puts()))

    @classmethod
    @cache
    def created_with(cls) -> frozenset[str]:
        """Return the properties that the creation takes."""
        return (shapes.takes(cls.service, cls.creation, cls.renamed) | cls.made_with) - cls.unsupported

    @classmethod
    def changeable(cls) -> frozenset[str]:
        """Return the properties that an update in place changes."""
        modified = (
            shapes.takes(cls.service, cls.modification, cls.renamed) if cls.modification else frozenset()
        )
        return cls.put_separately() | modified | cls.instructions


def is_gone(error: AwsError) -> bool:
    """Return whether an error says that something is not there."""
    return bool(_GONE.search(error.code))


def tags(request: Request) -> dict[str, str]:
    """Return the tags that a resource shall have: the stack's and its own, which win."""
    return request.tags | _own_tags(request.properties)


def previous_tags(request: Request) -> dict[str, str]:
    """Return the tags that a resource has before an update."""
    return request.previous_tags | _own_tags(request.previous)


def removed_tags(request: Request) -> list[str]:
    """Return the keys of tags that an update removes."""
    return sorted(previous_tags(request).keys() - tags(request).keys())


def tag_list(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as most APIs list them."""
    return [{"Key": key, "Value": value} for key, value in values.items()]


def in_order(found: list[Any], wanted: list[Any]) -> list[Any]:
    """Return what was found in the template's order, then what the template does not have."""
    return [each for each in wanted if each in found] + [each for each in found if each not in wanted]


def _own_tags(properties: Properties) -> dict[str, str]:
    """Return the tags in properties: a list of keys and values, or in a few types an object."""
    own = properties.get("Tags") or []
    return dict(own) if isinstance(own, dict) else {each["Key"]: str(each["Value"]) for each in own}


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
