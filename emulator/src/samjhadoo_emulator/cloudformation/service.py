"""The CloudFormation service of a region."""

from __future__ import annotations

from typing import Any

from samjhadoo_emulator.cloudformation.changes.change_set_operations import ChangeSetOperations
from samjhadoo_emulator.cloudformation.drift_operations import DriftOperations
from samjhadoo_emulator.cloudformation.stack_operations import StackOperations


class CloudFormation(StackOperations, ChangeSetOperations, DriftOperations):
    """The API for stacks, their change sets and their drift."""

    def dump(self) -> dict[str, Any]:
        """Return a summary of the state."""
        return {
            stack.name: {
                "id": stack.id,
                "status": stack.status.value,
                "reason": stack.reason,
                "resources": {
                    name: {"id": record.id, "type": record.type, "status": record.status.value}
                    for name, record in stack.resources.items()
                },
            }
            for stack in self.stacks.live()
        }
