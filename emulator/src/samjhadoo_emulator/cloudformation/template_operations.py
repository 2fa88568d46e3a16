"""The API's operations on templates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation import capabilities, parameters, schemas
from samjhadoo_emulator.cloudformation import template as templates
from samjhadoo_emulator.cloudformation.base import CloudFormationBase
from samjhadoo_emulator.cloudformation.definitions import check_transforms, unrecognized
from samjhadoo_emulator.cloudformation.stack_answers import DOES_NOT_EXIST
from samjhadoo_emulator.cloudformation.template_source import template_text
from samjhadoo_emulator.errors import validation_error
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.model import Stack
    from samjhadoo_emulator.cloudformation.template import Template
    from samjhadoo_emulator.service import Params, Result

CALCULATOR = "https://calculator.aws/#/estimate"


class TemplateOperations(CloudFormationBase):
    """Shows and checks templates."""

    @operation("GetTemplate")
    async def get_template(self, params: Params) -> Result:
        stack = self.stacks.find(params.get("StackName") or "", words=DOES_NOT_EXIST)
        definition = stack.definition
        if definition is None:
            raise validation_error(f"Stack with id {params['StackName']} does not exist")
        processed = params.get("TemplateStage") == "Processed"
        body = definition.template.text if processed else definition.original
        return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}

    @operation("ValidateTemplate")
    async def validate_template(self, params: Params) -> Result:
        template = await self._given(params)
        self.definitions.check_types(template)
        shape = _summary(template)
        shape["Parameters"] = [
            {name: value for name, value in each.items() if name in _VALIDATED}
            for each in shape["Parameters"]
        ]
        return shape

    @operation("GetTemplateSummary")
    async def get_template_summary(self, params: Params) -> Result:
        if params.get("StackSetName"):
            raise validation_error(f"StackSet {params['StackSetName']} not found")
        stack: Stack | None = None
        if params.get("StackName"):
            stack = self.stacks.find(params["StackName"], words="Stack [{name}] does not exist")
        template = await self._given(params) if stack is None else _template_of(stack)
        config = params.get("TemplateSummaryConfig") or {}
        unknown = unrecognized(template)
        if unknown and not config.get("TreatUnrecognizedResourceTypesAsWarnings"):
            self.definitions.check_types(template)
        shape = {
            **_summary(template),
            "ResourceTypes": sorted(each.type for each in template.resources.values()),
            "ResourceIdentifierSummaries": _identifiers(template),
        }
        if template.version:
            shape["Version"] = template.version
        if template.metadata:
            shape["Metadata"] = json.dumps(template.metadata)
        if unknown:
            shape["Warnings"] = {"UnrecognizedResourceTypes": unknown}
        return shape

    @operation("EstimateTemplateCost")
    async def estimate_template_cost(self, params: Params) -> Result:
        template = await self._given(params)
        parameters.resolve(template, parameters.given(params.get("Parameters") or ()))
        return {"Url": CALCULATOR}

    async def _given(self, params: Params) -> Template:
        text = await template_text(params, self.aws)
        if not text:
            raise validation_error("Either Template URL or Template Body must be specified.")
        template = templates.parse(text)
        check_transforms(template)
        return template


_VALIDATED = ("ParameterKey", "DefaultValue", "NoEcho", "Description")


def _template_of(stack: Stack) -> Template:
    if stack.definition is None:
        raise validation_error(f"Stack [{stack.name}] does not exist")
    return stack.definition.template


def _summary(template: Template) -> dict[str, Any]:
    """Return what ValidateTemplate and GetTemplateSummary both answer."""
    shape: dict[str, Any] = {
        "Parameters": [_parameter(name, declared) for name, declared in template.parameters.items()]
    }
    optional = {
        "Description": template.description,
        "Capabilities": list(capabilities.required(template)),
        "CapabilitiesReason": capabilities.reason(template),
        "DeclaredTransforms": list(template.transforms),
    }
    return shape | {name: value for name, value in optional.items() if value}


def _parameter(name: str, declared: dict[str, Any]) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "ParameterKey": name,
        "ParameterType": declared["Type"],
        "NoEcho": parameters.plain(declared.get("NoEcho", False)).lower() == "true",
        "ParameterConstraints": {},
    }
    if "Default" in declared:
        shape["DefaultValue"] = parameters.plain(declared["Default"])
    if declared.get("Description"):
        shape["Description"] = declared["Description"]
    if declared.get("AllowedValues"):
        values = [parameters.plain(value) for value in declared["AllowedValues"]]
        shape["ParameterConstraints"] = {"AllowedValues": values}
    return shape


def _identifiers(template: Template) -> list[dict[str, Any]]:
    """Return which properties identify the resources of each type."""
    by_type: dict[str, list[str]] = {}
    for name, resource in template.resources.items():
        by_type.setdefault(resource.type, []).append(name)
    known = ((kind, names, schemas.schema(kind)) for kind, names in by_type.items())
    return [
        {
            "ResourceType": kind,
            "LogicalResourceIds": names,
            "ResourceIdentifiers": list(schema.primary_identifier),
        }
        for kind, names, schema in known
        if schema is not None and schema.primary_identifier
    ]
