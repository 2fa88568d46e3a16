"""The CloudFormation service of a region."""

from __future__ import annotations

from typing import Any

from samjhadoo_emulator.cloudformation.stack_answers import StackAnswers
from samjhadoo_emulator.cloudformation.stack_operations import StackOperations
from samjhadoo_emulator.cloudformation.template_operations import TemplateOperations


class CloudFormation(StackOperations, StackAnswers, TemplateOperations):
    """The API for stacks."""

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
