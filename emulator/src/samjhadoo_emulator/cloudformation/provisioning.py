"""Creates, updates, replaces and deletes single resources of a stack, and records what happens to them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.calls import ResourceApi, ResourceError, handler_message
from samjhadoo_emulator.cloudformation.changes.property_changes import ABSENT
from samjhadoo_emulator.cloudformation.language import dynamic_references, schemas
from samjhadoo_emulator.cloudformation.model import ResourceStatus
from samjhadoo_emulator.cloudformation.resources.resource_type import Request
from samjhadoo_emulator.cloudformation.stacks import random_suffix
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from samjhadoo_emulator.clock import Clock
    from samjhadoo_emulator.cloudformation.events import StackEvents
    from samjhadoo_emulator.cloudformation.model import Stack, StackResource
    from samjhadoo_emulator.cloudformation.resources.resource_type import (
        Properties,
        Resource,
        ResourceType,
    )
    from samjhadoo_emulator.cloudformation.scheduling import Cancellation
    from samjhadoo_emulator.service import AwsApi

log = logging.getLogger(__name__)

INITIATED: Final = "Resource creation Initiated"
REPLACEMENT: Final = "Requested update requires the creation of a new physical resource; hence creating one."
CREATION_CANCELLED: Final = "Resource creation cancelled"
UPDATE_CANCELLED: Final = "Resource update cancelled"


@dataclass(frozen=True)
class Provider:
    """What resources are made with.

    Attributes:
        aws: The AWS API of the region.
        types: Returns a resource type by its name; None if it cannot be made.
    """

    aws: AwsApi
    clock: Clock
    region: str
    account: str
    partition: str
    types: Callable[[str], ResourceType | None]

    def type_of(self, record: StackResource) -> ResourceType:
        """Return the type of a resource.

        Raises:
            AwsError: The emulator has no such type.
        """
        kind = self.types(record.type)
        if kind is None:
            raise ResourceError(f"The emulator cannot create resources of type {record.type}.")
        return kind

    async def request(
        self, stack: Stack, record: StackResource, cancellation: Cancellation, **further: Any
    ) -> Request:
        """Return a request for an operation on a resource.

        Raises:
            AwsError: A dynamic reference cannot be resolved.
        """
        api = ResourceApi(self.aws, self.clock, cancellation)
        return Request(
            aws=api,
            clock=self.clock,
            region=self.region,
            account=self.account,
            stack_name=stack.name,
            stack_id=stack.id,
            logical_id=record.logical_id,
            properties=await prepared(record, api),
            tags=dict(record.tags),
            id=record.resource.id if record.resource else "",
            attributes=dict(record.resource.attributes) if record.resource else {},
            partition=self.partition,
            **further,
        )


async def prepared(record: StackResource, aws: AwsApi) -> Properties:
    """Return a resource's properties as its type gets them: of the schema's types, references resolved."""
    found: Properties = await dynamic_references.resolve(record.properties, aws)
    return schemas.coerce(record.type, found)


class Provisioner:
    """Works on the resources of a stack, one at a time or many side by side.

    Every method returns whether it succeeded; what happened is in the stack's events.
    """

    def __init__(
        self, provider: Provider, events: StackEvents, stack: Stack, cancellation: Cancellation
    ) -> None:
        self._provider = provider
        self._events = events
        self._stack = stack
        self._cancellation = cancellation

    async def create(self, record: StackResource) -> bool:
        """Create a resource."""
        self._stack.resources[record.logical_id] = record
        self._note(record, ResourceStatus.CREATE_IN_PROGRESS)
        return await self._attempt(
            record,
            self._make(record, ResourceStatus.CREATE_IN_PROGRESS),
            (ResourceStatus.CREATE_COMPLETE, ResourceStatus.CREATE_FAILED, CREATION_CANCELLED),
        )

    async def replace(self, old: StackResource, record: StackResource) -> bool:
        """Create a resource in the place of another one, which stays until the cleanup."""
        self._stack.resources[record.logical_id] = record
        record.id = old.id
        self._note(record, ResourceStatus.UPDATE_IN_PROGRESS, REPLACEMENT)
        return await self._attempt(
            record,
            self._make(record, ResourceStatus.UPDATE_IN_PROGRESS),
            (ResourceStatus.UPDATE_COMPLETE, ResourceStatus.UPDATE_FAILED, CREATION_CANCELLED),
        )

    async def update(self, old: StackResource, record: StackResource) -> bool:
        """Change a resource in place."""
        self._stack.resources[record.logical_id] = record
        record.resource, record.id = old.resource, old.id
        self._note(record, ResourceStatus.UPDATE_IN_PROGRESS)
        if await self._attempt(
            record,
            self._change(old, record),
            (ResourceStatus.UPDATE_COMPLETE, ResourceStatus.UPDATE_FAILED, UPDATE_CANCELLED),
        ):
            return True
        record.properties, record.attempted = old.properties, (*old.attempted, record.properties)
        return False

    async def delete(self, record: StackResource, policy: str) -> bool:
        """Delete a resource, unless the policy is to retain it."""
        if policy == "Retain":
            record.resource = None
            self._note(record, ResourceStatus.DELETE_SKIPPED)
            return True
        self._note(record, ResourceStatus.DELETE_IN_PROGRESS)
        return await self._attempt(
            record,
            self._remove(record, snapshot=policy == "Snapshot"),
            (ResourceStatus.DELETE_COMPLETE, ResourceStatus.DELETE_FAILED, ""),
        )

    def refuse(self, record: StackResource, status: ResourceStatus, reason: str) -> bool:
        """Record that a resource cannot be what its template wants."""
        self._stack.resources[record.logical_id] = record
        self._note(record, status, reason)
        return False

    async def _attempt(
        self,
        record: StackResource,
        work: Awaitable[None],
        outcomes: tuple[ResourceStatus, ResourceStatus, str],
    ) -> bool:
        """Do work on a resource and record its outcome: done, failed, or cancelled with a reason."""
        done, failed, cancelled = outcomes
        try:
            await work
        except asyncio.CancelledError:
            if not self._cancellation:
                raise
            reason = cancelled
        except AwsError as error:
            reason = handler_message(error)
        except Exception:
            log.exception("%s of %s failed", record.logical_id, self._stack.id)
            reason = "Internal Failure"
        else:
            self._note(record, done)
            return True
        self._note(record, failed, reason)
        return False

    async def _make(self, record: StackResource, status: ResourceStatus) -> None:
        kind = self._provider.type_of(record)

        def created(resource: Resource) -> None:
            first = record.resource is None
            record.resource, record.id = resource, resource.id
            if first:
                self._note(record, status, INITIATED)

        request = await self._request(record, suffix=random_suffix(), created=created)
        _check(record, request.properties)
        created(await kind.create(request))

    async def _change(self, old: StackResource, record: StackResource) -> None:
        kind = self._provider.type_of(record)
        request = await self._request(record, previous_tags=dict(old.tags), suffix=random_suffix())
        had = [
            await self._request(replace(old, properties=properties), unresolved=True)
            for properties in (old.properties, *old.attempted)
        ]
        request.previous = differing([each.properties for each in had], request.properties)
        _check(record, request.properties)
        record.resource = await kind.update(request)
        record.id = record.resource.id

    async def _remove(self, record: StackResource, *, snapshot: bool) -> None:
        request = await self._request(record, unresolved=True, snapshot=snapshot, suffix=random_suffix())
        await self._provider.type_of(record).delete(request)
        record.resource = None

    async def _request(self, record: StackResource, *, unresolved: bool = False, **further: Any) -> Request:
        try:
            return await self._provider.request(self._stack, record, self._cancellation, **further)
        except AwsError:
            if not unresolved:
                raise
            plain = replace(record, properties=dict(_without_references(record.properties)))
            return await self._provider.request(self._stack, plain, self._cancellation, **further)

    def _note(self, record: StackResource, status: ResourceStatus, reason: str = "") -> None:
        self._events.resource(self._stack, record, status, reason)


def differing(had: list[Properties], wanted: Properties) -> Properties:
    """Return properties that differ from the wanted ones wherever any of those that a resource may have does.

    Args:
        had: The resource's properties, and those of updates that failed half-way.
    """
    found = {}
    for name in dict.fromkeys(name for each in had for name in each):
        values = [each.get(name, ABSENT) for each in had]
        found[name] = next((value for value in values if value != wanted.get(name, ABSENT)), values[0])
    return {name: value for name, value in found.items() if value is not ABSENT}


def _without_references(properties: Properties) -> Iterator[tuple[str, Any]]:
    """Yield the properties without dynamic references: what they refer to may be gone at a deletion."""
    for name, value in properties.items():
        if not any(dynamic_references.found_in(value)):
            yield name, value


def _check(record: StackResource, properties: Properties) -> None:
    try:
        schemas.check(record.type, properties, record.logical_id)
    except AwsError as error:
        raise ResourceError(error.message) from None
