"""Which operations a stack's status allows. No I/O; error texts are AWS's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from samjhadoo_emulator.cloudformation.model import StackStatus
from samjhadoo_emulator.errors import validation_error

if TYPE_CHECKING:
    from collections.abc import Collection

    from samjhadoo_emulator.cloudformation.model import Options, Stack

_UPDATABLE: Final = frozenset(
    {
        StackStatus.CREATE_COMPLETE,
        StackStatus.UPDATE_COMPLETE,
        StackStatus.UPDATE_FAILED,
        StackStatus.UPDATE_ROLLBACK_COMPLETE,
    }
)
_NOT_DELETABLE: Final = frozenset(
    {
        StackStatus.UPDATE_IN_PROGRESS,
        StackStatus.UPDATE_COMPLETE_CLEANUP_IN_PROGRESS,
        StackStatus.UPDATE_ROLLBACK_IN_PROGRESS,
        StackStatus.UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS,
    }
)
_LEFT_AS_THEY_ARE: Final = frozenset({StackStatus.CREATE_FAILED, StackStatus.UPDATE_FAILED})


def check_update(stack: Stack, options: Options) -> None:
    """Check that a stack can be updated.

    A stack whose creation was left as it is has nothing to roll back to: only an update that is left as it
    is, too, completes it.

    Raises:
        AwsError: It is not in a status that allows it.
    """
    completing = stack.status is StackStatus.CREATE_FAILED and options.disable_rollback
    if stack.status not in _UPDATABLE and not completing:
        raise validation_error(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")


def check_deletion(stack: Stack, root: Stack, retained: Collection[str], *, force: bool) -> None:
    """Check that a stack can be deleted.

    Args:
        root: The stack at the top of the tree, whose termination protection is the tree's.
        retained: The resources to retain.
        force: Whether what cannot be deleted is retained.

    Raises:
        AwsError: It cannot, or not in this way.
    """
    if root.termination_protection:
        raise validation_error(
            f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
        )
    if stack.status in _NOT_DELETABLE:
        raise validation_error(f"Stack [{stack.name}] cannot be deleted while in status {stack.status}")
    if force and stack.status is not StackStatus.DELETE_FAILED:
        raise validation_error(
            f"Invalid operation on stack [{stack.id}]. FORCE_DELETE_STACK is only supported for stacks in "
            "the DELETE_FAILED state"
        )
    if retained and stack.status is not StackStatus.DELETE_FAILED:
        raise validation_error(
            f"Invalid operation on stack [{stack.id}]. When you delete a stack, specify which resources to "
            "retain only when the stack is in the DELETE_FAILED state."
        )
    unknown = [name for name in retained if name not in stack.resources]
    if unknown:
        raise validation_error(f"The specified resources to retain do not exist: [{', '.join(unknown)}]")


def check_cancellation(stack: Stack) -> None:
    """Check that the update of a stack can be cancelled.

    Raises:
        AwsError: None is in progress.
    """
    if stack.status is not StackStatus.UPDATE_IN_PROGRESS:
        raise validation_error("CancelUpdateStack cannot be called from current stack status")


def check_continuation(stack: Stack, skipped: Collection[str]) -> None:
    """Check that the rollback of an update can be continued.

    Raises:
        AwsError: It has not failed, or not because of the resources that are to be skipped.
    """
    if stack.status is not StackStatus.UPDATE_ROLLBACK_FAILED:
        raise validation_error(
            f"Stack:{stack.id} is in {stack.status} state and can not continue to update rollback."
        )
    failed = {
        name
        for name, record in stack.resources.items()
        if record.status.value == StackStatus.UPDATE_FAILED.value
    }
    wrong = [name for name in skipped if name not in failed]
    if wrong:
        raise validation_error(
            f"Resources [{', '.join(wrong)}] cannot be skipped: only those in the UPDATE_FAILED state can."
        )


def check_rollback(stack: Stack) -> None:
    """Check that a stack can be rolled back by RollbackStack.

    Raises:
        AwsError: No operation has failed on it, or it was rolled back.
    """
    if stack.status not in _LEFT_AS_THEY_ARE:
        raise validation_error(f"Stack:{stack.id} is in {stack.status} state and can not be rolled back.")
