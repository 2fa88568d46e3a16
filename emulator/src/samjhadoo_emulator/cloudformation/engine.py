"""Runs operations on stacks: each is a task that ends in one of CloudFormation's final statuses.

The entry points (`create`, `update`, `delete`, `roll_back`, `continue_rollback`, `cancel`) begin an operation
and return at once; `settled` waits for its end. Whether the stack's status allows an operation is checked
before, by `states`. Change sets are executed by `create` and `update` with a definition that was prepared
earlier. A nested stack's parent runs its steps itself: an update of the whole tree is cleaned up, or rolled
back, together.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.changes import early_validation
from samjhadoo_emulator.cloudformation.deployment import StackDeployment, evaluate_outputs
from samjhadoo_emulator.cloudformation.model import (
    STACK,
    Checkpoint,
    OnFailure,
    OperationType,
    Options,
    ResourceStatus,
    StackStatus,
)
from samjhadoo_emulator.cloudformation.provisioning import Provisioner
from samjhadoo_emulator.cloudformation.removal import everything_of, for_deletion, for_rollback, remove
from samjhadoo_emulator.cloudformation.rollback import Rollback
from samjhadoo_emulator.cloudformation.scheduling import Cancellation
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence

    from samjhadoo_emulator.cloudformation.changes.differences import Difference
    from samjhadoo_emulator.cloudformation.changes.early_validation import EarlyValidation
    from samjhadoo_emulator.cloudformation.evaluation import Contexts
    from samjhadoo_emulator.cloudformation.events import StackEvents
    from samjhadoo_emulator.cloudformation.exports import Exports
    from samjhadoo_emulator.cloudformation.model import (
        Definition,
        Obsolete,
        Stack,
        StackOperation,
        StackResource,
    )
    from samjhadoo_emulator.cloudformation.provisioning import Provider
    from samjhadoo_emulator.cloudformation.stacks import Stacks

log = logging.getLogger(__name__)

USER: Final = "User Initiated"
BY_USER: Final = "Rollback requested by user."
CLEANUP_ATTEMPTS: Final = 3
"""How often a cleanup tries to delete a resource before it leaves it behind."""
SHORTEST_MINUTE: Final = 1.0
"""Real seconds that a minute of a creation's timeout has at least: calls run no faster on a fast clock."""
TIMED_OUT: Final = "Stack creation time exceeded the specified timeout."


class StackEngine:
    """Runs operations on the stacks of a region.

    Args:
        spawn: Runs work in the background.
    """

    def __init__(
        self,
        *,
        stacks: Stacks,
        provider: Provider,
        contexts: Contexts,
        exports: Exports,
        events: StackEvents,
        validation: EarlyValidation,
        spawn: Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]],
    ) -> None:
        self._stacks = stacks
        self._provider = provider
        self._contexts = contexts
        self._exports = exports
        self._events = events
        self._validation = validation
        self._spawn = spawn
        self._running: dict[str, asyncio.Task[None]] = {}
        self._cancellations: dict[str, Cancellation] = {}  # by operation id

    # Entry points.

    def create(
        self, stack: Stack, definition: Definition, options: Options, changes: Sequence[Difference] = ()
    ) -> StackOperation:
        """Begin to create a stack, which is new or in REVIEW_IN_PROGRESS.

        Args:
            changes: What the early validation looks at: if it finds mistakes, nothing is made.
        """
        operation = self._begin(stack, OperationType.CREATE_STACK, options)
        stack.definition, stack.options = definition, options
        self._events.stack(stack, StackStatus.CREATE_IN_PROGRESS, USER)
        self._run(stack, self._create(stack, operation, changes))
        return operation

    def update(
        self, stack: Stack, definition: Definition, options: Options, changes: Sequence[Difference] = ()
    ) -> StackOperation:
        """Begin to update a stack; see `create`."""
        operation = self.begin_update(stack, definition, options)
        self._run(stack, self._update(stack, operation, changes))
        return operation

    def delete(
        self, stack: Stack, options: Options, *, retained: Collection[str] = (), force: bool = False
    ) -> StackOperation:
        """Begin to delete a stack; what is under way on it is cancelled.

        Args:
            retained: Logical ids of resources that are not deleted.
            force: Retain what cannot be deleted.
        """
        before, reason = stack.status, stack.reason
        running = self._running.get(stack.id)
        self.cancel(stack, "Stack deletion requested")
        operation = self._begin(stack, OperationType.DELETE_STACK, options)
        self._events.stack(stack, StackStatus.DELETE_IN_PROGRESS, USER)
        work = self._delete(stack, (before, reason), retained, force=force)
        self._run(stack, _after(running, work))
        return operation

    def roll_back(self, stack: Stack, options: Options) -> StackOperation:
        """Begin to roll back an operation that failed and was left as it is."""
        operation = self._begin(stack, OperationType.ROLLBACK, options)
        if stack.checkpoint is None:
            self._events.stack(stack, StackStatus.ROLLBACK_IN_PROGRESS, USER)
            self._run(stack, self._roll_back_creation(stack))
        else:
            self._events.stack(stack, StackStatus.UPDATE_ROLLBACK_IN_PROGRESS, USER)
            self._run(stack, self._roll_back_update(stack))
        return operation

    def continue_rollback(self, stack: Stack, options: Options, skip: Collection[str] = ()) -> StackOperation:
        """Begin to try the rollback of an update again.

        Args:
            skip: Logical ids of resources that are left as they are.
        """
        operation = self._begin(stack, OperationType.CONTINUE_ROLLBACK, options)
        self._events.stack(stack, StackStatus.UPDATE_ROLLBACK_IN_PROGRESS, USER)
        self._run(stack, self._roll_back_update(stack, skip))
        return operation

    def cancel(self, stack: Stack, reason: str) -> None:
        """Cancel what is under way on a stack; its operation goes on as after a failure."""
        cancellation = self._cancellations.get(stack.operation.id) if stack.operations else None
        if cancellation is not None:
            cancellation.cancel(reason)

    async def settled(self, stack: Stack) -> None:
        """Wait for the end of what is under way on a stack."""
        while (task := self._running.get(stack.id)) is not None:
            await asyncio.wait([task])

    # Steps, also of nested stacks.

    def begin_update(self, stack: Stack, definition: Definition, options: Options) -> StackOperation:
        """Begin an operation that updates a stack, without running it."""
        assert stack.definition is not None  # noqa: S101 - only stacks that were created are updated
        operation = self._begin(stack, OperationType.UPDATE_STACK, options)
        if stack.checkpoint is None:
            stack.checkpoint = Checkpoint(
                stack.definition, dict(stack.resources), stack.outputs, stack.imports
            )
        stack.definition, stack.options = definition, options
        stack.updated = operation.started
        self._events.stack(stack, StackStatus.UPDATE_IN_PROGRESS, USER)
        return operation

    async def bring_up(self, stack: Stack, operation: StackOperation) -> str:
        """Bring a stack's resources and outputs to its definition; return why that failed, or nothing.

        From then on, the operation cannot be cancelled any more.
        """
        try:
            return await self._bring_up(stack, operation, self._cancellations[operation.id])
        finally:
            del self._cancellations[operation.id]

    async def _bring_up(self, stack: Stack, operation: StackOperation, cancellation: Cancellation) -> str:
        definition = stack.definition
        assert definition is not None  # noqa: S101 - its operation has begun
        known: dict[str, Any] = {}
        before: Mapping[str, StackResource] = stack.checkpoint.resources if stack.checkpoint else {}
        provisioner = Provisioner(self._provider, self._events, stack, cancellation)
        try:
            context = await self._contexts.of(definition, name=stack.name, stack_id=stack.id, resources=known)
            imports = self._contexts.imports(definition, context)
            for name in sorted(imports - context.exports.keys()):
                return f"No export named {name} found."
            deployment = StackDeployment(
                stack, definition, provisioner, context=context, known=known, before=before
            )
            stop = not operation.options.disable_rollback
            if not await deployment.run(cancellation, stop_at_failure=stop):
                return failure_of(stack) or cancellation.reason
            outputs = evaluate_outputs(definition.template, context)
            self._exports.check(stack, outputs)
        except AwsError as error:
            return error.message
        stack.outputs, stack.imports = outputs, imports
        return ""

    async def clean_up(self, stack: Stack) -> None:
        """Delete what an update has made superfluous."""
        assert stack.definition is not None  # noqa: S101 - it has been updated
        self._enter(stack, StackStatus.UPDATE_COMPLETE_CLEANUP_IN_PROGRESS)
        needed = stack.definition.needs
        removed = [record for name, record in stack.existing.items() if name not in needed]
        stack.obsolete += for_deletion(removed)
        for child in self._updated_children(stack):
            await self.clean_up(child)
        failed = await self._remove_superfluous(stack)
        stack.resources = {name: record for name, record in stack.resources.items() if name in needed}
        stack.obsolete, stack.checkpoint = [], None
        self._finish(stack, StackStatus.UPDATE_COMPLETE, _left_behind(failed), succeeded=True)

    async def return_to_checkpoint(self, stack: Stack, skip: Collection[str] = ()) -> str:
        """Return a stack's resources to what they were; return why that failed, or nothing."""
        checkpoint = stack.checkpoint
        assert checkpoint is not None  # noqa: S101 - an update has begun
        cancellation = Cancellation()
        provisioner = Provisioner(self._provider, self._events, stack, cancellation)
        rollback = Rollback(
            stack,
            checkpoint,
            provisioner,
            self._events,
            skip=skip,
            retain_except_on_create=stack.options.retain_except_on_create,
        )
        if not await rollback.run(cancellation):
            return failure_of(stack)
        stack.definition = checkpoint.definition
        stack.outputs, stack.imports = checkpoint.outputs, checkpoint.imports
        return ""

    async def clean_up_rollback(self, stack: Stack) -> None:
        """Delete what a rolled back update has made."""
        assert stack.checkpoint is not None  # noqa: S101 - an update has begun
        self._enter(stack, StackStatus.UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS)
        before = stack.checkpoint.resources
        for child in self._updated_children(stack):
            await self.clean_up_rollback(child)
        failed = await self._remove_superfluous(stack)
        stack.resources = {name: record for name, record in stack.resources.items() if name in before}
        stack.obsolete, stack.checkpoint = [], None
        self._finish(stack, StackStatus.UPDATE_ROLLBACK_COMPLETE, _left_behind(failed), succeeded=False)

    # Operations.

    async def _create(self, stack: Stack, operation: StackOperation, changes: Sequence[Difference]) -> None:
        options = operation.options
        timer = self._set_timer(stack, options.timeout)
        reason = await self._refused(stack, changes) or await self.bring_up(stack, operation)
        if timer is not None:
            timer.cancel()
        if stack.operation is not operation:  # a deletion has begun
            return
        if not reason:
            self._finish(stack, StackStatus.CREATE_COMPLETE, succeeded=True)
        elif options.disable_rollback or options.on_failure is OnFailure.DO_NOTHING:
            self._finish(stack, StackStatus.CREATE_FAILED, reason, succeeded=False)
        elif options.on_failure is OnFailure.DELETE:
            self._events.stack(
                stack, StackStatus.DELETE_IN_PROGRESS, f"{reason.rstrip()} Delete requested by user."
            )
            await self._remove_all(stack, self._created(stack))
        else:
            self._events.stack(stack, StackStatus.ROLLBACK_IN_PROGRESS, f"{reason.rstrip()} {BY_USER}")
            await self._roll_back_creation(stack)

    async def _roll_back_creation(self, stack: Stack) -> None:
        operation = stack.operation
        failed = await self._remove(stack, self._created(stack))
        if stack.operation is not operation:  # a deletion has begun
            return
        stack.outputs, stack.imports = (), frozenset()
        if failed:
            self._finish(stack, StackStatus.ROLLBACK_FAILED, _not_deleted(failed), succeeded=False)
        else:
            self._finish(stack, StackStatus.ROLLBACK_COMPLETE, succeeded=False)

    async def _update(self, stack: Stack, operation: StackOperation, changes: Sequence[Difference]) -> None:
        reason = await self._refused(stack, changes) or await self.bring_up(stack, operation)
        if not reason:
            await self.clean_up(stack)
        elif stack.options.disable_rollback:
            self._finish(stack, StackStatus.UPDATE_FAILED, reason, succeeded=False)
        else:
            self._events.stack(stack, StackStatus.UPDATE_ROLLBACK_IN_PROGRESS, reason)
            await self._roll_back_update(stack)

    async def _roll_back_update(self, stack: Stack, skip: Collection[str] = ()) -> None:
        reason = await self.return_to_checkpoint(stack, skip)
        if reason:
            self._finish(stack, StackStatus.UPDATE_ROLLBACK_FAILED, reason, succeeded=False)
        else:
            await self.clean_up_rollback(stack)

    async def _delete(
        self, stack: Stack, before: tuple[StackStatus, str], retained: Collection[str], *, force: bool
    ) -> None:
        try:
            self._exports.check_deletion(stack)
        except AwsError as error:
            self._finish(stack, before[0], error.message, succeeded=False)
            return
        await self._remove_all(stack, for_deletion(everything_of(stack), retained), force=force)

    async def _remove_all(self, stack: Stack, leaving: list[Obsolete], *, force: bool = False) -> None:
        failed = await self._remove(stack, leaving)
        retained: set[str] = set()
        while failed and force:
            retained |= {each.logical_id for each in failed}
            left = [each.record for each in leaving if each.record.resource is not None]
            failed = await self._remove(stack, for_deletion(left, retained))
        if failed:
            self._finish(stack, StackStatus.DELETE_FAILED, _not_deleted(failed), succeeded=False)
            return
        stack.deleted = self._provider.clock.now()
        stack.outputs, stack.imports, stack.obsolete = (), frozenset(), []
        self._finish(stack, StackStatus.DELETE_COMPLETE, succeeded=True)

    # Parts.

    def _begin(self, stack: Stack, kind: OperationType, options: Options) -> StackOperation:
        operation = self._events.begin(stack, kind, options)
        self._cancellations[operation.id] = Cancellation()
        if options.change_set_id:
            stack.change_set_id = options.change_set_id
        return operation

    async def _refused(self, stack: Stack, changes: Sequence[Difference]) -> str:
        """Return why the early validation refuses changes, or nothing."""
        mistakes = await self._validation.run(stack, changes)
        return early_validation.failure(mistakes) if mistakes else ""

    def _run(self, stack: Stack, work: Coroutine[Any, Any, None]) -> None:
        task = self._spawn(_logged(work, stack.id), f"cloudformation-{stack.name}")
        self._running[stack.id] = task

        def done(_: asyncio.Task[None]) -> None:
            if self._running.get(stack.id) is task:
                del self._running[stack.id]
                self._cancellations.pop(stack.operation.id, None)

        task.add_done_callback(done)

    def _finish(self, stack: Stack, status: StackStatus, reason: str = "", *, succeeded: bool) -> None:
        self._events.end(stack, succeeded=succeeded)
        self._events.stack(stack, status, reason)

    def _set_timer(self, stack: Stack, minutes: int) -> asyncio.TimerHandle | None:
        if not minutes:
            return None
        seconds = minutes * max(SHORTEST_MINUTE, self._provider.clock.real(60))
        return asyncio.get_running_loop().call_later(seconds, self.cancel, stack, TIMED_OUT)

    def _created(self, stack: Stack) -> list[Obsolete]:
        options = stack.operation.options
        retain = options.retain_except_on_create or stack.options.retain_except_on_create
        return for_rollback(everything_of(stack), retain_except_on_create=retain)

    async def _remove(self, stack: Stack, leaving: list[Obsolete]) -> list[StackResource]:
        provisioner = Provisioner(self._provider, self._events, stack, Cancellation())
        return await remove(leaving, provisioner)

    async def _remove_superfluous(self, stack: Stack) -> list[StackResource]:
        """Delete what is no longer the stack's; return what could not be deleted in several attempts."""
        leaving, failed = stack.obsolete, []
        for _ in range(CLEANUP_ATTEMPTS):
            failed = await self._remove(stack, leaving)
            if not failed:
                break
            leaving = [each for each in leaving if each.record.resource is not None]
        return failed

    def _enter(self, stack: Stack, status: StackStatus) -> None:
        """Set a status, unless a nested stack has it already."""
        if stack.status is not status:
            self._events.stack(stack, status)

    def _updated_children(self, stack: Stack) -> list[Stack]:
        """Return the nested stacks that were updated, or rolled back, with their parent."""
        ids = [record.id for record in stack.existing.values() if record.type == STACK]
        children = [self._stacks.get(identity) for identity in ids]
        return [child for child in children if child is not None and child.checkpoint is not None]


def failure_of(stack: Stack) -> str:
    """Return which resources made an operation fail, in AWS's words; empty if none did."""
    sentences = {
        ResourceStatus.CREATE_FAILED: "create",
        ResourceStatus.UPDATE_FAILED: "update",
    }
    found = {
        verb: sorted(record.logical_id for record in stack.resources.values() if record.status is status)
        for status, verb in sentences.items()
    }
    return "".join(
        f"The following resource(s) failed to {verb}: [{', '.join(names)}]. "
        for verb, names in found.items()
        if names
    )


def _not_deleted(failed: list[StackResource]) -> str:
    names = sorted({each.logical_id for each in failed})
    return f"The following resource(s) failed to delete: [{', '.join(names)}]. "


def _left_behind(failed: list[StackResource]) -> str:
    return "One or more resources could not be deleted." if failed else ""


async def _after(running: asyncio.Task[None] | None, work: Awaitable[None]) -> None:
    if running is not None:
        await asyncio.wait([running])
    await work


async def _logged(work: Awaitable[None], stack_id: str) -> None:
    try:
        await work
    except Exception:
        log.exception("the operation on %s failed", stack_id)
        raise
