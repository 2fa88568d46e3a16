"""Writes what happens to stacks into their events, their statuses, and to their topics."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.model import (
    STACK,
    OperationType,
    Options,
    ResourceStatus,
    Stack,
    StackEvent,
    StackOperation,
    StackResource,
    StackStatus,
)
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Mapping

    from samjhadoo_emulator.clock import Clock
    from samjhadoo_emulator.service import AwsApi

log = logging.getLogger(__name__)


class StackEvents:
    """Records the events of stacks.

    Args:
        clock: The emulated clock.
        aws: The AWS API of the stacks' region, for the topics that get the events.
        spawn: Runs work in the background.
    """

    def __init__(
        self, clock: Clock, aws: AwsApi, spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]
    ) -> None:
        self._clock = clock
        self._aws = aws
        self._spawn = spawn

    def begin(self, stack: Stack, kind: OperationType, options: Options) -> StackOperation:
        """Begin an operation on a stack: the events from now on are its own."""
        operation = StackOperation(kind, str(uuid.uuid4()), self._clock.now(), options)
        stack.operations.append(operation)
        return operation

    def end(self, stack: Stack, *, succeeded: bool) -> None:
        """Note how the stack's current operation has ended."""
        stack.operation.ended = self._clock.now()
        stack.operation.status = "SUCCEEDED" if succeeded else "FAILED"

    def stack(self, stack: Stack, status: StackStatus, reason: str = "") -> None:
        """Set a stack's status."""
        stack.status, stack.reason = status, reason
        self._add(
            stack, logical_id=stack.name, physical_id=stack.id, type=STACK, status=status, reason=reason
        )

    def resource(self, stack: Stack, record: StackResource, status: ResourceStatus, reason: str = "") -> None:
        """Set a resource's status."""
        record.status, record.reason, record.updated = status, reason, self._clock.now()
        self._add(
            stack,
            logical_id=record.logical_id,
            physical_id=record.id,
            type=record.type,
            status=status,
            reason=reason,
            properties=record.shown,
        )

    def validation(self, stack: Stack, details: Mapping[str, str], *, logical_id: str = "") -> None:
        """Record what early validation has found; only DescribeEvents answers it."""
        self._add(
            stack,
            logical_id=logical_id,
            physical_id="",
            type="",
            status="",
            event_type="VALIDATION_ERROR",
            details=details,
        )

    def _add(self, stack: Stack, **members: Any) -> None:
        operation, identity = stack.operation, str(uuid.uuid4())
        named = f"{members['logical_id']}-{members['status']}-{identity}"
        event = StackEvent(
            id=identity if members["logical_id"] == stack.name else named,
            stack_id=stack.id,
            stack_name=stack.name,
            operation_id=operation.id,
            operation_type=operation.type,
            timestamp=self._clock.now(),
            token=operation.options.token,
            **members,
        )
        stack.events.append(event)
        topics = stack.definition.notification_arns if stack.definition else ()
        if topics and event.event_type == "STACK_EVENT":
            self._spawn(self._notify(topics, event), f"cloudformation-notify-{stack.name}")

    async def _notify(self, topics: tuple[str, ...], event: StackEvent) -> None:
        for topic in topics:
            try:
                await self._aws.call(
                    "sns",
                    "Publish",
                    TopicArn=topic,
                    Subject="AWS CloudFormation Notification",
                    Message=_message(event),
                )
            except AwsError as error:
                log.warning("no notification to %s: %s", topic, error)


def _message(event: StackEvent) -> str:
    """Return an event as topics get it: a line for each member."""
    account = event.stack_id.split(":")[4]
    members = {
        "StackId": event.stack_id,
        "Timestamp": event.timestamp.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        "EventId": event.id,
        "LogicalResourceId": event.logical_id,
        "Namespace": account,
        "PhysicalResourceId": event.physical_id,
        "ResourceProperties": event.properties or "null",
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason,
        "ResourceType": event.type,
        "StackName": event.stack_name,
        "ClientRequestToken": event.token or "null",
    }
    return "".join(f"{name}='{value}'\n" for name, value in members.items())
