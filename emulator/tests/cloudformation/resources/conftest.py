"""Resource types that make their resources in a live emulator, by the AWS API only."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError

from samjhadoo_emulator.cloudformation.resources.resource_type import Request, Resource, ResourceType
from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.testing.emulator import LocalAws

if TYPE_CHECKING:
    from collections.abc import Callable

_numbers = itertools.count(1)


@dataclass
class EdgeApi:
    """The AWS API of a region by way of an emulator's edge.

    Attributes:
        calls: The operations that were called.
    """

    emulator: LocalAws
    calls: list[str] = field(default_factory=list)

    async def call(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        self.calls.append(operation)
        method = getattr(self.emulator.client(service), xform_name(operation))
        try:
            answer: dict[str, Any] = await asyncio.to_thread(method, **params)
        except ClientError as error:
            details = error.response["Error"]
            raise AwsError(details["Code"], details["Message"]) from error
        return answer


class Desk:
    """Creates, updates, reads and deletes resources as a stack does."""

    def __init__(self, emulator: LocalAws) -> None:
        self.emulator = emulator
        self.aws = EdgeApi(emulator)
        self.tags: dict[str, str] = {"Environment": "test"}

    def client(self, service: str) -> Any:
        return self.emulator.client(service)

    def in_region(self, region: str) -> Desk:
        return Desk(LocalAws(self.emulator.url, region, key=self.emulator.key))

    def request(self, properties: dict[str, Any]) -> Request:
        number = next(_numbers)
        return Request(
            aws=self.aws,
            clock=self.emulator.clock,
            region=self.emulator.region,
            account="000000000000",
            stack_name="samjhadoo-test",
            stack_id="arn:aws:cloudformation:ap-south-1:000000000000:stack/samjhadoo-test/1",
            logical_id=f"Resource{number}",
            properties=properties,
            tags=dict(self.tags),
            suffix=f"A{number:011}",
        )

    def create(self, kind: ResourceType, **properties: Any) -> Made:
        """Create a resource of a type; the calls that it takes are in `made.calls`."""
        request = self.request(properties)
        before = len(self.aws.calls)
        resource = asyncio.run(kind.create(request))
        existing = replace(request, id=resource.id, attributes=resource.attributes)
        return Made(self, kind, existing, self.aws.calls[before:])


@dataclass
class Made:
    """A resource that exists."""

    desk: Desk
    kind: ResourceType
    request: Request
    calls: list[str]

    @property
    def id(self) -> str:
        return self.request.id

    @property
    def attributes(self) -> dict[str, Any]:
        return self.request.attributes

    def update(self, **changes: Any) -> Resource:
        """Update the resource; a property that is None is no longer in the template."""
        properties = {**self.request.properties, **changes}
        wanted = {name: value for name, value in properties.items() if value is not None}
        request = replace(
            self.request,
            properties=wanted,
            previous=self.request.properties,
            previous_tags=self.request.tags,
            tags=dict(self.desk.tags),
        )
        before = len(self.desk.aws.calls)
        resource = asyncio.run(self.kind.update(request))
        self.calls = self.desk.aws.calls[before:]
        self.request = replace(request, id=resource.id, attributes=resource.attributes, previous={})
        return resource

    def read(self) -> Any:
        return asyncio.run(self.kind.read(self.request))

    def shows(self) -> dict[str, Any]:
        """Return what AWS says of the properties that the template names."""
        found = self.read()
        return {name: found.get(name) for name in self.request.properties}

    def drifted(self) -> dict[str, Any]:
        """Return the properties that AWS returns and that are not as the template wants them."""
        found = self.read()
        return {
            name: found[name]
            for name, value in self.request.properties.items()
            if name in found and name != "Tags" and found[name] != value
        }

    def delete(self) -> None:
        asyncio.run(self.kind.delete(self.request))


@pytest.fixture(scope="module")
def desk(noop_emulator: Any) -> Desk:
    return Desk(noop_emulator)


@pytest.fixture(scope="session")
def of_service() -> Callable[[str], dict[str, ResourceType]]:
    """Return the types of a module of resource types, by what follows the service in their names."""
    import importlib

    def find(service: str) -> dict[str, ResourceType]:
        module = importlib.import_module(f"samjhadoo_emulator.cloudformation.resources.{service}")
        return {kind.name.rpartition("::")[2]: kind for kind in module.TYPES}

    return find
