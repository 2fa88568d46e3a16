"""Whether an update changes anything. No I/O."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from samjhadoo_emulator.cloudformation.changes.differences import After, Before, Existing, differences
from samjhadoo_emulator.cloudformation.deployment import evaluate_outputs
from samjhadoo_emulator.cloudformation.language import schemas
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.language.context import Context
    from samjhadoo_emulator.cloudformation.model import Definition, Stack

NO_UPDATES = "No updates are to be performed."


def before_of(stack: Stack) -> Before:
    """Return a stack as it is, to be compared with what is wanted."""
    existing = {
        name: Existing(record.entry, record.resource, record.properties)
        for name, record in stack.resources.items()
        if record.resource is not None
    }
    parameters = stack.definition.values if stack.definition else {}
    return Before(existing, parameters, stack.definition.tags if stack.definition else {})


def changes_anything(stack: Stack, definition: Definition, context: Context) -> bool:
    """Return whether an update to a definition does anything.

    Args:
        context: The new definition's, in which resources are not known.

    Raises:
        AwsError: The new template is not consistent with the stack.
    """
    before = before_of(stack)
    after = After(definition.template, context, definition.tags)
    if stack.checkpoint is not None or differences(before, after, schemas.schema):
        return True
    old = stack.definition
    kept = old is not None and old.tags == definition.tags
    if not kept or old is None or old.notification_arns != definition.notification_arns:
        return True
    known = {name: record.resource for name, record in stack.existing.items() if record.resource}
    try:
        wanted = evaluate_outputs(
            definition.template, replace(context, resources=known, unknown_resources=False)
        )
    except AwsError:
        return True  # the operation fails, and says why
    return wanted != stack.outputs
