"""`AWS::CloudFormation::Stack`: a stack that is a resource of another one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.cloudformation.calls import ResourceError
from samjhadoo_emulator.cloudformation.language.functions import as_text
from samjhadoo_emulator.cloudformation.model import STACK, Options, StackStatus
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource, ResourceType
from samjhadoo_emulator.cloudformation.updates import changes_anything
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.definitions import Definitions
    from samjhadoo_emulator.cloudformation.engine import StackEngine
    from samjhadoo_emulator.cloudformation.evaluation import Contexts
    from samjhadoo_emulator.cloudformation.events import StackEvents
    from samjhadoo_emulator.cloudformation.model import Definition, Stack
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request
    from samjhadoo_emulator.cloudformation.stacks import Stacks

LONGEST_NAME = 128


class NestedStack(ResourceType):
    """A full stack of its own, with its parent's id and that of the tree's root.

    It is updated, and rolled back, with its parent: what an update makes superfluous in it is deleted only
    when the whole tree has been updated.
    """

    name: ClassVar[str] = STACK

    def __init__(
        self,
        stacks: Stacks,
        definitions: Definitions,
        contexts: Contexts,
        events: StackEvents,
        engine: StackEngine,
    ) -> None:
        self._stacks = stacks
        self._definitions = definitions
        self._contexts = contexts
        self._events = events
        self._engine = engine

    async def create(self, request: Request) -> Resource:
        parent = self._stacks.find(request.stack_id)
        child = self._stacks.new(
            request.generated_name(longest=LONGEST_NAME), StackStatus.CREATE_IN_PROGRESS, parent=parent
        )
        definition = await self._definition(request, parent, child)
        self._stacks.register(child)
        minutes = int(request.properties.get("TimeoutInMinutes") or 0)
        token = parent.operation.options.token
        options = Options(disable_rollback=True, token=token, timeout=minutes)
        self._engine.create(child, definition, options)
        request.created(Resource(child.id))
        await self._settled(child)
        if child.status is not StackStatus.CREATE_COMPLETE:
            raise ResourceError(f"Embedded stack {child.id} was not successfully created: {child.reason}")
        return _resource(child)

    async def update(self, request: Request) -> Resource:
        parent, child = self._stacks.find(request.stack_id), self._stacks.find(request.id)
        if parent.status is StackStatus.UPDATE_ROLLBACK_IN_PROGRESS:
            return await self._restored(child)
        definition = await self._definition(request, parent, child)
        context = await self._contexts.of(definition, name=child.name, stack_id=child.id, resources=None)
        if child.is_busy:
            raise ResourceError(f"Stack:{child.id} is in {child.status} state and can not be updated.")
        if not changes_anything(child, definition, context):
            return _resource(child)
        options = parent.operation.options
        begun = self._engine.begin_update(child, definition, options)
        reason = await self._engine.bring_up(child, begun)
        if reason:
            status = (
                StackStatus.UPDATE_FAILED
                if options.disable_rollback
                else StackStatus.UPDATE_ROLLBACK_IN_PROGRESS
            )
            self._events.stack(child, status, reason)
            raise ResourceError(
                f"Embedded stack {child.id} was not successfully updated. "
                f"Currently in {status} with reason: {reason}"
            )
        self._events.stack(child, StackStatus.UPDATE_COMPLETE_CLEANUP_IN_PROGRESS)
        return _resource(child)

    async def delete(self, request: Request) -> None:
        child = self._stacks.get(request.id)
        if child is None or child.is_deleted:
            return
        parent = self._stacks.find(request.stack_id)
        self._engine.delete(child, Options(token=parent.operation.options.token))
        await self._engine.settled(child)
        if not child.is_deleted:
            raise ResourceError(f"Embedded stack {child.id} was not successfully deleted: {child.reason}")

    async def read(self, request: Request) -> Properties | None:
        child = self._stacks.get(request.id)
        if child is None or child.is_deleted or child.definition is None:
            return None
        return {**request.properties, "Parameters": child.definition.texts}

    async def _restored(self, child: Stack) -> Resource:
        """Return a nested stack to what it was before the update of its tree."""
        if child.checkpoint is None:
            return _resource(child)
        if child.status is not StackStatus.UPDATE_ROLLBACK_IN_PROGRESS:
            self._events.stack(child, StackStatus.UPDATE_ROLLBACK_IN_PROGRESS)
        reason = await self._engine.return_to_checkpoint(child)
        if reason:
            self._events.stack(child, StackStatus.UPDATE_ROLLBACK_FAILED, reason)
            raise ResourceError(
                f"Embedded stack {child.id} was not successfully updated. "
                f"Currently in {child.status} with reason: {reason}"
            )
        self._events.stack(child, StackStatus.UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS)
        return _resource(child)

    async def _settled(self, child: Stack) -> None:
        """Wait until a nested stack is created; if that is cancelled, it is cancelled too."""
        try:
            await self._engine.settled(child)
        except asyncio.CancelledError:
            self._engine.cancel(child, "Resource creation cancelled")
            await self._engine.settled(child)
            raise

    async def _definition(self, request: Request, parent: Stack, child: Stack) -> Definition:
        """Return what a nested stack is to be.

        Raises:
            AwsError: Its template or its parameters are wrong.
        """
        properties, definition = request.properties, parent.definition
        given = properties.get("Parameters") or {}
        own = {each["Key"]: each["Value"] for each in properties.get("Tags") or ()}
        params: dict[str, Any] = {
            "TemplateURL": properties.get("TemplateURL"),
            "Parameters": [
                {"ParameterKey": name, "ParameterValue": _text(value)} for name, value in given.items()
            ],
            "Capabilities": definition.capabilities if definition else (),
            "NotificationARNs": properties.get("NotificationARNs") or (),
            "RoleARN": definition.role_arn if definition else "",
            "Tags": [{"Key": key, "Value": value} for key, value in {**request.tags, **own}.items()],
        }
        try:
            return await self._definitions.prepare(params, name=child.name, stack_id=child.id)
        except AwsError as error:
            raise ResourceError(error.message) from None


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else as_text(value) or ""


def _resource(child: Stack) -> Resource:
    return Resource(child.id, {f"Outputs.{output.key}": output.value for output in child.outputs})
