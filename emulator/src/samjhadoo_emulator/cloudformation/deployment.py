"""Makes a stack's resources what its definition wants: creates, updates and replaces them in order."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.changes.differences import replacement_policy
from samjhadoo_emulator.cloudformation.changes.property_changes import compare, replaces
from samjhadoo_emulator.cloudformation.evaluation import hidden
from samjhadoo_emulator.cloudformation.language import schemas
from samjhadoo_emulator.cloudformation.language.functions import as_text, evaluate
from samjhadoo_emulator.cloudformation.model import (
    STACK,
    Obsolete,
    ResourceStatus,
    StackOutput,
    StackResource,
)
from samjhadoo_emulator.cloudformation.replacements import REFUSAL, kept_name
from samjhadoo_emulator.cloudformation.scheduling import in_order
from samjhadoo_emulator.errors import AwsError, validation_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_emulator.cloudformation.language.context import Context
    from samjhadoo_emulator.cloudformation.language.template import Template
    from samjhadoo_emulator.cloudformation.model import Definition, Stack
    from samjhadoo_emulator.cloudformation.provisioning import Provisioner
    from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
    from samjhadoo_emulator.cloudformation.scheduling import Cancellation


class StackDeployment:
    """One attempt to bring a stack to a definition.

    Args:
        context: What the definition's values are evaluated with; its resources are `known`.
        known: The resources so far: grows.
        before: The records of the last successful operation.
    """

    def __init__(
        self,
        stack: Stack,
        definition: Definition,
        provisioner: Provisioner,
        *,
        context: Context,
        known: dict[str, Resource],
        before: Mapping[str, StackResource],
    ) -> None:
        self._stack = stack
        self._definition = definition
        self._provisioner = provisioner
        self._context = context
        self._shown = hidden(context, definition)
        self._known = known
        self._before = before

    async def run(self, cancellation: Cancellation, *, stop_at_failure: bool) -> bool:
        """Do it; return whether every resource is there as wanted."""
        failed = await in_order(
            self._definition.needs, self._apply, cancellation, stop_at_failure=stop_at_failure
        )
        return not failed and not cancellation

    async def _apply(self, name: str) -> bool:
        record = self._record(name)
        old = self._existing(name)
        try:
            self._evaluate(record)
            succeeded = await self._bring(old, record)
        except AwsError as error:
            status = ResourceStatus.UPDATE_FAILED if old else ResourceStatus.CREATE_FAILED
            if old:
                record.resource, record.id = old.resource, old.id
            return self._provisioner.refuse(record, status, error.message)
        current = self._stack.resources[name]
        if succeeded and current.resource is not None:
            self._known[name] = current.resource
        return succeeded

    def _existing(self, name: str) -> StackResource | None:
        """Return the record of the resource that there is; a failed replacement has left the old one."""
        records = (self._stack.resources.get(name), self._before.get(name))
        return next((record for record in records if record and record.resource), None)

    def _record(self, name: str) -> StackResource:
        return StackResource(
            logical_id=name,
            entry=self._definition.template.resources[name],
            needs=frozenset(self._definition.needs[name]),
            tags=self._definition.tags,
        )

    def _evaluate(self, record: StackResource) -> None:
        record.properties = evaluate(record.entry.properties, self._context) or {}
        shown = record.properties
        if self._shown is not self._context:
            shown = evaluate(record.entry.properties, self._shown) or {}
        record.shown = json.dumps(shown, separators=(",", ":"))

    async def _bring(self, old: StackResource | None, record: StackResource) -> bool:
        """Create, replace or update a resource, or only keep its new entry if it is as wanted."""
        if old is None:
            return await self._provisioner.create(record)
        schema = schemas.schema(record.type)
        changes = compare(old.properties, record.properties, schema)
        if replaces(changes):
            name = kept_name(schema, old.properties, record.properties)
            if name:
                raise validation_error(REFUSAL.format(name=name))
            if not await self._provisioner.replace(old, record):
                return False
            self._stack.obsolete.append(Obsolete(old, self._policy(old, record)))
            return True
        if changes or self._is_stale(old, record):
            return await self._provisioner.update(old, record)
        self._stack.resources[record.logical_id] = _kept(old, record)
        return True

    def _policy(self, old: StackResource, record: StackResource) -> str:
        """Return what happens to a replaced resource; what a failed update has made is deleted."""
        before = self._before.get(old.logical_id)
        made_since = before is None or before.id != old.id
        return "Delete" if made_since else replacement_policy(record.entry, record.properties)

    def _is_stale(self, old: StackResource, record: StackResource) -> bool:
        """Return whether a resource whose properties stay needs an update all the same."""
        tagged = dict(old.tags) != dict(record.tags) and takes_tags(record.type)
        failed = old.status is ResourceStatus.UPDATE_FAILED
        return tagged or failed or record.type == STACK or old.entry.metadata != record.entry.metadata


def takes_tags(type_name: str) -> bool:
    """Return whether resources of a type get the stack's tags."""
    schema = schemas.schema(type_name)
    return schema is not None and bool(schema.tagging) and bool(schema.tagging.get("taggable", True))


def _kept(old: StackResource, record: StackResource) -> StackResource:
    """Return the record of a resource that stays as it is, with its entry in the new template."""
    return replace(old, entry=record.entry, needs=record.needs, tags=record.tags)


def evaluate_outputs(template: Template, context: Context) -> tuple[StackOutput, ...]:
    """Return a stack's outputs.

    Raises:
        AwsError: One is no text, or refers to what does not exist.
    """
    made = {
        key: declared
        for key, declared in template.outputs.items()
        if context.conditions.get(declared.get("Condition", ""), True)
    }
    return tuple(_output(key, declared, context) for key, declared in made.items())


def _output(key: str, declared: Mapping[str, Any], context: Context) -> StackOutput:
    value = as_text(evaluate(declared.get("Value"), context))
    if value is None:
        raise validation_error(
            "Template format error: The Value field of every Outputs member must evaluate to a String."
        )
    exported = as_text(evaluate((declared.get("Export") or {}).get("Name"), context)) or ""
    return StackOutput(key, value, str(declared.get("Description") or ""), exported)
