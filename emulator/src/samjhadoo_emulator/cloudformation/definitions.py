"""Makes definitions of stacks from requests, and refuses what cannot be made before anything is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation import capabilities, dependencies, parameters, schemas
from samjhadoo_emulator.cloudformation import template as templates
from samjhadoo_emulator.cloudformation.conditions import evaluate_conditions
from samjhadoo_emulator.cloudformation.functions import evaluate
from samjhadoo_emulator.cloudformation.model import Definition
from samjhadoo_emulator.cloudformation.template_source import template_text
from samjhadoo_emulator.errors import AwsError, not_implemented, validation_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samjhadoo_emulator.cloudformation.context import Context
    from samjhadoo_emulator.cloudformation.evaluation import Contexts
    from samjhadoo_emulator.cloudformation.parameters import Parameter
    from samjhadoo_emulator.cloudformation.resources.resource_type import ResourceType
    from samjhadoo_emulator.cloudformation.template import Template
    from samjhadoo_emulator.service import AwsApi

MOST_TAGS = 50


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
        self, params: dict[str, Any], *, name: str, stack_id: str, previous: Definition | None = None
    ) -> Definition:
        """Return the definition that a request asks for.

        Args:
            params: Of CreateStack, UpdateStack or CreateChangeSet.
            name: The stack's name.
            stack_id: The stack's ARN.
            previous: What the stack is so far; None for a new one.

        Raises:
            AwsError: The template, the parameters or the capabilities are wrong, or the emulator cannot make
                a resource.
        """
        text = await self._text(params, previous)
        template = templates.parse(text)
        check_transforms(template)
        self.check_types(template)
        acknowledged = tuple(params.get("Capabilities") or ())
        capabilities.check(template, acknowledged)
        chosen = await self._parameters(template, params, previous)
        topics = params.get("NotificationARNs")
        kept = previous.notification_arns if previous and topics is None else tuple(topics or ())
        context = self._contexts.of_template(template, chosen, name=name, stack_id=stack_id, topics=kept)
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
        self._check_supported(definition, replace(context, conditions=conditions))
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
        names = parameters.ssm_names(template, given)
        values = {name: await self._ssm_value(ssm_name) for name, ssm_name in names.items()}
        return parameters.resolve(template, given, ssm=values)

    async def _ssm_value(self, name: str) -> str:
        try:
            answer = await self._aws.call("ssm", "GetParameter", Name=name, WithDecryption=False)
        except AwsError as error:
            if error.code not in {"ParameterNotFound", "ParameterVersionNotFound"}:
                raise
            raise validation_error(
                f"Unable to fetch parameters [{name}] from parameter store for this account."
            ) from None
        return str(answer["Parameter"]["Value"])

    def check_types(self, template: Template) -> None:
        """Check that AWS knows a template's resource types.

        Raises:
            AwsError: It does not.
        """
        unknown = unrecognized(template)
        if unknown:
            raise validation_error(
                f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]"
            )

    def _check_supported(self, definition: Definition, context: Context) -> None:
        """Refuse what the emulator cannot make: a type, or properties of one."""
        for logical_id in definition.needs:
            entry = definition.template.resources[logical_id]
            kind = self._types(entry.type)
            if kind is None:
                raise validation_error(
                    f"Resource {logical_id}: the emulator cannot create resources of type {entry.type}."
                )
            try:
                kind.check(evaluate(entry.properties, context) or {})
            except AwsError as error:
                if error.status != not_implemented("").status:
                    raise
                raise not_implemented(f"Resource {logical_id}: {error.message}") from None


def unrecognized(template: Template) -> list[str]:
    """Return a template's resource types that AWS does not know."""
    types = dict.fromkeys(resource.type for resource in template.resources.values())
    return [name for name in types if not _is_known(name)]


def _is_known(name: str) -> bool:
    return schemas.schema(name) is not None or name.startswith("Custom::")


def check_transforms(template: Template) -> None:
    """Refuse transforms that the emulator does not perform.

    Raises:
        AwsError: It names them.
    """
    others = [name for name in template.transforms if name != capabilities.EXPANDING]
    if others:
        raise not_implemented(f"The emulator does not perform the transforms {', '.join(others)}.")


def _tags(params: Mapping[str, Any], previous: Definition | None) -> dict[str, str]:
    given = params.get("Tags")
    if given is None:
        return dict(previous.tags) if previous else {}
    if len(given) > MOST_TAGS:
        raise validation_error(f"Number of tags cannot exceed {MOST_TAGS}")
    return {each["Key"]: each["Value"] for each in given}
