"""Change sets: what would be done to a stack, kept until somebody executes it or it is obsolete."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.model import OperationType
from samjhadoo_emulator.errors import AwsError, validation_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from samjhadoo_emulator.cloudformation.changes.differences import Difference
    from samjhadoo_emulator.cloudformation.model import Definition, Stack, StackOperation
    from samjhadoo_emulator.cloudformation.stacks import Stacks

NO_CHANGES: Final = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)


class ChangeSetStatus(StrEnum):
    """DescribeChangeSet's Status, without those of deletions, which are done at once."""

    CREATE_IN_PROGRESS = "CREATE_IN_PROGRESS"
    CREATE_COMPLETE = "CREATE_COMPLETE"
    FAILED = "FAILED"


class ExecutionStatus(StrEnum):
    """DescribeChangeSet's ExecutionStatus."""

    UNAVAILABLE = "UNAVAILABLE"
    AVAILABLE = "AVAILABLE"
    EXECUTE_IN_PROGRESS = "EXECUTE_IN_PROGRESS"
    EXECUTE_COMPLETE = "EXECUTE_COMPLETE"
    EXECUTE_FAILED = "EXECUTE_FAILED"
    OBSOLETE = "OBSOLETE"


@dataclass(eq=False)
class ChangeSet:
    """What would be done to a stack.

    Attributes:
        id: Its ARN.
        definition: What the stack is to be.
        request: The parameters of CreateChangeSet.
        operation: Its creation, whose events DescribeEvents answers.
        executed: How far its execution is, once it has begun.
        by_value: The differences with values, and `by_name` without (see `differences`).
        nested: The change sets of nested stacks, by their logical id.
    """

    id: str
    name: str
    stack: Stack
    created: datetime
    definition: Definition
    request: dict[str, Any]
    operation: StackOperation
    status: ChangeSetStatus = ChangeSetStatus.CREATE_IN_PROGRESS
    reason: str = ""
    executed: ExecutionStatus | None = None
    by_value: tuple[Difference, ...] = ()
    by_name: tuple[Difference, ...] = ()
    nested: dict[str, ChangeSet] = field(default_factory=dict)
    parent_id: str = ""
    root_id: str = ""

    def __post_init__(self) -> None:
        self._stack_changes = _changes_of(self.stack)

    @property
    def execution(self) -> ExecutionStatus:
        """Whether it can be, is, or was executed; it cannot once anything else has changed the stack."""
        if self.executed is not None:
            return self.executed
        if _changes_of(self.stack) != self._stack_changes:
            return ExecutionStatus.OBSOLETE
        available = self.status is ChangeSetStatus.CREATE_COMPLETE
        return ExecutionStatus.AVAILABLE if available else ExecutionStatus.UNAVAILABLE

    @property
    def include_nested(self) -> bool:
        return bool(self.request.get("IncludeNestedStacks"))

    @property
    def is_open(self) -> bool:
        """Whether it can still be executed, or be replaced by one of the same name."""
        return self.execution in (ExecutionStatus.UNAVAILABLE, ExecutionStatus.AVAILABLE)

    def fail(self, reason: str) -> None:
        """End its creation: it cannot be executed."""
        self.status, self.reason = ChangeSetStatus.FAILED, reason

    def complete(self) -> None:
        """End its creation: it can be executed."""
        self.status = ChangeSetStatus.CREATE_COMPLETE

    def secrets(self) -> list[str]:
        """Return the values of parameters with NoEcho, which no answer shows."""
        definitions = [self.definition, *filter(None, [self.stack.definition])]
        return [
            parameter.text
            for definition in definitions
            for parameter in definition.parameters.values()
            if parameter.no_echo
        ]


class ChangeSets:
    """The change sets of a region.

    Args:
        prefix: What their ARNs begin with.
        stacks: The stacks of the region.
    """

    def __init__(self, prefix: str, stacks: Stacks) -> None:
        self._prefix = prefix
        self._stacks = stacks
        self._by_id: dict[str, ChangeSet] = {}

    def new_id(self, name: str) -> str:
        """Return an ARN for a change set of this name."""
        return f"{self._prefix}changeSet/{name}/{uuid.uuid4()}"

    def add(self, change_set: ChangeSet) -> None:
        """Keep a change set."""
        self._by_id[change_set.id] = change_set

    def remove(self, change_set: ChangeSet) -> None:
        """Forget a change set and those of its nested stacks."""
        self._by_id.pop(change_set.id, None)
        for nested in change_set.nested.values():
            self.remove(nested)

    def of(self, stack: Stack) -> list[ChangeSet]:
        """Return a stack's change sets, the oldest first."""
        return [each for each in self._by_id.values() if each.stack is stack]

    def named(self, stack: Stack, name: str) -> ChangeSet | None:
        """Return a stack's newest change set of this name or ARN."""
        return next((each for each in reversed(self.of(stack)) if name in (each.name, each.id)), None)

    def find(self, params: dict[str, Any]) -> ChangeSet:
        """Return the change set that a request names.

        Raises:
            AwsError: There is none, or the request does not say of which stack.
        """
        name, stack_name = params["ChangeSetName"], params.get("StackName")
        if name.startswith("arn:"):
            found = self._by_id.get(name)
        elif not stack_name:
            raise validation_error("StackName must be specified if ChangeSetName is not specified as an ARN.")
        else:
            found = self.named(self._stacks.find(stack_name), name)
        if found is None:
            raise not_found(name)
        return found


def not_found(name: str) -> AwsError:
    """Return the refusal of a change set that is not there."""
    return AwsError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", status=404)


def check_executable(change_set: ChangeSet) -> None:
    """Refuse to execute a change set that is not available.

    Raises:
        AwsError: It is not.
    """
    if change_set.status is not ChangeSetStatus.CREATE_COMPLETE:
        raise _invalid(change_set, f"cannot be executed in its current status of [{change_set.status}]")
    if change_set.execution is not ExecutionStatus.AVAILABLE:
        raise _invalid(
            change_set, f"cannot be executed in its current execution status of [{change_set.execution}]"
        )


def check_deletable(change_set: ChangeSet) -> None:
    """Refuse to delete a change set that is being executed.

    Raises:
        AwsError: It is.
    """
    if change_set.execution is ExecutionStatus.EXECUTE_IN_PROGRESS:
        raise _invalid(
            change_set, f"cannot be deleted in its current execution status of [{change_set.execution}]"
        )


def check_same(existing: ChangeSet, request: dict[str, Any]) -> None:
    """Refuse another change set under the name of one that is there; the same request is answered again.

    Raises:
        AwsError: The requests differ.
    """
    compared = {
        "Template": ("TemplateBody", "TemplateURL", "UsePreviousTemplate"),
        "Parameters": ("Parameters",),
        "Capabilities": ("Capabilities",),
        "Tags": ("Tags",),
        "ClientToken": ("ClientToken",),
    }
    for attribute, members in compared.items():
        if any(existing.request.get(member) != request.get(member) for member in members):
            raise AwsError(
                "AlreadyExistsException",
                f"ChangeSet {existing.name} cannot be created due to a mismatch with existing attribute "
                f"{attribute}",
            )


def _changes_of(stack: Stack) -> int:
    """Return how many operations have changed a stack so far."""
    return sum(each.type is not OperationType.CREATE_CHANGESET for each in stack.operations)


def _invalid(change_set: ChangeSet, words: str) -> AwsError:
    return AwsError("InvalidChangeSetStatus", f"ChangeSet [{change_set.id}] {words}")


def with_nested(change_set: ChangeSet) -> Iterator[ChangeSet]:
    """Yield a change set and those of its nested stacks, at any depth."""
    yield change_set
    for each in change_set.nested.values():
        yield from with_nested(each)
