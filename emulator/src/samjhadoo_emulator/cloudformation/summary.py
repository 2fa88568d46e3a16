"""What a template needs and holds, as ValidateTemplate and GetTemplateSummary tell it. No I/O."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation import capabilities, schemas
from samjhadoo_emulator.cloudformation.parameters import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_emulator.cloudformation.template import Template

_NESTED: Final = "AWS::CloudFormation::Stack"


def validation(template: Template) -> dict[str, Any]:
    """Return the answer of ValidateTemplate."""
    return {
        "Parameters": [
            {
                **_shared_declaration(name, declared),
                **({"DefaultValue": plain(declared["Default"])} if "Default" in declared else {}),
            }
            for name, declared in template.parameters.items()
        ],
        **_shared(template),
    }


def summary(template: Template) -> dict[str, Any]:
    """Return the answer of GetTemplateSummary."""
    types = list(dict.fromkeys(each.type for each in template.resources.values()))
    unknown = [name for name in types if schemas.schema(name) is None]
    return {
        "Parameters": [_declaration(name, declared) for name, declared in template.parameters.items()],
        **_shared(template),
        "ResourceTypes": types,
        "ResourceIdentifierSummaries": [_identifiers(template, name) for name in types],
        **({"Version": template.version} if template.version else {}),
        **({"Metadata": json.dumps(template.metadata)} if template.metadata else {}),
        **({"Warnings": {"UnrecognizedResourceTypes": unknown}} if unknown else {}),
    }


def _shared(template: Template) -> dict[str, Any]:
    needed = list(capabilities.required(template))
    types = list(dict.fromkeys(each.type for each in template.resources.values()))
    reason = capabilities.reason(template)
    if _NESTED in types:
        # What a nested template needs is not known before it is read.
        needed = [capabilities.NAMED_IAM, capabilities.AUTO_EXPAND]
        reason = f"The following resource(s) require capabilities: [{_NESTED}]"
    answer: dict[str, Any] = {}
    if template.description:
        answer["Description"] = template.description
    if template.transforms:
        answer["DeclaredTransforms"] = list(template.transforms)
        needed = list(dict.fromkeys([*needed, capabilities.AUTO_EXPAND]))
    if needed:
        answer["Capabilities"] = needed
    if reason:
        answer["CapabilitiesReason"] = reason
    return answer


def _shared_declaration(name: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    described = {"Description": str(declared["Description"])} if "Description" in declared else {}
    return {
        "ParameterKey": name,
        "NoEcho": plain(declared.get("NoEcho", False)).lower() == "true",
        **described,
    }


def _declaration(name: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    allowed = [plain(each) for each in declared.get("AllowedValues", ())]
    return {
        **_shared_declaration(name, declared),
        **({"DefaultValue": plain(declared["Default"])} if "Default" in declared else {}),
        "ParameterType": declared["Type"],
        "ParameterConstraints": {"AllowedValues": allowed} if allowed else {},
    }


def _identifiers(template: Template, type_name: str) -> dict[str, Any]:
    known = schemas.schema(type_name)
    return {
        "ResourceType": type_name,
        "LogicalResourceIds": [name for name, each in template.resources.items() if each.type == type_name],
        **({"ResourceIdentifiers": list(known.primary_identifier)} if known else {}),
    }
