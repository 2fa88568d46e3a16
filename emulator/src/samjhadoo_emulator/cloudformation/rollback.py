"""Returns the resources of a stack to what they were before an update."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from samjhadoo_emulator.cloudformation.model import Obsolete, ResourceStatus
from samjhadoo_emulator.cloudformation.removal import for_rollback
from samjhadoo_emulator.cloudformation.scheduling import in_order

if TYPE_CHECKING:
    from collections.abc import Collection

    from samjhadoo_emulator.cloudformation.events import StackEvents
    from samjhadoo_emulator.cloudformation.model import Checkpoint, Stack, StackResource
    from samjhadoo_emulator.cloudformation.provisioning import Provisioner
    from samjhadoo_emulator.cloudformation.scheduling import Cancellation


class Rollback:
    """Returns a stack to its checkpoint.

    Args:
        skip: Logical ids of resources that are taken to be as they were, without a try.
        retain_except_on_create: Delete what the update created, whatever its deletion policy is.
    """

    def __init__(
        self,
        stack: Stack,
        checkpoint: Checkpoint,
        provisioner: Provisioner,
        events: StackEvents,
        *,
        skip: Collection[str] = (),
        retain_except_on_create: bool = False,
    ) -> None:
        self._stack = stack
        self._before = checkpoint.resources
        self._provisioner = provisioner
        self._events = events
        self._skip = skip
        self._retain_except_on_create = retain_except_on_create

    async def run(self, cancellation: Cancellation) -> bool:
        """Do it; return whether every resource is what it was. The cleanup deletes what the update made."""
        needs = {name: record.needs for name, record in self._before.items()}
        failed = await in_order(needs, self._restore, cancellation)
        if failed:
            return False
        self._stack.obsolete = [each for each in self._stack.obsolete if not self._is_kept(each.record)]
        created = [
            record
            for name, record in self._stack.resources.items()
            if name not in self._before and record.resource is not None
        ]
        self._stack.obsolete += for_rollback(created, retain_except_on_create=self._retain_except_on_create)
        return True

    def _is_kept(self, record: StackResource) -> bool:
        """Return whether a record is of a physical resource that the stack has again."""
        kept = self._before.get(record.logical_id)
        return kept is not None and kept.id == record.id

    async def _restore(self, name: str) -> bool:
        old, current = self._before[name], self._stack.resources.get(name)
        if current is None or current is old:
            self._stack.resources[name] = old
            return True
        if old.resource is None:
            self._leave(current)
            self._stack.resources[name] = old
            return True
        if name in self._skip:
            return self._done(old)
        if current.id != old.id or current.resource is None:
            self._leave(current)
            return self._done(old)
        if current.updated == old.updated:  # only its entry in the template has changed
            self._stack.resources[name] = old
            return True
        restored = replace(old)
        if not await self._provisioner.update(current, restored):
            return False
        old.resource, old.status, old.updated = restored.resource, restored.status, restored.updated
        self._stack.resources[name] = old
        return True

    def _leave(self, record: StackResource) -> None:
        if record.resource is not None:
            self._stack.obsolete.append(Obsolete(record, "Delete"))

    def _done(self, old: StackResource) -> bool:
        self._stack.resources[old.logical_id] = old
        self._events.resource(self._stack, old, ResourceStatus.UPDATE_COMPLETE)
        return True
