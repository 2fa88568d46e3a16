"""The API's operations on templates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from samjhadoo_emulator.cloudformation.base import CloudFormationBase
from samjhadoo_emulator.cloudformation.language import parameters, summary
from samjhadoo_emulator.cloudformation.language import template as templates
from samjhadoo_emulator.cloudformation.language.schemas import check_types
from samjhadoo_emulator.cloudformation.stack_answers import DOES_NOT_EXIST
from samjhadoo_emulator.cloudformation.template_source import template_text
from samjhadoo_emulator.errors import AwsError, not_implemented, validation_error
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.language.template import Template
    from samjhadoo_emulator.cloudformation.model import Definition
    from samjhadoo_emulator.service import Params, Result

CALCULATOR = "https://calculator.aws/#/estimate"


class TemplateOperations(CloudFormationBase):
    """Shows and checks templates."""

    @operation("GetTemplate")
    async def get_template(self, params: Params) -> Result:
        definition = self.definition_of(params)
        if definition is None:  # in review: CDK asks before it has executed the first change set
            return {"TemplateBody": "", "StagesAvailable": ["Original"]}
        processed = params.get("TemplateStage") == "Processed"
        body = _processed(definition) if processed else definition.original
        return {"TemplateBody": body, "StagesAvailable": ["Original", "Processed"]}

    def definition_of(self, params: Params) -> Definition | None:
        """Return the definition that a request of GetTemplate is about; None if the stack has none yet.

        Raises:
            AwsError: There is none.
        """
        if not params.get("StackName"):
            raise validation_error("Stack name or change set name must be specified")
        return self.stacks.find(params["StackName"], words=DOES_NOT_EXIST).definition

    @operation("ValidateTemplate")
    async def validate_template(self, params: Params) -> Result:
        template = await self._given(params)
        if not template.transforms:
            check_types(template)
        return summary.validation(template)

    @operation("GetTemplateSummary")
    async def get_template_summary(self, params: Params) -> Result:
        if params.get("StackSetName"):
            raise not_implemented("The emulator does not have stack sets.")
        if params.get("StackName"):
            stack = self.stacks.find(params["StackName"])
            if stack.definition is None:
                raise validation_error(DOES_NOT_EXIST.format(name=stack.name))
            return summary.summary(stack.definition.template)
        template = await self._given(params)
        shape = summary.summary(template)
        config = params.get("TemplateSummaryConfig") or {}
        if "Warnings" in shape and not config.get("TreatUnrecognizedResourceTypesAsWarnings"):
            check_types(template)
        return shape

    @operation("EstimateTemplateCost")
    async def estimate_template_cost(self, params: Params) -> Result:
        template = await self._given(params)
        parameters.resolve(template, parameters.given(params.get("Parameters") or ()))
        return {"Url": CALCULATOR}

    async def _given(self, params: Params) -> Template:
        """Return a request's template.

        Raises:
            AwsError: There is none, or it is wrong.
        """
        text = await template_text(params, self.aws)
        if not text:
            raise AwsError("ValidationError", "Either Template URL or Template Body must be specified.")
        return templates.parse(text)


def _processed(definition: Definition) -> str:
    template = definition.template
    return (
        template.text
        if not template.transforms and not template.extensions
        else json.dumps(template.document)
    )
