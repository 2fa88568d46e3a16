"""Makes definitions of stacks from requests, and refuses what cannot be made before anything is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.language import dependencies, dynamic_references, parameters
from samjhadoo_emulator.cloudformation.language import template as templates
from samjhadoo_emulator.cloudformation.language.conditions import evaluate_conditions
from samjhadoo_emulator.cloudformation.language.functions import evaluate
from samjhadoo_emulator.cloudformation.language.parameter_values import check_existing, read_ssm
from samjhadoo_emulator.cloudformation.language.rules import check_rules
from samjhadoo_emulator.cloudformation.language.schemas import check_types
from samjhadoo_emulator.cloudformation.language.summary import check_capabilities
from samjhadoo_emulator.cloudformation.language.transforms import transformed
from samjhadoo_emulator.cloudformation.model import STACK, Definition
from samjhadoo_emulator.cloudformation.template_source import read, template_text
from samjhadoo_emulator.errors import AwsError, not_implemented, validation_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samjhadoo_emulator.cloudformation.evaluation import Contexts
    from samjhadoo_emulator.cloudformation.language.context import Context
    from samjhadoo_emulator.cloudformation.language.parameters import Parameter
    from samjhadoo_emulator.cloudformation.language.template import Template
    from samjhadoo_emulator.cloudformation.resources.resource_type import ResourceType
    from samjhadoo_emulator.service import AwsApi

MOST_TAGS: Final = 50
DEEPEST: Final = 5
"""Stacks within stacks that are looked into before anything is made."""


class Definitions:
    """Makes the definitions of a region's stacks.

    Args:
        aws: The AWS API of the region.
        contexts: What templates are evaluated with.
        types: Returns a resource type by its name; None if it cannot be made.
    """

    def __init__(self, aws: AwsApi, contexts: Contexts, types: Callable[[str], ResourceType | None]) -> None:
        self._aws = aws
        self._contexts = contexts
        self._types = types

    async def prepare(
        self,
        params: dict[str, Any],
        *,
        name: str,
        stack_id: str,
        previous: Definition | None = None,
        change_set: bool = False,
    ) -> Definition:
        """Return the definition that a request asks for.

        Args:
            params: Of CreateStack, UpdateStack or CreateChangeSet.
            name: The stack's name.
            stack_id: The stack's ARN.
            previous: What the stack is so far; None for a new one.
            change_set: Whether it is for a change set, which shows what transforms make.

        Raises:
            AwsError: The template, the parameters or the capabilities are wrong, or the emulator cannot make
                a resource.
        """
        text = await self._text(params, previous)
        acknowledged = tuple(params.get("Capabilities") or ())
        topics = params.get("NotificationARNs")
        kept = previous.notification_arns if previous and topics is None else tuple(topics or ())
        given = templates.parse(text)
        check_capabilities(given, acknowledged, change_set=change_set)
        chosen = await self._parameters(given, params, previous)
        context = self._contexts.of_template(given, chosen, name=name, stack_id=stack_id, topics=kept)
        template = await _transformed(given, chosen, context)
        if "Hooks" in template.document:
            raise not_implemented("The emulator does not run the hooks of a template (Hooks).")
        check_types(template)
        check_capabilities(template, acknowledged, change_set=change_set)
        check_rules(template, context, await check_existing(template, chosen, self._aws))
        conditions = evaluate_conditions(template.conditions, context)
        definition = Definition(
            template=template,
            original=text,
            parameters=chosen,
            conditions=conditions,
            needs=dependencies.order(template, conditions),
            tags=_tags(params, previous),
            capabilities=acknowledged,
            notification_arns=kept,
            role_arn=params.get("RoleARN") or (previous.role_arn if previous else ""),
        )
        await self._check_supported(definition, replace(context, conditions=conditions))
        return definition

    async def _text(self, params: dict[str, Any], previous: Definition | None) -> str:
        text = await template_text(params, self._aws)
        if params.get("UsePreviousTemplate"):
            if text:
                raise validation_error("You cannot specify both usePreviousTemplate and Template Body.")
            if previous is not None:
                return previous.original
        if not text:
            raise validation_error("Either Template URL or Template Body must be specified.")
        return text

    async def _parameters(
        self, template: Template, params: dict[str, Any], previous: Definition | None
    ) -> dict[str, Parameter]:
        given = parameters.given(params.get("Parameters") or (), previous.texts if previous else None)
        values = await read_ssm(template, given, self._aws)
        return parameters.resolve(template, given, ssm=values)

    async def _check_supported(self, definition: Definition, context: Context) -> None:
        """Refuse what the emulator cannot make: a type, or properties of one; in nested stacks, too."""
        for logical_id in definition.needs:
            entry = definition.template.resources[logical_id]
            kind = self._types(entry.type)
            if kind is None:
                raise validation_error(
                    f"Resource {logical_id}: the emulator cannot create resources of type {entry.type}."
                )
            properties = evaluate(entry.properties, context) or {}
            dynamic_references.check(entry.type, properties)
            try:
                kind.check(properties)
            except AwsError as error:
                raise _about(logical_id, error) from None
            if entry.type == STACK:
                await self._check_nested(logical_id, properties.get("TemplateURL"))

    async def _check_nested(self, logical_id: str, url: Any, depth: int = 1) -> None:
        """Refuse a nested stack whose template has types that the emulator cannot make.

        A template that cannot be read yet, or is wrong, fails when its turn comes, as at AWS.
        """
        if not isinstance(url, str) or depth > DEEPEST:
            return
        try:
            template = templates.parse(await read(url, self._aws))
        except AwsError:
            return
        for name, entry in template.resources.items():
            if not entry.condition and self._types(entry.type) is None:
                raise validation_error(
                    f"Resource {logical_id}: the emulator cannot create {name} of type {entry.type}."
                )
            if entry.type == STACK:
                await self._check_nested(
                    f"{logical_id}.{name}", entry.properties.get("TemplateURL"), depth + 1
                )


async def _transformed(template: Template, chosen: Mapping[str, Parameter], context: Context) -> Template:
    """Return a template after its transforms, in a thread: the first serverless one loads its translator."""
    if not template.transforms:
        return template
    return await asyncio.to_thread(transformed, template, chosen, context.pseudo)


def _about(logical_id: str, error: AwsError) -> AwsError:
    return AwsError(error.code, f"Resource {logical_id}: {error.message}", status=error.status)


def _tags(params: Mapping[str, Any], previous: Definition | None) -> dict[str, str]:
    given = params.get("Tags")
    if given is None:
        return dict(previous.tags) if previous else {}
    if len(given) > MOST_TAGS:
        raise validation_error(f"Number of tags cannot exceed {MOST_TAGS}")
    return {each["Key"]: each["Value"] for each in given}
