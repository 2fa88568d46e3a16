"""Resources that are CloudFormation's own: they exist in their stack only, not in any service.

`AWS::CloudFormation::Stack`, which needs the engine, is in `nested`.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, ClassVar, Final

from samjhadoo_emulator.cloudformation.resources.resource_type import Resource, ResourceType
from samjhadoo_emulator.errors import not_implemented

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request


class _InStack(ResourceType):
    """A resource that is nothing but an entry of its stack; CloudFormation does not detect its drift."""

    async def create(self, request: Request) -> Resource:  # noqa: ARG002 - nothing depends on it
        return Resource(str(uuid.uuid4()))

    async def update(self, request: Request) -> Resource:
        return Resource(request.id, request.attributes)

    async def delete(self, request: Request) -> None:
        """Delete nothing: the resource is gone with its entry."""

    async def read(self, request: Request) -> Properties | None:  # noqa: ARG002 - there is nothing to read
        raise not_implemented(f"{self.name} does not support drift detection.")


class CdkMetadata(_InStack):
    """What CDK notes about the constructs of a stack."""

    name: ClassVar[str] = "AWS::CDK::Metadata"


class WaitConditionHandle(_InStack):
    """An address for signals that nothing waits for: templates use it as a resource that does nothing."""

    name: ClassVar[str] = "AWS::CloudFormation::WaitConditionHandle"

    async def create(self, request: Request) -> Resource:
        return Resource(
            f"https://cloudformation-waitcondition-{request.region}.s3.{request.region}.amazonaws.com/"
            f"{request.stack_id}/{request.logical_id}/{uuid.uuid4()}"
        )


TYPES: Final[tuple[ResourceType, ...]] = (CdkMetadata(), WaitConditionHandle())
