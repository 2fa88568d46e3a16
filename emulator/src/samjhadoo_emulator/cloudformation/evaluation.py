"""Brings together what a stack's values depend on: parameters, exports, zones, other stacks' outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.exports import calls_of
from samjhadoo_emulator.cloudformation.language.context import Context, pseudo_parameters
from samjhadoo_emulator.cloudformation.language.functions import evaluate
from samjhadoo_emulator.cloudformation.language.parameters import HIDDEN
from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.internal import in_region

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_emulator.cloudformation.exports import Exports
    from samjhadoo_emulator.cloudformation.language.parameters import Parameter
    from samjhadoo_emulator.cloudformation.language.template import Template
    from samjhadoo_emulator.cloudformation.model import Definition
    from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
    from samjhadoo_emulator.service import AwsApi


class Contexts:
    """Makes the contexts in which a region's templates are evaluated.

    Args:
        aws: The AWS API of the region.
        exports: The region's exports.
    """

    def __init__(self, aws: AwsApi, region: str, account: str, exports: Exports) -> None:
        self._aws = aws
        self._region = region
        self._account = account
        self._exports = exports
        self._zones: dict[str, list[str]] = {}

    def of_template(
        self,
        template: Template,
        parameters: Mapping[str, Parameter],
        *,
        name: str,
        stack_id: str,
        topics: tuple[str, ...] = (),
    ) -> Context:
        """Return the context of a template before anything is known of AWS: no zones, no exports."""
        return Context(
            parameters={name: parameter.value for name, parameter in parameters.items()},
            mappings=template.mappings,
            pseudo=pseudo_parameters(
                region=self._region,
                account=self._account,
                stack_name=name,
                stack_id=stack_id,
                topics=topics,
            ),
            unknown_resources=True,
            extensions=template.extensions,
        )

    async def of(
        self, definition: Definition, *, name: str, stack_id: str, resources: Mapping[str, Resource] | None
    ) -> Context:
        """Return the context of a stack's values.

        Args:
            resources: What exists, also while it grows; None if that is not known yet, as in change sets.
        """
        basic = self.of_template(
            definition.template,
            definition.parameters,
            name=name,
            stack_id=stack_id,
            topics=definition.notification_arns,
        )
        context = replace(
            basic,
            conditions=definition.conditions,
            exports=self._exports.values(),
            zones=await self._zones_of(definition.template),
        )
        context = replace(context, outputs=await self._outputs(definition.template, context))
        if resources is None:
            return context
        return replace(context, resources=resources, unknown_resources=False)

    def imports(self, definition: Definition, context: Context) -> frozenset[str]:
        """Return the names of the exports that a stack imports, as far as they are known."""
        known = replace(context, unknown_resources=True)
        made = [definition.template.resources[name].properties for name in definition.needs]
        outputs = [
            output
            for output in definition.template.outputs.values()
            if definition.conditions.get(output.get("Condition", ""), True)
        ]
        arguments = calls_of("Fn::ImportValue", [*made, *outputs], definition.conditions)
        names = (evaluate(argument, known) for argument in arguments)
        return frozenset(name for name in names if isinstance(name, str))

    async def _zones_of(self, template: Template) -> dict[str, list[str]]:
        if "Fn::GetAZs" not in template.text and "GetAZs" not in template.text:
            return {}
        named = calls_of("Fn::GetAZs", [each.properties for each in template.resources.values()])
        for region in {self._region, *(each for each in named if isinstance(each, str) and each)}:
            if region not in self._zones:
                answer = await in_region(self._aws, region).call("ec2", "DescribeAvailabilityZones")
                self._zones[region] = sorted(each["ZoneName"] for each in answer["AvailabilityZones"])
        return self._zones

    async def _outputs(self, template: Template, context: Context) -> dict[tuple[str, str, str], str]:
        if "GetStackOutput" not in template.text:
            return {}
        found: dict[tuple[str, str, str], str] = {}
        sections = [[each.properties for each in template.resources.values()], template.outputs]
        for argument in calls_of("Fn::GetStackOutput", sections):
            given = evaluate(argument, context)
            if not isinstance(given, dict) or not isinstance(given.get("StackName"), str):
                continue
            region = str(given.get("Region") or self._region)
            for key, value in (await self._outputs_of(given["StackName"], region)).items():
                found[region, given["StackName"], key] = value
        return found

    async def _outputs_of(self, stack: str, region: str) -> dict[str, str]:
        try:
            answer = await in_region(self._aws, region).call(
                "cloudformation", "DescribeStacks", StackName=stack
            )
        except AwsError:
            return {}  # the function itself says that there is no such output
        outputs: list[dict[str, Any]] = answer["Stacks"][0].get("Outputs") or []
        return {each["OutputKey"]: each["OutputValue"] for each in outputs}


def hidden(context: Context, definition: Definition) -> Context:
    """Return a context in which parameters with NoEcho are `****`."""
    secret = [name for name, parameter in definition.parameters.items() if parameter.no_echo]
    if not secret:
        return context
    return replace(context, parameters={**context.parameters, **dict.fromkeys(secret, HIDDEN)})
