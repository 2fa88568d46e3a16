"""What CloudFormation keeps: stacks with their resources, outputs, events and operations. No I/O.

A stack's `definition` is what it is to be; `resources` are the records of what it has. While it is updated,
`checkpoint` holds what a rollback returns to, and `obsolete` the physical resources that the cleanup deletes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from samjhadoo_emulator.cloudformation.language.parameters import Parameter
    from samjhadoo_emulator.cloudformation.language.template import Template, TemplateResource
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Resource

STACK: Final = "AWS::CloudFormation::Stack"
NOT_CHECKED: Final = "NOT_CHECKED"


class StackStatus(StrEnum):
    """DescribeStacks's StackStatus, without those of imports."""

    REVIEW_IN_PROGRESS = "REVIEW_IN_PROGRESS"
    CREATE_IN_PROGRESS = "CREATE_IN_PROGRESS"
    CREATE_FAILED = "CREATE_FAILED"
    CREATE_COMPLETE = "CREATE_COMPLETE"
    ROLLBACK_IN_PROGRESS = "ROLLBACK_IN_PROGRESS"
    ROLLBACK_FAILED = "ROLLBACK_FAILED"
    ROLLBACK_COMPLETE = "ROLLBACK_COMPLETE"
    DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"
    DELETE_FAILED = "DELETE_FAILED"
    DELETE_COMPLETE = "DELETE_COMPLETE"
    UPDATE_IN_PROGRESS = "UPDATE_IN_PROGRESS"
    UPDATE_COMPLETE_CLEANUP_IN_PROGRESS = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    UPDATE_COMPLETE = "UPDATE_COMPLETE"
    UPDATE_FAILED = "UPDATE_FAILED"
    UPDATE_ROLLBACK_IN_PROGRESS = "UPDATE_ROLLBACK_IN_PROGRESS"
    UPDATE_ROLLBACK_FAILED = "UPDATE_ROLLBACK_FAILED"
    UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
    UPDATE_ROLLBACK_COMPLETE = "UPDATE_ROLLBACK_COMPLETE"


class ResourceStatus(StrEnum):
    """DescribeStackResources's ResourceStatus, without those of imports."""

    CREATE_IN_PROGRESS = "CREATE_IN_PROGRESS"
    CREATE_FAILED = "CREATE_FAILED"
    CREATE_COMPLETE = "CREATE_COMPLETE"
    DELETE_IN_PROGRESS = "DELETE_IN_PROGRESS"
    DELETE_FAILED = "DELETE_FAILED"
    DELETE_COMPLETE = "DELETE_COMPLETE"
    DELETE_SKIPPED = "DELETE_SKIPPED"
    UPDATE_IN_PROGRESS = "UPDATE_IN_PROGRESS"
    UPDATE_FAILED = "UPDATE_FAILED"
    UPDATE_COMPLETE = "UPDATE_COMPLETE"


class OperationType(StrEnum):
    """DescribeEvents's OperationType."""

    CREATE_STACK = "CREATE_STACK"
    UPDATE_STACK = "UPDATE_STACK"
    DELETE_STACK = "DELETE_STACK"
    CONTINUE_ROLLBACK = "CONTINUE_ROLLBACK"
    ROLLBACK = "ROLLBACK"
    CREATE_CHANGESET = "CREATE_CHANGESET"


class OnFailure(StrEnum):
    """What happens to a stack whose creation fails."""

    ROLLBACK = "ROLLBACK"
    DO_NOTHING = "DO_NOTHING"
    DELETE = "DELETE"


@dataclass(frozen=True)
class Definition:
    """What a stack is to be: a template, and all that its values depend on.

    Attributes:
        template: As processed by its transforms; `template.text` is the processed text.
        original: The text as it was given.
        parameters: By name.
        conditions: Each condition's value.
        needs: What each resource that is made needs, in an order in which they can be made.
        tags: The stack's tags, which its resources get.
        capabilities: What the caller acknowledged.
        notification_arns: The topics that get the events.
        role_arn: The role for the stack's operations; kept and answered.
    """

    template: Template
    original: str
    parameters: Mapping[str, Parameter]
    conditions: Mapping[str, bool]
    needs: Mapping[str, set[str]]
    tags: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    notification_arns: tuple[str, ...] = ()
    role_arn: str = ""

    @property
    def values(self) -> dict[str, Any]:
        """The parameters' values, by name."""
        return {name: parameter.value for name, parameter in self.parameters.items()}

    @property
    def texts(self) -> dict[str, str]:
        """The parameters' texts as they were given, by name."""
        return {name: parameter.text for name, parameter in self.parameters.items()}


@dataclass
class StackResource:
    """A resource of a stack. A new record takes its place when the resource is updated or replaced.

    Attributes:
        logical_id: Its name in the template.
        entry: Its entry in the template that made it.
        properties: Evaluated; dynamic references are still text.
        attempted: Properties of updates that failed since: the resource may have some of them.
        shown: The properties as events show them, where parameters with NoEcho are `****`.
        resource: Physical id and attributes; None before it exists, and after it was deleted.
        id: The physical id, which is shown after a deletion, too.
        needs: The logical ids that have to be there before it, and be deleted after it.
        tags: The stack's tags that it has got.
        drift_status: What the last drift detection found.
        drift_checked: When that was.
    """

    logical_id: str
    entry: TemplateResource
    properties: Properties = field(default_factory=dict)
    attempted: tuple[Properties, ...] = ()
    shown: str = ""
    resource: Resource | None = None
    id: str = ""
    needs: frozenset[str] = frozenset()
    tags: Mapping[str, str] = field(default_factory=dict)
    status: ResourceStatus = ResourceStatus.CREATE_IN_PROGRESS
    reason: str = ""
    updated: datetime | None = None
    drift_status: str = NOT_CHECKED
    drift_checked: datetime | None = None

    @property
    def type(self) -> str:
        return self.entry.type


@dataclass(frozen=True)
class Obsolete:
    """A physical resource that is no longer the stack's, and the policy by which it leaves it."""

    record: StackResource
    policy: str


@dataclass(frozen=True)
class StackEvent:
    """An event of a stack or of one of its resources.

    Attributes:
        details: Further members of DescribeEvents's answer (ValidationName, ValidationPath …).
        operation_type: Of the event's operation.
        event_type: `STACK_EVENT`, or an event that only DescribeEvents answers: `VALIDATION_ERROR`.
    """

    id: str
    stack_id: str
    stack_name: str
    operation_id: str
    operation_type: OperationType
    logical_id: str
    physical_id: str
    type: str
    timestamp: datetime
    status: str
    reason: str = ""
    properties: str = ""
    token: str = ""
    event_type: str = "STACK_EVENT"
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StackOutput:
    """An output of a stack."""

    key: str
    value: str
    description: str = ""
    export_name: str = ""


@dataclass(frozen=True)
class Options:
    """How an operation is performed.

    Attributes:
        disable_rollback: Leave a failed operation as it is.
        on_failure: What happens when a creation fails.
        retain_except_on_create: Delete what this operation created when it is rolled back, whatever the
            deletion policies are.
        token: The ClientRequestToken.
        change_set_id: The change set that is executed.
        timeout: Emulated minutes that a creation may take; 0 without a limit.
    """

    disable_rollback: bool = False
    on_failure: OnFailure = OnFailure.ROLLBACK
    retain_except_on_create: bool = False
    token: str = ""
    change_set_id: str = ""
    timeout: int = 0


@dataclass
class StackOperation:
    """One operation on a stack.

    Attributes:
        status: `IN_PROGRESS`, `SUCCEEDED` or `FAILED`.
    """

    type: OperationType
    id: str
    started: datetime
    options: Options = field(default_factory=Options)
    ended: datetime | None = None
    status: str = "IN_PROGRESS"


@dataclass(frozen=True)
class Checkpoint:
    """What a rollback returns to: a stack as the last successful operation has left it."""

    definition: Definition
    resources: Mapping[str, StackResource]
    outputs: tuple[StackOutput, ...] = ()
    imports: frozenset[str] = frozenset()


@dataclass
class Stack:
    """A stack, also a deleted one.

    Attributes:
        id: Its ARN.
        definition: What it is, or while an operation runs, what it is to be; None in REVIEW_IN_PROGRESS.
        resources: The records by logical id.
        checkpoint: What a rollback returns to; None unless an update has begun and has not succeeded.
        obsolete: Physical resources that are no longer the stack's, for the cleanup.
        imports: The names of the exports that it uses.
        events: The oldest first.
        operations: The newest last.
        change_set_id: The change set that was executed last.
        tokens: The client request tokens that were used.
    """

    id: str
    name: str
    created: datetime
    status: StackStatus
    reason: str = ""
    definition: Definition | None = None
    updated: datetime | None = None
    deleted: datetime | None = None
    resources: dict[str, StackResource] = field(default_factory=dict)
    outputs: tuple[StackOutput, ...] = ()
    imports: frozenset[str] = frozenset()
    checkpoint: Checkpoint | None = None
    obsolete: list[Obsolete] = field(default_factory=list)
    events: list[StackEvent] = field(default_factory=list)
    operations: list[StackOperation] = field(default_factory=list)
    options: Options = field(default_factory=Options)
    termination_protection: bool = False
    parent_id: str = ""
    root_id: str = ""
    change_set_id: str = ""
    policy: str = ""
    tokens: dict[str, OperationType] = field(default_factory=dict)
    drift_status: str = NOT_CHECKED
    drift_checked: datetime | None = None

    @property
    def operation(self) -> StackOperation:
        """The current operation, or the last one."""
        return self.operations[-1]

    @property
    def is_deleted(self) -> bool:
        return self.status is StackStatus.DELETE_COMPLETE

    @property
    def is_busy(self) -> bool:
        """Whether an operation is in progress."""
        return self.status.endswith("_IN_PROGRESS") and self.status is not StackStatus.REVIEW_IN_PROGRESS

    @property
    def existing(self) -> dict[str, StackResource]:
        """The records of the resources that exist, by logical id."""
        return {name: record for name, record in self.resources.items() if record.resource is not None}
