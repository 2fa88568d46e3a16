"""What a resource type is: how its resources are created, updated, deleted and read through AWS's APIs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.errors import not_implemented

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_emulator.clock import Clock
    from samjhadoo_emulator.service import AwsApi

Properties = dict[str, Any]
NAME_SUFFIX = 12
"""Random characters at the end of a generated name."""


@dataclass(frozen=True)
class Resource:
    """A resource that exists.

    Attributes:
        id: The physical id, which `Ref` returns.
        attributes: What `Fn::GetAtt` returns, by the attribute's full name (`Endpoint.Address`).
    """

    id: str
    attributes: Properties = field(default_factory=dict)


@dataclass
class Request:
    """One operation on one resource.

    Attributes:
        aws: The AWS API of the stack's region; `internal.in_region` returns that of another one.
        partition: The ARNs' partition, `aws`.
        stack_name: The name of the stack.
        stack_id: Its ARN.
        logical_id: The resource's name in the template.
        properties: The wanted properties, evaluated and checked against the type's schema, with its types.
            For a deletion, those that the resource has.
        previous: Before an update: the properties that the resource has.
        tags: The stack's tags, by key: the resource gets them beside those in its properties.
        previous_tags: Before an update: the stack's tags that the resource has.
        id: The physical id; empty before creation.
        attributes: The attributes so far.
        snapshot: Whether a deletion leaves a snapshot of the resource's data (`DeletionPolicy: Snapshot`).
        suffix: Random characters for generated names.
        created: Call it as soon as the resource exists at AWS, before waiting for its state: the resource is
            then deleted when its creation fails or is cancelled. `create` may just return instead.
    """

    aws: AwsApi
    clock: Clock
    region: str
    account: str
    stack_name: str
    stack_id: str
    logical_id: str
    properties: Properties
    previous: Properties = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    previous_tags: dict[str, str] = field(default_factory=dict)
    id: str = ""
    attributes: Properties = field(default_factory=dict)
    snapshot: bool = False
    suffix: str = ""
    partition: str = "aws"
    created: Callable[[Resource], None] = lambda _resource: None

    def generated_name(self, *, longest: int = 255, lower: bool = False) -> str:
        """Return the name that CloudFormation gives a resource without one: STACK-LOGICALID-RANDOM.

        Args:
            longest: The most characters; the stack's name and the logical id are cut to fit.
            lower: Whether letters must be lower case, as in S3 and RDS.
        """
        room = longest - NAME_SUFFIX - 2
        logical = self.logical_id[: max(room // 2, room - len(self.stack_name))]
        name = f"{self.stack_name[: room - len(logical)]}-{logical}-{self.suffix}"
        return name.lower() if lower else name

    def changed(self, *names: str) -> bool:
        """Return whether an update changes one of these properties."""
        return any(self.properties.get(name) != self.previous.get(name) for name in names)


class ResourceType(ABC):
    """A type of resource. Every operation goes through `request.aws`; an `AwsError` is a failure's reason.

    Which properties are valid, required, read-only, or need a replacement when they change, is in the type's
    schema (`schemas`); the engine checks that before it calls a type. One instance serves all requests, so
    it keeps no state.

    Attributes:
        name: The type's name, for example `AWS::EC2::VPC`.
        unsupported: Properties of the schema that the emulator cannot act on.
    """

    name: ClassVar[str]
    unsupported: ClassVar[frozenset[str]] = frozenset()

    def check(self, properties: Properties) -> None:
        """Refuse properties that the emulator cannot act on; the engine asks before anything is made.

        Args:
            properties: As far as they are evaluated.

        Raises:
            AwsError: The properties' names are in the text.
        """
        if refused := sorted(self.unsupported & properties.keys()):
            raise not_implemented(f"The emulator does not support {', '.join(refused)} of {self.name}.")

    @abstractmethod
    async def create(self, request: Request) -> Resource:
        """Create the resource and wait until it can be used.

        Raises:
            AwsError: AWS refused, or the resource failed to become usable.
        """

    @abstractmethod
    async def update(self, request: Request) -> Resource:
        """Change the resource in place; never called if a create-only property changes.

        Raises:
            AwsError: AWS refused, or the resource failed to become usable again.
        """

    @abstractmethod
    async def delete(self, request: Request) -> None:
        """Delete the resource; one that is gone already counts as deleted.

        Raises:
            AwsError: AWS refused.
        """

    @abstractmethod
    async def read(self, request: Request) -> Properties | None:
        """Return the properties that the resource has now, in the template's form; None if it is gone.

        Only properties that AWS returns are in the result; one that AWS would return and that is gone is
        None. Drift is found in those that the template names.
        """
